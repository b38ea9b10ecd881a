//! When may a viewer be given a picture? The rule that keeps latency from growing.
//!
//! A `send` that returns says nothing about where the bytes are: the kernel, the bottleneck and the viewer's machine can
//! hold seconds of video between them. So before a picture the question is asked how much of what was given has
//! *not arrived*, and the answer is taken from whoever knows:
//!
//! - **The viewer**, where it acknowledges pictures. When everything is acknowledged the answer is yes, at the cost of
//!   one comparison; that is every picture on a link that is not congested and shorter than the interval.
//! - **The kernel** ([`Feedback`]), in bytes instead of pictures, so that a picture that is half through counts half, and
//!   with selective acknowledgements, so that one lost segment does not look like a standing queue. It is asked only
//!   while something is under way.
//!
//! From both, [`Window`] learns two numbers: the *minimum round trip*, that of the path when it is empty, and the *delivery
//! rate* at which bytes drain. A path holds `rate × round trip` bytes in flight without any queue; what is outstanding
//! beyond that waits in a queue somewhere and would be waited for by the next picture too. So the next picture is given
//! when the queue is about empty: early enough that the link never idles, late enough that the picture waits for nothing
//! but itself. That is a window of `1 + round trip / interval` pictures where pictures fit, one picture and the bytes in
//! the air where they do not, and no number of pictures is fixed anywhere.
//!
//! The rule is pure: sequence numbers, bytes and `now` in, an [`Answer`] out.

use std::collections::VecDeque;
use std::time::Duration;

use super::decoder::Decoder;
use super::delivery_rate::DeliveryRate;
use super::loss::{CongestionControl, Loss};
use super::min_rtt::MinRtt;
use crate::time::{Micros, micros};

/// Bytes that may be missing without meaning anything: two full segments. The last segment of a picture is acknowledged
/// late (delayed acknowledgements, RFC 1122 4.2.3.2), and a lost one is a hole and no queue.
pub(super) const GRACE: f64 = 3_000.0;

/// How far ahead of the moment when the queue is empty a picture is given, in microseconds: timers of event loops are
/// a millisecond coarse, and a link that idles for that long is lost capacity.
const EARLY_SEND: f64 = 2_000.0;

/// The longest that an answer waits before it asks again, if no event comes first.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Silence after which a viewer that acknowledges is given one picture although its acknowledgements are missing, so that
/// one that lost track is not left for ever. Whether it is dead is for the keepalive to say.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// How much later than the kernel's other end a viewer may have a picture and still be there itself.
const PROXY_LAG: Duration = Duration::from_millis(15);

/// Pictures after which a path on which each had arrived before the next came is asked about only every second one. With 999
/// viewers who do not acknowledge, medians of seven turns: 9.1 ms at p50 and 20.8 at p99 where it is asked every time, 6.2 to 6.7
/// and 14.7 to 19.1 where it is not; with 300 there was no difference. What a path that fails at that moment holds is a picture more.
const SKIP_AFTER: u32 = 32;

/// Pictures that can be under way at all: a bound for memory, not for pacing. 240 pictures a second over a round trip
/// of two seconds come near it.
const MOST: usize = 512;

/// What the kernel says of a connection; read by `transport::sockopt::measure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Bytes written that the other machine does not have: unsent, in flight or lost. What arrived behind a gap
    /// (selectively acknowledged) is not among them.
    pub outstanding: u32,
    /// Of these, bytes of segments that the kernel takes for lost, sent again or not: no queue holds them.
    pub lost: u32,
    /// Data waits at the other end for a lost segment.
    pub stalled: bool,
    /// The least round trip of a segment in the last minutes.
    pub min_rtt: Option<Duration>,
    /// Segments sent since the connection began, and how many were sent again; zero where nothing was asked.
    pub segments: (u32, u32),
}

/// The answer of [`Window::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Give the newest picture, whole, now.
    Now,
    /// Ask the kernel, tell [`Window::measured`], and ask again at the same `now`.
    Measure,
    /// Not before this time, unless an acknowledgement comes earlier; then ask again. By then a newer picture may be
    /// there, which is the point.
    Later(Micros),
}

/// What a link carries, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LinkRate {
    /// On the whole, jitter and other delays taken for work.
    pub(super) sure: f64,
    /// When nothing came between: the fastest picture of the last second. At least `sure`.
    pub(super) best: f64,
}

