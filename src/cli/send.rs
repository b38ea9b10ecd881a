//! `streamflow-send`.

mod picture;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::picture::PictureOptions;
use super::hub_location::{HubLocationOptions, Target};
use super::options::{EXIT_CODES, HELP, LogOptions, StreamOptions, parse};
use super::status::Status;
use super::{Interrupt, exit, identity, key_file, logging, machine_name};
use crate::error::Error;
use crate::frame::PixelFormat;
use crate::names::StreamKey;
use crate::publisher::{Publisher, PublisherConfig};
use crate::source::{self, CaptureRequest};

const EXAMPLES: &str = "\
Examples:
  streamflow-send                                     the camera of this machine, hub included
  streamflow-send --host desk.local                   to the machine where streamflow-view --listen runs
  streamflow-send --host hub --name door --source 1   the second camera, as main/door
  streamflow-send --source pattern --size 1280x720    a moving test picture
  streamflow-send --rotate 180 --stamp '%F %T {name}'  a camera that hangs upside down; its time is in the picture
  streamflow-send --source http://10.0.0.7:81/stream  another camera's MJPEG, passed on as it is
  ffmpeg -i film.mp4 -f mjpeg - | streamflow-send --source -
  streamflow-send --list                              the cameras there are
";

/// Takes pictures from a camera and sends them, as young as they can be, to whoever watches.
#[derive(Parser, Debug)]
#[command(name = "streamflow-send", version, about, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES)]
struct Options {
    /// auto, a camera (index, name or device), pattern, a file or folder of JPEGs or PNGs, - for standard input, http://… or https://…
    #[arg(
        short,
        long,
        value_name = "SOURCE",
        env = "STREAMFLOW_SOURCE",
        help_heading = "Source",
        default_value = "auto"
    )]
    source: String,
    /// Pictures a second, 0.1 to 240; files and standard input are played at this rate
    #[arg(long, value_name = "N", env = "STREAMFLOW_FPS", help_heading = "Source", default_value_t = 30.0, value_parser = fps)]
    fps: f64,
    /// The camera's pixel format: auto, yuyv, uyvy, nv12, i420, mjpeg, rgb, bgr, gray
    #[arg(long, value_name = "FORMAT", env = "STREAMFLOW_FORMAT", help_heading = "Source", default_value = "auto", value_parser = format)]
    format: Format,
    /// Play a file, a folder or standard input once: from its beginning when the first viewer is there, and then end
    #[arg(long, env = "STREAMFLOW_ONCE", help_heading = "Source", value_parser = clap::builder::FalseyValueParser::new())]
    once: bool,
    /// Seconds for which the pictures of a camera that was just opened may be too dark: a snapshot that wakes it waits so long
    /// [default: 0.8 for cameras of this machine, 0 for other sources]
    #[arg(long, value_name = "SECONDS", env = "STREAMFLOW_WARM_UP", help_heading = "Source", value_parser = warm_up)]
    warm_up: Option<Duration>,
    /// End when the source fails, for supervisors, instead of trying again every second
    #[arg(long, env = "STREAMFLOW_EXIT_ON_SOURCE_ERROR", help_heading = "Source", value_parser = clap::builder::FalseyValueParser::new())]
    exit_on_source_error: bool,
    /// Print the cameras with their formats, sizes and rates, and end
    #[arg(long, help_heading = "Source")]
    list: bool,
    /// --list for programs
    #[arg(long, help_heading = "Source", requires = "list")]
    json: bool,

    /// JPEG quality, 1 to 100
    #[arg(long, value_name = "1-100", env = "STREAMFLOW_QUALITY", help_heading = "Picture", default_value_t = 80,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    #[command(flatten)]
    picture: PictureOptions,

    /// The least quality to which a slow link takes the pictures, before they get smaller
    #[arg(long, value_name = "1-100", env = "STREAMFLOW_MIN_QUALITY", help_heading = "Picture", default_value_t = 25,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    min_quality: u8,
    /// Do not send a picture again that has not changed, but at least one a second: for grabbed screens and slides
    #[arg(long, env = "STREAMFLOW_SKIP_SAME", help_heading = "Picture", value_parser = clap::builder::FalseyValueParser::new())]
    skip_same: bool,
    /// Make pictures smaller when a link is slow: on, or off for fewer pictures instead
    #[arg(long, value_name = "on|off", env = "STREAMFLOW_ADAPT", help_heading = "Picture", default_value = "on",
          action = clap::ArgAction::Set, value_parser = on_off)]
    adapt: bool,

    #[command(flatten)]
    stream: StreamOptions,
    /// Take the name over from a publisher that has it
    #[arg(long, env = "STREAMFLOW_REPLACE", help_heading = "Stream", value_parser = clap::builder::FalseyValueParser::new())]
    replace: bool,

    #[command(flatten)]
    hub: HubLocationOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// `None` is `auto`.
