//! What the publisher says and hears on its link.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::encode::EncodedFrame;
use super::seal::Seal;
use super::steering::Order;
use crate::adapt::{Limit, Load, Supply};
use crate::error::{Error, Result};
use crate::frame::{AudioPacket, Picture};
use crate::hub::PROGRAM;
use crate::locate::HubLocator;
use crate::mailbox::Receiver;
use crate::net::address::HubAddress;
use crate::net::link::{LINGER, LinkState, LinkUser};
use crate::text::Untrusted;
use crate::time::{Micros, millis, now};
use crate::wire::control::{Ability, AudioState, Control, Hello, NominalPicture, Role, StreamState, ViewRequest};
use crate::wire::jpeg;

/// When none of the pictures could be sent for so long, that is why there is nothing to see.
const NONE_PASSES: Duration = Duration::from_secs(1);

pub(super) struct Uplink {
    shared: Arc<Shared>,
    locator: HubLocator,
    pictures: Receiver<EncodedFrame>,
    /// The rest of a frame's rungs, and the number of that frame.
    rest: VecDeque<Arc<Picture>>,
    frame: Option<u32>,
    /// What that frame is encoded for, and what the hub was told last that pictures are.
    supply: (Supply, Option<Supply>),
    /// Where the hub was last looked for.
    hub: Option<HubAddress>,
    /// What the hub was told last.
    told: Option<StreamState>,
    instance: u64,
    /// What the pictures are and would be, looked at once a second.
    numbers: (Option<NominalPicture>, Load),
    look_at_numbers: Micros,
    /// The longest picture that the hub takes, in bytes.
    max_picture: usize,
    /// The most pixels of one.
    max_pixels: usize,
    /// Why the last picture was not sent; when one was sent last; and that this was said on this connection.
    too_large: Option<String>,
    passed: Micros,
    told_too_large: bool,
    /// What seals the pictures, where they are to be.
    seal: Option<Seal>,
    /// The hub takes them as they are.
    hub_passes_on: bool,
    /// It passes sound on.
    hub_passes_sound: bool,
}

impl Uplink {
    pub(super) fn new(
        shared: Arc<Shared>,
        locator: HubLocator,
        pictures: Receiver<EncodedFrame>,
        seal: Option<Seal>,
    ) -> Self {
        let instance = fastrand::u64(1..);
        let max_pixels = shared.config.max_pixels;
        Self {
            shared,
            locator,
            pictures,
            rest: VecDeque::new(),
            frame: None,
            supply: (Supply::default(), None),
            hub: None,
            told: None,
            instance,
            numbers: (None, Load::default()),
            look_at_numbers: Micros(0),
            max_picture: usize::MAX,
            max_pixels,
            too_large: None,
            passed: Micros(0),
            told_too_large: false,
            seal,
            hub_passes_on: true,
            hub_passes_sound: false,
        }
    }
}

impl Uplink {
    /// Goes on to the newest frame when all pictures of the one before are sent.
    fn take_frame(&mut self) {
        if !self.rest.is_empty() {
            return;
        }
        if let Some(EncodedFrame { supply, pictures }) = self.pictures.try_take() {
            self.rest.extend(pictures);
            self.frame = self.rest.front().map(|p| p.sequence);
            self.supply.0 = supply;
        }
    }
}

