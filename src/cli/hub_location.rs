//! Where the hub is, and what lets this program in there: what was typed, and what it means.

#![allow(rustdoc::bare_urls, reason = "what documents an option is its help, which is no Markdown")]

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::options::{HubOptions, ListenOptions, StreamOptions};
use super::{secrets, settings};
use crate::error::{Error, Result};
use crate::locate::HubLocation;
use crate::net::address::{HubAddress, Tls};
use crate::net::join_link::JoinLink;
use crate::net::service_manager;
use crate::net::tls::trust::HubTrust;
use crate::secret::Secret;

/// In the place of a link or a file: what is asked for at the terminal, or comes on standard input.
const INPUT: &str = "-";

/// Where the hub is.
#[derive(Args, Debug)]
pub(super) struct HubLocationOptions {
    /// Join the hub there: HOST, HOST:PORT, or wss://HOST:PORT/ws through a proxy; encrypted unless it is this machine
    #[arg(long, value_name = "HOST[:PORT]", env = "STREAMFLOW_HOST", help_heading = "Hub",
          conflicts_with_all = ["listen", "plain", "plain_stream", "tls_cert", "tls_key"])]
    host: Option<String>,
    /// Join the hub, the room and the stream of a link, as a hub prints them: sf://HOST:PORT/ROOM/NAME#pin=KEY&token=TOKEN.
    /// Without a LINK it is asked for, or read from standard input: others on this machine see the command line
    #[arg(long, value_name = "LINK", env = "STREAMFLOW_JOIN", help_heading = "Hub",
          num_args = 0..=1, default_missing_value = INPUT, hide_env_values = true,
          conflicts_with_all = ["host", "listen", "plain", "plain_stream", "tls_cert", "tls_key", "pin", "no_tls"])]
    join: Option<String>,
    /// The same, with the link in the first line of a file
    #[arg(long, value_name = "FILE", env = "STREAMFLOW_JOIN_FILE", help_heading = "Hub",
          conflicts_with_all = ["join", "host", "listen", "plain", "plain_stream", "tls_cert", "tls_key", "pin", "no_tls"])]
    join_file: Option<PathBuf>,
    /// What lets this program in at --host: the secret or the token in the first line of a file, or of standard input (-).
    /// STREAMFLOW_TOKEN in the environment is the secret itself
    #[arg(long, value_name = "FILE", env = "STREAMFLOW_TOKEN_FILE", help_heading = "Hub",
          conflicts_with_all = ["listen", "plain", "plain_stream", "tls_cert", "tls_key"])]
    token_file: Option<PathBuf>,
    /// The key that the hub of --host must have, as it says it when it starts: SHA256:...
    #[arg(
        long,
        value_name = "KEY",
        env = "STREAMFLOW_PIN",
        help_heading = "Hub",
        requires = "host",
        conflicts_with_all = ["no_tls", "listen", "plain", "plain_stream", "tls_cert", "tls_key"]
    )]
    pin: Option<String>,
    /// Connect in the clear to a hub elsewhere: everybody on the way can watch and change what is seen
    #[arg(long, env = "STREAMFLOW_NO_TLS", help_heading = "Hub",
          conflicts_with_all = ["listen", "plain", "plain_stream", "tls_cert", "tls_key"])]
    no_tls: bool,
    #[command(flatten)]
    listen: ListenOptions,
    /// How often a connection is tried again [default: for ever]
    #[arg(long, value_name = "N", env = "STREAMFLOW_RETRIES", help_heading = "Hub")]
    pub(super) retries: Option<u32>,
    #[command(flatten)]
    pub(super) limits: HubOptions,
}

/// What the options come to.
#[derive(Debug)]
pub(super) struct Target {
    /// There, here, or on this machine wherever it is first needed.
    pub(super) location: HubLocation,
    pub(super) room: String,
    pub(super) name: Option<String>,
    /// What the pictures are sealed with end to end, where a link says it.
    pub(super) key: Option<Secret>,
}

impl HubLocationOptions {
    /// Whether one of them takes a line of standard input.
    pub(super) fn reads_input(&self) -> bool {
        let is_input = |file: &Option<PathBuf>| file.as_deref() == Some(Path::new(INPUT));
        self.join.as_deref() == Some(INPUT) || is_input(&self.join_file) || is_input(&self.token_file)
    }

    /// Which hubs are trusted.
    pub(super) fn trust(&self) -> HubTrust {
        super::confirm::trust(self.limits.state.clone())
    }

