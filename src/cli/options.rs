//! Options that the programs share, what was typed; and what it means.

#![allow(rustdoc::bare_urls, reason = "what documents an option is its help, which is no Markdown")]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, Parser};

use super::short_help::{self, Line};
use super::{completions, numbers, settings};
use crate::error::{Error, Result};
use crate::hub::{AccessControl, Encryption, HubConfig};
use crate::names::StreamKey;
use crate::net::address::{PORT, listen_address};

/// The order of help: examples first, then what the program is, then the options in groups.
pub(super) const HELP: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Exit codes, for the end of every help.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such source, 4 refused, 5 unreachable.\n\
     Options with [env: …] can also be set in the environment. A variable with the program's name in it, as \
     STREAMFLOW_SEND_PORT, is for streamflow-send alone, and counts before STREAMFLOW_PORT.";

/// Reads the command line, or ends the program with what is wrong with it. What was typed wins over what is set in the
/// environment, also where the two exclude each other. `short`: what `-h` shows. `adapt`: what is particular to the program.
pub(super) fn parse<T: Parser>(short: &[Line], adapt: impl FnOnce(Command) -> Command) -> T {
    let line: Vec<OsString> = std::env::args_os().collect();
    let mut command = settings::command(completions::options(adapt(T::command())), &line);
    let mut asked = short_help::lay_out(command.clone(), short, &line);
    let mut matches = asked
        .try_get_matches_from_mut(&line)
        .unwrap_or_else(|error| settings::explained(error, &command, &line).exit());
    match completions::written(&command, &matches) {
        Ok(false) => {}
        written => finish(written.map(drop)),
    }
    T::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Ends a program that has done all that its options ask for.
fn finish(result: anyhow::Result<()>) -> ! {
    let failed = result.is_err();
    let _ = super::exit(result);
    std::process::exit(i32::from(failed))
}

/// How much is logged.
#[derive(Args, Debug)]
pub(super) struct LogOptions {
    /// More log lines; twice for all of them
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(super) verbose: u8,
    /// Only warnings and errors
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
}

/// Which stream.
#[derive(Args, Debug)]
pub(super) struct StreamOptions {
    /// The room [default: main]
    #[arg(long, env = "STREAMFLOW_ROOM", help_heading = "Stream")]
    pub(super) room: Option<String>,
    /// The stream's name, or ROOM/NAME
    #[arg(long, env = "STREAMFLOW_NAME", help_heading = "Stream")]
    pub(super) name: Vec<String>,
    /// Bits a second at most, such as 4M or 800k [default: what the link carries]
    #[arg(long, value_name = "RATE", env = "STREAMFLOW_MAX_RATE", help_heading = "Stream", value_parser = rate)]
    pub(super) max_rate: Option<u64>,
    /// Encrypt end to end, so that no hub sees the pictures: a file with the key, - for standard input. It holds a passphrase of
    /// 12 characters or more, or 22 characters that stand for 16 random bytes; or set STREAMFLOW_KEY to the same
    #[arg(long, value_name = "FILE", env = "STREAMFLOW_KEY_FILE", help_heading = "Stream")]
    pub(super) key_file: Option<PathBuf>,
}

impl StreamOptions {
    /// The room and the name, where they are named: `--name door`, or `--name main/door`.
    pub(super) fn room_and_name(&self) -> Result<(Option<String>, Option<String>)> {
        self.room_and_names().map(|(room, names)| (room, names.into_iter().next()))
    }

    /// The same of several names, which must be in one room.
    ///
    /// # Errors
    /// They name different rooms.
    pub(super) fn room_and_names(&self) -> Result<(Option<String>, Vec<String>)> {
        let mut room = self.room.clone();
        let mut names = Vec::new();
        for name in &self.name {
            let Some((of, name)) = name.split_once('/') else {
                names.push(name.clone());
                continue;
            };
            if let Some(other) = room.as_ref().filter(|other| *other != of) {
                let other =
                    if self.room.is_some() { format!("--room says {other}") } else { format!("another is in {other}") };
                return Err(Error::Usage(format!("--name is in the room {of}, and {other}: leave one away")));
            }
            room = Some(of.into());
            names.push(name.into());
        }
        Ok((room, names))
    }
}

/// Where a hub in this program listens.
#[derive(Args, Debug)]
pub(super) struct ListenOptions {
    /// Host the hub in this program, at this address: 127.0.0.1 for this machine alone, 0.0.0.0 for other machines as well
    #[arg(long, value_name = "IP[:PORT]", env = "STREAMFLOW_LISTEN", help_heading = "Hub")]
    pub(super) listen: Option<String>,
    /// The hub's port, where its address names none
    #[arg(long, value_name = "PORT", env = "STREAMFLOW_PORT", help_heading = "Hub", default_value_t = PORT)]
    pub(super) port: u16,
}

impl ListenOptions {
    /// Whether one of them is given.
    #[cfg(feature = "hub")]
    pub(super) fn is_named(&self) -> bool {
        self.listen.is_some() || self.port != PORT
    }

    /// The address; this machine's own, which nobody else can reach, where none is named.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        listen_address(self.listen.as_deref().unwrap_or("127.0.0.1"), self.port)
    }
}

