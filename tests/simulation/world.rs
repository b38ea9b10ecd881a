//! A publisher, a hub and viewers, made of the crate's own rules, over virtual connections, stepped a millisecond at a time.

use std::collections::VecDeque;
use std::time::Duration;

use streamflow::internal::adapt::{ANY, Encoding, Ladder, Rung, Supply, Target, rungs_for};
use streamflow::internal::frame::{Picture as HubPicture, Size};
use streamflow::internal::pacing::{CongestionControl, Feedback, Pacer, PacerConfig, Path};
use streamflow::internal::relay::policy::{Choice, Newest};
use streamflow::internal::relay::renditions::Renditions;
use streamflow::internal::time::Micros;

use crate::network::{Link, Pipe};
use crate::random::Random;

pub(crate) const MS: u64 = 1_000;

/// What the camera sees: how many bytes a picture of it takes, over time.
pub(crate) struct Scene {
    random: Random,
    /// Bytes at quality 80 and full size.
    bytes: f64,
    wander: f64,
    pub(crate) changing: bool,
}

impl Scene {
    pub(crate) fn new(bytes: f64, seed: u64) -> Self {
        Self { random: Random::new(seed), bytes, wander: 1.0, changing: true }
    }

    /// The scene at the next frame: noise, slow change, and every 20 s or so something else entirely.
    fn next(&mut self) {
        if self.changing {
            self.wander = (self.wander * (1.0 + 0.01 * self.random.normal())).clamp(0.6, 1.6);
            if self.random.chance(1.0 / 600.0) {
                self.wander = self.random.between(0.6, 1.6);
            }
        }
    }