/// One picture under way.
#[derive(Clone, Copy, Debug)]
struct Given {
    /// Shared by the rungs of one frame.
    sequence: u32,
    start: Micros,
    /// All bytes given before this picture, and until its end.
    before: u64,
    end: u64,
    /// When the kernel said that all of it is there.
    there: Option<Micros>,
}

/// The window of one connection that is given pictures: a viewer at the hub, or the hub at a publisher's uplink.
///
/// Some 300 bytes, and 48 for each picture under way.
#[derive(Debug, Default)]
pub(super) struct Window {
    given: VecDeque<Given>,
    written: u64,
    delivery: DeliveryRate,
    last_given: Micros,
    acknowledges: bool,
    kernel_absent: bool,
    measured_at: Option<Micros>,
    /// How often in turn the kernel held nothing any more.
    empty: u32,
    min_rtt: MinRtt,
    decoder: Decoder,
    stalled_until: Micros,
    /// Mean and mean deviation of the time until a picture is acknowledged, in microseconds.
    delay: f64,
    jitter: f64,
    loss: Loss,
    /// How often, of late, a picture was long with the kernel's other end before the viewer had it, 0 to 1: then there is
    /// something between, a proxy or a viewer that does not read, and the kernel's word is worth nothing.
    proxied: f64,
    /// When the last ping left that found nothing under way.
    pinged: Option<Micros>,
    /// The stream's, as last told to [`Self::ask`].
    interval: Duration,
}

impl Window {
    /// The window of a new connection. Whether the other side acknowledges is learned from its first acknowledgement, unless it
    /// is [expected](Self::expect_acknowledgements).
    #[must_use]
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The other side said that it acknowledges pictures, so none counts as arrived before it says so. Without this it is
    /// learned from the first acknowledgement.
    pub(super) fn expect_acknowledgements(&mut self) {
        self.acknowledges = true;
    }

    /// May a picture be given now? `interval` is the time between pictures of the stream.
    ///
    /// Ask when there is a picture that this viewer has not got, all of the one before has been written, and either
    /// that picture is new, or an acknowledgement came, or the time of [`Answer::Later`] has come.
    pub(super) fn ask(&mut self, now: Micros, interval: Duration) -> Answer {
        self.interval = interval;
        // A tenth early is in time: pictures come when the camera gives them.
        let due = self.last_given + self.decoder.spacing().mul_f64(0.9);
        if now < due {
            return later(now, micros(due.since(now)) as f64);
        }
        if self.given.is_empty() {
            return Answer::Now;
        }
        if !self.kernel_absent && self.measured_at != Some(now) {
            let known = self.skips_measuring() && self.given.len() == 1;
            return if known { Answer::Now } else { Answer::Measure };
        }
        if self.kernel_absent && !self.acknowledges {
            // Nobody can tell; that the socket takes bytes is all there is.
            self.given.clear();
            return Answer::Now;
        }
        let min_rtt = self.min_rtt_micros() as f64;
        let outstanding = self.written.saturating_sub(self.delivery.delivered()) as f64;
        let rate = self.delivery.cautious_rate(now, self.first_byte_due(), self.overdue(now));
        if let Some(rate) = rate {
            let queue = outstanding - rate * min_rtt - GRACE - rate * EARLY_SEND;
            // What the viewer alone can tell is not waited for for ever; a dead link would be closed by the keepalive.
            let silence = now.since(self.last_given.max(self.decoder.last_heard()));
            let patience = 4 * PROBE_AFTER * (1 + u32::try_from(self.given.len()).unwrap_or(MOST as u32));
            let lost_track = !self.trusts_kernel() && silence > patience;
            if queue > 0.0 && !lost_track {
                return later(now, queue / rate);
            }
        }
        let counted = self.acknowledges || rate.is_none();
        if self.given.len() >= MOST || (counted && self.frames() >= self.window(now, interval)) {
            // The viewer's machine is slow, or its acknowledgements are.
            if now.since(self.last_given.max(self.decoder.last_heard())) > PROBE_AFTER + 2 * self.min_rtt() {
                return Answer::Now;
            }
            return later(now, micros(interval) as f64 / 2.0);
        }
        Answer::Now
    }

    /// A picture is being given: tell when its first bytes are written, with its whole length on the wire. Pictures of
    /// one frame (rungs) share a number, and are given and acknowledged one by one, in order.
    pub(super) fn given(&mut self, sequence: u32, bytes: usize, now: Micros) {
        let before = self.written;
        self.written += bytes as u64;
        self.last_given = now;
        self.given.push_back(Given { sequence, start: now, before, end: self.written, there: None });
        while self.given.len() > MOST {
            self.given.pop_front();
        }
    }

