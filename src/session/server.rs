//! The side of a session that is connected to: the hub's, from a peer's hello on. No socket, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use super::latest::{Latest, Rate};
use super::{ClockOffset, DEAD_AFTER, Due, Session};
use crate::adapt::Rung;
use crate::frame::{AudioPacket, Picture};
use crate::names::StreamKey;
use crate::text::Untrusted;
use crate::time::{Micros, PeerMicros, micros};
use crate::wire::WireError;
use crate::wire::camera_controls::{ControlList, SetControls};
use crate::wire::control::{Cause, Control, NominalPicture, Role, StreamState, ViewRequest, answer};
use crate::wire::packet::Packet;

/// Requests that others have to hear of: so many at once, then one each so often. A person who clicks through streams makes
/// a few a second.
const REQUESTS_AT_ONCE: u32 = 16;
const REQUEST_EVERY: Duration = Duration::from_micros(6250);
/// A list of streams is made for each who asks so many times at once, and then once each so often.
const LISTS_AT_ONCE: u32 = 8;
const LIST_EVERY: Duration = Duration::from_millis(500);
/// A publisher tells its controls in so many packets at once, and then one each so often.
const CONTROLS_AT_ONCE: u32 = 64;
const CONTROLS_EVERY: Duration = Duration::from_millis(8);
/// A publisher gives so many packets of sound at once, and then one each so often: twice as many as there are, and a second that was
/// held up.
const AUDIO_AT_ONCE: u32 = 100;
const AUDIO_EVERY: Duration = Duration::from_millis(10);

/// What happened in a session.
#[derive(Debug)]
pub enum Event {
    /// A publisher's picture, with its capture time in our clock. It has been acknowledged.
    Picture(Picture),
    /// A publisher's packet of sound, with its capture time in our clock.
    Audio(AudioPacket),
    /// A picture of a codec that this version does not know. It has been acknowledged.
    UnknownCodec {
        /// The codec.
        codec: u8,
    },
    /// A packet of a kind that this version does not know.
    UnknownKind,
    /// A viewer has a picture.
    Acknowledged {
        /// Its number.
        sequence: u32,
        /// Pictures that wait for its decoder.
        backlog: u16,
        /// This may have been here since then.
        since: Micros,
    },
    /// A ping was answered after so long; [`Server::clock`] may know more.
    RoundTrip(Duration),
    /// A viewer asks for another stream, or for another picture of it.
    Subscribe {
        /// The stream; without a name, the first of its room.
        key: StreamKey,
        /// What is wanted of it.
        request: ViewRequest,
    },
    /// How a publisher's stream is doing, in words that can be shown.
    State(StreamState),
    /// What a publisher's pictures are encoded for from here on, see [`Control::Supply`].
    Supply(Vec<Option<Rung>>),
    /// A viewer sets controls of the stream's camera, or asks for them.
    Set(SetControls),
    /// What a publisher says of its controls; words in it are as they came.
    Controls(ControlList),
    /// The session is over, and whatever goodbye there is to say is in [`Server::poll_transmit`]. Nothing follows.
    Ended(End),
}

/// Why a session is over.
#[derive(Debug)]
pub enum End {
    /// The peer says goodbye.
    Goodbye,
    /// Nothing was heard from the peer for [`DEAD_AFTER`].
    Silent,
    /// The peer asks for what cannot be had, for this reason.
    Refused(String),
    /// The peer broke the protocol.
    Violation(WireError),
}

/// A packet's times.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When its first byte was here.
    pub began: Micros,
    /// It may have been here, unread, since then.
    pub since: Micros,
}

