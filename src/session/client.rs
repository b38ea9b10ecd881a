//! The side of a session that connects: a viewer, or a publisher's uplink. No socket, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Captured, ClockOffset, Due, Session};
use crate::frame::{AudioPacket, Picture};
use crate::text::Untrusted;
use crate::time::{Micros, Standstill};
use crate::wire::control::{Cause, Control, Hello, Role, answer};
use crate::wire::packet::Packet;

/// How long the answer to a hello may take.
pub const GREETING: Duration = Duration::from_secs(5);

/// What happened in a session.
#[derive(Debug)]
pub enum Event {
    /// The hub lets us in; this is its [`Control::Welcome`].
    Welcomed(Control),
    /// A picture came, with its capture time in our clock.
    Picture(Picture),
    /// A packet of sound came, with its capture time in our clock.
    Audio(AudioPacket),
    /// A picture of this number came, of a codec that this version does not know.
    UnknownCodec {
        /// The codec.
        codec: u8,
        /// The picture's number.
        sequence: u32,
    },
    /// More is known of when the newest picture was captured than when it came.
    Restated(Captured),
    /// The hub has a picture of ours.
    Acknowledged {
        /// Its number.
        sequence: u32,
        /// Pictures that wait there.
        backlog: u16,
        /// For how long it may have lain there unread.
        waited: Duration,
    },
    /// A ping was answered after so long.
    RoundTrip(Duration),
    /// Another control message.
    Control(Control),
    /// The session is over. Nothing follows.
    Ended(End),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The hub says no, for this reason.
    Refused(String),
    /// The hub asks for a right that we did not show, or have no more; what to do about it.
    Unauthorized(String),
    /// Another publisher has our name now.
    Replaced(String),
    /// The hub says goodbye, for this reason.
    Goodbye(String),
    /// The hello was not answered within [`GREETING`].
    Unanswered,
    /// Nothing was heard from the hub for [`super::DEAD_AFTER`].
    Silent,
    /// Nothing was heard, and this program itself stood still for so long.
    StoodStill(Duration),
}

/// The connecting side of a session, from the hello to the goodbye.
///
/// The order of calls: after [`new`](Self::new), and after each `handle_*`, take everything out of
/// [`poll_event`](Self::poll_event) and [`poll_transmit`](Self::poll_transmit). Call
/// [`handle_timeout`](Self::handle_timeout) at the time of [`poll_timeout`](Self::poll_timeout), or earlier,
/// [`handle_packet`](Self::handle_packet) for each packet, and [`handle_bytes`](Self::handle_bytes) when bytes came, whether
/// or not a packet is whole. After [`Event::Ended`] only `poll_transmit` has something to give.
#[derive(Debug)]
pub struct Client {
    session: Session,
    /// Pictures come from the hub, so its clock is to be known.
    views: bool,
    open: bool,
    ended: bool,
    greeted_by: Micros,
    wake_at: Micros,
    standstill: Standstill,
    transmit: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Client {
    /// Begins with this hello.
    #[must_use]
    pub fn new(hello: Hello, now: Micros) -> Self {
        Self {
            session: Session::new(now),
            views: hello.role == Role::View,
            open: false,
            ended: false,
            greeted_by: now + GREETING,
            wake_at: now,
            standstill: Standstill::default(),
            transmit: VecDeque::from([Control::Hello(hello)]),
            events: VecDeque::new(),
        }
    }

    /// Whether the hub has let us in, and nothing has ended it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open && !self.ended
    }

    /// What is known of the hub's clock.
    #[must_use]
    pub fn clock(&self) -> &ClockOffset {
        &self.session.clock
    }

    /// A packet came, all of it by `now`.
    pub fn handle_packet(&mut self, packet: Packet, now: Micros) {
        if self.ended {
            return;
        }
        self.session.heard(now);
        match packet {
            Packet::Control(control) => self.control(control, now),
            // Nothing was asked for before the welcome.
            _ if !self.open => {}
            Packet::Picture(mut picture, captured) => {
                let spans = picture.spans;
                let spent = spans.capture + spans.encode + spans.uplink + spans.hub;
                self.session.restate(&mut picture, captured, spent, now);
                self.events.push_back(Event::Picture(picture));
            }
            Packet::Audio(mut audio, captured) => {
                let spans = audio.spans;
                let spent = spans.capture + spans.encode + spans.uplink + spans.hub;
                self.session.restate_audio(&mut audio, captured, spent, now);
                self.events.push_back(Event::Audio(audio));
            }
            Packet::UnknownCodec { codec, sequence } => self.events.push_back(Event::UnknownCodec { codec, sequence }),
            Packet::Bare(_) | Packet::Text(_) | Packet::UnknownKind(_) => {}
        }
    }

