//! How many log lines others can cause: a rule on `now`.

use std::collections::HashMap;
use std::time::Duration;

use log::Level;

use crate::time::Micros;

/// The place in the code that a line comes from: what is said there is of one kind.
pub(super) type Site = (Option<&'static str>, Option<u32>);

/// Lines of one kind at once, and the time after which there may be one more.
const LINES: (u32, Duration) = (10, Duration::from_secs(1));
/// The same for as long as a program runs: what comes back every second fills a disk, too, in the end. A hub that is visited
/// every ten seconds leaves nothing out.
const LASTING: (u32, Duration) = (1000, Duration::from_secs(10));
/// The same for faults: of one that comes back all the time, once a minute tells enough.
const LASTING_FAULT: (u32, Duration) = (10, Duration::from_secs(60));
/// The same for what somebody asked to see with `-v`.
const VERBOSE: (u32, Duration) = (200, Duration::from_millis(10));
/// Lines of all kinds together.
const ALL: (u32, Duration) = (40, Duration::from_millis(50));
/// The same for all that was asked for with `-v`.
const ALL_VERBOSE: (u32, Duration) = (1000, Duration::from_millis(2));
/// How long lines are counted before their number is told; and from one such number to the next.
pub(super) const COUNTED: Duration = Duration::from_secs(1);
const COUNTED_LASTING: Duration = Duration::from_secs(60);

/// Lets some lines of each kind through and counts the rest. The first of a kind after a pause always passes: there are
/// no more kinds than places in the code that log.
#[derive(Debug, Default)]
pub(super) struct LineLimit {
    sites: HashMap<Site, Kind>,
    all: [Bucket; 2],
    /// Somebody tells what was left out.
    telling: bool,
}

#[derive(Debug, Default)]
struct Kind {
    bucket: Bucket,
    lasting: Bucket,
    left_out: Option<LeftOut>,
    /// Until when no count follows the last one.
    counted_until: Micros,
}

/// Lines that were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) level: Level,
    pub(super) lines: u64,
    /// The first of them, shortened.
    pub(super) like: String,
    /// When that is to be told.
    due: Micros,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFate {
    Write,
    /// It is counted. The first, when nobody tells what was left out: somebody must ask for [`LineLimit::counts`] each time
    /// that [`COUNTED`] has passed, for as long as [`LineLimit::is_telling`].
    LeaveOut {
        first: bool,
        /// The first of its kind: [`LineLimit::describe`] it.
        new_kind: bool,
    },
}

impl LineLimit {
    /// A line from `site` is to be written.
    pub(super) fn judge(&mut self, site: Site, level: Level, now: Micros) -> LineFate {
        let verbose = level > Level::Info;
        let (limit, limit_of_all) = if verbose { (VERBOSE, ALL_VERBOSE) } else { (LINES, ALL) };
        let kind = self.sites.entry(site).or_default();
        let is_first = kind.bucket.is_full(now);
        // What all together must not write takes from its kind all the same, or it would pass as a first one soon.
        let mut kind_may = kind.bucket.take(limit, now);
        let lasting = if level <= Level::Warn { LASTING_FAULT } else { LASTING };
        kind_may = kind_may && (verbose || kind.lasting.take(lasting, now));
        if kind_may && (self.all[usize::from(verbose)].take(limit_of_all, now) || is_first) {
            return LineFate::Write;
        }
        let new_kind = kind.left_out.is_none();
        let due = kind.counted_until.max(now + COUNTED);
        kind.left_out.get_or_insert_with(|| LeftOut { level, lines: 0, like: String::new(), due }).lines += 1;
        LineFate::LeaveOut { first: !std::mem::replace(&mut self.telling, true), new_kind }
    }

    /// A short form of the line that was the first of its kind to be left out.
    pub(super) fn describe(&mut self, site: Site, like: String) {
        if let Some(left_out) = self.sites.get_mut(&site).and_then(|kind| kind.left_out.as_mut()) {
            left_out.like = like;
        }
    }

    /// What was left out and is to be told now.
    pub(super) fn counts(&mut self, now: Micros) -> Vec<LeftOut> {
        let take = |kind: &mut Kind| {
            let left_out = kind.left_out.take_if(|left_out| left_out.due <= now)?;
            kind.counted_until = now + COUNTED_LASTING;
            Some(left_out)
        };
        self.sites.values_mut().filter_map(take).collect()
    }

    /// Whether there is more to tell, now or later. Nobody tells any more where there is not.
    pub(super) fn is_telling(&mut self) -> bool {
        self.telling = self.sites.values().any(|kind| kind.left_out.is_some());
        self.telling
    }

    /// There is nobody to tell what was left out, until the next line that is.
    pub(super) fn cannot_tell(&mut self) {
        self.telling = false;
    }
}

/// So many lines at once, and one more after each pause. Kept as the point in time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Micros,
}

impl Bucket {
    fn is_full(&self, now: Micros) -> bool {
        self.full_at <= now
    }

