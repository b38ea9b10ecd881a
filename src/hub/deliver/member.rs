//! Somebody in a room: one connection that publishes one stream and sees several.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::subscription::Subscription;
use crate::access::{Grant, Join};
use crate::hub::counters::{Metrics, ViewerNumbers};
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::pacing::together;
use crate::relay::policy::{Every, Newest};
use crate::time::Micros;

/// Bytes of texts of others that wait for one who reads slowly, at most. What the hub itself says still fits in behind them.
const MOST_SAID_BY_OTHERS: usize = 64 * 1024;
/// A stream without a new picture for so long gives none now.
const LATELY: Duration = Duration::from_secs(1);
/// Messages to others in a second at most; more are dropped.
const MOST_SAID: u32 = 30;

/// What makes a member.
pub(super) struct RoomMember {
    pub(super) grant: Grant<Join>,
    called: String,
    binary: bool,
    publishes: Option<Arc<Stream>>,
    sees: Vec<Sees>,
    /// Which of them is served first, so that none is always last.
    turn: usize,
    /// When it was asked last what its link carries, and how many pictures it was given.
    asked: Micros,
    given: u32,
    sequence: u32,
    said: (Micros, u32),
    /// What others say to it.
    texts: Every,
    /// How often the client is asked in its own words whether it is there.
    ping_every: Duration,
    next_ping: Micros,
}

/// A stream that it sees.
struct Sees {
    subscription: Subscription,
    /// Whose it is, as JSON.
    opening: Arc<str>,
    metrics: Metrics,
    numbers: Arc<ViewerNumbers>,
    /// The time between its pictures, and when there was a new one last.
    interval: Duration,
    came: Micros,
}

/// What giving a picture of a stream takes, beside its policy.
pub(super) struct Seen<'a> {
    pub(super) opening: &'a Arc<str>,
    /// The client takes pictures as they are, and not as base64.
    pub(super) binary: bool,
    pub(super) metrics: &'a mut Metrics,
}

impl RoomMember {
    pub(super) fn new(grant: Grant<Join>, called: String, ping_every: Duration, now: Micros) -> Self {
        Self {
            grant,
            called,
            binary: false,
            publishes: None,
            sees: Vec::new(),
            turn: 0,
            asked: now,
            given: 0,
            sequence: 0,
            said: (now, 0),
            texts: Every::new(MOST_SAID_BY_OTHERS),
            ping_every,
            next_ping: now + ping_every,
        }
    }

    /// How it is called.
    pub(super) fn called(&self) -> &str {
        &self.called
    }

    /// Its client takes pictures as they are from now on, or as base64.
    pub(super) fn takes_binary(&mut self, binary: bool) {
        self.binary = binary;
    }

    /// It publishes this stream from now on.
    pub(super) fn publish(&mut self, stream: Arc<Stream>) {
        self.publishes = Some(stream);
    }

