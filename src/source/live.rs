//! JPEGs from standard input or a named pipe, read by a thread of their own: no faster than asked (`intake`), and
//! whatever a live producer writes at about that rate as it comes. The newest wins.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::intake::Intake;
use super::{COUNTED, CaptureRequest, Next, Opened, PATIENCE, Source, SourceError, Unwatched};
use crate::buffer::{Buffer, Pool};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::mailbox::{Receiver, Sender, Taken, mailbox};
use crate::time::{Micros, now};
use crate::wire::jpeg::CountLimit;
use crate::wire::pictures::Pictures;

/// How much is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;
/// How far a first picture is looked for. A pipe that has none by then will have none.
const SEARCHED: u64 = 64 << 20;

/// Concatenated JPEGs from standard input or a named pipe, no more of them a second than wished: a program that writes
/// them faster waits at the pipe. When a picture was taken nobody knows: the time of capture is when its first byte was read,
/// earlier where it may have waited in the pipe, or, of pictures that are played, when it was its turn.
///
/// Its thread reads on while the source is closed, so that nothing old is left when it is opened again. A thread that
/// waits in a read cannot be stopped: it ends with the input, or with the program.
pub struct Live {
    /// `None`: standard input.
    path: Option<PathBuf>,
    frames: Option<Receiver<Handed>>,
    once: bool,
    /// The first picture is held while this is there.
    gate: Option<Sender<()>>,
    seen: Arc<Seen>,
    told_broken: u64,
    /// It is over and will not be opened again.
    over: bool,
}

/// What the thread has seen so far.
#[derive(Default)]
struct Seen {
    bytes: AtomicU64,
    pictures: AtomicU64,
    broken: AtomicU64,
    /// Why reading failed.
    failed: Mutex<Option<String>>,
}

impl Seen {
    fn has_failed(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why there was no picture, and what to do about it; `None` if there was one.
    fn nothing(&self, name: &str) -> Option<String> {
        if self.pictures.load(Ordering::Relaxed) > 0 {
            return None;
        }
        if let Some(why) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            return Some(format!("{name} cannot be read: {why}"));
        }
        let what = match self.bytes.load(Ordering::Relaxed) {
            0 => format!("{name} ended without a picture: nothing came"),
            n if n > SEARCHED => format!("{name} has no picture: {} MiB came, and no JPEG among them", n >> 20),
            n => format!("{name} ended without a picture: {n} bytes came, and no whole JPEG among them"),
        };
        Some(format!("{what}; write JPEGs into it: ffmpeg -i FILE -f mjpeg - | streamflow-send --source -"))
    }
}

struct Handed {
    data: Buffer,
    size: Size,
    captured: Micros,
    sequence: u64,
}

impl Live {
    /// Standard input. When it ends, so do the pictures. With `once`, they begin when the first is asked for.
    #[must_use]
    pub fn stdin(once: bool) -> Self {
        Self::new(None, once)
    }

    /// A named pipe. When its writer goes, the next one is waited for; but with `once` it is as standard input.
    #[must_use]
    pub fn pipe(path: impl Into<PathBuf>, once: bool) -> Self {
        Self::new(Some(path.into()), once)
    }

    fn new(path: Option<PathBuf>, once: bool) -> Self {
        Self { path, frames: None, once, gate: None, seen: Arc::default(), told_broken: 0, over: false }
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".into(), |p| p.display().to_string())
    }

    /// The thread has ended.
    fn ended(&mut self) -> Result<Next, SourceError> {
        self.frames = None;
        let (name, nothing) = (self.name(), self.seen.nothing(&self.name()));
        if self.path.is_none() || self.once {
            self.over = true;
            return nothing.map_or(Ok(Next::End), |why| Err(SourceError::Final(why)));
        }
        let told = self.seen.bytes.load(Ordering::Relaxed) > 0 || self.seen.has_failed();
        Err(SourceError::Lost(nothing.filter(|_| told).unwrap_or_else(|| format!("nobody writes to {name}"))))
    }
}