/// What a hub in this program may be asked for.
#[derive(Args, Debug)]
pub(super) struct HubOptions {
    /// The folder for the hub's own key and secrets, and for the keys and tokens of other hubs
    /// [default: ~/.local/state/streamflow]
    #[arg(long, value_name = "DIR", env = "STREAMFLOW_STATE", help_heading = "Hub in this program")]
    pub(super) state: Option<PathBuf>,
    /// Encrypt with this certificate (PEM) instead of one that the hub makes; it is read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "STREAMFLOW_TLS_CERT",
        help_heading = "Hub in this program",
        requires = "tls_key"
    )]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of --tls-cert (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "STREAMFLOW_TLS_KEY",
        help_heading = "Hub in this program",
        requires = "tls_cert"
    )]
    pub(super) tls_key: Option<PathBuf>,
    /// Who may do what, by this file (docs/security.md); it is read again when it changes [default: beyond this machine, whoever
    /// has a link or a secret that the hub has made]
    #[arg(
        long,
        value_name = "FILE",
        env = "STREAMFLOW_ACCESS",
        help_heading = "Hub in this program",
        conflicts_with = "open"
    )]
    pub(super) access: Option<PathBuf>,
    /// Let everybody who reaches this hub watch and publish, encrypted or not
    #[arg(long, env = "STREAMFLOW_OPEN", help_heading = "Hub in this program")]
    pub(super) open: bool,
    /// Do not say in the local network where this hub is, as it does where it can be reached from outside (mDNS; for --find)
    #[arg(long, env = "STREAMFLOW_NO_ANNOUNCE", help_heading = "Hub in this program")]
    pub(super) no_announce: bool,
    /// Believe what this proxy says of who asks through it (X-Forwarded-For); may be given more than once
    #[arg(
        long,
        value_name = "IP[/BITS]",
        env = "STREAMFLOW_BEHIND_PROXY",
        help_heading = "Hub in this program",
        value_delimiter = ','
    )]
    pub(super) behind_proxy: Vec<String>,
    /// Also send plain pictures to whoever connects there: an 8-byte length and a JPEG each, no greeting. Nothing can be asked for
    /// there, so other machines get pictures only with --open, or by a rule of the access file
    #[arg(long, value_name = "IP:PORT", env = "STREAMFLOW_PLAIN", help_heading = "Hub in this program")]
    pub(super) plain: Option<String>,
    /// The stream of --plain [default: the first there is]
    #[arg(long, value_name = "ROOM/NAME", env = "STREAMFLOW_PLAIN_STREAM", help_heading = "Hub in this program")]
    pub(super) plain_stream: Option<String>,
    /// Viewers at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_VIEWERS",
        help_heading = "Hub in this program",
        default_value_t = 1024,
        value_parser = numbers::count
    )]
    pub(super) max_viewers: usize,
    /// Publishers at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PUBLISHERS",
        help_heading = "Hub in this program",
        default_value_t = 64,
        value_parser = numbers::count
    )]
    pub(super) max_publishers: usize,
    /// Streams that one address, this machine's own excepted, may publish picture by picture (POST), at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_POSTED",
        help_heading = "Hub in this program",
        default_value_t = 32,
        value_parser = numbers::count_or_none
    )]
    pub(super) max_posted: usize,
    /// The longest picture, in KiB
    #[arg(
        long,
        value_name = "KIB",
        env = "STREAMFLOW_MAX_PICTURE",
        help_heading = "Hub in this program",
        default_value_t = 8192,
        value_parser = numbers::kib
    )]
    pub(super) max_picture: usize,
    /// The most pixels of a picture, in Mpx of 1024 x 1024: larger ones are neither passed on nor decoded
    #[arg(
        long,
        value_name = "MPX",
        env = "STREAMFLOW_MAX_PIXELS",
        help_heading = "Hub in this program",
        default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(super) max_pixels: u16,
    /// Connections that have not said yet what they want, at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PENDING",
        help_heading = "Hub in this program",
        default_value_t = 1024,
        value_parser = numbers::count
    )]
    pub(super) max_pending: usize,
    /// Connections from one address at most, this machine's own excepted
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PER_ADDRESS",
        help_heading = "Hub in this program",
        default_value_t = 256,
        value_parser = numbers::count
    )]
    pub(super) max_per_address: usize,
    /// MiB at most for messages that are not whole yet, of all connections together
    #[arg(
        long,
        value_name = "MIB",
        env = "STREAMFLOW_MAX_MEMORY",
        help_heading = "Hub in this program",
        default_value_t = 256,
        value_parser = numbers::mib
    )]
    pub(super) max_memory: usize,
    /// Seconds after which a viewer that takes nothing is dropped
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STREAMFLOW_STUCK_AFTER",
        help_heading = "Hub in this program",
        default_value_t = 10,
        value_parser = numbers::whole_seconds
    )]
    pub(super) stuck_after: u64,
    /// How many seconds old a picture may be that a snapshot of a lost stream is given [default: none is given, but the reason]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STREAMFLOW_STALE_AFTER",
        help_heading = "Hub in this program",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(super) stale_after: Option<u32>,
    /// Let web pages from there use this hub, as https://example.org; * is all; may be given more than once
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "STREAMFLOW_ALLOW_ORIGIN",
        help_heading = "Hub in this program",
        value_delimiter = ','
    )]
    pub(super) allow_origin: Vec<String>,
    /// A URL under which this hub is reached, as https://cams.example.org; may be given more than once. Without it, the
    /// hub answers by IP address, by names of one word, of this machine and of the own network (.local, .internal)
    #[arg(
        long,
        value_name = "URL",
        env = "STREAMFLOW_PUBLIC_URL",
        help_heading = "Hub in this program",
        value_delimiter = ','
    )]
    pub(super) public_url: Vec<String>,
}

