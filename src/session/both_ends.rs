//! Client and server against each other: over paths of every length, with and without loss, and with whatever can happen at
//! any moment of a session. The hub's clock is another one.

use super::DEAD_AFTER;
use super::client::{self, Client, GREETING};
use super::server::{self, Arrival, Server};
use super::steps::{Chance, Way};
use crate::frame::Picture;
use crate::time::{Micros, PeerMicros};
use crate::wire::control::{Cause, Control, Hello, Role, ViewRequest};
use crate::wire::packet::Packet;

/// The hub's clock is ahead by so many milliseconds.
const AHEAD: u64 = 77_000_000;
/// From picture to picture.
const APART: u64 = 33;
/// What an age may be wrong by while nothing says that it is an estimate, in milliseconds.
const RIGHT: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    HubSaysBye,
    ClientSaysBye,
    BothSayBye,
    Cut,
}

/// What one end had of the other.
#[derive(Default)]
struct Seen {
    pictures: Vec<u32>,
    acknowledged: Vec<u32>,
    worst: u64,
    ends: usize,
    /// It ended by what the other end said, and not by silence.
    told: bool,
    violations: usize,
}

struct Sessions {
    client: Client,
    server: Option<Server>,
    up: Way<Packet>,
    down: Way<Packet>,
    chance: Chance,
    role: Role,
    /// In milliseconds by the right clock, which is the client's.
    at: u64,
    answered_after: u64,
    hello_at: Option<u64>,
    cut: bool,
    client_left: bool,
    hub: Seen,
    peer: Seen,
}

fn ours(ms: u64) -> Micros {
    Micros(1_000_000_000 + ms * 1000)
}

fn theirs(ms: u64) -> Micros {
    ours(ms + AHEAD)
}

impl Sessions {
    fn new(role: Role, takes: u64, lost: u64, seed: u64) -> Self {
        let hello = Hello { role, ..Hello::to_view("main", "door", "test", ViewRequest::default()) };
        Self {
            client: Client::new(hello, ours(0)),
            server: None,
            up: Way::new(takes, lost),
            down: Way::new(takes, lost),
            chance: Chance(seed),
            role,
            at: 0,
            answered_after: 0,
            hello_at: None,
            cut: false,
            client_left: false,
            hub: Seen::default(),
            peer: Seen::default(),
        }
    }

    fn send_up(&mut self, packet: Packet) {
        self.up.send(self.at, 1, packet, &mut self.chance);
    }

    fn send_down(&mut self, packet: Packet) {
        self.down.send(self.at, 1, packet, &mut self.chance);
    }

    /// A millisecond goes by.
    fn step(&mut self) {
        self.hub_hears();
        if !self.client_left {
            self.client_hears();
        }
        if self.at.is_multiple_of(APART) {
            self.give_picture();
        }
        self.at += 1;
    }

    fn hub_hears(&mut self) {
        let now = theirs(self.at);
        while let Some(packet) = self.up.arrived(self.at).filter(|_| !self.cut) {
            let Some(server) = &mut self.server else {
                assert!(matches!(packet, Packet::Control(Control::Hello(_))), "{packet:?}");
                self.server = Some(Server::new(self.role, now));
                self.hello_at = Some(self.at);
                continue;
            };
            server.handle_bytes(now);
            server.handle_packet(packet, Arrival { began: now, since: now }, now);
        }
        let Some(server) = &mut self.server else { return };
        if self.hello_at.is_some_and(|at| at + self.answered_after == self.at) {
            let (room, name, program) = ("main".into(), "door".into(), "hub".into());
            server
                .accept(Control::Welcome { room, name, program, max_picture: 0, max_pixels: 0, can: Vec::new() }, now);
        }
        if self.at.is_multiple_of(100) {
            server.handle_timeout(now);
        }
        while let Some(event) = server.poll_event() {
            assert_eq!(self.hub.ends, 0, "{event:?} after the end");
            match event {
                server::Event::Picture(picture) => {
                    self.hub.pictures.push(picture.sequence);
                    // It was captured when its number says.
                    let wrong = theirs(u64::from(picture.sequence) * APART).0.abs_diff(picture.captured.0) / 1000;
                    if !picture.estimated {
                        self.hub.worst = self.hub.worst.max(wrong);
                    }
                }
                server::Event::Acknowledged { sequence, .. } => self.hub.acknowledged.push(sequence),
                server::Event::Ended(end) => {
                    self.hub.ends += 1;
                    self.hub.told = matches!(end, server::End::Goodbye);
                    self.hub.violations += usize::from(matches!(end, server::End::Violation(_)));
                }
                _ => {}
            }
        }
        while let Some(control) = self.server.as_mut().and_then(|server| server.poll_transmit(true, now)) {
            self.send_down(Packet::Control(control));
        }
    }

    fn client_hears(&mut self) {
        let now = ours(self.at);
        while let Some(packet) = self.down.arrived(self.at).filter(|_| !self.cut) {
            self.client.handle_packet(packet, now);
            self.client.handle_bytes(now);
        }
        if self.client.poll_timeout() <= now {
            self.client.handle_timeout(now);
        }
        while let Some(event) = self.client.poll_event() {
            assert_eq!(self.peer.ends, 0, "{event:?} after the end");
            match event {
                client::Event::Picture(picture) => {
                    let wrong = ours(u64::from(picture.sequence) * APART).0.abs_diff(picture.captured.0) / 1000;
                    if !picture.estimated {
                        self.peer.worst = self.peer.worst.max(wrong);
                    }
                    self.peer.pictures.push(picture.sequence);
                    let ack = Control::Ack { sequence: picture.sequence, backlog: 0, waited: 0 };
                    self.up.send(self.at, 1, Packet::Control(ack), &mut self.chance);
                }
                client::Event::Acknowledged { sequence, .. } => self.peer.acknowledged.push(sequence),
                client::Event::Ended(end) => {
                    self.peer.ends += 1;
                    self.peer.told = matches!(end, client::End::Goodbye(_));
                    self.peer.violations += usize::from(matches!(end, client::End::Refused(_)));
                }
                _ => {}
            }
        }
        while let Some(control) = self.client.poll_transmit() {
            self.send_up(Packet::Control(control));
        }
    }

