//! `streamflow-send`.

mod camera;
mod cameras;
mod config_file;
mod list;
mod picture;
mod print_config;
mod sound;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser};

use self::config_file::ConfigFile;
use self::picture::PictureOptions;
use self::sound::SoundOptions;
use super::hub_location::HubLocationOptions;
use super::options::{EXIT_CODES, HELP, LogOptions, StreamOptions, parse};
use super::short_help::Line;
use super::{Interrupt, controls, exit, logging, settings, sound_devices};
use crate::error::Error;
use crate::frame::PixelFormat;
use crate::source;
use crate::wire::camera_controls::SetValue;

const EXAMPLES: &str = "\
Examples:
  streamflow-send                               the camera of this machine
  streamflow-send --join                        to a hub elsewhere, by its link
  streamflow-send --name door --source 1        the second camera, as main/door
  streamflow-send --source pattern              a moving test picture
  streamflow-send --rotate 180 --stamp '%F %T'  turned, with the time in it
  streamflow-send --source http://10.0.0.7:81/stream
                                                another camera's MJPEG
  ffmpeg -i film.mp4 -f mjpeg - | streamflow-send --source -
  streamflow-send --audio auto                  with the microphone
  streamflow-send --config cameras.toml         the cameras of a file
  streamflow-send --list                        the cameras there are
  streamflow-send --list-controls               what --control can set
";

/// What `-h` shows.
const SHORT: &[Line] = &[
    ("source", "auto, a camera, pattern, a file, a folder, - or a URL"),
    ("size", "Width and height [640x480]"),
    ("fps", "Pictures a second [30]"),
    ("once", "Play a file, a folder or - once, and end"),
    ("list", "List the cameras, and end"),
    ("quality", "JPEG quality, 1 to 100 [80]"),
    ("audio", "Sound: auto, a microphone, a WAV file [off]"),
    ("room", "The room [main]"),
    ("name", "The stream: NAME or ROOM/NAME [this machine's name]"),
    ("max_rate", "Bits a second at most, such as 4M"),
    ("key_file", "Encrypt end to end with the key in this file"),
    ("host", "The hub is there"),
    ("join", "The hub of a link; without one it is asked for"),
    ("listen", "Host the hub here; 0.0.0.0 lets others in"),
    ("port", "The hub's port [8002]"),
    ("config", "Run the cameras that this file names"),
    ("print_config", "Print what is in force as such a file, and end"),
];

/// Sends the pictures of a camera to a hub, or is the hub itself
#[derive(Parser, Debug)]
#[command(name = "streamflow-send", version, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES)]
#[command(group(clap::ArgGroup::new("lists").args(["list", "list_controls", "list_audio"]).multiple(true)))]
struct Options {
    /// auto (the first camera, or the test pattern until one comes), a camera (index, name or device), pattern, a file or folder of JPEGs or PNGs,
    /// - for standard input, http://… or https://…, tcp://HOST:PORT of a program that listens and sends JPEGs
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
    /// The camera's pixel format: auto, yuyv, uyvy, nv12, i420, mjpeg, rgb, bgr, bgrx, gray
    #[arg(long, value_name = "FORMAT", env = "STREAMFLOW_FORMAT", help_heading = "Source", default_value = "auto", value_parser = format)]
    format: Format,
    /// Play a file, a folder or standard input once: from its beginning when the first viewer is there, and then end
    #[arg(long, env = "STREAMFLOW_ONCE", help_heading = "Source", value_parser = clap::builder::FalseyValueParser::new())]
    once: bool,
    /// Seconds for which the pictures of a camera that was just opened may be too dark: a snapshot that wakes it waits so long
    /// [default: 0.8 for cameras of this machine, 0 for other sources]
    #[arg(long, value_name = "SECONDS", env = "STREAMFLOW_WARM_UP", help_heading = "Source", value_parser = warm_up)]
    warm_up: Option<Duration>,
    /// End when the source fails, for supervisors, instead of trying again
    #[arg(long, env = "STREAMFLOW_EXIT_ON_SOURCE_ERROR", help_heading = "Source", value_parser = clap::builder::FalseyValueParser::new())]
    exit_on_source_error: bool,
    /// Print the cameras with their paths, formats, sizes and rates, and why one cannot be used, and end
    #[arg(long, help_heading = "Source")]
    list: bool,
    /// With --list: go on, and print each camera that comes or goes
    #[arg(long, help_heading = "Source", requires = "list")]
    follow: bool,
    /// Set a control of the camera whenever it is opened, such as exposure_time_absolute=200; may be given more than once.
    /// A menu takes the number or the name of an entry
    #[arg(long, value_name = "NAME=VALUE", env = "STREAMFLOW_CONTROL", help_heading = "Source", value_delimiter = ',')]
    control: Vec<SetValue>,
    /// Print what can be set at the source, with ranges and values, and end
    #[arg(long, help_heading = "Source", conflicts_with_all = ["list", "control"])]
    list_controls: bool,
    /// --list and --list-controls for programs
    #[arg(long, help_heading = "Source", requires = "lists")]
    json: bool,

