//! How a connection is given the pictures of what it watches, one stream or several: what its policy chooses, when its pacer
//! allows, at the rendition that its link carries.

use std::sync::Arc;
use std::time::Duration;

use super::{Peer, PeerRole, transmit};
use crate::adapt::ANY;
use crate::frame::{AudioPacket, Codec, Picture, Spans};
use crate::hub::counters::Deliveries;
use crate::hub::deliver::subscription::Subscription;
use crate::hub::placeholder::Placeholders;
use crate::hub::stream::Stream;
use crate::net::connection::ConnectionError;
use crate::net::layout::Dialect;
use crate::relay::audio::{Listener, RecentAudio};
use crate::relay::policy::Choice;
use crate::relay::renditions::Renditions;
use crate::time::{Micros, now};
use crate::transport::pages::SharedPages;
use crate::wire::control::Control;

/// What a loop makes and counts while it gives out the pictures of one stream.
pub(in crate::hub::deliver) struct FanOut {
    pub(in crate::hub::deliver) pages: SharedPages,
    pub(in crate::hub::deliver) deliveries: Deliveries,
    /// What those are shown who cannot open a sealed picture.
    pub(super) placeholders: Arc<Placeholders>,
}

impl FanOut {
    pub(in crate::hub::deliver) fn new(placeholders: &Arc<Placeholders>) -> Self {
        let placeholders = placeholders.clone();
        Self { pages: SharedPages::default(), deliveries: Deliveries::default(), placeholders }
    }
}

impl Peer {
    /// A viewer watches this stream now, and no other.
    pub(in crate::hub::deliver) fn watch(&mut self, stream: &Arc<Stream>) {
        stream.numbers.join(self.numbers.clone());
        self.told.clock = None;
        self.pacer.begins();
        self.role = PeerRole::Viewer(Subscription::new(stream.clone(), now()));
        self.listening_changed = self.listens;
    }

    /// Ends watching, and says what was watched.
    pub(in crate::hub::deliver) fn unwatch(&mut self) -> Option<u64> {
        let PeerRole::Viewer(viewer) = &self.role else { return None };
        let id = viewer.stream.id;
        viewer.stream.numbers.leave(&self.numbers);
        self.role = PeerRole::None;
        Some(id)
    }

    /// The streams that it sees, beginning with whose turn it is.
    pub(in crate::hub::deliver) fn watched(&mut self) -> impl Iterator<Item = Arc<Stream>> + use<> {
        let (one, many) = match &mut self.role {
            PeerRole::Viewer(viewer) => (Some(viewer.stream.clone()), Vec::new()),
            PeerRole::Member(member) => (None, member.seen()),
            PeerRole::None | PeerRole::Publisher(_) => (None, Vec::new()),
        };
        one.into_iter().chain(many)
    }

    /// The streams that it sees, by their numbers.
    pub(in crate::hub::deliver) fn streams(&self) -> Vec<u64> {
        match &self.role {
            PeerRole::Viewer(viewer) => vec![viewer.stream.id],
            PeerRole::Member(member) => member.streams().collect(),
            PeerRole::None | PeerRole::Publisher(_) => Vec::new(),
        }
    }

    /// Until when it is given nothing.
    pub(in crate::hub::deliver) fn paced_until(&self) -> Option<Micros> {
        self.paced
    }

    /// The time has come until which it was to wait.
    pub(in crate::hub::deliver) fn wait_no_more(&mut self) {
        (self.listed, self.paced) = (false, None);
    }

