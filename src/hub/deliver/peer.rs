//! One connection of a delivery loop: a publisher or a viewer, what it has been told and given, and its metrics.

mod member;
mod offer;
mod publisher;
mod sealed;
mod session;
mod steering;
#[cfg(test)]
mod tests;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) use self::offer::FanOut;
use self::session::{pacer_config, transmit};
use super::claim::{Challenge, Claim};
use super::member::RoomMember;
use super::newcomer::{Admitted, Newcomer, Purpose};
use super::read_turn::ReadTurn;
use super::subscription::Subscription;
use crate::access::{Credentials, Grant, Join};
use crate::adapt::Target;
use crate::hub::BridgeTimes;
use crate::hub::address_limits::Place;
use crate::hub::bridges::keepalive::Keepalive;
use crate::hub::bridges::rooms::Feed;
use crate::hub::counters::{Metrics, ViewerNumbers};
use crate::hub::memory::{Account, Held};
use crate::hub::placeholder::Placeholder;
use crate::hub::stream::Stream;
use crate::hub::{HubConfig, PROGRAM, Shared, Totals};
use crate::names::StreamKey;
use crate::net::connection::{Connection, ConnectionError, Drained, Framing};
use crate::pacing::{Pacer, PacerConfig};
use crate::relay::ConnectionId;
use crate::relay::silence::Gives;
use crate::session::in_words;
use crate::session::server::Server;
use crate::time::{Micros, now};
use crate::wire::control::{Ability, AudioState, Control, Role};
use crate::wire::packet::Packet;

/// How long a connection that has been told goodbye may take to read it.
const LINGER: Duration = Duration::from_secs(1);

pub(super) enum PeerRole {
    /// Between adoption and the rules' answer, and after goodbye.
    None,
    Publisher(Arc<Stream>),
    Viewer(Subscription),
    Member(Box<RoomMember>),
}

/// What a native viewer was told last.
#[derive(Default)]
struct Told {
    /// Bytes a picture that its connection carries.
    carries: Option<u32>,
    /// How busy its loop is, in percent.
    busy: Option<u8>,
    /// How far off its publisher's clock may be, in microseconds.
    clock: Option<u64>,
}

/// When something last went on.
pub(super) struct Activity {
    /// It took a byte, or had nothing to take.
    pub(super) progress: Micros,
    /// It was given the last picture.
    given: Micros,
    /// It was seen to have nothing to take.
    idle: Micros,
    /// It was seen to be busy, and how much had come then.
    busy_at: (Micros, u64),
}

/// What whoever publishes is, or waits for.
#[derive(Default)]
pub(super) struct Publishing {
    /// It encodes what is demanded.
    rungs: bool,
    /// Its source has controls.
    controls: bool,
    /// How its sound was when it said so last.
    audio: Option<AudioState>,
    /// Its pictures are those that it gave.
    gives: bool,
    /// The number that its machine keeps; 0: none.
    pub(super) machine_id: u64,
    /// What came before it was let in.
    first: Option<(Packet, Micros)>,
    /// Its name is asked for.
    pub(super) challenge: Option<Box<Challenge>>,
    /// It waits for a name that is taken.
    pub(super) claim: Option<Box<Claim>>,
}

/// What a connection was let in for.
pub(super) enum HeldRight {
    Publish(StreamKey),
    Watch(StreamKey),
    Join(StreamKey),
}

/// Laid out as written (`repr(C)`): what every picture touches comes first and side by side, since with a thousand viewers
/// none of it is in the cache any more when the next picture comes.
#[repr(C)]
pub(super) struct Peer {
    pub(super) role: PeerRole,
    /// Until when it is given nothing.
    paced: Option<Micros>,
    /// Goodbye was said: when the connection is closed at the latest.
    closing: Option<Micros>,
    /// What its link and its request ask of the stream now.
    pub(super) target: Target,
    /// It opens sealed pictures, or says why it cannot.
    opens: bool,
    /// It wants sound.
    listens: bool,
    listening_changed: bool,
    told: Told,
    /// It is on the loop's list of those who wait until a point in time.
    pub(super) listed: bool,
    /// It is on the loop's list of those with more to read than one turn took.
    pub(super) reads_on: bool,
    /// Its account holds something.
    holds: bool,
    /// What is to be read of it came after this time; `None`: nothing is.
    pub(super) unread_since: Option<Micros>,
    pub(super) pacer: Pacer,
    pub(super) connection: Connection,
    metrics: Metrics,
    pub(super) activity: Activity,
    pub(super) id: ConnectionId,
    pub(super) address: SocketAddr,
    pub(super) credentials: Credentials,
    /// What it may do, and by which policy that was looked at last.
    held: HeldRight,
    policy: u64,
    what: String,
    pub(super) session: Option<Server>,
    pub(super) bare: bool,
    pub(super) publishing: Publishing,
    room: String,
    since: Micros,
    reported: (Micros, u64),
    /// Pictures, bytes, skips and errors that are in the hub's sums already.
    summed: [u64; 4],
    numbers: Arc<ViewerNumbers>,
    keepalive: Option<Keepalive>,
    /// What a viewer who sees nothing but pictures is shown while there is none.
    placeholder: Option<Placeholder>,
    _place: Place,
    _feed: Option<Feed>,
    account: Account,
}

