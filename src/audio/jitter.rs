//! The jitter buffer: packets of sound come at odd times, some not at all, and are to be played evenly. It says what is to be played
//! next, and how far that is from when it should be.

use std::collections::VecDeque;

use super::spread::Spread;
use super::{FRAME, FRAME_TIME, RATE};
use crate::frame::AudioPacket;
use crate::time::Micros;

/// Packets that are kept at most: more than are ever to be played.
const MOST: usize = 64;
/// A number that is so far from what is expected is one of another stream.
const ANOTHER: i32 = 500;
/// More frames than these in a row are not made up, but left out.
const MOST_LOST: u64 = 10;
/// When nothing comes for so many frames, what comes next is played when it is due, and not as soon as it is there.
const PAUSE: u32 = 5;
/// A capture time that is so much later than the number tells means that there was silence in between.
const SILENT: i64 = 12_000;
/// What is so early is waited for, and one that is so late is left out where it is quiet, and in any case.
const EARLY: i64 = 1_000;
const LATE: i64 = 30_000;
const MUCH_TOO_LATE: i64 = 60_000;
/// In what is no louder nobody hears that a frame is missing, or is there twice.
const QUIET: u8 = 50;
const STEP: i64 = FRAME_TIME.as_micros() as i64;

/// What is to be played next.
#[derive(Clone, Debug)]
pub enum Step {
    /// This packet.
    Play(AudioPacket),
    /// The packet that was lost before this one.
    Recover(AudioPacket),
    /// What might be there, for 20 ms.
    Conceal,
    /// The same for so many samples, a frame at most, because there is nothing to be heard.
    Silence(usize),
    /// This packet is left out, as the next one is late; where that begins, one goes over into the other.
    Skip(AudioPacket),
}

/// What became of packets and frames, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came.
    pub received: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that came and were not played: too late, or too many at once.
    pub skipped: u64,
    /// Frames that were made up, because packets were lost or late.
    pub concealed: u64,
    /// Times at which more than 40 ms in a row were.
    pub gaps: u64,
}

/// Packets in the order in which they are heard, held back as long as late ones need.
#[derive(Debug, Default)]
pub struct JitterBuffer {
    /// Packets by their number, which does not wrap.
    waiting: VecDeque<(u64, AudioPacket)>,
    spread: Spread,
    /// The number of the next packet, and when it was captured if there was no silence in between; nothing before the first.
    expected: Option<(u64, i64)>,
    playing: bool,
    /// Frames in a row for which nothing was there.
    starved: u32,
    /// Frames in a row that were made up.
    made_up: u32,
    newest: Option<(u64, Micros)>,
    /// How much later than it is due the last packet was played; smoothed.
    late: f64,
    /// When what is played was captured.
    playing_of: Option<i64>,
    counts: Counts,
}

impl JitterBuffer {
    /// A packet came.
    pub fn push(&mut self, packet: AudioPacket, now: Micros) {
        self.counts.received += 1;
        let way = time(now) - time(packet.captured);
        let number = match self.number(&packet) {
            Some(number) => number,
            None => {
                self.begin();
                u64::from(packet.sequence) + (1 << 40)
            }
        };
        self.spread.add(way);
        let place = self.waiting.partition_point(|(other, _)| *other < number);
        let is_there = self.waiting.get(place).is_some_and(|(other, _)| *other == number);
        if is_there || self.expected.is_some_and(|(expected, _)| number < expected) {
            self.counts.skipped += 1;
            return;
        }
        self.newest =
            Some(self.newest.map_or((number, packet.captured), |newest| newest.max((number, packet.captured))));
        self.waiting.insert(place, (number, packet));
        if self.waiting.len() > MOST {
            self.leave_out();
        }
    }

    /// The oldest is not played.
    fn leave_out(&mut self) {
        let Some((number, packet)) = self.waiting.pop_front() else { return };
        let before = self.expected.map_or(number, |(expected, _)| expected);
        self.counts.lost += number.saturating_sub(before);
        self.counts.skipped += 1;
        self.expected = Some((number + 1, time(packet.captured) + STEP));
    }

    /// The number of a packet that does not wrap; nothing, if it is of another stream: far off, or captured later and numbered
    /// earlier.
    fn number(&self, packet: &AudioPacket) -> Option<u64> {
        let (newest, captured) = self.newest?;
        let off = packet.sequence.wrapping_sub(newest as u32) as i32;
        let is_later = packet.captured > captured;
        let fits = off.abs() < ANOTHER && (off > 0 || !is_later);
        if fits { newest.checked_add_signed(off.into()) } else { None }
    }

    /// With another stream everything begins anew.
    fn begin(&mut self) {
        self.counts.skipped += self.waiting.len() as u64;
        self.waiting.clear();
        self.spread.forget();
        (self.expected, self.newest, self.playing, self.playing_of) = (None, None, false, None);
        self.late = 0.0;
    }

