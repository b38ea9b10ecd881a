//! Rooms: which streams there are, who publishes each, who watches, and what each of them must be told.
//!
//! A rule, not a registry of sockets: calls say what happened, the [`Effect`]s they return say whom to tell what.

mod stream;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use self::stream::{Stream, Subscriber};
use crate::access::{Denied, Grant, Join, List, Publish, Watch};
use crate::adapt::Rung;
use crate::names::StreamKey;
use crate::relay::silence::Silent;
use crate::time::Micros;
use crate::wire::control::{Cause, Control, StreamInfo, StreamState};

/// Names one connection of a hub, for as long as the hub lives.
pub(crate) type ConnectionId = u64;

/// What is to be done because of what happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Send this to a connection.
    Tell(ConnectionId, Control),
    /// Send this to a connection as the last thing, and close it.
    Close(ConnectionId, Control),
    /// A viewer now watches this stream, and no other.
    Watch(ConnectionId, StreamKey),
    /// A stream is gone: nobody publishes it and nobody watches it.
    Forget(StreamKey),
    /// A stream that nobody watched is watched now, or the other way round.
    Watched(StreamKey, bool),
}

/// Why somebody may not publish or watch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Somebody else publishes under the name.
    #[error("the name {0} is taken by a live publisher; use another name, or --replace to take it over")]
    Taken(StreamKey),
    /// Another address posts pictures under the name, and keeps it for so long after its last one.
    #[error("another address posts under the name {key}; use another name, or come {} s after its last picture", .lost.as_secs())]
    PostedElsewhere {
        /// The name.
        key: StreamKey,
        /// How long after a picture it is kept.
        lost: Duration,
    },
    /// The limit on publishers is reached.
    #[error("this hub takes {0} publishers and has them all (--max-publishers)")]
    Publishers(usize),
    /// One address may publish so many streams without a connection.
    #[error("one address publishes {0} streams picture by picture, and has them all (--max-posted)")]
    Posted(usize),
    /// The limit on viewers is reached.
    #[error("this hub takes {0} viewers and has them all (--max-viewers)")]
    Viewers(usize),
    /// The access rule says no.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// All rooms of a hub.
#[derive(Debug)]
pub(crate) struct Rooms {
    streams: BTreeMap<StreamKey, Stream>,
    /// Where each connection publishes or watches. A viewer of the first stream there is, while there is none, watches
    /// a stream without a name.
    places: HashMap<ConnectionId, StreamKey>,
    /// Who is in a room, and what each sees there; each counts as a viewer, and so does each stream that it sees.
    members: HashMap<ConnectionId, BTreeSet<StreamKey>>,
    orders: u64,
    publishers: usize,
    viewers: usize,
    max_publishers: usize,
    max_viewers: usize,
}

impl Rooms {
    /// No rooms yet; they come and go with the connections in them, of which there are so many at most.
    #[must_use]
    pub(crate) fn new(max_publishers: usize, max_viewers: usize) -> Self {
        Self {
            streams: BTreeMap::new(),
            places: HashMap::new(),
            members: HashMap::new(),
            orders: 0,
            publishers: 0,
            viewers: 0,
            max_publishers,
            max_viewers,
        }
    }

