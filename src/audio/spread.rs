//! How long sound is on its way, and by how much more than usual: how long it must wait at the listener so that what is late is
//! still in time.

use std::collections::VecDeque;

/// Packets that are remembered: ten seconds of them.
const REMEMBERED: usize = 512;
/// After so many packets it is reckoned anew.
const OFTEN: usize = 5;
/// So many of a hundred packets must be in time.
const IN_TIME: f64 = 0.98;
/// The least that they wait, and the most, in microseconds: beside the spread, and with it.
const LEAST: i64 = 20_000;
pub(super) const MOST: i64 = 200_000;

/// How much the ways of packets differ. Times are in microseconds; those on the way are compared with each other alone, so that it does not matter how far two
/// clocks are apart.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// Since the capture of each packet until it came.
    ways: VecDeque<i64>,
    sorted: Vec<i64>,
    since: usize,
    shortest: i64,
    due: i64,
}

impl Spread {
    /// A packet was so long on its way.
    pub fn add(&mut self, way: i64) {
        if self.ways.len() >= REMEMBERED {
            self.ways.pop_front();
        }
        self.ways.push_back(way);
        self.since += 1;
        // What is later than all before counts now.
        if self.since >= OFTEN || self.ways.len() <= OFTEN || way < self.shortest {
            self.since = 0;
            self.reckon();
        }
    }

    fn reckon(&mut self) {
        self.sorted.clear();
        self.sorted.extend(&self.ways);
        self.sorted.sort_unstable();
        let last = self.sorted.len().saturating_sub(1);
        let at = |part: f64| self.sorted.get((last as f64 * part).ceil() as usize).copied().unwrap_or_default();
        self.shortest = at(0.0);
        self.due = (at(IN_TIME) + LEAST).min(self.shortest + MOST);
    }

    /// So long after its capture sound is to be played.
    #[must_use]
    pub fn due_after(&self) -> i64 {
        self.due
    }

    /// So long does the quickest packet wait then.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.due - self.shortest
    }

    /// Begins anew, with another stream.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_evenly_waits_the_least_and_what_does_not_as_long_as_it_must() {
        let mut spread = Spread::default();
        (0..600).for_each(|_| spread.add(5_000_000));
        assert_eq!((spread.target(), spread.due_after()), (LEAST, 5_020_000));
        // Every tenth is 60 ms late: a picture was in its way.
        (0..600).for_each(|n| spread.add(5_000_000 + if n % 10 == 0 { 60_000 } else { 0 }));
        assert_eq!(spread.target(), 80_000);
        (0..600).for_each(|n| spread.add(5_000_000 + if n % 10 == 0 { 900_000 } else { 0 }));
        assert_eq!(spread.target(), MOST, "no sound is worth a longer wait");
        (0..600).for_each(|_| spread.add(4_000_000));
        assert_eq!((spread.target(), spread.due_after()), (LEAST, 4_020_000), "and it is not kept for ever");
    }

    #[test]
    fn one_that_is_very_late_changes_nothing_for_the_others() {
        let mut spread = Spread::default();
        (0..600).for_each(|n| spread.add(if n == 500 { 900_000 } else { -7_000 }));
        assert_eq!((spread.target(), spread.due_after()), (LEAST, 13_000));
    }
}
