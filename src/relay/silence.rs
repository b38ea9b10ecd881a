//! Whether the pictures of a stream come when they are due, whatever its publisher says: a program that is stopped, an encoder
//! that hangs and a cut path say nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::stats::Rhythm;
use crate::time::Micros;

/// How long the first picture after a demand may take: a camera takes long to open, and its publisher says when it fails.
const OPENS: Duration = Duration::from_secs(10);

/// What viewers are told.
const NONE_COMES: &str = "no picture comes";

/// When a publisher gives pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gives {
    /// When somebody watches; with `rungs` it encodes what is demanded.
    OnDemand {
        /// It does.
        rungs: bool,
    },
    /// Whether somebody watches or not.
    #[default]
    Always,
    /// As a person likes, who may switch the camera off: that is no fault.
    AtWill,
}

/// Pictures of a stream are due and do not come, though its publisher gives no reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    /// When the last one came, or since when the first is waited for.
    pub since: Micros,
    /// What viewers are told; empty where that is no fault.
    pub reason: Arc<str>,
}

/// The rule. Tell it what happens, and ask [`judge`](Self::judge) now and then.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    gives: Gives,
    /// When the publisher began, or was last said to have no reason why no pictures come.
    began: Micros,
    /// Since when somebody watches.
    watched: Option<Micros>,
    /// The publisher itself says why none come.
    excused: bool,
    /// When the last picture came, since they are expected.
    last: Option<Micros>,
    /// For how long somebody watched and no picture came, in earlier times: whoever comes and goes gives no grace anew.
    waited: Duration,
    /// The publisher has only begun, or a picture has come since its last excuse ended.
    gave: bool,
    rhythm: Rhythm,
    /// Why the hub passes on none of those that came since the last one that it did.
    refused: Option<Arc<str>>,
    silent: Option<Silent>,
}

impl Silence {
    /// Another publisher.
    pub(crate) fn begin(&mut self, gives: Gives, now: Micros) {
        *self = Self { gives, began: now, watched: self.watched, gave: true, ..Self::default() };
    }

    /// Somebody watches from now on, or nobody.
    pub(crate) fn watched(&mut self, watched: bool, now: Micros) {
        if let (Some(since), None) = (self.watched, self.last) {
            self.waited += now.since(since.max(self.began));
        }
        self.watched = watched.then_some(now);
        if let Gives::OnDemand { .. } = self.gives {
            self.last = None;
        }
    }

    /// The publisher says how long pictures are apart at most, and whether it has a reason why none come.
    pub(crate) fn told(&mut self, apart: Option<Duration>, excused: bool, now: Micros) {
        self.rhythm.announced(apart);
        if excused != std::mem::replace(&mut self.excused, excused) {
            // Who has an excuse again and again, and gives no picture between, has one grace for all.
            if !excused && std::mem::take(&mut self.gave) {
                (self.began, self.waited) = (now, Duration::ZERO);
            }
            (self.silent, self.last) = (None, None);
        }
    }

    /// A picture came. Says whether the stream was silent until now.
    pub(crate) fn came(&mut self, now: Micros) -> bool {
        (self.waited, self.gave, self.refused) = (Duration::ZERO, true, None);
        if self.expects().is_some()
            && let Some(last) = self.last.replace(now)
        {
            self.rhythm.add(now.since(last), now);
        }
        self.silent.take().is_some()
    }

    /// Says whether the stream has fallen silent, or is not to be judged any more.
    pub(crate) fn judge(&mut self, now: Micros) -> bool {
        let since = match &self.silent {
            // It gave none when it was asked last. That nobody asks any more, or somebody anew, does not make it live.
            Some(silent) if self.last.is_none() => Some(silent.since),
            _ => self.due(now).filter(|(_, due)| now >= *due).map(|(since, _)| since),
        };
        let reason = || match &self.refused {
            Some(why) => why.clone(),
            None if self.gives == Gives::AtWill => Arc::default(),
            None => NONE_COMES.into(),
        };
        let silent = since.map(|since| Silent { since, reason: reason() });
        let news = self.silent != silent;
        self.silent = silent;
        news
    }

    /// A picture came that the hub does not pass on. What came before it is on the screens until it is late.
    pub(crate) fn refused(&mut self, why: &str) {
        self.refused.get_or_insert_with(|| format!("pictures are left out: {why}").into());
    }

    /// How far its pictures are apart, as they came and as the publisher says; `None`: nobody knows.
    #[must_use]
    pub(crate) fn apart(&self, now: Micros) -> Option<Duration> {
        self.rhythm.apart(now)
    }

