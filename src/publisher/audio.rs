//! The thread with the sound of a publisher: takes frames from a microphone or a file, encodes them and gives them to the link, while
//! somebody listens.

mod input;

use std::sync::Arc;
use std::time::Duration;

use mio::Waker;

pub(super) use self::input::Spec;
use self::input::{Input, Took};
use super::outbox::Outbox;
use super::{Shared, State};
use crate::audio::coding::Encoder;
use crate::audio::denoise::{DELAY, Denoise};
use crate::audio::level::{Speaking, level};
use crate::audio::{FRAME, Samples};
use crate::frame::{AudioCodec, AudioPacket, Spans};
use crate::time::{Micros, now};

/// How long nobody must have listened before the microphone is closed.
const IDLE: Duration = Duration::from_secs(10);
/// How soon it is opened again where that failed.
const AGAIN: Duration = Duration::from_secs(2);
/// How long it is waited at most before it is looked at whether the publisher ends.
const TURN: Duration = Duration::from_secs(1);

/// What the thread with the sound works with.
pub(super) struct Sound {
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) spec: Spec,
    pub(super) denoise: bool,
    pub(super) waker: Arc<Waker>,
}

/// What makes packets of frames.
struct Coder {
    encoder: Encoder,
    denoise: Option<Denoise>,
    speaking: Speaking,
    sequence: u32,
}

impl Sound {
    /// Turns until the publisher ends.
    pub(super) fn run(self) {
        let mut told = String::new();
        let mut sequence = 0;
        let is_wanted = |state: &State| state.is_heard() && !self.outbox.is_switched_off();
        while !self.shared.wait(TURN, is_wanted) {
            if !is_wanted(&self.shared.lock()) {
                continue;
            }
            match self.listened_to(&mut sequence) {
                Ok(()) => told.clear(),
                Err(why) => {
                    if told != why {
                        log::warn!("no sound: {why}; tried again every {} s while somebody listens", AGAIN.as_secs());
                        told = why;
                    }
                    self.tell(self.outbox.set_failing(true));
                    if self.shared.wait(AGAIN, |_| false) {
                        return;
                    }
                }
            }
        }
    }

    /// Gives sound for as long as somebody listens, and some seconds more.
    fn listened_to(&self, sequence: &mut u32) -> Result<(), String> {
        let mut input = Input::open(&self.spec)?;
        log::info!("sound of {}", self.spec);
        self.tell(self.outbox.set_failing(false));
        let mut coder = Coder {
            encoder: Encoder::new()?,
            denoise: self.denoise.then(Denoise::default),
            speaking: Speaking::default(),
            sequence: *sequence,
        };
        let mut frame: Samples = [0.0; FRAME];
        let mut unheard: Option<Micros> = None;
        let end = loop {
            let captured = match input.next(&mut frame) {
                Ok(Took::Frame(captured)) => Some(captured),
                Ok(Took::NothingYet) => None,
                Err(why) => break Err(why),
            };
            let state = self.shared.lock();
            let (stopping, listened_to) = (state.stopping, state.is_heard());
            drop(state);
            // Whoever switches it off sees that the microphone is let go.
            if stopping || self.outbox.is_switched_off() {
                break Ok(());
            }
            if !listened_to {
                let at = now();
                if at.since(*unheard.get_or_insert(at)) >= IDLE {
                    break Ok(());
                }
                self.tell(self.outbox.set_speaking(false));
                continue;
            }
            unheard = None;
            let Some(captured) = captured else { continue };
            match coder.packet(&mut frame, captured) {
                Ok(packet) => {
                    let news = self.outbox.set_speaking(coder.speaking.is_on(now()));
                    let is_there = packet.is_some();
                    packet.into_iter().for_each(|packet| self.outbox.put(packet));
                    self.tell(news || is_there);
                }
                Err(why) => break Err(why),
            }
        };
        *sequence = coder.sequence;
        self.tell(self.outbox.set_speaking(false));
        end
    }

    /// The link has something to send.
    fn tell(&self, is_news: bool) {
        if is_news {
            // A link that has ended has nobody to wake.
            let _ = self.waker.wake();
        }
    }
}

impl Coder {
    /// The packet of a frame; none where there is silence.
    fn packet(&mut self, frame: &mut Samples, captured: Micros) -> Result<Option<AudioPacket>, String> {
        let begun = now();
        let mut captured = captured;
        if let Some(denoise) = &mut self.denoise {
            denoise.clean(frame);
            captured = captured - DELAY;
        }
        let level = level(frame);
        let voice = self.speaking.look(level, begun);
        let Some(data) = self.encoder.encode(frame)? else { return Ok(None) };
        // The time of a packet is that of the first sample that is decoded from it.
        captured = captured - self.encoder.delay();
        let spans = Spans { capture: begun.since(captured), encode: now().since(begun), ..Spans::default() };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let codec = AudioCodec::Opus;
        Ok(Some(AudioPacket { codec, captured, sequence, voice, level, spans, data, ..AudioPacket::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::coding::Decoder;
    use crate::audio::{FRAME_TIME, RATE, micros_of};

    /// When a tone that begins at a frame's beginning is heard, by the times of the packets, in microseconds after that.
    fn heard_after() -> i64 {
        let mut coder =
            Coder { encoder: Encoder::new().unwrap(), denoise: None, speaking: Speaking::default(), sequence: 0 };
        let (mut decoder, begins) = (Decoder::new().unwrap(), Micros(10_000_000));
        let mut heard: Samples = [0.0; FRAME];
        for n in 0..60 {
            let captured = begins - FRAME_TIME * 40 + FRAME_TIME * n;
            let mut frame = std::array::from_fn(|at| {
                let at = (n as usize * FRAME + at) as f32;
                // Something is there before, so that every frame has a packet.
                let loud = if n < 40 { 0.01 } else { 0.5 };
                (at * 700.0 / 48_000.0 * std::f32::consts::TAU).sin() * loud
            });
            let packet = coder.packet(&mut frame, captured).unwrap().unwrap();
            decoder.decode(&packet.data, &mut heard).unwrap();
            if let Some(at) = heard.iter().position(|sample| sample.abs() > 0.15) {
                return packet.captured.0 as i64 + micros_of(at, RATE) as i64 - begins.0 as i64;
            }
        }
        panic!("nothing was heard");
    }

    #[test]
    fn a_packet_is_dated_by_what_is_heard_of_it_and_not_by_what_was_encoded_last() {
        let after = heard_after();
        assert!((-1500..1500).contains(&after), "{after} µs off");
    }
}
