//! The thread of admission: it accepts, and serves all who have not said yet what they want, each for a moment at a time.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Poll, Token};
use slab::Slab;

use super::grace::{Capacity, give_way};
use super::greeting::Greeting;
use super::pending::{Pending, Progress};
use super::turns::Turns;
use super::{Command, Listening, MAIN, PLAIN, TWIN, WAKER, encrypted, greeting, hand_over};
use crate::access::Credentials;
use crate::hub::Shared;
use crate::hub::address_limits::Place;
use crate::hub::deliver::{Admitted, Purpose};
use crate::names::StreamKey;
use crate::net::connection::Framing;
use crate::net::open_files;
use crate::time::{Micros, now};
use crate::transport::{Transport, sockopt};
use crate::wire::control::Cause;

/// How soon it is looked again whether somebody has to give way to those who wait in the system's queue.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long nobody is accepted when the system has no more file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// So many are accepted at most, and for so long, before those who are here have a turn.
const ACCEPTS: usize = 256;
const ACCEPTING: Duration = Duration::from_millis(1);
/// So many give way at most where the system has no more file descriptors.
const GIVE: usize = 16;
/// How long somebody who is refused has to say what it speaks: there are few places for that.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// How long somebody who waits for its turn is not taken for late: it may have said what it wants.
const WAITS_FOR_ITS_TURN: Duration = Duration::from_secs(1);
/// So long those who are here have turns before it is looked who else has come.
const PASS: Duration = Duration::from_millis(2);
/// The most that is read in a turn.
pub(super) const SCRATCH: usize = 16 * 1024;

/// A listening socket.
struct Listener {
    socket: TcpListener,
    /// Somebody may be there: the poll tells of newcomers once.
    ready: bool,
    /// When the next one is accepted at the earliest.
    again: Micros,
}

impl Listener {
    fn new(socket: TcpListener) -> Self {
        Self { socket, ready: true, again: Micros(0) }
    }

    /// When there may be somebody to accept.
    fn accepts_at(&self) -> Option<Micros> {
        self.ready.then_some(self.again)
    }
}

/// What the thread owns.
pub(super) struct Reactor {
    shared: Arc<Shared>,
    poll: Poll,
    main: Listener,
    /// The other loopback address, where the main one is loopback.
    twin: Option<Listener>,
    plain: Option<Listener>,
    pending: Slab<Pending>,
    room: Capacity,
    turns: Turns,
    resting: Vec<(Micros, usize)>,
    next_tick: Micros,
    serial: u64,
    scratch: Vec<u8>,
    /// For telling newcomers that there are no more files.
    reserve: open_files::Reserve,
}

impl Reactor {
    pub(super) fn new(shared: Arc<Shared>, poll: Poll, listening: Listening) -> Self {
        let Listening { main, twin, plain } = listening;
        let config = &shared.config;
        let files = open_files::limit().and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        let for_others = config.max_viewers.saturating_add(config.max_publishers).saturating_add(open_files::BESIDE);
        Self {
            room: Capacity::new(config.max_pending, files.saturating_sub(for_others)),
            shared,
            poll,
            main: Listener::new(main),
            twin: twin.map(Listener::new),
            plain: plain.map(Listener::new),
            pending: Slab::new(),
            turns: Turns::default(),
            resting: Vec::new(),
            next_tick: Micros(0),
            serial: 0,
            scratch: vec![0; SCRATCH],
            reserve: open_files::Reserve::new(),
        }
    }

    /// Serves until the hub stops, whatever goes wrong.
    pub(super) fn run_for_good(mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            log::error!("a fault of this hub stopped admission; it goes on");
            // One that comes again and again must not take a processor.
            std::thread::sleep(PAUSE);
        }
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        // After a fault somebody may wait untold, here and at the listeners.
        self.listeners().for_each(|listener| listener.ready = true);
        let all: Vec<_> = self.pending.iter().map(|(key, _)| key).collect();
        all.into_iter().for_each(|key| self.is_ready(key));
        while !self.stopping() {
            if let Err(error) = self.poll.poll(&mut events, self.wait())
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("admission: {error}");
                return;
            }
            for event in &events {
                match event.token() {
                    MAIN => self.main.ready = true,
                    TWIN => self.twin.iter_mut().for_each(|listener| listener.ready = true),
                    PLAIN => self.plain.iter_mut().for_each(|listener| listener.ready = true),
                    WAKER => self.take_commands(),
                    Token(key) => self.is_ready(key),
                }
            }
            let at = now();
            self.accept_plain(at);
            self.accept_main(MAIN, at);
            if self.twin.is_some() {
                self.accept_main(TWIN, at);
            }
            self.tick(at);
            self.serve();
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    fn listeners(&mut self) -> impl Iterator<Item = &mut Listener> {
        std::iter::once(&mut self.main).chain(&mut self.twin).chain(&mut self.plain)
    }

