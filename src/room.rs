//! Rooms: which streams there are, who publishes each, who watches, and what each of them must be told.
//!
//! A rule, not a registry of sockets: calls say what happened, the [`Effect`]s they return say whom to tell what.

mod numbering;
mod stream;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

pub use self::numbering::Numbering;
pub use self::stream::Silent;
use self::stream::Stream;
use crate::access::{Denied, Grant, Join, List, Publish, Watch};
use crate::adapt::Rung;
use crate::names::StreamKey;
use crate::time::Micros;
use crate::wire::control::{Cause, Control, StreamInfo, StreamState};

/// Names one connection of a hub, for as long as the hub lives.
pub type ConnectionId = u64;

/// What is to be done because of what happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
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
pub enum Refusal {
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
    #[error("this hub takes {0} publishers and has them all")]
    Publishers(usize),
    /// One address may publish so many streams without a connection.
    #[error("one address publishes {0} streams picture by picture, and has them all")]
    Posted(usize),
    /// The limit on viewers is reached.
    #[error("this hub takes {0} viewers and has them all")]
    Viewers(usize),
    /// The access rule says no.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// All rooms of a hub.
#[derive(Debug)]
pub struct Rooms {
    streams: BTreeMap<StreamKey, Stream>,
    /// Where each connection publishes or watches. A viewer of the first stream there is, while there is none, watches
    /// a stream without a name.
    places: HashMap<ConnectionId, StreamKey>,
    /// Who sees others by views of their own, and counts as a viewer with none as well.
    members: HashSet<ConnectionId>,
    orders: u64,
    publishers: usize,
    viewers: usize,
    max_publishers: usize,
    max_viewers: usize,
}

impl Rooms {
    /// No rooms yet; they come and go with the connections in them, of which there are so many at most.
    #[must_use]
    pub fn new(max_publishers: usize, max_viewers: usize) -> Self {
        Self {
            streams: BTreeMap::new(),
            places: HashMap::new(),
            members: HashSet::new(),
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
    pub fn publish(
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
        for viewer in self.streams.get(&nameless).map(|s| s.viewers.clone()).unwrap_or_default() {
            effects.extend(self.remove(viewer));
            effects.extend(self.add_viewer(viewer, key, now));
        }
        Ok(effects)
    }

    /// A viewer wants a stream, which need not exist yet; without a name, the first of the room.
    ///
    /// # Errors
    /// There are too many viewers.
    pub fn watch(&mut self, id: ConnectionId, grant: &Grant<Watch>, now: Micros) -> Result<Vec<Effect>, Refusal> {
        let key = &grant.0;
        if !self.places.contains_key(&id) {
            self.one_more_viewer()?;
        }
        let found =
            if key.name.is_empty() { self.first(&key.room).unwrap_or_else(|| key.clone()) } else { key.clone() };
        if self.places.get(&id) == Some(&found) {
            return Ok(Vec::new());
        }
        let mut effects = self.remove(id);
        effects.extend(self.add_viewer(id, &found, now));
        Ok(effects)
    }

    /// Somebody comes who sees nothing yet, and may see many streams by views that [`watch`](Self::watch) counts.
    ///
    /// # Errors
    /// There are too many viewers.
    pub fn join(&mut self, id: ConnectionId, _: &Grant<Join>) -> Result<(), Refusal> {
        self.one_more_viewer()?;
        self.members.insert(id);
        Ok(())
    }

    fn one_more_viewer(&self) -> Result<(), Refusal> {
        let full = self.viewers + self.members.len() >= self.max_viewers;
        if full { Err(Refusal::Viewers(self.max_viewers)) } else { Ok(()) }
    }

    /// A publisher says how its stream is doing: pictures come if there is no reason why not.
    pub fn report(&mut self, id: ConnectionId, told: StreamState, now: Micros) -> Vec<Effect> {
        let Some((key, stream)) = self.published_by(id) else { return Vec::new() };
        if stream.report(told, now) { stream.tell(&key, now) } else { Vec::new() }
    }

    /// Pictures are due from a publisher and have not come, or they come again. Its own reason why none come has precedence.
    pub fn silent(&mut self, id: ConnectionId, silent: Option<Silent>, now: Micros) -> Vec<Effect> {
        let Some((key, stream)) = self.published_by(id) else { return Vec::new() };
        if stream.fall_silent(silent, now) { stream.tell(&key, now) } else { Vec::new() }
    }

    /// The hub has worked out which rungs the viewers of a stream need.
    pub fn need(&mut self, key: &StreamKey, rungs: Vec<Rung>) -> Vec<Effect> {
        match self.streams.get_mut(key) {
            Some(stream) if stream.rungs != rungs => {
                stream.rungs = rungs;
                stream.publisher.map(|p| Effect::Tell(p, stream.demand())).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The rungs that a stream's publisher is asked for.
    #[must_use]
    pub fn rungs(&self, key: &StreamKey) -> &[Rung] {
        self.streams.get(key).map_or(&[], |stream| &stream.rungs)
    }

    /// A connection is gone, whatever it was; `reason` is what the viewers of a publisher are told.
    pub fn leave(&mut self, id: ConnectionId, reason: &str, now: Micros) -> Vec<Effect> {
        self.members.remove(&id);
        let Some((key, stream)) = self.published_by(id) else { return self.remove(id) };
        stream.end(reason, now);
        let mut effects = stream.tell(&key, now);
        self.places.remove(&id);
        self.publishers -= 1;
        effects.extend(self.forget(&key));
        effects
    }

    /// The streams of one room, or of all: first those that are published, then those that somebody waits for.
    #[must_use]
    pub fn list(&self, grant: &Grant<List>) -> Vec<StreamInfo> {
        let here = |key: &StreamKey| !key.name.is_empty() && grant.0.as_ref().is_none_or(|room| *room == key.room);
        let mut streams: Vec<_> = self.streams.iter().filter(|(key, _)| here(key)).collect();
        streams.sort_by_key(|(_, stream)| stream.publisher.is_none());
        streams
            .into_iter()
            .map(|(key, stream)| StreamInfo {
                room: key.room.clone(),
                name: key.name.clone(),
                live: stream.live(),
                viewers: u32::try_from(stream.viewers.len()).unwrap_or(u32::MAX),
            })
            .collect()
    }

    /// The first stream there is in a room: one that is published before one that is not, and then the oldest.
    #[must_use]
    pub fn first(&self, room: &str) -> Option<StreamKey> {
        self.streams
            .iter()
            .filter(|(key, stream)| key.room == room && !key.name.is_empty() && stream.publisher.is_some())
            .min_by_key(|(_, stream)| (!stream.live(), stream.order))
            .map(|(key, _)| key.clone())
    }

    /// The state of a stream as viewers are told it.
    #[must_use]
    pub fn state(&self, key: &StreamKey, now: Micros) -> Option<Control> {
        self.streams.get(key).map(|stream| stream.state(key, now))
    }

    /// Whether somebody publishes under this name now.
    #[must_use]
    pub fn is_published(&self, key: &StreamKey) -> bool {
        self.streams.get(key).is_some_and(|s| s.publisher.is_some())
    }

    /// Who publishes under this name now.
    #[must_use]
    pub fn publisher_of(&self, key: &StreamKey) -> Option<ConnectionId> {
        self.streams.get(key).and_then(|s| s.publisher)
    }

    /// Whether this connection publishes under this name now.
    #[must_use]
    pub fn is_published_by(&self, key: &StreamKey, id: ConnectionId) -> bool {
        self.streams.get(key).is_some_and(|s| s.publisher == Some(id))
    }

    /// How many watch a stream.
    #[must_use]
    pub fn viewers_of(&self, key: &StreamKey) -> usize {
        self.streams.get(key).map_or(0, |s| s.viewers.len())
    }

    /// How many publish and how many watch.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
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

    fn add_viewer(&mut self, id: ConnectionId, key: &StreamKey, now: Micros) -> Vec<Effect> {
        self.places.insert(id, key.clone());
        self.viewers += 1;
        let stream = self.stream(key, now);
        stream.viewers.push(id);
        let mut effects = vec![Effect::Watch(id, key.clone()), Effect::Tell(id, stream.state(key, now))];
        if stream.viewers.len() == 1 {
            effects.insert(0, Effect::Watched(key.clone(), true));
        }
        effects.extend(stream.publisher.map(|p| Effect::Tell(p, stream.demand())));
        effects
    }

    /// Takes a viewer out of its stream, if it has one.
    fn remove(&mut self, id: ConnectionId) -> Vec<Effect> {
        let Some(key) = self.places.remove(&id) else { return Vec::new() };
        let Some(stream) = self.streams.get_mut(&key) else { return Vec::new() };
        let before = stream.viewers.len();
        stream.viewers.retain(|v| *v != id);
        self.viewers -= before - stream.viewers.len();
        let mut effects: Vec<_> = stream.publisher.map(|p| Effect::Tell(p, stream.demand())).into_iter().collect();
        if stream.viewers.is_empty() {
            effects.push(Effect::Watched(key.clone(), false));
        }
        effects.extend(self.forget(&key));
        effects
    }

    fn forget(&mut self, key: &StreamKey) -> Option<Effect> {
        let stream = self.streams.get(key)?;
        (stream.publisher.is_none() && stream.viewers.is_empty()).then(|| {
            self.streams.remove(key);
            Effect::Forget(key.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Credentials};

    const NOW: Micros = Micros(1_000_000);

    fn door() -> StreamKey {
        StreamKey::new("main", "door")
    }

    const WHO: Credentials = Credentials { address: core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST) };

    fn publishes(key: &StreamKey) -> Grant<Publish> {
        Access::default().publish(&WHO, key.clone()).unwrap()
    }

    fn watches(key: &StreamKey) -> Grant<Watch> {
        Access::default().watch(&WHO, key.clone()).unwrap()
    }

    fn joins() -> Grant<Join> {
        Access::default().join(&WHO, door()).unwrap()
    }

    fn rooms() -> Rooms {
        Rooms::new(2, 2)
    }

    fn states(effects: &[Effect], id: ConnectionId) -> Vec<(bool, String)> {
        let told = effects.iter().filter_map(|e| match e {
            Effect::Tell(to, Control::State(s)) if *to == id => Some((s.live, s.reason.clone())),
            _ => None,
        });
        told.collect()
    }

    fn demands(effects: &[Effect], id: ConnectionId) -> Vec<u32> {
        let told = effects.iter().filter_map(|e| match e {
            Effect::Tell(to, Control::Demand { viewers, .. }) if *to == id => Some(*viewers),
            _ => None,
        });
        told.collect()
    }

    #[test]
    fn a_viewer_may_come_before_its_stream_and_stays_when_the_publisher_goes() {
        let mut rooms = rooms();
        let came = rooms.watch(1, &watches(&door()), NOW).unwrap();
        assert_eq!(states(&came, 1), [(false, String::new())]);
        let published = rooms.publish(2, &publishes(&door()), false, 0, NOW).unwrap();
        assert_eq!(states(&published, 1), [(true, String::new())]);
        assert_eq!(demands(&published, 2), [1]);
        let lost = rooms.report(2, StreamState { reason: "camera unplugged".into(), ..StreamState::default() }, NOW);
        assert_eq!(states(&lost, 1), [(false, "camera unplugged".into())]);
        let gone = rooms.leave(2, "publisher gone", NOW);
        assert_eq!(states(&gone, 1), [(false, "publisher gone".into())]);
        let back = rooms.publish(3, &publishes(&door()), false, 0, NOW).unwrap();
        assert_eq!(states(&back, 1), [(true, String::new())]);
        assert_eq!(rooms.counts(), (1, 1));
    }

    #[test]
    fn a_taken_name_is_refused_unless_it_is_taken_over() {
        let mut rooms = rooms();
        rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
        assert_eq!(rooms.publish(2, &publishes(&door()), false, 0, NOW), Err(Refusal::Taken(door())));
        let effects = rooms.publish(2, &publishes(&door()), true, 0, NOW).unwrap();
        assert!(matches!(&effects[0], Effect::Close(1, Control::Bye { cause: Cause::Replaced, .. })));
        // The old publisher's end changes nothing any more.
        assert_eq!(rooms.leave(1, "publisher gone", NOW), []);
        assert_eq!(rooms.counts(), (1, 0));
    }

    #[test]
    fn a_publisher_that_comes_back_takes_its_name_from_its_own_dead_connection() {
        let mut rooms = rooms();
        rooms.publish(1, &publishes(&door()), false, 77, NOW).unwrap();
        assert!(rooms.publish(2, &publishes(&door()), false, 78, NOW).is_err());
        let effects = rooms.publish(3, &publishes(&door()), false, 77, NOW).unwrap();
        assert!(matches!(&effects[0], Effect::Close(1, _)));
    }

    #[test]
    fn a_viewer_without_a_name_gets_the_first_stream_now_or_when_it_comes() {
        let mut rooms = rooms();
        rooms.watch(1, &watches(&StreamKey::new("main", "")), NOW).unwrap();
        assert_eq!(rooms.list(&Grant::of_host(None)), []);
        let effects = rooms.publish(2, &publishes(&door()), false, 0, NOW).unwrap();
        assert!(effects.contains(&Effect::Watch(1, door())), "{effects:?}");
        rooms.publish(3, &publishes(&StreamKey::new("main", "attic")), false, 0, NOW).unwrap();
        assert!(
            rooms.watch(4, &watches(&StreamKey::new("main", "")), NOW).unwrap().contains(&Effect::Watch(4, door()))
        );
        let other = rooms.first("other");
        assert_eq!(other, None);
    }

    #[test]
    fn a_publisher_knows_whether_anybody_watches() {
        let mut rooms = rooms();
        let effects = rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
        assert_eq!(demands(&effects, 1), [0]);
        assert_eq!(demands(&rooms.watch(2, &watches(&door()), NOW).unwrap(), 1), [1]);
        assert_eq!(demands(&rooms.watch(3, &watches(&door()), NOW).unwrap(), 1), [2]);
        assert_eq!(demands(&rooms.leave(2, "", NOW), 1), [1]);
        let last = rooms.leave(3, "", NOW);
        assert_eq!(demands(&last, 1), [0]);
        assert!(last.contains(&Effect::Watched(door(), false)));
    }

    #[test]
    fn limits_hold_and_places_are_free_again() {
        let mut rooms = rooms();
        rooms.watch(1, &watches(&door()), NOW).unwrap();
        rooms.watch(2, &watches(&door()), NOW).unwrap();
        assert_eq!(rooms.watch(3, &watches(&door()), NOW), Err(Refusal::Viewers(2)));
        rooms.leave(1, "", NOW);
        assert!(rooms.watch(3, &watches(&door()), NOW).is_ok());
        rooms.publish(4, &publishes(&door()), false, 0, NOW).unwrap();
        rooms.publish(5, &publishes(&StreamKey::new("main", "b")), false, 0, NOW).unwrap();
        assert_eq!(
            rooms.publish(6, &publishes(&StreamKey::new("main", "c")), false, 0, NOW),
            Err(Refusal::Publishers(2))
        );
    }

    #[test]
    fn who_is_in_a_room_counts_as_a_viewer_and_so_does_each_of_its_views() {
        let mut rooms = rooms();
        rooms.join(1, &joins()).unwrap();
        rooms.watch(2, &watches(&door()), NOW).unwrap();
        assert_eq!(rooms.join(3, &joins()), Err(Refusal::Viewers(2)));
        assert_eq!(rooms.watch(4, &watches(&door()), NOW), Err(Refusal::Viewers(2)));
        rooms.leave(1, "", NOW);
        assert_eq!(rooms.join(3, &joins()), Ok(()));
    }

    #[test]
    fn nothing_is_left_of_a_stream_when_all_have_gone() {
        let mut rooms = rooms();
        rooms.publish(1, &publishes(&door()), false, 0, NOW).unwrap();
        rooms.watch(2, &watches(&StreamKey::new("x", "y")), NOW).unwrap();
        rooms.watch(2, &watches(&door()), NOW).unwrap();
        assert!(rooms.leave(1, "publisher gone", NOW).len() == 1);
        assert!(rooms.leave(2, "", NOW).contains(&Effect::Forget(door())));
        assert!(rooms.streams.is_empty() && rooms.places.is_empty());
        assert_eq!(rooms.counts(), (0, 0));
    }
}
