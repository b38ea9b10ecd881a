//! What is looked at ten times a second: whether a peer is alive and takes what it is given, and what it is told meanwhile.

use std::time::Duration;

use super::{HeldRight, Peer, PeerRole};
use crate::access::{Access, Denied, Right};
use crate::hub::bridges::keepalive::Due;
use crate::net::connection::{ConnectionError, Framing};
use crate::net::layout::Dialect;
use crate::session::server::Event;
use crate::time::Micros;
use crate::wire::control::Control;

/// How often a connection's metrics are logged at `debug`.
const METRICS: Duration = Duration::from_secs(30);
/// A picture may take so many times as long as nothing of it may: 8 MiB in a minute are 1.1 Mbit/s, and who is slower has
/// smaller ones, or a picture that is too old to be of use.
const SLOWEST: u32 = 6;
/// A publisher of bare pictures cannot be asked whether it lives; silence for so long means that it does not.
const BARE_SILENCE: Duration = Duration::from_secs(60);
/// After so long without a byte a connection keeps no buffers for more.
const REST: Duration = Duration::from_secs(1);

impl Peer {
    /// Gives back what is kept for more when nothing has come for a while.
    fn rest(&mut self, now: Micros) {
        if self.connection.bytes_in != self.activity.busy_at.1 {
            self.activity.busy_at = (now, self.connection.bytes_in);
        } else if now.since(self.activity.busy_at.0) >= REST {
            self.activity.busy_at.0 = now;
            self.connection.rest();
        }
    }

    /// Whether it still may do what it does: a link ends, a browser logs out, and who runs the hub thinks otherwise.
    pub(in crate::hub::deliver) fn still_may(&mut self, access: &Access, now: Micros) -> Result<(), Denied> {
        if self.closing.is_some() {
            return Ok(());
        }
        let session = self.credentials.session.as_ref();
        let logged_out = session.is_some_and(|session| {
            session.use_at(now);
            session.is_over()
        });
        let version = access.version();
        let ended = self.credentials.holder.ends().is_some_and(|ends| access.time() >= ends);
        if version == self.policy && !ended && !logged_out {
            return Ok(());
        }
        self.policy = version;
        let right = match &self.held {
            HeldRight::Publish(key) => Right::Publish(key),
            HeldRight::Watch(key) => Right::Watch(key),
            HeldRight::Join(key) => Right::Join(key),
        };
        access.ask(&self.credentials, right)
    }

    /// Keepalive, deadlines, metrics.
    pub(in crate::hub::deliver) fn tick(&mut self, now: Micros, stuck_after: Duration) -> Result<(), ConnectionError> {
        self.rest(now);
        self.account_for()?;
        if let Some(until) = self.closing {
            if self.connection.is_idle() {
                // The other side sees the end after the goodbye, and closes; what it still sends is read and ignored,
                // since closing over unread bytes would destroy the goodbye on its way.
                self.connection.transport.finish();
            } else {
                // No command reaches it any more, and it may keep a picture.
                self.account.may_stay().map_err(|full| ConnectionError::Full(full.to_string()))?;
            }
            return if now >= until { Err(ConnectionError::Closed) } else { Ok(()) };
        }
        if self.connection.is_idle() {
            self.activity.idle = now;
        } else if now.since(self.activity.progress.max(self.activity.idle)) > stuck_after {
            return Err(ConnectionError::Stuck);
        }
        // Who takes a byte now and then would keep a picture of megabytes for as long as it likes.
        let deadline = SLOWEST * stuck_after;
        if self.connection.sends_picture() && now.since(self.activity.given) > deadline {
            return Err(ConnectionError::Slow(deadline));
        }
        if self.bare && now.since(self.activity.progress) > BARE_SILENCE {
            return Err(ConnectionError::Stuck);
        }
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
            // Nothing else comes of time that goes by.
            if let Some(Event::Ended(end)) = session.poll_event() {
                return self.ended(end);
            }
            self.transmit(now)?;
        }
        self.tell_clock()?;
        self.keep_company(now)?;
        self.numbers.tick(&self.metrics, now);
        if let PeerRole::Member(member) = &self.role {
            member.tick(now);
        }
        if now.since(self.reported.0) >= METRICS {
            log::debug!("{}", self.line(now));
            self.reported = (now, self.metrics.pictures);
        }
        Ok(())
    }

    /// Tells a viewer how well the capture times of its pictures are known, where that is news.
    fn tell_clock(&mut self) -> Result<(), ConnectionError> {
        let (PeerRole::Viewer(viewer), Some(_)) = (&self.role, &self.session) else { return Ok(()) };
        let Some(error) = viewer.stream.clock_error() else { return Ok(()) };
        if self.told.clock.is_some_and(|told| told.abs_diff(error) <= (told / 8).max(500)) {
            return Ok(());
        }
        self.told.clock = Some(error);
        self.tell(&Control::Clock { error })
    }

    /// What is sent to clients that are not native while nothing else is: placeholders, pings, signs of life.
    fn keep_company(&mut self, now: Micros) -> Result<(), ConnectionError> {
        if self.wants_picture()
            && let Some(picture) = self.placeholder.as_mut().and_then(|s| s.due(now))
        {
            self.connection.send_picture(&picture, None, Duration::ZERO)?;
            (self.activity.progress, self.activity.given) = (now, now);
        }
        if let PeerRole::Member(member) = &mut self.role
            && member.due(now)
        {
            self.connection.send_text(r#"{"type":"ping"}"#)?;
        }
        let Some(keepalive) = &mut self.keepalive else { return Ok(()) };
        keepalive.heard(self.connection.bytes_in, now);
        match keepalive.due(now) {
            Due::None => Ok(()),
            Due::Ping => self.connection.send_ping(),
            Due::KeepAlive if matches!(self.connection.framing(), Framing::Bridge(_, Dialect::Detection { .. })) => {
                self.connection.send_text("keepalive")
            }
            Due::KeepAlive => Ok(()),
            Due::Dead => Err(ConnectionError::Stuck),
        }
    }
}
