//! What the viewer says and hears on its link.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::intake::{Intake, Left};
use super::open::NEEDS_KEY;
use super::watched::others;
use super::{Received, Shared, SharedLocator, ViewerConfig};
use crate::error::{Error, Result};
use crate::frame::{AudioPacket, Picture};
use crate::hub::PROGRAM;
use crate::names::check_name;
use crate::net::address::HubAddress;
use crate::net::link::{LinkState, LinkUser};
use crate::session::{Captured, ClockOffset};
use crate::stats::Capture;
use crate::text::Untrusted;
use crate::time::{Micros, now};
use crate::wire::control::{Ability, Control, Hello, NominalPicture, Role, StreamState};

/// Names of streams that are kept at most.
const MOST_NAMES: usize = 256;

pub(super) struct Downlink {
    shared: Arc<Shared>,
    locator: SharedLocator,
    config: ViewerConfig,
    pictures: Intake,
    /// The number of the newest picture.
    newest: u32,
    /// Tells this viewer from others, for a link that is for one session.
    instance: u64,
    /// That pictures of an unknown codec come was said since the link was made.
    told_codec: bool,
}

impl Downlink {
    pub(super) fn new(shared: Arc<Shared>, locator: SharedLocator, config: ViewerConfig, pictures: Intake) -> Self {
        Self { shared, locator, config, pictures, newest: 0, instance: fastrand::u64(1..), told_codec: false }
    }
}

impl LinkUser for Downlink {
    fn hub(&mut self) -> Result<HubAddress> {
        let found = self.locator.lock().unwrap_or_else(PoisonError::into_inner).find();
        if let Ok(hub) = &found {
            self.shared.lock().hub = hub.to_string();
        }
        found
    }

    fn hello(&mut self) -> Hello {
        Hello {
            role: Role::View,
            room: self.config.room.clone(),
            name: self.config.name.clone().unwrap_or_default(),
            program: PROGRAM.into(),
            replace: false,
            instance: self.instance,
            publisher: 0,
            token: None,
            can: vec![Ability::Ack, Ability::Seal],
            request: {
                let mut state = self.shared.lock();
                state.asks = false;
                state.request()
            },
        }
    }

    fn state(&mut self, link: &LinkState) {
        self.told_codec = false;
        let mut state = self.shared.lock();
        if *link == LinkState::Connected {
            if state.ever_connected {
                state.meter.reconnected();
                self.pictures.begin_anew();
            }
            state.ever_connected = true;
            log::info!("connected");
        }
        state.link = link.clone();
        state.stream = None;
        state.others = String::new();
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
                self.pictures.begin_anew();
                state.publisher_clock = None;
            }
            state.meter.screen.announced(stream.nominal.as_ref().and_then(NominalPicture::interval));
            if stream.sealed && self.config.key.is_none() {
                state.over.get_or_insert(Error::Refused(NEEDS_KEY.into()));
            }
            // Who waits for a stream that nobody publishes is told which there are.
            let is_waiting = !stream.live && !stream.published;
            if let Some(inbox) = &self.shared.inbox {
                inbox.offer(stream.audio.is_some());
            }
            state.stream = Some(stream);
            state.stream_told = now();
            if is_waiting {
                return vec![Control::List];
            }
        } else if let Control::Streams { streams } = control {
            let mut state = self.shared.lock();
            state.others = others(&streams);
            // Hubs check names, but not every hub is honest: what is none is no stream that can be watched.
            let names = streams.into_iter().take(MOST_NAMES).map(|stream| stream.name);
            state.names = names.filter(|name| check_name(name).is_ok()).collect();
        }
        Vec::new()
    }

    fn picture(&mut self, picture: Picture, received: Micros) -> Option<Control> {
        let sequence = picture.sequence;
        let mut state = self.shared.lock();
        state.meter.received(&picture, received);
        let error = state.error(picture.arrival);
        drop(state);
        self.newest = sequence;
        let received = Received { picture: Arc::new(picture), at: received, error };
        let Left { backlog, skipped } = self.pictures.put(received);
        if skipped > 0 {
            self.shared.lock().meter.counts.skipped += u64::from(skipped);
        }
        Some(Control::Ack { sequence, backlog, waited: 0 })
    }

    fn audio(&mut self, packet: AudioPacket, received: Micros) {
        if let Some(inbox) = &self.shared.inbox {
            inbox.put(packet, received);
        }
    }

    fn unknown_codec(&mut self, codec: u8, sequence: u32) -> Option<Control> {
        let why = format!("codec {codec} is unknown to this version");
        if !std::mem::replace(&mut self.told_codec, true) {
            log::warn!("pictures cannot be decoded: {why}");
        }
        self.shared.lock().meter.broken(why);
        Some(Control::Ack { sequence, backlog: 0, waited: 0 })
    }

    fn restated(&mut self, captured: Captured) {
        let mut state = self.shared.lock();
        let error = state.error(captured.arrival);
        let capture = Capture { at: captured.at, estimated: captured.estimated, error };
        state.meter.restated(self.newest, capture);
    }

    fn messages(&mut self) -> Vec<Control> {
        if !self.shared.says.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let mut state = self.shared.lock();
        let (room, name) = (self.config.room.clone(), self.config.name.clone().unwrap_or_default());
        let ask = std::mem::take(&mut state.asks);
        let subscribe = ask.then(|| Control::Subscribe { room, name, request: state.request() });
        let list = std::mem::take(&mut state.wants_names).then_some(Control::List);
        subscribe.into_iter().chain(list).collect()
    }

    fn over(&mut self, error: Error) {
        self.shared.lock().over = Some(error);
    }
}