impl HubOptions {
    /// Pixels of a picture at most.
    pub(super) fn max_pixels(&self) -> usize {
        usize::from(self.max_pixels) << 20
    }

    pub(super) fn config(&self, listen: SocketAddr) -> Result<HubConfig> {
        let plain = match self.plain.as_deref() {
            None => None,
            Some(text) => {
                let wrong =
                    |why: &str| Error::Usage(format!("--plain {text}: {why}; write IP:PORT, as 127.0.0.1:8003"));
                let address = listen_address(text, 0).map_err(|_| wrong("this is no address"))?;
                if address.port() == 0 && !text.ends_with(":0") {
                    return Err(wrong("the port is missing"));
                }
                if address.port() == listen.port() && address.port() != 0 {
                    return Err(wrong("this is the hub's own port, and plain pictures need another"));
                }
                Some(address)
            }
        };
        let plain_stream = self.plain_stream.as_deref().map(stream_key).transpose()?;
        if plain_stream.is_some() && plain.is_none() {
            return Err(Error::Usage("--plain-stream needs --plain".into()));
        }
        let encryption = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Encryption::Files { certificate: certificate.clone(), key: key.clone() },
            _ => Encryption::default(),
        };
        let access = match &self.access {
            Some(file) => AccessControl::File(file.clone()),
            None if self.open => AccessControl::Open,
            None => AccessControl::BeyondLoopback,
        };
        Ok(HubConfig {
            listen,
            announce: !self.no_announce,
            encryption,
            access,
            behind_proxy: self.behind_proxy.clone(),
            state: self.state.clone(),
            plain,
            plain_stream,
            max_viewers: self.max_viewers,
            max_publishers: self.max_publishers,
            max_posted: self.max_posted,
            max_picture: self.max_picture.saturating_mul(1024),
            max_pixels: self.max_pixels(),
            max_pending: self.max_pending,
            max_per_address: self.max_per_address,
            max_memory: self.max_memory.saturating_mul(1 << 20),
            stuck_after: Duration::from_secs(self.stuck_after),
            stale_after: Duration::from_secs(self.stale_after.unwrap_or(0).into()),
            allow_origin: self.allow_origin.clone(),
            public_url: self.public_url.clone(),
            ..HubConfig::default()
        })
    }
}

/// `room/name`, or a name in room `main`.
pub(super) fn stream_key(text: &str) -> Result<StreamKey> {
    let (room, name) = text.split_once('/').unwrap_or(("main", text));
    StreamKey::parse(room, name).map_err(Error::Usage)
}

/// Bits a second: `800k`, `2M`, `1.5M`, `64000`.
pub(super) fn rate(text: &str) -> std::result::Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    let bits = number.parse::<f64>().map(|n| n * unit).ok().filter(|n| (8e3..1e12).contains(n));
    bits.map(|n| n as u64).ok_or_else(|| "write bits a second, 8k or more, such as 800k or 2M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        assert_eq!(rate("2M"), Ok(2_000_000));
        assert_eq!(rate("1.5m"), Ok(1_500_000));
        assert_eq!(rate("800k"), Ok(800_000));
        assert!(rate("").is_err() && rate("M").is_err() && rate("-1M").is_err() && rate("7").is_err());
    }
}
