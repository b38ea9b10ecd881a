//! Delivery: a few threads, each with its share of the connections, on sockets that never block.
//!
//! A picture is laid out once and shared by all. A loop takes the newest picture for a viewer only when that viewer
//! can take one: there is no queue, so a slow viewer gets fewer pictures, never older ones, and costs the others
//! nothing.

mod claim;
mod claims;
mod give_out;
mod inbox;
mod member;
mod newcomer;
mod peer;
mod read_turn;
mod restart;
mod subscribers;
mod subscription;
mod tick;
mod turns;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};
use slab::Slab;

pub(super) use self::inbox::{Command, Handle};
use self::inbox::{Fresh, WAKER};
pub(super) use self::newcomer::{Admitted, Newcomer, Purpose};
use self::peer::{Peer, PeerRole};
use self::read_turn::ReadBuffers;
use self::subscribers::Subscribers;
use self::tick::Ticks;
use self::turns::Turns;
use super::Shared;
use super::memory::Full;
use crate::net::connection::{ConnectionError, Drained};
use crate::relay::{ConnectionId, Refusal};
use crate::time::{Micros, now};
use crate::wire::control::{Cause, Control};

/// A poll that takes longer has waited.
const SLEPT: Duration = Duration::from_micros(100);
const SCRATCH: usize = 256 * 1024;
/// Fresh pictures wait so long at most for what others say, however many they are.
const PICTURES_WAIT: Duration = Duration::from_millis(1);
/// How long those of whom the poll tells are read before it is asked again: publishers have their turn between a few who send
/// megabytes of text each.
const PASS: Duration = Duration::from_millis(5);
/// How long those who say more than one turn takes are read before the others have another turn.
const READ_ON: Duration = Duration::from_millis(2);

/// What a program is told of a refusal.
fn cause_of(refusal: &Refusal) -> Cause {
    if let Refusal::Denied(denied) = refusal { denied.cause() } else { Cause::Refused }
}

struct Loop {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    peers: Slab<Peer>,
    tokens: HashMap<ConnectionId, usize>,
    subscribers: BTreeMap<u64, Subscribers>,
    /// What is to be done, out of the inbox.
    commands: VecDeque<Command>,
    /// What this loop has not given out yet.
    fresh: Fresh,
    /// Connections with more to read than one turn took.
    turns: Turns,
    /// When pictures were given out last.
    gave: Micros,
    /// Viewers that wait until a point in time.
    paced: Vec<usize>,
    scratch: Vec<u8>,
    buffers: ReadBuffers,
    /// What the sockets have to say now came after this time.
    came_since: Micros,
    /// Time not spent waiting since `judged`, and what came of the last look at it.
    worked: Duration,
    judged: Micros,
    busy: Option<u8>,
    ticks: Ticks,
    next_look: Micros,
    next_summary: Micros,
    /// What was summed up last: while nothing happens nothing is said.
    summed_up: String,
}

/// Serves until the hub stops.
pub(super) fn run(shared: Arc<Shared>, index: usize, poll: Poll) {
    let start = now();
    let mut this = Loop {
        shared,
        index,
        poll,
        peers: Slab::new(),
        tokens: HashMap::new(),
        subscribers: BTreeMap::new(),
        commands: VecDeque::new(),
        fresh: Fresh::default(),
        turns: Turns::default(),
        gave: start,
        paced: Vec::new(),
        scratch: vec![0; SCRATCH],
        buffers: ReadBuffers::default(),
        came_since: start,
        worked: Duration::ZERO,
        judged: start,
        busy: None,
        ticks: Ticks::new(start),
        next_look: start,
        next_summary: start + tick::SUMMARY,
        summed_up: String::new(),
    };
    this.serve_for_good();
    this.stop();
}

