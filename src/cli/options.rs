//! Options that the programs share, what was typed; and what it means.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::home::Home;
use crate::hub::HubConfig;
use crate::net::address::{HubAddress, PORT, listen_address};
use crate::room::StreamKey;
use crate::wire::control::check_name;

/// The order of help: examples first, then what the program is, then the options in groups.
pub(super) const HELP: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Exit codes, for the end of every help.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such source, 4 refused, 5 unreachable.\n\
     Every option can also be set in the environment: STREAMFLOW_HOST for --host, and so on.";

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

/// Where the hub is.
#[derive(Args, Debug)]
pub(super) struct HomeOptions {
    /// Join the hub there: HOST, HOST:PORT, or ws://HOST:PORT/ws through a proxy
    #[arg(long, value_name = "HOST[:PORT]", env = "STREAMFLOW_HOST", help_heading = "Hub", conflicts_with = "listen")]
    pub(super) host: Option<String>,
    /// Host a hub in this program, at this address: 0.0.0.0 lets everybody in
    #[arg(long, value_name = "IP[:PORT]", env = "STREAMFLOW_LISTEN", help_heading = "Hub")]
    pub(super) listen: Option<String>,
    /// The port of --host and --listen where they name none, and of the hub on this machine
    #[arg(long, value_name = "PORT", env = "STREAMFLOW_PORT", help_heading = "Hub", default_value_t = PORT)]
    pub(super) port: u16,
    /// How often a connection is tried again [default: for ever]
    #[arg(long, value_name = "N", env = "STREAMFLOW_RETRIES", help_heading = "Hub")]
    pub(super) retries: Option<u32>,
    #[command(flatten)]
    pub(super) limits: HubOptions,
}

impl HomeOptions {
    /// Where the hub is: there, here, or on this machine wherever it is first needed.
    pub(super) fn home(&self) -> Result<Home> {
        if self.port == 0 && self.listen.is_none() {
            return Err(Error::Usage(
                "port 0 takes any free port, so nobody could find it; use it with --listen".into(),
            ));
        }
        if let Some(host) = self.host.as_ref().filter(|host| !host.is_empty()) {
            let mut address: HubAddress = host.parse()?;
            address.port.get_or_insert(self.port);
            self.limits.refuse_without_hub()?;
            return Ok(Home::Join(address));
        }
        let listen = self.listen.as_deref().map(|text| listen_address(text, self.port)).transpose()?;
        let hosted = listen.is_some();
        let config = self.limits.config(listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], self.port))))?;
        Ok(if hosted { Home::Host(config) } else { Home::Auto(config) })
    }
}

/// What a hub in this program may be asked for.
#[derive(Args, Debug)]
pub(super) struct HubOptions {
    /// Also send plain pictures to whoever connects there: an 8-byte length and a JPEG, no greeting
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
        default_value_t = 1024
    )]
    pub(super) max_viewers: usize,
    /// Publishers at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PUBLISHERS",
        help_heading = "Hub in this program",
        default_value_t = 64
    )]
    pub(super) max_publishers: usize,
    /// The longest picture, in KiB
    #[arg(
        long,
        value_name = "KIB",
        env = "STREAMFLOW_MAX_PICTURE",
        help_heading = "Hub in this program",
        default_value_t = 8192
    )]
    pub(super) max_picture: usize,
    /// Connections that have not said yet what they want, at most
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PENDING",
        help_heading = "Hub in this program",
        default_value_t = 64
    )]
    pub(super) max_pending: usize,
    /// Connections from one address at most, this machine's own excepted
    #[arg(
        long,
        value_name = "N",
        env = "STREAMFLOW_MAX_PER_ADDRESS",
        help_heading = "Hub in this program",
        default_value_t = 256
    )]
    pub(super) max_per_address: usize,
    /// Seconds after which a viewer that takes nothing is dropped
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STREAMFLOW_STUCK_AFTER",
        help_heading = "Hub in this program",
        default_value_t = 10
    )]
    pub(super) stuck_after: u64,
    /// Let web pages from there use this hub, as https://example.org; * is all; may be given more than once
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "STREAMFLOW_ALLOW_ORIGIN",
        help_heading = "Hub in this program",
        value_delimiter = ','
    )]
    pub(super) allow_origin: Vec<String>,
}

impl HubOptions {
    pub(super) fn config(&self, listen: SocketAddr) -> Result<HubConfig> {
        let plain = match self.plain.as_deref() {
            None => None,
            Some(text) => {
                let address = listen_address(text, 0)?;
                if address.port() == 0 && !text.ends_with(":0") {
                    return Err(Error::Usage(format!("--plain {text} lacks its port; write {text}:8003")));
                }
                Some(address)
            }
        };
        let plain_stream = self.plain_stream.as_deref().map(stream_key).transpose()?;
        if plain_stream.is_some() && plain.is_none() {
            return Err(Error::Usage("--plain-stream needs --plain".into()));
        }
        Ok(HubConfig {
            listen,
            plain,
            plain_stream,
            max_viewers: self.max_viewers,
            max_publishers: self.max_publishers,
            max_picture: self.max_picture.saturating_mul(1024),
            max_pending: self.max_pending,
            max_per_address: self.max_per_address,
            stuck_after: Duration::from_secs(self.stuck_after.max(1)),
            allow_origin: self.allow_origin.clone(),
            ..HubConfig::default()
        })
    }

    /// These say something about a hub in this program; with `--host` there is none.
    fn refuse_without_hub(&self) -> Result<()> {
        if self.plain.is_some() || self.plain_stream.is_some() {
            return Err(Error::Usage("--plain belongs to the hub: give it to the program that hosts it".into()));
        }
        Ok(())
    }
}

/// `room/name`, or a name in room `main`.
pub(super) fn stream_key(text: &str) -> Result<StreamKey> {
    let (room, name) = text.split_once('/').unwrap_or(("main", text));
    for part in [room, name] {
        check_name(part).map_err(Error::Usage)?;
    }
    Ok(StreamKey::new(room, name))
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
