//! Publishers without a connection of their own: each picture comes in a request, and the stream stays between them.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::Shared;
use super::stream::Stream;
use crate::frame::Picture;
use crate::room::{ConnectionId, Refusal, StreamKey};
use crate::time::{Micros, now};
use crate::wire::control::StreamState;

/// Who publishes so.
#[derive(Default)]
pub(super) struct Guests(HashMap<StreamKey, Guest>);

struct Guest {
    id: ConnectionId,
    stream: Arc<Stream>,
    /// The name as it was given, before it was made to fit.
    called: String,
    count: u64,
    last: Micros,
    /// Forgotten when no picture came for so long: with nobody watching, or in any case.
    patience: Patience,
}

/// How long a stream stays without a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Is it live no more after so long?
    pub(super) lost: Duration,
    /// And with no viewer left is it forgotten after so long?
    pub(super) forgotten: Duration,
}

/// A stream as it is listed.
pub(super) struct GuestInfo {
    pub(super) key: StreamKey,
    pub(super) called: String,
    pub(super) count: u64,
    /// How long ago the last picture came.
    pub(super) age: Duration,
}

impl Shared {
    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes one picture under a name that nobody else has, or has taken over meanwhile. Returns how many watch.
    pub(super) fn publish_one(
        &self,
        key: &StreamKey,
        called: &str,
        patience: Patience,
        mut picture: Picture,
    ) -> Result<usize, Refusal> {
        let at = now();
        self.sweep_guests(at);
        let mut guests = self.guests();
        if guests.0.get(key).is_some_and(|guest| !self.registry().rooms.is_published_by(key, guest.id)) {
            guests.0.remove(key);
        }
        if !guests.0.contains_key(key) {
            let id = self.new_id();
            self.decide(|rooms| rooms.publish(id, key, false, 0, at))?;
            let stream = self.stream(key);
            stream.begin_stills();
            log::info!("{key}: published picture by picture");
            self.crowd_sees(key);
            let guest = Guest { id, stream, called: called.into(), count: 0, last: at, patience };
            guests.0.insert(key.clone(), guest);
            // It looks after those who stop.
            self.loops[0].wake();
        }
        let Some(guest) = guests.0.get_mut(key) else { return Ok(0) };
        guest.count += 1;
        guest.last = at;
        let (id, stream) = (guest.id, guest.stream.clone());
        picture.sequence = (guest.count & 0xffff_ffff) as u32;
        // Under the lock, so that of two pictures at once the later one is the newer.
        for index in stream.put(picture, at) {
            self.loops[index].fresh(stream.clone());
        }
        drop(guests);
        let told = self.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.report(id, StreamState::default(), at)));
        let Ok(()) = told;
        Ok(self.viewers_of(key))
    }

    /// Whether somebody publishes so.
    pub(super) fn has_guests(&self) -> bool {
        !self.guests().0.is_empty()
    }

    /// Those in a room.
    pub(super) fn guests_in(&self, room: &str) -> Vec<GuestInfo> {
        let at = now();
        self.sweep_guests(at);
        let guests = self.guests();
        let here = guests.0.iter().filter(|(key, _)| key.room == room);
        here.map(|(key, guest)| GuestInfo {
            key: key.clone(),
            called: guest.called.clone(),
            count: guest.count,
            age: at.since(guest.last),
        })
        .collect()
    }

    /// Says of those who stopped that they did, and forgets them later; those who were replaced at once.
    pub(super) fn sweep_guests(&self, at: Micros) {
        let mut guests = self.guests();
        guests.0.retain(|key, guest| self.registry().rooms.is_published_by(key, guest.id));
        let mut over = Vec::new();
        let mut lost = Vec::new();
        for (key, guest) in &guests.0 {
            let silent = at.since(guest.last);
            if silent >= guest.patience.forgotten && self.viewers_of(key) == 0 {
                over.push(key.clone());
            } else if silent >= guest.patience.lost {
                lost.push(guest.id);
            }
        }
        let gone: Vec<_> = over.iter().filter_map(|key| guests.0.remove(key)).map(|guest| guest.id).collect();
        drop(guests);
        for id in gone {
            let Ok(()) =
                self.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.leave(id, "no picture comes", at)));
        }
        for id in lost {
            let lost = StreamState { reason: "no picture comes".into(), ..StreamState::default() };
            let Ok(()) = self.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.report(id, lost, at)));
        }
    }

    pub(super) fn viewers_of(&self, key: &StreamKey) -> usize {
        self.registry().rooms.viewers_of(key)
    }
}
