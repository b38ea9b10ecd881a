//! What the thread with the sound and the link tell each other: packets that are to be sent, whether somebody listens, and who speaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audio::queue::Queue;
use crate::frame::AudioPacket;
use crate::time::now;

/// Between the thread with the sound and the link. A publisher has one if it has sound.
pub(super) struct Outbox {
    packets: Mutex<Queue<AudioPacket>>,
    speaking: AtomicBool,
    /// It is switched off, by its user or from afar.
    off: AtomicBool,
    /// There is nothing to record with.
    fails: AtomicBool,
}

impl Outbox {
    pub(super) fn new(off: bool) -> Self {
        Self {
            packets: Mutex::default(),
            speaking: AtomicBool::new(false),
            off: AtomicBool::new(off),
            fails: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<AudioPacket>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, packet: AudioPacket) {
        let mut packets = self.lock();
        if !self.is_switched_off() {
            packets.put(packet, now());
        }
    }

    pub(super) fn take(&self) -> Option<AudioPacket> {
        self.lock().take(now())
    }

    /// Switches it off or on; whether that is news. Nothing is taken any more that was put before.
    pub(super) fn switch_off(&self, off: bool) -> bool {
        let mut packets = self.lock();
        packets.clear();
        self.off.swap(off, Ordering::AcqRel) != off
    }

    pub(super) fn is_switched_off(&self) -> bool {
        self.off.load(Ordering::Acquire)
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

    /// Says whether there is nothing to record with; whether that is news.
    pub(super) fn set_failing(&self, fails: bool) -> bool {
        self.fails.swap(fails, Ordering::AcqRel) != fails
    }

    /// Whether nothing is to be heard, because that is wanted, or because there is nothing to record with.
    pub(super) fn is_muted(&self) -> bool {
        self.is_switched_off() || self.fails.load(Ordering::Acquire)
    }
}