    /// Street footage's curve: bytes fall with libjpeg's table factor to the power of 0.67, and with the side to 1.55.
    fn jpeg(&mut self, e: Encoding) -> usize {
        let q = f64::from(e.quality);
        let factor = if q < 50.0 { 50.0 / q } else { 2.0 - q / 50.0 }.max(0.02);
        let noise = 1.0 + 0.03 * self.random.normal();
        (600.0
            + self.bytes * self.wander * noise * (factor / 0.4).powf(-0.67) * (f64::from(e.eighths) / 8.0).powf(1.55))
            as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Picture {
    sequence: u32,
    captured: u64,
    bytes: usize,
    rung: usize,
    encoding: Encoding,
    /// What the publisher encodes from this picture on.
    supply: Supply,
}

/// The full size of the pictures, of which nothing depends here but that it stays the same.
const SIZE: Size = Size::new(640, 480);

impl Picture {
    /// The same, as the hub keeps it.
    fn at_the_hub(&self) -> HubPicture {
        HubPicture {
            sequence: self.sequence,
            rung: self.rung as u8,
            quality: self.encoding.quality,
            captured: Micros(self.captured),
            ..HubPicture::default()
        }
    }
}

/// An acknowledgement on its way back.
#[derive(Clone, Copy, Debug)]
struct Ack {
    arrives: u64,
    sequence: u32,
    backlog: u16,
    /// How long the picture may have lain unread at the other end.
    waited: u64,
}

/// One end of a connection that is given pictures, and the connection.
pub(crate) struct Lane {
    pub(crate) pipe: Pipe,
    pub(crate) pacer: Pacer,
    /// Pictures on their way, with where they end in the stream.
    under_way: VecDeque<(u64, Picture)>,
    /// Acknowledgements on their way back.
    acks: VecDeque<Ack>,
    acknowledges: bool,
    /// Of acknowledgements, never sent.
    pub(crate) ack_loss: f64,
    random: Random,
    ask_at: u64,
    ping_at: u64,
    /// When an answer arrives, and when it was asked for.
    pongs: VecDeque<(u64, u64)>,
    pub(crate) most_under_way: usize,
}

impl Lane {
    fn new(link: Link, acknowledges: bool, config: PacerConfig, seed: u64) -> Self {
        Self {
            pipe: Pipe::new(link, seed),
            pacer: Pacer::new(config),
            under_way: VecDeque::new(),
            acks: VecDeque::new(),
            acknowledges,
            ack_loss: 0.0,
            random: Random::new(seed ^ 0xACC),
            ask_at: 0,
            ping_at: 0,
            pongs: VecDeque::new(),
            most_under_way: 0,
        }
    }

    /// What came back until `now`, of which nothing was read since a time.
    fn hear(&mut self, since: u64, now: u64) {
        while let Some(ack) = self.acks.front().copied().filter(|a| a.arrives <= now) {
            self.acks.pop_front();
            // Who reads all the time knows when it came.
            let (earliest, heard) = if since == now { (ack.arrives, ack.arrives) } else { (since, now) };
            self.pacer.acknowledged(
                ack.sequence,
                ack.backlog,
                Micros(earliest.saturating_sub(ack.waited)),
                Micros(heard),
            );
            self.ask_at = now;
        }
        if self.acknowledges && now >= self.ping_at {
            self.ping_at = now + 5_000 * MS;
            self.pacer.pinged(Micros(now));
            self.pongs.push_back((now + self.pipe.round_trip() + self.pipe.queueing() + 500, now));
        }
        while let Some(&(_, sent)) = self.pongs.front().filter(|pong| pong.0 <= now) {
            self.pongs.pop_front();
            self.pacer.round_trip(Duration::from_micros(now - sent), Micros(now));
        }
    }

    /// The network until `now`: the pictures that arrived.
    fn arrived(&mut self, now: u64) -> Vec<Picture> {
        self.pipe.advance(now);
        let mut arrived = Vec::new();
        while self.under_way.front().is_some_and(|(end, _)| *end <= self.pipe.received()) {
            arrived.extend(self.under_way.pop_front().map(|(_, picture)| picture));
        }
        arrived
    }

    /// The receiver has this picture.
    fn acknowledge(&mut self, picture: Picture, backlog: u16, waited: u64, now: u64) {
        if !self.acknowledges || self.random.chance(self.ack_loss) {
            return;
        }
        let jitter = (self.random.unit() * self.pipe.link.jitter as f64) as u64;
        // A lost segment on the way back holds up the acknowledgements behind it.
        let lost = if self.random.chance(self.pipe.link.loss) { self.pipe.round_trip() * 3 / 2 } else { 0 };
        let at = (now + self.pipe.link.delay + jitter + lost).max(self.acks.back().map_or(0, |a| a.arrives));
        self.acks.push_back(Ack { arrives: at, sequence: picture.sequence, backlog, waited });
    }

    /// Whether the pacer lets a picture go now.
    fn may_give(&mut self, interval: Duration, now: u64) -> bool {
        if now < self.ask_at {
            return false;
        }
        let later = self.pacer.ask(Micros(now), interval, &mut self.pipe);
        self.ask_at = later.map_or(self.ask_at, |later| later.0);
        later.is_none()
    }

    fn give(&mut self, picture: Picture, now: u64) {
        let bytes = Pipe::padded(picture.bytes);
        self.pacer.given(picture.sequence, bytes, Micros(now));
        let end = self.pipe.write(bytes as u64, now);
        self.under_way.push_back((end, picture));
        self.most_under_way = self.most_under_way.max(self.pacer.under_way());
    }
}

impl Path for Pipe {
    fn feedback(&mut self) -> Option<Feedback> {
        Some(self.kernel())
    }

    fn control(&mut self, control: CongestionControl) {
        self.bbr = control == CongestionControl::Bbr;
    }
}

/// What a viewer saw of one picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: u64,
    pub(crate) age: u64,
    pub(crate) bytes: usize,
    pub(crate) quality: u8,
    pub(crate) eighths: u8,
}

impl Seen {
    fn new(picture: Picture, at: u64) -> Self {
        Self {
            at,
            age: at - picture.captured,
            bytes: picture.bytes,
            quality: picture.encoding.quality,
            eighths: picture.encoding.eighths,
        }
    }
}

pub(crate) struct Viewer {
    pub(crate) lane: Lane,
    policy: Newest,
    target: Target,
    /// How long decoding takes, in microseconds.
    pub(crate) decode: u64,
    decoder: (Option<Picture>, Option<(Picture, u64)>),
    /// Pictures that arrived, and those of them that were decoded and shown.
    pub(crate) seen: Vec<Seen>,
    pub(crate) shown: Vec<Seen>,
    pub(crate) replaced: u64,
}

impl Viewer {
    pub(crate) fn new(link: Link, acknowledges: bool, seed: u64) -> Self {
        let mut lane = Lane::new(link, acknowledges, PacerConfig::default(), seed);
        if acknowledges {
            lane.pacer.expect_acknowledgements();
        }
        Self {
            policy: Newest::default(),
            target: lane.pacer.target(),
            lane,
            decode: 0,
            decoder: (None, None),
            seen: Vec::new(),
            shown: Vec::new(),
            replaced: 0,
        }
    }

