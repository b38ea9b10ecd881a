//! What the publisher says and hears on its link.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::encode::Pictures;
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::home::Hearth;
use crate::hub::PROGRAM;
use crate::mailbox::Receiver;
use crate::net::address::HubAddress;
use crate::net::link::{LinkState, LinkUser};
use crate::time::{Micros, millis, now};
use crate::wire::control::{Ability, Control, Hello, Role, StreamState, Want};

pub(super) struct Uplink {
    shared: Arc<Shared>,
    hearth: Hearth,
    pictures: Receiver<Pictures>,
    /// The rest of a frame's rungs.
    rest: VecDeque<Arc<Picture>>,
    /// Where the hub was last looked for.
    hub: Option<HubAddress>,
    /// What the hub was told last.
    told: Option<(String, String)>,
    instance: u64,
    limit: String,
    look_at_limit: Micros,
    /// The longest picture that the hub takes, in bytes.
    max_picture: usize,
}

impl Uplink {
    pub(super) fn new(shared: Arc<Shared>, hearth: Hearth, pictures: Receiver<Pictures>) -> Self {
        let instance = fastrand::u64(1..);
        Self {
            shared,
            hearth,
            pictures,
            rest: VecDeque::new(),
            hub: None,
            told: None,
            instance,
            limit: String::new(),
            look_at_limit: Micros(0),
            max_picture: usize::MAX,
        }
    }
}

impl LinkUser for Uplink {
    fn hub(&mut self) -> Result<HubAddress> {
        let hub = self.hearth.find()?;
        self.hub = Some(hub.clone());
        Ok(hub)
    }

    fn hello(&mut self) -> Hello {
        let config = &self.shared.config;
        Hello {
            role: Role::Publish,
            room: config.stream.room.clone(),
            name: config.stream.name.clone(),
            program: PROGRAM.into(),
            replace: config.replace,
            instance: self.instance,
            can: vec![Ability::Rungs],
            want: Want::default(),
        }
    }

    fn state(&mut self, link: &LinkState) {
        let mut state = self.shared.lock();
        state.connected = *link == LinkState::Connected;
        state.heard = false;
        state.link = match link {
            LinkState::Connected => String::new(),
            LinkState::Connecting => "connecting".into(),
            LinkState::Waiting { why, .. } => why.clone(),
        };
        if !state.connected && state.demand.viewers > 0 {
            // Nobody can watch over a broken link; the hub says anew who does when it is back.
            state.demand.viewers = 0;
            state.demand.unwatched_since = Some(now());
        }
        state.fresh = true;
        drop(state);
        if let (LinkState::Connected, None, Some(hub)) = (link, self.hearth.hub(), &self.hub) {
            // A hub in this process says it by itself.
            log::info!("publishes {} at {hub}", self.shared.config.stream);
        }
        self.told = None;
        self.rest.clear();
        // A picture from before is old by now.
        let _ = self.pictures.try_take();
        self.shared.changed.notify_all();
    }

    fn control(&mut self, control: Control) -> Vec<Control> {
        if let Control::Welcome { max_picture, .. } = control {
            self.max_picture = usize::try_from(max_picture).ok().filter(|max| *max > 0).unwrap_or(usize::MAX);
        } else if let Control::Demand { viewers, rungs } = control {
            let mut state = self.shared.lock();
            state.heard = true;
            state.demand.unwatched_since = match viewers {
                0 => state.demand.unwatched_since.or_else(|| Some(now())),
                _ => None,
            };
            state.demand.viewers = viewers;
            state.demand.rungs = rungs;
            state.demand.rungs.truncate(4);
            drop(state);
            self.shared.changed.notify_all();
        }
        Vec::new()
    }

    fn picture(&mut self, _picture: Picture, _received: Micros) -> Option<Control> {
        None
    }

    fn messages(&mut self) -> Vec<Control> {
        let at = now();
        let mut state = self.shared.lock();
        if at >= self.look_at_limit {
            self.look_at_limit = at + Duration::from_secs(1);
            self.limit = state.report(at).limit;
        }
        let limit = if self.limit == "nothing" { "" } else { &self.limit };
        if self.told.as_ref().is_some_and(|(f, l)| *f == state.fault && l == limit) {
            return Vec::new();
        }
        let now_so = (state.fault.clone(), limit.to_string());
        drop(state);
        let (reason, limit) = now_so.clone();
        self.told = Some(now_so);
        vec![Control::State(StreamState {
            room: String::new(),
            name: String::new(),
            live: reason.is_empty(),
            reason,
            since_ms: 0,
            published: true,
            limit,
        })]
    }

    fn has_picture(&self) -> bool {
        !self.rest.is_empty() || self.pictures.has_value()
    }

    fn interval(&self) -> Duration {
        self.shared.config.interval()
    }

    fn carries(&mut self, bytes: u32) {
        let config = &self.shared.config;
        self.shared.lock().carries = config.asked().need(bytes, config.interval()).bytes;
    }

    fn next_picture(&mut self) -> Option<Arc<Picture>> {
        if self.rest.is_empty() {
            self.rest.extend(self.pictures.try_take()?);
        }
        let picture = self.rest.pop_front()?;
        if picture.data.len() > self.max_picture {
            // The hub would end the connection over it.
            log::warn!("a picture of {} bytes is left out: the hub takes {}", picture.data.len(), self.max_picture);
            self.shared.lock().counts.broken += 1;
            return None;
        }
        let at = now();
        let mut state = self.shared.lock();
        state.counts.sent += 1;
        state.sent.add(at, picture.data.len() as f64);
        state.age.add(at, millis(at.since(picture.captured)));
        Some(picture)
    }

    fn over(&mut self, error: Error) {
        self.shared.end(Err(error));
    }

    fn replaced(&mut self, why: String) {
        if self.hearth.hub().is_none() {
            return self.over(Error::Refused(why));
        }
        // Others use the hub: it must not go because its own stream did.
        let mut state = self.shared.lock();
        state.connected = false;
        state.heard = false;
        state.demand.viewers = 0;
        state.link = format!("{why}; the hub goes on");
        log::warn!("{}; this program's source is closed, its hub goes on", why);
        drop(state);
        self.shared.stop();
    }
}
