//! Whose turn it is of those who have something to do, so that nobody waits long behind others who have much.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// So far behind the others somebody is at most whose requests are long to answer.
const MOST_BEHIND: Duration = Duration::from_millis(20);

/// Those who have a turn now and then, by numbers.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Those who have said nothing yet. They have every second turn, so that whoever has just come waits for no more than the
    /// others who have, and newcomers without end keep nobody waiting who needs a second turn.
    fresh: VecDeque<usize>,
    /// All others, by how much time each has had: those who ask without end, and those whose requests are long to answer, come
    /// behind.
    others: BTreeSet<(Duration, usize)>,
    all: HashMap<usize, Share>,
    /// What whoever has a turn has had, and all others as well. Who had nothing to do for long goes on there.
    had: Duration,
    fresh_was_last: bool,
}

/// What one has had, by a clock that runs on while it has nothing to do; and whether it waits for a turn.
#[derive(Debug, Default)]
struct Share {
    had: Duration,
    waits: bool,
}

impl Turns {
    /// Somebody has something to do.
    pub(super) fn add(&mut self, key: usize, is_fresh: bool) {
        let share = self.all.entry(key).or_default();
        if std::mem::replace(&mut share.waits, true) {
            return;
        }
        if is_fresh {
            self.fresh.push_back(key);
        } else {
            share.had = share.had.clamp(self.had, self.had + MOST_BEHIND);
            self.others.insert((share.had, key));
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<usize> {
        let fresh_first = !self.fresh_was_last || self.others.is_empty();
        let fresh = if fresh_first { self.fresh.pop_front() } else { None };
        self.fresh_was_last = fresh.is_some();
        let key = match fresh {
            Some(key) => key,
            None => {
                let (had, key) = self.others.pop_first()?;
                self.had = had;
                key
            }
        };
        self.all.get_mut(&key).into_iter().for_each(|share| share.waits = false);
        Some(key)
    }

    /// Its turn took so long.
    pub(super) fn took(&mut self, key: usize, time: Duration) {
        self.all.get_mut(&key).into_iter().for_each(|share| share.had += time);
    }

    /// Whether somebody waits for its turn.
    pub(super) fn waits(&self, key: usize) -> bool {
        self.all.get(&key).is_some_and(|share| share.waits)
    }

    /// Whether nobody does.
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.others.is_empty()
    }

    /// Somebody is gone.
    pub(super) fn forget(&mut self, key: usize) {
        let Some(share) = self.all.remove(&key) else { return };
        if share.waits && !self.others.remove(&(share.had, key)) {
            self.fresh.retain(|fresh| *fresh != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Gives so many turns, each of so long; who had them. Those of `again` have something to do again at once.
    fn run(turns: &mut Turns, count: usize, time: Duration, again: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut had = Vec::new();
        for _ in 0..count {
            let Some(key) = turns.next() else { break };
            turns.took(key, time);
            had.push(key);
            if again(key) {
                turns.add(key, false);
            }
        }
        had
    }

    #[test]
    fn whoever_comes_does_not_wait_for_hundreds_who_ask_without_end() {
        let mut turns = Turns::default();
        (0..1000).for_each(|key| turns.add(key, false));
        assert_eq!(run(&mut turns, 5000, MS / 50, |_| true).len(), 5000);
        turns.add(5000, true);
        assert!(run(&mut turns, 2, MS / 50, |_| true).contains(&5000));
    }

    #[test]
    fn newcomers_without_end_keep_nobody_waiting_who_needs_a_second_turn() {
        let mut turns = Turns::default();
        turns.add(0, false);
        let mut had = Vec::new();
        for newcomer in 1..100 {
            turns.add(newcomer, true);
            had.extend(run(&mut turns, 1, MS, |_| false));
        }
        assert!(had[..2].contains(&0), "{had:?}");
    }

    #[test]
    fn whose_requests_are_long_to_answer_has_as_much_time_as_others_and_is_not_forgotten() {
        let mut turns = Turns::default();
        turns.add(0, false);
        turns.next();
        turns.took(0, 1000 * MS);
        turns.add(0, false);
        turns.add(1, false);
        let had = run(&mut turns, 40, MS, |key| key == 1);
        assert_eq!(had.iter().position(|key| *key == 0), Some(20), "20 ms behind at most: {had:?}");
    }

    #[test]
    fn nothing_is_left_of_who_has_gone() {
        let mut turns = Turns::default();
        (0..4).for_each(|key| turns.add(key, key < 2));
        turns.add(1, true);
        assert!(turns.waits(1) && !turns.is_empty());
        [0, 1, 2].into_iter().for_each(|key| turns.forget(key));
        assert_eq!((turns.next(), turns.next()), (Some(3), None));
        assert!(turns.is_empty() && !turns.waits(3));
        turns.forget(3);
        assert!(turns.all.is_empty());
    }
}
