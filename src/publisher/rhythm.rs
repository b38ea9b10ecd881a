//! The longest usual time between the pictures of a source, to be announced to viewers.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Micros;

/// Of so many pictures.
const GAPS: usize = 32;

/// How far apart pictures come. One pause among [`GAPS`] pictures is none of it, a second one is usual.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    last: Option<Micros>,
    gaps: VecDeque<Duration>,
    announced: Option<Duration>,
}

impl Rhythm {
    /// The source was opened: the time until its first picture is none between two.
    pub(super) fn begins(&mut self) {
        self.last = None;
    }

    /// A picture came.
    pub(super) fn came(&mut self, now: Micros) {
        let Some(last) = self.last.replace(now) else { return };
        if self.gaps.len() == GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(now.since(last));
        let two = |(first, second): (Duration, Duration), gap: &Duration| match *gap {
            gap if gap > first => (gap, first),
            gap => (first, second.max(gap)),
        };
        let (first, second) = self.gaps.iter().fold(Default::default(), two);
        // The longest of a few: too long is no lie, too short is one.
        let longest = if self.gaps.len() < 4 { first } else { second };
        // It goes down by much or not at all, so that viewers are not told anew every second.
        if self.announced.is_none_or(|announced| longest > announced || 2 * longest < announced) {
            self.announced = Some(longest);
        }
    }

    /// The longest usual time between two pictures; `None` before there were two.
    pub(super) fn longest(&self) -> Option<Duration> {
        self.announced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(gaps: impl IntoIterator<Item = u64>) -> Rhythm {
        let (mut rhythm, mut now) = (Rhythm::default(), Micros(7));
        rhythm.came(now);
        for ms in gaps {
            now = now + Duration::from_millis(ms);
            rhythm.came(now);
        }
        rhythm
    }

    #[test]
    fn it_is_unknown_until_there_were_two_pictures_and_then_no_shorter_than_what_comes() {
        let longest = |gaps: &[u64]| rhythm(gaps.iter().copied()).longest().map(|longest| longest.as_millis());
        assert_eq!(longest(&[]), None);
        assert_eq!(longest(&[60_000]), Some(60_000));
        assert_eq!(longest(&[60_000, 59_000, 60_100]), Some(60_100));
        assert_eq!(longest(&[33, 34, 300, 33, 5, 5, 300, 33]), Some(300), "what comes twice is usual");
    }

    #[test]
    fn one_pause_is_no_rhythm_and_a_source_that_gets_faster_is_followed() {
        let paused = (0..200).map(|n| if n == 100 { 9000 } else { 33 + n % 5 });
        assert_eq!(rhythm(paused).longest(), Some(Duration::from_millis(37)));
        let faster = (0..100).map(|n| if n < 50 { 1000 } else { 33 });
        assert_eq!(rhythm(faster).longest(), Some(Duration::from_millis(33)));
        let mut opened = rhythm([33, 33, 33]);
        opened.begins();
        opened.came(Micros(90_000_000));
        assert_eq!(opened.longest(), Some(Duration::from_millis(33)));
    }
}
