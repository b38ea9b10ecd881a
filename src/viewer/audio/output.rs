//! The thread that plays sound: of each viewer of this program packets into a jitter buffer, and what comes out of all of them, put
//! together, to one device. Many devices are for one program, or for one at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::{Listener, TELL};
use crate::audio::playback::Playback;
use crate::audio::within_full_scale;
use crate::audio_device::{self, AUTO, Direction, Speaker};
use crate::error::{Error, Result};
use crate::time::{Micros, now};
use crate::viewer::{UNHURRIED, ViewerConfig};

/// How soon a device that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the thread waits at most, with a device and without.
const TURN: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(1);
/// Samples that are made at once, at most.
const PART: usize = 960;

/// What plays the sound of all viewers of a program.
pub(crate) struct Output {
    asked: Arc<Asked>,
    thread: Option<JoinHandle<()>>,
}

/// What its thread is asked.
#[derive(Default)]
struct Asked {
    listeners: Mutex<Vec<Arc<Listener>>>,
    stopping: AtomicBool,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// That on the device that somebody wants; it is opened when there is something to be heard.
    ///
    /// # Errors
    /// A device that was named is not there.
    pub(crate) fn of(config: &ViewerConfig) -> Result<Option<Arc<Self>>> {
        let wanted = config.audio.clone().filter(|_| config.record_audio.is_none());
        let Some(name) = wanted else { return Ok(None) };
        if name != AUTO {
            audio_device::check(Direction::Output, &name)
                .map_err(|why| Error::NoSource(format!("{why}; streamflow-view --list-audio shows what there is")))?;
        }
        let asked = Arc::new(Asked::default());
        let asks = asked.clone();
        let work = move || Player { asked: asks, name, playing: Vec::new(), told: String::new() }.run();
        let thread = Builder::new().name("sound".into()).spawn(work);
        let thread = thread.map_err(|error| Error::io("cannot start a thread", error))?;
        Ok(Some(Arc::new(Self { asked, thread: Some(thread) })))
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Plays this one's sound, too.
    pub(super) fn add(&self, listener: Arc<Listener>) {
        if let Some(thread) = &self.thread {
            listener.inbox.is_played_by(thread.thread().clone());
        }
        self.asked.lock().push(listener);
        self.wake();
    }

    /// Plays it no more.
    pub(super) fn remove(&self, listener: &Arc<Listener>) {
        self.asked.lock().retain(|other| !Arc::ptr_eq(other, listener));
        self.wake();
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.asked.stopping.store(true, Ordering::Release);
        self.wake();
        let until = now() + UNHURRIED;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        // A device that hangs is left behind: its thread ends by itself when it comes back.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Player {
    asked: Arc<Asked>,
    name: String,
    /// Whose sound is played.
    playing: Vec<(Arc<Listener>, Playback)>,
    /// Why there is no device, as it was said last.
    told: String,
}

impl Player {
    fn run(mut self) {
        if let Err(why) = self.play() {
            log::warn!("no sound: {why}");
        }
        self.asked.lock().iter().for_each(|listener| listener.listen(false));
    }

    fn play(&mut self) -> Result<(), String> {
        let mut speaker: Option<Speaker> = None;
        let (mut again, mut tells) = (Micros(0), Micros(0));
        while !self.asked.stopping.load(Ordering::Acquire) {
            let at = now();
            let listeners: Vec<_> = self.asked.lock().clone();
            let (wanted, unwanted): (Vec<_>, Vec<_>) = listeners.into_iter().partition(|one| one.inbox.is_wanted());
            self.playing.retain(|(one, _)| wanted.iter().any(|other| Arc::ptr_eq(one, other)));
            let is_told = at >= tells;
            for one in &unwanted {
                one.listen(false);
                while one.inbox.take().is_some() {}
            }
            if is_told {
                tells = at + TELL;
                unwanted.iter().for_each(|one| one.tell_silence(false));
            }
            if wanted.is_empty() {
                (speaker, again, tells) = (None, Micros(0), Micros(0));
                std::thread::park_timeout(IDLE);
                continue;
            }
            if speaker.is_none() && at >= again {
                again = at + AGAIN;
                speaker = self.open();
                wanted.iter().for_each(|one| one.listen(speaker.is_some()));
            }
            let Some(device) = &speaker else {
                wanted.iter().for_each(|one| one.tell_silence(true));
                std::thread::park_timeout(IDLE);
                continue;
            };
            if device.is_gone() {
                log::warn!("the device that played sound has gone");
                speaker = None;
                self.playing.clear();
                wanted.iter().for_each(|one| one.listen(false));
                continue;
            }
            for one in wanted {
                if !self.playing.iter().any(|(other, _)| Arc::ptr_eq(&one, other)) {
                    one.listen(true);
                    self.playing.push((one, Playback::new(device.rate)?));
                }
            }
            self.feed(device);
            if is_told {
                self.playing.iter().for_each(|(one, playback)| one.tell(playback, device.missed_ms()));
            }
            std::thread::park_timeout(TURN);
        }
        Ok(())
    }

    fn open(&mut self) -> Option<Speaker> {
        match Speaker::open(&self.name, std::thread::current()) {
            Ok(speaker) => {
                log::info!("plays sound");
                self.told.clear();
                // What was played before had another rate.
                self.playing.clear();
                return Some(speaker);
            }
            // That a machine has no loudspeaker is no fault.
            Err(why) if self.name == AUTO => {
                if self.told.is_empty() {
                    log::info!("sound is not played here: {why}");
                }
                self.told = why;
            }
            Err(why) => {
                if self.told != why {
                    log::warn!("sound is not played: {why}; tried again every {} s", AGAIN.as_secs());
                }
                self.told = why;
            }
        }
        None
    }

    /// Gives the device as much as it wants.
    fn feed(&mut self, device: &Speaker) {
        for (one, playback) in &mut self.playing {
            one.take_packets(playback);
        }
        let (mut sum, mut part) = ([0.0; PART], [0.0; PART]);
        loop {
            let wants = device.wants().min(PART);
            let (Some(sum), Some(part)) = (sum.get_mut(..wants), part.get_mut(..wants)) else { return };
            if wants == 0 {
                return;
            }
            let heard = now() + device.latency();
            sum.fill(0.0);
            for (_, playback) in &mut self.playing {
                playback.render(part, heard);
                add(sum, part);
            }
            sum.iter_mut().for_each(|sample| *sample = within_full_scale(*sample));
            device.play(sum);
        }
    }
}

/// Puts two sounds together.
fn add(sum: &mut [f32], part: &[f32]) {
    sum.iter_mut().zip(part).for_each(|(sum, sample)| *sum += sample);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_of_several_streams_is_put_together_within_full_scale() {
        let mut sum = [0.0; 4];
        for part in [[0.5, -0.7, 0.1, 0.0], [0.25, -0.7, f32::NAN, 0.0]] {
            add(&mut sum, &part);
        }
        assert_eq!(sum.map(within_full_scale), [0.75, -1.0, 0.0, 0.0]);
    }
}
