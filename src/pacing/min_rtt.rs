//! The round trip of a path when it is empty.

use std::time::Duration;

use crate::time::{Micros, micros};

/// For how long the two ends' share is remembered: this long at least, twice this at most.
const MEMORY: Duration = Duration::from_secs(150);

/// The most that two ends add without a proxy between them: a small machine under load, and a busy event loop.
const ENDS: Duration = Duration::from_millis(20);

/// The minimum round trip of one path: the kernel's least round trip, and what the two ends and anything between add to it.
///
/// The kernel sees the first segment of a picture, which finds the path empty, and so keeps an honest minimum however busy
/// the link is. Where it cannot be asked, the least of pings and acknowledgements has to do.
#[derive(Debug, Default)]
pub(super) struct MinRtt {
    kernel: Option<u64>,
    /// The least share of the ends in this span of [`MEMORY`], and in the one before.
    ends: [Option<u64>; 2],
    turned: Micros,
}

impl MinRtt {
    /// The kernel's least round trip of a segment.
    pub(super) fn kernel(&mut self, least: Duration) {
        let least = micros(least);
        if self.kernel.is_none() {
            // What was taken for the ends' share so far had the path in it.
            for share in self.ends.iter_mut().flatten() {
                *share = share.saturating_sub(least);
            }
        }
        self.kernel = Some(least);
    }

    /// A round trip of a ping.
    pub(super) fn ping(&mut self, round_trip: Duration, now: Micros) {
        if now.since(self.turned) > MEMORY {
            self.ends = [None, self.ends[0]];
            self.turned = now;
        }
        let share = micros(round_trip).saturating_sub(self.kernel.unwrap_or(0));
        self.ends[0] = Some(self.ends[0].map_or(share, |least| least.min(share)));
    }

    /// A picture's way and its acknowledgement's. The time the picture itself took is in it, so it counts only where the
    /// kernel does not tell.
    pub(super) fn acknowledged(&mut self, round_trip: Duration, now: Micros) {
        if self.kernel.is_none() {
            self.ping(round_trip, now);
        }
    }

    /// In microseconds; 0 before anything is known. `direct` tells that the kernel's other end is the viewer's machine:
    /// then the ends add little, and what a ping says beyond that is a queue that others keep full. Believing it would
    /// keep it full.
    pub(super) fn get(&self, direct: bool) -> u64 {
        let ends = match self.ends {
            [Some(a), Some(b)] => a.min(b),
            [a, b] => a.or(b).unwrap_or(0),
        };
        match self.kernel {
            Some(kernel) => kernel + if direct { ends.min(micros(ENDS)) } else { ends },
            None => ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_busy_link_does_not_pass_for_a_long_one() {
        let mut min_rtt = MinRtt::default();
        min_rtt.acknowledged(MS(114), Micros(0));
        assert_eq!(min_rtt.get(true), 114_000);
        min_rtt.kernel(MS(40));
        min_rtt.ping(MS(41), Micros(1_000));
        min_rtt.acknowledged(MS(114), Micros(2_000));
        assert_eq!(min_rtt.get(true), 41_000);
        min_rtt.ping(MS(40), Micros(3_000));
        assert_eq!(min_rtt.get(true), 40_000);
    }

    #[test]
    fn a_path_that_became_longer_is_believed_in_the_end() {
        let mut min_rtt = MinRtt::default();
        for second in 0..1_000_u64 {
            min_rtt.ping(MS(if second < 100 { 20 } else { 90 }), Micros(second * 1_000_000));
        }
        assert_eq!(min_rtt.get(true), 90_000);
    }

    #[test]
    fn a_queue_that_others_keep_full_is_not_taken_for_the_path_and_a_proxy_is() {
        let mut min_rtt = MinRtt::default();
        min_rtt.kernel(MS(40));
        min_rtt.ping(MS(1_200), Micros(0));
        assert_eq!(min_rtt.get(true), 60_000);
        assert_eq!(min_rtt.get(false), 1_200_000);
    }
}