    /// How long there is nothing to do.
    fn wait(&self) -> Option<Duration> {
        if !self.turns.is_empty() {
            return Some(Duration::ZERO);
        }
        let at = |listener: &Option<Listener>| listener.as_ref().and_then(Listener::accepts_at);
        let listeners = [self.main.accepts_at(), at(&self.twin), at(&self.plain)];
        let ticks = (!self.pending.is_empty()).then_some(self.next_tick);
        let rested = self.resting.iter().map(|(until, _)| *until).min();
        let first = listeners.into_iter().chain([ticks, rested]).flatten().min()?;
        Some(first.since(now()))
    }

    fn is_ready(&mut self, key: usize) {
        if let Some(pending) = self.pending.get(key).filter(|pending| !pending.rests) {
            self.turns.add(key, !pending.has_spoken());
        }
    }

    fn take_commands(&mut self) {
        let at = now();
        let (mut streams, mut checked) = (BTreeSet::new(), false);
        for command in self.shared.admission.take() {
            match command {
                Command::PictureCame(stream) => drop(streams.insert(stream)),
                Command::Checked => checked = true,
                Command::Answer(answers) => answers.here(),
                Command::Evict(key, serial) => {
                    if let Some(pending) = self.pending.get_mut(key).filter(|pending| pending.serial == serial) {
                        let turn = pending.evicted(&self.shared, at);
                        self.follow(key, turn);
                    }
                }
            }
        }
        self.look_for_pictures(|stream| streams.contains(&stream));
        if checked {
            let all: Vec<_> = self.pending.iter().filter(|(_, p)| p.is_checking()).map(|(key, _)| key).collect();
            all.into_iter().for_each(|key| self.is_ready(key));
        }
    }

    /// Accepts newcomers at the main listener, or at the one beside it, as long as there is room for them.
    fn accept_main(&mut self, door: Token, at: Micros) {
        let Capacity { usual, crowded } = self.room;
        for n in 1..=ACCEPTS {
            if n.is_multiple_of(16) && now().since(at) >= ACCEPTING {
                break;
            }
            if self.door(door).accepts_at().is_none_or(|accepts_at| accepts_at > at) {
                break;
            }
            if self.pending.len() >= crowded {
                self.give_way(usual, true, at);
                if self.pending.len() >= crowded {
                    self.door(door).again = at + LOOK_AGAIN;
                    break;
                }
            }
            match self.door(door).socket.accept() {
                Ok((socket, address)) => self.accepted(socket, address, Self::greet, Self::refuse),
                Err(error) => {
                    let ready = self.goes_on_accepting(&error, at);
                    self.door(door).ready = ready;
                }
            }
        }
        self.give_way(usual, false, at);
    }

    fn door(&mut self, door: Token) -> &mut Listener {
        match &mut self.twin {
            Some(twin) if door == TWIN => twin,
            _ => &mut self.main,
        }
    }

    /// Accepts newcomers at the plain listener, where nothing is asked.
    fn accept_plain(&mut self, at: Micros) {
        for _ in 0..ACCEPTS {
            let open = |listener: &&mut Listener| listener.accepts_at().is_some_and(|accepts_at| accepts_at <= at);
            let Some(listener) = self.plain.as_mut().filter(open) else { return };
            match listener.socket.accept() {
                Ok((socket, address)) => self.accepted(socket, address, Self::let_in, |_, _, _, _| Ok(())),
                Err(error) => {
                    let ready = self.goes_on_accepting(&error, at);
                    self.plain.iter_mut().for_each(|listener| listener.ready = ready);
                }
            }
        }
    }

    /// Whether there may be more to accept, if only in a while.
    fn goes_on_accepting(&mut self, error: &io::Error, at: Micros) -> bool {
        match error.kind() {
            ErrorKind::WouldBlock => return false,
            ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
            _ => {
                log::warn!("cannot accept: {error}");
                if open_files::ran_out(error) {
                    // The descriptors of those who have had their time are for others.
                    self.give_way(self.pending.len().saturating_sub(GIVE), true, at);
                    self.turn_away();
                }
                self.listeners().for_each(|listener| listener.again = at + PAUSE);
            }
        }
        true
    }

