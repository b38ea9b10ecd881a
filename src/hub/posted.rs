//! Publishers without a connection of their own: each picture comes in a request, and the stream stays between them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::Shared;
use super::stream::{News, Stream};
use crate::access::buckets::counted_as;
use crate::access::{Credentials, Grant, Publish};
use crate::frame::Picture;
use crate::names::StreamKey;
use crate::relay::silence::Gives;
use crate::relay::{ConnectionId, Refusal};
use crate::time::{Micros, now};

/// Who publishes so.
#[derive(Default)]
pub(super) struct PostedStreams(HashMap<StreamKey, PostedStream>);

struct PostedStream {
    id: ConnectionId,
    /// Whose it is, as addresses are counted.
    of: IpAddr,
    stream: Arc<Stream>,
    /// The name as it was given, before it was made to fit.
    called: String,
    count: u64,
    last: Micros,
    /// Forgotten when no picture came for so long: with nobody watching, or in any case.
    times: PostedTimes,
}

/// How long a stream stays without a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct PostedTimes {
    /// Another publisher has the name after so long: one with a connection, or who posts from another address.
    pub(super) lost: Duration,
    /// And with no viewer left is it forgotten after so long?
    pub(super) forgotten: Duration,
}

/// A stream as it is listed.
pub(super) struct PostedInfo {
    pub(super) key: StreamKey,
    pub(super) called: String,
    pub(super) count: u64,
    /// How long ago the last picture came.
    pub(super) age: Duration,
}

impl Shared {
    fn posted(&self) -> MutexGuard<'_, PostedStreams> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes on a connection. Whoever has none gives way: under the same name when no picture of it comes any more, and
    /// who has been silent longest where there are too many.
    pub(super) fn publish(
        &self,
        id: ConnectionId,
        grant: &Grant<Publish>,
        replace: bool,
        instance: u64,
    ) -> Result<(), Refusal> {
        let key = &grant.0;
        let ask = || self.decide(|rooms| rooms.publish(id, grant, replace, instance, now()));
        match ask() {
            Err(Refusal::Taken(_)) if self.posted_gives_way(now(), Some(key)) => ask(),
            Err(Refusal::Publishers(_)) if self.posted_gives_way(now(), None) => ask(),
            decided => decided,
        }
    }

