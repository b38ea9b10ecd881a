//! How a viewer is given pictures: the newest one, when its credit allows, at the rung that its link carries.

use std::sync::Arc;
use std::time::Duration;

use super::{Peer, Role, transmit};
use crate::adapt::{ANY, Resolution};
use crate::frame::Picture;
use crate::hub::numbers::Tally;
use crate::hub::stream::{Newest, Stream};
use crate::net::connection::Broken;
use crate::room::ConnectionId;
use crate::time::Micros;
use crate::transport::pages::SharedPages;
use crate::wire::control::Control;

/// How long a newcomer waits for the first picture of its own kind, beyond the time between two pictures: its demand has
/// to reach the publisher.
const FOLLOWS: Duration = Duration::from_millis(100);

/// The longest that it waits, however slow the stream.
const CHOOSY: Duration = Duration::from_millis(500);

/// How long a recorder, who gets one size whatever its link carries, waits for a picture of that size: it would keep the
/// size of its first one for ever, and another in between ends some. A busy publisher takes a while to follow, and one with a
/// slow uplink leaves its largest pictures out at times.
const RECORDER: Duration = Duration::from_secs(5);

/// What makes a viewer.
pub(in crate::hub::deliver) struct Viewer {
    stream: Arc<Stream>,
    /// Until when its credit says no.
    paced: Option<Micros>,
    /// Until when it is given no picture but one of the kind that it asks for.
    choosy: Option<Micros>,
}

/// What a loop makes and counts while it gives out the pictures of one stream.
#[derive(Default)]
pub(in crate::hub::deliver) struct Turn {
    pub(in crate::hub::deliver) pages: SharedPages,
    pub(in crate::hub::deliver) tally: Tally,
}

impl Viewer {
    /// How far off the publisher's clock may be, in microseconds.
    pub(super) fn clock_error(&self) -> Option<u64> {
        self.stream.clock_error()
    }
}

impl Peer {
    pub(in crate::hub::deliver) fn watch(&mut self, id: ConnectionId, stream: &Arc<Stream>) {
        if let Role::Member(member) = &mut self.role {
            return member.watch(id, stream);
        }
        stream.numbers.join(self.numbers.clone());
        self.clock_told = None;
        self.pacer.begins();
        self.role = Role::Viewer(Viewer { stream: stream.clone(), paced: None, choosy: None });
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

    /// Until when the viewer's credit says no.
    pub(in crate::hub::deliver) fn paced_until(&self) -> Option<Micros> {
        match &self.role {
            Role::Viewer(viewer) => viewer.paced,
            Role::Member(member) => member.paced,
            Role::None | Role::Publisher(_) => None,
        }
    }

    /// The time has come until which it was to wait.
    pub(in crate::hub::deliver) fn wait_no_more(&mut self) {
        self.listed = false;
        match &mut self.role {
            Role::Viewer(viewer) => viewer.paced = None,
            Role::Member(member) => member.paced = None,
            Role::None | Role::Publisher(_) => {}
        }
    }

    /// Gives a viewer the newest picture of a stream for it, if it has not had it and can take one now. Says whether
    /// what it needs has changed; if it must wait, [`Self::paced_until`] says how long.
    pub(in crate::hub::deliver) fn offer(
        &mut self,
        stream: u64,
        newest: &Newest,
        turn: &mut Turn,
        now: Micros,
    ) -> Result<bool, Broken> {
        if self.is_member() {
            return self.offer_view(stream, newest, turn, now).map(|()| false);
        }
        let Role::Viewer(viewer) = &mut self.role else { return Ok(false) };
        let Some(picture) = newest.choose(self.need) else { return Ok(false) };
        let given = self.pacer.last();
        if viewer.stream.id != stream || !is_news(given, picture) {
            return Ok(false);
        }
        let records = self.need.size == Resolution::Full;
        if given.is_none() && !newest.meets(self.need) || records && !newest.has_size(self.need) {
            // The next picture is the one it wants, demanded as it came: in a moment, and not a small one for a while.
            let patience = if records { RECORDER } else { (2 * newest.interval + FOLLOWS).min(CHOOSY) };
            let until = *viewer.choosy.get_or_insert(now + patience);
            if now < until {
                viewer.paced = Some(until);
                return Ok(false);
            }
        }
        viewer.paced = self.pacer.ask(now, newest.interval, &mut self.connection.transport);
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
        if viewer.paced.is_some() || !idle || !self.connection.is_idle() {
            return Ok(need_changed);
        }
        let bytes = self.connection.length_of(picture);
        self.pacer.given(picture.sequence, bytes, now);
        self.connection.send_picture(picture, Some(&mut turn.pages), in_hub(picture, now))?;
        let skipped = given.map_or(0, |given| skipped(given, picture));
        turn.tally.sent(&mut self.metrics, picture, skipped, now);
        viewer.choosy = None;
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

/// Whether a picture comes after the one that was given last.
pub(in crate::hub::deliver) fn is_news(given: Option<u32>, picture: &Picture) -> bool {
    given.is_none_or(|given| picture.sequence.wrapping_sub(given).wrapping_sub(1) <= u32::MAX / 2)
}

/// How long the hub has had a picture.
pub(in crate::hub::deliver) fn in_hub(picture: &Picture, now: Micros) -> Duration {
    let spans = picture.spans;
    now.since(picture.captured + spans.capture + spans.encode + spans.uplink)
}

/// Pictures left out between the one given last and this one.
pub(in crate::hub::deliver) fn skipped(given: u32, picture: &Picture) -> u64 {
    u64::from(picture.sequence.wrapping_sub(given).saturating_sub(1))
}
