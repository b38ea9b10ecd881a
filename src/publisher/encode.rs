//! The thread that has the encoder: takes the newest frame and makes of it the pictures that somebody watches.

use std::sync::Arc;
use std::time::Duration;

use mio::Waker;

use super::{Demand, Shared};
use crate::buffer::Pool;
use crate::error::Result;
use crate::frame::{Frame, Picture, PixelFormat, Size, Spans};
use crate::jpeg::Encoder;
use crate::mailbox::{Receiver, Sender, Taken};
use crate::time::{millis, now};
use crate::wire::control::Rung;
use crate::wire::jpeg;

/// How long the thread sleeps at most before it looks whether the program ends, or a viewer came to a still picture.
const PATIENCE: Duration = Duration::from_millis(100);

/// The pictures of one frame, one a rung.
pub(super) type Pictures = Vec<Arc<Picture>>;

pub(super) struct Encode {
    shared: Arc<Shared>,
    frames: Receiver<Frame>,
    spent: crossbeam_channel::Sender<Frame>,
    pictures: Sender<Pictures>,
    waker: Arc<Waker>,
    encoder: Encoder,
    pool: Pool,
    sequence: u32,
}

impl Encode {
    pub(super) fn new(
        shared: Arc<Shared>,
        frames: Receiver<Frame>,
        spent: crossbeam_channel::Sender<Frame>,
        pictures: Sender<Pictures>,
        waker: Arc<Waker>,
    ) -> Result<Self> {
        let encoder = Encoder::new()?;
        Ok(Self { shared, frames, spent, pictures, waker, encoder, pool: Pool::default(), sequence: 0 })
    }

    pub(super) fn run(mut self) {
        // The last frame stays here while nobody watches, so that the first viewer of a slow source has it at once.
        let mut kept: Option<Frame> = None;
        loop {
            match self.frames.take(PATIENCE) {
                Taken::Value(frame) => {
                    let demand = self.shared.lock().demand.clone();
                    if demand.viewers > 0 {
                        self.frame(&frame, &demand);
                        self.give_back(kept.take());
                        self.give_back(Some(frame));
                    } else {
                        let old = kept.replace(frame);
                        self.give_back(old);
                    }
                }
                Taken::Nothing => {
                    let demand = self.shared.lock().demand.clone();
                    if demand.viewers > 0 {
                        if let Some(frame) = kept.take() {
                            self.frame(&frame, &demand);
                            self.give_back(Some(frame));
                        }
                    }
                }
                Taken::Closed => return,
            }
        }
    }

    fn give_back(&self, frame: Option<Frame>) {
        if let Some(frame) = frame {
            // When there is no room, the frame is freed: there are enough.
            let _ = self.spent.try_send(frame);
        }
    }

    fn frame(&mut self, frame: &Frame, demand: &Demand) {
        let config = &self.shared.config;
        let begun = now();
        self.sequence = self.sequence.wrapping_add(1);
        let own = [Rung { rung: 0, quality: None, max_bytes: None }];
        let rungs = if demand.rungs.is_empty() { &own[..] } else { &demand.rungs };
        let mut pictures = Vec::with_capacity(rungs.len());
        let (quality, size, pass) = {
            let scale = self.shared.lock().opened.as_ref().is_none_or(|o| o.scale);
            let pass = frame.format == PixelFormat::Jpeg && (!scale || self.fits(frame, config.wish.size));
            (config.quality, if scale { config.wish.size } else { frame.size }, pass)
        };
        for rung in rungs {
            let mut data = self.pool.take();
            let began = now();
            let made = if pass {
                jpeg::tidy(&frame.data, &mut data).map(|_| 0).map_err(|e| e.to_string())
            } else {
                let quality = rung.quality.unwrap_or(quality).min(quality);
                self.encoder.encode(frame, size, quality, &mut data).map(|()| quality).map_err(|e| e.to_string())
            };
            let done = now();
            match made {
                Ok(quality) => pictures.push(Arc::new(Picture {
                    quality,
                    rung: rung.rung,
                    sequence: self.sequence,
                    captured: frame.captured,
                    estimated: false,
                    spans: Spans {
                        capture: began.since(frame.captured),
                        encode: done.since(began),
                        ..Spans::default()
                    },
                    metadata: frame.metadata.clone(),
                    data,
                    ..Picture::default()
                })),
                Err(why) => {
                    log::debug!("a broken frame: {why}");
                    self.shared.lock().counts.broken += 1;
                    return;
                }
            }
        }
        let done = now();
        let mut state = self.shared.lock();
        state.encode.add(done, millis(done.since(begun)));
        state.counts.quality = pictures.first().map_or(0, |p| p.quality);
        state.counts.size = if size.area() == 0 { String::new() } else { size.to_string() };
        drop(state);
        if self.pictures.put(pictures).is_some() {
            self.shared.lock().counts.skipped += 1;
        }
        // It fails only when the link is gone.
        let _ = self.waker.wake();
    }

    /// Whether a camera's own JPEG has the wanted size.
    fn fits(&self, frame: &Frame, wanted: Size) -> bool {
        jpeg::inspect(&frame.data).is_ok_and(|layout| layout.header.size == wanted)
    }
}
