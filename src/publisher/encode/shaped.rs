//! What is made of a frame: it is passed on as it is, turned without being decoded, or encoded.

use std::sync::Arc;
use std::time::SystemTime;

use super::Encode;
use crate::adapt::{ANY, Rung};
use crate::frame::{Frame, Picture, PixelFormat, Size};
use crate::jpeg::{Caption, hindrance, turn_jpeg};
use crate::publisher::Shared;
use crate::publisher::shape::Plan;
use crate::publisher::stamp::Line;
use crate::time::{Micros, now};
use crate::wire::jpeg::{self, Orientation};

/// The line that is written into pictures, and what writes it.
#[derive(Debug)]
pub(super) struct Stamping {
    line: Line,
    caption: Caption,
}

impl Stamping {
    /// As the publisher is told, if it is.
    pub(super) fn new(shared: &Shared) -> crate::Result<Option<Self>> {
        let config = &shared.config;
        let Some(stamp) = &config.shape.stamp else { return Ok(None) };
        Ok(Some(Self { line: stamp.line(&config.stream)?, caption: Caption::new(stamp.corner, stamp.percent) }))
    }

    /// The line for a frame, and what writes it.
    pub(super) fn of(&mut self, frame: &Frame) -> (&mut Caption, &str) {
        (&mut self.caption, self.line.at(frame.captured, now(), SystemTime::now()))
    }
}

/// The way of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// A JPEG as it is.
    PassOn,
    /// A JPEG whose blocks change places.
    Turn(Plan),
    /// Encoded at this size, as it is stored; with a plan where more changes than its size.
    Encode(Size, Option<Plan>),
}

impl Encode {
    /// Which way a frame goes, where pictures of its source are scaled or not.
    pub(super) fn way(&mut self, frame: &Frame, scale: bool) -> Result<Way, String> {
        let (shape, asked) = (&self.shared.config.shape, self.shared.config.capture.size);
        let is_jpeg = frame.format == PixelFormat::Jpeg;
        let reencode = is_jpeg && self.shared.config.reencode;
        if shape.is_plain() && !scale && is_jpeg && !reencode {
            return Ok(Way::PassOn);
        }
        let header = if is_jpeg {
            match jpeg::find(&frame.data, &mut |_| true) {
                Ok(found) => found.layout.header,
                // The encoder says what is wrong.
                Err(_) if shape.is_plain() => return Ok(Way::Encode(asked, None)),
                Err(why) => return Err(why.to_string()),
            }
        } else {
            jpeg::Header { size: frame.size, ..jpeg::Header::default() }
        };
        if header.size.area() == 0 {
            return Ok(Way::Encode(asked, None));
        }
        let plan = match shape.plan(header.size, header.orientation, asked, scale) {
            Ok(plan) => plan,
            Err(why) => {
                self.hindered(&why);
                return Err(why);
            }
        };
        let stamped = shape.stamp.is_some();
        let shaped = (stamped || plan.reshapes).then_some(plan);
        // One that is not turned goes on saying how it lies.
        let size = if shaped.is_some() { plan.shaping.size } else { header.orientation.shown(plan.shaping.size) };
        if !is_jpeg || reencode {
            return Ok(Way::Encode(size, shaped));
        }
        if scale && self.is_wanted_smaller() {
            return Ok(Way::Encode(size, shaped));
        }
        let why = if stamped {
            Some("a line is written into them".into())
        } else if plan.scales() {
            // What a camera gives is scaled, and that was said when it was opened.
            (!scale || plan.reshapes).then(|| format!("they are scaled to {}", plan.shaping.size))
        } else if plan.reshapes {
            hindrance(&header, plan.shaping.part, plan.shaping.turn)
        } else {
            None
        };
        Ok(match why {
            Some(why) => {
                self.say_encoded(&why);
                Way::Encode(size, shaped)
            }
            None if plan.scales() => Way::Encode(size, shaped),
            None if plan.reshapes => Way::Turn(plan),
            None => Way::PassOn,
        })
    }

    /// Cuts and turns a JPEG without decoding it.
    pub(super) fn turn(&mut self, frame: &Frame, plan: &Plan, begun: Micros) -> Result<Vec<Arc<Picture>>, String> {
        let mut whole = self.pool.take();
        jpeg::tidy(&frame.data, &mut whole, &mut |_| true).map_err(|e| e.to_string())?;
        let mut data = self.pool.take();
        let shaping = plan.shaping;
        self.codec(|_| turn_jpeg(&whole, shaping.part, shaping.turn, &mut data))?;
        self.shown_size = shaping.size;
        self.orientation = Orientation::UPRIGHT;
        Ok(self.hand_over_as_it_came(frame, data, begun))
    }

    /// Whether somebody wants a camera's own pictures smaller.
    fn is_wanted_smaller(&self) -> bool {
        let state = self.shared.lock();
        self.shared.config.adapt
            && (state.carries != ANY || state.demand.rungs.iter().any(|rung: &Rung| !rung.is_own()))
    }

    /// Says once why pictures that came as JPEG are encoded again.
    pub(super) fn say_encoded(&mut self, why: &str) {
        if self.said != why {
            log::info!("the pictures are decoded and encoded again: {why}");
            self.said = why.into();
        }
    }

    /// Says once, and tells viewers, why nothing can be made of the pictures.
    fn hindered(&mut self, why: &str) {
        if self.said != why {
            log::warn!("{why}");
            self.said = why.into();
        }
        let mut state = self.shared.lock();
        if state.encoder_fault != why {
            state.encoder_fault = why.into();
            state.fresh = true;
            drop(state);
            self.shared.changed.notify_all();
            // It fails only when the link is gone.
            let _ = self.ends.waker.wake();
        }
    }
}
