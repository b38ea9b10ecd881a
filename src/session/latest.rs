//! What a peer is told of the state of things: of each kind the newest, at once while that is now and then, and so many times
//! a second at most however often it changes. Who comes and goes all the time makes no work for others, and nothing piles up
//! for who reads slowly.

use std::mem::discriminant;
use std::time::Duration;

use crate::time::Micros;
use crate::wire::control::Control;

/// So many messages go at once, as when somebody comes and the rungs change with it.
const AT_ONCE: u32 = 8;
/// Then one each so often.
const EVERY: Duration = Duration::from_millis(50);

/// Lets so many pass at once, and then one each so often: the generic cell rate algorithm (ITU-T I.371).
#[derive(Debug)]
pub(super) struct Rate {
    every: Duration,
    at_once: u32,
    /// When it will have recovered wholly from what has passed.
    recovered: Micros,
}

impl Rate {
    pub(super) const fn new(every: Duration, at_once: u32) -> Self {
        Self { every, at_once, recovered: Micros(0) }
    }

    /// Whether one may pass now, which counts.
    pub(super) fn pass(&mut self, now: Micros) -> bool {
        let passes = self.recovered.since(now) <= self.every * (self.at_once - 1);
        if passes {
            self.recovered = self.recovered.max(now) + self.every;
        }
        passes
    }
}

/// What is still to be told to one peer.
#[derive(Debug)]
pub(super) struct Latest {
    /// Of each kind one at most.
    owed: Vec<Control>,
    rate: Rate,
    /// Whether the publisher has been told that somebody watches.
    wanted: bool,
    /// The stream whose state was told last.
    told: Option<(String, String)>,
}

impl Latest {
    pub(super) fn new() -> Self {
        Self { owed: Vec::new(), rate: Rate::new(EVERY, AT_ONCE), wanted: false, told: None }
    }

    /// Whether a message is of this sort: a newer one makes it worthless.
    pub(super) fn is_state(control: &Control) -> bool {
        matches!(control, Control::Demand { .. } | Control::State(_) | Control::Link { .. })
    }

    /// Takes news, and returns them if they are to be sent now. While something waits before them they are kept back, since
    /// newer ones may come.
    pub(super) fn news(&mut self, control: Control, waits: bool, now: Micros) -> Option<Control> {
        self.owed.retain(|owed| discriminant(owed) != discriminant(&control));
        if (!waits || self.cannot_wait(&control)) && self.may_go(&control, now) {
            return Some(control);
        }
        self.owed.push(control);
        None
    }

    /// Whether others would go before it that belong behind it: the pictures of another stream, or a camera's sleep. There
    /// are only as many of these as the peer asks for.
    fn cannot_wait(&self, control: &Control) -> bool {
        match control {
            Control::Demand { viewers, .. } => *viewers > 0 && !self.wanted,
            Control::State(state) => {
                self.told.as_ref().is_none_or(|(room, name)| (room, name) != (&state.room, &state.name))
            }
            _ => false,
        }
    }

    /// What may be sent now of what was held back.
    pub(super) fn owed(&mut self, now: Micros) -> Option<Control> {
        let control = self.owed.pop()?;
        if self.may_go(&control, now) {
            return Some(control);
        }
        self.owed.push(control);
        None
    }

