//! The thread that has the decoder.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver as Spent;

use super::{Shared, Shown};
use crate::error::Result;
use crate::frame::Picture;
use crate::jpeg::{Bitmap, Decoder};
use crate::mailbox::{Receiver, Sender, Taken};
use crate::stats::ViewTimes;
use crate::time::{Micros, now};

pub(super) struct Decode {
    shared: Arc<Shared>,
    pictures: Receiver<(Arc<Picture>, Micros)>,
    shown: Sender<Shown>,
    spent: Spent<Bitmap>,
    decoder: Option<Decoder>,
    /// That pictures cannot be decoded was said since the last one that could.
    told_broken: bool,
}

impl Decode {
    pub(super) fn new(
        shared: Arc<Shared>,
        pictures: Receiver<(Arc<Picture>, Micros)>,
        shown: Sender<Shown>,
        spent: Spent<Bitmap>,
        max_pixels: Option<usize>,
    ) -> Result<Self> {
        let decoder = match max_pixels {
            Some(most) => Some(Decoder::new()?.with_max_pixels(most)),
            None => None,
        };
        Ok(Self { shared, pictures, shown, spent, decoder, told_broken: false })
    }

    pub(super) fn run(mut self) {
        let mut spare: Option<Bitmap> = None;
        loop {
            let (picture, received) = match self.pictures.take(Duration::from_secs(1)) {
                Taken::Value(value) => value,
                Taken::Nothing => continue,
                Taken::Closed => return,
            };
            let mut bitmap = spare.take().or_else(|| self.spent.try_recv().ok()).unwrap_or_default();
            if let Some(decoder) = &mut self.decoder {
                if let Err(error) = decoder.decode(&picture.data, &mut bitmap) {
                    if !std::mem::replace(&mut self.told_broken, true) {
                        log::warn!("picture {} cannot be decoded: {error}", picture.sequence);
                    }
                    self.shared.lock().meter.broken(error.to_string());
                    spare = Some(bitmap);
                    continue;
                }
                self.told_broken = false;
                let size = bitmap.size.to_string();
                let mut state = self.shared.lock();
                if state.meter.counts.size != size {
                    state.meter.counts.size = size;
                }
            }
            let times = ViewTimes { received, decoded: now(), shown: Micros(0) };
            self.shared.lock().meter.screen.decoded(times.decoded);
            // What nobody came to show in time is replaced by this one, and counts as skipped.
            if let Some(old) = self.shown.put(Shown { bitmap, picture, times }) {
                self.shared.lock().meter.counts.skipped += 1;
                spare = Some(old.bitmap);
            }
        }
    }
}