    /// Gives it a picture of a stream, if there is one for it and it can take one now. Says whether what it needs has changed; if
    /// it must wait, [`Self::paced_until`] says how long.
    pub(in crate::hub::deliver) fn offer(
        &mut self,
        stream: u64,
        pictures: &Renditions,
        fan_out: &mut FanOut,
        now: Micros,
    ) -> Result<bool, ConnectionError> {
        if self.closing.is_some() {
            return Ok(false);
        }
        let choice = match &mut self.role {
            PeerRole::Viewer(viewer) if viewer.stream.id == stream => viewer.policy.choose(pictures, self.target, now),
            PeerRole::Member(member) => match member.find(stream) {
                Some((policy, _)) => policy.choose(pictures, self.target, now),
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        let picture = match choice {
            Choice::Picture(picture) => picture,
            Choice::Later(until) => {
                self.paced = Some(self.paced.map_or(until, |paced| paced.min(until)));
                return Ok(false);
            }
            Choice::Nothing => return Ok(false),
        };
        if picture.codec == Codec::Sealed && !self.opens {
            return self.offer_stand_in(stream, picture, fan_out, now).map(|()| false);
        }
        let mut idle = self.connection.is_idle();
        let interval = match &mut self.role {
            PeerRole::Member(member) => {
                let interval = member.comes(stream, pictures.interval, now);
                // The link is not asked again for each of many streams while it has a picture to carry.
                if !idle && !member.asks_again(interval, now) {
                    return Ok(false);
                }
                interval
            }
            _ => pictures.interval,
        };
        let wait = self.pacer.ask(now, interval, &mut self.connection.transport);
        // What one stream waits for is not forgotten because another need not wait.
        match (wait, &self.role) {
            (None, PeerRole::Member(_)) => {}
            _ => self.paced = wait,
        }
        let before = std::mem::replace(&mut self.target, self.pacer.target());
        let target_changed = self.target != before;
        let carries = Some(self.pacer.carries()).filter(|bytes| *bytes != ANY);
        if carries != self.told.carries {
            self.told.carries = carries;
            let link = Control::Link { bytes: carries, busy: self.told.busy };
            if let Some(session) = &mut self.session {
                session.tell(link, self.connection.nothing_waits(), now);
                transmit(&mut self.session, &mut self.connection, &mut self.pacer, now)?;
            }
        }
        idle &= self.connection.is_idle();
        if wait.is_some() || !idle {
            return Ok(target_changed);
        }
        let number = match &mut self.role {
            PeerRole::Member(member) => {
                let number = member.next_given();
                let Some((policy, seen)) = member.find(stream) else { return Ok(target_changed) };
                self.connection.speak(Dialect::Room { opening: seen.opening.clone(), binary: seen.binary });
                fan_out.deliveries.sent(seen.metrics, picture, policy.gave(picture), now);
                self.metrics.pictures += 1;
                self.metrics.age_sum += now.since(picture.captured);
                number
            }
            PeerRole::Viewer(viewer) => {
                fan_out.deliveries.sent(&mut self.metrics, picture, viewer.policy.gave(picture), now);
                picture.sequence
            }
            PeerRole::None | PeerRole::Publisher(_) => return Ok(target_changed),
        };
        self.pacer.given(number, self.connection.length_of(picture), now);
        self.connection.send_picture(picture, Some(&mut fan_out.pages), in_hub(picture, now))?;
        (self.activity.progress, self.activity.given) = (now, now);
        Ok(target_changed)
    }

    /// It wants sound from now on, or no more.
    pub(super) fn listen(&mut self, listens: bool, now: Micros) {
        if listens
            && !self.listens
            && let PeerRole::Viewer(viewer) = &mut self.role
        {
            viewer.listener = Listener::new(now);
        }
        self.listening_changed |= self.listens != listens;
        self.listens = listens;
    }

    /// Whether it wants sound.
    pub(in crate::hub::deliver) fn listens(&self) -> bool {
        self.listens
    }

    /// Whether it wants sound where it did not before, or the other way round, since this was asked last.
    pub(in crate::hub::deliver) fn has_changed_listening(&mut self) -> bool {
        std::mem::take(&mut self.listening_changed)
    }

    /// Gives it the sound of a stream that it can take now. What it cannot take waits in the stream's track.
    pub(in crate::hub::deliver) fn offer_audio(
        &mut self,
        stream: &Stream,
        recent: &RecentAudio,
        now: Micros,
    ) -> Result<(), ConnectionError> {
        let PeerRole::Viewer(viewer) = &mut self.role else { return Ok(()) };
        if self.closing.is_some() || !self.listens || viewer.stream.id != stream.id {
            return Ok(());
        }
        while self.connection.is_idle() {
            let Some((packet, lost)) = viewer.listener.next(recent, now) else { break };
            stream.numbers.sent_audio(lost);
            self.connection.send_audio(packet, audio_in_hub(packet, now))?;
        }
        Ok(())
    }

    /// Its loop has so much to do that pictures wait, or has not any more.
    pub(in crate::hub::deliver) fn loop_is_busy(&mut self, busy: Option<u8>) -> Result<(), ConnectionError> {
        if !matches!(self.role, PeerRole::Viewer(_)) || self.told.busy == busy {
            return Ok(());
        }
        self.told.busy = busy;
        self.tell(&Control::Link { bytes: self.told.carries, busy })
    }
}

/// How long the hub has had a picture.
fn in_hub(picture: &Picture, now: Micros) -> Duration {
    since(picture.captured, picture.spans, now)
}

/// How long the hub has had a packet of sound.
fn audio_in_hub(packet: &AudioPacket, now: Micros) -> Duration {
    since(packet.captured, packet.spans, now)
}

fn since(captured: Micros, spans: Spans, now: Micros) -> Duration {
    now.since(captured + spans.capture + spans.encode + spans.uplink)
}