    /// What is to be heard at this time.
    pub fn next(&mut self, at: Micros) -> Step {
        if !self.playing {
            self.catch_up(at);
        }
        let Some((number, packet)) = self.waiting.front() else { return self.starve() };
        let (number, captured, is_quiet) = (*number, time(packet.captured), packet.level >= QUIET);
        let late = self.late(captured, at);
        if !self.playing {
            return self.play_or_wait(late);
        }
        self.give_up(number);
        let (expected, since) = self.expected.unwrap_or((number, captured));
        let missing = number.saturating_sub(expected);
        let silent = captured - since - missing as i64 * STEP;
        if missing == 0 {
            let may_wait = silent > SILENT || (is_quiet && late < -LATE);
            return match () {
                () if may_wait && late < -EARLY => wait(late),
                () if late > MUCH_TOO_LATE || (is_quiet && late > LATE) => self.skip(late),
                () => self.play(late),
            };
        }
        // Those that are missing were captured before this one, a frame each.
        let late_by_then = late + missing as i64 * STEP;
        if silent > SILENT && late_by_then < -EARLY {
            return wait(late_by_then);
        }
        // There are too many, or there is no time to make them up.
        if missing > MOST_LOST || late_by_then > MUCH_TOO_LATE {
            self.playing = false;
            return self.play_or_wait(late);
        }
        self.counts.lost += 1;
        self.concealed();
        self.expected = Some((expected + 1, captured - (missing as i64 - 1) * STEP));
        match self.waiting.front() {
            Some((_, next)) if missing == 1 => Step::Recover(next.clone()),
            _ => Step::Conceal,
        }
    }

    /// How much later than it is due something is played that was captured then; less than nothing: how much earlier.
    fn late(&self, captured: i64, at: Micros) -> i64 {
        time(at) - captured - self.spread.due_after()
    }

    /// After a pause nobody hears that what has come too late is left out.
    fn catch_up(&mut self, at: Micros) {
        while self.waiting.len() > 1
            && self.waiting.front().is_some_and(|(_, packet)| self.late(time(packet.captured), at) > LATE)
        {
            self.leave_out();
        }
    }

    /// What has not come by now, although later ones have, was lost while nothing was there to be played.
    fn give_up(&mut self, number: u64) {
        let Some((expected, since)) = &mut self.expected else { return };
        let lost = u64::from(self.starved).min(number.saturating_sub(*expected));
        *expected += lost;
        *since += lost as i64 * STEP;
        self.starved -= lost as u32;
        self.counts.lost += lost;
        (0..lost).for_each(|_| self.concealed());
    }

    fn play_or_wait(&mut self, late: i64) -> Step {
        if late < -EARLY { wait(late) } else { self.play(late) }
    }

    /// Nothing is there: it is late, or lost, or there is silence. Which it was is known when something comes.
    fn starve(&mut self) -> Step {
        if !self.playing {
            return Step::Silence(FRAME);
        }
        self.starved += 1;
        if self.starved >= PAUSE {
            self.playing = false;
        }
        Step::Conceal
    }

    fn play(&mut self, late: i64) -> Step {
        let Some((number, packet)) = self.waiting.pop_front() else { return self.starve() };
        let captured = time(packet.captured);
        let (expected, since) = self.expected.unwrap_or((number, captured));
        let lost = number.saturating_sub(expected);
        let silent = captured - since - lost as i64 * STEP > SILENT;
        self.counts.lost += lost;
        if !silent {
            // It was late, and what was played meanwhile was made up.
            (0..std::mem::take(&mut self.starved)).for_each(|_| self.concealed());
        }
        (self.starved, self.made_up) = (0, 0);
        // After a pause it is where it should be, whatever was before.
        let goes_on = self.playing && !silent;
        self.late = if goes_on { self.late + (late as f64 - self.late) * SMOOTH } else { late as f64 };
        self.playing = true;
        self.expected = Some((number + 1, captured + STEP));
        self.playing_of = Some(captured);
        Step::Play(packet)
    }

    fn skip(&mut self, late: i64) -> Step {
        // The last one there is must be played: what would come instead of it?
        if self.waiting.len() < 2 {
            return self.play(late);
        }
        match self.play(late) {
            Step::Play(packet) => {
                self.counts.skipped += 1;
                self.late -= STEP as f64;
                Step::Skip(packet)
            }
            other => other,
        }
    }

    fn concealed(&mut self) {
        self.counts.concealed += 1;
        self.made_up += 1;
        // The third frame in a row is where it gets longer than 40 ms.
        if self.made_up == 3 {
            self.counts.gaps += 1;
        }
    }

    /// By how much sound is to be played faster, so that it is played when it is due: 1.001 is 0.1 %.
    #[must_use]
    pub fn speed(&self) -> f64 {
        if !self.playing {
            return 1.0;
        }
        1.0 + (self.late * PULL).clamp(-MOST_PULL, MOST_PULL)
    }

    /// When the frame that is played was captured.
    #[must_use]
    pub fn playing_of(&self) -> Option<Micros> {
        self.playing_of.filter(|_| self.playing).map(|at| Micros(at as u64))
    }

    /// How long packets wait in here at least, in microseconds.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.spread.target()
    }

    /// What became of packets and frames.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// How much of a difference is believed at once.
const SMOOTH: f64 = 0.03;
/// How much faster for each microsecond that it is late, and at most: 10 ms are made up for within about ten seconds, unheard.
const PULL: f64 = 1e-7;
const MOST_PULL: f64 = 0.003;

/// In microseconds, and no further off than can be reckoned with.
fn time(at: Micros) -> i64 {
    at.0.min(1 << 60) as i64
}

fn wait(late: i64) -> Step {
    let samples = (-late).saturating_mul(RATE.into()) / 1_000_000;
    Step::Silence((samples.max(1) as usize).min(FRAME))
}

#[cfg(test)]
#[cfg(feature = "audio")]
mod tests;