    /// Bytes came: a large picture on a slow link is a sign of life long before it is whole.
    pub fn handle_bytes(&mut self, now: Micros) {
        self.session.heard(now);
        if let Some(captured) = self.session.restated() {
            self.events.push_back(Event::Restated(captured));
        }
    }

    fn control(&mut self, control: Control, now: Micros) {
        answer(&mut self.transmit, self.session.control(&control, now));
        match control {
            Control::Pong { time, .. } if time <= now.0 => {
                self.events.push_back(Event::RoundTrip(now.since(Micros(time))));
            }
            Control::Ping { .. } | Control::Pong { .. } => {}
            Control::Ack { sequence, backlog, waited } => {
                let backlog = u16::try_from(backlog).unwrap_or(u16::MAX);
                let waited = Duration::from_micros(waited);
                self.events.push_back(Event::Acknowledged { sequence, backlog, waited });
            }
            Control::Welcome { .. } if !self.open => {
                self.open = true;
                // The clocks are compared from now on.
                self.session = if self.views { Session::with_clock(now) } else { Session::new(now) };
                self.wake_at = now;
                self.events.push_back(Event::Welcomed(control));
            }
            Control::Bye { cause, reason } => {
                let reason = Untrusted(reason).to_string();
                self.end(match cause {
                    Cause::Refused | Cause::Protocol => End::Refused(reason),
                    Cause::Unauthorized => End::Unauthorized(reason),
                    Cause::Replaced => End::Replaced(reason),
                    Cause::Stopping | Cause::Timeout | Cause::Unknown => End::Goodbye(reason),
                });
            }
            other => self.events.push_back(Event::Control(other)),
        }
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.events.push_back(Event::Ended(end));
    }