    /// JPEG quality, 1 to 100 [default: 80]. What comes as JPEG is passed on as it is, where it can be, and encoded anew where
    /// this option is given
    #[arg(long, value_name = "1-100", env = "STREAMFLOW_QUALITY", help_heading = "Picture",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: Option<u8>,
    #[command(flatten)]
    picture: PictureOptions,

    /// On a slow link the quality is lowered to this, and then the size [default: 25]
    #[arg(long, value_name = "1-100", env = "STREAMFLOW_MIN_QUALITY", help_heading = "Picture",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    min_quality: Option<u8>,
    /// Do not send a picture again that has not changed, but at least one a second: for grabbed screens and slides
    #[arg(long, env = "STREAMFLOW_SKIP_SAME", help_heading = "Picture", value_parser = clap::builder::FalseyValueParser::new())]
    skip_same: bool,
    /// Make pictures smaller when a link is slow: on, or off for fewer pictures instead
    #[arg(long, value_name = "on|off", env = "STREAMFLOW_ADAPT", help_heading = "Picture", default_value = "on",
          action = clap::ArgAction::Set, value_parser = on_off)]
    adapt: bool,

    /// Run all cameras of a file, and the hub that it describes (docs/configuration.md). What is typed or set in the environment
    /// counts before the file
    #[arg(long, value_name = "FILE", env = "STREAMFLOW_CONFIG", help_heading = "Cameras of a file",
          conflicts_with_all = ["source", "name"])]
    config: Option<PathBuf>,
    /// Print what is in force as such a file, without secrets, and end
    #[arg(long, help_heading = "Cameras of a file")]
    print_config: bool,

    #[command(flatten)]
    sound: SoundOptions,

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
        "bgrx" => PixelFormat::Bgrx,
        "gray" | "grey" => PixelFormat::Gray,
        _ => return Err("write auto, yuyv, uyvy, nv12, i420, mjpeg, rgb, bgr, bgrx or gray".into()),
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

/// What goes with `--list`: whether it goes on, and whether it is for programs.
const BESIDE_LIST: [&str; 2] = ["json", "follow"];

/// What is particular to this program.
fn adapt(command: Command) -> Command {
    let command =
        command.mut_arg("name", |arg| arg.help("The stream's name, or ROOM/NAME [default: this machine's name]"));
    settings::alone(command, "list", &BESIDE_LIST)
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // Before there is another thread.
    #[cfg(unix)]
    crate::system::mute_signal::hold();
    let options = parse::<Options>(SHORT, adapt);
    logging::start(options.log.verbose, options.log.quiet);
    exit(match () {
        () if options.list => list::run(options.json, options.follow),
        () if options.list_controls => list_controls(&options),
        () if options.sound.list_audio => sound_devices::print(true, options.json),
        () => run(options),
    })
}

fn run(options: Options) -> anyhow::Result<()> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let command = settings::command(adapt(Options::command()), &line);
    let file = options.config.as_deref().map(|path| ConfigFile::read(path, adapt(Options::command()))).transpose()?;
    let file = file.unwrap_or_default();
    let mut all = Vec::new();
    for section in file.cameras() {
        let matches = file.matches(&command, section, &line)?;
        all.push((Options::from_arg_matches(&matches)?, matches));
    }
    if options.print_config {
        let shown = all.iter().map(|(options, matches)| print_config::Shown {
            stream: camera::stream_of(options),
            matches,
            command: &command,
        });
        return Ok(write!(std::io::stdout(), "{}", print_config::text(shown))?);
    }
    let named = file.path().map(|path| path.display().to_string());
    cameras::run(all.into_iter().map(|(options, ..)| options).collect(), named.as_deref())
}

fn list_controls(options: &Options) -> anyhow::Result<()> {
    let _interrupt = Interrupt::install()?;
    let source = source::from_spec(&options.source, &source::SourceOptions::default())?;
    let none = || Error::NoSource(format!("{}: this source has no controls", options.source));
    let mut panel = source.controls().ok_or_else(none)?;
    let list = source::controls::read(panel.as_mut()).map_err(|problem| Error::Failed(problem.reason))?;
    if list.is_empty() {
        return Err(none().into());
    }
    Ok(controls::print(&list, options.json)?)
}
