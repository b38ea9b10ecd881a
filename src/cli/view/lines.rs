//! Statistics as JSON lines, written by a thread of their own: whoever does not read them holds up neither the picture nor
//! Ctrl-C. A line that is not written when the next is due is left out.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::cli::logging;
use crate::mailbox::{Sender, Taken, mailbox};
use crate::stats::ViewReport;

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
    pub(super) fn start() -> io::Result<Self> {
        Self::to(print)
    }

    fn to(mut write: impl FnMut(&ViewReport) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (reports, waiting) = mailbox::<Vec<ViewReport>>();
        let (tell, ended) = mpsc::channel();
        thread::Builder::new().name("json".into()).spawn(move || {
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

fn print(report: &ViewReport) -> io::Result<()> {
    let mut line = Vec::new();
    // What others said is in it, and a terminal may be what reads it.
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut line, logging::ForTerminals))?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
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
    fn a_line_that_cannot_be_written_is_told() {
        let mut out = Lines::to(|_| Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        out.put(report(1)).unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
