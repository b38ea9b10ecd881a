//! The thread that has the encoder: takes the newest frame and makes of it the pictures that somebody watches.

mod ends;
mod shaped;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle, Thread};
use std::time::Duration;

pub(super) use self::ends::Ends;
use self::shaped::{Stamping, Way};
use super::shape::Plan;
use super::unchanged::Unchanged;
use super::{Demand, Full, Shared};
use crate::adapt::{Ladder, Rung, Supply};
use crate::buffer::{Buffer, Pool};
use crate::error::Error;
use crate::frame::{Frame, Picture, Size, Spans};
use crate::jpeg::Encoder;
use crate::mailbox::Taken;
use crate::pacing::RateLimiter;
use crate::time::{Micros, millis, now};
use crate::wire::jpeg::{self, Orientation};

/// How long the thread sleeps at most before it looks whether the program ends, or a viewer came to a still picture.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often the thread is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// EncodedFrame of one frame, one a rung; the others may follow.
#[derive(Debug, Default)]
pub(super) struct EncodedFrame {
    pub(super) supply: Supply,
    pub(super) pictures: Vec<Arc<Picture>>,
}

impl EncodedFrame {
    /// The frame's number.
    pub(super) fn sequence(&self) -> Option<u32> {
        self.pictures.first().map(|p| p.sequence)
    }
}

pub(super) struct Encode {
    shared: Arc<Shared>,
    ends: Arc<Ends>,
    /// The number of this thread, and that another has its place.
    turn: u64,
    given_up: bool,
    encoder: Encoder,
    pool: Pool,
    sequence: u32,
    ladder: Ladder,
    limiter: RateLimiter,
    unchanged: Unchanged,
    /// Size of the best picture of the last frame, as it is shown.
    shown_size: Size,
    /// How the last frame that was encoded is turned for that.
    orientation: Orientation,
    /// Bytes that the last frame would have had at the asked quality, all rungs together.
    wanted: u32,
    stamping: Option<Stamping>,
    /// What was last said of the way that pictures go.
    said: String,
}

impl Encode {
    pub(super) fn new(shared: Arc<Shared>, ends: Arc<Ends>, turn: u64) -> crate::Result<Self> {
        let encoder = Encoder::new()?;
        let ladder = Ladder::new(shared.config.quality, shared.config.min_quality);
        let stamping = Stamping::new(&shared)?;
        Ok(Self {
            shared,
            ends,
            turn,
            given_up: false,
            encoder,
            pool: Pool::default(),
            sequence: 0,
            ladder,
            limiter: RateLimiter::default(),
            unchanged: Unchanged::default(),
            shown_size: Size::default(),
            orientation: Orientation::UPRIGHT,
            wanted: 0,
            stamping,
            said: String::new(),
        })
    }

    /// Encodes until there are no more frames, on another thread when a call of the codec takes too long.
    pub(super) fn run(self) {
        let (shared, ends) = (self.shared.clone(), self.ends.clone());
        let mut worker = self.start();
        loop {
            std::thread::park_timeout(LOOK);
            match worker {
                Ok(thread) if thread.is_finished() => {
                    if let Err(panic) = thread.join() {
                        std::panic::resume_unwind(panic);
                    }
                    return;
                }
                Err(error) => return shared.end(Err(Error::io("cannot start a thread", error))),
                Ok(_) => {}
            }
            if let Some(turn) = ends.look(&shared, now()) {
                match Self::new(shared.clone(), ends.clone(), turn) {
                    Ok(next) => worker = next.start(),
                    Err(error) => return shared.end(Err(error)),
                }
            }
        }
    }

    fn start(self) -> std::io::Result<JoinHandle<()>> {
        /// Wakes who watches, also where the thread panics.
        struct Wakes(Thread);
        impl Drop for Wakes {
            fn drop(&mut self) {
                self.0.unpark();
            }
        }
        let wakes = Wakes(std::thread::current());
        Builder::new().name("encode".into()).spawn(move || {
            let _wakes = wakes;
            self.work();
        })
    }

    /// Does something with the encoder, if it is still this thread's turn; and only then says what came of it.
    fn codec<T>(&mut self, act: impl FnOnce(&mut Encoder) -> crate::Result<T>) -> Result<T, String> {
        if !self.ends.watch.begins(self.turn, now()) {
            self.given_up = true;
            return Err("another thread goes on".into());
        }
        let done = act(&mut self.encoder);
        if !self.ends.watch.ends(self.turn) {
            self.given_up = true;
            return Err("the encoder took too long".into());
        }
        done.map_err(|e| e.to_string())
    }

