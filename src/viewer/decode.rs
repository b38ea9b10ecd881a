//! The thread that has the decoder, and the one that watches over it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Receiver as Spent;

use super::intake::Pictures;
use super::open::{Open, Opened};
use super::{Received, Shared, Shown};
use crate::error::{Error, Result};
use crate::frame::Size;
use crate::jpeg::{Bitmap, Decoder, Look, TOO_LONG, Wanted, Watchdog};
use crate::mailbox::{Sender, Taken};
use crate::stats::ViewTimes;
use crate::time::{Micros, now};

/// How long a thread waits after a fault: if there is one with every picture, that is no flood of lines.
const AFTER_FAULT: Duration = Duration::from_millis(100);
/// How often the thread is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Decodes a picture into a bitmap, as it is wanted; gives the size of the whole picture.
type Codec = Box<dyn FnMut(&[u8], &Wanted, &mut Bitmap) -> Result<Size>>;

/// What the threads share: one decodes, and those that were given up go when they come back.
pub(super) struct Decode {
    shared: Arc<Shared>,
    pictures: Pictures,
    shown: Sender<Shown>,
    spent: Spent<Bitmap>,
    /// That pictures cannot be decoded was said since the last one that could.
    told_broken: AtomicBool,
    /// Makes a decoder, one a thread; `None` where pictures are not decoded.
    codec: Option<Box<dyn Fn() -> Result<Codec> + Send + Sync>>,
    watch: Watchdog,
    open: Mutex<Open>,
}

