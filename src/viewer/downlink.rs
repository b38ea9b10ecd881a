//! What the viewer says and hears on its link.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, ViewerConfig};
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::home::Hearth;
use crate::hub::PROGRAM;
use crate::mailbox::Sender;
use crate::net::address::HubAddress;
use crate::net::link::{LinkState, LinkUser};
use crate::session::ClockOffset;
use crate::text::Untrusted;
use crate::time::{Micros, now};
use crate::wire::control::{Ability, AskedPicture, Control, Hello, Role, StreamState};

pub(super) struct Downlink {
    shared: Arc<Shared>,
    hearth: Hearth,
    config: ViewerConfig,
    pictures: Sender<(Arc<Picture>, Micros)>,
}

impl Downlink {
    pub(super) fn new(
        shared: Arc<Shared>,
        hearth: Hearth,
        config: ViewerConfig,
        pictures: Sender<(Arc<Picture>, Micros)>,
    ) -> Self {
        Self { shared, hearth, config, pictures }
    }
}

impl LinkUser for Downlink {
    fn hub(&mut self) -> Result<HubAddress> {
        self.hearth.find()
    }

    fn hello(&mut self) -> Hello {
        Hello {
            role: Role::View,
            room: self.config.room.clone(),
            name: self.config.name.clone().unwrap_or_default(),
            program: PROGRAM.into(),
            replace: false,
            instance: 0,
            publisher: 0,
            can: vec![Ability::Ack],
            want: self.config.want,
        }
    }

    fn state(&mut self, link: &LinkState) {
        let mut state = self.shared.lock();
        if *link == LinkState::Connected {
            if state.ever_connected {
                state.meter.reconnected();
            }
            state.ever_connected = true;
            log::info!("connected");
        }
        state.link = link.clone();
        state.stream = None;
        (state.publisher_clock, state.hub_clock) = (None, None);
        state.carries = None;
        state.busy = None;
    }

    fn heard(&mut self, clock: &ClockOffset, at: Micros) {
        let mut state = self.shared.lock();
        state.heard = at;
        state.hub_clock = clock.error();
    }

    fn control(&mut self, control: Control) -> Vec<Control> {
        if let Control::Clock { error } = control {
            self.shared.lock().publisher_clock = Some(error);
        } else if let Control::Link { bytes, busy } = control {
            let mut state = self.shared.lock();
            state.carries = bytes;
            state.busy = busy;
        } else if let Control::State(stream) = control {
            let stream = as_shown(stream);
            let mut state = self.shared.lock();
            let other = state.stream.as_ref().is_some_and(|s| (&s.room, &s.name) != (&stream.room, &stream.name));
            if other {
                state.meter.new_stream();
                state.publisher_clock = None;
            }
            state.meter.screen.announced(stream.asked.as_ref().and_then(AskedPicture::interval));
            if !stream.live && !stream.reason.is_empty() {
                log::info!("{}/{}: {}", stream.room, stream.name, stream.reason);
            }
            state.stream = Some(stream);
            state.stream_told = now();
        }
        Vec::new()
    }

    fn picture(&mut self, picture: Picture, received: Micros) -> Option<Control> {
        let sequence = picture.sequence;
        let mut state = self.shared.lock();
        state.meter.received(&picture, received);
        state.hub_clock_of_picture = state.hub_clock;
        state.meter.counts.metadata =
            picture.metadata.as_ref().and_then(|text| serde_json::from_str(text).ok()).filter(is_flat);
        drop(state);
        let backlog = u32::from(self.pictures.put((Arc::new(picture), received)).is_some());
        if backlog > 0 {
            self.shared.lock().meter.counts.skipped += 1;
        }
        Some(Control::Ack { sequence, backlog, waited: 0 })
    }

    fn messages(&mut self) -> Vec<Control> {
        Vec::new()
    }

    fn has_picture(&mut self) -> bool {
        false
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(33)
    }

    fn carries(&mut self, _bytes: u32) {}

    fn next_picture(&mut self) -> Option<Arc<Picture>> {
        None
    }

    fn over(&mut self, error: Error) {
        self.shared.lock().over = Some(error);
    }
}

/// A stream's state without anything that acts where it is shown: hubs check names, but not every hub is honest.
fn as_shown(stream: StreamState) -> StreamState {
    let asked = stream.asked.map(|asked| AskedPicture { size: format!("{:.20}", Untrusted(&asked.size)), ..asked });
    StreamState {
        room: format!("{:.64}", Untrusted(&stream.room)),
        name: format!("{:.64}", Untrusted(&stream.name)),
        reason: Untrusted(&stream.reason).to_string(),
        asked,
        ..stream
    }
}

/// Whether metadata is an object of plain values, so that it can be shown as lines.
fn is_flat(value: &serde_json::Value) -> bool {
    value.as_object().is_some_and(|o| o.len() <= 16 && o.values().all(|v| !v.is_object() && !v.is_array()))
}