    fn work(mut self) {
        // The last frame stays here while nobody watches, so that the first viewer of a slow source has it at once. Not
        // once the source is closed: from then on it is old, and another is on its way when somebody comes.
        let mut kept: Option<Frame> = None;
        loop {
            let until_rate = self.limiter.next().since(now());
            let patience = if kept.is_some() && !until_rate.is_zero() { PATIENCE.min(until_rate) } else { PATIENCE };
            if self.given_up {
                return;
            }
            match self.ends.frames.take(patience) {
                Taken::Value(frame) => {
                    let (demand, asleep) = self.demand();
                    if demand.viewers > 0 {
                        self.send(frame, &demand, &mut kept);
                    } else {
                        let before = self.unchanged.forget();
                        self.give_back(before);
                        let old = kept.replace(frame);
                        self.give_back(old);
                    }
                    if asleep {
                        self.give_back(kept.take());
                    }
                }
                Taken::Nothing => {
                    let (demand, asleep) = self.demand();
                    if asleep {
                        self.give_back(kept.take());
                    }
                    if demand.viewers > 0
                        && let Some(frame) = kept.take()
                    {
                        self.send(frame, &demand, &mut kept);
                    }
                }
                Taken::Closed => {
                    let demand = self.shared.lock().demand.clone();
                    if let Some(frame) = kept.filter(|_| demand.viewers > 0) {
                        self.send_now(frame, &demand, now());
                    }
                    return;
                }
            }
        }
    }

    /// What is watched, and whether the source is closed because nothing is.
    fn demand(&self) -> (Demand, bool) {
        let state = self.shared.lock();
        (state.demand.clone(), state.asleep)
    }

    fn give_back(&self, frame: Option<Frame>) {
        if let Some(frame) = frame {
            // When there is no room, the frame is freed: there are enough.
            let _ = self.ends.spent.try_send(frame);
        }
    }

    /// Makes the pictures of a frame, if they are to be sent, and gives the frame back. What the maximum rate does not
    /// allow yet is kept, for it may be the newest for long.
    fn send(&mut self, frame: Frame, demand: &Demand, kept: &mut Option<Frame>) {
        let config = &self.shared.config;
        let at = now();
        if config.skip_same && self.unchanged.is(&frame, &demand.rungs, config.interval(), at) {
            self.shared.lock().counts.unchanged += 1;
            self.give_back(Some(frame));
        } else if self.limiter.next() > at {
            let old = kept.replace(frame);
            self.shared.lock().counts.skipped += u64::from(old.is_some());
            self.give_back(old);
        } else {
            self.send_now(frame, demand, at);
            self.give_back(kept.take());
        }
    }

    fn send_now(&mut self, frame: Frame, demand: &Demand, at: Micros) {
        self.frame(&frame, demand, at);
        let skip_same = self.shared.config.skip_same;
        let spent = if skip_same { self.unchanged.sent(frame, &demand.rungs, at) } else { Some(frame) };
        self.give_back(spent);
    }

    fn frame(&mut self, frame: &Frame, demand: &Demand, begun: Micros) {
        let config = &self.shared.config;
        self.sequence = self.ends.sequence.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (scale, carries) = {
            let state = self.shared.lock();
            (state.opened.as_ref().is_none_or(|o| o.scale), state.carries)
        };
        let own = [Rung::FULL];
        let rungs = if config.adapt && !demand.rungs.is_empty() { &demand.rungs } else { &own[..] };
        let mut encoded_size = Size::default();
        let made = self.way(frame, scale).and_then(|way| match way {
            Way::PassOn => self.pass_on(frame, begun),
            Way::Turn(plan) => self.turn(frame, &plan, begun).or_else(|why| {
                // It may be damaged in a way that decoders make do with.
                self.say_encoded(&why);
                encoded_size = plan.shaping.size;
                self.encode(frame, encoded_size, Some(plan), rungs, carries, begun)
            }),
            Way::Encode(size, plan) => {
                encoded_size = size;
                self.encode(frame, size, plan, rungs, carries, begun)
            }
        });
        let pictures = match made {
            Ok(pictures) => pictures,
            Err(why) => {
                log::debug!("a broken frame: {why}");
                // One that took too long was counted when it was given up.
                self.shared.lock().counts.broken += u64::from(!self.given_up);
                return;
            }
        };
        let done = now();
        let mut state = self.shared.lock();
        state.encode.add(done, millis(done.since(begun)));
        state.encoder_fault.clear();
        state.counts.quality = pictures.first().map_or(0, |p| p.quality);
        state.counts.size = self.shown_size.to_string();
        let full = self.full(&pictures, encoded_size);
        state.wanted = self.wanted;
        state.full = Some(full);
        drop(state);
        let bytes = pictures.iter().map(|picture| picture.data.len()).sum();
        self.limiter.spend(bytes, self.shared.config.max_rate, done);
    }