    /// Reads what the options name, and puts it together: the room and the name are those of the link, where it has them, or else
    /// those of the options.
    pub(super) fn target(&self, stream: &StreamOptions) -> Result<Target> {
        let variable = settings::variable("STREAMFLOW_TOKEN").and_then(|(_, token)| token.into_string().ok());
        self.target_with(stream, variable)
    }

    /// `variable`: the token of the environment.
    fn target_with(&self, stream: &StreamOptions, variable: Option<String>) -> Result<Target> {
        let mut link = self.link()?;
        let both = |what: &str, linked: &Option<String>, typed: &Option<String>| match (linked, typed) {
            (Some(linked), Some(typed)) if linked != typed => Err(Error::Usage(format!(
                "the link is of the {what} {linked}, and --{} says {typed}: leave one away",
                if what == "room" { "room" } else { "name" }
            ))),
            _ => Ok(linked.clone().or_else(|| typed.clone())),
        };
        let key = link.as_mut().and_then(|link| link.key.take());
        let (room, name) = link.as_mut().map_or((None, None), |link| (link.room.take(), link.name.take()));
        let (typed_room, typed_name) = stream.room_and_name()?;
        let name = both("stream", &name, &typed_name)?;
        let room = both("room", &room, &typed_room)?.unwrap_or_else(|| "main".into());
        let location = self.location(link, variable)?;
        Ok(Target { location, room, name, key })
    }

    fn link(&self) -> Result<Option<JoinLink>> {
        let text = match (&self.join, &self.join_file) {
            (Some(link), _) if link == INPUT => secrets::from_input("Paste the link: ", "the link")?,
            (Some(link), _) => link.clone(),
            (None, Some(file)) if file == Path::new(INPUT) => secrets::from_input("Paste the link: ", "the link")?,
            (None, Some(file)) => secrets::from_file(file, "--join-file")?,
            (None, None) => match self.of_service_manager() {
                Some(file) => secrets::from_file(&file, "the credential 'link'")?,
                None => return Ok(None),
            },
        };
        text.parse().map(Some)
    }

    /// The link that a service is given beside its options, where those name no hub: a file of its own user alone, however its link
    /// is kept elsewhere.
    fn of_service_manager(&self) -> Option<PathBuf> {
        let named = self.host.is_some() || self.listen.listen.is_some();
        (!named).then(|| service_manager::credential("link")).flatten()
    }

    /// What lets this program in, where an option or the environment says it.
    fn token(&self, variable: Option<String>) -> Result<Option<Secret>> {
        let (text, place) = match &self.token_file {
            Some(file) if file == Path::new(INPUT) => {
                (secrets::from_input("Paste the token: ", "the token")?, "--token-file -")
            }
            Some(file) => (secrets::from_file(file, "--token-file")?, "--token-file"),
            None => match variable {
                Some(text) => (text, "STREAMFLOW_TOKEN"),
                None => return Ok(None),
            },
        };
        let wrong = |why: &str| Error::Usage(format!("{place}: this is no token: {why}"));
        if text.contains("://") {
            return Err(wrong("it is a link, for --join-file"));
        }
        Secret::checked(text.trim()).map(Some).map_err(wrong)
    }