/// The hub's side of a session with one peer, from its hello to the goodbye.
///
/// The order of calls: [`new`](Self::new), then [`accept`](Self::accept), or [`tell`](Self::tell) with a
/// [`Control::Bye`]; the answer may take its time. After each of these and after each `handle_*`, take everything out of
/// [`poll_event`](Self::poll_event) and [`poll_transmit`](Self::poll_transmit). Call
/// [`handle_packet`](Self::handle_packet) for each packet, [`handle_bytes`](Self::handle_bytes) when bytes came, whether or
/// not a packet is whole, and [`handle_timeout`](Self::handle_timeout) ten times a second: what is kept back for the peer,
/// because newer news may replace it, is looked at then. After [`Event::Ended`] only `poll_transmit` has something to give.
#[derive(Debug)]
pub struct Server {
    session: Session,
    role: Role,
    accepted: bool,
    /// The last word was said, here or there.
    over: bool,
    requests: Rate,
    controls: Rate,
    audio: Rate,
    latest: Latest,
    list_owed: bool,
    lists: Rate,
    transmit: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Server {
    /// Begins with a hello for this role.
    #[must_use]
    pub fn new(role: Role, now: Micros) -> Self {
        Self {
            session: match role {
                // Pictures come from the peer, so its clock is to be known.
                Role::Publish => Session::with_clock(now),
                Role::View => Session::new(now),
            },
            role,
            accepted: false,
            over: false,
            requests: Rate::new(REQUEST_EVERY, REQUESTS_AT_ONCE),
            controls: Rate::new(CONTROLS_EVERY, CONTROLS_AT_ONCE),
            audio: Rate::new(AUDIO_EVERY, AUDIO_AT_ONCE),
            latest: Latest::new(),
            list_owed: false,
            lists: Rate::new(LIST_EVERY, LISTS_AT_ONCE),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The peer is let in, with this [`Control::Welcome`].
    pub fn accept(&mut self, welcome: Control, now: Micros) {
        if self.over {
            return;
        }
        self.accepted = true;
        // It had nothing to say before.
        self.session.heard(now);
        self.transmit.push_back(welcome);
        // The first ping goes before the first picture: nothing tells more of the path, and of the other clock.
        self.handle_timeout(now);
    }

    /// What is known of the peer's clock.
    #[must_use]
    pub fn clock(&self) -> &ClockOffset {
        &self.session.clock
    }

    /// For how long nothing was heard.
    #[must_use]
    pub fn silence(&self, now: Micros) -> Duration {
        self.session.silence(now)
    }

    /// Tells the peer something. Of each sort of state it is told the newest, at a bounded rate, and not while something
    /// waits to be sent to it: `clear` says that nothing does.
    pub fn tell(&mut self, control: Control, clear: bool, now: Micros) {
        if self.over {
            return;
        }
        self.over = matches!(control, Control::Bye { .. });
        if Latest::is_state(&control) {
            self.transmit.extend(self.latest.news(control, !clear || !self.transmit.is_empty(), now));
        } else {
            self.transmit.push_back(control);
        }
    }

    /// What came could not be read: the peer broke the protocol.
    pub fn handle_violation(&mut self, error: WireError) {
        self.end(End::Violation(error));
    }

    /// Bytes came: a large picture on a slow link is a sign of life long before it is whole.
    pub fn handle_bytes(&mut self, now: Micros) {
        self.session.heard(now);
    }

    /// A packet came, all of it by `now`.
    pub fn handle_packet(&mut self, packet: Packet, arrival: Arrival, now: Micros) {
        self.session.heard(now);
        if self.over {
            return;
        }
        match packet {
            Packet::Control(Control::Bye { .. }) => self.end(End::Goodbye),
            _ if !self.accepted => self.violation("nothing is said between the hello and its answer"),
            Packet::Control(control) => self.control(control, arrival, now),
            Packet::Picture(..) | Packet::Audio(..) | Packet::UnknownCodec { .. } if self.role == Role::View => {
                self.violation("a picture or sound from a viewer");
            }
            Packet::Picture(picture, captured) => self.picture(picture, captured, arrival, now),
            Packet::Audio(..) if !self.audio.pass(now) => self.violation("more sound than there is"),
            Packet::Audio(mut audio, captured) => {
                let spent = audio.spans.capture + audio.spans.encode;
                self.session.restate_audio(&mut audio, captured, spent, now);
                audio.spans.uplink = now.since(audio.captured + spent);
                self.events.push_back(Event::Audio(audio));
            }
            Packet::UnknownCodec { codec, sequence } => {
                self.transmit.push_back(Control::Ack { sequence, backlog: 0, waited: 0 });
                self.events.push_back(Event::UnknownCodec { codec });
            }
            Packet::UnknownKind(_) => self.events.push_back(Event::UnknownKind),
            Packet::Bare(_) | Packet::Text(_) => self.violation("whoever said hello sends packets"),
        }
    }

    fn picture(&mut self, mut picture: Picture, captured: PeerMicros, arrival: Arrival, now: Micros) {
        let spent = picture.spans.capture + picture.spans.encode;
        self.session.restate(&mut picture, captured, spent, now);
        if picture.arrival {
            // Nobody knows when it was taken, but for this.
            picture.captured = picture.captured.min(arrival.began - spent);
        }
        picture.spans.uplink = now.since(picture.captured + spent);
        let waited = micros(now.since(arrival.since));
        self.transmit.push_back(Control::Ack { sequence: picture.sequence, backlog: 0, waited });
        self.events.push_back(Event::Picture(picture));
    }

    fn control(&mut self, control: Control, arrival: Arrival, now: Micros) {
        answer(&mut self.transmit, self.session.control(&control, now));
        let passes = match control {
            Control::Subscribe { .. } | Control::List | Control::State(_) | Control::Set(_) => self.requests.pass(now),
            Control::Controls(_) => self.controls.pass(now),
            _ => true,
        };
        if !passes {
            return self.violation("more requests than anybody needs");
        }
        let event = match (control, self.role) {
            (Control::Ack { sequence, backlog, .. }, Role::View) => {
                let backlog = u16::try_from(backlog).unwrap_or(u16::MAX);
                Event::Acknowledged { sequence, backlog, since: arrival.since }
            }
            (Control::Pong { time, .. }, _) if time <= now.0 => Event::RoundTrip(now.since(Micros(time))),
            (Control::Subscribe { room, name, request }, Role::View) => match StreamKey::parse_to_watch(&room, &name) {
                Ok(key) => Event::Subscribe { key, request },
                Err(reason) => return self.end(End::Refused(reason)),
            },
            (Control::List, _) => {
                self.list_owed = true;
                return;
            }
            (Control::State(state), Role::Publish) => Event::State(to_be_shown(state)),
            (Control::Supply { rungs }, Role::Publish) => Event::Supply(rungs),
            (Control::Set(set), Role::View) => Event::Set(set),
            (Control::Controls(list), Role::Publish) => Event::Controls(list),
            _ => return,
        };
        self.events.push_back(event);
    }

    fn violation(&mut self, what: &'static str) {
        self.end(End::Violation(WireError::Malformed(what)));
    }

    fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let bye = match &end {
            End::Goodbye => None,
            End::Silent => Some((Cause::Timeout, format!("nothing heard for {} s", DEAD_AFTER.as_secs()))),
            End::Refused(reason) => Some((Cause::Refused, reason.clone())),
            End::Violation(error) => Some((Cause::Protocol, error.to_string())),
        };
        self.transmit.extend(bye.map(|(cause, reason)| Control::Bye { cause, reason }));
        self.events.push_back(Event::Ended(end));
    }

    /// Does what is due. Whoever stood still has to read first what came meanwhile.
    pub fn handle_timeout(&mut self, now: Micros) {
        while self.accepted && !self.over {
            match self.session.due(now) {
                Due::At(_) => return,
                Due::Send(ping) => self.transmit.push_back(*ping),
                Due::Dead => self.end(End::Silent),
            }
        }
    }

    /// Whether [`Control::Streams`] is to be told now: it was asked for, and not too often. `clear` as for
    /// [`tell`](Self::tell).
    pub fn poll_list(&mut self, clear: bool, now: Micros) -> bool {
        let tells = self.list_owed && clear && !self.over && self.lists.pass(now);
        self.list_owed &= !tells;
        tells
    }

    /// What is to be sent, in this order. `clear` as for [`tell`](Self::tell).
    pub fn poll_transmit(&mut self, clear: bool, now: Micros) -> Option<Control> {
        let news = |latest: &mut Latest| if clear { latest.owed(now) } else { None };
        self.transmit.pop_front().or_else(|| if self.over { None } else { news(&mut self.latest) })
    }

    /// What happened, in this order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

/// A publisher's state with words and numbers that can be passed on.
fn to_be_shown(state: StreamState) -> StreamState {
    let plain = |text: &str| Untrusted(text).to_string();
    let reason = match &*state.reason {
        _ if state.live => String::new(),
        // Without a reason it would be taken for live.
        "" => "no picture".into(),
        reason => plain(reason),
    };
    let nominal = state.nominal.map(|nominal| NominalPicture {
        size: plain(&nominal.size),
        // A number that JSON cannot hold would end every viewer's connection.
        fps: if nominal.fps.is_finite() { nominal.fps.clamp(0.0, 1000.0) } else { 0.0 },
        ..nominal
    });
    StreamState { reason, nominal, load: state.load.checked(), ..state }
}

#[cfg(test)]
mod tests;
