//! Encrypting a connection to a hub, and knowing that it is the hub that is meant.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Poll};

use super::in_turn::Tried;
use super::rights::Way;
use super::sender::overhear;
use super::{CONNECT, LinkUser, Outcome, Runner, SOCKET};
use crate::net::address::{HubAddress, Tls};
use crate::net::tls::known_hubs::KnownHub;
use crate::net::tls::verifier::{HubClient, NotVouched, Trusted, Verdict};
use crate::time::{Micros, now};
use crate::transport::{Sent, Transport};
use crate::wire::fingerprint::KeyFingerprint;

/// How often it is looked whether the program ends.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a handshake.
enum Encrypted {
    /// It is the hub that is meant.
    Yes(Way),
    /// Nobody has confirmed its key; and why no authority vouches for it.
    Unknown(KeyFingerprint, Option<NotVouched>),
}

impl<U: LinkUser> Runner<U> {
    /// Connects to this address of the hub, and encrypts where it is not this machine, or where the hub is known to encrypt.
    pub(super) fn open(&mut self, address: SocketAddr, hub: &HubAddress) -> Result<Way, Tried> {
        self.said.clear();
        let place = hub.place();
        let known = self.config.trust.known(&place).map_err(|why| Tried::Over(Outcome::Refused(why)))?;
        let is_loopback = address.ip().to_canonical().is_loopback();
        let encrypts = match hub.tls {
            Tls::BeyondLoopback => !is_loopback || known.is_some(),
            Tls::Always => true,
            Tls::Never => false,
        };
        if !encrypts && !is_loopback && hub.token.is_some() {
            let why = format!("a token is not sent to {hub} in the clear, where everybody on the way can take it");
            return Err(Tried::Over(Outcome::Refused(why)));
        }
        if !encrypts {
            return Ok(Way { transport: self.reach(address, hub)?.into(), key: None });
        }
        match self.encrypt(address, hub, &place, known)? {
            Encrypted::Yes(way) => Ok(way),
            Encrypted::Unknown(key, why) => {
                self.confirm(hub, key, why.as_ref()).map_err(Tried::Over)?;
                self.confirmed = Some((place.clone(), key));
                match self.encrypt(address, hub, &place, None)? {
                    Encrypted::Yes(way) => Ok(way),
                    Encrypted::Unknown(key, why) => {
                        Err(Tried::Over(Outcome::Refused(unconfirmed(hub, key, why.as_ref()))))
                    }
                }
            }
        }
    }

    fn reach(&mut self, address: SocketAddr, hub: &HubAddress) -> Result<TcpStream, Tried> {
        self.connect(address, hub).map_err(|end| match end {
            Outcome::Again(why) => Tried::Unreached(why),
            end => Tried::Over(end),
        })
    }

    fn encrypt(
        &mut self,
        address: SocketAddr,
        hub: &HubAddress,
        place: &str,
        known: Option<(KnownHub, PathBuf)>,
    ) -> Result<Encrypted, Tried> {
        let failed = |why: String| Tried::NoHub(format!("hub {hub} cannot be encrypted to: {why}"));
        let confirmed = self.confirmed.as_ref().filter(|(at, _)| at == place).map(|(_, key)| *key);
        let known_key = known.as_ref().map(|(known, _)| known.key).or(confirmed);
        let trusted = Trusted { pinned: hub.pin, known: known_key, own: self.config.trust.own() };
        let own = trusted.own;
        let client = match self.hub_client.take().filter(|client| client.is(&hub.host, &trusted)) {
            Some(client) => client,
            None => HubClient::new(&hub.host, trusted).map_err(failed)?,
        };
        let session = client.session(address.ip()).map_err(failed)?;
        let socket = self.reach(address, hub)?;
        let mut transport = Transport::from(socket).encrypted(session.into(), Vec::new());
        let until = now() + CONNECT;
        let mut said = Vec::new();
        let done = self.during(&mut transport, until, |transport| {
            if said.is_empty() {
                said = overhear(transport);
            }
            transport.handshake()
        });
        self.said = said;
        if let Some(why) = self.sends_pictures(hub).filter(|_| done.is_err()) {
            return Err(Tried::NoHub(why));
        }
        let refused = |why: String| Err(Tried::Over(Outcome::Refused(why)));
        match (done, client.verdict()) {
            (Ok(()), Some(Verdict::Taken(key))) => {
                self.hub_client = Some(client);
                if hub.pin == Some(key) && own != Some(key) {
                    self.config.trust.remember(place, key);
                }
                Ok(Encrypted::Yes(Way { transport, key: Some(key) }))
            }
            (Err(_), Some(Verdict::Unknown(key))) => Ok(Encrypted::Unknown(key, client.not_vouched())),
            (Err(_), Some(Verdict::Other(key))) => refused(match (hub.pin, known) {
                (Some(pin), _) => format!(
                    "hub {hub} has the key {key}, and not the one that was asked for ({pin}): somebody may be in between, or the \
                     link is of another hub"
                ),
                (None, Some((known, path))) => format!(
                    "hub {hub} has another key than on {}: {key}. If it was set up anew, remove line {} of {}; if not, somebody \
                     may be in between",
                    known.since,
                    known.line,
                    path.display()
                ),
                (None, None) => {
                    format!("hub {hub} has another key than a moment ago: {key}; somebody may be in between")
                }
            }),
            (Err(_), _) if self.stopped() => Err(Tried::Over(Outcome::Stopped)),
            (Err(error), _) if error.kind() == ErrorKind::TimedOut => {
                Err(Tried::NoHub(format!("hub {hub} unreachable: no answer within {} s", CONNECT.as_secs())))
            }
            // An older hub closes at once, and a proxy says something that is no TLS. Of one that is known to encrypt, neither is a
            // reason to go on in the clear: whoever is in between can do that as well.
            (Err(error), _) if known_key.is_none() && hub.pin.is_none() && is_no_tls(&error) => {
                Err(Tried::NoHub(format!(
                    "what answers at {hub} does not encrypt ({error}): an older hub, or one that listens on its machine alone, is \
                     reached in the clear with --no-tls, where everybody on the way can watch"
                )))
            }
            (Err(error), _) => {
                let why = format!("the connection to {hub} broke before it was encrypted: {error}");
                Err(Tried::NoHub(match known.filter(|_| is_no_tls(&error)) {
                    Some((known, path)) => format!(
                        "{why}. On {} it did encrypt: if it was set up anew without that, remove line {} of {}; if not, somebody may \
                         be in between",
                        known.since,
                        known.line,
                        path.display()
                    ),
                    None => why,
                }))
            }
            (Ok(()), _) => Err(failed("it showed no certificate".into())),
        }
    }