impl Loop {
    /// Serves until the hub stops.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut worked = now();
        let mut returned = worked;
        while !self.shared.stopping.load(Ordering::Acquire) {
            let wait = self.wait();
            let entered = now();
            self.worked += entered.since(worked);
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            worked = now();
            // Who slept was woken by what came. Who did not may find what came any time since the last look.
            let before = std::mem::replace(&mut returned, worked);
            self.came_since = if worked.since(entered) > SLEPT { worked } else { before };
            self.pictures_first(worked);
            let mut at = worked;
            for event in &events {
                if event.token() != WAKER {
                    self.ready(event, at, at.since(worked) < PASS);
                    at = self.look_for_pictures();
                }
            }
            self.read_on();
            self.give_out();
            self.go_on_pacing();
            self.tell_targets();
            self.tick();
        }
        Ok(())
    }

    fn handle(&self) -> &Handle {
        &self.shared.loops[self.index]
    }

    fn wait(&self) -> Option<Duration> {
        if !self.fresh.is_empty() || !self.commands.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.peers.is_empty() {
            let absent = || self.shared.has_posted() || self.shared.has_pollers();
            return (self.index == 0 && absent()).then_some(Duration::from_secs(1));
        }
        let at = now();
        let paced = self.paced.iter().filter_map(|t| self.peers.get(*t)?.paced_until()).min();
        let first = [paced, self.turns.next_at()].into_iter().flatten().fold(self.ticks.next(), Micros::min);
        Some(first.since(at))
    }

    /// Pictures are what everybody waits for.
    fn pictures_first(&mut self, at: Micros) {
        self.gave = at;
        self.take_inbox();
        self.give_out();
    }

    /// Between two connections that are served: pictures do not wait for all that the others say. Says what time it is.
    fn look_for_pictures(&mut self) -> Micros {
        let at = now();
        if at.since(self.gave) >= PICTURES_WAIT {
            self.pictures_first(at);
        }
        at
    }

    /// Goes on with those that said more than one turn took, for a while: whoever says little has its turn before them.
    fn read_on(&mut self) {
        if self.turns.len() == 0 {
            return;
        }
        let began = now();
        let mut at = began;
        for _ in 0..self.turns.len() {
            let Some(token) = self.turns.next(began) else { return };
            let Some(peer) = self.peers.get_mut(token) else { continue };
            peer.reads_on = false;
            self.read(token, at);
            at = self.look_for_pictures();
            if at.since(began) >= READ_ON {
                return;
            }
        }
    }

    fn take_inbox(&mut self) {
        let inbox = self.handle().take();
        self.fresh.extend(inbox.fresh);
        self.commands.extend(inbox.commands);
        while let Some(command) = self.commands.pop_front() {
            match command {
                Command::Adopt(newcomer) => self.adopt(*newcomer),
                Command::Tell(id, control) => self.with(id, |peer| peer.tell(&control)),
                Command::Close(id, control) => self.with(id, |peer| peer.say_bye(&control)),
                Command::Watch(id, stream) => self.watch(id, &stream),
                Command::Evict(id) => self.with(id, |_| Err(full())),
                Command::Challenge(owner, asker) => self.challenge(owner, asker),
                Command::Verdict(id, free) => self.verdict(id, free),
                Command::Text(id, text) => self.with(id, |peer| peer.text(&text)),
                Command::Dismiss(id, code, why) => self.with(id, |peer| peer.dismiss(code, why)),
                Command::See(member, stream, opening) => self.see(member, &stream, opening),
                Command::SeeNoMore(member, key) => self.see_no_more(member, &key),
                Command::Answer(answers) => answers.here(),
                #[cfg(test)]
                Command::Hang(until) => drop(until.recv()),
                #[cfg(test)]
                Command::Panic => panic!("a test wants it"),
            }
        }
    }

    /// Does something with a connection, and drops it if that fails.
    fn with(&mut self, id: ConnectionId, act: impl FnOnce(&mut Peer) -> Result<(), ConnectionError>) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(peer) = self.peers.get_mut(token) else { return };
        if let Err(why) = act(peer) {
            self.remove(token, &why);
        }
    }

    fn adopt(&mut self, newcomer: Newcomer) {
        let (mut peer, purpose, mut early) = Peer::new(newcomer, self.shared.config.bridge_times, now());
        let place = self.peers.vacant_entry();
        let token = place.key();
        if let Err(error) = peer.connection.transport.register(self.poll.registry(), Token(token)) {
            log::warn!("{}: {error}", peer.address);
            self.handle().connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let id = peer.id;
        self.tokens.insert(id, token);
        place.insert(peer);
        self.shared.totals.open.fetch_add(1, Ordering::Relaxed);
        if let Err(refusal) = self.begin(token, purpose) {
            self.refuse(token, &refusal);
            return;
        }
        let Some(peer) = self.peers.get_mut(token) else { return };
        let mut reading = self.buffers.begin(&self.shared, now());
        let fed = peer.feed(&mut reading, &mut early);
        let at = reading.at;
        self.buffers.note(&self.shared, self.index, &mut self.fresh);
        match fed {
            Ok(()) => self.read(token, at),
            Err(why) => self.remove(token, &why),
        }
    }

    fn refuse(&mut self, token: usize, refusal: &Refusal) {
        let Some(peer) = self.peers.get(token) else { return };
        log::info!("{}: refused: {refusal}", peer.address);
        let id = peer.id;
        self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
        let bye = Control::Bye { cause: cause_of(refusal), reason: refusal.to_string() };
        self.with(id, |peer| peer.say_bye(&bye));
    }

    fn begin(&mut self, token: usize, purpose: Purpose) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get_mut(token) else { return Ok(()) };
        let (id, shared) = (peer.id, self.shared.clone());
        match purpose {
            Purpose::Publish { grant, replace, instance } => {
                if let Err(refusal) = shared.publish(id, &grant, replace, instance) {
                    let waits = self.claim(token, grant, instance, &refusal);
                    return if waits { Ok(()) } else { Err(refusal) };
                }
                let key = &grant.0;
                let stream = shared.stream(key);
                log::info!("{}: publishes {key}", peer.address);
                peer.publish(stream);
                shared.demanded_already(key);
                let _ = peer.welcome(key, &shared.config);
                shared.show_in_room(key);
            }
            Purpose::Join { grant, called } => {
                log::debug!("{}: is in room {}", peer.address, grant.0);
                peer.join(&grant, &called, shared.config.bridge_times);
                if let Err(reason) = shared.join_room(id, &grant, &called, peer.address.ip()) {
                    log::info!("{}: not let into room {}: {reason}", peer.address, grant.0);
                    shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                    let bye = Control::Bye { cause: Cause::Refused, reason };
                    let _ = peer.say_bye(&bye);
                }
            }
            Purpose::Watch(grant) => {
                // What follows from the decision comes through this loop's own inbox, so after the welcome.
                shared.decide(|rooms| rooms.watch(id, &grant, now()))?;
                let _ = peer.welcome(&grant.0, &shared.config);
                log::debug!("{}: watches {}", peer.address, grant.0);
            }
        }
        Ok(())
    }

    /// Serves a connection of which the poll tells. Where it is not read at once, its turn comes later.
    fn ready(&mut self, event: &Event, at: Micros, at_once: bool) {
        let token = event.token().0;
        if event.is_writable() {
            let Some(peer) = self.peers.get_mut(token) else { return };
            match peer.flush(at) {
                Ok(()) => self.offer_newest(token, at),
                Err(why) => return self.remove(token, &why),
            }
        }
        let readable = event.is_readable() || event.is_read_closed() || event.is_error();
        let Some(peer) = self.peers.get_mut(token).filter(|_| readable) else { return };
        peer.unread_since.get_or_insert(self.came_since);
        // Who is to be read on in any case has no turn before its turn.
        if peer.reads_on {
            return;
        }
        if at_once {
            self.read(token, at);
        } else {
            peer.reads_on = self.turns.was_read(token, Some(at));
        }
    }

    fn read(&mut self, token: usize, at: Micros) {
        let Some(peer) = self.peers.get_mut(token) else { return };
        let mut reading = self.buffers.begin(&self.shared, at);
        let read = peer.read(&mut reading, &mut self.scratch);
        let at = reading.at;
        self.buffers.note(&self.shared, self.index, &mut self.fresh);
        let read = read.and_then(|drained| peer.account_for().map(|()| drained));
        match read {
            Ok(Drained::Yes) => {}
            Ok(drained) => peer.reads_on = self.turns.was_read(token, drained.reads_at(at)),
            Err(why) => return self.remove(token, &why),
        }
        // An acknowledgement may have opened the way for the next picture.
        self.offer_newest(token, at);
    }

    /// Ends what somebody does here, and the connection: at once, or when it has read why.
    fn remove(&mut self, token: usize, why: &ConnectionError) {
        self.unsubscribe(token);
        let Some(peer) = self.peers.get_mut(token) else { return };
        let id = peer.id;
        // From here on nothing reaches it. Whoever is not to be found any more has only been reading why.
        if self.tokens.remove(&id).is_none() {
            return self.close(token);
        }
        let lingers = peer.end(&self.shared, why, now());
        peer.publishing.claim = None;
        let askers = peer.publishing.challenge.take().map(|challenge| challenge.askers).unwrap_or_default();
        let published = peer.published().map(|stream| stream.key.clone());
        let role = std::mem::replace(&mut peer.role, PeerRole::None);
        if !lingers {
            self.close(token);
        } else if !peer.reads_on {
            // What made it end may have been read with more behind it, of which no event tells.
            peer.reads_on = self.turns.was_read(token, Some(now()));
        }
        let reason = if published.is_some() { "publisher gone" } else { "" };
        // Leaving cannot be refused.
        let _ = self.shared.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.leave(id, reason, now())));
        self.answer(askers, true);
        if let Some(key) = published {
            self.shared.hide_in_room(&key);
        }
        if let PeerRole::Member(member) = &role {
            self.shared.leave_room(id, &member.grant.0.room);
        }
    }

    /// Closes a connection that is to hear nothing more.
    fn close(&mut self, token: usize) {
        let Some(mut peer) = self.peers.try_remove(token) else { return };
        // Its token goes to the next one who comes.
        self.paced.retain(|t| *t != token);
        self.turns.forget(token);
        peer.connection.transport.deregister(self.poll.registry());
        self.handle().connections.fetch_sub(1, Ordering::Relaxed);
        self.shared.totals.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Says goodbye to everybody, without waiting for those who do not listen.
    fn stop(mut self) {
        // The last pictures of a publisher that ended with this process.
        let fresh = self.handle().take().fresh;
        self.fresh.extend(fresh);
        self.give_out();
        let bye = Control::Bye { cause: Cause::Stopping, reason: "the hub stops".into() };
        for (_, peer) in &mut self.peers {
            if peer.say_bye(&bye).is_ok() {
                peer.connection.transport.finish();
            }
            peer.end(&self.shared, &ConnectionError::Closed, now());
        }
    }
}

fn full() -> ConnectionError {
    ConnectionError::Full(Full.to_string())
}