impl Source for Live {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let name = self.name();
        if self.frames.is_none() && !self.over {
            let (sender, receiver) = mailbox();
            let (path, fps) = (self.path.clone(), request.fps);
            let seen = Arc::new(Seen::default());
            (self.seen, self.told_broken) = (seen.clone(), 0);
            let (gate, opened) = mailbox();
            self.gate = self.once.then_some(gate);
            let mut reader = Reader { name: name.clone(), frames: sender, gate: opened, seen, fps };
            // A pipe is opened in the thread, because opening waits for a writer.
            let run = move || {
                let result = match path {
                    None => reader.read(&mut io::stdin().lock()),
                    Some(path) => File::open(path).and_then(|mut file| reader.read(&mut file)),
                };
                if let Err(error) = result {
                    log::debug!("reading {} failed: {error}", reader.name);
                    *reader.seen.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
            };
            let spawned = thread::Builder::new().name("pictures in".into()).spawn(run);
            spawned.map_err(|e| SourceError::Lost(format!("no thread to read {name}: {e}")))?;
            self.frames = Some(receiver);
        }
        // Nothing is in the mailbox as long as the gate is closed; so whatever has ended had nothing.
        if self.gate.is_some() && self.frames.as_ref().is_some_and(|f| matches!(f.take(Duration::ZERO), Taken::Closed))
        {
            self.ended()?;
        }
        let unwatched = if self.once { Unwatched::Wait } else { Unwatched::GoOn };
        Ok(Opened { name, format: PixelFormat::Jpeg, unwatched, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        self.gate = None;
        if self.seen.broken.load(Ordering::Relaxed) > self.told_broken {
            self.told_broken += 1;
            return Ok(Next::Broken);
        }
        let Some(frames) = &self.frames else { return Ok(Next::End) };
        match frames.take(PATIENCE) {
            Taken::Value(handed) => {
                *frame = Frame {
                    data: handed.data,
                    format: PixelFormat::Jpeg,
                    size: handed.size,
                    range: Range::Full,
                    captured: handed.captured,
                    arrival: true,
                    sequence: handed.sequence,
                    metadata: None,
                };
                Ok(Next::Frame)
            }
            Taken::Nothing => Ok(Next::Nothing),
            Taken::Closed => self.ended(),
        }
    }
}

/// What the thread has.
struct Reader {
    name: String,
    frames: Sender<Handed>,
    /// The first picture waits until this is closed.
    gate: Receiver<()>,
    seen: Arc<Seen>,
    fps: f64,
}

impl Reader {
    /// Reads to the end, until nobody takes the pictures any more, or until it is clear that there are none.
    fn read(&mut self, input: &mut dyn Read) -> io::Result<()> {
        let (mut pictures, counting) = (Pictures::default(), CountLimit::new(COUNTED));
        let (mut intake, mut arrivals) = (Intake::new(self.fps), Arrivals::default());
        let mut chunk = vec![0; CHUNK];
        let pool = Pool::default();
        let mut sequence = 0;
        while !self.frames.is_closed() && (sequence > 0 || self.seen.bytes.load(Ordering::Relaxed) <= SEARCHED) {
            let n = match input.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.seen.bytes.fetch_add(n as u64, Ordering::Relaxed);
            let over = n == 0;
            if !over {
                pictures.feed(chunk.get(..n).unwrap_or_default(), now());
            }
            let all = &mut counting.at(now());
            while let Some(picture) = if over { pictures.last_picture(all) } else { pictures.next_picture(all) } {
                sequence += 1;
                self.seen.pictures.store(sequence, Ordering::Relaxed);
                let mut data = pool.take();
                data.extend_from_slice(picture.data);
                let (size, plays) = (picture.size, intake.plays());
                if plays {
                    // It waited for us, not on its way.
                    arrivals = Arrivals::default();
                }
                let mut captured = arrivals.picture(picture.began, now());
                if sequence == 1 && self.held_at_gate() {
                    captured = now();
                }
                // What a live producer could not get rid of comes at once: it would be old for ever otherwise.
                let wait = if arrivals.is_behind() { Duration::ZERO } else { intake.wait(now()) };
                if !wait.is_zero() {
                    let due = now() + wait;
                    captured = if plays { due } else { captured };
                    self.sleep_until(due);
                    arrivals.ready(now());
                }
                if intake.held_back(now()) {
                    let (name, fps) = (&self.name, self.fps);
                    log::warn!(
                        "{name} gives pictures faster than --fps {fps}: they are played at that rate; \
                         for a live producer give a higher --fps"
                    );
                }
                self.frames.put(Handed { data, size, captured, sequence });
            }
            self.seen.broken.store(pictures.broken(), Ordering::Relaxed);
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Waits until pictures are asked for; false if they are already.
    fn held_at_gate(&self) -> bool {
        let mut held = false;
        while !self.frames.is_closed() && matches!(self.gate.take(PATIENCE), Taken::Nothing) {
            held = true;
        }
        held
    }

    /// Sleeps, in pieces, so that a program that wants no more pictures is not kept.
    fn sleep_until(&self, due: Micros) {
        loop {
            let left = due.since(now());
            if left.is_zero() || self.frames.is_closed() {
                return;
            }
            thread::sleep(left.min(PATIENCE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pictures::tests::picture;

    fn read_all(input: &mut dyn Read) -> (Receiver<Handed>, Arc<Seen>) {
        let (frames, receiver) = mailbox();
        let seen = Arc::new(Seen::default());
        let mut reader = Reader { name: "a test".into(), frames, gate: mailbox().1, seen: seen.clone(), fps: 1000.0 };
        if let Err(error) = reader.read(input) {
            *seen.failed.lock().unwrap() = Some(error.to_string());
        }
        (receiver, seen)
    }

    #[test]
    fn the_newest_picture_wins_and_the_end_comes_after_it() {
        let mut bytes = b"garbage".to_vec();
        for i in 0..5 {
            bytes.extend(picture(64, &[i]));
        }
        bytes.extend(&picture(64, b"cut off")[..40]);
        bytes.extend(picture(64, &[9]));
        let (receiver, seen) = read_all(&mut &bytes[..]);
        let Taken::Value(handed) = receiver.take(PATIENCE) else { panic!("no picture") };
        assert_eq!((handed.data[..].to_vec(), handed.sequence), (picture(64, &[9]), 6));
        assert!(matches!(receiver.take(PATIENCE), Taken::Closed));
        assert_eq!((seen.broken.load(Ordering::Relaxed), seen.nothing("a test")), (1, None));
    }

    #[test]
    fn what_has_no_picture_says_what_came_instead_and_what_to_do() {
        let cut = &picture(64, b"cut off")[..40];
        for (bytes, said) in [
            (&b""[..], "a test ended without a picture: nothing came; write JPEGs"),
            (b"no JPEG", "a test ended without a picture: 7 bytes came, and no whole JPEG among them; write JPEGs"),
            (cut, "a test ended without a picture: 40 bytes came, and no whole JPEG"),
        ] {
            let why = read_all(&mut &bytes[..]).1.nothing("a test").unwrap();
            assert!(why.starts_with(said) && why.ends_with("-f mjpeg - | streamflow-send --source -"), "{why}");
        }
        let why = read_all(&mut io::repeat(0xd8)).1.nothing("a test").unwrap();
        assert!(why.starts_with("a test has no picture: 64 MiB came"), "garbage without end has an end: {why}");
    }
}
