//! Fewer pictures than there are, for who asked for a frame rate: those that come nearest to a schedule, as young as they are.

use std::time::Duration;

use crate::time::Micros;

/// The schedule of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameRate {
    /// When the next picture is due; `None` before the first.
    due: Option<Micros>,
}

impl FrameRate {
    /// May a picture be given now, of a stream whose pictures come so far apart? `None`: yes. Otherwise until when a nearer one is
    /// waited for: the picture that there is then is given, for there may be no other for long.
    ///
    /// Waiting for the time itself was rejected: what is there then is as old as the stream's pictures are apart.
    pub(super) fn ask(&self, now: Micros, interval: Duration) -> Option<Micros> {
        let due = self.due?;
        // It may come late, too.
        (now < due - interval / 2).then_some(due + interval)
    }

    /// One is given, and the next is due so much later: what was early or late does not move the schedule.
    pub(super) fn given(&mut self, now: Micros, apart: Duration) {
        let due = self.due.map(|due| due + apart).filter(|next| *next > now && now + 2 * apart >= *next);
        self.due = Some(due.unwrap_or(now + apart));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the pictures that come at these milliseconds are given, and when.
    fn given(comes: impl IntoIterator<Item = u64>, interval: u64, apart: u64) -> Vec<(u64, u64)> {
        let (mut rate, mut given) = (FrameRate::default(), Vec::new());
        let at = |ms: u64| Micros(1_000_000 + ms * 1000);
        let comes: Vec<u64> = comes.into_iter().collect();
        let (mut waiting, mut until) = (None, None);
        for ms in 0..=comes.last().unwrap() + 10_000 {
            let comes_now = comes.contains(&ms);
            if comes_now {
                waiting = Some(ms);
            }
            let (true, Some(picture)) = (comes_now || until.is_some_and(|until| at(ms) >= until), waiting) else {
                continue;
            };
            until = rate.ask(at(ms), Duration::from_millis(interval));
            if until.is_none() {
                given.push((picture, ms));
                waiting = None;
                rate.given(at(ms), Duration::from_millis(apart));
            }
        }
        given
    }

    #[test]
    fn pictures_are_given_as_they_come_and_as_many_as_were_asked_for() {
        for (apart, count) in [(100, 100), (50, 200), (200, 50), (1000, 10), (20, 303)] {
            let given = given((0..303).map(|n| n * 33 + n * 7919 % 9), 33, apart);
            assert!((count..=count + 1).contains(&given.len()), "{apart}: {}", given.len());
            // Behind the last there is none to wait for.
            let all_but_last = &given[..given.len() - 1];
            assert!(all_but_last.iter().all(|(came, at)| came == at), "none is kept while the next one comes");
        }
    }

    #[test]
    fn the_last_picture_of_a_scene_that_stands_still_comes_all_the_same() {
        assert_eq!(given([0, 33, 66], 33, 1000), [(0, 0), (66, 1033)]);
    }

    #[test]
    fn after_a_pause_the_schedule_begins_anew_and_nothing_is_made_up_for() {
        let comes = (0..30).map(|n| n * 33).chain((0..30).map(|n| 60_000 + n * 33));
        let given = given(comes, 33, 100);
        let after: Vec<u64> = given.iter().map(|given| given.1).filter(|at| *at >= 60_000).collect();
        assert!(after.len() <= 11 && after.windows(2).all(|two| two[1] - two[0] >= 66), "{after:?}");
    }
}
