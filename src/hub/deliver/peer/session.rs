//! What a peer says and is told: its session where it speaks the native protocol, and what is left of one where it does not.

use std::convert::Infallible;

use super::{HeldRight, LINGER, Peer, PeerRole};
use crate::hub::Shared;
use crate::hub::deliver::cause_of;
use crate::hub::deliver::read_turn::ReadTurn;
use crate::net::connection::{Connection, ConnectionError};
use crate::pacing::{Pacer, PacerConfig};
use crate::relay::{Refusal, Rooms};
use crate::session::server::{Arrival, End, Event, Server};
use crate::time::{Micros, now};
use crate::wire::WireError;
use crate::wire::control::{Cause, Control, ViewRequest};
use crate::wire::detection;
use crate::wire::packet::Packet;

/// What the words of one turn are answered with: one answer is as good as one for each.
#[derive(Default)]
pub(in crate::hub::deliver) struct Answers {
    /// A member of a room asked whether the hub is there.
    pub(in crate::hub::deliver) pong: bool,
    detection: Option<&'static str>,
}

impl Peer {
    /// Hears what `act` gets out of the connection, and answers in one write.
    pub(super) fn hear<T>(
        &mut self,
        reading: &mut ReadTurn<'_>,
        act: impl FnOnce(
            &mut Connection,
            &mut dyn FnMut(Packet, Micros) -> Result<(), ConnectionError>,
        ) -> Result<T, ConnectionError>,
    ) -> Result<T, ConnectionError> {
        let before = self.connection.bytes_in;
        self.connection.cork();
        let read = act(&mut self.connection, &mut |packet, began| {
            reading.packets.push((packet, began));
            Ok(())
        });
        reading.at = reading.at.max(self.connection.last_read());
        if self.connection.bytes_in > before
            && let Some(session) = &mut self.session
        {
            session.handle_bytes(reading.at);
        }
        let says = !reading.packets.is_empty();
        let heard = self.packets(reading);
        let answered = self.connection.uncork();
        heard?;
        let read = read?;
        answered?;
        if says {
            self.tell_owed(reading.shared, reading.at)?;
        }
        Ok(read)
    }