    fn may_go(&mut self, control: &Control, now: Micros) -> bool {
        match control {
            // That somebody watches wakes a camera, so it is told at once; that nobody does any more is not, and so there is
            // an end to how often it can be.
            Control::Demand { viewers, .. } => {
                let goes = self.cannot_wait(control) || self.rate.pass(now);
                if goes {
                    self.wanted = *viewers > 0;
                }
                goes
            }
            // Which stream it is goes before the stream's pictures. A viewer has no more of these than it asked for.
            Control::State(state) => {
                let other = self.cannot_wait(control);
                if other {
                    self.told = Some((state.room.clone(), state.name.clone()));
                }
                other || self.rate.pass(now)
            }
            _ => self.rate.pass(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::StreamState;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    fn demand(viewers: u32) -> Control {
        Control::Demand { viewers, rungs: Vec::new(), audio: false }
    }

    fn state(name: &str, reason: &str) -> Control {
        Control::State(StreamState { name: name.into(), reason: reason.into(), ..StreamState::default() })
    }

    #[test]
    fn viewers_that_come_and_go_without_end_cost_a_publisher_a_few_messages_and_the_last_one_is_true() {
        let mut latest = Latest::new();
        let mut told = Vec::new();
        // Ten thousand changes in a second, and a look at what is owed ten times.
        for n in 0..10_000 {
            told.extend(latest.news(demand(10 + n % 7), false, at(u64::from(n) / 10)));
            if n % 1000 == 999 {
                told.extend(latest.owed(at(u64::from(n) / 10)));
            }
        }
        assert!((20..40).contains(&told.len()), "{}", told.len());
        let mut end = latest.news(demand(3), false, at(1000));
        for tick in 11..14 {
            end = end.or(latest.owed(at(tick * 100)));
        }
        assert_eq!(end, Some(demand(3)));
        assert_eq!(latest.owed(at(2000)), None, "nothing older comes after it");
    }

    #[test]
    fn the_first_viewer_wakes_a_camera_at_once_however_many_came_and_went() {
        let mut latest = Latest::new();
        let mut told = 0;
        for n in 0..1000 {
            let now = at(n);
            told += usize::from(latest.news(demand(0), false, now).is_some());
            let asleep = !latest.wanted;
            let woken = latest.news(demand(1), false, now).is_some();
            assert!(woken || !asleep, "a camera sleeps though somebody watches");
            told += usize::from(woken);
        }
        assert!(told < 80, "{told}");
    }

    #[test]
    fn another_streams_state_and_a_first_viewer_go_even_while_something_waits() {
        let mut latest = Latest::new();
        assert!(latest.news(state("a", ""), false, at(0)).is_some());
        assert_eq!(latest.news(state("a", "gone"), true, at(1)), None);
        assert_eq!(latest.news(state("b", ""), true, at(2)), Some(state("b", "")), "its pictures would go before it");
        assert_eq!(latest.owed(at(1000)), None, "what was kept back of the other is worthless");
        assert_eq!(latest.news(demand(1), true, at(1001)), Some(demand(1)));
        assert_eq!(latest.news(demand(2), true, at(1002)), None);
    }

    #[test]
    fn changes_now_and_then_are_told_at_once() {
        let mut latest = Latest::new();
        for n in 0..100 {
            for kind in [demand(n), state("door", &n.to_string()), Control::Link { bytes: Some(n), busy: None }] {
                assert_eq!(latest.news(kind.clone(), false, at(u64::from(n) * 200)), Some(kind));
            }
        }
    }

    #[test]
    fn what_waits_behind_something_is_replaced_by_what_is_newer_and_each_kind_is_kept() {
        let mut latest = Latest::new();
        assert!(
            latest.news(demand(1), false, at(0)).is_some() && latest.news(state("door", ""), false, at(0)).is_some()
        );
        for n in 0..5 {
            assert_eq!(latest.news(demand(n), true, at(0)), None);
            assert_eq!(latest.news(state("door", &n.to_string()), true, at(0)), None);
        }
        let mut owed = [latest.owed(at(100)), latest.owed(at(100))];
        owed.sort_by_key(|o| format!("{o:?}"));
        assert_eq!(owed, [Some(demand(4)), Some(state("door", "4"))]);
        assert_eq!(latest.owed(at(100)), None);
    }

    #[test]
    fn another_stream_is_named_before_its_pictures_come() {
        let mut latest = Latest::new();
        for n in 0..1000 {
            let name = ["door", "gate"][n % 2];
            assert!(latest.news(state(name, ""), false, at(0)).is_some());
        }
    }
}
