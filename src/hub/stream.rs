//! One stream of a hub, as publishers and delivery loops share it: the rules of its pictures under a lock, and who is to be told of
//! a new one.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Shared;
use super::counters::StreamNumbers;
use super::last_pictures::LastPictures;
use crate::frame::{AudioPacket, Codec, Picture};
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::relay::audio::{AudioTrack, RecentAudio};
use crate::relay::pictures::PictureTrack;
use crate::relay::renditions::Renditions;
use crate::relay::silence::Gives;
use crate::relay::steering::Steering;
use crate::time::{Micros, micros};

/// What a stream has that is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Picture,
    Audio,
}

/// A stream. It has two tracks, its pictures and its sound.
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// Tells streams apart more cheaply than the key.
    pub(super) id: u64,
    pictures: Mutex<PictureTrack>,
    audio: Mutex<AudioTrack>,
    steering: Mutex<Steering>,
    /// Where the newest picture is kept for when the stream is lost.
    last_pictures: Option<Arc<LastPictures>>,
    /// For each loop, and last for admission: how many there watch and listen, and whether it has been told of a picture, or of sound,
    /// that it has not looked at.
    loops: Box<[Watchers]>,
    /// PictureTrack published since the start.
    pub(super) published: AtomicU64,
    /// PictureTrack that the publisher left out.
    pub(super) lost: AtomicU64,
    /// What its viewers were given.
    pub(super) numbers: StreamNumbers,
    /// How far off the publisher's clock may be, in microseconds; [`UNKNOWN`].
    clock_error: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

#[derive(Default)]
struct Watchers {
    viewers: AtomicU32,
    told: AtomicBool,
    listeners: AtomicU32,
    told_audio: AtomicBool,
}

impl Stream {
    pub(super) fn new(key: StreamKey, id: u64, loops: usize, last_pictures: Option<Arc<LastPictures>>) -> Self {
        Self {
            key,
            id,
            pictures: Mutex::default(),
            audio: Mutex::default(),
            steering: Mutex::default(),
            last_pictures,
            loops: (0..loops).map(|_| Watchers::default()).collect(),
            published: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            numbers: StreamNumbers::default(),
            clock_error: AtomicU64::new(UNKNOWN),
        }
    }

    /// The rules of its pictures.
    pub(super) fn pictures(&self) -> MutexGuard<'_, PictureTrack> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks for the controls of its camera, and what the publisher answers.
    pub(super) fn steering(&self) -> MutexGuard<'_, Steering> {
        self.steering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new publisher begins `now`.
    pub(super) fn begin(&self, gives: Gives, now: Micros) {
        self.pictures().begin(gives, now);
        self.audio().begin();
        self.knows_clock(None);
    }

    /// So far off the publisher's clock may be.
    pub(super) fn knows_clock(&self, error: Option<Duration>) {
        self.clock_error.store(error.map_or(UNKNOWN, micros), Ordering::Relaxed);
    }

    /// How far off the publisher's clock may be, in microseconds.
    pub(super) fn clock_error(&self) -> Option<u64> {
        Some(self.clock_error.load(Ordering::Relaxed)).filter(|error| *error != UNKNOWN)
    }

    /// Puts a picture in, and returns the loops that must be told; and whether the stream was silent until now.
    pub(super) fn put(&self, picture: Picture, now: Micros) -> (impl Iterator<Item = usize>, bool) {
        let mut pictures = self.pictures();
        let came = pictures.put(picture, now);
        if let Some(last_pictures) = &self.last_pictures
            && let Some(newest) = pictures.worth_keeping().filter(|newest| newest.codec != Codec::Sealed)
        {
            last_pictures.put(&self.key, newest);
        }
        drop(pictures);
        self.published.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(u64::from(came.lost), Ordering::Relaxed);
        let news = |i: &Watchers| i.viewers.load(Ordering::Acquire) > 0 && !i.told.swap(true, Ordering::AcqRel);
        (self.loops.iter().enumerate().filter(move |(_, i)| news(i)).map(|(index, _)| index), came.wakes)
    }

    fn audio(&self) -> MutexGuard<'_, AudioTrack> {
        self.audio.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a packet of sound in, and returns the loops that must be told.
    pub(super) fn put_audio(&self, packet: AudioPacket, now: Micros) -> impl Iterator<Item = usize> {
        let left_out = self.audio().put(packet, now);
        self.numbers.got_audio(left_out.into());
        let news = |i: &Watchers| i.listeners.load(Ordering::Acquire) > 0 && !i.told_audio.swap(true, Ordering::AcqRel);
        self.loops.iter().enumerate().filter(move |(_, i)| news(i)).map(|(index, _)| index)
    }

    /// The last packets of sound; a loop that asks has looked.
    pub(super) fn recent_audio(&self, index: usize) -> RecentAudio {
        self.loops[index].told_audio.store(false, Ordering::Release);
        self.audio().recent().clone()
    }

    /// So many listen on this loop.
    pub(super) fn set_listeners(&self, index: usize, listeners: usize) {
        self.loops[index].listeners.store(u32::try_from(listeners).unwrap_or(u32::MAX), Ordering::Release);
    }

    /// The newest pictures; a loop that asks has looked.
    pub(super) fn newest(&self, index: usize) -> Renditions {
        self.has_looked(index);
        self.pictures().newest().clone()
    }

    /// A loop looks, and is told of the next picture that comes.
    pub(super) fn has_looked(&self, index: usize) {
        self.loops[index].told.store(false, Ordering::Release);
    }

    /// A viewer on this loop begins or ends to watch.
    pub(super) fn add_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn remove_viewer(&self, index: usize) {
        self.loops[index].viewers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    /// Tells viewers of a stream whose publisher has fallen silent, with a look at the clock.
    pub(super) fn judge_silence(&self, publisher: ConnectionId, stream: &Stream, at: Micros) {
        let news = stream.pictures().silence.judge(at);
        if news {
            self.tell_silence(publisher, stream, at);
        }
    }

    /// Tells viewers whether the pictures of a stream come.
    pub(super) fn tell_silence(&self, publisher: ConnectionId, stream: &Stream, at: Micros) {
        // Asked under the lock of the rules: of two who tell it at once the later one tells what is true.
        let silent = || stream.pictures().silence.silent();
        let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.silent(publisher, silent(), at)));
    }
}
