//! Who gives way to who comes: connections that have not said yet what they want are many at most, and a thousand who say
//! nothing must not keep out one who does. But everybody has some time, so that a thousand who come back at once, as after the
//! hub's restart, do not push each other out.

use std::time::Duration;

use crate::time::Micros;

/// How long somebody gives way to nobody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    usual: Duration,
    /// While there are as many as there may be for a moment.
    crowded: Duration,
}

/// To say what one wants. Whoever has something to say says it with the first packet.
pub(super) const TO_SAY: Grace = Grace { usual: Duration::from_millis(200), crowded: Duration::from_millis(20) };
/// To ask for more, or to read the last words: whoever has been answered gives way at once in a crowd.
pub(super) const TO_SAY_MORE: Grace = Grace { usual: Duration::from_millis(200), crowded: Duration::ZERO };
/// To be answered: to send a body, or to wait for a camera to open.
pub(super) const TO_BE_ANSWERED: Grace = Grace { usual: Duration::from_secs(1), crowded: Duration::from_millis(200) };

/// For a moment there may be so many times more than for long.
const BURST: usize = 4;
/// So many there may be, however few files may be open.
const LEAST: usize = 64;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Beyond so many, who has had its time gives way.
    pub(super) usual: usize,
    /// Beyond so many, whoever comes waits in the system's queue.
    pub(super) crowded: usize,
}

impl Capacity {
    /// For so many as were asked for, where so many files can be open for them.
    pub(super) fn new(most: usize, files: usize) -> Self {
        let usual = most.max(1);
        let crowded = (BURST * usual).min(files.max(LEAST));
        Self { usual: usual.min(crowded), crowded }
    }
}

/// Since when somebody has had how much time.
#[derive(Clone, Copy, Debug)]
pub(super) struct GracePeriod {
    since: Micros,
    grace: Grace,
}

impl GracePeriod {
    pub(super) fn new(since: Micros, grace: Grace) -> Self {
        Self { since, grace }
    }

    /// Until when it gives way to nobody.
    fn until(&self, crowded: bool) -> Micros {
        self.since + if crowded { self.grace.crowded } else { self.grace.usual }
    }
}

/// Which of all give way, where `most` may stay: those who are too many and have had their time, who has had it longest first.
/// Who has no time yet was not heard so far, which is not its fault.
pub(super) fn give_way<K: Ord + Copy>(
    all: impl Iterator<Item = (K, Option<GracePeriod>)>,
    most: usize,
    crowded: bool,
    now: Micros,
) -> Vec<K> {
    let until = |stay: Option<GracePeriod>| stay.map_or(Micros(u64::MAX), |stay| stay.until(crowded));
    let mut all: Vec<_> = all.map(|(key, stay)| (until(stay), key)).collect();
    let too_many = all.len().saturating_sub(most);
    all.retain(|(until, _)| *until <= now);
    all.sort_unstable();
    all.into_iter().take(too_many).map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    fn all(stays: &[(u64, Grace)]) -> impl Iterator<Item = (usize, Option<GracePeriod>)> {
        stays.iter().map(|(ms, grace)| Some(GracePeriod::new(at(*ms), *grace))).enumerate()
    }

    #[test]
    fn there_is_no_more_room_than_there_are_open_files() {
        let room = |most, files| {
            let Capacity { usual, crowded } = Capacity::new(most, files);
            (usual, crowded)
        };
        assert_eq!([room(1024, 100_000), room(1024, 2000), room(1024, 900)], [(1024, 4096), (1024, 2000), (900, 900)]);
        assert_eq!([room(1024, 0), room(8, 0), room(0, 100_000)], [(64, 64), (8, 32), (1, 4)]);
    }

    #[test]
    fn who_has_had_its_time_gives_way_and_who_has_just_come_does_not() {
        let stays: Vec<_> = (0..100).map(|ms| (ms, TO_SAY)).collect();
        assert!(give_way(all(&stays), 64, false, at(199)).is_empty(), "all came a moment ago");
        assert_eq!(give_way(all(&stays), 64, false, at(209)), (0..10).collect::<Vec<_>>(), "the first who came");
        assert_eq!(give_way(all(&stays), 64, false, at(10_000)), (0..36).collect::<Vec<_>>(), "not more than must");
        assert!(give_way(all(&stays), 100, false, at(10_000)).is_empty());
    }

    #[test]
    fn in_a_crowd_a_moment_must_do_and_who_is_answered_has_longer() {
        let stays = [(0, TO_SAY), (0, TO_BE_ANSWERED), (15, TO_SAY_MORE)];
        let gone = |crowded, ms| give_way(all(&stays), 0, crowded, at(ms));
        assert_eq!([gone(true, 14), gone(true, 15), gone(true, 20)], [vec![], vec![2], vec![2, 0]]);
        assert_eq!(gone(true, 200), [2, 0, 1]);
        assert_eq!([gone(false, 199), gone(false, 200), gone(false, 999)], [vec![], vec![0], vec![0, 2]]);
    }

    #[test]
    fn whoever_was_not_heard_yet_does_not_give_way() {
        let both = || [(0, None), (1, Some(GracePeriod::new(at(0), TO_SAY)))].into_iter();
        assert_eq!(give_way(both(), 0, true, at(100_000)), [1]);
    }

    #[test]
    fn who_has_been_answered_gives_way_at_once_in_a_crowd_however_often_it_asks() {
        assert_eq!(give_way(all(&[(15, TO_SAY_MORE), (0, TO_SAY)]), 1, true, at(15)), [0]);
    }
}