    /// Whoever has pictures sends one, captured now by its own clock.
    fn give_picture(&mut self) {
        let sequence = u32::try_from(self.at / APART).unwrap();
        let welcomed = self.hello_at.is_some_and(|at| at + self.answered_after < self.at);
        if self.role == Role::Publish && self.client.is_open() && !self.client_left {
            let picture = Picture { sequence, ..Picture::default() };
            self.send_up(Packet::Picture(picture, PeerMicros(ours(self.at).0)));
        } else if self.role == Role::View && welcomed && self.hub.ends == 0 {
            let picture = Picture { sequence, ..Picture::default() };
            self.send_down(Packet::Picture(picture, PeerMicros(theirs(self.at).0)));
        }
    }

    fn run(&mut self, until: u64) {
        while self.at < until {
            self.step();
        }
    }

    fn happens(&mut self, fault: Fault) {
        let bye = || Control::Bye { cause: Cause::Stopping, reason: String::new() };
        if matches!(fault, Fault::HubSaysBye | Fault::BothSayBye)
            && let Some(server) = &mut self.server
        {
            server.tell(bye(), true, theirs(self.at));
            // As a hub does it: the connection closes behind the goodbye.
            self.hub.ends += 1;
        }
        if matches!(fault, Fault::ClientSaysBye | Fault::BothSayBye) {
            self.send_up(Packet::Control(bye()));
            self.client_left = fault == Fault::ClientSaysBye;
            self.peer.ends += usize::from(self.client_left);
        }
        self.cut = fault == Fault::Cut;
    }
}

const PATHS: [(u64, u64); 6] = [(0, 0), (1, 0), (20, 0), (75, 2), (150, 0), (150, 5)];

#[test]
fn on_every_path_pictures_are_dated_in_the_others_clock_and_each_is_acknowledged_once() {
    for (seed, (takes, lost)) in PATHS.into_iter().enumerate() {
        for role in [Role::Publish, Role::View] {
            let mut both = Sessions::new(role, takes, lost, seed as u64);
            both.run(20_000);
            let (gets, gives) = if role == Role::Publish { (&both.hub, &both.peer) } else { (&both.peer, &both.hub) };
            let path = format!("{role:?}, {takes} ms, {lost} %");
            assert!(gets.worst <= RIGHT, "{path}: off by {} ms", gets.worst);
            assert!(gets.pictures.len() > 500 && gets.pictures.is_sorted_by(|a, b| a + 1 == *b), "{path}");
            assert!(gets.pictures.starts_with(&gives.acknowledged), "{path}");
            assert!(gives.acknowledged.len() > 400 && both.hub.ends + both.peer.ends == 0, "{path}");
        }
    }
}

#[test]
fn whatever_happens_at_any_moment_both_ends_end_once_and_neither_blames_the_other() {
    for fault in [Fault::HubSaysBye, Fault::ClientSaysBye, Fault::BothSayBye, Fault::Cut] {
        for role in [Role::Publish, Role::View] {
            for moment in (1..1000).step_by(7) {
                let mut both = Sessions::new(role, 20, 2, moment);
                both.answered_after = moment % 300;
                both.run(moment);
                both.happens(fault);
                // Two seconds are enough for a goodbye that was lost once.
                let dead = DEAD_AFTER.max(GREETING).as_secs() * 1000;
                both.run(moment + if fault == Fault::Cut { dead + 1000 } else { 2000 });
                let (hub, peer) = (&both.hub, &both.peer);
                let what = format!("{fault:?} at {moment} ms as {role:?}");
                let began = both.hello_at.is_some_and(|at| at < moment);
                let answered = both.hello_at.is_some_and(|at| at + both.answered_after < moment);
                assert_eq!((hub.violations, peer.violations), (0, 0), "{what}");
                match fault {
                    // A hub that did not get as far as to answer ends it by its own deadline, and says nothing before the hello.
                    Fault::Cut => assert!(peer.ends == 1 && (hub.ends == 1 || !answered), "{what}: {}", hub.ends),
                    Fault::HubSaysBye => assert!(peer.told && peer.ends == 1 || !began, "{what}: {}", peer.ends),
                    Fault::ClientSaysBye => assert!(hub.told && hub.ends == 1, "{what}: {}", hub.ends),
                    Fault::BothSayBye => assert!(hub.ends == 1 && (peer.told || !began), "{what}: {}", hub.ends),
                }
            }
        }
    }
}

#[test]
fn an_answer_may_take_its_time_and_nothing_is_said_before_it() {
    for (after, is_in_time) in [(0, true), (100, true), (4900, true), (5100, false)] {
        for role in [Role::Publish, Role::View] {
            let mut both = Sessions::new(role, 20, 0, after);
            both.answered_after = after;
            both.run(8000);
            assert_eq!(both.client.is_open(), is_in_time, "{after}");
            assert_eq!((both.peer.ends == 0, both.hub.violations), (is_in_time, 0), "{after}");
        }
    }
}