    /// Gives a picture to the link, beside those of the same frame that it has not taken yet.
    fn hand_over(&self, picture: Arc<Picture>, supply: Supply) {
        let old = self.ends.pictures.put_or_join(EncodedFrame { supply, pictures: vec![picture] }, |waiting, new| {
            if waiting.sequence() != new.sequence() {
                return Some(new);
            }
            waiting.pictures.extend(new.pictures);
            None
        });
        if old.is_some() {
            self.shared.lock().counts.skipped += 1;
        }
        // It fails only when the link is gone.
        let _ = self.ends.waker.wake();
    }

    /// A camera's own JPEG, cut at its true end and with its tables.
    fn pass_on(&mut self, frame: &Frame, begun: Micros) -> Result<Vec<Arc<Picture>>, String> {
        let mut data = self.pool.take();
        let header = jpeg::tidy(&frame.data, &mut data, &mut |_| true).map_err(|e| e.to_string())?;
        self.shown_size = header.shown_size();
        Ok(self.hand_over_as_it_came(frame, data, begun))
    }

    /// Gives a picture to the link whose quality is that with which it came.
    fn hand_over_as_it_came(&mut self, frame: &Frame, data: Buffer, begun: Micros) -> Vec<Arc<Picture>> {
        self.wanted = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let picture = Arc::new(self.picture(frame, data, (begun, now()), 0, 0));
        self.hand_over(picture.clone(), [Some(Rung::FULL), None, None, None]);
        vec![picture]
    }

    /// The frame at every rung, each as good as its bytes allow.
    fn encode(
        &mut self,
        frame: &Frame,
        size: Size,
        shaped: Option<Plan>,
        rungs: &[Rung],
        carries: u32,
        begun: Micros,
    ) -> Result<Vec<Arc<Picture>>, String> {
        let mut stamping = self.stamping.take();
        let loaded = self.codec(|encoder| {
            match &shaped {
                Some(shaped) => encoder.load_shaped(frame, &shaped.shaping, stamping.as_mut().map(|s| s.of(frame))),
                None => encoder.load(frame, size),
            }?;
            Ok(encoder.orientation())
        });
        self.stamping = stamping;
        self.orientation = loaded?;
        let mut plan = self.ladder.plan(rungs, size, self.orientation.steps().0, carries);
        let mut pictures = Vec::with_capacity(rungs.len());
        let mut began = begun;
        while let Some(mut step) = self.ladder.next(&mut plan, began) {
            let mut data = self.pool.take();
            loop {
                data.clear();
                self.codec(|encoder| encoder.compress(step.encoded_size(), step.encoding.quality, &mut data))?;
                if !self.ladder.again(&mut step, data.len(), began) {
                    break;
                }
            }
            if pictures.is_empty() {
                self.shown_size = self.orientation.shown(step.encoded_size());
            }
            let supply = self.ladder.done(&mut plan, &step, data.len());
            let done = now();
            let number = u8::try_from(step.place).unwrap_or(0);
            let picture = Arc::new(self.picture(frame, data, (began, done), number, step.encoding.quality));
            // Who watches the best does not wait for the others to be encoded.
            self.hand_over(picture.clone(), supply);
            pictures.push(picture);
            began = done;
        }
        self.wanted = self.ladder.wanted(&plan);
        Ok(pictures)
    }

    fn picture(&self, frame: &Frame, data: Buffer, span: (Micros, Micros), rung: u8, quality: u8) -> Picture {
        let (began, done) = span;
        Picture {
            quality,
            rung,
            sequence: self.sequence,
            captured: frame.captured,
            estimated: frame.arrival,
            arrival: frame.arrival,
            spans: Spans { capture: began.since(frame.captured), encode: done.since(began), ..Spans::default() },
            metadata: frame.metadata.clone(),
            data,
            ..Picture::default()
        }
    }

    /// The best picture of the last frame, as it would have been if nothing had limited it.
    fn full(&self, pictures: &[Arc<Picture>], size: Size) -> Full {
        match pictures.first() {
            Some(picture) if picture.quality > 0 => {
                let best = self.shared.config.quality;
                let size = self.orientation.shown(size);
                Full { size, quality: best, bytes: self.ladder.expects_at_best(picture.rung.into()) }
            }
            picture => Full {
                size: self.shown_size,
                quality: 0,
                bytes: picture.map_or(0, |p| u32::try_from(p.data.len()).unwrap_or(u32::MAX)),
            },
        }
    }
}