    /// Does what is due. Whoever stood still hears first what came meanwhile: it judges the hub in the call after that.
    pub fn handle_timeout(&mut self, now: Micros) {
        if self.ended {
            return;
        }
        if now.since(self.wake_at) > Standstill::LEAST && self.standstill.just_ended(now).is_none() {
            self.standstill.ended(now, now.since(self.wake_at));
            self.wake_at = now;
            return;
        }
        let silent = |greeted: bool| if greeted { End::Silent } else { End::Unanswered };
        let dead = |this: &Self| this.standstill.just_ended(now).map_or(silent(this.open), End::StoodStill);
        if !self.open {
            // Seldom, but often enough to notice a standstill.
            self.wake_at = self.greeted_by.min(now + Standstill::LEAST);
            if now >= self.greeted_by {
                self.end(dead(self));
            }
            return;
        }
        loop {
            match self.session.due(now) {
                Due::At(next) => {
                    self.wake_at = next;
                    return;
                }
                Due::Send(ping) => self.transmit.push_back(*ping),
                Due::Dead => return self.end(dead(self)),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Micros {
        self.wake_at
    }

    /// What is to be sent, in this order.
    pub fn poll_transmit(&mut self) -> Option<Control> {
        self.transmit.pop_front()
    }

    /// What happened, in this order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::DEAD_AFTER;
    use crate::time::PeerMicros;
    use crate::wire::control::ViewRequest;

    const START: Micros = Micros(1_000_000_000);

    fn after(ms: u64) -> Micros {
        START + Duration::from_millis(ms)
    }

    fn client() -> Client {
        let mut client = Client::new(Hello::to_view("main", "door", "test", ViewRequest::default()), START);
        assert!(matches!(client.poll_transmit(), Some(Control::Hello(_))));
        client
    }

    fn welcome() -> Packet {
        let (room, name, program) = ("main".into(), "door".into(), "hub".into());
        Packet::Control(Control::Welcome { room, name, program, max_picture: 0, max_pixels: 0, can: Vec::new() })
    }

    fn bye(cause: Cause) -> Packet {
        Packet::Control(Control::Bye { cause, reason: "why".into() })
    }

    fn open() -> Client {
        let mut client = client();
        client.handle_packet(welcome(), after(1));
        assert!(matches!(client.poll_event(), Some(Event::Welcomed(_))) && client.is_open());
        client
    }

    /// Calls it when it wants to be called, until then. Gives how often it asked, and why it ended.
    fn run(client: &mut Client, mut now: Micros, until: Micros) -> (usize, Option<End>) {
        let mut pings = 0;
        loop {
            client.handle_timeout(now);
            pings += std::iter::from_fn(|| client.poll_transmit()).count();
            match client.poll_event() {
                Some(Event::Ended(end)) => return (pings, Some(end)),
                Some(event) => panic!("{event:?}"),
                None => now = client.poll_timeout(),
            }
            if now >= until {
                return (pings, None);
            }
        }
    }

    #[test]
    fn nothing_but_the_hello_is_said_before_the_welcome_and_then_the_clock_is_asked() {
        let mut client = client();
        assert_eq!(run(&mut client, START, after(4999)), (0, None));
        client.handle_packet(Packet::Picture(Picture::default(), PeerMicros(0)), after(4999));
        assert!(client.poll_event().is_none(), "it was not asked for");
        client.handle_packet(welcome(), after(4999));
        assert!(matches!(client.poll_event(), Some(Event::Welcomed(_))));
        let (pings, end) = run(&mut client, after(4999), after(5999));
        assert!(pings > 5 && end.is_none(), "{pings}, {end:?}");
        client.handle_packet(Packet::Picture(Picture::default(), PeerMicros(0)), after(5999));
        assert!(matches!(client.poll_event(), Some(Event::Picture(_))));
    }

    #[test]
    fn a_hub_that_does_not_answer_the_hello_or_falls_silent_ends_the_session() {
        assert_eq!(run(&mut client(), START, after(60_000)), (0, Some(End::Unanswered)));
        let mut open = open();
        let (_, end) = run(&mut open, after(1), after(60_000));
        assert_eq!((end, open.poll_timeout()), (Some(End::Silent), after(1) + DEAD_AFTER));
        // It has said all that it will.
        open.handle_packet(welcome(), after(60_000));
        open.handle_timeout(after(90_000));
        assert!(open.poll_event().is_none() && open.poll_transmit().is_none() && !open.is_open());
    }

    #[test]
    fn who_stood_still_hears_what_came_meanwhile_before_it_judges() {
        for heard in [true, false] {
            let mut client = open();
            let (_, end) = run(&mut client, after(1), after(3000));
            assert_eq!(end, None);
            // Stopped for twelve seconds.
            let resumed = after(15_000);
            client.handle_timeout(resumed);
            assert!(client.poll_event().is_none() && client.poll_timeout() == resumed);
            if heard {
                client.handle_packet(bye(Cause::Timeout), resumed);
            }
            client.handle_timeout(resumed);
            let Some(Event::Ended(end)) = client.poll_event() else { panic!("it lives") };
            if heard {
                assert_eq!(end, End::Goodbye("why".into()));
            } else {
                assert!(matches!(end, End::StoodStill(span) if span > Duration::from_secs(7)), "{end:?}");
            }
        }
    }

    #[test]
    fn a_goodbye_means_what_its_cause_says() {
        let why = || "why".to_owned();
        for (cause, end) in [
            (Cause::Refused, End::Refused(why())),
            (Cause::Protocol, End::Refused(why())),
            (Cause::Unauthorized, End::Unauthorized(why())),
            (Cause::Replaced, End::Replaced(why())),
            (Cause::Stopping, End::Goodbye(why())),
            (Cause::Unknown, End::Goodbye(why())),
        ] {
            let mut client = client();
            client.handle_packet(bye(cause), START);
            assert!(matches!(client.poll_event(), Some(Event::Ended(e)) if e == end), "{cause:?}");
        }
    }

    #[test]
    fn many_pings_have_one_answer_and_nothing_waits_without_bound() {
        let mut client = open();
        for time in 0..10_000 {
            client.handle_packet(Packet::Control(Control::Ping { time }), after(2));
        }
        let said: Vec<_> = std::iter::from_fn(|| client.poll_transmit()).collect();
        assert_eq!(said, [Control::Pong { time: 9999, now: after(2).0 }]);
    }
}