    /// Ends the stream of this name if it is posted and silent, or of all that are posted the one silent longest.
    pub(super) fn posted_gives_way(&self, at: Micros, key: Option<&StreamKey>) -> bool {
        let mut all = self.posted();
        let silent = |one: &PostedStream| at.since(one.last);
        let found = match key {
            Some(key) => all.0.get(key).filter(|g| silent(g) >= g.times.lost).map(|_| key.clone()),
            None => all.0.iter().max_by_key(|(_, one)| silent(one)).map(|(key, _)| key.clone()),
        };
        let Some((key, one)) = found.and_then(|key| all.0.remove_entry(&key)) else { return false };
        drop(all);
        log::info!("{key}: published picture by picture, gives way to another publisher");
        let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.leave(one.id, "no picture comes", at)));
        self.hide_in_room(&key);
        true
    }

    /// Publishes one picture under a name that nobody else has, or has taken over meanwhile. Who posts is known by its
    /// address, for it may use a connection for each picture; it keeps the name while it posts. Returns how many watch.
    pub(super) fn publish_one(
        &self,
        who: &Credentials,
        grant: &Grant<Publish>,
        called: &str,
        times: PostedTimes,
        mut picture: Picture,
    ) -> Result<usize, Refusal> {
        let at = now();
        let (of, key) = (counted_as(who.address), &grant.0);
        self.sweep_posted(at);
        let elsewhere = |all: &PostedStreams| all.0.get(key).is_some_and(|one| one.of != of);
        let taken = elsewhere(&self.posted());
        if taken {
            self.posted_gives_way(at, Some(key));
        }
        let mut all = self.posted();
        if all.0.get(key).is_some_and(|one| !self.registry().rooms.is_published_by(key, one.id)) {
            all.0.remove(key);
        }
        if elsewhere(&all) {
            return Err(Refusal::PostedElsewhere { key: key.clone(), lost: times.lost });
        }
        if !all.0.contains_key(key) {
            let (id, most) = (self.new_id(), self.config.max_posted);
            if !of.is_loopback() && all.0.values().filter(|one| one.of == of).count() >= most {
                return Err(Refusal::Posted(most));
            }
            self.decide(|rooms| rooms.publish(id, grant, false, 0, at))
                .inspect_err(|refusal| self.challenge(refusal, None))?;
            let stream = self.stream(key);
            stream.begin(Gives::Always, at);
            log::info!("{key}: published picture by picture");
            self.show_in_room(key);
            let one = PostedStream { id, of, stream, called: called.into(), count: 0, last: at, times };
            all.0.insert(key.clone(), one);
            // It looks after those who stop.
            self.loops[0].wake();
        }
        let Some(one) = all.0.get_mut(key) else { return Ok(0) };
        one.count += 1;
        one.last = at;
        let (id, stream) = (one.id, one.stream.clone());
        picture.sequence = (one.count & 0xffff_ffff) as u32;
        // Under the lock, so that of two pictures at once the later one is the newer.
        let (loops, wakes) = stream.put(picture, at);
        loops.for_each(|index| self.tell_news(index, stream.clone(), News::Picture));
        drop(all);
        if wakes {
            self.tell_silence(id, &stream, at);
        }
        Ok(self.viewers_of(key))
    }

    /// The name that whoever posts a stream gave, where that is no name of ours.
    pub(super) fn called_by_poster(&self, key: &StreamKey) -> Option<String> {
        self.posted().0.get(key).filter(|one| one.called != key.name).map(|one| one.called.clone())
    }

    /// Whether somebody publishes so.
    pub(super) fn has_posted(&self) -> bool {
        !self.posted().0.is_empty()
    }

    /// Those in a room.
    pub(super) fn posted_in(&self, room: &str) -> Vec<PostedInfo> {
        let at = now();
        self.sweep_posted(at);
        let all = self.posted();
        let here = all.0.iter().filter(|(key, _)| key.room == room);
        here.map(|(key, one)| PostedInfo {
            key: key.clone(),
            called: one.called.clone(),
            count: one.count,
            age: at.since(one.last),
        })
        .collect()
    }

    /// Forgets who stopped long ago; those who were replaced at once.
    pub(super) fn sweep_posted(&self, at: Micros) {
        let mut all = self.posted();
        all.0.retain(|key, one| self.registry().rooms.is_published_by(key, one.id));
        let over = |key: &StreamKey, one: &mut PostedStream| {
            at.since(one.last) >= one.times.forgotten && self.viewers_of(key) == 0
        };
        let gone: Vec<_> = all.0.extract_if(over).map(|(_, one)| one.id).collect();
        drop(all);
        for id in gone {
            let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.leave(id, "no picture comes", at)));
        }
    }

    /// Looks whether their pictures come.
    pub(super) fn judge_posted(&self, at: Micros) {
        self.posted().0.values().for_each(|one| self.judge_silence(one.id, &one.stream, at));
    }

    pub(super) fn viewers_of(&self, key: &StreamKey) -> usize {
        self.registry().rooms.viewers_of(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::access::Access;
    use crate::access::policy::Policy;
    use crate::hub::{Hub, HubConfig};

    const PATIENT: PostedTimes = PostedTimes { lost: Duration::from_secs(3600), forgotten: Duration::from_secs(3600) };

    fn hub(change: impl FnOnce(&mut HubConfig)) -> Hub {
        let mut config = HubConfig { listen: ([127, 0, 0, 1], 0).into(), threads: 1, ..HubConfig::default() };
        change(&mut config);
        Hub::start(config).unwrap()
    }

    fn granted(name: &str) -> Grant<Publish> {
        let who = Credentials::of_nobody([127, 0, 0, 1].into(), false);
        Access::new(Policy::open()).publish(&who, StreamKey::new("main", name)).unwrap()
    }

    fn post(hub: &Hub, from: &str, name: &str, times: PostedTimes) -> Result<usize, Refusal> {
        let picture = Picture { data: vec![0xff, 0xd8].into(), ..Picture::default() };
        let who = Credentials::of_nobody(from.parse().unwrap(), false);
        hub.shared.publish_one(&who, &granted(name), name, times, picture)
    }

    #[test]
    fn one_address_posts_so_many_streams_and_others_have_their_own() {
        let hub = hub(|c| c.max_posted = 2);
        for (from, name) in [("192.0.2.1", "a"), ("::ffff:192.0.2.1", "b"), ("192.0.2.1", "a")] {
            assert!(post(&hub, from, name, PATIENT).is_ok(), "{name}");
        }
        assert_eq!(post(&hub, "192.0.2.1", "c", PATIENT), Err(Refusal::Posted(2)));
        // Whoever has one address of a network of 64 bits has them all.
        assert!(post(&hub, "2001:db8::1", "c", PATIENT).is_ok() && post(&hub, "2001:db8::2", "d", PATIENT).is_ok());
        assert_eq!(post(&hub, "2001:db8::3", "e", PATIENT), Err(Refusal::Posted(2)));
        assert!(["e", "f", "g"].iter().all(|name| post(&hub, "127.0.0.1", name, PATIENT).is_ok()));
    }

    #[test]
    fn a_name_belongs_to_the_address_that_posts_there_for_as_long_as_it_does() {
        let hub = hub(|_| {});
        let taken = |name| Err(Refusal::PostedElsewhere { key: StreamKey::new("main", name), lost: PATIENT.lost });
        for from in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"] {
            assert_eq!(post(&hub, from, "door", PATIENT), Ok(0));
        }
        assert_eq!(post(&hub, "192.0.2.2", "door", PATIENT), taken("door"));
        assert_eq!(post(&hub, "192.0.2.1", "door", PATIENT), Ok(0), "and goes on as if nobody had asked");
        assert_eq!(hub.shared.stream(&StreamKey::new("main", "door")).published.load(Ordering::Relaxed), 4);
        // It stopped: the name is the other's, and not its own any more.
        post(&hub, "192.0.2.1", "gate", PostedTimes { lost: Duration::ZERO, ..PATIENT }).unwrap();
        assert_eq!(post(&hub, "192.0.2.2", "gate", PATIENT), Ok(0));
        assert_eq!(post(&hub, "192.0.2.1", "gate", PATIENT), taken("gate"));
        assert_eq!(hub.counts().0, 2);
    }

    #[test]
    fn posted_streams_give_way_to_a_publisher_with_a_connection() {
        let hub = hub(|c| c.max_publishers = 2);
        post(&hub, "192.0.2.1", "a", PATIENT).unwrap();
        post(&hub, "192.0.2.1", "b", PATIENT).unwrap();
        assert_eq!(
            post(&hub, "192.0.2.2", "c", PATIENT),
            Err(Refusal::Publishers(2)),
            "who posts takes nobody's place"
        );
        std::thread::sleep(Duration::from_millis(2));
        post(&hub, "192.0.2.1", "a", PATIENT).unwrap();
        let key = |name| StreamKey::new("main", name);
        let publish = |name| hub.shared.publish(hub.shared.new_id(), &granted(name), false, 0);
        publish("door").unwrap();
        assert!(hub.shared.is_free(&key("b")) && !hub.shared.is_free(&key("a")), "the one silent longest went");
        assert_eq!(hub.counts().0, 2);
        publish("gate").unwrap();
        assert_eq!(publish("yard"), Err(Refusal::Publishers(2)), "and nobody with a connection gives way");
    }

    #[test]
    fn a_posted_stream_keeps_its_name_only_while_pictures_come() {
        let hub = hub(|_| {});
        let publish = |name| hub.shared.publish(hub.shared.new_id(), &granted(name), false, 0);
        post(&hub, "192.0.2.1", "door", PATIENT).unwrap();
        assert_eq!(publish("door"), Err(Refusal::Taken(StreamKey::new("main", "door"))));
        post(&hub, "192.0.2.1", "gate", PostedTimes { lost: Duration::ZERO, ..PATIENT }).unwrap();
        assert_eq!(publish("gate"), Ok(()));
        assert_eq!(hub.counts().0, 2);
    }
}