    /// Tells newcomers, so many at most, that there are no more open files. What they said is read, for a close without that
    /// would take the answer with it.
    fn turn_away(&mut self) {
        let (socket, scratch) = (&self.main.socket, &mut self.scratch);
        for _ in 0..GIVE {
            let accepted = self.reserve.lend(|| {
                let mut newcomer = socket.accept()?.0;
                // Whoever has not said yet what it speaks cannot be told anything that it understands.
                if let Ok(said @ 1..) = newcomer.read(scratch) {
                    let said = scratch.get(..said).unwrap_or_default();
                    let why = "the hub has no more open files: its operator must raise the limit";
                    let _ = newcomer.write(&greeting::refusal(said, Cause::Refused, why));
                    let _ = newcomer.shutdown(Shutdown::Write);
                }
                io::Result::Ok(())
            });
            if accepted.is_err() {
                return;
            }
            self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn accepted(
        &mut self,
        socket: TcpStream,
        address: SocketAddr,
        take: fn(&mut Self, Transport, SocketAddr, Place) -> io::Result<()>,
        refuse: fn(&mut Self, TcpStream, SocketAddr, String) -> io::Result<()>,
    ) {
        let addresses = &self.shared.addresses;
        let is_proxy = self.shared.is_proxy(address.ip());
        let place = if is_proxy { addresses.place_of_proxy(address.ip()) } else { addresses.place(address.ip()) };
        let too_often = !is_proxy && !addresses.may_come(address.ip(), now());
        let taken = match place {
            _ if too_often => {
                let why = "too many connections and requests come from this address: wait a second";
                self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                log::debug!("{address}: refused: {why}");
                refuse(self, socket, address, why.into())
            }
            Some(place) => sockopt::prepare(&socket).and_then(|()| take(self, socket.into(), address, place)),
            None => {
                let most = self.shared.config.max_per_address;
                let why = format!(
                    "there are {most} connections from this address already, and no more are taken (--max-per-address)"
                );
                log::warn!("{address}: refused: {why}");
                self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                refuse(self, socket, address, why)
            }
        };
        if let Err(error) = taken {
            log::warn!("{address}: {error}");
        }
    }

    /// Whose address has all the connections it may have is told so when it has said what it speaks; of very many at once not all.
    fn refuse(&mut self, socket: TcpStream, address: SocketAddr, why: String) -> io::Result<()> {
        let Some(place) = self.shared.addresses.place_to_be_told() else { return Ok(()) };
        sockopt::prepare(&socket)?;
        self.greet_with(socket.into(), address, place, Greeting::refusing(why), TOLD_WITHIN)
    }

    fn let_in(&mut self, transport: Transport, address: SocketAddr, place: Place) -> io::Result<()> {
        let key = self.shared.config.plain_stream.clone().unwrap_or_else(|| StreamKey::new("main", ""));
        let credentials = Credentials::of_nobody(address.ip(), false);
        let purpose = Purpose::Watch(self.shared.access.watch(&credentials, key).map_err(io::Error::other)?);
        let framing = Framing::Plain;
        let admitted = Admitted { credentials, framing, purpose, hello: None, apart: 0, feed: None, first: None };
        hand_over(&self.shared, transport, address, place, admitted, Vec::new());
        Ok(())
    }

    fn greet(&mut self, transport: Transport, address: SocketAddr, place: Place) -> io::Result<()> {
        self.greet_with(transport, address, place, Greeting::new(), self.shared.config.handshake)
    }

    /// Somebody begins to encrypt, with these bytes.
    fn encrypt(
        &mut self,
        transport: Transport,
        address: SocketAddr,
        place: Place,
        (early, greeting): (Vec<u8>, Greeting),
        patience: Duration,
    ) -> io::Result<()> {
        let transport = encrypted(&self.shared, transport, early)?;
        self.greet_with(transport, address, place, greeting, patience)
    }

    fn greet_with(
        &mut self,
        mut transport: Transport,
        address: SocketAddr,
        place: Place,
        greeting: Greeting,
        patience: Duration,
    ) -> io::Result<()> {
        let entry = self.pending.vacant_entry();
        let key = entry.key();
        transport.register(self.poll.registry(), Token(key))?;
        self.serial += 1;
        let (serial, shared) = (self.serial, self.shared.clone());
        let evict = move || shared.admission.command(Command::Evict(key, serial));
        let account = self.shared.memory.open(address.ip(), evict);
        let until = now() + patience;
        entry.insert(Pending::new(serial, address, transport, place, account, greeting, until));
        self.is_ready(key);
        Ok(())
    }

    fn give_way(&mut self, most: usize, crowded: bool, at: Micros) {
        if self.pending.len() <= most {
            return;
        }
        let all = self.pending.iter().map(|(key, pending)| (key, pending.stay));
        for key in give_way(all, most, crowded, at) {
            self.remove(key);
        }
    }

    /// Looks at deadlines, and whether the pictures that are waited for can still come.
    fn tick(&mut self, at: Micros) {
        for (_, key) in self.resting.extract_if(.., |(until, _)| *until <= at).collect::<Vec<_>>() {
            self.pending.get_mut(key).into_iter().for_each(|pending| pending.rests = false);
            self.is_ready(key);
        }
        if at < self.next_tick {
            return;
        }
        self.next_tick = at + TICK;
        let is_late = |(key, p): &(usize, &Pending)| {
            at >= p.until + if self.turns.waits(*key) { WAITS_FOR_ITS_TURN } else { Duration::ZERO }
        };
        let late: Vec<_> = self.pending.iter().filter(is_late).map(|(key, _)| key).collect();
        for key in late {
            let Some(pending) = self.pending.get_mut(key) else { continue };
            let turn = pending.timed_out(&self.shared, at);
            self.follow(key, turn);
        }
        self.look_for_pictures(|_| true);
    }

    /// Whoever waits for a picture of one of these streams looks whether there is one.
    fn look_for_pictures(&mut self, of: impl Fn(u64) -> bool) {
        let waiting: Vec<_> =
            self.pending.iter().filter(|(_, p)| p.awaited().is_some_and(&of)).map(|(key, _)| key).collect();
        waiting.into_iter().for_each(|key| self.is_ready(key));
    }

    /// Gives turns for a while.
    fn serve(&mut self) {
        let began = now();
        let mut at = began;
        while let Some(key) = self.turns.next() {
            let Some(pending) = self.pending.get_mut(key) else { continue };
            let (shared, scratch) = (&self.shared, &mut self.scratch);
            // Whatever goes wrong with one costs the others nothing.
            let turn = catch_unwind(AssertUnwindSafe(|| pending.turn(shared, scratch, at))).unwrap_or_else(|_| {
                log::error!("a fault of this hub ended a connection that was not admitted yet");
                Progress::Over
            });
            let after = now();
            self.turns.took(key, after.since(at));
            at = after;
            self.follow(key, turn);
            if at.since(began) >= PASS || self.stopping() {
                return;
            }
        }
    }

    fn follow(&mut self, key: usize, turn: Progress) {
        match turn {
            Progress::Waits => {}
            Progress::GoesOn => self.is_ready(key),
            Progress::Rests(until) => {
                self.pending.get_mut(key).into_iter().for_each(|pending| pending.rests = true);
                self.resting.push((until, key));
            }
            Progress::Admitted(admitted, early) => {
                if let Some(pending) = self.remove(key) {
                    let (address, transport, place) = pending.into_parts();
                    hand_over(&self.shared, transport, address, place, *admitted, early);
                }
            }
            Progress::Encrypts(early, greeting) => {
                let Some(pending) = self.remove(key) else { return };
                // It has no more time than others.
                let patience = pending.until.since(now());
                let (address, transport, place) = pending.into_parts();
                if let Err(error) = self.encrypt(transport, address, place, (early, *greeting), patience) {
                    log::info!("{address}: not admitted: {error}");
                }
            }
            Progress::Over => {
                let Some(pending) = self.remove(key) else { return };
                if let Some(why) = &pending.refused {
                    self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                    // Who said nothing, as what a browser opens in reserve, was refused nothing.
                    let level = if pending.has_spoken() { log::Level::Info } else { log::Level::Debug };
                    log::log!(level, "{}: not admitted: {why}", pending.client());
                }
            }
        }
    }

    fn remove(&mut self, key: usize) -> Option<Pending> {
        if self.pending.len() >= self.room.crowded {
            // Somebody waits for this place.
            self.main.again = Micros(0);
        }
        let mut pending = self.pending.try_remove(key)?;
        // Its place goes to the next one who comes.
        self.turns.forget(key);
        self.resting.retain(|(_, rests)| *rests != key);
        pending.transport.deregister(self.poll.registry());
        Some(pending)
    }
}