impl Decode {
    pub(super) fn new(
        shared: Arc<Shared>,
        pictures: Pictures,
        shown: Sender<Shown>,
        spent: Spent<Bitmap>,
        max_pixels: Option<usize>,
        open: Open,
    ) -> Self {
        let codec = max_pixels.map(|most| -> Box<dyn Fn() -> Result<Codec> + Send + Sync> {
            Box::new(move || {
                let mut decoder = Decoder::new()?.with_max_pixels(most);
                Ok(Box::new(move |picture: &[u8], wanted: &Wanted, bitmap: &mut Bitmap| {
                    decoder.decode_for(picture, wanted, bitmap)
                }))
            })
        });
        let told_broken = AtomicBool::new(false);
        let (watch, open) = (Watchdog::new(TOO_LONG), Mutex::new(open));
        Self { shared, pictures, shown, spent, told_broken, codec, watch, open }
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
            this.shared.lock().look(now());
            match this.watch.look(now()) {
                Look::Fine => {}
                Look::Replace(turn) => {
                    this.broken(format!("one takes longer than {TOO_LONG:?} and is left out"));
                    worker = this.start(turn);
                }
                Look::Hangs => {
                    let why = format!("too many take longer than {TOO_LONG:?}");
                    log::error!("pictures cannot be decoded: {why}");
                    this.shared.lock().meter.screen.broken(why);
                }
            }
        }
    }

    fn start(self: &Arc<Self>, turn: u64) -> Option<JoinHandle<()>> {
        let (this, watcher) = (self.clone(), std::thread::current());
        let work = move || {
            // A decoder that panics is not asked again; what it was about to decode is lost, and nothing else.
            let end = loop {
                match catch_unwind(AssertUnwindSafe(|| this.work(turn))) {
                    Ok(end) => break end,
                    Err(_) => this.broken("a fault of this program: please report it".into()),
                }
                if !this.watch.ends(turn) {
                    break Ok(());
                }
                std::thread::sleep(AFTER_FAULT);
            };
            if let Err(error) = end {
                this.shared.lock().over.get_or_insert(error);
            }
            watcher.unpark();
        };
        let started = Builder::new().name("decode".into()).spawn(work);
        let failed = |error| self.shared.lock().over.get_or_insert(Error::io("cannot start a thread", error)).clone();
        started.map_err(failed).ok()
    }

    /// A picture cannot be decoded, for this reason: said once until one can.
    fn broken(&self, why: String) {
        if !self.told_broken.swap(true, Ordering::Relaxed) {
            log::warn!("pictures cannot be decoded: {why}");
        }
        self.shared.lock().meter.broken(why);
    }

    /// Decodes for as long as it is this thread's turn.
    fn work(&self, turn: u64) -> Result<()> {
        let mut codec = self.codec.as_ref().map(|make| make()).transpose()?;
        let mut spare: Option<Bitmap> = None;
        loop {
            let Received { picture, at: received, error: off } = match self.pictures.take(Duration::from_secs(1)) {
                Taken::Value(value) => value,
                Taken::Nothing => continue,
                Taken::Closed => return Ok(()),
            };
            let taken = self.pictures.taken_at(received);
            let opened = self.open.lock().unwrap_or_else(PoisonError::into_inner).picture(picture, &self.shared);
            let picture = match opened {
                Opened::Picture(picture) => picture,
                Opened::Broken(why) => {
                    self.broken(why);
                    continue;
                }
                Opened::Never(why) => return Err(why),
            };
            let mut bitmap = spare.take().or_else(|| self.spent.try_recv().ok()).unwrap_or_default();
            let wanted = self.shared.wanted();
            let mut size = Size::default();
            if let Some(codec) = &mut codec {
                if !self.watch.begins(turn, now()) {
                    return Ok(());
                }
                let decoded = codec(&picture.data, &wanted, &mut bitmap);
                if !self.watch.ends(turn) {
                    return Ok(());
                }
                match decoded {
                    Ok(whole) => size = whole,
                    Err(error) => {
                        self.broken(error.to_string());
                        spare = Some(bitmap);
                        continue;
                    }
                }
                self.told_broken.store(false, Ordering::Relaxed);
            }
            let Some((decoded, waited)) = self.pictures.hold(&picture, received, taken) else { return Ok(()) };
            let times = ViewTimes { received, decoded, shown: Micros(0), waited };
            self.shared.lock().decoded(&picture, times.ready());
            // What nobody came to show in time is replaced by this one, and counts as skipped.
            if let Some(old) = self.shown.put(Shown { bitmap, size, picture, turn: wanted.turn, times, error: off }) {
                self.shared.lock().meter.counts.skipped += 1;
                spare = Some(old.bitmap);
            }
            self.shared.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ViewerConfig;
    use super::super::intake::{Intake, intake};
    use super::super::watched::Watched;
    use super::*;
    use crate::frame::Picture;
    use crate::mailbox::{Receiver, mailbox};
    use crate::stats::Coming;

    struct Rig {
        shared: Arc<Shared>,
        pictures: Intake,
        shown: Receiver<Shown>,
        watching: JoinHandle<()>,
        _spent: crossbeam_channel::Sender<Bitmap>,
    }

    /// Decodes with this, for so long a picture at most.
    fn decoding(patience: Duration, decode: impl Fn(&[u8]) + Clone + Send + Sync + 'static) -> Rig {
        let config = ViewerConfig::default();
        let shared = Arc::new(Shared::new(Watched::new(&config), None));
        let ((pictures, pictures_out), (shown_in, shown)) = (intake(None), mailbox());
        let (spent_in, spent) = crossbeam_channel::bounded(4);
        let mut this = Decode::new(shared.clone(), pictures_out, shown_in, spent, None, Open::new(&config).unwrap());
        this.watch = Watchdog::new(patience);
        this.codec = Some(Box::new(move || {
            let decode = decode.clone();
            Ok(Box::new(move |picture: &[u8], _: &Wanted, _: &mut Bitmap| {
                decode(picture);
                Ok(Size::default())
            }))
        }));
        let watching = std::thread::spawn(move || this.run(Duration::from_millis(5)));
        Rig { shared, pictures, shown, watching, _spent: spent_in }
    }

    impl Rig {
        fn put(&self, data: &[u8]) {
            let picture = Arc::new(Picture { data: data.to_vec().into(), ..Picture::default() });
            self.pictures.put(Received { picture, at: now(), error: None });
        }

        /// A bad picture is counted and its reason told; the next good one is shown.
        fn expect_told_and_going_on(self, bad: &[u8], why: &str) {
            self.put(bad);
            while self.shared.lock().meter.counts.broken == 0 {
                std::thread::yield_now();
            }
            let told = self.shared.lock().meter.screen.coming(now());
            assert!(matches!(&told, Coming::Broken(told) if told.contains(why)), "{told:?}");
            let shown = loop {
                // One at a time: on a machine that is very busy even this may take too long, and is left out.
                self.put(b"good");
                if let Taken::Value(shown) = self.shown.take(Duration::from_millis(100)) {
                    break shown;
                }
            };
            assert_eq!(**shown.picture.data, *b"good");
            drop(self.pictures);
            self.watching.join().unwrap();
        }
    }

    #[test]
    fn a_picture_that_is_decoded_for_ever_costs_that_picture_and_is_told() {
        let (release, held) = crossbeam_channel::bounded::<()>(0);
        let rig = decoding(Duration::from_millis(20), move |picture| {
            if picture == b"endless" {
                let _ = held.recv();
            }
        });
        rig.expect_told_and_going_on(b"endless", "longer than");
        drop(release);
    }

    #[test]
    fn a_decoder_that_panics_costs_that_picture_and_is_told() {
        let rig = decoding(TOO_LONG * 1000, |picture| assert!(picture != b"fault", "as asked by the test"));
        rig.expect_told_and_going_on(b"fault", "a fault of this program");
    }
}
