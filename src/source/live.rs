//! JPEGs from standard input or a named pipe, read by a thread of their own: no faster than asked ([`Intake`]), and
//! whatever a live producer writes at about that rate as it comes. The newest wins.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::intake::Intake;
use super::{Next, Opened, PATIENCE, Source, SourceError, Wish};
use crate::buffer::{Buffer, Pool};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::mailbox::{Receiver, Sender, Taken, mailbox};
use crate::time::{Micros, now};
use crate::wire::jpeg_split::JpegSplitter;

/// How much is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Concatenated JPEGs from standard input or a named pipe, no more of them a second than wished: a program that writes
/// them faster waits at the pipe. The time of capture is when a picture's first byte was read, or, where the picture had
/// to wait, when it was taken.
///
/// Its thread reads on while the source is closed, so that nothing old is left when it is opened again. A thread that
/// waits in a read cannot be stopped: it ends with the input, or with the program.
pub struct Live {
    /// `None`: standard input.
    path: Option<PathBuf>,
    frames: Option<Receiver<Handed>>,
    broken: Arc<AtomicU64>,
    told_broken: u64,
    /// Standard input is over; it cannot be opened again.
    over: bool,
}

struct Handed {
    data: Buffer,
    size: Size,
    began: Micros,
    sequence: u64,
}

impl Live {
    /// Standard input. When it ends, so do the pictures.
    #[must_use]
    pub fn stdin() -> Self {
        Self::new(None)
    }

    /// A named pipe. When its writer goes, the next one is waited for.
    #[must_use]
    pub fn pipe(path: impl Into<PathBuf>) -> Self {
        Self::new(Some(path.into()))
    }

    fn new(path: Option<PathBuf>) -> Self {
        Self { path, frames: None, broken: Arc::default(), told_broken: 0, over: false }
    }
}

impl Source for Live {
    fn open(&mut self, wish: &Wish) -> Result<Opened, SourceError> {
        let name = self.path.as_ref().map_or_else(|| "standard input".into(), |p| p.display().to_string());
        if self.frames.is_none() && !self.over {
            let (sender, receiver) = mailbox();
            let (path, fps) = (self.path.clone(), wish.fps);
            let mut reader = Reader { name: name.clone(), frames: sender, broken: self.broken.clone(), fps };
            // A pipe is opened in the thread, because opening waits for a writer.
            let run = move || {
                let result = match path {
                    None => reader.read(&mut io::stdin().lock()),
                    Some(path) => File::open(path).and_then(|mut file| reader.read(&mut file)),
                };
                if let Err(error) = result {
                    log::warn!("reading pictures failed: {error}");
                }
            };
            let spawned = thread::Builder::new().name("pictures in".into()).spawn(run);
            spawned.map_err(|e| SourceError::Lost(format!("no thread to read {name}: {e}")))?;
            self.frames = Some(receiver);
        }
        Ok(Opened { name, size: Size::default(), fps: None, format: PixelFormat::Jpeg, scale: false })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        if self.broken.load(Ordering::Relaxed) > self.told_broken {
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
                    captured: handed.began,
                    sequence: handed.sequence,
                    metadata: None,
                };
                Ok(Next::Frame)
            }
            Taken::Nothing => Ok(Next::Nothing),
            Taken::Closed => {
                self.frames = None;
                match &self.path {
                    Some(path) => Err(SourceError::Lost(format!("nobody writes to {}", path.display()))),
                    None => {
                        self.over = true;
                        Ok(Next::End)
                    }
                }
            }
        }
    }
}

/// What the thread has.
struct Reader {
    name: String,
    frames: Sender<Handed>,
    broken: Arc<AtomicU64>,
    fps: f64,
}

impl Reader {
    /// Reads to the end, or until nobody takes the pictures any more.
    fn read(&mut self, input: &mut dyn Read) -> io::Result<()> {
        let mut splitter = JpegSplitter::default();
        let mut intake = Intake::new(self.fps);
        let mut chunk = vec![0; CHUNK];
        let pool = Pool::default();
        let mut sequence = 0;
        while !self.frames.is_closed() {
            let n = match input.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            splitter.feed(chunk.get(..n).unwrap_or_default(), now());
            while let Some(picture) = splitter.next_picture() {
                sequence += 1;
                let mut data = pool.take();
                data.extend_from_slice(picture.data);
                let (size, wait) = (picture.size, intake.wait(now()));
                let began = if wait.is_zero() { picture.began } else { self.sleep(wait) };
                if intake.held_back(now()) {
                    let (name, fps) = (&self.name, self.fps);
                    log::info!(
                        "{name} gives pictures faster than --fps {fps}: they are played at that rate; \
                         for a live producer give a higher --fps"
                    );
                }
                self.frames.put(Handed { data, size, began, sequence });
            }
            self.broken.store(splitter.broken(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sleeps, in pieces, so that a program that wants no more pictures is not kept; says when it woke.
    fn sleep(&self, wait: Duration) -> Micros {
        let until = now() + wait;
        loop {
            let at = now();
            let left = until.since(at);
            if left.is_zero() || self.frames.is_closed() {
                return at;
            }
            thread::sleep(left.min(PATIENCE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jpeg_split::tests::picture;

    #[test]
    fn the_newest_picture_wins_and_the_end_comes_after_it() {
        let (sender, receiver) = mailbox();
        let broken = Arc::new(AtomicU64::new(0));
        let mut reader = Reader { name: "a test".into(), frames: sender, broken: broken.clone(), fps: 1000.0 };
        let mut bytes = b"garbage".to_vec();
        for i in 0..5 {
            bytes.extend(picture(64, &[i]));
        }
        bytes.extend(&picture(64, b"cut off")[..40]);
        bytes.extend(picture(64, &[9]));
        reader.read(&mut &bytes[..]).unwrap();
        drop(reader);
        let Taken::Value(handed) = receiver.take(PATIENCE) else { panic!("no picture") };
        assert_eq!((handed.data[..].to_vec(), handed.sequence), (picture(64, &[9]), 6));
        assert!(matches!(receiver.take(PATIENCE), Taken::Closed));
        assert_eq!(broken.load(Ordering::Relaxed), 1);
    }
}
