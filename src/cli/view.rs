//! `streamflow-view`.

mod canvas;
mod find;
mod headless;
mod lines;
mod list;
mod output;
mod pipe;
mod pipe_end;
mod saved;
mod several;
mod sound;
mod turning;
#[cfg(target_os = "linux")]
mod virtual_camera;
mod watch;
mod window;
#[cfg(target_os = "linux")]
mod yuyv;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Command, Parser};

use self::lines::Lines;
use self::pipe::{Pipe, PipeFormat};
use self::several::Streams;
use self::sound::SoundOptions;
use self::turning::TurnOptions;
use self::watch::{Limits, Watch};
use super::hub_location::{HubLocationOptions, Target};
use super::options::{EXIT_CODES, HELP, LogOptions, StreamOptions, parse};
use super::short_help::Line;
use super::{Interrupt, controls, exit, key_file, logging, numbers, settings, sound_devices};
use crate::adapt::Resolution;
use crate::error::Error;
use crate::viewer::remote::set_controls;
use crate::viewer::{Viewer, ViewerConfig};
use crate::wire::camera_controls::{SetControls, SetValue};
use crate::wire::control::ViewRequest;

const EXAMPLES: &str = "\
Examples:
  streamflow-view                               a stream of this machine
  streamflow-view --listen 0.0.0.0              be the hub for other machines
  streamflow-view --join                        a hub elsewhere, by its link
  streamflow-view --host hub --name door        main/door of a hub joined before
  streamflow-view --host wss://gate.example/cam/ws
                                                a hub behind a web proxy
  streamflow-view --name door --name lab        two streams in one window
  streamflow-view --headless --json --for 10    ten seconds of statistics
  streamflow-view --headless --frames 1 --save .
                                                one picture into this folder
  streamflow-view --headless --record-audio talk.wav
                                                its sound into a file
  streamflow-view --pipe | ffmpeg -f mjpeg -i - out.mp4
                                                into another program
  streamflow-view --virtual-camera /dev/video10
                                                a camera for OBS and browsers
  streamflow-view --list --host hub             the streams of a hub
  streamflow-view --find                        the hubs of this network
  streamflow-view --control gain=40             sets the stream's camera
";

/// What `-h` shows.
const SHORT: &[Line] = &[
    ("room", "The room [main]"),
    ("name", "The stream: NAME or ROOM/NAME [the first there is]"),
    ("all", "All streams of the room in one window"),
    ("quality", "auto, or a fixed JPEG quality, 30 to 95"),
    ("max_rate", "Bits a second at most, such as 4M"),
    ("key_file", "The key of a stream that is encrypted end to end"),
    ("headless", "No window: a line of statistics a second"),
    ("json", "The same as JSON"),
    ("frames", "End after so many pictures"),
    ("duration", "End after so many seconds"),
    ("save", "Save every picture into this folder"),
    ("pipe", "Write JPEGs, or raw pixels, to standard output"),
    ("virtual_camera", "Be a camera of this machine (v4l2loopback)"),
    ("audio", "Where sound is played: auto, off, a device"),
    ("mute", "Begin without sound; A switches it on"),
    ("host", "The hub is there"),
    ("join", "The hub of a link; without one it is asked for"),
    ("listen", "Host the hub here; 0.0.0.0 lets others in"),
    ("port", "The hub's port [8002]"),
    ("list", "List the streams of the hub, and end"),
    ("find", "List the hubs of this network, and end"),
];

