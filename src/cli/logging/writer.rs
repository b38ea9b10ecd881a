//! Writes to standard error on a thread of its own: a terminal that was stopped with Ctrl-S, or a pipe that nobody reads, holds
//! up no picture and no Ctrl-C.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Lines that wait to be written, at most: more than the limits let through at once. A line has about 1000 bytes at most.
const WAIT: usize = 2048;

enum Job {
    Write(Vec<u8>),
    /// All before it is written.
    Done(mpsc::Sender<()>),
}

/// Where log lines go.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: Sender<Job>,
    /// Lines for which there was no room, and that were not told yet.
    lost: Arc<AtomicU64>,
}

impl Writer {
    /// Writes to this.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (jobs, taken) = bounded(WAIT);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        thread::Builder::new()
            .name("log".into())
            .stack_size(64 << 10)
            .spawn(move || write_all(&taken, &counted, out))?;
        Ok(Self { jobs, lost })
    }

    /// To be written when its turn comes. Where too much waits already, it is counted and left out.
    pub(super) fn put(&self, bytes: &[u8]) {
        if let Err(TrySendError::Full(_)) = self.jobs.try_send(Job::Write(bytes.to_vec())) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// To be written if nothing else waits: what is worth nothing later, as a status line.
    pub(super) fn put_if_idle(&self, bytes: &[u8]) {
        if self.jobs.is_empty() {
            self.put(bytes);
        }
    }

    /// Waits until all is written that was put, and no longer than that.
    pub(super) fn finish(&self, patience: Duration) {
        let (tell, told) = mpsc::channel();
        // Where there is no room for this, nobody reads.
        if self.jobs.try_send(Job::Done(tell)).is_ok() {
            let _ = told.recv_timeout(patience);
        }
    }
}

/// For who writes whole lines in one call, as `env_logger` does.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(jobs: &Receiver<Job>, lost: &AtomicU64, mut out: impl Write) {
    for job in jobs {
        // Nobody may be there to read any more: the program goes on.
        let _ = match job {
            Job::Write(bytes) => out.write_all(&bytes).and_then(|()| out.flush()),
            Job::Done(tell) => {
                let _ = tell.send(());
                Ok(())
            }
        };
        let lines = lost.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let _ = writeln!(out, "({lines} lines were left out: what was written before was not read)");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes nothing until it is let.
    struct Blocked {
        wait: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.wait.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_is_not_read_holds_up_nobody_and_what_is_left_out_is_counted() {
        let (go_on, wait) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Writer::start(Blocked { wait, written: written.clone() }).unwrap();
        for line in 0..WAIT + 500 {
            writer.put(format!("line {line}\n").as_bytes());
        }
        // It waits no longer than it may.
        writer.finish(Duration::from_millis(1));
        drop(go_on);
        let text = || String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let last = format!("line {}\n", WAIT - 1);
        while !text().contains(&last) {
            writer.finish(Duration::from_secs(3600));
        }
        writer.put(b"last\n");
        writer.finish(Duration::from_secs(3600));
        let text = text();
        assert!(text.starts_with("line 0\n") && text.ends_with("last\n"), "{text}");
        let lines = text.lines().filter(|line| line.starts_with("line")).count();
        let told: Vec<_> = text.lines().filter(|line| line.starts_with('(')).collect();
        assert_eq!(
            told,
            [format!("({} lines were left out: what was written before was not read)", WAIT + 500 - lines)]
        );
    }
}
