//! A connection that has not said yet what it wants: its socket, its time, and what it holds.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::grace::{GracePeriod, TO_BE_ANSWERED, TO_SAY, TO_SAY_MORE};
use super::greeting::{ClientContext, Greeting, Step, Then};
use crate::hub::Shared;
use crate::hub::address_limits::Place;
use crate::hub::deliver::Admitted;
use crate::hub::memory::{Account, Full, Held};
use crate::time::Micros;
use crate::transport::{Layout, Sent, Transport};

/// How long a body of one request may take to come, and an answer to go.
const BODY: Duration = Duration::from_secs(30);
/// How long nothing must come, and how much may, before a connection is closed: closing over unread bytes would destroy the last
/// words on their way, and many a client writes all that it has before it reads.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 << 20;
/// And how long it takes in all.
const LINGERS: Duration = Duration::from_secs(5);
/// How long the words may take to go that end a connection which has had its time.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Before so many requests of one connection it rests, so that it does not take a processor from those who show pictures: 6400
/// requests a second are more than anybody needs.
const REQUESTS: u64 = 64;
const REST: Duration = Duration::from_millis(10);
/// Who holds more than a little counts at once: there may be thousands.
const A_LITTLE: usize = 4096;
const COUNTS_AS: usize = 64 * 1024;

/// What comes of a turn.
pub(super) enum Progress {
    /// The socket, a picture or the clock will say when to go on.
    Waits,
    /// There is more to do.
    GoesOn,
    /// It goes on then.
    Rests(Micros),
    /// It has said what it wants; these bytes were read beyond that.
    Admitted(Box<Admitted>, Vec<u8>),
    /// It begins to encrypt, with these bytes, and is then greeted so.
    Encrypts(Vec<u8>, Box<Greeting>),
    /// It ends.
    Over,
}

/// How much is read on, and until when.
#[derive(Clone, Copy)]
struct Lingering {
    bytes: usize,
    until: Micros,
}

impl Lingering {
    /// So many bytes came; `None`: it is over.
    fn after(self, read: usize) -> Option<Self> {
        if read == 0 { None } else { self.bytes.checked_sub(read).map(|bytes| Self { bytes, ..self }) }
    }
}

/// A connection that has not said yet what it wants.
pub(super) struct Pending {
    /// Tells it from others that had its place before.
    pub(super) serial: u64,
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    /// `None`: it was not heard yet.
    pub(super) stay: Option<GracePeriod>,
    /// When it is over with what it does now.
    pub(super) until: Micros,
    /// It is to have no turn for a moment.
    pub(super) rests: bool,
    place: Place,
    account: Account,
    greeting: Greeting,
    /// Something is being sent; what comes then.
    sending: Option<Then>,
    /// The last words have been sent; what more is read.
    lingers: Option<Lingering>,
    requests: u64,
    /// Why it was refused, if it was.
    pub(super) refused: Option<String>,
}

impl Pending {
    pub(super) fn new(
        serial: u64,
        address: SocketAddr,
        transport: Transport,
        place: Place,
        account: Account,
        greeting: Greeting,
        until: Micros,
    ) -> Self {
        Self {
            serial,
            address,
            transport,
            stay: None,
            until,
            rests: false,
            place,
            account,
            greeting,
            sending: None,
            lingers: None,
            requests: 0,
            refused: None,
        }
    }

    /// Whether anything has come of it.
    pub(super) fn has_spoken(&self) -> bool {
        self.greeting.has_begun()
    }

    /// Who it is, as people are told.
    pub(super) fn client(&self) -> SocketAddr {
        self.greeting.client().unwrap_or(self.address)
    }

    /// The number of the stream that it waits for a picture of.
    pub(super) fn awaited(&self) -> Option<u64> {
        self.greeting.awaited()
    }

    /// Whether what it shows is being looked at.
    pub(super) fn is_checking(&self) -> bool {
        self.greeting.is_checking()
    }

    /// How much memory it takes for what is not whole, and for what waits to be sent.
    pub(super) fn held(&self) -> usize {
        self.greeting.held() + self.transport.held()
    }

    /// What it leaves to where it goes.
    pub(super) fn into_parts(self) -> (SocketAddr, Transport, Place) {
        (self.address, self.transport, self.place)
    }

