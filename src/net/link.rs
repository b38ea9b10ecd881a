//! The link from a program to its hub: connects, says hello, keeps the connection alive and makes it anew for ever.
//!
//! One thread owns the socket. What happens on it is told to a [`LinkUser`], on that thread.

#[cfg(feature = "view")]
pub mod ask;
mod dial;
mod encrypt;
mod in_turn;
mod network;
mod open;
mod rights;
mod sender;
mod serve;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use self::in_turn::in_turn;
use self::network::NetworkWatch;
use self::rights::Rights;
use super::address::HubAddress;
use super::tls::trust::HubTrust;
use super::tls::verifier::HubClient;
use crate::error::{Error, Result, without_numbers};
use crate::frame::{AudioPacket, Picture};
use crate::session::client::GREETING;
use crate::session::{Backoff, Captured, ClockOffset, DEAD_AFTER, in_words};
use crate::time::{Micros, now};
use crate::wire::control::{Control, Hello};
use crate::wire::fingerprint::KeyFingerprint;

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);
const NETWORK: Token = Token(2);
/// How long connecting may take.
const CONNECT: Duration = GREETING;
/// A connection that held for so long counts as a success: the waits begin anew. So a hub that welcomes everybody and then
/// drops them is tried once a second, and one that comes and goes is back at once.
const HELD: Duration = Duration::from_secs(1);
/// How long what waits to be sent holds up a program that is told to end, unless its user says otherwise.
pub const LINGER: Duration = Duration::from_millis(300);
const SCRATCH: usize = 256 * 1024;

/// How the link is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is being made.
    Connecting,
    /// The hub has let us in.
    Connected,
    /// It is broken, or could not be made; the next try comes at this time.
    Waiting {
        /// Why, for a person.
        why: String,
        /// When it is tried again.
        until: Micros,
    },
}

/// Who uses a link. All calls come from the link's thread, and none may wait.
pub trait LinkUser: Send + 'static {
    /// How long the goodbye may wait for what is still to be sent; a second at most.
    fn linger(&self) -> Duration {
        LINGER
    }

    /// Where the hub is now: asked before every try, since a hub may have to be started first.
    ///
    /// # Errors
    /// Why there is no hub to connect to; it is asked again later.
    fn hub(&mut self) -> Result<HubAddress>;
    /// The first packet of a new connection.
    fn hello(&mut self) -> Hello;
    /// The link is in this state now.
    fn state(&mut self, state: &LinkState);
    /// Something was heard at this time, and so much is known of the hub's clock now.
    fn heard(&mut self, _clock: &ClockOffset, _at: Micros) {}
    /// A control message came, other than pings and pongs. What is returned is sent.
    fn control(&mut self, control: Control) -> Vec<Control>;
    /// A picture came, with its capture time in our clock, at `received`. What is returned is sent.
    fn picture(&mut self, picture: Picture, received: Micros) -> Option<Control>;
    /// A packet of sound came, with its capture time in our clock, at `received`.
    fn audio(&mut self, _packet: AudioPacket, _received: Micros) {}
    /// A picture came of a codec that this version does not know, with this number. What is returned is sent.
    fn unknown_codec(&mut self, _codec: u8, _sequence: u32) -> Option<Control> {
        None
    }
    /// More is known of when the newest picture was captured than when it came.
    fn restated(&mut self, _captured: Captured) {}
    /// Control messages to send now; asked whenever the [`Link::waker`] was used.
    fn messages(&mut self) -> Vec<Control> {
        Vec::new()
    }
    /// The next packet of sound to send, if there is one: asked, until there is none, whenever the connection can take one, and before
    /// each picture. None is asked for while pictures hold the connection up, so whoever has them keeps a few, and drops the oldest.
    fn next_audio(&mut self) -> Option<AudioPacket> {
        None
    }
    /// Whether there is a picture to send. By default there never is one.
    fn has_picture(&mut self) -> bool {
        false
    }
    /// The time between pictures that are sent. Default: that of 30 a second.
    fn interval(&self) -> Duration {
        Duration::from_millis(33)
    }
    /// The link carries so many bytes in one interval ([`crate::adapt::ANY`]: more than was ever sent).
    fn carries(&mut self, _bytes: u32) {}
    /// What the hub must know before it gets the next picture; asked right before that.
    fn before_picture(&mut self) -> Option<Control> {
        None
    }
    /// The newest picture to send, if there is one; asked when the connection can take one.
    fn next_picture(&mut self) -> Option<Arc<Picture>> {
        None
    }
    /// The link ends for good, for this reason. The user itself lives on until the [`Link`] is dropped.
    fn over(&mut self, error: Error);
    /// Somebody else has taken our name over, and the link ends for good.
    fn replaced(&mut self, why: String) {
        self.over(Error::Refused(why));
    }
}