    fn packets(&mut self, reading: &mut ReadTurn<'_>) -> Result<(), ConnectionError> {
        let mut answers = Answers::default();
        let mut packets = std::mem::take(reading.packets);
        let heard = packets.drain(..).try_for_each(|(packet, began)| {
            if let Some(session) = &mut self.session {
                let since = self.unread_since.unwrap_or(reading.at);
                session.handle_packet(packet, Arrival { began, since }, reading.at);
                self.events(reading)
            } else if self.closing.is_none() {
                self.without_session(packet, began, reading, &mut answers)
            } else {
                Ok(())
            }
        });
        *reading.packets = packets;
        heard?;
        if answers.pong {
            self.connection.send_text(r#"{"type":"pong"}"#)?;
        }
        if let Some(text) = answers.detection {
            self.connection.send_text(text)?;
        }
        self.transmit(reading.at)
    }

    /// What somebody says who did not say hello.
    fn without_session(
        &mut self,
        packet: Packet,
        began: Micros,
        reading: &mut ReadTurn<'_>,
        answers: &mut Answers,
    ) -> Result<(), ConnectionError> {
        if let (Packet::Text(_), Some(keepalive)) = (&packet, &mut self.keepalive) {
            keepalive.spoke(reading.at);
        }
        if self.bare {
            self.activity.progress = reading.at;
        }
        match packet {
            packet if self.is_member() => self.member_said(packet, began, reading, &mut answers.pong),
            Packet::Bare(data) if self.bare => self.bare_picture(data, began, reading),
            Packet::Text(text) => {
                answers.detection = detection::answer(&text).or(answers.detection);
                Ok(())
            }
            Packet::Control(Control::Bye { .. }) => Err(ConnectionError::Closed),
            Packet::Control(_) => Ok(()),
            Packet::UnknownKind(_) => {
                self.metrics.errors += 1;
                Ok(())
            }
            Packet::Picture(..) | Packet::Audio(..) | Packet::Bare(_) | Packet::UnknownCodec { .. } => {
                Err(WireError::Malformed("pictures with a header come after a hello, and bare ones from the first")
                    .into())
            }
        }
    }

    fn events(&mut self, reading: &mut ReadTurn<'_>) -> Result<(), ConnectionError> {
        while let Some(event) = self.session.as_mut().and_then(Server::poll_event) {
            self.event(event, reading)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event, reading: &mut ReadTurn<'_>) -> Result<(), ConnectionError> {
        let (shared, at) = (reading.shared, reading.at);
        match event {
            Event::Picture(picture) => self.picture(picture, reading)?,
            Event::Audio(packet) => self.audio(packet, reading),
            Event::UnknownCodec { codec } => {
                self.leave_out(format!("codec {codec} is unknown to this hub"), at, shared)?;
            }
            Event::UnknownKind => self.metrics.errors += 1,
            Event::Acknowledged { sequence, backlog, since } => {
                self.pacer.acknowledged(sequence, backlog, since, at);
            }
            Event::RoundTrip(round_trip) => {
                self.pacer.round_trip(round_trip, at);
                if let (PeerRole::Publisher(stream), Some(session)) = (&self.role, &self.session) {
                    stream.knows_clock(session.clock().error());
                }
            }
            Event::Subscribe { key, request } => {
                let granted = shared.access.watch(&self.credentials, key).map_err(Refusal::from);
                let watches =
                    granted.and_then(|grant| shared.decide(|rooms| rooms.watch(self.id, &grant, at)).map(|()| grant));
                match watches {
                    Ok(grant) => {
                        self.room.clone_from(&grant.0.room);
                        self.held = HeldRight::Watch(grant.0.clone());
                        self.pacer.configure(pacer_config(request));
                        self.listen(request.audio, at);
                    }
                    Err(refusal) => {
                        self.say_bye(&Control::Bye { cause: cause_of(&refusal), reason: refusal.to_string() })?;
                    }
                }
            }
            Event::State(state) => {
                if let PeerRole::Publisher(stream) = &self.role {
                    stream.pictures().told(&state, at);
                    let sounds = std::mem::replace(&mut self.publishing.audio, state.audio) != state.audio;
                    let report = |rooms: &mut Rooms| Ok::<_, Infallible>(rooms.report(self.id, state, at));
                    let Ok(()) = shared.decide(report);
                    if sounds {
                        shared.sound_changed(&stream.key);
                    }
                }
            }
            Event::Supply(rungs) => {
                if let PeerRole::Publisher(stream) = &self.role {
                    stream.pictures().supplied(&rungs);
                }
            }
            Event::Set(set) => self.sets_controls(set, shared, at)?,
            Event::Controls(list) => self.tells_controls(list, shared, at),
            Event::Ended(end) => return self.ended(end),
        }
        Ok(())
    }

    /// The session is over; its goodbye goes with the next [`transmit`](Self::transmit).
    pub(super) fn ended(&mut self, end: End) -> Result<(), ConnectionError> {
        match end {
            End::Goodbye => Err(ConnectionError::Closed),
            End::Silent => Err(ConnectionError::Stuck),
            End::Violation(error) => Err(error.into()),
            End::Refused(_) => {
                self.transmit(now())?;
                self.linger();
                self.connection.send_close()
            }
        }
    }

    /// Sends what the session has to say.
    pub(super) fn transmit(&mut self, now: Micros) -> Result<(), ConnectionError> {
        transmit(&mut self.session, &mut self.connection, &mut self.pacer, now)
    }

    /// Tells what had to wait.
    pub(in crate::hub::deliver) fn tell_owed(&mut self, shared: &Shared, now: Micros) -> Result<(), ConnectionError> {
        let clear = self.connection.nothing_waits();
        if let Some(session) = &mut self.session
            && session.poll_list(clear, now)
        {
            // Who may not know what there is, is told of nothing.
            let granted = shared.access.list(&self.credentials, Some(self.room.clone()));
            let streams = granted.map(|grant| shared.list(&grant)).unwrap_or_default();
            session.tell(Control::Streams { streams }, clear, now);
        }
        self.transmit(now)
    }

    /// Sends a control message; to who does not speak the native protocol nothing can be said but why it ends. What a newer one
    /// will make worthless may have to wait for it.
    pub(in crate::hub::deliver) fn tell(&mut self, control: &Control) -> Result<(), ConnectionError> {
        let at = now();
        if let Some(session) = &mut self.session {
            session.tell(control.clone(), self.connection.nothing_waits(), at);
            return self.transmit(at);
        }
        if let (Some(placeholder), Control::State(state)) = (&mut self.placeholder, control) {
            placeholder.told(state, at);
        }
        if self.closing.is_none() && matches!(control, Control::Bye { .. }) {
            self.connection.send_control(control)
        } else {
            Ok(())
        }
    }

    /// Says the last thing; the connection closes when it is read, or a second later.
    pub(in crate::hub::deliver) fn say_bye(&mut self, bye: &Control) -> Result<(), ConnectionError> {
        if self.closing.is_some() {
            return Ok(());
        }
        self.tell(bye)?;
        self.linger();
        self.connection.send_close()
    }

    /// Somebody leaves a room because others want so: a code of the WebSocket, and words.
    pub(in crate::hub::deliver) fn dismiss(&mut self, code: u16, reason: &str) -> Result<(), ConnectionError> {
        if self.closing.is_some() {
            return Ok(());
        }
        self.linger();
        self.connection.dismiss(code, reason)
    }

    /// Says why nothing more is heard of this peer, if that is for it to know. True: it has been told, and the connection
    /// closes when it is read, or a second later.
    pub(super) fn say_why(&mut self, why: &ConnectionError) -> bool {
        let said = match why {
            // It was said goodbye to a moment ago.
            _ if self.closing.is_some() => return matches!(why, ConnectionError::Wire(_)),
            ConnectionError::Wire(error) => self.say_violation(error),
            ConnectionError::Full(reason) => {
                let bye = Control::Bye { cause: Cause::Refused, reason: reason.clone() };
                let said = self.tell(&bye).and_then(|()| self.connection.send_close());
                // Memory that is needed now is not waited for.
                said.and_then(|()| if self.connection.is_idle() { Ok(()) } else { Err(ConnectionError::Stuck) })
            }
            // A goodbye of the session may be left. Whoever reads nothing will not read that either.
            _ => {
                let _ = self.transmit(now());
                self.connection.answer_close().and(Err(ConnectionError::Closed))
            }
        };
        let lingers = said.is_ok();
        if lingers {
            self.linger();
        }
        lingers
    }

    fn say_violation(&mut self, error: &WireError) -> Result<(), ConnectionError> {
        match &mut self.session {
            Some(session) => {
                session.handle_violation(error.clone());
                self.transmit(now())?;
            }
            None if self.bare && self.connection.speaks() => {
                let bye = Control::Bye { cause: Cause::Protocol, reason: error.to_string() };
                self.connection.send_control(&bye)?;
            }
            None => {}
        }
        self.connection.send_violation(error)
    }

    /// The last word was said: the connection closes when it is read, or a second later.
    fn linger(&mut self) {
        self.closing = Some(now() + LINGER);
        self.connection.ignore_input();
    }
}

/// Sends what a session has to say.
pub(super) fn transmit(
    session: &mut Option<Server>,
    connection: &mut Connection,
    pacer: &mut Pacer,
    now: Micros,
) -> Result<(), ConnectionError> {
    let Some(session) = session else { return Ok(()) };
    while let Some(control) = session.poll_transmit(connection.nothing_waits(), now) {
        if let Control::Ping { .. } = control {
            pacer.pinged(now);
        }
        connection.send_control(&control)?;
    }
    Ok(())
}

/// What a viewer wants, as adaptation takes it.
pub(super) fn pacer_config(request: ViewRequest) -> PacerConfig {
    let quality = request.quality.filter(|q| *q > 0).map(|q| q.min(100));
    let max_rate = request.max_rate.map(|bits| bits.max(8_000));
    PacerConfig { quality, size: request.size, max_rate, ..PacerConfig::default() }
}
