//! Who stands at the door: connections that have not said yet what they want.
//!
//! They are few, and who has had its time gives way to who comes: a thousand who say nothing cannot keep out one who
//! does. But everybody has that time, so that a thousand who come back at once, as after the hub's restart, do not push
//! each other out.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Waker;

use crate::time::{Micros, now};

/// Time to say what one wants before one gives way, from when one is heard; and while all threads are busy. Whoever has
/// something to say says it with the first packet.
const SAY: Patience = Patience { usual: Duration::from_millis(200), busy: Duration::from_millis(20) };
/// Time to ask for more before one gives way: while all threads are busy, whoever has been answered does so at once.
const SAY_MORE: Patience = Patience { usual: Duration::from_millis(200), busy: Duration::ZERO };
/// Time to be answered before one gives way: to send a body, or to wait for a camera to open.
const BE_ANSWERED: Patience = Patience { usual: Duration::from_secs(1), busy: Duration::from_millis(200) };
/// How soon it is looked again whether somebody has to give way while all threads are busy.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// For a moment there may be so many times more than for long.
const FOR_A_MOMENT: usize = 4;

/// The door.
pub(super) struct Door {
    pending: Mutex<Pending<TcpStream>>,
    /// Somebody has left it.
    left: Condvar,
    /// Tells the thread that accepts.
    waker: Arc<Waker>,
    /// How many may stand there for long.
    most: usize,
}

impl Door {
    pub(super) fn new(waker: Arc<Waker>, most: usize) -> Self {
        Self { pending: Mutex::default(), left: Condvar::new(), waker, most: most.max(1) }
    }

    fn pending(&self) -> MutexGuard<'_, Pending<TcpStream>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nobody else can be let to the door, at most: its threads are all busy.
    pub(super) fn is_full(&self) -> Option<Duration> {
        let mut pending = self.pending();
        if pending.threads < FOR_A_MOMENT * self.most {
            return None;
        }
        close(pending.give_way(self.most, true, now()));
        // Whoever leaves wakes the thread that accepts.
        pending.full = true;
        Some(LOOK_AGAIN)
    }

    /// Somebody is at the door until the answer is dropped.
    pub(super) fn knock(self: &Arc<Self>, socket: TcpStream) -> Standing {
        let mut pending = self.pending();
        let serial = pending.stand(socket);
        close(pending.give_way(self.most, false, now()));
        Standing { door: self.clone(), serial }
    }

