//! The sound of a viewer: what comes on its link is played by the [`Output`] of the program, or written into a file. It waits for no
//! picture, and no picture for it.

mod output;
mod recording;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;

pub(crate) use self::output::Output;
use self::recording::Recording;
use super::inbox::Inbox;
use super::open::{Open, OpenAudio};
use super::{Shared, ViewerConfig};
use crate::audio::playback::Playback;
use crate::audio::{FRAME, FRAME_TIME, RATE, micros_of};
use crate::error::{Error, Result};
use crate::stats::{SoundReport, round};
use crate::time::{Micros, now};

/// How often it is told how it does.
const TELL: Duration = Duration::from_millis(100);

/// Where sound goes, and what opens it where it is sealed.
pub(super) struct Sink {
    to: To,
    open: OpenAudio,
}

enum To {
    Device(Arc<Output>),
    File(Recording),
}

/// Sound that goes there, until it is ended.
pub(super) enum Playing {
    Device(Arc<Output>, Arc<Listener>),
    File(Arc<Listener>, JoinHandle<()>),
}

impl Sink {
    /// What somebody wants, as far as it is there. `output`: what plays the sound of all viewers of this program, if that runs already.
    ///
    /// # Errors
    /// A device that was named is not there, or a file cannot be written.
    pub(super) fn of(config: &ViewerConfig, open: &Open, output: Option<Arc<Output>>) -> Result<Option<Self>> {
        let to = match config.record_audio.clone() {
            Some(path) => Some(To::File(Recording::create(path)?)),
            None if output.is_some() => output.map(To::Device),
            None => Output::of(config)?.map(To::Device),
        };
        Ok(to.map(|to| Self { to, open: OpenAudio::beside(open) }))
    }

    /// Has it go there.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(self, shared: Arc<Shared>, inbox: Arc<Inbox>, waker: Arc<Waker>) -> Result<Playing> {
        let listener = Arc::new(Listener { shared, inbox, open: Mutex::new(self.open), waker });
        match self.to {
            To::Device(output) => {
                output.add(listener.clone());
                Ok(Playing::Device(output, listener))
            }
            To::File(recording) => {
                let records = listener.clone();
                let work = move || records.record(recording);
                let thread = std::thread::Builder::new().name("sound".into()).spawn(work);
                let thread = thread.map_err(|error| Error::io("cannot start a thread", error))?;
                Ok(Playing::File(listener, thread))
            }
        }
    }
}

impl Playing {
    /// Ends it, and gives the thread that is still to end.
    pub(super) fn end(self) -> Option<JoinHandle<()>> {
        match self {
            Self::Device(output, listener) => {
                output.remove(&listener);
                None
            }
            Self::File(listener, thread) => {
                listener.inbox.stop();
                Some(thread)
            }
        }
    }
}

/// The sound of one viewer.
pub(super) struct Listener {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    /// Of the thread that plays it.
    open: Mutex<OpenAudio>,
    waker: Arc<Waker>,
}

impl Listener {
    /// Tells the hub whether sound is to come.
    fn listen(&self, listens: bool) {
        if self.shared.lock().listen(listens) {
            self.shared.says.store(true, Ordering::Release);
            // A link that has ended has nobody to wake.
            let _ = self.waker.wake();
        }
    }

    fn record(&self, recording: Recording) {
        self.inbox.is_played_by(std::thread::current());
        if let Err(why) = self.write(recording) {
            log::warn!("no sound: {why}");
        }
        self.listen(false);
    }

    /// Writes what would be heard, at its true rate: as many samples as time has passed, silence where there is nothing.
    fn write(&self, mut recording: Recording) -> Result<(), String> {
        let mut playback = Playback::new(RATE)?;
        let mut tells = Micros(0);
        let begun = now();
        log::info!("records sound");
        let mut written = 0;
        let mut part = [0.0; FRAME / 4];
        while !self.inbox.is_stopping() {
            let wanted = !self.inbox.is_muted();
            self.listen(wanted);
            if wanted {
                self.take_packets(&mut playback);
            }
            // As a device would: what comes later is too late for it.
            while now().since(begun).as_micros() >= u128::from(micros_of(written, RATE)) {
                playback.render(&mut part, begun + Duration::from_micros(micros_of(written, RATE)));
                written += part.len();
                recording.write(&part)?;
            }
            if now() >= tells {
                tells = now() + TELL;
                self.tell(&playback, 0.0);
            }
            std::thread::park_timeout(FRAME_TIME / 4);
        }
        recording.finish()
    }

    fn take_packets(&self, playback: &mut Playback) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((mut packet, received)) = self.inbox.take() {
            open.packet(&mut packet, &self.shared);
            playback.push(packet, received);
        }
    }

    /// Tells that nothing is heard, and whether that is for want of a device.
    fn tell_silence(&self, no_device: bool) {
        self.inbox.tell(SoundReport { muted: true, no_device, ..self.inbox.heard() });
    }

    /// Tells how what is heard does.
    fn tell(&self, playback: &Playback, missed_ms: f64) {
        let heard = playback.heard();
        let counts = heard.counts;
        self.inbox.tell(SoundReport {
            muted: self.inbox.is_muted(),
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
