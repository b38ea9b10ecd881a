//! How a connection is given the pictures of what it watches, one stream or several: what its policy chooses, when its pacer
//! allows, at the rendition that its link carries.

use std::sync::Arc;
use std::time::Duration;

use super::{Peer, Role, transmit};
use crate::adapt::ANY;
use crate::frame::Picture;
use crate::hub::numbers::Tally;
use crate::hub::stream::Stream;
use crate::net::connection::Broken;
use crate::net::layout::Dialect;
use crate::relay::policy::{Choice, Newest};
use crate::relay::renditions::Renditions;
use crate::time::Micros;
use crate::transport::pages::SharedPages;
use crate::wire::control::Control;

/// A stream that a connection is given.
pub(in crate::hub::deliver) struct Subscription {
    pub(in crate::hub::deliver) stream: Arc<Stream>,
    pub(in crate::hub::deliver) policy: Newest,
}

impl Subscription {
    pub(in crate::hub::deliver) fn new(stream: Arc<Stream>) -> Self {
        Self { stream, policy: Newest::default() }
    }
}

/// What a loop makes and counts while it gives out the pictures of one stream.
#[derive(Default)]
pub(in crate::hub::deliver) struct Turn {
    pub(in crate::hub::deliver) pages: SharedPages,
    pub(in crate::hub::deliver) tally: Tally,
}

impl Peer {
    /// A viewer watches this stream now, and no other.
    pub(in crate::hub::deliver) fn watch(&mut self, stream: &Arc<Stream>) {
        stream.numbers.join(self.numbers.clone());
        self.clock_told = None;
        self.pacer.begins();
        self.role = Role::Viewer(Subscription::new(stream.clone()));
    }

    /// Ends watching, and says what was watched.
    pub(in crate::hub::deliver) fn unwatch(&mut self) -> Option<u64> {
        let Role::Viewer(viewer) = &self.role else { return None };
        let id = viewer.stream.id;
        viewer.stream.numbers.leave(&self.numbers);
        self.role = Role::None;
        Some(id)
    }

    /// The streams that it sees, beginning with whose turn it is.
    pub(in crate::hub::deliver) fn watched(&mut self) -> impl Iterator<Item = Arc<Stream>> + use<> {
        let (one, many) = match &mut self.role {
            Role::Viewer(viewer) => (Some(viewer.stream.clone()), Vec::new()),
            Role::Member(member) => (None, member.seen()),
            Role::None | Role::Publisher(_) => (None, Vec::new()),
        };
        one.into_iter().chain(many)
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
        turn: &mut Turn,
        now: Micros,
    ) -> Result<bool, Broken> {
        // Its link carries the pictures of all that it sees.
        let (policy, among, mut seen) = match &mut self.role {
            Role::Viewer(viewer) if viewer.stream.id == stream => (&mut viewer.policy, 1, None),
            Role::Member(member) => {
                let among = member.among();
                let Some((policy, seen)) = member.find(stream) else { return Ok(false) };
                (policy, among, Some(seen))
            }
            _ => return Ok(false),
        };
        let picture = match policy.choose(pictures, self.need, now) {
            Choice::Picture(picture) => picture,
            Choice::Later(until) => {
                self.paced = Some(until);
                return Ok(false);
            }
            Choice::Nothing => return Ok(false),
        };
        self.paced = self.pacer.ask(now, pictures.interval / among, &mut self.connection.transport);
        let before = std::mem::replace(&mut self.need, self.pacer.need());
        let need_changed = self.need != before;
        let carries = Some(self.pacer.carries()).filter(|bytes| *bytes != ANY);
        let idle = self.connection.is_idle() && self.closing.is_none();
        if carries != self.carries {
            self.carries = carries;
            let link = Control::Link { bytes: carries, busy: self.busy };
            if let Some(session) = &mut self.session {
                session.tell(link, self.connection.nothing_waits(), now);
                transmit(&mut self.session, &mut self.connection, &mut self.pacer, now)?;
            }
        }
        if self.paced.is_some() || !idle || !self.connection.is_idle() {
            return Ok(need_changed);
        }
        if let Some(seen) = &seen {
            self.connection.speak(Dialect::Room { opening: seen.opening.clone(), binary: seen.binary });
        }
        let bytes = self.connection.length_of(picture);
        self.pacer.given(picture.sequence, bytes, now);
        self.connection.send_picture(picture, Some(&mut turn.pages), in_hub(picture, now))?;
        let skipped = policy.gave(picture);
        match &mut seen {
            Some(seen) => {
                turn.tally.sent(seen.metrics, picture, skipped, now);
                self.metrics.pictures += 1;
                self.metrics.age_sum += now.since(picture.captured);
            }
            None => turn.tally.sent(&mut self.metrics, picture, skipped, now),
        }
        (self.progress, self.given) = (now, now);
        Ok(need_changed)
    }

    /// Its loop has so much to do that pictures wait, or has not any more.
    pub(in crate::hub::deliver) fn loop_is_busy(&mut self, busy: Option<u8>) -> Result<(), Broken> {
        if !matches!(self.role, Role::Viewer(_)) || self.busy == busy {
            return Ok(());
        }
        self.busy = busy;
        self.tell(&Control::Link { bytes: self.carries, busy })
    }
}

/// How long the hub has had a picture.
fn in_hub(picture: &Picture, now: Micros) -> Duration {
    let spans = picture.spans;
    now.since(picture.captured + spans.capture + spans.encode + spans.uplink)
}