    /// A publisher wants a name; with `replace` even from another publisher. Its own earlier connection, known by the
    /// same `instance` other than 0, gives way in any case.
    ///
    /// # Errors
    /// The name is taken, or there are too many publishers.
    pub(crate) fn publish(
        &mut self,
        id: ConnectionId,
        grant: &Grant<Publish>,
        replace: bool,
        instance: u64,
        now: Micros,
    ) -> Result<Vec<Effect>, Refusal> {
        let key = &grant.0;
        let stream = self.streams.get(key);
        let holder = stream.and_then(|s| s.publisher);
        let own = instance != 0 && stream.is_some_and(|s| s.instance == instance);
        let mut effects = Vec::new();
        match holder {
            Some(_) if !replace && !own => return Err(Refusal::Taken(key.clone())),
            None if self.publishers >= self.max_publishers => return Err(Refusal::Publishers(self.max_publishers)),
            Some(old) => {
                self.places.remove(&old);
                let reason = format!("another publisher took {key} over");
                effects.push(Effect::Close(old, Control::Bye { cause: Cause::Replaced, reason }));
            }
            None => self.publishers += 1,
        }
        let stream = self.stream(key, now);
        stream.begin(id, instance, now);
        effects.extend(stream.tell(key, now));
        effects.push(Effect::Tell(id, stream.demand()));
        self.places.insert(id, key.clone());
        // Whoever waits for the first stream of the room has it now.
        let nameless = StreamKey::new(&key.room, "");
        let waiting: Vec<_> = self.streams.get(&nameless).into_iter().flat_map(Stream::connections).collect();
        for viewer in waiting {
            effects.extend(self.watch_no_more(viewer));
            effects.extend(self.begin_to_watch(viewer, key, now));
        }
        Ok(effects)
    }

    /// A viewer wants a stream, which need not exist yet, and no other any more; without a name, the first of the room.
    ///
    /// # Errors
    /// There are too many viewers.
    pub(crate) fn watch(
        &mut self,
        id: ConnectionId,
        grant: &Grant<Watch>,
        now: Micros,
    ) -> Result<Vec<Effect>, Refusal> {
        let key = &grant.0;
        if !self.places.contains_key(&id) {
            self.one_more_viewer()?;
        }
        let found =
            if key.name.is_empty() { self.first(&key.room).unwrap_or_else(|| key.clone()) } else { key.clone() };
        if self.places.get(&id) == Some(&found) {
            return Ok(Vec::new());
        }
        let mut effects = self.watch_no_more(id);
        effects.extend(self.begin_to_watch(id, &found, now));
        Ok(effects)
    }

    /// Somebody comes into a room who sees nothing yet.
    ///
    /// # Errors
    /// There are too many viewers.
    pub(crate) fn join(&mut self, id: ConnectionId, _: &Grant<Join>) -> Result<(), Refusal> {
        self.one_more_viewer()?;
        self.members.insert(id, BTreeSet::new());
        Ok(())
    }

    /// Somebody in a room is to see one more stream.
    ///
    /// # Errors
    /// There are too many viewers.
    pub(crate) fn see(&mut self, id: ConnectionId, grant: &Grant<Watch>, now: Micros) -> Result<Vec<Effect>, Refusal> {
        self.one_more_viewer()?;
        let Some(seen) = self.members.get_mut(&id) else { return Ok(Vec::new()) };
        if !seen.insert(grant.0.clone()) {
            return Ok(Vec::new());
        }
        Ok(self.subscribe(Subscriber::Connection(id), &grant.0, now))
    }

    /// Somebody in a room sees a stream no more.
    pub(crate) fn see_no_more(&mut self, id: ConnectionId, key: &StreamKey) -> Vec<Effect> {
        let sees = self.members.get_mut(&id).is_some_and(|seen| seen.remove(key));
        if sees { self.unsubscribe(Subscriber::Connection(id), key) } else { Vec::new() }
    }

    /// Single pictures of a stream are asked for from now on. However many ask, they count as one viewer.
    ///
    /// # Errors
    /// There are too many viewers.
    pub(crate) fn poll(&mut self, grant: &Grant<Watch>, now: Micros) -> Result<Vec<Effect>, Refusal> {
        if self.streams.get(&grant.0).is_some_and(|stream| stream.subscribers.contains(&Subscriber::Snapshots)) {
            return Ok(Vec::new());
        }
        self.one_more_viewer()?;
        Ok(self.subscribe(Subscriber::Snapshots, &grant.0, now))
    }

