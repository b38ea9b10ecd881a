//! Encrypting a connection to a hub, and knowing that it is the hub that is meant.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Poll};

use super::{CONNECT, LinkUser, Outcome, Runner, SOCKET};
use crate::net::address::{HubAddress, PORT, Tls};
use crate::net::tls::verifier::{HubClient, Verdict};
use crate::time::{Micros, now};
use crate::transport::{Sent, Transport};
use crate::wire::fingerprint::KeyFingerprint;
use crate::wire::host::authority;

/// How often it is looked whether the program ends.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a handshake.
enum Encrypted {
    /// It is the hub that is meant.
    Yes(Transport),
    /// Nobody has confirmed its key.
    Unknown(KeyFingerprint),
}

impl<U: LinkUser> Runner<U> {
    /// Connects to this address of the hub, and encrypts where it is not this machine.
    pub(super) fn open(&mut self, address: SocketAddr, hub: &HubAddress) -> Result<Transport, Outcome> {
        let encrypts = match hub.tls {
            Tls::BeyondLoopback => !address.ip().is_loopback(),
            Tls::Always => true,
            Tls::Never => false,
        };
        if !encrypts {
            return Ok(self.connect(address, hub)?.into());
        }
        match self.encrypt(address, hub)? {
            Encrypted::Yes(transport) => Ok(transport),
            Encrypted::Unknown(key) => {
                self.confirm(hub, key)?;
                // It is known now.
                match self.encrypt(address, hub)? {
                    Encrypted::Yes(transport) => Ok(transport),
                    Encrypted::Unknown(_) => Err(Outcome::Refused(unconfirmed(hub, key))),
                }
            }
        }
    }

    fn encrypt(&mut self, address: SocketAddr, hub: &HubAddress) -> Result<Encrypted, Outcome> {
        let (trust, place) = (&self.config.trust, place_of(hub));
        let failed = |why: String| Outcome::Again(format!("hub {hub} cannot be encrypted to: {why}"));
        let trusted = trust.of(&place, hub.pin);
        let own = trusted.own;
        let client = match self.hub_client.take().filter(|client| client.is(&hub.host, &trusted)) {
            Some(client) => client,
            None => HubClient::new(&hub.host, trusted).map_err(failed)?,
        };
        let session = client.session().map_err(failed)?;
        let socket = self.connect(address, hub)?;
        let mut transport = Transport::from(socket).encrypted(session.into(), Vec::new());
        let until = now() + CONNECT;
        let done = self.during(&mut transport, until, |transport| transport.handshake());
        let trust = &self.config.trust;
        match (done, client.verdict()) {
            (Ok(()), Some(Verdict::Taken(key))) => {
                self.hub_client = Some(client);
                if hub.pin == Some(key) && own != Some(key) {
                    trust.remember(&place, key);
                }
                Ok(Encrypted::Yes(transport))
            }
            (Err(_), Some(Verdict::Unknown(key))) => Ok(Encrypted::Unknown(key)),
            (Err(_), Some(Verdict::Other(key))) => Err(Outcome::Refused(match (hub.pin, trust.known(&place)) {
                (None, Some((known, path))) => format!(
                    "hub {hub} has another key than on {}: {key}. If it was set up anew, remove line {} of {}; if not, somebody \
                     may be in between",
                    known.since,
                    known.line,
                    path.display()
                ),
                (pin, _) => format!(
                    "hub {hub} has the key {key}, and not the one that was asked for ({}): somebody may be in between, or the link \
                     is of another hub",
                    pin.map_or_else(|| "none".into(), |pin| pin.to_string())
                ),
            })),
            (Err(_), _) if self.stopped() => Err(Outcome::Stopped),
            (Err(error), _) => Err(Outcome::Again(match error.kind() {
                ErrorKind::TimedOut => format!("hub {hub} unreachable: no answer within {} s", CONNECT.as_secs()),
                // What an older hub says, or a proxy, is no TLS.
                _ => format!(
                    "what answers at {hub} does not encrypt ({error}): an older hub, or one that listens on its machine alone, is \
                     reached in the clear with --no-tls, where everybody on the way can watch"
                ),
            })),
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
    fn confirm(&self, hub: &HubAddress, key: KeyFingerprint) -> Result<(), Outcome> {
        let trust = &self.config.trust;
        let Some(confirm) = trust.confirm.clone() else { return Err(Outcome::Refused(unconfirmed(hub, key))) };
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
                    trust.remember(&place_of(hub), key);
                    return Ok(());
                }
                Ok(false) | Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                    return Err(Outcome::Refused(unconfirmed(hub, key)));
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

/// What a hub is called where its key is kept.
fn place_of(hub: &HubAddress) -> String {
    authority(&hub.host, Some(hub.port_or(PORT)))
}

fn unconfirmed(hub: &HubAddress, key: KeyFingerprint) -> String {
    format!(
        "hub {hub} shows a key that nobody has confirmed: {key}. If the hub itself says the same when it starts, connect once with \
         --pin {key}"
    )
}