impl Peer {
    /// The peer, what it wants, and what was read of it already.
    pub(super) fn new(newcomer: Newcomer, times: BridgeTimes, now: Micros) -> (Self, Purpose, Vec<u8>) {
        let Admitted { credentials, framing, purpose, hello, apart, feed, first } = newcomer.admitted;
        let mut connection = Connection::new(newcomer.transport, framing);
        if let Purpose::Watch(_) = purpose {
            connection.refuse_pictures();
        }
        let framing = connection.framing();
        // A proxy that is believed says where it comes from.
        let address = SocketAddr::new(credentials.address, newcomer.address.port());
        let bare = first.is_some() || matches!(framing, Framing::Body(_));
        let numbers = Arc::new(ViewerNumbers::new(address, framing.name(), now));
        let keepalive = matches!(framing, Framing::Bridge(..)).then(|| Keepalive::new(times, now));
        let can = |ability| hello.as_ref().is_some_and(|hello| hello.can.contains(&ability));
        let (rungs, acknowledges, opens) = (can(Ability::Rungs), can(Ability::Ack), can(Ability::Seal));
        let controls = can(Ability::Controls);
        let machine_id = hello.as_ref().map_or(0, |hello| hello.publisher);
        let session = hello.as_ref().filter(|_| connection.speaks()).map(|hello| hello.role);
        let request = hello.map(|hello| hello.request).unwrap_or_default();
        let listens = session == Some(Role::View) && request.audio;
        let mut pacer = Pacer::new(PacerConfig { apart, ..pacer_config(request) });
        if acknowledges {
            pacer.expect_acknowledgements();
        }
        let held = match &purpose {
            Purpose::Publish { grant, .. } => HeldRight::Publish(grant.0.clone()),
            Purpose::Watch(grant) => HeldRight::Watch(grant.0.clone()),
            Purpose::Join { grant, .. } => HeldRight::Join(grant.0.clone()),
        };
        let (what, room) = match &purpose {
            Purpose::Publish { grant, .. } => (format!("publisher of {}", grant.0), grant.0.room.clone()),
            Purpose::Watch(grant) => (format!("viewer of {}", grant.0), grant.0.room.clone()),
            Purpose::Join { grant, .. } => (format!("member {}", grant.0), grant.0.room.clone()),
        };
        let peer = Self {
            id: newcomer.id,
            address,
            credentials,
            held,
            policy: 0,
            session: session.map(|role| Server::new(role, now)),
            connection,
            role: PeerRole::None,
            paced: None,
            what,
            bare,
            publishing: Publishing { rungs, controls, machine_id, first, ..Publishing::default() },
            room,
            closing: None,
            activity: Activity { progress: now, given: now, idle: now, busy_at: (now, 0) },
            since: now,
            metrics: Metrics::default(),
            reported: (now, 0),
            summed: [0; 4],
            target: pacer.target(),
            opens,
            listens,
            listening_changed: false,
            pacer,
            told: Told::default(),
            listed: false,
            reads_on: false,
            holds: false,
            unread_since: None,
            numbers,
            keepalive,
            placeholder: newcomer.placeholder,
            _feed: feed,
            _place: newcomer.place,
            account: newcomer.account,
        };
        (peer, purpose, newcomer.early)
    }

    pub(super) fn welcome(&mut self, key: &StreamKey, config: &HubConfig) -> Result<(), ConnectionError> {
        let (room, name) = (key.room.clone(), key.name.clone());
        let (max_picture, max_pixels) = (config.max_picture as u64, config.max_pixels as u64);
        if let Some(session) = &mut self.session {
            let program = PROGRAM.into();
            let can = vec![Ability::Seal, Ability::Controls, Ability::Audio];
            session.accept(Control::Welcome { room, name, program, max_picture, max_pixels, can }, now());
        }
        self.transmit(now())
    }

    /// Begins to publish what the rules have given it.
    pub(super) fn publish(&mut self, stream: Arc<Stream>) {
        stream.begin(if self.bare { Gives::Always } else { Gives::OnDemand { rungs: self.publishing.rungs } }, now());
        stream.steering().begin(self.id, self.publishing.controls);
        self.role = PeerRole::Publisher(stream);
        self.publishing.gives = true;
    }

    /// Is in a room from now on.
    pub(super) fn join(&mut self, grant: &Grant<Join>, called: &str, times: BridgeTimes) {
        let member = RoomMember::new(grant.clone(), called.into(), times.room_ping_every, now());
        self.role = PeerRole::Member(Box::new(member));
    }