    fn take(&mut self, (most, pause): (u32, Duration), now: Micros) -> bool {
        let full_at = self.full_at.max(now) + pause;
        let fits = full_at.since(now) <= pause * most;
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Site = (Some("a.rs"), Some(1));

    fn at(ms: u64) -> Micros {
        Micros(1_000_000_000 + ms * 1000)
    }

    /// How many of a line each millisecond are written from `from` to `to`.
    fn flood(limit: &mut LineLimit, site: Site, level: Level, (from, to): (u64, u64)) -> usize {
        let mut written = 0;
        for ms in from..to {
            match limit.judge(site, level, at(ms)) {
                LineFate::Write => written += 1,
                LineFate::LeaveOut { new_kind: true, .. } => limit.describe(site, format!("at {ms}")),
                LineFate::LeaveOut { .. } => {}
            }
        }
        written
    }

    #[test]
    fn a_flood_of_one_kind_is_ten_lines_and_one_a_second_and_a_count() {
        let mut limit = LineLimit::default();
        assert_eq!(flood(&mut limit, HERE, Level::Info, (0, 60_000)), 10 + 59);
        let lines = 60_000 - 69;
        let left_out = LeftOut { level: Level::Info, lines, like: "at 10".into(), due: at(1010) };
        assert_eq!(limit.counts(at(1009)), []);
        assert_eq!(limit.counts(at(60_000)), [left_out]);
        assert_eq!((limit.counts(at(60_000)), limit.is_telling()), (vec![], false), "told once");
        limit.judge(HERE, Level::Info, at(60_000));
        let verdicts = [60_001, 60_002].map(|ms| limit.judge(HERE, Level::Info, at(ms)));
        let left_out = |first| LineFate::LeaveOut { first, new_kind: first };
        assert_eq!(verdicts, [left_out(true), left_out(false)]);
    }

    #[test]
    fn another_kind_and_a_kind_after_a_pause_are_not_kept_back_by_a_flood() {
        let mut limit = LineLimit::default();
        for line in 0..1000 {
            flood(&mut limit, (Some("a.rs"), Some(line)), Level::Info, (0, 100));
        }
        let first = limit.judge((Some("b.rs"), Some(1)), Level::Error, at(100));
        assert_eq!(first, LineFate::Write, "the first of a kind is never lost");
        assert_eq!(limit.judge(HERE, Level::Error, at(60_000)), LineFate::Write);
    }

    #[test]
    fn all_kinds_together_have_a_limit() {
        let mut limit = LineLimit::default();
        let kinds = 50;
        let mut written = 0;
        for ms in 0..10_000 {
            for line in 0..kinds {
                let site = (Some("a.rs"), Some(line));
                written += usize::from(limit.judge(site, Level::Info, at(ms)) == LineFate::Write);
            }
        }
        let most = kinds as usize + 40 + 10 * 20;
        assert!((most / 2..=most).contains(&written), "{written} in ten seconds, {most} at most");
    }

    #[test]
    fn what_was_asked_for_at_debug_is_limited_higher_and_takes_nothing_from_the_rest() {
        let mut limit = LineLimit::default();
        let written = flood(&mut limit, HERE, Level::Debug, (0, 10_000));
        assert_eq!(written, 200 + 999);
        assert_eq!(flood(&mut limit, (Some("b.rs"), None), Level::Warn, (10_000, 10_010)), 10);
    }

    #[test]
    fn a_line_now_and_then_always_passes() {
        let mut limit = LineLimit::default();
        for n in 0..100_000 {
            assert_eq!(limit.judge(HERE, Level::Info, at(n * 10_000)), LineFate::Write);
        }
        assert!(!limit.is_telling());
    }

    /// How many of a line a second are written in a day, and how often what was left out is told.
    fn a_day_of(level: Level) -> (u64, u64) {
        let mut limit = LineLimit::default();
        let (mut written, mut told, mut lines) = (0, 0, 0);
        for second in 0..86_400 {
            written += u64::from(limit.judge(HERE, level, at(second * 1000)) == LineFate::Write);
            for left_out in limit.counts(at(second * 1000)) {
                (told, lines) = (told + 1, lines + left_out.lines);
            }
        }
        lines += limit.counts(at(90_000_000)).iter().map(|left_out| left_out.lines).sum::<u64>();
        assert_eq!(written + lines, 86_400, "none is lost without being counted");
        (written, told)
    }

    #[test]
    fn a_line_a_second_for_a_day_is_a_thousand_and_six_a_minute_and_a_count_a_minute() {
        let (written, told) = a_day_of(Level::Info);
        assert!((1000 + 8500..1100 + 8640).contains(&written), "{written}");
        assert!((1300..1440).contains(&told), "{told}");
    }

    #[test]
    fn a_fault_a_second_for_a_day_is_ten_lines_and_one_a_minute_and_a_count_a_minute() {
        let (written, told) = a_day_of(Level::Warn);
        assert!((1440..1460).contains(&written), "{written}");
        assert!((1400..1445).contains(&told), "{told}");
    }
}