/// A stream's state without anything that acts where it is shown: hubs check names, but not every hub is honest.
fn as_shown(stream: StreamState) -> StreamState {
    let nominal =
        stream.nominal.map(|nominal| NominalPicture { size: format!("{:.20}", Untrusted(&nominal.size)), ..nominal });
    StreamState {
        room: format!("{:.64}", Untrusted(&stream.room)),
        name: format!("{:.64}", Untrusted(&stream.name)),
        reason: Untrusted(&stream.reason).to_string(),
        nominal,
        ..stream
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::super::Shown;
    use super::super::intake::{Pictures, intake};
    use super::super::watched::Watched;
    use super::*;
    use crate::frame::Size;
    use crate::locate::{HubLocation, HubLocator};
    use crate::mailbox::Taken;
    use crate::stats::{Coming, Metadata, ViewTimes};

    const START: Micros = Micros(100 * 3_600_000_000);

    struct Rig {
        downlink: Downlink,
        shared: Arc<Shared>,
        pictures: Pictures,
    }

    fn rig() -> Rig {
        let config = ViewerConfig::default();
        let shared = Arc::new(Shared::new(Watched::new(&config), None));
        let (pictures_in, pictures) = intake(None);
        // It is never connected to; whoever hosts would need a port.
        let locator = HubLocator::new(HubLocation::Join("127.0.0.1:1".parse().unwrap())).unwrap();
        let mut downlink = Downlink::new(shared.clone(), Arc::new(Mutex::new(locator)), config, pictures_in);
        downlink.state(&LinkState::Connected);
        Rig { downlink, shared, pictures }
    }

    impl Rig {
        fn comes(&mut self, picture: Picture, at: Micros) -> Shown {
            self.downlink.picture(picture, at);
            let Taken::Value(Received { picture, error, .. }) = self.pictures.take(Duration::ZERO) else { panic!() };
            self.shared.lock().decoded(&picture, at);
            let times = ViewTimes { received: at, decoded: at, shown: at, waited: None };
            let size = Size::new(picture.quality.into(), 8);
            Shown { bitmap: Default::default(), size, picture, turn: Default::default(), times, error }
        }

        fn shown(&self, shown: &Shown) {
            let metadata = shown.picture.metadata.as_ref().and_then(|text| Metadata::read(text));
            self.shared.lock().shown(shown, shown.times, metadata);
        }
    }

    #[test]
    fn what_is_told_of_a_picture_is_that_of_the_one_on_the_screen() {
        let mut rig = rig();
        let picture = |n: u8| Picture {
            sequence: n.into(),
            quality: n,
            metadata: Some(Arc::from(format!("{{\"n\":{n}}}"))),
            captured: START,
            ..Picture::default()
        };
        let told = |rig: &Rig| {
            let report = rig.shared.lock().report(START);
            (report.quality, report.size, report.metadata.and_then(|metadata| metadata.lines(1).pop().map(|(_, n)| n)))
        };
        let first = rig.comes(picture(1), START);
        assert_eq!(told(&rig), (0, String::new(), None));
        rig.shown(&first);
        let second = rig.comes(picture(2), START);
        assert_eq!(told(&rig), (1, "1x8".into(), Some("1".into())), "the second is not there yet");
        rig.shown(&second);
        assert_eq!(told(&rig), (2, "2x8".into(), Some("2".into())));
    }

    #[test]
    fn a_picture_that_came_before_the_clock_was_known_gets_its_age_when_it_is() {
        let told = |rig: &Rig| {
            let report = rig.shared.lock().report(START);
            (report.age(), report.age_estimated, report.age_error_ms)
        };
        for before_shown in [false, true] {
            let mut rig = rig();
            let guess = Picture { sequence: 7, captured: START, estimated: true, arrival: true, ..Picture::default() };
            let shown = rig.comes(guess, START);
            if !before_shown {
                rig.shown(&shown);
                assert_eq!(told(&rig), (Some(0.0), true, None));
            }
            {
                let mut state = rig.shared.lock();
                (state.publisher_clock, state.hub_clock) = (Some(500), Some(Duration::from_millis(1)));
            }
            let hours = Duration::from_secs(3 * 3600);
            rig.downlink.restated(Captured { at: START - hours, estimated: false, arrival: false });
            if before_shown {
                rig.shown(&shown);
            }
            assert_eq!(told(&rig), (Some(3.0 * 3.6e6), false, Some(1.5)), "{before_shown}");
            let mut state = rig.shared.lock();
            state.meter.screen.announced(Some(Duration::from_millis(33)));
            assert!(matches!(state.meter.screen.coming(START), Coming::Not(_)), "it was the last of a stream");
            drop(state);
            // It counts for that picture alone.
            let next = rig.comes(Picture { sequence: 8, captured: START, ..Picture::default() }, START);
            rig.shown(&next);
            assert_eq!(rig.shared.lock().report(START).picture_age_ms, Some(0.0));
        }
    }
}
