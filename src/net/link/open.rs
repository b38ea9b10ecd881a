//! What is known of a connection that is open, beside its socket.

use std::time::Duration;

use super::{LinkState, LinkUser, Outcome};
use crate::adapt::Asked;
use crate::net::connection::{Broken, Connection};
use crate::pacing::Pacer;
use crate::session::{Due, Session};
use crate::text::Untrusted;
use crate::time::Micros;
use crate::wire::control::{Cause, Control};

/// A connection's state beside its socket.
pub(super) struct Open {
    pub(super) session: Session,
    /// Pictures come from the hub, so its clock is to be known.
    views: bool,
    pub(super) welcomed: bool,
    /// What the hub's goodbye means.
    pub(super) ended: Option<Outcome>,
    pub(super) pacer: Pacer,
}

impl Open {
    pub(super) fn new(now: Micros, views: bool) -> Self {
        Self { session: Session::new(now), views, welcomed: false, ended: None, pacer: Pacer::new(Asked::default()) }
    }

    /// Sends what is due, and says when to look again.
    pub(super) fn due(&mut self, connection: &mut Connection, at: Micros) -> std::result::Result<Micros, Broken> {
        if !self.welcomed {
            // Pings follow the hello's answer, for a hub hears them only then, and go before the first picture.
            return Ok(at + Duration::from_secs(1));
        }
        loop {
            match self.session.due(at) {
                Due::At(next) => return Ok(next),
                Due::Dead => return Err(Broken::Stuck),
                Due::Send(ping) => {
                    self.pacer.pinged(at);
                    connection.send_control(&ping)?;
                }
            }
        }
    }

    pub(super) fn control(
        &mut self,
        user: &mut impl LinkUser,
        control: Control,
        at: Micros,
    ) -> std::result::Result<Vec<Control>, Broken> {
        let answer = self.session.control(&control, at);
        match control {
            Control::Pong { time, .. } if time <= at.0 => {
                self.pacer.round_trip(at.since(Micros(time)), at);
                Ok(Vec::new())
            }
            Control::Ping { .. } | Control::Pong { .. } => Ok(answer.into_iter().collect()),
            Control::Ack { sequence, backlog, waited } => {
                let backlog = u16::try_from(backlog).unwrap_or(u16::MAX);
                self.pacer.acknowledged(sequence, backlog, at - Duration::from_micros(waited), at);
                Ok(Vec::new())
            }
            Control::Welcome { .. } if !self.welcomed => {
                self.welcomed = true;
                // The clocks are compared from now on.
                self.session = if self.views { Session::with_clock(at) } else { Session::new(at) };
                user.state(&LinkState::Connected);
                Ok(user.control(control))
            }
            Control::Bye { cause, reason } => {
                let reason = Untrusted(reason).to_string();
                self.ended = match cause {
                    Cause::Refused | Cause::Protocol => Some(Outcome::Refused(format!("the hub refused: {reason}"))),
                    Cause::Replaced => Some(Outcome::Replaced(reason)),
                    Cause::Stopping | Cause::Timeout | Cause::Unknown => {
                        Some(Outcome::Again(format!("the hub says goodbye: {reason}")))
                    }
                };
                Err(Broken::Closed)
            }
            other => Ok(user.control(other)),
        }
    }
}
