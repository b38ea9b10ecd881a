//! Pictures as they come: JPEGs from standard input or a named pipe, read by a thread of their own that never lets the
//! writer wait. The newest wins.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Next, Opened, PATIENCE, Source, SourceError, Wish};
use crate::buffer::{Buffer, Pool};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::mailbox::{Receiver, Sender, Taken, mailbox};
use crate::time::{Micros, now};
use crate::wire::jpeg_split::JpegSplitter;

/// How much is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Concatenated JPEGs from standard input or a named pipe. The time of capture is when a picture's first byte was read.
///
/// Its thread reads on while the source is closed, so that the writer never waits and nothing old is left when it is
/// opened again. A thread that waits in a read cannot be stopped: it ends with the input, or with the program.
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
    fn open(&mut self, _: &Wish) -> Result<Opened, SourceError> {
        let name = self.path.as_ref().map_or_else(|| "standard input".into(), |p| p.display().to_string());
        if self.frames.is_none() && !self.over {
            let (sender, receiver) = mailbox();
            let (path, broken) = (self.path.clone(), self.broken.clone());
            // A pipe is opened in the thread, because opening waits for a writer.
            let run = move || {
                let result = match path {
                    None => read(&mut io::stdin().lock(), &sender, &broken),
                    Some(path) => File::open(path).and_then(|mut file| read(&mut file, &sender, &broken)),
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

/// Reads to the end, or until nobody takes the pictures any more.
fn read(input: &mut dyn Read, frames: &Sender<Handed>, broken: &AtomicU64) -> io::Result<()> {
    let mut splitter = JpegSplitter::default();
    let mut chunk = vec![0; CHUNK];
    let pool = Pool::default();
    let mut sequence = 0;
    while !frames.is_closed() {
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
            frames.put(Handed { data, size: picture.size, began: picture.began, sequence });
        }
        broken.store(splitter.broken(), Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::jpeg_split::tests::picture;

    #[test]
    fn the_newest_picture_wins_and_the_end_comes_after_it() {
        let (sender, receiver) = mailbox();
        let broken = AtomicU64::new(0);
        let mut bytes = b"garbage".to_vec();
        for i in 0..5 {
            bytes.extend(picture(64, &[i]));
        }
        bytes.extend(&picture(64, b"cut off")[..40]);
        bytes.extend(picture(64, &[9]));
        read(&mut &bytes[..], &sender, &broken).unwrap();
        drop(sender);
        let Taken::Value(handed) = receiver.take(PATIENCE) else { panic!("no picture") };
        assert_eq!((handed.data[..].to_vec(), handed.sequence), (picture(64, &[9]), 6));
        assert!(matches!(receiver.take(PATIENCE), Taken::Closed));
        assert_eq!(broken.load(Ordering::Relaxed), 1);
    }
}