    fn step(&mut self, now: u64) {
        for picture in self.lane.arrived(now) {
            let backlog = u16::from(self.decoder.0.is_some());
            self.replaced += u64::from(backlog);
            self.decoder.0 = Some(picture);
            self.seen.push(Seen::new(picture, now));
            self.lane.acknowledge(picture, backlog, 0, now);
        }
        if let Some((picture, done)) = self.decoder.1.filter(|(_, done)| *done <= now) {
            self.decoder.1 = None;
            self.shown.push(Seen::new(picture, done));
        }
        if self.decoder.1.is_none() {
            self.decoder.1 = self.decoder.0.take().map(|picture| (picture, now + self.decode));
        }
    }
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) scene: Scene,
    pub(crate) interval: Duration,
    pub(crate) uplink: Lane,
    pub(crate) viewers: Vec<Viewer>,
    next_frame: u64,
    sequence: u32,
    ladder: Ladder,
    /// Encoded and not yet given to the uplink.
    encoded: Vec<Picture>,
    /// What is left of the frame that is being given.
    rest: VecDeque<Picture>,
    /// The demand as the publisher knows it, and as it is on its way.
    demand: Vec<Rung>,
    demanded: VecDeque<(u64, Vec<Rung>)>,
    rungs: Vec<Rung>,
    /// What the hub has of each rung, and the last pictures that it got.
    renditions: Renditions,
    supply: Supply,
    came: VecDeque<Picture>,
    pub(crate) rung_changes: u64,
    /// How long each turn of the hub takes, in microseconds, by when it begins.
    pub(crate) turn: fn(u64) -> u64,
    /// When the hub's last turn began, and when the next does.
    turns: (u64, u64),
}