    /// Sends everybody away, and waits until their threads are gone.
    pub(super) fn close(&self) {
        let mut pending = self.pending();
        close(pending.waiting.drain(..).map(|w| w.socket).collect());
        while pending.threads > 0 {
            pending = self.left.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn close(sockets: Vec<TcpStream>) {
    for socket in sockets {
        // Whoever is gone already need not be told.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// A connection that is at the door. Dropping it counts its thread out.
pub(super) struct Standing {
    door: Arc<Door>,
    serial: u64,
}

impl Standing {
    /// It is heard from now on, for the first time or once more.
    pub(super) fn is_heard(&self) {
        self.door.pending().stay(self.serial, SAY, now());
    }

    /// It was answered, and may ask for more.
    pub(super) fn is_heard_again(&self) {
        self.door.pending().stay(self.serial, SAY_MORE, now());
    }

    /// It has said what it wants, and is being answered.
    pub(super) fn is_answered(&self) {
        self.door.pending().stay(self.serial, BE_ANSWERED, now());
    }

    /// It goes in: it gives way to nobody any more.
    pub(super) fn goes_in(&self) {
        self.door.pending().forget(self.serial);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut pending = self.door.pending();
        pending.forget(self.serial);
        pending.threads -= 1;
        let full = std::mem::take(&mut pending.full);
        drop(pending);
        self.door.left.notify_all();
        if full {
            // It fails only when the poll is gone, and then nobody waits for it.
            let _ = self.door.waker.wake();
        }
    }
}

/// How long somebody gives way to nobody.
#[derive(Clone, Copy)]
struct Patience {
    usual: Duration,
    /// While all threads are busy.
    busy: Duration,
}

struct Waiting<S> {
    serial: u64,
    socket: S,
    /// Since when it has had how much time. `None`: its thread has not come to hear it yet, which is not its fault.
    since: Option<(Micros, Patience)>,
}

impl<S> Waiting<S> {
    /// Until when it gives way to nobody.
    fn until(&self, busy: bool) -> Micros {
        self.since
            .map_or(Micros(u64::MAX), |(since, patience)| since + if busy { patience.busy } else { patience.usual })
    }
}

/// The rules of the door.
struct Pending<S> {
    waiting: Vec<Waiting<S>>,
    serial: u64,
    threads: usize,
    full: bool,
}

impl<S> Default for Pending<S> {
    fn default() -> Self {
        Self { waiting: Vec::new(), serial: 0, threads: 0, full: false }
    }
}

impl<S> Pending<S> {
    /// One more, with a thread that hears it.
    fn stand(&mut self, socket: S) -> u64 {
        self.serial += 1;
        self.threads += 1;
        self.waiting.push(Waiting { serial: self.serial, socket, since: None });
        self.serial
    }

    fn stay(&mut self, serial: u64, patience: Patience, now: Micros) {
        if let Some(one) = self.waiting.iter_mut().find(|w| w.serial == serial) {
            one.since = Some((now, patience));
        }
    }

    fn forget(&mut self, serial: u64) {
        self.waiting.retain(|w| w.serial != serial);
    }

    /// Takes out those who are too many and have had their time, who has had it longest first.
    fn give_way(&mut self, most: usize, busy: bool, now: Micros) -> Vec<S> {
        let mut gone = Vec::new();
        while self.waiting.len() > most {
            let longest = self.waiting.iter().enumerate().min_by_key(|(_, w)| w.until(busy));
            let Some((at, _)) = longest.filter(|(_, w)| w.until(busy) <= now) else { break };
            gone.push(self.waiting.swap_remove(at).socket);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    #[test]
    fn who_has_had_its_time_gives_way_and_who_has_just_come_does_not() {
        let mut pending = Pending::default();
        for n in 0..100 {
            let serial = pending.stand(n);
            pending.stay(serial, SAY, at(n));
        }
        assert!(pending.give_way(64, false, at(199)).is_empty(), "all came a moment ago");
        assert_eq!(pending.give_way(64, false, at(209)), (0..10).collect::<Vec<_>>(), "the first who came");
        assert_eq!(pending.give_way(64, false, at(10_000)), (10..36).collect::<Vec<_>>(), "not more than must");
        assert!(pending.give_way(64, false, at(10_000)).is_empty());
    }

    #[test]
    fn while_all_are_busy_a_moment_must_do_but_it_begins_when_one_is_heard() {
        let mut pending = Pending::default();
        let serials = ["says nothing", "waits for a thread", "is answered"].map(|who| pending.stand(who));
        pending.stay(serials[0], SAY, at(0));
        pending.stay(serials[2], BE_ANSWERED, at(0));
        assert!(pending.give_way(0, true, at(19)).is_empty());
        assert_eq!(pending.give_way(0, true, at(20)), ["says nothing"]);
        assert_eq!(pending.give_way(0, true, at(200)), ["is answered"]);
        assert!(pending.give_way(0, true, at(100_000)).is_empty());
    }

    #[test]
    fn who_has_been_answered_gives_way_at_once_while_all_are_busy() {
        let mut pending = Pending::default();
        let serials = ["asks again and again", "comes"].map(|who| pending.stand(who));
        pending.stay(serials[1], SAY, at(0));
        // However often it asks.
        pending.stay(serials[0], SAY_MORE, at(15));
        assert_eq!(pending.give_way(1, true, at(15)), ["asks again and again"]);
    }

    #[test]
    fn who_is_being_answered_has_longer_and_who_went_in_gives_way_to_nobody() {
        let mut pending = Pending::default();
        let serials = ["posts", "goes in", "says nothing"].map(|who| pending.stand(who));
        serials.iter().for_each(|serial| pending.stay(*serial, SAY, at(0)));
        pending.stay(serials[0], BE_ANSWERED, at(0));
        pending.forget(serials[1]);
        assert_eq!(pending.give_way(0, false, at(999)), ["says nothing"]);
        assert_eq!(pending.give_way(0, false, at(1000)), ["posts"]);
        assert_eq!(pending.threads, 3, "a thread counts until it ends");
    }
}
