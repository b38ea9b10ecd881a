//! A connection that has a session: what the session says is sent, and what happened in it is told to the user.

use std::result::Result;

use super::{LinkState, LinkUser, Outcome};
use crate::net::connection::{Connection, ConnectionError};
use crate::pacing::{Pacer, PacerConfig};
use crate::session::client::{Client, End, Event, GREETING};
use crate::session::in_words;
use crate::time::Micros;
use crate::wire::control::{Control, Hello};

/// A connection's state beside its socket.
pub(super) struct Open {
    pub(super) client: Client,
    pub(super) pacer: Pacer,
    /// The hub has let us in, whatever came then.
    pub(super) welcomed: bool,
    /// It ended because nothing was heard, not even a greeting.
    pub(super) unanswered: bool,
    /// Why the session ended, once it did.
    pub(super) ended: Option<Outcome>,
}

impl Open {
    pub(super) fn new(hello: Hello, now: Micros) -> Self {
        Self {
            client: Client::new(hello, now),
            pacer: Pacer::new(PacerConfig::default()),
            welcomed: false,
            unanswered: false,
            ended: None,
        }
    }

    /// Sends what the session has to say.
    pub(super) fn transmit(&mut self, connection: &mut Connection, at: Micros) -> Result<(), ConnectionError> {
        while let Some(control) = self.client.poll_transmit() {
            if let Control::Ping { .. } = control {
                self.pacer.pinged(at);
            }
            connection.send_control(&control)?;
        }
        Ok(())
    }

    /// Tells the user what happened; `answers` is what it says to that.
    pub(super) fn tell(
        &mut self,
        user: &mut impl LinkUser,
        answers: &mut Vec<Control>,
        at: Micros,
    ) -> Result<(), ConnectionError> {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Welcomed(welcome) => {
                    self.welcomed = true;
                    user.state(&LinkState::Connected);
                    answers.extend(user.control(welcome));
                }
                Event::Control(control) => answers.extend(user.control(control)),
                Event::Picture(picture) => answers.extend(user.picture(picture, at)),
                Event::Audio(packet) => user.audio(packet, at),
                Event::UnknownCodec { codec, sequence } => answers.extend(user.unknown_codec(codec, sequence)),
                Event::Restated(captured) => user.restated(captured),
                Event::Acknowledged { sequence, backlog, waited } => {
                    self.pacer.acknowledged(sequence, backlog, at - waited, at);
                }
                Event::RoundTrip(span) => self.pacer.round_trip(span, at),
                Event::Ended(end) => {
                    self.unanswered = matches!(end, End::Unanswered);
                    self.ended = Some(end.into());
                    return Err(ConnectionError::Closed);
                }
            }
        }
        Ok(())
    }
}

impl From<End> for Outcome {
    fn from(end: End) -> Self {
        match end {
            End::Refused(reason) => Self::Refused(format!("the hub refused: {reason}")),
            End::Unauthorized(reason) => Self::Unauthorized(reason),
            End::Replaced(reason) => Self::Replaced(reason),
            End::Goodbye(reason) => Self::Again(format!("the hub says goodbye: {reason}")),
            End::Unanswered => Self::Again(format!("no answer within {}", in_words(GREETING))),
            End::Silent => Self::Again("the hub does not answer".into()),
            End::StoodStill(span) => Self::Again(format!("this program stood still for {}", in_words(span))),
        }
    }
}