    /// Asks the greeting what follows.
    fn ask(&mut self, shared: &Arc<Shared>, of: impl FnOnce(&mut Greeting, &ClientContext<'_>) -> Step) -> Step {
        let encrypted = self.transport.is_encrypted();
        let context = ClientContext { shared, address: self.address, account: &self.account, encrypted };
        of(&mut self.greeting, &context)
    }

    /// Goes on for a moment: one read, one request, or as much of an answer as the socket takes.
    pub(super) fn turn(&mut self, shared: &Arc<Shared>, scratch: &mut [u8], now: Micros) -> Progress {
        self.stay.get_or_insert(GracePeriod::new(now, TO_SAY));
        let turn = self.go_on(shared, scratch, now);
        turn.unwrap_or_else(|error| self.broke(&error))
    }

    /// It has had its time.
    pub(super) fn timed_out(&mut self, shared: &Arc<Shared>, now: Micros) -> Progress {
        if self.lingers.is_some() || self.sending.is_some() {
            return Progress::Over;
        }
        let step = self.ask(shared, Greeting::handle_timeout);
        self.say(step, now)
    }

    /// Its memory is needed for others.
    pub(super) fn evicted(&mut self, shared: &Arc<Shared>, now: Micros) -> Progress {
        // Whoever does not read its answer reads no other either.
        if self.lingers.is_some() || self.sending.is_some() {
            return Progress::Over;
        }
        let step = self.ask(shared, Greeting::handle_full);
        self.say(step, now)
    }

    fn go_on(&mut self, shared: &Arc<Shared>, scratch: &mut [u8], now: Micros) -> io::Result<Progress> {
        if self.transport.flush()? == Sent::Partly {
            return Ok(Progress::Waits);
        }
        if let Some(then) = self.sending.take()
            && let Some(turn) = self.sent(then, shared.config.handshake, now)
        {
            return Ok(turn);
        }
        if self.lingers.is_some() {
            return self.linger(scratch, now);
        }
        // What is read has its turn at once, and only once.
        for has_read in [false, true] {
            let step = self.poll(shared, now);
            if !matches!(step, Step::Reads) {
                return self.follow(step, now);
            }
            if self.hold(self.held(), now).is_err() {
                return Ok(self.evicted(shared, now));
            }
            if has_read {
                break;
            }
            match self.transport.read(scratch) {
                // Who looks whether somebody is here, as our own programs do, and goes without a word, was not refused.
                Ok(0) => return Ok(Progress::Over),
                Ok(n) => self.greeting.handle_bytes(&scratch[..n], now),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waits),
                Err(e) if e.kind() == ErrorKind::Interrupted => break,
                Err(e) => return Err(e),
            }
        }
        Ok(Progress::GoesOn)
    }

    fn poll(&mut self, shared: &Arc<Shared>, now: Micros) -> Step {
        let step = self.ask(shared, |greeting, context| greeting.poll(context, now));
        if self.greeting.requests() > self.requests {
            self.requests = self.greeting.requests();
            self.stay = Some(GracePeriod::new(now, TO_BE_ANSWERED));
            // Whoever opened a WebSocket has as long for its hello as others.
            if !self.greeting.is_websocket() {
                self.until = now + BODY;
            }
        }
        step
    }

    fn follow(&mut self, step: Step, now: Micros) -> io::Result<Progress> {
        match step {
            Step::Reads => Ok(Progress::GoesOn),
            Step::Waits => Ok(Progress::Waits),
            Step::Sends(head, picture, then) => {
                let takes = head.len() + picture.as_ref().map_or(0, |picture| picture.data.len());
                if then != Then::GoOn {
                    self.until = now + BODY;
                    if self.hold(takes, now).is_err() {
                        self.refused = Some(Full.to_string());
                        return Ok(Progress::Over);
                    }
                }
                match picture {
                    Some(picture) => self.transport.offer(&head, &picture, Layout::Bare, None)?,
                    None => self.transport.send(head)?,
                };
                if let Then::Close(why) = &then {
                    self.refused.clone_from(why);
                }
                self.sending = Some(then);
                Ok(Progress::GoesOn)
            }
            Step::Admits { admitted, before, early } => {
                if !before.is_empty() {
                    self.transport.send(before)?;
                }
                Ok(Progress::Admitted(admitted, early))
            }
            Step::Encrypts(early, greeting) => Ok(Progress::Encrypts(early, greeting)),
            Step::Ends(why) => {
                self.refused = why;
                Ok(Progress::Over)
            }
        }
    }

    /// Says the last words, if there are any: in a moment, or not at all.
    fn say(&mut self, step: Step, now: Micros) -> Progress {
        match self.follow(step, now) {
            Ok(Progress::GoesOn) => {
                self.until = now + LAST_WORDS;
                Progress::GoesOn
            }
            Ok(turn) => turn,
            Err(error) => self.broke(&error),
        }
    }

    /// It holds so much now.
    fn hold(&self, bytes: usize, now: Micros) -> Result<(), ()> {
        let bytes = if bytes > A_LITTLE { bytes.max(COUNTS_AS) } else { 0 };
        self.account.hold(Held { bytes, picture: 0, progress: now }).map_err(drop)
    }

    /// All was sent. What the turn comes to, if it is over.
    fn sent(&mut self, then: Then, handshake: Duration, now: Micros) -> Option<Progress> {
        // What it held for the answer is free again, and nothing is always held.
        let _ = self.hold(0, now);
        match then {
            Then::GoOn => None,
            Then::Next => {
                self.until = now + handshake;
                self.stay = Some(GracePeriod::new(now, TO_SAY_MORE));
                let next = self.requests + 1;
                next.is_multiple_of(REQUESTS).then_some(Progress::Rests(now + REST))
            }
            Then::Close(_) => {
                self.transport.finish();
                self.until = now + LINGER;
                self.stay = Some(GracePeriod::new(now, TO_SAY_MORE));
                self.lingers = Some(Lingering { bytes: LINGER_BYTES, until: now + LINGERS });
                None
            }
        }
    }

    /// The connection is broken. Whoever goes without a word was not refused.
    fn broke(&mut self, error: &io::Error) -> Progress {
        if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
            self.refused = Some(error.to_string());
        }
        Progress::Over
    }

    fn linger(&mut self, scratch: &mut [u8], now: Micros) -> io::Result<Progress> {
        match self.transport.read(scratch) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(Progress::Waits),
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(Progress::GoesOn),
            Err(e) => Err(e),
            Ok(n) => {
                self.lingers = self.lingers.and_then(|left| left.after(n));
                self.until = self.lingers.map_or(now, |left| left.until.min(now + LINGER));
                Ok(if self.lingers.is_some() { Progress::GoesOn } else { Progress::Over })
            }
        }
    }
}