    pub(super) fn is_member(&self) -> bool {
        matches!(self.role, PeerRole::Member(_))
    }

    /// What it publishes.
    pub(super) fn published(&self) -> Option<&Arc<Stream>> {
        match &self.role {
            PeerRole::Publisher(stream) => Some(stream),
            PeerRole::Member(member) => member.publishes(),
            PeerRole::None | PeerRole::Viewer(_) => None,
        }
    }

    /// The room that it is in.
    pub(super) fn room(&self) -> &str {
        &self.room
    }

    /// Passes a text of somebody else on; one that reads too slowly for what others say misses some of it.
    pub(super) fn text(&mut self, text: &str) -> Result<(), ConnectionError> {
        if self.closing.is_some() {
            return Ok(());
        }
        if let PeerRole::Member(member) = &mut self.role
            && !member.keeps_text(self.connection.waiting())
        {
            self.metrics.skipped += member.texts_lost();
            return Ok(());
        }
        self.connection.send_text(text)
    }

    fn wants_picture(&self) -> bool {
        self.connection.is_idle() && self.closing.is_none()
    }

    /// Goes on with what was partly written.
    pub(super) fn flush(&mut self, now: Micros) -> Result<(), ConnectionError> {
        let before = self.connection.bytes_out();
        self.connection.flush()?;
        if self.connection.bytes_out() > before || self.connection.is_idle() {
            self.activity.progress = now;
        }
        Ok(())
    }

    /// Takes what was read before the connection came to this loop.
    pub(super) fn feed(&mut self, reading: &mut ReadTurn<'_>, early: &mut [u8]) -> Result<(), ConnectionError> {
        let first = self.publishing.first.take();
        self.hear(reading, |connection, take| {
            first.map_or(Ok(()), |(packet, began)| take(packet, began))?;
            connection.feed(early, take)
        })
    }

    /// Reads what there is, as much as one turn allows.
    pub(super) fn read(&mut self, reading: &mut ReadTurn<'_>, scratch: &mut [u8]) -> Result<Drained, ConnectionError> {
        let drained = self.hear(reading, |connection, take| connection.read(scratch, take))?;
        if drained == Drained::Yes {
            self.unread_since = None;
        }
        Ok(drained)
    }

    /// Counts the memory that it takes now.
    pub(super) fn account_for(&mut self) -> Result<(), ConnectionError> {
        let picture = self.connection.picture_held();
        // A picture may be encrypted whole, and wait in records.
        let sends = picture > 0 || self.connection.sends_picture();
        let progress = if sends { self.activity.progress } else { self.connection.last_read() };
        let held = Held { bytes: self.connection.held() + picture, picture, progress };
        // Most hold nothing, ever, and are asked at every turn.
        if !std::mem::replace(&mut self.holds, !held.is_nothing()) && held.is_nothing() {
            return Ok(());
        }
        self.account.hold(held).map_err(|full| ConnectionError::Full(full.to_string()))
    }

    /// Adds what came since the last time to the hub's sums.
    pub(super) fn sum_up(&mut self, totals: &Totals) {
        let given = if self.publishing.gives { 0 } else { self.metrics.pictures };
        let sums = [given, self.connection.bytes_out(), self.metrics.skipped, self.metrics.errors];
        let all = [&totals.pictures, &totals.bytes, &totals.skipped, &totals.errors];
        for ((sum, before), total) in sums.iter().zip(&mut self.summed).zip(all) {
            total.fetch_add(sum.saturating_sub(*before), Ordering::Relaxed);
            *before = *sum;
        }
    }

    /// The peer has nothing to do here any more: sums, the line about it, and why, to itself. True: the connection closes when
    /// it has read that.
    pub(super) fn end(&mut self, shared: &Shared, why: &ConnectionError, now: Micros) -> bool {
        let broken = matches!(
            why,
            ConnectionError::Wire(_) | ConnectionError::Stuck | ConnectionError::Slow(_) | ConnectionError::Full(_)
        );
        self.metrics.errors += u64::from(broken);
        self.sum_up(&shared.totals);
        log::debug!("{}; ended: {why}", self.line(now));
        self.say_why(why)
    }

    fn line(&self, now: Micros) -> String {
        let open = now.since(self.since);
        let recent = now.since(self.reported.0).as_secs_f64().max(0.001);
        let fps = (self.metrics.pictures - self.reported.1) as f64 / recent;
        let age = self.metrics.age_sum.as_secs_f64() * 1e3 / (self.metrics.pictures.max(1)) as f64;
        format!(
            "{} {}: {} pictures, {:.1} MB, {fps:.1} fps, age {age:.1} ms, {} skipped, {} errors, {}",
            self.what,
            self.address,
            self.metrics.pictures,
            self.connection.bytes_in.max(self.connection.bytes_out()) as f64 / 1e6,
            self.metrics.skipped,
            self.metrics.errors,
            in_words(open),
        )
    }
}