    /// Does something with a transport until it is done: it says `true` then, and `false` where it waits.
    pub(super) fn during(
        &mut self,
        transport: &mut Transport,
        until: Micros,
        mut act: impl FnMut(&mut Transport) -> io::Result<bool>,
    ) -> io::Result<()> {
        transport.register(self.poll.registry(), SOCKET)?;
        let done = wait_for(&mut self.poll, until, || {
            if self.stop.load(std::sync::atomic::Ordering::Acquire) {
                return Err(ErrorKind::Interrupted.into());
            }
            act(transport)
        });
        transport.deregister(self.poll.registry());
        done
    }

    /// Asks somebody whether this is the hub that is meant, on a thread of its own, since whoever is asked may take its time.
    fn confirm(&self, hub: &HubAddress, key: KeyFingerprint, why: Option<&NotVouched>) -> Result<(), Outcome> {
        let trust = &self.config.trust;
        let no = || match why {
            // A machine whose clock is not set yet takes no certificate for valid.
            Some(NotVouched { why, passes: true }) => {
                Outcome::Again(format!("the certificate of hub {hub} is not valid: {why}"))
            }
            why => Outcome::Refused(unconfirmed(hub, key, why)),
        };
        let Some(confirm) = trust.confirm.clone() else { return Err(no()) };
        let (answer, answered) = crossbeam_channel::bounded(1);
        let (name, shown) = (hub.to_string(), key.to_string());
        let asking = std::thread::Builder::new().name("confirm".into()).spawn(move || {
            let _ = answer.send(confirm(&name, &shown));
        });
        if let Err(error) = asking {
            return Err(Outcome::Again(error.to_string()));
        }
        loop {
            if self.stopped() {
                return Err(Outcome::Stopped);
            }
            match answered.recv_timeout(LOOK) {
                Ok(true) => {
                    trust.remember(&hub.place(), key);
                    return Ok(());
                }
                Ok(false) | Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                    return Err(no());
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn wait_for(poll: &mut Poll, until: Micros, mut act: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let mut events = Events::with_capacity(4);
    loop {
        if act()? {
            return Ok(());
        }
        let left = until.since(now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if let Err(error) = poll.poll(&mut events, Some(left.min(LOOK)))
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
    }
}

/// Writes all of this, or goes on with it.
pub(super) fn write_all(transport: &mut Transport, bytes: &mut Option<Vec<u8>>) -> io::Result<bool> {
    let sent = match bytes.take() {
        Some(bytes) => transport.send(bytes)?,
        None => transport.flush()?,
    };
    Ok(sent == Sent::Whole)
}

/// Whether an error says that the other side speaks something else than TLS.
fn is_no_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    error.kind() == ErrorKind::UnexpectedEof || matches!(inner, Some(rustls::Error::InvalidMessage(_)))
}

fn unconfirmed(hub: &HubAddress, key: KeyFingerprint, why: Option<&NotVouched>) -> String {
    let why = why.map_or_else(String::new, |not| format!(", and {}", not.why));
    format!(
        "hub {hub} shows a key that nobody has confirmed: {key}{why}. If the hub itself says the same when it starts, connect once \
         with --pin {key}"
    )
}
