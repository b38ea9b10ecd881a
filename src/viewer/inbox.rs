//! What the link and the thread that plays sound tell each other: packets that have come, whether there is sound, and whether it is
//! wanted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use crate::audio::queue::Queue;
use crate::frame::AudioPacket;
use crate::stats::SoundReport;
use crate::time::{Micros, now};

/// Between the link and the thread that plays sound. A viewer has one if it may play sound.
pub(super) struct Inbox {
    packets: Mutex<Queue<(AudioPacket, Micros)>>,
    /// The stream has sound.
    offered: AtomicBool,
    muted: AtomicBool,
    stopping: AtomicBool,
    heard: Mutex<SoundReport>,
    thread: OnceLock<Thread>,
}

impl Inbox {
    pub(super) fn new(muted: bool) -> Self {
        Self {
            packets: Mutex::default(),
            offered: AtomicBool::new(false),
            muted: AtomicBool::new(muted),
            stopping: AtomicBool::new(false),
            heard: Mutex::default(),
            thread: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<(AudioPacket, Micros)>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who plays it.
    pub(super) fn is_played_by(&self, thread: Thread) {
        let _ = self.thread.set(thread);
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn put(&self, packet: AudioPacket, received: Micros) {
        self.lock().put((packet, received), received);
        self.wake();
    }

    pub(super) fn take(&self) -> Option<(AudioPacket, Micros)> {
        self.lock().take(now())
    }

    /// Packets that nobody took in time.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(super) fn offer(&self, offered: bool) {
        if self.offered.swap(offered, Ordering::AcqRel) != offered {
            self.wake();
        }
    }

    /// Whether there is something to be heard, and somebody who wants that.
    pub(super) fn is_wanted(&self) -> bool {
        self.offered.load(Ordering::Acquire) && !self.is_muted()
    }

    pub(super) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn tell(&self, heard: SoundReport) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    /// What is told of what is heard.
    pub(super) fn heard(&self) -> SoundReport {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
