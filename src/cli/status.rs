//! The sender's status, in one line.

use std::io::IsTerminal;
use std::time::Duration;

use super::logging;
use crate::adapt::Limit;
use crate::stats::PublishReport;
use crate::time::{Micros, millis, now};

const LIVE: Duration = Duration::from_millis(250);
const LOGGED: Duration = Duration::from_secs(10);

/// Shows reports: live on a terminal, otherwise as a log line every ten seconds, while there is something new to say.
pub(super) struct Status {
    live: bool,
    next: Micros,
    logged: String,
}

impl Status {
    /// `several`: others are shown beside it, and one line of a terminal is not enough.
    pub(super) fn new(quiet: bool, several: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = !quiet && !several && !dumb && std::io::stderr().is_terminal();
        Self { live, next: now() + if live { LIVE } else { LOGGED }, logged: String::new() }
    }

    pub(super) fn show(&mut self, report: impl FnOnce() -> PublishReport) {
        let at = now();
        if at < self.next {
            return;
        }
        let line = line(&report());
        if self.live {
            self.next = at + LIVE;
            logging::status(&line);
        } else {
            self.next = at + LOGGED;
            if line != self.logged {
                log::info!("{line}");
                self.logged = line;
            }
        }
    }
}

impl Status {
    /// Says something at once, if it is new.
    pub(super) fn say(&mut self, report: &PublishReport) {
        let line = line(report);
        if line != self.logged {
            log::warn!("{line}");
            self.logged = line;
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if self.live {
            logging::end_status();
        }
    }
}

fn line(report: &PublishReport) -> String {
    let stream = &report.stream;
    if !report.fault.is_empty() {
        return format!("{stream}: {}", report.fault);
    }
    if !report.connected {
        return format!("{stream}: {}", report.link);
    }
    if report.asleep {
        return format!("{stream}: nobody watches, source closed");
    }
    let viewers = match report.viewers {
        0 => return format!("{stream}: {:.1} fps in, nobody watches", report.fps_in),
        1 => "1 viewer".to_string(),
        n => format!("{n} viewers"),
    };
    let quality = if report.quality == 0 { "as it came".to_string() } else { format!("quality {}", report.quality) };
    let nominal = &report.nominal;
    let of = match (report.size == nominal.size || nominal.size.is_empty(), report.quality == nominal.quality) {
        (true, true) => String::new(),
        (true, false) => format!(" of {}", nominal.quality),
        (false, _) => format!(" of {} quality {}", nominal.size, nominal.quality),
    };
    let same = if report.unchanged == 0 { String::new() } else { format!(", {} unchanged", report.unchanged) };
    let limit = match report.limit {
        Limit::Nothing => String::new(),
        limit => format!(", limited: the {limit} {}", report.load.in_words(limit)),
    };
    format!(
        "{stream}: {:.1} fps in, {:.1} out, {:.0} kB/s, {} {quality}{of}, {viewers}, age {}, {} dropped{same}{limit}",
        report.fps_in,
        report.fps_out,
        report.kbytes_per_second,
        report.size,
        age(report),
        report.lost + report.skipped + report.broken,
    )
}

/// Of pictures when they left; of the last one, now, when none has left for long.
fn age(report: &PublishReport) -> String {
    let late = report.nominal.interval().map_or(0.0, |apart| 3.0 * millis(apart)).max(250.0);
    let age = match (report.age_ms.p50, report.picture_age_ms) {
        (Some(p50), Some(now)) if now <= p50 + late => Some(p50),
        (_, now) => now,
    };
    age.map_or_else(|| "-".into(), |age| format!("{age:.1} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_matters_now() {
        let mut report =
            PublishReport { stream: "main/door".into(), connected: true, viewers: 2, ..Default::default() };
        assert!(line(&report).contains("2 viewers"));
        assert!(line(&report).contains("age -,"), "{}", line(&report));
        (report.age_ms.p50, report.picture_age_ms) = (Some(1.8), Some(20.0));
        assert!(line(&report).contains("age 1.8 ms,"));
        report.picture_age_ms = Some(2400.0);
        assert!(line(&report).contains("age 2400.0 ms,"));
        report.fault = "camera unplugged".into();
        assert_eq!(line(&report), "main/door: camera unplugged");
        report.fault.clear();
        report.connected = false;
        report.link = "hub unreachable".into();
        assert_eq!(line(&report), "main/door: hub unreachable");
    }
}
