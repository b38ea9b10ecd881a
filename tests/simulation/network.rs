//! A TCP connection over one bottleneck, segment by segment, on a virtual clock.
//!
//! What is modelled: the kernel's send buffer, a congestion window (halved by losses, or not, as BBR), a drop-tail queue at
//! the bottleneck, serialisation at the link's rate of that moment, propagation with jitter (in order), random loss with
//! selective acknowledgement and retransmission after a quarter more than a round trip, delivery in order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use streamflow::internal::pacing::Feedback;

use crate::random::Random;

const SEGMENT: u64 = 1_448;

/// How a link is now. It may change at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Bytes a second.
    pub(crate) rate: f64,
    /// One way, in microseconds.
    pub(crate) delay: u64,
    /// Up to so much more, in microseconds.
    pub(crate) jitter: u64,
    /// Of segments, 0 to 1.
    pub(crate) loss: f64,
    /// Bytes that the bottleneck holds.
    pub(crate) queue: u64,
}

impl Link {
    pub(crate) fn new(mbit: f64, delay_ms: f64) -> Self {
        Self { rate: mbit * 125_000.0, delay: (delay_ms * 1e3) as u64, jitter: 0, loss: 0.0, queue: 256 * 1024 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A segment reaches the receiver.
    Arrives(u64),
    /// Its acknowledgement reaches the sender.
    Acknowledged(u64),
    /// The sender notices that it is lost.
    Missed(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Under,
    /// Known to be lost, sent again or not.
    Lost,
    Sacked,
}

/// One direction of a connection.
pub(crate) struct Pipe {
    pub(crate) link: Link,
    /// Losses do not close the window.
    pub(crate) bbr: bool,
    random: Random,
    /// Bytes given to the kernel, and bytes sent at least once.
    written: u64,
    sent: u64,
    again: VecDeque<u64>,
    window: f64,
    in_flight: u64,
    /// Segments from the first unacknowledged on.
    first: u64,
    segments: VecDeque<Segment>,
    sacked: u64,
    lost: u64,
    queue: VecDeque<u64>,
    /// When the segment at the head of the queue will have left.
    head: Option<u64>,
    last_arrival: u64,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    /// What the receiver has: all segments before `next`, and some after.
    next: u64,
    early: VecDeque<bool>,
    pub(crate) counts: (u32, u32),
    ended_recovery: u64,
}

impl Pipe {
    pub(crate) fn new(link: Link, seed: u64) -> Self {
        Self {
            link,
            bbr: false,
            random: Random::new(seed),
            written: 0,
            sent: 0,
            again: VecDeque::new(),
            window: 10.0,
            in_flight: 0,
            first: 0,
            segments: VecDeque::new(),
            sacked: 0,
            lost: 0,
            queue: VecDeque::new(),
            head: None,
            last_arrival: 0,
            events: BinaryHeap::new(),
            next: 0,
            early: VecDeque::new(),
            counts: (0, 0),
            ended_recovery: 0,
        }
    }

    /// Bytes as they are written here, in whole segments.
    pub(crate) fn padded(bytes: usize) -> usize {
        bytes.div_ceil(SEGMENT as usize) * SEGMENT as usize
    }

    /// Gives [`padded`](Self::padded) bytes to the kernel. Returns where they end in the stream.
    pub(crate) fn write(&mut self, bytes: u64, now: u64) -> u64 {
        self.written += bytes / SEGMENT;
        self.send(now);
        self.written
    }

    /// How much of the stream the receiver has without a gap, in the unit of [`Self::write`].
    pub(crate) fn received(&self) -> u64 {
        self.next
    }

    pub(crate) fn round_trip(&self) -> u64 {
        2 * self.link.delay
    }

    /// How long a byte that is written now waits before it leaves the bottleneck, in microseconds.
    pub(crate) fn queueing(&self) -> u64 {
        (self.written - self.first - self.sacked) * self.serialisation()
    }

    pub(crate) fn kernel(&self) -> Feedback {
        let outstanding = self.written - self.first - self.sacked;
        if outstanding == 0 {
            return Feedback::default();
        }
        Feedback {
            outstanding: (outstanding * SEGMENT) as u32,
            lost: (self.lost * SEGMENT) as u32,
            stalled: self.sacked > 0,
            min_rtt: Some(Duration::from_micros(self.round_trip() + 200)),
            segments: self.counts,
        }
    }

    /// Nothing leaves the bottleneck for so many microseconds.
    pub(crate) fn stall(&mut self, span: u64) {
        self.head = self.head.map(|at| at + span);
    }

    /// Lets everything happen that happens until `now`.
    pub(crate) fn advance(&mut self, now: u64) {
        loop {
            let event = self.events.peek().map(|Reverse((at, _))| *at);
            let at = match (self.head, event) {
                (Some(a), Some(b)) => a.min(b),
                (a, b) => match a.or(b) {
                    Some(at) => at,
                    None => return,
                },
            };
            if at > now {
                return;
            }
            if self.head == Some(at) {
                self.leave(at);
            } else if let Some(Reverse((at, event))) = self.events.pop() {
                self.happen(event, at);
            }
        }
    }

    fn send(&mut self, now: u64) {
        while (self.in_flight as f64) < self.window {
            let segment = match self.again.pop_front() {
                Some(segment) => {
                    self.counts.1 += 1;
                    segment
                }
                None if self.sent < self.written => {
                    self.sent += 1;
                    self.segments.push_back(Segment::Under);
                    self.sent - 1
                }
                None => return,
            };
            self.counts.0 += 1;
            self.in_flight += 1;
            if self.queue.len() as u64 * SEGMENT >= self.link.queue {
                self.miss(segment, now);
                continue;
            }
            self.queue.push_back(segment);
            if self.head.is_none() {
                self.head = Some(now + self.serialisation());
            }
        }
    }

    fn serialisation(&self) -> u64 {
        // An outage is a link of a byte a second.
        ((SEGMENT + 52) as f64 / self.link.rate.max(1.0) * 1e6).min(1e6) as u64
    }

    fn leave(&mut self, at: u64) {
        let Some(segment) = self.queue.pop_front() else { return };
        self.head = (!self.queue.is_empty()).then(|| at + self.serialisation());
        if self.random.chance(self.link.loss) || self.link.rate < 1_000.0 {
            self.miss(segment, at);
            return;
        }
        let jitter = self.random.unit() * self.link.jitter as f64;
        let arrival = (at + self.link.delay + jitter as u64).max(self.last_arrival);
        self.last_arrival = arrival;
        self.events.push(Reverse((arrival, Event::Arrives(segment))));
        self.events.push(Reverse((arrival + self.link.delay, Event::Acknowledged(segment))));
    }

    fn miss(&mut self, segment: u64, at: u64) {
        let notice = at + self.round_trip() * 5 / 4 + 5_000;
        self.events.push(Reverse((notice, Event::Missed(segment))));
    }

    fn happen(&mut self, event: Event, at: u64) {
        match event {
            Event::Arrives(segment) => {
                let offset = (segment - self.next) as usize;
                if self.early.len() <= offset {
                    self.early.resize(offset + 1, false);
                }
                self.early[offset] = true;
                while self.early.front() == Some(&true) {
                    self.early.pop_front();
                    self.next += 1;
                }
            }
            Event::Acknowledged(segment) => {
                self.in_flight -= 1;
                let place = (segment - self.first) as usize;
                self.lost -= u64::from(self.segments[place] == Segment::Lost);
                self.segments[place] = Segment::Sacked;
                self.sacked += 1;
                while self.segments.front() == Some(&Segment::Sacked) {
                    self.segments.pop_front();
                    self.first += 1;
                    self.sacked -= 1;
                }
                // Slow start, and then a segment a round trip; only while the window is what holds back.
                if self.written > self.sent || self.in_flight as f64 + 1.0 >= self.window / 2.0 {
                    self.window += if self.bbr || self.ended_recovery == 0 { 1.0 } else { 1.0 / self.window };
                    self.window = self.window.min(2_000.0);
                }
                self.send(at);
            }
            Event::Missed(segment) => {
                self.in_flight -= 1;
                let place = (segment - self.first) as usize;
                self.lost += u64::from(self.segments[place] != Segment::Lost);
                self.segments[place] = Segment::Lost;
                self.again.push_back(segment);
                if !self.bbr && at > self.ended_recovery {
                    self.window = (self.window * 0.7).max(4.0);
                    self.ended_recovery = at + self.round_trip();
                }
                self.send(at);
            }
        }
    }
}