impl World {
    /// A publisher beside its hub, and these viewers.
    pub(crate) fn new(mut viewers: Vec<Viewer>, bytes: f64, seed: u64) -> Self {
        let beside = Link::new(1_000.0, 0.1);
        let mut renditions = Renditions::default();
        renditions.demanded(&[Rung::default()], Micros(0));
        for viewer in &mut viewers {
            viewer.target = viewer.lane.pacer.target();
        }
        Self {
            now: 0,
            scene: Scene::new(bytes, seed),
            interval: Duration::from_micros(33_333),
            uplink: Lane::new(beside, true, PacerConfig::default(), seed + 1),
            viewers,
            next_frame: MS,
            sequence: 0,
            ladder: Ladder::new(80, 25),
            encoded: Vec::new(),
            rest: VecDeque::new(),
            demand: vec![Rung::default()],
            demanded: VecDeque::new(),
            rungs: vec![Rung::default()],
            renditions,
            supply: Supply::default(),
            came: VecDeque::new(),
            rung_changes: 0,
            turn: |_| 0,
            turns: (0, 0),
        }
    }

    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.now + (seconds * 1e6) as u64;
        while self.now < end {
            self.now += MS;
            self.publisher();
            if self.now >= self.turns.1 {
                let before = std::mem::replace(&mut self.turns.0, self.now);
                let turn = (self.turn)(self.now);
                self.turns.1 = self.now + turn;
                self.hub(if before + 2 * MS < self.now { before } else { self.now });
            }
            for viewer in &mut self.viewers {
                viewer.step(self.now);
            }
        }
    }

    fn publisher(&mut self) {
        self.uplink.hear(self.now, self.now);
        while self.demanded.front().is_some_and(|d| d.0 <= self.now) {
            self.demand = self.demanded.pop_front().map(|d| d.1).unwrap_or_default();
        }
        if self.now >= self.next_frame {
            self.next_frame += self.interval.as_micros() as u64;
            self.sequence += 1;
            self.scene.next();
            self.encode();
            self.uplink.ask_at = self.now;
        }
        self.uplink.pipe.advance(self.now);
        // As a publisher does: the rungs of a frame one after the other, and then those of the newest.
        while !(self.rest.is_empty() && self.encoded.is_empty()) && self.uplink.may_give(self.interval, self.now) {
            if self.rest.is_empty() {
                self.rest.extend(self.encoded.drain(..));
            }
            self.rest.pop_front().into_iter().for_each(|picture| self.uplink.give(picture, self.now));
        }
    }

    /// As a publisher does, with a scene for its encoder.
    fn encode(&mut self) {
        let now = Micros(self.now);
        let carries = self.uplink.pacer.target().bytes;
        let mut plan = self.ladder.plan(&self.demand, SIZE, false, carries);
        self.encoded.clear();
        while let Some(mut step) = self.ladder.next(&mut plan, now) {
            let bytes = loop {
                let bytes = self.scene.jpeg(step.encoding);
                if !self.ladder.again(&mut step, bytes, now) {
                    break bytes;
                }
            };
            let supply = self.ladder.done(&mut plan, &step, bytes);
            let (sequence, captured) = (self.sequence, self.now);
            let (rung, encoding) = (step.place, step.encoding);
            self.encoded.push(Picture { sequence, captured, bytes, rung, encoding, supply });
        }
    }

    /// A turn of the hub, which has read nothing since a time.
    fn hub(&mut self, since: u64) {
        for viewer in &mut self.viewers {
            viewer.lane.pipe.advance(self.now);
            viewer.lane.hear(since, self.now);
        }
        for picture in self.uplink.arrived(self.now) {
            self.uplink.acknowledge(picture, 0, self.now - since, self.now);
            if picture.supply != self.supply {
                self.supply = picture.supply;
                self.renditions.supplied(&self.supply);
            }
            self.renditions.put(picture.at_the_hub());
            self.came.push_back(picture);
            if self.came.len() > 1024 {
                self.came.pop_front();
            }
            for viewer in &mut self.viewers {
                viewer.lane.ask_at = self.now;
            }
        }
        for viewer in &mut self.viewers {
            let choice = viewer.policy.choose(&self.renditions, viewer.target, Micros(self.now));
            let Choice::Picture(chosen) = choice else { continue };
            let may = viewer.lane.may_give(self.interval, self.now);
            viewer.target = viewer.lane.pacer.target();
            if may {
                let is = |p: &&Picture| (p.sequence, p.rung) == (chosen.sequence, chosen.rung.into());
                let Some(picture) = self.came.iter().rev().find(is).copied() else {
                    unreachable!("the hub has what it chose")
                };
                viewer.policy.gave(chosen);
                viewer.lane.give(picture, self.now);
            }
        }
        let targets: Vec<Target> = self.viewers.iter().map(|v| v.target).collect();
        let rungs = rungs_for(&targets, &self.rungs);
        if rungs != self.rungs {
            self.rung_changes += 1;
            self.renditions.demanded(&rungs, Micros(self.now));
            self.demanded.push_back((self.now + self.uplink.pipe.link.delay, rungs.clone()));
            self.rungs = rungs;
        }
    }
}

/// No adaptation.
pub(crate) fn fixed() -> PacerConfig {
    PacerConfig { adapt: false, ..PacerConfig::default() }
}

/// Whether a need is bounded.
pub(crate) fn bounded(lane: &Lane) -> bool {
    lane.pacer.fits() != ANY
}
