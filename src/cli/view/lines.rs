//! Statistics as lines, for people or as JSON, written by a thread of their own: whoever does not read them holds up neither the picture nor
//! Ctrl-C. A line that is not written when the next is due is left out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::adapt::Limit;
use crate::cli::logging;
use crate::mailbox::{Sender, Taken, mailbox};
use crate::stats::{State, ViewReport};
use crate::text::Untrusted;

/// How long the end of the program waits for the last line.
const LAST: Duration = Duration::from_millis(500);

/// Where the lines go.
pub(super) struct Lines {
    reports: Option<Sender<Vec<ViewReport>>>,
    /// How writing ended.
    ended: mpsc::Receiver<io::Result<()>>,
}

impl Lines {
    /// Lines on standard output.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(json: bool) -> io::Result<Self> {
        if json { Self::to(print_json) } else { Self::to(print_words()) }
    }

    fn to(mut write: impl FnMut(&ViewReport) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (reports, waiting) = mailbox::<Vec<ViewReport>>();
        let (tell, ended) = mpsc::channel();
        thread::Builder::new().name("lines".into()).spawn(move || {
            let end = loop {
                match waiting.take(Duration::MAX) {
                    Taken::Value(reports) => {
                        if let Err(error) = reports.iter().try_for_each(&mut write) {
                            break Err(error);
                        }
                    }
                    Taken::Nothing => {}
                    Taken::Closed => break Ok(()),
                }
            };
            // Nobody asks when the program has ended already.
            let _ = tell.send(end);
        })?;
        Ok(Self { reports: Some(reports), ended })
    }

    /// The next line, or one for each of several streams.
    ///
    /// # Errors
    /// Why an earlier one could not be written.
    pub(super) fn put(&self, reports: Vec<ViewReport>) -> io::Result<()> {
        if let Ok(end) = self.ended.try_recv() {
            return end;
        }
        if let Some(writer) = &self.reports {
            writer.put(reports);
        }
        Ok(())
    }

    /// No line follows. Waits for the last one, for a moment.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.reports = None;
        self.ended.recv_timeout(LAST).unwrap_or(Ok(()))
    }
}

fn print_json(report: &ViewReport) -> io::Result<()> {
    let mut line = Vec::new();
    // What others said is in it, and a terminal may be what reads it.
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut line, logging::ForTerminals))?;
    print(line)
}

/// Lines for people. That nothing comes is said when it begins, or when the reason is another, and not every second.
fn print_words() -> impl FnMut(&ViewReport) -> io::Result<()> {
    // By stream: several may be watched.
    let mut said = HashMap::new();
    move |report| {
        let line = in_words(report);
        let reason = if comes(report) { String::new() } else { line.replace(|c: char| c.is_ascii_digit(), "") };
        let before = said.insert(report.stream.clone(), reason.clone());
        let is_known = !reason.is_empty() && before == Some(reason);
        if is_known { Ok(()) } else { print(format!("{:.1000}", Untrusted(line)).into_bytes()) }
    }
}

/// Whether pictures come, late or not.
fn comes(report: &ViewReport) -> bool {
    report.fps > 0.0 && matches!(report.state, State::Live | State::Late)
}

fn print(mut line: Vec<u8>) -> io::Result<()> {
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The line for people: what the window shows of how a stream is doing.
fn in_words(report: &ViewReport) -> String {
    let stream = &report.stream;
    let state = match report.state {
        State::Connecting => "connecting",
        State::Waiting => "waiting",
        State::Live => "live",
        State::Late => "the next picture is late",
        State::Lost => "no picture",
    };
    let why = if report.detail.is_empty() { state } else { &report.detail };
    if !comes(report) {
        return format!("{stream}: {why}");
    }
    let ms = |ms: Option<f64>| ms.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"));
    let about = if report.age_estimated { "about " } else { "" };
    let quality = if report.quality == 0 { String::new() } else { format!(" quality {}", report.quality) };
    let (age, p50, p99) = (report.age(), ms(report.age_ms.p50), ms(report.age_ms.p99));
    // Pictures that come seldom get older on the screen than they were when they were shown, of which the 99th percentile is.
    let age = match age == report.age_ms.p50 {
        true => format!("{p50}, p99 {p99}"),
        false => format!("{} on the screen ({p50}, p99 {p99} when shown)", ms(age)),
    };
    let mut line = format!(
        "{stream}: {:.1} fps, age {about}{age}, {}{quality}, {:.0} kB/s",
        report.fps, report.size, report.kbytes_per_second,
    );
    let left_out = [(report.skipped, "skipped"), (report.lost, "lost"), (report.broken, "broken")];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        line += &format!(", {count} {what}");
    }
    if report.limit != Limit::Nothing {
        line += &format!(", limited: the {} {}", report.limit, report.load.in_words(report.limit));
    }
    if report.state == State::Late {
        line += &format!(", {why}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(received: u64) -> Vec<ViewReport> {
        vec![ViewReport { received, ..ViewReport::default() }]
    }

    #[test]
    fn whoever_reads_no_lines_holds_nothing_up_and_gets_the_newest_then() {
        let (read, reads) = mpsc::channel::<()>();
        let (wrote, lines) = mpsc::channel();
        let mut out = Lines::to(move |report| {
            wrote.send(report.received).unwrap();
            // It is read when the test says so.
            reads.recv().map_err(io::Error::other)
        })
        .unwrap();
        out.put(report(1)).unwrap();
        assert_eq!(lines.recv().unwrap(), 1);
        (2..=1000).for_each(|n| out.put(report(n)).unwrap());
        (0..2).for_each(|_| read.send(()).unwrap());
        out.finish().unwrap();
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [1000]);
    }

    #[test]
    fn the_line_for_people_says_how_it_is_going_or_why_it_is_not() {
        let mut report = ViewReport { stream: "main/door".into(), state: State::Waiting, ..ViewReport::default() };
        report.detail = "waiting for main/door".into();
        assert_eq!(in_words(&report), "main/door: waiting for main/door");
        (report.state, report.detail, report.fps) = (State::Live, String::new(), 29.97);
        (report.size, report.quality, report.kbytes_per_second) = ("640x480".into(), 80, 1234.4);
        (report.age_ms.p50, report.age_ms.p99, report.reached_ms) = (Some(1.23), Some(2.0), Some(20.0));
        report.skipped = 3;
        assert_eq!(
            in_words(&report),
            "main/door: 30.0 fps, age 1.2 ms, p99 2.0 ms, 640x480 quality 80, 1234 kB/s, 3 skipped"
        );
        (report.fps, report.reached_ms, report.skipped) = (2.0, Some(502.0), 0);
        assert_eq!(
            in_words(&report),
            "main/door: 2.0 fps, age 502.0 ms on the screen (1.2 ms, p99 2.0 ms when shown), 640x480 quality 80, 1234 kB/s"
        );
    }

    #[test]
    fn a_line_that_cannot_be_written_is_told() {
        let mut out = Lines::to(|_| Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        out.put(report(1)).unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
