//! One stream as the rules know it: who publishes it, who watches, and how it is doing.

use super::{ConnectionId, Effect};
use crate::adapt::{Load, Rung};
use crate::names::StreamKey;
use crate::relay::silence::Silent;
use crate::time::{Micros, micros};
use crate::wire::control::{AudioState, Control, NominalPicture, StreamState};

/// Who is given the pictures of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subscriber {
    /// A viewer, or somebody in the room.
    Connection(ConnectionId),
    /// All who ask for one picture after the other.
    Snapshots,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Counts up with every stream: the oldest is "the first there is".
    pub(super) order: u64,
    pub(super) publisher: Option<ConnectionId>,
    pub(super) instance: u64,
    pub(super) subscribers: Vec<Subscriber>,
    /// Why no pictures come, as the publisher says it; empty while they do.
    reason: String,
    silent: Option<Silent>,
    nominal: Option<NominalPicture>,
    load: Load,
    settling: bool,
    pub(super) sealed: bool,
    pub(super) audio: Option<AudioState>,
    since: Micros,
    pub(super) rungs: Vec<Rung>,
    /// Somebody listens.
    pub(super) listened: bool,
}

impl Stream {
    pub(super) fn new(order: u64, now: Micros) -> Self {
        Self { order, since: now, ..Self::default() }
    }

    pub(super) fn begin(&mut self, publisher: ConnectionId, instance: u64, now: Micros) {
        (self.publisher, self.instance) = (Some(publisher), instance);
        (self.reason, self.silent) = (String::new(), None);
        (self.nominal, self.load, self.settling, self.sealed) = (None, Load::default(), false, false);
        self.audio = None;
        self.since = now;
    }

    pub(super) fn end(&mut self, reason: &str, now: Micros) {
        self.publisher = None;
        (self.reason, self.silent) = (reason.into(), None);
        (self.load, self.settling, self.audio) = (Load::default(), false, None);
        self.since = now;
    }

    /// What the publisher says of it; whether that is news.
    pub(super) fn report(&mut self, told: StreamState, now: Micros) -> bool {
        let is = (&self.reason, &self.nominal, &self.load, self.settling, self.sealed, self.audio);
        if is == (&told.reason, &told.nominal, &told.load, told.settling, told.sealed, told.audio) {
            return false;
        }
        if self.reason != told.reason {
            // Whether pictures are due is judged anew.
            (self.reason, self.silent) = (told.reason, None);
            self.since = now;
        }
        self.nominal = told.nominal;
        (self.load, self.settling, self.sealed) = (told.load, told.settling, told.sealed);
        self.audio = told.audio;
        true
    }

    /// Whether pictures come when they are due; whether viewers see a difference.
    pub(super) fn fall_silent(&mut self, silent: Option<Silent>, now: Micros) -> bool {
        let news = self.silent != silent && self.reason.is_empty();
        if news {
            self.since = silent.as_ref().map_or(now, |silent| silent.since);
        }
        self.silent = silent;
        news
    }

    pub(super) fn live(&self) -> bool {
        self.publisher.is_some() && self.reason.is_empty() && self.silent.is_none()
    }

    pub(super) fn state(&self, key: &StreamKey, now: Micros) -> Control {
        let silent = self.silent.as_ref().map_or("", |silent| &silent.reason);
        Control::State(StreamState {
            room: key.room.clone(),
            name: key.name.clone(),
            live: self.live(),
            reason: if self.reason.is_empty() { silent.into() } else { self.reason.clone() },
            since_ms: micros(now.since(self.since)) / 1000,
            published: self.publisher.is_some(),
            nominal: self.nominal.clone(),
            load: self.load,
            settling: self.settling,
            sealed: self.sealed,
            audio: self.audio,
        })
    }

    /// The subscribers that are connections.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.subscribers.iter().filter_map(|subscriber| match subscriber {
            Subscriber::Connection(id) => Some(*id),
            Subscriber::Snapshots => None,
        })
    }

    /// How many watch.
    pub(super) fn viewers(&self) -> u32 {
        u32::try_from(self.subscribers.len()).unwrap_or(u32::MAX)
    }

    /// Tells all viewers how it is doing.
    pub(super) fn tell(&self, key: &StreamKey, now: Micros) -> Vec<Effect> {
        let state = self.state(key, now);
        self.connections().map(|viewer| Effect::Tell(viewer, state.clone())).collect()
    }

    pub(super) fn demand(&self) -> Control {
        let viewers = self.viewers();
        let rungs = if viewers == 0 { Vec::new() } else { self.rungs.clone() };
        Control::Demand { viewers, rungs, audio: self.listened && viewers > 0 }
    }
}