    /// The same of one that was read at once.
    #[cfg(test)]
    pub(super) fn acknowledged(&mut self, sequence: u32, backlog: u16, now: Micros) {
        self.acknowledged_since(sequence, backlog, now, now);
    }

    /// The other side has the picture of this number, and so all before it. `backlog` is how many earlier pictures still
    /// wait for its decoder; the one being decoded does not count. Numbers that are not under way are ignored. The
    /// acknowledgement may have lain here, or the picture at the other side, unread since a time: whoever is busy hears late,
    /// and what is heard late says nothing against the link.
    pub(super) fn acknowledged_since(&mut self, sequence: u32, backlog: u16, since: Micros, now: Micros) {
        self.acknowledges = true;
        let Some(at) = self.given.iter().position(|g| g.sequence == sequence) else { return };
        self.decoder.heard(backlog, self.interval, now);
        let due = self.first_byte_due();
        let picture = self.given[at];
        let since = since.min(now).max(picture.start);
        let exact = now.since(since) <= now.since(picture.start) / 8;
        if exact {
            let delay = micros(now.since(picture.start));
            self.min_rtt.acknowledged(Duration::from_micros(delay), now);
            self.jitter += ((delay as f64 - self.delay).abs() - self.jitter) / 8.0;
            self.delay += (delay as f64 - self.delay) / 8.0;
        }
        if let Some(there) = picture.there {
            let lag = since.since(there) > self.min_rtt() / 2 + PROXY_LAG;
            let proxied = lag && now >= self.stalled_until;
            self.proxied += (f64::from(u8::from(proxied)) - self.proxied) / 8.0;
        }
        let late = self.late(self.delivery.delivered().max(picture.end), since) > GRACE;
        let length = picture.end - picture.before;
        if exact {
            self.delivery.arrived(picture.end, length, due, now, late);
        } else {
            // What was late even then is, whenever it was heard; of the rest only the latest time is known.
            self.delivery.seen(picture.end, due, if late { since } else { now }, late);
        }
        self.given.drain(..=at);
    }

    /// What the kernel says now; `None` where it cannot. Answer to [`Answer::Measure`].
    pub(super) fn measured(&mut self, kernel: Option<Feedback>, now: Micros) {
        self.measured_at = Some(now);
        let Some(kernel) = kernel else {
            self.kernel_absent = true;
            return;
        };
        let skips_measuring = self.skips_measuring();
        self.empty = if kernel.outstanding == 0 { self.empty.saturating_add(1) } else { 0 };
        if let Some(least) = kernel.min_rtt {
            self.min_rtt.kernel(least);
        }
        if kernel.segments.0 > 0 {
            self.loss.counted(kernel.segments.0, kernel.segments.1, now);
        }
        if kernel.stalled {
            let grace = self.min_rtt() * 2;
            self.stalled_until = now + grace;
        }
        let arrived = self.written.saturating_sub(kernel.outstanding.into());
        // A hole is no queue, however many there are on a long path.
        let queued = kernel.outstanding.saturating_sub(kernel.lost);
        let passed = self.written.saturating_sub(queued.into());
        for picture in self.given.iter_mut().filter(|g| g.end <= arrived) {
            picture.there.get_or_insert(now);
        }
        if self.trusts_kernel() {
            let late = self.late(passed, now) > GRACE;
            let news = self.delivery.delivered() + 1..=passed;
            if skips_measuring && !late && self.given.iter().filter(|g| news.contains(&g.end)).count() > 1 {
                // Once more for the picture that was passed over.
                self.delivery.probe();
            }
            self.delivery.seen(passed, self.first_byte_due(), now, late);
        }
        if !self.acknowledges {
            while self.given.front().is_some_and(|g| g.end <= arrived) {
                self.given.pop_front();
            }
        }
    }

    /// Whether the congestion control of this connection should be changed now; do it with
    /// [`crate::transport::sockopt::control`]. Worth asking after [`Self::measured`].
    pub(super) fn control(&mut self, now: Micros) -> Option<CongestionControl> {
        self.loss.control(now)
    }

    /// A round trip of a small packet, as from ping and pong: the path with its two ends, seen without a picture.
    /// Only one that was [`pinged`](Self::pinged) when nothing was under way counts: any other has waited behind pictures.
    pub(super) fn round_trip(&mut self, round_trip: Duration, now: Micros) {
        if self.pinged.take_if(|pinged| *pinged == now - round_trip).is_some() {
            self.min_rtt.ping(round_trip, now);
        }
    }