/// Shows a stream in a window, or prints its statistics without one
#[derive(Parser, Debug)]
#[command(name = "streamflow-view", version, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES)]
struct Options {
    #[command(flatten)]
    stream: StreamOptions,
    /// auto: as good as the link allows; or a fixed JPEG quality, 30 to 95
    #[arg(long, value_name = "auto|30-95", env = "STREAMFLOW_QUALITY", help_heading = "Stream", default_value = "auto",
          value_parser = quality)]
    quality: Quality,

    /// All streams of the room in one window, also those that come later; 16 at most
    #[arg(long, env = "STREAMFLOW_ALL", help_heading = "Stream", value_parser = clap::builder::FalseyValueParser::new(),
          conflicts_with_all = ["name", "headless"])]
    all: bool,

    /// Even motion for a known delay: pictures are shown so many milliseconds later than the quickest of them could be, 1 to 1000, at
    /// the distances at which they were captured [default: each as soon as it is there]
    #[arg(long, value_name = "MS", env = "STREAMFLOW_SMOOTH", help_heading = "Stream", value_parser = numbers::delay)]
    smooth: Option<Duration>,

    /// Begin as large as the screen
    #[arg(long, env = "STREAMFLOW_FULLSCREEN", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    fullscreen: bool,
    #[command(flatten)]
    turn: TurnOptions,
    /// Where S puts snapshots
    #[arg(
        long,
        value_name = "DIR",
        env = "STREAMFLOW_SNAPSHOTS",
        help_heading = "Window",
        default_value = ".",
        conflicts_with = "headless"
    )]
    snapshots: PathBuf,
    /// Begin without the statistics
    #[arg(long, env = "STREAMFLOW_NO_OVERLAY", help_heading = "Window", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "headless")]
    no_overlay: bool,

    /// No window; a line of statistics is printed each second
    #[arg(long, env = "STREAMFLOW_HEADLESS", help_heading = "Without a window", value_parser = clap::builder::FalseyValueParser::new())]
    headless: bool,
    /// Print the statistics as a line of JSON each second, with or without a window
    #[arg(long, env = "STREAMFLOW_JSON", help_heading = "Without a window", value_parser = clap::builder::FalseyValueParser::new())]
    json: bool,
    /// End after so many pictures
    #[arg(long, value_name = "N", env = "STREAMFLOW_FRAMES", help_heading = "Without a window", value_parser = numbers::pictures)]
    frames: Option<u64>,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS", env = "STREAMFLOW_FOR", help_heading = "Without a window", value_parser = seconds)]
    duration: Option<Duration>,
    /// Save every picture, exactly as received, into this folder; not those of a camera that has not found its exposure yet
    #[arg(long, value_name = "DIR", env = "STREAMFLOW_SAVE", help_heading = "Without a window", requires = "headless")]
    save: Option<PathBuf>,
    /// Write the pictures to standard output, for another program, and nothing else: JPEGs as they were received, or their pixels
    /// (raw: rgb24, all of the size of the first, which is said on standard error). Whoever reads slowly gets fewer, and the newest
    #[arg(long, value_name = "mjpeg|raw", env = "STREAMFLOW_PIPE", help_heading = "Without a window", num_args = 0..=1,
          default_missing_value = "mjpeg",
          conflicts_with_all = ["all", "fullscreen", "snapshots", "no_overlay", "headless", "json", "save", "virtual_camera"])]
    pipe: Option<PipeFormat>,
    /// Be a camera of this machine, for programs that know nothing else: a device of v4l2loopback, as /dev/video10 (Linux). It keeps
    /// the size of the first picture; others are fitted into that
    #[arg(long, value_name = "DEVICE", env = "STREAMFLOW_VIRTUAL_CAMERA", help_heading = "Without a window",
          conflicts_with_all = ["all", "fullscreen", "snapshots", "no_overlay", "save"])]
    virtual_camera: Option<PathBuf>,

    #[command(flatten)]
    sound: SoundOptions,

    /// Set a control of the stream's camera, such as brightness=140, and end; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Camera",
          conflicts_with_all = ["smooth", "headless", "json", "frames", "duration", "save", "no_overlay", "list_controls", "pipe", "virtual_camera"])]
    control: Vec<SetValue>,
    /// Print what can be set at the stream's camera, with ranges and values, and end; --json for programs
    #[arg(long, help_heading = "Camera", conflicts_with_all = ["smooth", "headless", "frames", "duration", "save", "no_overlay", "pipe", "virtual_camera"])]
    list_controls: bool,
    /// Print the streams of the hub with their size, rate, viewers and state, and end
    #[arg(long, help_heading = "Finding")]
    list: bool,
    /// Print the hubs that say in the local network where they are, and end
    #[arg(long, help_heading = "Finding", conflicts_with = "list")]
    find: bool,

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

/// What goes with `--list`: where the hub is, which streams, and how it is printed.
const BESIDE_LIST: [&str; 10] =
    ["json", "room", "name", "host", "join", "join_file", "token_file", "pin", "no_tls", "port"];