/// A link. Dropping it says goodbye and waits for its thread.
pub struct Link {
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How a link is to be made.
#[derive(Clone, Debug, Default)]
pub struct LinkConfig {
    /// How often a connection that could not be made, or broke, is tried again; `None`, the default: for ever.
    pub retries: Option<u32>,
    /// Which hubs are trusted.
    pub trust: HubTrust,
}

impl Link {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread or no poll for us.
    pub fn start(config: LinkConfig, user: impl LinkUser) -> Result<Self> {
        let poll = Poll::new().map_err(|e| Error::io("cannot make a poll", e))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(|e| Error::io("cannot make a waker", e))?;
        let waker = Arc::new(waker);
        let stop = Arc::new(AtomicBool::new(false));
        let network = NetworkWatch::open(poll.registry(), NETWORK);
        let scratch = vec![0; SCRATCH];
        let mut runner = Runner {
            config,
            user,
            poll,
            network,
            local: false,
            hub_client: None,
            confirmed: None,
            rights: Rights::default(),
            stop: stop.clone(),
            scratch,
            said: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || {
                runner.run();
                // What the user has, a hub perhaps, is there until nobody wants it any more.
                while runner.sleep_until(Micros(u64::MAX)) != Slept::Stopped {}
            })
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Self { waker, stop, thread: Some(thread) })
    }

    /// What wakes the link from any thread: there is a picture, or a message.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // It fails only when the poll is gone, and then nobody waits for it.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Runner<U> {
    config: LinkConfig,
    user: U,
    poll: Poll,
    network: Option<NetworkWatch>,
    /// The hub that was tried last is on this machine.
    local: bool,
    /// The hub that was encrypted to last.
    hub_client: Option<HubClient>,
    /// The key that somebody has confirmed, of the hub at this place.
    confirmed: Option<(String, KeyFingerprint)>,
    /// What the hub is shown to be let in.
    rights: Rights,
    stop: Arc<AtomicBool>,
    scratch: Vec<u8>,
    /// The first that was said on the connection that was made last.
    said: Vec<u8>,
}

/// How a wait ended.
#[derive(PartialEq, Eq)]
enum Slept {
    /// By its time.
    Over,
    /// The program ends.
    Stopped,
    /// Addresses or routes of this machine are others now.
    NetworkChanged,
}

/// Why a connection ended, or was not made.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The program ends.
    Stopped,
    /// Somebody else has our name now: two that take it from each other for ever help nobody.
    Replaced(String),
    /// Try again; the text says what went wrong.
    Again(String),
    /// The hub says no.
    Refused(String),
    /// The hub asks for a right that it was not shown, or that holds no more.
    Unauthorized(String),
}

impl<U: LinkUser> Runner<U> {
    fn run(&mut self) {
        let mut backoff = Backoff::default();
        let (mut ever, mut turned_away) = (false, false);
        loop {
            self.user.state(&LinkState::Connecting);
            let mut welcomed = None;
            // The state of one connection goes with it; the next one begins with a new one.
            let end = catch_unwind(AssertUnwindSafe(|| self.attempt(&mut welcomed)))
                .unwrap_or_else(|_| Outcome::Again("a fault of this program ended the connection".into()));
            ever |= welcomed.is_some();
            if welcomed.is_some_and(|since| now().since(since) >= HELD) {
                backoff.succeeded();
                turned_away = false;
            }
            let why = match end {
                Outcome::Stopped => return,
                Outcome::Replaced(why) => return self.user.replaced(why),
                Outcome::Refused(why) if !ever || self.config.retries.is_some() => {
                    return self.user.over(Error::Refused(why));
                }
                // A hub that was started anew, or reads anew who may do what, is given one chance.
                Outcome::Unauthorized(why) if !ever || turned_away || self.config.retries.is_some() => {
                    return self.user.over(Error::Refused(why));
                }
                Outcome::Unauthorized(why) => {
                    turned_away = true;
                    why
                }
                Outcome::Again(why) | Outcome::Refused(why) => why,
            };
            let why = without_numbers(&why);
            if self.config.retries.is_some_and(|most| backoff.tries() >= most) {
                return self.user.over(Error::Unreachable(why));
            }
            let wait = backoff.next(fastrand::f64(), self.local);
            let until = now() + wait;
            if !wait.is_zero() {
                log::warn!("{why}; next try in {}", in_words(wait));
            } else if welcomed.is_some() {
                log::warn!("{why}; tried again at once");
            }
            self.user.state(&LinkState::Waiting { why, until });
            match self.sleep_until(until) {
                Slept::Over => {}
                Slept::Stopped => return,
                Slept::NetworkChanged => {
                    log::info!("the network changed: tried again at once");
                    backoff.network_changed();
                }
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits.
    fn sleep_until(&mut self, until: Micros) -> Slept {
        let mut events = Events::with_capacity(4);
        if let Some(network) = &mut self.network {
            // What changed while there was a connection, or a try, is no news.
            network.changed(now());
        }
        while !self.stopped() {
            let left = until.since(now());
            if left.is_zero() {
                return Slept::Over;
            }
            let _ = self.poll.poll(&mut events, Some(left));
            if self.network.as_mut().is_some_and(|network| network.changed(now())) {
                return Slept::NetworkChanged;
            }
        }
        Slept::Stopped
    }

    fn attempt(&mut self, welcomed: &mut Option<Micros>) -> Outcome {
        let hub = match self.user.hub() {
            Ok(hub) => hub,
            Err(error) => return Outcome::Again(error.to_string()),
        };
        let addresses = match self.resolve(&hub) {
            Ok(addresses) => addresses,
            Err(end) => return end,
        };
        self.local = !addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback());
        in_turn(addresses, format!("{hub} has no address"), |address| self.visit(address, &hub, welcomed))
    }
}

const _: () = assert!(DEAD_AFTER.as_secs() > CONNECT.as_secs(), "a silent greeting ends before a silent session");
