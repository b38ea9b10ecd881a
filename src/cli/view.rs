//! `streamflow-view`.

mod headless;
mod lines;
mod several;
mod turning;
mod watch;
mod window;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::several::Streams;
use self::turning::TurnOptions;
use self::watch::{Limits, Watch};
use super::hub_location::{HubLocationOptions, Target};
use super::options::{EXIT_CODES, HELP, LogOptions, StreamOptions, parse};
use super::{Interrupt, exit, key_file, logging};
use crate::viewer::{Viewer, ViewerConfig};
use crate::wire::control::ViewRequest;

const EXAMPLES: &str = "\
Examples:
  streamflow-view                                  what this machine's streamflow-send publishes
  streamflow-view --listen 0.0.0.0                 be the hub: streamflow-send --host THIS-MACHINE sends to here
  streamflow-view --host hub --name door           the stream main/door of a hub
  streamflow-view --host ws://gate.example/cam/ws  through a web proxy
  streamflow-view --host hub --name door --name lab   two streams in one window; --all for all of the room
  streamflow-view --headless --json --for 10       ten seconds of statistics, a line a second
  streamflow-view --headless --frames 1 --save .   one picture into this folder
";

/// Shows a stream in a window, or reports on it without one.
#[derive(Parser, Debug)]
#[command(name = "streamflow-view", version, about, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES)]
struct Options {
    #[command(flatten)]
    stream: StreamOptions,
    /// auto: as good as the link allows; or a fixed JPEG quality, 30 to 95
    #[arg(long, value_name = "auto|30-95", env = "STREAMFLOW_QUALITY", help_heading = "Stream", default_value = "auto",
          value_parser = quality)]
    quality: Quality,

    /// All streams of the room in one window, those that come later, too; 16 at most
    #[arg(long, env = "STREAMFLOW_ALL", help_heading = "Stream", value_parser = clap::builder::FalseyValueParser::new(),
          conflicts_with_all = ["name", "headless"])]
    all: bool,

    /// Begin as large as the screen
    #[arg(long, env = "STREAMFLOW_FULLSCREEN", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    fullscreen: bool,
    #[command(flatten)]
    turn: TurnOptions,
    /// Where S puts snapshots
    #[arg(long, value_name = "DIR", env = "STREAMFLOW_SNAPSHOTS", help_heading = "Window", default_value = ".")]
    snapshots: PathBuf,
    /// Begin without the statistics
    #[arg(long, env = "STREAMFLOW_NO_OVERLAY", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    no_overlay: bool,

    /// No window
    #[arg(long, env = "STREAMFLOW_HEADLESS", help_heading = "Without a window", value_parser = clap::builder::FalseyValueParser::new())]
    headless: bool,
    /// Print the statistics as a JSON line a second
    #[arg(long, env = "STREAMFLOW_JSON", help_heading = "Without a window", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
    /// End after so many pictures
    #[arg(long, value_name = "N", env = "STREAMFLOW_FRAMES", help_heading = "Without a window")]
    frames: Option<u64>,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS", env = "STREAMFLOW_FOR", help_heading = "Without a window", value_parser = seconds)]
    duration: Option<Duration>,
    /// Save every picture, exactly as received, into this folder; not those of a camera that has not found its exposure yet
    #[arg(long, value_name = "DIR", env = "STREAMFLOW_SAVE", help_heading = "Without a window", requires = "headless")]
    save: Option<PathBuf>,

    #[command(flatten)]
    hub: HubLocationOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// `None` is `auto`.
type Quality = Option<u8>;

fn quality(text: &str) -> Result<Quality, String> {
    if text == "auto" {
        return Ok(None);
    }
    let quality = text.parse().ok().filter(|q| (30..=95).contains(q));
    quality.map(Some).ok_or_else(|| "write auto or 30 to 95".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|s: &f64| *s > 0.0 && *s < 1e9);
    number.map(Duration::from_secs_f64).ok_or_else(|| "write a number of seconds".into())
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = parse::<Options>();
    logging::start(options.log.verbose, options.log.quiet);
    exit(run(&options))
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    let Target { location, room, name, key } = options.hub.target(&options.stream)?;
    let config = ViewerConfig {
        room,
        name,
        location,
        request: ViewRequest { quality: options.quality, max_rate: options.stream.max_rate, ..ViewRequest::default() },
        retries: options.hub.retries,
        trust: options.hub.trust(),
        key: key_file::key(options.stream.key_file.as_deref(), key, options.hub.reads_input())?,
        max_pixels: options.hub.limits.max_pixels(),
        ..ViewerConfig::default()
    };
    let limits = Limits { frames: options.frames, duration: options.duration };
    let look = window::Look {
        overlay: !options.no_overlay,
        fullscreen: options.fullscreen,
        wanted: options.turn.wanted(),
        snapshots: &options.snapshots,
    };
    if options.all || options.stream.name.len() > 1 {
        let streams = Streams::new(config, &options.stream.name, options.all)?;
        let watch = Watch::new(limits, options.json)?;
        return if options.headless {
            headless::run_several(&streams.into_viewers(), &interrupt, watch, options.save.as_deref())
        } else {
            several::run(streams, &interrupt, watch, &look)
        };
    }
    let viewer = Viewer::start(config)?;
    let watch = Watch::new(limits, options.json)?;
    if options.headless {
        headless::run(&viewer, &interrupt, watch, options.save.as_deref())
    } else {
        window::run(&viewer, &interrupt, watch, &look)
    }
}