/// What is particular to this program.
fn adapt(command: Command) -> Command {
    let beside = [&BESIDE_LIST[..], &["state"]].concat();
    let name = "The stream's name, or ROOM/NAME [default: the first there is in the room]; may be given more than once, for \
                several streams in one window";
    let command = command.mut_arg("name", |arg| arg.help(name));
    settings::alone(settings::alone(command, "list", &beside), "find", &["json"])
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = parse::<Options>(SHORT, adapt);
    logging::start(options.log.verbose, options.log.quiet);
    exit(match () {
        () if options.list => list::list(&options),
        () if options.find => find::print(options.json),
        () if options.sound.list_audio => sound_devices::print(false, options.json),
        () => run(&options),
    })
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
        smooth: options.smooth,
        ..ViewerConfig::default()
    };
    if options.list_controls || !options.control.is_empty() {
        let set = SetControls { values: options.control.clone(), ..SetControls::default() };
        let list = set_controls(&config, set, &|| interrupt.came())?;
        if options.list_controls {
            controls::print(&list, options.json)?;
        }
        return Ok(());
    }
    let several = options.all || options.stream.name.len() > 1;
    let config = options.sound.config(
        config,
        !options.headless && options.pipe.is_none() && options.virtual_camera.is_none(),
        several,
    )?;
    let limits = Limits { frames: options.frames, duration: options.duration };
    if options.pipe.is_some() || options.virtual_camera.is_some() {
        return run_for_program(options, config, &interrupt, limits);
    }
    let lines = match (options.json, options.headless && !options.log.quiet) {
        (true, _) => Some(Lines::start(true)?),
        (false, true) => Some(Lines::start(false)?),
        (false, false) => None,
    };
    let look = window::Look {
        overlay: !options.no_overlay,
        fullscreen: options.fullscreen,
        wanted: options.turn.wanted(),
        snapshots: &options.snapshots,
    };
    if several {
        let streams = Streams::new(config, &options.stream.room_and_names()?.1, options.all)?;
        let watch = Watch::new(limits, lines);
        return if options.headless {
            headless::run_several(&streams.into_viewers(), &interrupt, watch, options.save.as_deref())
        } else {
            several::run(streams, &interrupt, watch, &look)
        };
    }
    let viewer = Viewer::start(config)?;
    let watch = Watch::new(limits, lines);
    if options.headless {
        headless::run(&viewer, &interrupt, watch, options.save.as_deref())
    } else {
        window::run(&viewer, &interrupt, watch, &look)
    }
}

/// Gives the pictures to another program.
fn run_for_program(
    options: &Options,
    config: ViewerConfig,
    interrupt: &Interrupt,
    limits: Limits,
) -> anyhow::Result<()> {
    if options.stream.name.len() > 1 {
        return Err(Error::Usage("another program is given one stream: give one --name".into()).into());
    }
    let wanted = options.turn.wanted();
    if let Some(format) = options.pipe {
        let mut pipe = Pipe::new(format, &wanted)?;
        let decode = format == PipeFormat::Raw;
        // As over HTTP: who records JPEGs cannot follow a size that changes with the link.
        let size = if decode { Resolution::Any } else { Resolution::Full };
        let viewer = Viewer::start(ViewerConfig { decode, request: ViewRequest { size, ..config.request }, ..config })?;
        viewer.show_as(wanted);
        return output::run(&viewer, interrupt, Watch::new(limits, None), &mut pipe);
    }
    #[cfg(target_os = "linux")]
    if let Some(device) = &options.virtual_camera {
        let mut camera = virtual_camera::VirtualCamera::open(device, wanted.crop.is_some())?;
        let viewer = Viewer::start(config)?;
        viewer.show_as(wanted);
        let says = options.json || options.headless && !options.log.quiet;
        let lines = if says { Some(Lines::start(options.json)?) } else { None };
        return output::run(&viewer, interrupt, Watch::new(limits, lines), &mut camera);
    }
    Err(Error::Usage(
        "--virtual-camera needs V4L2, and so Linux: elsewhere let OBS take the hub's page or /stream".into(),
    )
    .into())
}