impl LinkUser for Uplink {
    fn hub(&mut self) -> Result<HubAddress> {
        let hub = self.locator.find()?;
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
            publisher: config.id,
            token: None,
            can: [
                Some(Ability::Rungs),
                self.shared.orders.as_ref().map(|_| Ability::Controls),
                self.shared.outbox.as_ref().map(|_| Ability::Audio),
            ]
            .into_iter()
            .flatten()
            .collect(),
            request: ViewRequest::default(),
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
            state.demand.audio = false;
            state.demand.unwatched_since = Some(now());
        }
        state.fresh = true;
        // Who asked is not at the end of the next connection.
        state.answers.clear();
        drop(state);
        if let (LinkState::Connected, None, Some(hub)) = (link, self.locator.hub(), &self.hub) {
            // A hub in this process says it by itself.
            let how = if self.seal.is_some() { ", sealed end to end" } else { "" };
            log::info!("publishes {} at {hub}{how}", self.shared.config.stream);
        }
        self.told = None;
        self.supply.1 = None;
        self.rest.clear();
        self.hub_passes_sound = false;
        // A picture from before is old by now, and so is sound.
        self.shared.outbox.iter().for_each(|outbox| outbox.clear());
        let _ = self.pictures.try_take();
        self.shared.changed.notify_all();
    }

    fn control(&mut self, control: Control) -> Vec<Control> {
        if let Control::Welcome { max_picture, max_pixels, can, .. } = control {
            // Others end the connection over the first one, or leave all of them out.
            self.hub_passes_on = self.seal.is_none() || can.contains(&Ability::Seal);
            if !self.hub_passes_on {
                self.shared.end(Err(Error::Refused(
                    "this hub is of a version that passes no sealed pictures on: take a newer one, or send without a key"
                        .into(),
                )));
            }
            self.hub_passes_sound = can.contains(&Ability::Audio);
            (self.too_large, self.told_too_large) = (None, false);
            let most = usize::try_from(max_pixels).ok().filter(|max| *max > 0).unwrap_or(usize::MAX);
            self.max_pixels = most.min(self.shared.config.max_pixels);
            self.max_picture = usize::try_from(max_picture).ok().filter(|max| *max > 0).unwrap_or(usize::MAX);
        } else if let Control::Dropped { reason } = control {
            log::warn!("the hub leaves pictures of this stream out: {}", Untrusted(reason));
        } else if let Control::Set(set) = control {
            self.shared.order(Order::Set(set));
        } else if let Control::Demand { viewers, rungs, audio } = control {
            let mut state = self.shared.lock();
            state.heard = true;
            state.demand.unwatched_since = match viewers {
                0 => state.demand.unwatched_since.or_else(|| Some(now())),
                _ => None,
            };
            state.demand.viewers = viewers;
            state.demand.rungs = rungs;
            state.demand.rungs.truncate(4);
            state.demand.audio = audio;
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
        if at >= self.look_at_numbers {
            self.look_at_numbers = at + Duration::from_secs(1);
            let report = state.report(&self.shared.config, at);
            let load = if report.limit == Limit::Nothing { Load::default() } else { report.load };
            // Every viewer is told, so what a scene's bytes do in passing is left out.
            let before = self.numbers.0.take().filter(|before| is_about(before, &report.nominal));
            self.numbers = (before.or(Some(report.nominal).filter(|nominal| !nominal.size.is_empty())), load);
        }
        let own = state.why().clone();
        // Of who is asked for nothing nobody knows what the next would be.
        let is_asked = state.demand.viewers > 0 && at.since(self.passed) >= NONE_PASSES;
        let too_large = self.too_large.as_ref().filter(|_| is_asked);
        let reason = if own.is_empty() { too_large.cloned().unwrap_or_default() } else { own };
        let settling = state.exposure.is_settling(at);
        let mut messages: Vec<Control> = state.answers.drain(..).collect();
        drop(state);
        let (nominal, load) = self.numbers.clone();
        let live = reason.is_empty();
        let sealed = self.seal.is_some();
        let outbox = self.shared.outbox.as_ref().filter(|_| self.hub_passes_sound);
        let audio = outbox.map(|outbox| AudioState { muted: outbox.is_muted(), speaking: outbox.is_speaking() });
        let told = StreamState {
            live,
            reason,
            published: true,
            nominal,
            load,
            settling,
            sealed,
            audio,
            ..StreamState::default()
        };
        if self.told.as_ref() != Some(&told) {
            self.told = Some(told.clone());
            messages.push(Control::State(told));
        }
        messages
    }

    fn has_picture(&mut self) -> bool {
        // Rungs that were encoded since the frame's first was sent: the next frame must not take their place.
        if let Some(more) = self.pictures.take_if(|pictures| pictures.sequence() == self.frame) {
            self.rest.extend(more.pictures);
        }
        !self.rest.is_empty() || self.pictures.has_value()
    }

    fn next_audio(&mut self) -> Option<AudioPacket> {
        let packet = self.shared.outbox.as_ref().filter(|_| self.hub_passes_sound)?.take()?;
        match &mut self.seal {
            Some(seal) => seal.seal_audio(&packet),
            None => Some(packet),
        }
    }

    fn linger(&self) -> Duration {
        // A source that is over has a last picture; whoever interrupts does not wait for one.
        if matches!(self.shared.lock().over, Some(Ok(()))) { Duration::from_secs(1) } else { LINGER }
    }

    fn interval(&self) -> Duration {
        self.shared.config.interval()
    }

    fn carries(&mut self, bytes: u32) {
        let config = &self.shared.config;
        let mut state = self.shared.lock();
        state.carries = config.pacer().target(bytes, config.interval()).bytes;
        state.link_carries = config.pacer().carries(bytes, config.interval());
    }

    fn before_picture(&mut self) -> Option<Control> {
        self.take_frame();
        let (supply, told) = &mut self.supply;
        if self.rest.is_empty() || told.as_ref() == Some(supply) {
            return None;
        }
        *told = Some(*supply);
        let end = supply.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        Some(Control::Supply { rungs: supply[..end].to_vec() })
    }

    fn next_picture(&mut self) -> Option<Arc<Picture>> {
        self.take_frame();
        let mut picture = self.rest.pop_front().filter(|_| self.hub_passes_on)?;
        while let Err(why) = self.check(&picture) {
            let why = format!("pictures are left out: {why}");
            if !std::mem::replace(&mut self.told_too_large, true) {
                log::warn!("{why}");
            }
            self.too_large = Some(why);
            self.shared.lock().counts.broken += 1;
            picture = self.rest.pop_front()?;
        }
        if let Some(seal) = &mut self.seal {
            picture = seal.seal(&picture)?;
        }
        let at = now();
        (self.too_large, self.passed) = (None, at);
        let mut state = self.shared.lock();
        state.counts.sent += 1;
        state.sent.add(at, picture.length() as f64);
        state.age.add(at, millis(at.since(picture.captured)));
        state.newest = Some(picture.captured);
        Some(picture)
    }

    fn over(&mut self, error: Error) {
        self.shared.end(Err(error));
    }

    fn replaced(&mut self, why: String) {
        if self.locator.hub().is_none() {
            return self.over(Error::Refused(why));
        }
        // Others use the hub: it must not go because its own stream did.
        let mut state = self.shared.lock();
        state.connected = false;
        state.heard = false;
        state.demand.viewers = 0;
        state.demand.audio = false;
        state.link = format!("{why}; the hub goes on");
        log::warn!("{}; this program's source is closed, its hub goes on", why);
        drop(state);
        self.shared.stop();
    }
}

impl Uplink {
    /// Whether the hub takes a picture: it would end the connection over one that is too long.
    fn check(&self, picture: &Picture) -> std::result::Result<(), String> {
        let (length, most) = match self.seal {
            Some(_) => (Seal::length(picture), self.max_picture),
            None => (picture.data.len(), self.max_picture),
        };
        if length > most {
            // What comes as JPEG is not made smaller here.
            let ours = if picture.quality > 0 { "; lower --quality or --size" } else { "" };
            return Err(format!(
                "one of {length} bytes is more than the {most} that the hub takes (its --max-picture){ours}"
            ));
        }
        jpeg::checked_size(&picture.data, self.max_pixels).map(drop)
    }
}

/// The same pictures, and bytes within an eighth.
fn is_about(a: &NominalPicture, b: &NominalPicture) -> bool {
    (&a.size, a.quality, a.fps, a.interval_ms) == (&b.size, b.quality, b.fps, b.interval_ms)
        && a.bytes.abs_diff(b.bytes) <= a.bytes / 8
}