    /// Nobody asks for them any more.
    pub(crate) fn poll_no_more(&mut self, key: &StreamKey) -> Vec<Effect> {
        self.unsubscribe(Subscriber::Snapshots, key)
    }

    fn one_more_viewer(&self) -> Result<(), Refusal> {
        let full = self.viewers + self.members.len() >= self.max_viewers;
        if full { Err(Refusal::Viewers(self.max_viewers)) } else { Ok(()) }
    }

    /// A publisher says how its stream is doing: pictures come if there is no reason why not.
    pub(crate) fn report(&mut self, id: ConnectionId, told: StreamState, now: Micros) -> Vec<Effect> {
        let Some((key, stream)) = self.published_by(id) else { return Vec::new() };
        if stream.report(told, now) { stream.tell(&key, now) } else { Vec::new() }
    }

    /// Pictures are due from a publisher and have not come, or they come again. Its own reason why none come has precedence.
    pub(crate) fn silent(&mut self, id: ConnectionId, silent: Option<Silent>, now: Micros) -> Vec<Effect> {
        let Some((key, stream)) = self.published_by(id) else { return Vec::new() };
        if stream.fall_silent(silent, now) { stream.tell(&key, now) } else { Vec::new() }
    }

    /// The hub has worked out which rungs the viewers of a stream need, and whether one of them listens.
    pub(crate) fn demand(&mut self, key: &StreamKey, rungs: Vec<Rung>, listened: bool) -> Vec<Effect> {
        match self.streams.get_mut(key) {
            Some(stream) if (&stream.rungs, stream.listened) != (&rungs, listened) => {
                (stream.rungs, stream.listened) = (rungs, listened);
                stream.publisher.map(|p| Effect::Tell(p, stream.demand())).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The rungs that a stream's publisher is asked for.
    #[must_use]
    pub(crate) fn rungs(&self, key: &StreamKey) -> &[Rung] {
        self.streams.get(key).map_or(&[], |stream| &stream.rungs)
    }

    /// A connection is gone, whatever it was; `reason` is what the viewers of a publisher are told.
    pub(crate) fn leave(&mut self, id: ConnectionId, reason: &str, now: Micros) -> Vec<Effect> {
        let seen = self.members.remove(&id).unwrap_or_default();
        let mut effects: Vec<_> =
            seen.iter().flat_map(|key| self.unsubscribe(Subscriber::Connection(id), key)).collect();
        let Some((key, stream)) = self.published_by(id) else {
            effects.extend(self.watch_no_more(id));
            return effects;
        };
        stream.end(reason, now);
        effects.extend(stream.tell(&key, now));
        self.places.remove(&id);
        self.publishers -= 1;
        effects.extend(self.forget(&key));
        effects
    }

    /// The streams of one room, or of all: first those that are published, then those that somebody waits for.
    #[must_use]
    pub(crate) fn list(&self, grant: &Grant<List>) -> Vec<StreamInfo> {
        let here = |key: &StreamKey| !key.name.is_empty() && grant.has(key);
        let mut streams: Vec<_> = self.streams.iter().filter(|(key, _)| here(key)).collect();
        streams.sort_by_key(|(_, stream)| stream.publisher.is_none());
        streams
            .into_iter()
            .map(|(key, stream)| StreamInfo {
                room: key.room.clone(),
                name: key.name.clone(),
                live: stream.live(),
                viewers: stream.viewers(),
                sealed: stream.sealed,
                audio: stream.audio,
            })
            .collect()
    }

    /// The first stream there is in a room: one that is published before one that is not, and then the oldest.
    #[must_use]
    pub(crate) fn first(&self, room: &str) -> Option<StreamKey> {
        self.streams
            .iter()
            .filter(|(key, stream)| key.room == room && !key.name.is_empty() && stream.publisher.is_some())
            .min_by_key(|(_, stream)| (!stream.live(), stream.order))
            .map(|(key, _)| key.clone())
    }

    /// The state of a stream as viewers are told it.
    #[must_use]
    pub(crate) fn state(&self, key: &StreamKey, now: Micros) -> Option<Control> {
        self.streams.get(key).map(|stream| stream.state(key, now))
    }

    /// Whether somebody publishes under this name now.
    #[must_use]
    pub(crate) fn is_published(&self, key: &StreamKey) -> bool {
        self.streams.get(key).is_some_and(|s| s.publisher.is_some())
    }

    /// Who publishes under this name now.
    #[must_use]
    pub(crate) fn publisher_of(&self, key: &StreamKey) -> Option<ConnectionId> {
        self.streams.get(key).and_then(|s| s.publisher)
    }

    /// Whether this connection publishes under this name now.
    #[must_use]
    pub(crate) fn is_published_by(&self, key: &StreamKey, id: ConnectionId) -> bool {
        self.streams.get(key).is_some_and(|s| s.publisher == Some(id))
    }

    /// How many watch a stream.
    #[must_use]
    pub(crate) fn viewers_of(&self, key: &StreamKey) -> usize {
        self.streams.get(key).map_or(0, |s| s.subscribers.len())
    }

    /// How many publish and how many watch.
    #[must_use]
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.publishers, self.viewers)
    }

    fn stream(&mut self, key: &StreamKey, now: Micros) -> &mut Stream {
        self.streams.entry(key.clone()).or_insert_with(|| {
            self.orders += 1;
            Stream::new(self.orders, now)
        })
    }

    fn published_by(&mut self, id: ConnectionId) -> Option<(StreamKey, &mut Stream)> {
        let key = self.places.get(&id)?.clone();
        let stream = self.streams.get_mut(&key).filter(|s| s.publisher == Some(id))?;
        Some((key, stream))
    }

    fn begin_to_watch(&mut self, id: ConnectionId, key: &StreamKey, now: Micros) -> Vec<Effect> {
        self.places.insert(id, key.clone());
        let mut effects = self.subscribe(Subscriber::Connection(id), key, now);
        effects.push(Effect::Watch(id, key.clone()));
        effects.push(Effect::Tell(id, self.stream(key, now).state(key, now)));
        effects
    }

    /// Takes a viewer out of its stream, if it has one.
    fn watch_no_more(&mut self, id: ConnectionId) -> Vec<Effect> {
        let key = self.places.remove(&id);
        key.map_or_else(Vec::new, |key| self.unsubscribe(Subscriber::Connection(id), &key))
    }

    fn subscribe(&mut self, subscriber: Subscriber, key: &StreamKey, now: Micros) -> Vec<Effect> {
        self.viewers += 1;
        let stream = self.stream(key, now);
        stream.subscribers.push(subscriber);
        let first = stream.subscribers.len() == 1;
        let watched = first.then(|| Effect::Watched(key.clone(), true));
        watched.into_iter().chain(stream.publisher.map(|p| Effect::Tell(p, stream.demand()))).collect()
    }

    fn unsubscribe(&mut self, subscriber: Subscriber, key: &StreamKey) -> Vec<Effect> {
        let Some(stream) = self.streams.get_mut(key) else { return Vec::new() };
        let before = stream.subscribers.len();
        stream.subscribers.retain(|s| *s != subscriber);
        self.viewers -= before - stream.subscribers.len();
        let mut effects: Vec<_> = stream.publisher.map(|p| Effect::Tell(p, stream.demand())).into_iter().collect();
        if stream.subscribers.is_empty() {
            effects.push(Effect::Watched(key.clone(), false));
        }
        effects.extend(self.forget(key));
        effects
    }

    fn forget(&mut self, key: &StreamKey) -> Option<Effect> {
        let stream = self.streams.get(key)?;
        (stream.publisher.is_none() && stream.subscribers.is_empty()).then(|| {
            self.streams.remove(key);
            Effect::Forget(key.clone())
        })
    }
}

#[cfg(test)]
mod tests;