    fn location(&self, link: Option<JoinLink>, variable: Option<String>) -> Result<HubLocation> {
        if self.listen.port == 0 && self.listen.listen.is_none() {
            return Err(Error::Usage(
                "port 0 takes any free port, so nobody could find it; use it with --listen".into(),
            ));
        }
        if let Some(link) = link {
            let mut address = link.hub;
            address.port.get_or_insert(self.listen.port);
            address.token = match (link.token, &self.token_file) {
                (Some(_), Some(_)) => {
                    return Err(Error::Usage("the link has a token, and so has --token-file: leave one away".into()));
                }
                (Some(token), None) => Some(token),
                (None, _) => self.token(variable)?,
            };
            return Ok(HubLocation::Join(address));
        }
        if let Some(host) = &self.host {
            let mut address: HubAddress = host.parse()?;
            // As other servers call the address to listen on.
            if address.host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
                return Err(Error::Usage(format!(
                    "--host {host}: nobody can be reached there. --host is the hub to join; to be the hub for other machines: --listen {host}"
                )));
            }
            address.port.get_or_insert(self.listen.port);
            if let Some(pin) = &self.pin {
                if address.tls == Tls::Never {
                    return Err(Error::Usage(format!(
                        "--host {host} does not encrypt, and --pin is of no use then: write wss://"
                    )));
                }
                address.pin = Some(pin.parse().map_err(|why| Error::Usage(format!("--pin {pin}: {why}")))?);
                address.tls = Tls::Always;
            }
            if self.no_tls && address.tls != Tls::Never {
                if address.tls == Tls::Always {
                    return Err(Error::Usage(format!("--host {host} encrypts, and --no-tls does not: leave one away")));
                }
                address.tls = Tls::Never;
            }
            address.token = self.token(variable)?;
            if address.token.is_some() && address.tls == Tls::Never && !address.is_loopback() {
                return Err(Error::Usage(format!(
                    "a token is not sent to {host} in the clear, where everybody on the way can take it: leave --no-tls and ws:// \
                     away, or --token-file and STREAMFLOW_TOKEN"
                )));
            }
            return Ok(HubLocation::Join(address));
        }
        if self.token_file.is_some() {
            return Err(Error::Usage("--token-file needs --host, which says where the token lets in".into()));
        }
        let config = self.limits.config(self.listen.address()?)?;
        Ok(match () {
            () if self.listen.listen.is_some() => HubLocation::Host(config),
            // Who hosts a hub wherever there is none would take the port while the unit of the hub begins anew.
            () if service_manager::is_there() => HubLocation::Join(HubAddress::of_listener(config.listen)),
            () => HubLocation::Auto(config),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Options {
        #[command(flatten)]
        stream: StreamOptions,
        #[command(flatten)]
        hub: HubLocationOptions,
    }

    fn target(line: &[&str], variable: Option<&str>) -> Result<Target> {
        let options = Options::try_parse_from(std::iter::once("test").chain(line.iter().copied())).unwrap();
        options.hub.target_with(&options.stream, variable.map(str::to_owned))
    }

    #[track_caller]
    fn token(line: &[&str], variable: Option<&str>) -> Option<String> {
        let HubLocation::Join(address) = target(line, variable).unwrap().location else { panic!("not joined") };
        address.token.map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_comes_from_a_link_a_file_or_the_environment_in_this_order() {
        let folder = std::env::temp_dir().join(format!("streamflow-token-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("token"), folder.join("link"));
        fs::write(&file, "of-file\nanother line\n").unwrap();
        fs::write(&link, "sf://desk/lab/door#token=of-link\r\n").unwrap();
        let (file, link) = (file.to_str().unwrap(), link.to_str().unwrap());
        assert_eq!(token(&["--host", "desk"], None), None);
        assert_eq!(token(&["--host", "desk"], Some("of-variable")).as_deref(), Some("of-variable"));
        assert_eq!(token(&["--host", "desk", "--token-file", file], Some("x")).as_deref(), Some("of-file"));
        assert_eq!(token(&["--join", "sf://desk#token=a"], Some("x")).as_deref(), Some("a"));
        assert_eq!(token(&["--join", "sf://desk", "--token-file", file], None).as_deref(), Some("of-file"));
        assert_eq!(token(&["--join-file", link], None).as_deref(), Some("of-link"));
        let joined = target(&["--join-file", link], None).unwrap();
        assert_eq!((joined.room.as_str(), joined.name.as_deref()), ("lab", Some("door")));
        for (line, said) in [
            (&["--join", "sf://desk#token=a", "--token-file", file][..], "leave one away"),
            (&["--token-file", file], "needs --host"),
            (&["--host", "desk", "--no-tls", "--token-file", file], "in the clear"),
            (&["--host", "ws://desk/ws", "--token-file", file], "in the clear"),
            (&["--host", "desk", "--token-file", "no-such-file"], "no-such-file"),
            (&["--host", "desk", "--token-file", link], "it is a link"),
            (&["--join-file", file], "is no link"),
            (&["--host", "0.0.0.0"], "--listen 0.0.0.0"),
            (&["--host", "[::]:9000"], "--listen [::]:9000"),
        ] {
            let error = target(line, None).unwrap_err();
            assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(said), "{line:?}: {error}");
            assert!(!error.to_string().contains("of-"), "{error}");
        }
        // What stays on this machine may be in the clear, and a hub here has its own secret.
        assert!(token(&["--host", "localhost", "--no-tls", "--token-file", file], None).is_some());
        assert!(matches!(target(&[], Some("x")).unwrap().location, HubLocation::Auto(_)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_that_is_not_typed_is_read_from_where_nobody_sees_it() {
        for (line, input) in [
            (&["--join"][..], true),
            (&["--join", "-"], true),
            (&["--join", "--name", "door"], true),
            (&["--join-file", "-"], true),
            (&["--host", "desk", "--token-file", "-"], true),
            (&["--join", "sf://desk"], false),
            (&["--host", "desk"], false),
        ] {
            let options = Options::try_parse_from(std::iter::once(&"test").chain(line)).unwrap();
            assert_eq!(options.hub.reads_input(), input, "{line:?}");
        }
    }
}
