//! One question to a hub's HTTP interface, by the ways and with the trust of a link: encrypted beyond this machine, to a key that is
//! known, with what lets this program in.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Poll;

use super::encrypt::write_all;
use super::in_turn::{Tried, in_turn};
use super::rights::{Rights, Way};
use super::{LinkConfig, LinkState, LinkUser, Outcome, Runner};
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::net::address::{HubAddress, PORT, Tls};
use crate::net::http;
use crate::net::tls::trust::HubTrust;
use crate::time::{Micros, now};
use crate::wire::control::{Control, Hello, ViewRequest};
use crate::wire::host::{authority, without_zone};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer: a hub has some thousands of streams at most.
const LONGEST: usize = 16 << 20;

/// What a hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubAnswer {
    /// The status.
    pub status: u16,
    /// What came behind the head.
    pub body: Vec<u8>,
}

/// Asks a hub for a path, `/api/streams?room=main`, as somebody who would watch this room.
///
/// # Errors
/// [`Error::Unreachable`] where nobody answers, or no hub; [`Error::Refused`] where its key is not trusted.
pub fn ask(hub: &HubAddress, trust: HubTrust, path: &str, room: &str) -> Result<HubAnswer> {
    let poll = Poll::new().map_err(|e| Error::io("cannot make a poll", e))?;
    let mut runner = Runner {
        config: LinkConfig { retries: Some(0), trust },
        user: Nobody { hello: Hello::to_view(room, "", "", ViewRequest::default()) },
        poll,
        network: None,
        local: false,
        hub_client: None,
        confirmed: None,
        rights: Rights::default(),
        stop: Arc::default(),
        scratch: Vec::new(),
        said: Vec::new(),
    };
    let addresses = runner.resolve(hub).map_err(error)?;
    let mut answer = None;
    let end = in_turn(addresses, format!("{hub} has no address"), |address| match runner.ask_at(address, hub, path) {
        Ok(found) => {
            answer = Some(found);
            Tried::Over(Outcome::Stopped)
        }
        Err(tried) => tried,
    });
    answer.ok_or_else(|| error(end))
}

fn error(end: Outcome) -> Error {
    match end {
        Outcome::Refused(why) | Outcome::Unauthorized(why) | Outcome::Replaced(why) => Error::Refused(why),
        Outcome::Again(why) => Error::Unreachable(why),
        Outcome::Stopped => Error::Unreachable("the program ends".into()),
    }
}

impl Runner<Nobody> {
    /// Asks at one address; this user's own hub is asked once more, encrypted, where it asks for a right.
    fn ask_at(&mut self, address: SocketAddr, hub: &HubAddress, path: &str) -> std::result::Result<HubAnswer, Tried> {
        let answer = self.ask_once(address, hub, path)?;
        let is_clear = hub.tls == Tls::BeyondLoopback && address.ip().to_canonical().is_loopback();
        match self.config.trust.own().filter(|_| is_clear && matches!(answer.status, 401 | 403)) {
            Some(own) => {
                let own = HubAddress { pin: Some(own), tls: Tls::Always, ..hub.clone() };
                Ok(self.ask_once(address, &own, path).unwrap_or(answer))
            }
            None => Ok(answer),
        }
    }

    fn ask_once(&mut self, address: SocketAddr, hub: &HubAddress, path: &str) -> std::result::Result<HubAnswer, Tried> {
        let Way { mut transport, key } = self.open(address, hub)?;
        let hello = self.user.hello.clone();
        let token = self.rights.show(&self.config.trust, hub, &hello, key);
        let token = token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
        let host = authority(without_zone(&hub.host), Some(hub.port_or(PORT)));
        // Behind a proxy the hub stands where its WebSocket does.
        let folder = hub.websocket.as_deref().and_then(|at| at.split('?').next()?.strip_suffix("/ws")).unwrap_or("");
        let head = format!("GET {folder}{path} HTTP/1.0\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n");
        let until = now() + ANSWER;
        let mut request = Some(head.into_bytes());
        let mut answer = Vec::new();
        let mut piece = vec![0; 16 << 10];
        let asked = self.during(&mut transport, until, |transport| write_all(transport, &mut request));
        let read = asked.and_then(|()| {
            self.during(&mut transport, until, |transport| {
                loop {
                    match transport.read(&mut piece) {
                        Ok(0) => return Ok(true),
                        Ok(length) => answer.extend_from_slice(&piece[..length]),
                        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                        Err(e) if e.kind() == ErrorKind::Interrupted => {}
                        // What came before it hung up may be whole.
                        Err(_) if !answer.is_empty() => return Ok(true),
                        Err(e) => return Err(e),
                    }
                    if answer.len() > LONGEST || is_whole(&answer) {
                        return Ok(true);
                    }
                }
            })
        });
        let no_hub = |why: &str| Tried::NoHub(super::sender::no_hub(hub, why));
        match read {
            Err(error) if answer.is_empty() => return Err(no_hub(&in_words(&error))),
            _ => {}
        }
        let Some((status, length)) = http::answer_head(&answer) else { return Err(no_hub("it does not speak HTTP")) };
        Ok(HubAnswer { status, body: answer.split_off(length.min(answer.len())) })
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut => "no answer".into(),
        ErrorKind::UnexpectedEof => "it hung up".into(),
        _ => crate::error::in_words(error),
    }
}

/// Whether an answer has all that its length says.
fn is_whole(answer: &[u8]) -> bool {
    http::answer_length(answer).is_some_and(|length| answer.len() >= length)
}

/// Who asks has no session.
struct Nobody {
    hello: Hello,
}

impl LinkUser for Nobody {
    fn hub(&mut self) -> Result<HubAddress> {
        Err(Error::Unreachable("there is no link".into()))
    }

    fn hello(&mut self) -> Hello {
        self.hello.clone()
    }

    fn state(&mut self, _: &LinkState) {}

    fn control(&mut self, _: Control) -> Vec<Control> {
        Vec::new()
    }

    fn picture(&mut self, _: Picture, _: Micros) -> Option<Control> {
        None
    }

    fn over(&mut self, _: Error) {}
}
