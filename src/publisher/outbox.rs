//! What the thread with the sound and the link tell each other: packets that are to be sent, whether somebody listens, and who speaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audio::queue::Queue;
use crate::frame::AudioPacket;

/// Between the thread with the sound and the link. A publisher has one if it has sound.
pub(super) struct Outbox {
    packets: Mutex<Queue<AudioPacket>>,
    speaking: AtomicBool,
    /// Nothing is to be heard, because its user wants that, or because there is nothing to record with.
    muted: AtomicBool,
}

impl Outbox {
    pub(super) fn new(muted: bool) -> Self {
        Self { packets: Mutex::default(), speaking: AtomicBool::new(false), muted: AtomicBool::new(muted) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<AudioPacket>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, packet: AudioPacket) {
        self.lock().put(packet);
    }

    pub(super) fn take(&self) -> Option<AudioPacket> {
        self.lock().take()
    }

    /// What waits is of before.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Packets that the link did not take in time.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Says whether somebody speaks; whether that is news.
    pub(super) fn set_speaking(&self, speaking: bool) -> bool {
        self.speaking.swap(speaking, Ordering::AcqRel) != speaking
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.speaking.load(Ordering::Acquire)
    }

    /// Says whether nothing is to be heard; whether that is news.
    pub(super) fn set_muted(&self, muted: bool) -> bool {
        self.muted.swap(muted, Ordering::AcqRel) != muted
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Acquire)
    }
}
