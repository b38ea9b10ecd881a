//! The thread that has the decoder, and the one that watches over it.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Receiver as Spent;

use super::{Shared, Shown};
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::jpeg::{Bitmap, Decoder, Look, TOO_LONG, Watch};
use crate::mailbox::{Receiver, Sender, Taken};
use crate::stats::ViewTimes;
use crate::time::{Micros, now};

/// How often the thread is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Decodes a picture into a bitmap.
type Codec = Box<dyn FnMut(&[u8], &mut Bitmap) -> Result<()>>;

/// What the threads share: one decodes, and those that were given up go when they come back.
pub(super) struct Decode {
    shared: Arc<Shared>,
    pictures: Receiver<(Arc<Picture>, Micros)>,
    shown: Sender<Shown>,
    spent: Spent<Bitmap>,
    /// Makes a decoder, one a thread; `None` where pictures are not decoded.
    codec: Option<Box<dyn Fn() -> Result<Codec> + Send + Sync>>,
    watch: Watch,
}

impl Decode {
    pub(super) fn new(
        shared: Arc<Shared>,
        pictures: Receiver<(Arc<Picture>, Micros)>,
        shown: Sender<Shown>,
        spent: Spent<Bitmap>,
        max_pixels: Option<usize>,
    ) -> Self {
        let codec = max_pixels.map(|most| -> Box<dyn Fn() -> Result<Codec> + Send + Sync> {
            Box::new(move || {
                let mut decoder = Decoder::new()?.with_max_pixels(most);
                Ok(Box::new(move |picture: &[u8], bitmap: &mut Bitmap| decoder.decode(picture, bitmap)))
            })
        });
        Self { shared, pictures, shown, spent, codec, watch: Watch::new(TOO_LONG) }
    }

    /// Has pictures decoded until there are no more, by another thread when one takes too long.
    pub(super) fn run(self, look: Duration) {
        let this = Arc::new(self);
        let mut worker = this.start(0);
        while let Some(thread) = worker.as_ref().filter(|thread| !thread.is_finished()) {
            std::thread::park_timeout(look);
            if thread.is_finished() {
                return;
            }
            match this.watch.look(now()) {
                Look::Fine => {}
                Look::Replace(turn) => {
                    log::warn!("decoding a picture takes longer than {TOO_LONG:?}: it is left out");
                    this.shared.lock().meter.counts.broken += 1;
                    worker = this.start(turn);
                }
                Look::Hangs => log::error!("decoding hangs: too many pictures take longer than {TOO_LONG:?}"),
            }
        }
    }

    fn start(self: &Arc<Self>, turn: u64) -> Option<JoinHandle<()>> {
        let (this, watcher) = (self.clone(), std::thread::current());
        let work = move || {
            if let Err(error) = this.work(turn) {
                this.shared.lock().over.get_or_insert(error);
            }
            watcher.unpark();
        };
        let started = Builder::new().name("decode".into()).spawn(work);
        let failed = |error| self.shared.lock().over.get_or_insert(Error::io("cannot start a thread", error)).clone();
        started.map_err(failed).ok()
    }

    /// Decodes for as long as it is this thread's turn.
    fn work(&self, turn: u64) -> Result<()> {
        let mut codec = self.codec.as_ref().map(|make| make()).transpose()?;
        let mut spare: Option<Bitmap> = None;
        // That pictures cannot be decoded was said since the last one that could.
        let mut told_broken = false;
        loop {
            let (picture, received) = match self.pictures.take(Duration::from_secs(1)) {
                Taken::Value(value) => value,
                Taken::Nothing => continue,
                Taken::Closed => return Ok(()),
            };
            let mut bitmap = spare.take().or_else(|| self.spent.try_recv().ok()).unwrap_or_default();
            if let Some(codec) = &mut codec {
                if !self.watch.begins(turn, now()) {
                    return Ok(());
                }
                let decoded = codec(&picture.data, &mut bitmap);
                if !self.watch.ends(turn) {
                    return Ok(());
                }
                if let Err(error) = decoded {
                    if !std::mem::replace(&mut told_broken, true) {
                        log::warn!("picture {} cannot be decoded: {error}", picture.sequence);
                    }
                    self.shared.lock().meter.broken(error.to_string());
                    spare = Some(bitmap);
                    continue;
                }
                told_broken = false;
                let size = bitmap.size.to_string();
                let mut state = self.shared.lock();
                if state.meter.counts.size != size {
                    state.meter.counts.size = size;
                }
            }
            let times = ViewTimes { received, decoded: now(), shown: Micros(0) };
            self.shared.lock().meter.screen.decoded(picture.captured, times.decoded);
            // What nobody came to show in time is replaced by this one, and counts as skipped.
            if let Some(old) = self.shown.put(Shown { bitmap, picture, times }) {
                self.shared.lock().meter.counts.skipped += 1;
                spare = Some(old.bitmap);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{ViewerConfig, Watched};
    use super::*;
    use crate::mailbox::mailbox;

    #[test]
    fn a_picture_that_is_decoded_for_ever_costs_that_picture() {
        let shared = Arc::new(Shared { state: Mutex::new(Watched::new(&ViewerConfig::default())) });
        let ((pictures_in, pictures), (shown, shown_out)) = (mailbox(), mailbox());
        let (_spent_in, spent) = crossbeam_channel::bounded(4);
        let (release, held) = crossbeam_channel::bounded::<()>(0);
        let mut decode = Decode::new(shared.clone(), pictures, shown, spent, None);
        decode.watch = Watch::new(Duration::from_millis(20));
        decode.codec = Some(Box::new(move || {
            let held = held.clone();
            Ok(Box::new(move |picture: &[u8], _: &mut Bitmap| {
                if picture == b"endless" {
                    let _ = held.recv();
                }
                Ok(())
            }))
        }));
        let watching = std::thread::spawn(move || decode.run(Duration::from_millis(5)));
        let put = |data: &[u8]| {
            pictures_in.put((Arc::new(Picture { data: data.to_vec().into(), ..Picture::default() }), now()));
        };
        put(b"endless");
        while shared.lock().meter.counts.broken == 0 {
            std::thread::yield_now();
        }
        let shown = loop {
            // One at a time: on a machine that is very busy even this may take too long, and is left out.
            put(b"good");
            if let Taken::Value(shown) = shown_out.take(Duration::from_millis(100)) {
                break shown;
            }
        };
        assert_eq!(**shown.picture.data, *b"good");
        drop((release, pictures_in));
        watching.join().unwrap();
    }
}