    /// A small packet that will be answered is sent now.
    pub(super) fn pinged(&mut self, now: Micros) {
        if self.given.is_empty() {
            // Others may follow before it is answered.
            self.pinged.get_or_insert(now);
        }
    }

    /// What the link carries, from the last pictures; `None` as long as all had arrived before anyone looked. What it could
    /// carry, not what it did: the time in which nothing was under way is not counted. Freshest right after
    /// [`Self::ask`].
    #[must_use]
    pub(super) fn rate(&self, now: Micros) -> Option<LinkRate> {
        // Where segments get lost, room for a second try is part of what a picture needs.
        let share = if self.loss.is_lossy(now) { 0.75e6 } else { 1e6 };
        let sure = self.delivery.rate(now, self.first_byte_due(), self.overdue(now))?;
        // And fewer segments lose fewer.
        let most = self.loss.bytes(now).map_or(f64::INFINITY, |bytes| bytes / self.interval.as_secs_f64().max(1e-3));
        let rate = |rate: f64| (rate * share).min(most);
        Some(LinkRate { sure: rate(sure), best: rate(self.delivery.best_rate().max(sure)) })
    }

    /// The round trip of the path when it is empty.
    #[must_use]
    pub(super) fn min_rtt(&self) -> Duration {
        Duration::from_micros(self.min_rtt_micros())
    }

    fn min_rtt_micros(&self) -> u64 {
        self.min_rtt.get(self.trusts_kernel())
    }

    /// Bytes given that are not known to have arrived.
    #[cfg(test)]
    pub(super) fn outstanding(&self) -> u64 {
        self.written.saturating_sub(self.delivery.delivered())
    }

    /// Pictures given that are not known to have arrived.
    #[must_use]
    pub(super) fn under_way(&self) -> usize {
        self.given.len()
    }

    /// Whether every second picture is given without a question.
    fn skips_measuring(&self) -> bool {
        self.empty >= SKIP_AFTER && !self.acknowledges
    }

    /// Frames of which a picture is under way.
    fn frames(&self) -> usize {
        let numbers = self.given.iter().map(|g| g.sequence);
        let others = numbers.clone().zip(numbers.skip(1)).filter(|(a, b)| a != b).count();
        others + usize::from(!self.given.is_empty())
    }

    /// `1 + (round trip + what a picture that fits takes) / interval` pictures, where acknowledgements alone bound what is
    /// under way. Where the kernel bounds the bytes it is twice that and more, for a lost segment holds up what has
    /// arrived behind it, and acknowledgements go missing too.
    fn window(&self, now: Micros, interval: Duration) -> usize {
        let interval = (micros(interval) as f64).max(1_000.0);
        let min_rtt = self.min_rtt_micros() as f64;
        let mut span = min_rtt + interval + 2.0 * self.jitter;
        if self.trusts_kernel() {
            span = 2.0 * span + interval;
            if now < self.stalled_until {
                span += 3.0 * min_rtt + 50_000.0;
            }
        }
        (1.0 + span / interval) as usize
    }

    fn trusts_kernel(&self) -> bool {
        !self.kernel_absent && self.proxied < 0.5
    }

    /// Bytes given more than one round trip of an empty path ago that have not arrived although only a queue can hold them.
    fn late(&self, arrived: u64, now: Micros) -> f64 {
        let then = now - self.min_rtt();
        let due = self.given.iter().rev().find(|g| g.start <= then).map_or(0, |g| g.end);
        due.saturating_sub(arrived) as f64
    }

    /// When the first byte that has not arrived would be known to have arrived on an empty path.
    fn first_byte_due(&self) -> Micros {
        let arrived = self.delivery.delivered();
        let start = self.given.iter().find(|g| g.end > arrived).map_or(self.last_given, |g| g.start);
        start + self.min_rtt()
    }

    /// Bytes still missing of the first picture that has not arrived, if they are overdue. Where the kernel can tell it is
    /// believed only when it was asked just now.
    fn overdue(&self, now: Micros) -> Option<f64> {
        let arrived = self.delivery.delivered();
        if (self.trusts_kernel() && self.measured_at != Some(now)) || self.late(arrived, now) <= GRACE {
            return None;
        }
        self.given.iter().find(|g| g.end > arrived).map(|g| (g.end - arrived) as f64)
    }
}

fn later(now: Micros, wait: f64) -> Answer {
    let most = micros(ASK_AGAIN) as f64;
    Answer::Later(now + Duration::from_micros(wait.clamp(1_000.0, most) as u64))
}

#[cfg(test)]
mod tests;
