//! How far apart the pictures of a stream are, and from when on the next one is missing: for viewers and for the hub.
//!
//! A picture is late after three times as long as pictures are apart. How long that is, is the longest of three:
//!
//! 1. what the publisher announces;
//! 2. the second longest of the last eight gaps between pictures: a slow link or camera. One pause among them is no
//!    rhythm, however long it was, and after eight pictures nothing of it is left. While there is one gap only, it counts
//!    where nothing is announced;
//! 3. the repeated gap: one of half a second or more that came twice in a row, the longer at most a quarter longer than the
//!    other. It counts for 30 s after it came last. Programs that leave out unchanged pictures send one a second while
//!    nothing moves, and old ones do not announce it; a scene that moves now and then would be late whenever it stands
//!    still. Pauses and queues are not twice the same.
//!
//! Rejected: a moving mean, which takes one long gap for a rhythm at first, and needs eight pictures to follow a stream
//! that becomes slow; the longest of the last gaps, by which the second of two frozen times is seen late.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::time::Micros;

/// So many times as long as pictures are apart without one, and the next is late.
const LATE: u32 = 3;
/// So long without a picture beyond that, and the stream is lost, whatever is said of it.
const LOST: Duration = Duration::from_secs(2);
/// Pictures that are further apart, or announced so, are missed as if they were not.
const FURTHEST: Duration = Duration::from_secs(60);
/// Gaps that tell how far pictures are apart.
const GAPS: usize = 8;
/// The shortest gap that can be a rhythm by coming twice, and how long it counts after it came last.
const REPEATED_FROM: Duration = Duration::from_millis(500);
const REPEATED_LASTS: Duration = Duration::from_secs(30);

/// How pictures follow each other.
#[derive(Debug, Default)]
pub struct Rhythm {
    /// The last gaps, the newest at the end.
    gaps: ArrayVec<Duration, GAPS>,
    /// The longest gap of late that came twice in a row, and when it did.
    repeated: Option<(Duration, Micros)>,
    /// The longest time between pictures, as the publisher announces it.
    announced: Option<Duration>,
}

impl Rhythm {
    /// A picture came so long after the one before it.
    pub fn add(&mut self, gap: Duration, now: Micros) {
        if let Some(before) = self.gaps.last() {
            let (short, long) = (gap.min(*before), gap.max(*before));
            let is_longest = self.repeated(now).is_none_or(|repeated| 4 * long >= 3 * repeated);
            if is_longest && short >= REPEATED_FROM && long <= short + short / 4 {
                self.repeated = Some((long, now));
            }
        }
        if self.gaps.is_full() {
            self.gaps.remove(0);
        }
        self.gaps.push(gap);
    }

    fn repeated(&self, now: Micros) -> Option<Duration> {
        self.repeated.filter(|(_, at)| now.since(*at) <= REPEATED_LASTS).map(|(repeated, _)| repeated)
    }

    /// The longest time between pictures as the publisher says it; `None`: it does not say.
    pub fn announced(&mut self, apart: Option<Duration>) {
        self.announced = apart.filter(|apart| !apart.is_zero());
    }

    /// How far pictures are apart, a minute at most. A single picture, as one that was posted, has no rhythm.
    #[must_use]
    pub fn apart(&self, now: Micros) -> Option<Duration> {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        let usual = match gaps.as_slice() {
            [only] => Some(*only).filter(|_| self.announced.is_none()),
            [.., second, _] => Some(*second),
            [] => None,
        };
        usual.max(self.repeated(now)).max(self.announced).map(|apart| apart.min(FURTHEST))
    }

    /// How long after a picture the next one is late.
    #[must_use]
    pub fn late_after(&self, now: Micros) -> Option<Duration> {
        self.apart(now).map(|apart| LATE * apart)
    }

    /// How long after a picture nobody waits for the next one any more.
    #[must_use]
    pub fn lost_after(&self, now: Micros) -> Option<Duration> {
        self.late_after(now).map(|late| late + LOST)
    }
}
