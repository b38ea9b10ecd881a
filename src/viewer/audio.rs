//! The thread that plays sound: packets of the link into a jitter buffer, and what comes out of it to a device or into a file. It waits
//! for no picture, and no picture for it.

mod recording;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::Waker;

use self::recording::Recording;
use super::Shared;
use super::inbox::Inbox;
use crate::audio::playback::Playback;
use crate::audio::{FRAME_TIME, RATE, micros_of};
use crate::audio_device::{self, AUTO, Direction, Speaker};
use crate::error::{Error, Result};
use crate::stats::{SoundReport, round};
use crate::time::{Micros, now};

/// How soon a device that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the thread waits at most, with a device and without.
const TURN: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(1);
/// How often it is told how it does.
const TELL: Duration = Duration::from_millis(100);
/// Samples that are made at once, at most.
const PART: usize = 960;

/// Where sound goes.
pub(super) enum Sink {
    /// To a device of this name.
    Device(String),
    File(Recording),
}

impl Sink {
    /// What somebody wants, as far as it is there.
    ///
    /// # Errors
    /// A device that was named is not there, or a file cannot be written.
    pub(super) fn of(device: Option<&str>, file: Option<PathBuf>) -> Result<Option<Self>> {
        match (device, file) {
            (_, Some(path)) => Recording::create(path).map(|recording| Some(Self::File(recording))),
            (Some(AUTO), None) => Ok(Some(Self::Device(AUTO.into()))),
            (Some(name), None) => audio_device::check(Direction::Output, name)
                .map(|()| Some(Self::Device(name.into())))
                .map_err(|why| Error::NoSource(format!("{why}; streamflow-view --list-audio shows what there is"))),
            (None, None) => Ok(None),
        }
    }
}

/// What the thread that plays sound works with.
pub(super) struct Sound {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) waker: Arc<Waker>,
}

impl Sound {
    /// Turns until the viewer ends.
    pub(super) fn run(self, sink: Sink) {
        self.inbox.is_played_by(std::thread::current());
        let ended = match sink {
            Sink::Device(name) => self.play(&name),
            Sink::File(recording) => self.record(recording),
        };
        if let Err(why) = ended {
            log::warn!("no sound: {why}");
        }
        self.listen(false);
    }

    /// Tells the hub whether sound is to come.
    fn listen(&self, listens: bool) {
        if self.shared.lock().listen(listens) {
            self.shared.says.store(true, Ordering::Release);
            // A link that has ended has nobody to wake.
            let _ = self.waker.wake();
        }
    }

    fn play(&self, name: &str) -> Result<(), String> {
        let mut open: Option<(Speaker, Playback)> = None;
        let mut again = Micros(0);
        let mut told = String::new();
        let mut tells = Micros(0);
        let mut part = [0.0; PART];
        while !self.inbox.is_stopping() {
            let at = now();
            if !self.inbox.is_wanted() {
                (open, again) = (None, Micros(0));
                self.listen(false);
                self.tell(None, false, &mut tells);
                while self.inbox.take().is_some() {}
                std::thread::park_timeout(IDLE);
                continue;
            }
            if open.is_none() && at >= again {
                again = at + AGAIN;
                match Speaker::open(name, std::thread::current()) {
                    Ok(speaker) => {
                        let playback = Playback::new(speaker.rate)?;
                        log::info!("plays sound");
                        open = Some((speaker, playback));
                        told.clear();
                    }
                    // That a machine has no loudspeaker is no fault.
                    Err(why) if name == AUTO => {
                        if told.is_empty() {
                            log::info!("sound is not played here: {why}");
                        }
                        told = why;
                    }
                    Err(why) => {
                        if told != why {
                            log::warn!("sound is not played: {why}; tried again every {} s", AGAIN.as_secs());
                        }
                        told = why;
                    }
                }
                self.listen(open.is_some());
            }
            let Some((speaker, playback)) = &mut open else {
                self.tell(None, true, &mut tells);
                std::thread::park_timeout(IDLE);
                continue;
            };
            if speaker.is_gone() {
                log::warn!("the device that played sound has gone");
                open = None;
                self.listen(false);
                continue;
            }
            self.take_packets(playback);
            loop {
                let wants = speaker.wants().min(PART);
                if wants == 0 {
                    break;
                }
                let part = part.get_mut(..wants).unwrap_or_default();
                playback.render(part, now() + speaker.latency());
                speaker.play(part);
            }
            self.tell(Some((&*playback, speaker.missed_ms())), false, &mut tells);
            std::thread::park_timeout(TURN);
        }
        Ok(())
    }

    /// Writes what would be heard, at its true rate: as many samples as time has passed, silence where there is nothing.
    fn record(&self, mut recording: Recording) -> Result<(), String> {
        let mut playback = Playback::new(RATE)?;
        let mut tells = Micros(0);
        let begun = now();
        let mut written = 0;
        let mut part = [0.0; 480];
        while !self.inbox.is_stopping() {
            let wanted = !self.inbox.is_muted();
            self.listen(wanted);
            if wanted {
                self.take_packets(&mut playback);
            }
            // What is not heard yet may still come.
            while now().since(begun).as_micros() >= u128::from(micros_of(written + part.len(), RATE)) {
                playback.render(&mut part, begun + Duration::from_micros(micros_of(written, RATE)));
                written += part.len();
                recording.write(&part)?;
            }
            self.tell(Some((&playback, 0.0)), false, &mut tells);
            std::thread::park_timeout(FRAME_TIME / 4);
        }
        recording.finish()
    }

    fn take_packets(&self, playback: &mut Playback) {
        while let Some((packet, received)) = self.inbox.take() {
            playback.push(packet, received);
        }
    }

    fn tell(&self, playing: Option<(&Playback, f64)>, no_device: bool, next: &mut Micros) {
        let at = now();
        if at < *next {
            return;
        }
        *next = at + TELL;
        let muted = playing.is_none() || self.inbox.is_muted();
        let Some((playback, missed_ms)) = playing else {
            return self.inbox.tell(SoundReport { muted, no_device, ..self.inbox.heard() });
        };
        let heard = playback.heard();
        let counts = heard.counts;
        self.inbox.tell(SoundReport {
            muted,
            age_ms: heard.age_ms.filter(|ms| (0.0..60_000.0).contains(ms)).map(round),
            wait_ms: round(heard.target_ms),
            received: counts.received,
            lost: counts.lost,
            skipped: counts.skipped + self.inbox.dropped(),
            broken: heard.broken,
            missed_ms: round(missed_ms),
            concealed: counts.concealed,
            gaps: counts.gaps,
            ..SoundReport::default()
        });
    }
}