    /// The number of its next picture.
    pub(super) fn next_picture(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// The stream that it publishes, if it does.
    pub(super) fn publishes(&self) -> Option<&Arc<Stream>> {
        self.publishes.as_ref()
    }

    /// It sees one more stream.
    pub(super) fn see(&mut self, stream: &Arc<Stream>, opening: Arc<str>, address: SocketAddr, now: Micros) {
        let numbers = Arc::new(ViewerNumbers::new(address, "room", now));
        stream.numbers.join(numbers.clone());
        let subscription = Subscription::new(stream.clone(), now);
        let (metrics, interval, came) = (Metrics::default(), Duration::ZERO, Micros(0));
        self.sees.push(Sees { subscription, opening, metrics, numbers, interval, came });
    }

    /// It sees a stream no more; its number.
    pub(super) fn see_no_more(&mut self, key: &StreamKey) -> Option<u64> {
        let at = self.sees.iter().position(|sees| sees.subscription.stream.key == *key)?;
        Some(self.sees.swap_remove(at).ends())
    }

    /// It sees nothing any more; the numbers of the streams that it saw.
    pub(super) fn sees_nothing(&mut self) -> Vec<u64> {
        self.sees.drain(..).map(|sees| sees.ends()).collect()
    }

    /// All that it sees, beginning with whose turn it is.
    pub(super) fn seen(&mut self) -> Vec<Arc<Stream>> {
        self.turn = (self.turn + 1) % self.sees.len().max(1);
        let (before, from) = self.sees.split_at(self.turn.min(self.sees.len()));
        from.iter().chain(before).map(|sees| sees.subscription.stream.clone()).collect()
    }

    /// A stream has a new picture, with so much time between them. Returns the time between the pictures of all streams that
    /// give some: they share its link.
    pub(super) fn comes(&mut self, stream: u64, interval: Duration, now: Micros) -> Duration {
        if let Some(sees) = self.sees.iter_mut().find(|sees| sees.subscription.stream.id == stream) {
            (sees.interval, sees.came) = (interval, now);
        }
        let gives = |sees: &&Sees| now.since(sees.came) <= LATELY.max(2 * sees.interval);
        together(self.sees.iter().filter(gives).map(|sees| sees.interval))
    }

    /// Whether it is time to ask again what its link carries.
    pub(super) fn asks_again(&mut self, interval: Duration, now: Micros) -> bool {
        let due = now.since(self.asked) >= interval;
        if due {
            self.asked = now;
        }
        due
    }

    /// The number of the next picture that it is given, whatever the stream.
    pub(super) fn next_given(&mut self) -> u32 {
        self.given = self.given.wrapping_add(1);
        self.given
    }

    /// The streams that it sees, by their numbers.
    pub(super) fn streams(&self) -> impl Iterator<Item = u64> {
        self.sees.iter().map(|sees| sees.subscription.stream.id)
    }

    /// How it is given pictures of this stream, if it sees it.
    pub(super) fn find(&mut self, stream: u64) -> Option<(&mut Newest, Seen<'_>)> {
        let sees = self.sees.iter_mut().find(|sees| sees.subscription.stream.id == stream)?;
        let seen = Seen { opening: &sees.opening, binary: self.binary, metrics: &mut sees.metrics };
        Some((&mut sees.subscription.policy, seen))
    }

    /// When it is shown next that the pictures of this stream are sealed, if it sees it; and how it is given pictures of it.
    pub(super) fn stand_in(&mut self, stream: u64) -> Option<(&mut Micros, Arc<str>, bool)> {
        let sees = self.sees.iter_mut().find(|sees| sees.subscription.stream.id == stream)?;
        Some((&mut sees.subscription.stand_in_due, sees.opening.clone(), self.binary))
    }

    /// Whether a text of somebody else is kept for it behind so many bytes that wait already.
    pub(super) fn keeps_text(&mut self, waiting: usize) -> bool {
        self.texts.keeps(waiting)
    }

    /// How many were lost since this was asked last.
    pub(super) fn texts_lost(&mut self) -> u64 {
        self.texts.take_lost()
    }

    /// Works out what is counted by the second.
    pub(super) fn tick(&self, now: Micros) {
        self.sees.iter().for_each(|sees| sees.numbers.tick(&sees.metrics, now));
    }

    /// What is to be said in the client's own words.
    pub(super) fn due(&mut self, now: Micros) -> bool {
        let due = now >= self.next_ping;
        if due {
            self.next_ping = now + self.ping_every;
        }
        due
    }

    /// Whether it may say one more thing to the others now.
    pub(super) fn may_speak(&mut self, now: Micros) -> bool {
        if now.since(self.said.0) >= Duration::from_secs(1) {
            self.said = (now, 0);
        }
        self.said.1 += 1;
        self.said.1 <= MOST_SAID
    }
}

impl Sees {
    fn ends(self) -> u64 {
        let stream = self.subscription.stream;
        stream.numbers.leave(&self.numbers);
        stream.id
    }
}
