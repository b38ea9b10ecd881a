//! Which congestion control suits a link, by how many segments it loses.
//!
//! As long as [`super::Window`] bounds what is in flight, the kernel's usual control (cubic) is the best there is: no
//! queue builds up that it would have to notice, and it sends a picture as fast as its window allows. Where a link loses
//! segments at random, cubic takes each for congestion and starves (4 fps at 2 % loss over 50 ms); BBR does not. But
//! BBR has two habits that hurt pictures: every 10 s it all but stops for 200 ms to see the empty round trip, and, given
//! bursts that never fill the link, it learns to send as slowly as it was asked to. Started afresh every 2 s it does
//! neither. At 20 Mbit/s, pictures of 25 kB, medians of three runs of 36 s side by side, BBR left alone and started afresh: with 20 ms
//! there and back and 1 % loss 34 / 101 ms and 29 / 73 ms (p50 / p99), with 50 ms and 2 % loss 66 / 152 ms and 55 / 125 ms. Where
//! pictures adapt they have 2 to 3 times the bytes there. On links without such losses nothing is started.

use std::time::Duration;

use crate::time::Micros;

/// Segments over which losses are judged.
const ENOUGH: u32 = 150;

/// Losses in a thousand from which they are a property of the link: cubic's window for this is about 20 segments, less
/// than a picture.
const LOSSY: u32 = 5;

/// How long after such losses the link is still taken for lossy.
const WARY: Duration = Duration::from_secs(30);

/// Between two fresh starts of BBR: well under its 10 s, and enough for it to see the link some times.
const AFRESH: Duration = Duration::from_secs(2);

/// What to do about a connection's congestion control; done by `transport::sockopt::control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionControl {
    /// Start BBR, or start it afresh.
    Bbr,
    /// Go back to what suits clean links.
    Usual,
}

/// One picture in so many loses a segment at most, where that can be had by fewer segments: it is a second try late, and so
/// are those behind it. At 20 Mbit/s, 25 ms each way, 2 % loss, pictures of 44 kB were 60 ms old in the median, of 16 kB 38.
const ONE_IN: f64 = 3.0;

/// Segments below which pictures are not made smaller for that: a loss is no congestion, and the eye wants something, too.
const FEW: f64 = 12.0;

/// Losses after which fewer segments are enough to judge.
const CERTAIN: u32 = 3;

/// The most of the segments of one look that count as lost.
const BURST: f64 = 0.05;

/// Segments that the share of losses is taken from, once to twice so many: a picture's size must not follow chance.
const MEMORY: f64 = 2_000.0;

/// Bytes in a full segment, about.
const SEGMENT: f64 = 1_448.0;

#[derive(Debug, Default)]
pub(super) struct Loss {
    sent: u32,
    resent: u32,
    /// Segments lately, and how many of them were sent again.
    lately: (f64, f64),
    lossy_at: Option<Micros>,
    started: Option<Micros>,
}

impl Loss {
    /// The kernel's counts of segments sent, and of those sent again, since the connection began.
    pub(super) fn counted(&mut self, sent: u32, resent: u32, now: Micros) {
        let more = sent.wrapping_sub(self.sent);
        let again = resent.wrapping_sub(self.resent);
        // On a long path, where cubic starves at once, it takes seconds to send so many; a few losses say it sooner.
        if more < ENOUGH && again < CERTAIN {
            return;
        }
        // A queue that overflows loses many at once; that is not how it will go on.
        let lost = f64::from(again).min(f64::from(more) * BURST);
        let keep = if self.lately.0 > MEMORY { 0.5 } else { 1.0 };
        self.lately = (self.lately.0 * keep + f64::from(more), self.lately.1 * keep + lost);
        if again > 1 && u64::from(again) * 1_000 >= u64::from(more) * u64::from(LOSSY) {
            self.lossy_at = Some(now);
        }
        (self.sent, self.resent) = (sent, resent);
    }

    /// Whether the link lost segments lately, and not just one.
    pub(super) fn is_lossy(&self, now: Micros) -> bool {
        self.lossy_at.is_some_and(|at| now.since(at) < WARY)
    }

    /// Bytes of a picture that seldom has to wait for a second try; `None` where nothing gets lost.
    pub(super) fn bytes(&self, now: Micros) -> Option<f64> {
        let share = self.lately.1 / self.lately.0.max(1.0);
        self.is_lossy(now).then(|| (1.0 / ONE_IN / share.max(1e-3)).max(FEW) * SEGMENT)
    }

    pub(super) fn control(&mut self, now: Micros) -> Option<CongestionControl> {
        let lossy = self.is_lossy(now);
        match self.started {
            None if lossy => {}
            Some(at) if lossy && now.since(at) >= AFRESH => {}
            Some(_) if !lossy => {
                self.started = None;
                return Some(CongestionControl::Usual);
            }
            _ => return None,
        }
        self.started = Some(now);
        Some(CongestionControl::Bbr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lossy_link_gets_bbr_afresh_every_two_seconds_and_a_clean_one_the_usual() {
        let mut loss = Loss::default();
        let (mut sent, mut resent, mut starts) = (0, 0, 0);
        for second in 0..100_u64 {
            sent += 800;
            resent += if (10..30).contains(&second) { 16 } else { 0 };
            loss.counted(sent, resent, Micros(second * 1_000_000));
            match loss.control(Micros(second * 1_000_000)) {
                Some(CongestionControl::Bbr) => {
                    assert!((10..60).contains(&second), "{second}");
                    starts += 1;
                }
                Some(CongestionControl::Usual) => assert_eq!(second, 59),
                None => {}
            }
        }
        assert_eq!(starts, 25);
    }

    #[test]
    fn pictures_of_a_lossy_link_have_few_segments_and_never_fewer_than_some() {
        let bytes = |lost: u32| {
            let mut loss = Loss::default();
            for second in 0..100_u32 {
                loss.counted(second * 1_000, second * lost, Micros(u64::from(second) * 1_000_000));
            }
            loss.bytes(Micros(99_000_000)).map(|bytes| (bytes / SEGMENT) as u32)
        };
        assert_eq!([0, 10, 20, 200].map(bytes), [None, Some(33), Some(16), Some(12)]);
    }

    #[test]
    fn a_lost_segment_now_and_then_changes_nothing() {
        let mut loss = Loss::default();
        for second in 0..100_u32 {
            loss.counted(second * 800, second, Micros(u64::from(second) * 1_000_000));
            assert_eq!(loss.control(Micros(u64::from(second) * 1_000_000)), None);
        }
    }
}