    /// How long the first picture may take of a publisher that was not asked until now.
    #[must_use]
    pub(crate) fn opens_within(&self, now: Micros) -> Duration {
        self.rhythm.lost_after(now).unwrap_or_default().max(OPENS)
    }

    /// Whether somebody watches.
    #[must_use]
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Whether pictures are due and do not come.
    #[must_use]
    pub(crate) fn silent(&self) -> Option<Silent> {
        self.silent.clone()
    }

    /// Since when pictures are expected.
    fn expects(&self) -> Option<Micros> {
        match self.gives {
            _ if self.excused => None,
            Gives::Always | Gives::AtWill => Some(self.began),
            Gives::OnDemand { .. } => self.watched.map(|watched| watched.max(self.began)),
        }
    }

    /// When the last picture came, or since when the first is expected; and until when one must have come.
    fn due(&self, now: Micros) -> Option<(Micros, Micros)> {
        let since = self.expects()?;
        let lost_after = self.rhythm.lost_after(now);
        Some(match (self.last, lost_after) {
            (Some(last), Some(lost_after)) => (last, last + lost_after),
            (Some(last), None) if matches!(self.gives, Gives::OnDemand { .. }) => (last, last + OPENS),
            // A single picture, as one that was posted, may be all that there is to see.
            (Some(_), None) => return None,
            (None, _) if self.refused.is_some() => (since, since),
            (None, _) => (since, since + self.opens_within(now).saturating_sub(self.waited)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_DEMAND: Gives = Gives::OnDemand { rungs: true };

    struct Bench {
        silence: Silence,
        now: Micros,
    }

    impl Bench {
        fn new(gives: Gives) -> Self {
            let (mut silence, now) = (Silence::default(), Micros(1_000_000_000));
            silence.begin(gives, now);
            Self { silence, now }
        }

        /// Goes on, looking ten times a second, and says for how long the stream was silent at the end, in milliseconds.
        fn wait(&mut self, ms: u64) -> Option<u128> {
            let end = self.now + Duration::from_millis(ms);
            while self.now < end {
                self.now = (self.now + Duration::from_millis(100)).min(end);
                self.silence.judge(self.now);
            }
            self.silence.silent().map(|silent| self.now.since(silent.since).as_millis())
        }

        /// So many pictures, so far apart; none may come after the stream was given up.
        fn pictures(&mut self, count: u32, apart: u64) {
            for n in 0..count {
                assert_eq!(self.wait(apart), None, "before picture {n}");
                assert!(!self.silence.came(self.now));
            }
        }

        fn watched(&mut self, watched: bool) {
            self.silence.watched(watched, self.now);
        }

        fn told(&mut self, apart: u64, excused: bool) {
            self.silence.told(Some(Duration::from_millis(apart)), excused, self.now);
        }
    }

    #[test]
    fn a_stream_is_silent_three_intervals_and_two_seconds_after_its_last_picture_and_lives_with_the_next() {
        for gives in [Gives::Always, Gives::AtWill] {
            let mut bench = Bench::new(gives);
            bench.pictures(100, 40);
            assert_eq!(bench.wait(2100), None);
            assert_eq!(bench.wait(100), Some(2200));
            assert_eq!(bench.wait(60_000), Some(62_200));
            let reason = bench.silence.silent().unwrap().reason;
            assert_eq!(reason.is_empty(), gives == Gives::AtWill, "who switches a camera off is no fault");
            assert!(bench.silence.came(bench.now));
            bench.pictures(10, 40);
        }
    }

    #[test]
    fn a_single_posted_picture_is_not_judged_and_one_a_minute_has_that_rhythm() {
        let mut bench = Bench::new(Gives::Always);
        bench.pictures(1, 0);
        bench.pictures(5, 60_000);
        assert_eq!(bench.wait(181_000), None);
        assert_eq!(bench.wait(2000), Some(183_000));
        // And one every ten minutes is not waited for so long.
        let mut bench = Bench::new(Gives::Always);
        bench.pictures(1, 0);
        bench.pictures(1, 600_000);
        assert_eq!(bench.wait(181_000), None);
        assert!(bench.wait(2000).is_some());
    }

    #[test]
    fn a_publisher_with_a_connection_that_never_gives_a_picture_is_silent_soon() {
        assert_eq!(Bench::new(Gives::Always).wait(9900), None);
        assert_eq!(Bench::new(Gives::Always).wait(10_000), Some(10_000));
    }

    #[test]
    fn who_gives_pictures_that_are_not_passed_on_is_said_to_until_one_is() {
        let mut bench = Bench::new(ON_DEMAND);
        bench.watched(true);
        bench.silence.refused("it is over 64 Mpx");
        assert!(bench.silence.judge(bench.now), "at once: there is nothing to wait for");
        bench.silence.refused("it is over 64 Mpx");
        assert!(!bench.silence.judge(bench.now), "said once");
        assert_eq!(&*bench.silence.silent().unwrap().reason, "pictures are left out: it is over 64 Mpx");
        assert!(bench.silence.came(bench.now) && bench.silence.silent().is_none());
        // What is on the screens is not old at once.
        bench.pictures(10, 33);
        bench.silence.refused("it is over 64 Mpx");
        assert_eq!(bench.wait(2000), None);
        assert!(bench.wait(200).is_some());
        assert_ne!(&*bench.silence.silent().unwrap().reason, NONE_COMES);
        // Who was given up already may say why later.
        let mut bench = Bench::new(Gives::Always);
        assert!(bench.wait(10_000).is_some());
        bench.silence.refused("it is over 64 Mpx");
        assert!(bench.silence.judge(bench.now));
        assert_ne!(&*bench.silence.silent().unwrap().reason, NONE_COMES);
    }

    #[test]
    fn who_gives_pictures_on_demand_is_judged_while_somebody_watches_and_may_open_its_camera_first() {
        let mut bench = Bench::new(ON_DEMAND);
        assert_eq!(bench.wait(3_600_000), None, "nobody watches");
        bench.watched(true);
        assert_eq!(bench.wait(9900), None);
        bench.pictures(100, 33);
        assert_eq!(bench.wait(2000), None);
        assert!(bench.wait(200).is_some());
        assert!(bench.silence.came(bench.now));
        bench.watched(false);
        assert_eq!(bench.wait(600_000), None);
        bench.watched(true);
        assert_eq!(bench.wait(9900), None, "its camera may have been closed meanwhile");
        assert_eq!(bench.wait(100), Some(10_000));
        assert!(bench.silence.came(bench.now));
        // The time without a demand is no rhythm.
        bench.pictures(1, 33);
        assert_eq!(bench.wait(2000), None);
        assert!(bench.wait(300).is_some());
        // Another publisher begins anew.
        bench.silence.begin(ON_DEMAND, bench.now);
        assert_eq!(bench.wait(9900), None);
        assert_eq!(bench.wait(100), Some(10_000));
    }

    #[test]
    fn a_silent_stream_does_not_live_again_because_nobody_watches_or_somebody_anew() {
        let mut bench = Bench::new(ON_DEMAND);
        bench.watched(true);
        bench.pictures(100, 33);
        assert!(bench.wait(3000).is_some());
        for watched in [false, true, false, true] {
            bench.watched(watched);
            assert!(bench.wait(5000).is_some(), "watched: {watched}");
        }
        assert!(bench.silence.came(bench.now), "the next picture tells");
        bench.watched(false);
        assert_eq!(bench.wait(600_000), None);
    }

    #[test]
    fn what_a_publisher_announces_counts_where_it_is_longer() {
        let mut bench = Bench::new(ON_DEMAND);
        bench.watched(true);
        bench.told(1000, false);
        bench.pictures(100, 33);
        assert_eq!(bench.wait(4900), None, "unchanged pictures are left out");
        assert!(bench.wait(200).is_some());
        let mut bench = Bench::new(ON_DEMAND);
        bench.watched(true);
        bench.told(33, false);
        bench.pictures(100, 500);
        assert_eq!(bench.wait(3400), None, "a slow uplink");
        assert!(bench.wait(200).is_some());
    }

    #[test]
    fn a_publisher_that_says_itself_why_none_come_is_not_judged() {
        let mut bench = Bench::new(ON_DEMAND);
        bench.watched(true);
        bench.pictures(100, 33);
        bench.told(33, true);
        assert_eq!(bench.wait(600_000), None);
        bench.told(33, false);
        assert_eq!(bench.wait(9900), None);
        // That it goes on to say so proves nothing.
        bench.told(33, false);
        assert_eq!(bench.wait(100), Some(10_000));
    }

    #[test]
    fn no_excuse_and_no_viewer_that_comes_again_makes_a_stream_live_that_gives_no_picture() {
        let mut excuses = Bench::new(ON_DEMAND);
        excuses.watched(true);
        let mut viewers = Bench::new(ON_DEMAND);
        let mut live = [0, 0];
        for _ in 0..10 {
            excuses.told(33, true);
            excuses.told(33, false);
            live[0] += u32::from(excuses.wait(8000).is_none());
            viewers.watched(true);
            live[1] += u32::from(viewers.wait(8000).is_none());
            viewers.watched(false);
            viewers.wait(300);
        }
        assert_eq!(live, [1, 1], "of ten times eight seconds");
    }
}