type Format = Option<PixelFormat>;

fn format(text: &str) -> Result<Format, String> {
    Ok(Some(match text.to_ascii_lowercase().as_str() {
        "auto" => return Ok(None),
        "yuyv" | "yuy2" => PixelFormat::Yuyv,
        "uyvy" => PixelFormat::Uyvy,
        "nv12" => PixelFormat::Nv12,
        "i420" | "yu12" => PixelFormat::I420,
        "mjpeg" | "mjpg" | "jpeg" => PixelFormat::Jpeg,
        "rgb" => PixelFormat::Rgb,
        "bgr" => PixelFormat::Bgr,
        "gray" | "grey" => PixelFormat::Gray,
        _ => return Err("write auto, yuyv, uyvy, nv12, i420, mjpeg, rgb, bgr or gray".into()),
    }))
}

fn fps(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n| (0.1..=240.0).contains(n)).ok_or_else(|| "write a number from 0.1 to 240".into())
}

fn warm_up(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s: &f64| (0.0..=10.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "write seconds from 0 to 10, such as 0.8".into())
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".into()),
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = parse::<Options>();
    logging::start(options.log.verbose, options.log.quiet);
    exit(if options.list { list(options.json) } else { run(&options) })
}

fn list(json: bool) -> anyhow::Result<()> {
    let cameras = source::camera::list();
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&cameras)?)?;
        return Ok(());
    }
    if cameras.is_empty() {
        writeln!(out, "no camera found; --source pattern shows a test picture")?;
    }
    for camera in cameras {
        writeln!(out, "{}  {}  {}", camera.index, camera.name, camera.path)?;
        if let Some(problem) = &camera.problem {
            writeln!(out, "   {problem}")?;
        }
        for format in &camera.formats {
            let rates: Vec<String> =
                format.fps.iter().map(|fps| format!("{}", (fps * 100.0).round() / 100.0)).collect();
            writeln!(out, "   {:5} {:>9}  {} fps", format.format, format.size.to_string(), rates.join(", "))?;
        }
    }
    Ok(())
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    if options.source == "-" && options.hub.reads_input() {
        return Err(
            Error::Usage("standard input has the pictures, so the link or the token must be in a file".into()).into()
        );
    }
    let Target { location, room, name, key } = options.hub.target(&options.stream)?;
    let name = name.unwrap_or_else(machine_name);
    let config = PublisherConfig {
        stream: StreamKey::parse(&room, &name).map_err(Error::Usage)?,
        location,
        capture: CaptureRequest { fps: options.fps, format: options.format, ..CaptureRequest::default() },
        shape: options.picture.shape()?,
        quality: options.quality,
        min_quality: options.min_quality.min(options.quality),
        max_rate: options.stream.max_rate,
        adapt: options.adapt,
        skip_same: options.skip_same,
        id: identity::publisher(options.hub.limits.state.as_deref()),
        replace: options.replace,
        key: key_file::key(
            options.stream.key_file.as_deref(),
            key,
            options.source == "-" || options.hub.reads_input(),
        )?,
        retries: options.hub.retries,
        trust: options.hub.trust(),
        max_pixels: options.hub.limits.max_pixels(),
        exit_on_source_error: options.exit_on_source_error,
        warm_up: options.warm_up,
        ..PublisherConfig::default()
    };
    let source = source::from_spec(&options.source, &source::SourceOptions { once: options.once })?;
    let publisher = Publisher::start(config, source)?;
    let mut status = Status::new(options.log.quiet);
    let ended = loop {
        if interrupt.came() {
            break Ok(());
        }
        if let Some(ended) = publisher.wait(Duration::from_millis(100)) {
            break ended;
        }
        status.show(|| publisher.report());
    };
    drop(status);
    drop(publisher);
    Ok(ended?)
}
