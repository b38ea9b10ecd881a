//! What a connection is given in the place of sealed pictures, where it cannot open them.

use std::time::Duration;

use super::{FanOut, Peer, PeerRole};
use crate::frame::Picture;
use crate::net::connection::ConnectionError;
use crate::net::layout::Dialect;
use crate::time::Micros;

/// How often the placeholder is given again, as long as pictures come.
const AGAIN: Duration = Duration::from_secs(1);
/// When it is asked for again that is not painted yet.
const PAINTED: Duration = Duration::from_millis(20);

impl Peer {
    /// Gives it the picture that says how to open this one, if that is due and it can take one now.
    pub(super) fn offer_stand_in(
        &mut self,
        stream: u64,
        sealed: &Picture,
        fan_out: &FanOut,
        now: Micros,
    ) -> Result<(), ConnectionError> {
        if !self.connection.is_idle() {
            return Ok(());
        }
        let (due, dialect) = match &mut self.role {
            PeerRole::Viewer(viewer) => (&mut viewer.stand_in_due, None),
            PeerRole::Member(member) => {
                let Some((due, opening, binary)) = member.stand_in(stream) else { return Ok(()) };
                (due, Some(Dialect::Room { opening, binary }))
            }
            PeerRole::None | PeerRole::Publisher(_) => return Ok(()),
        };
        if now < *due {
            return Ok(());
        }
        let Some(picture) = fan_out.placeholders.sealed(sealed.sequence) else {
            let until = now + PAINTED;
            self.paced = Some(self.paced.map_or(until, |paced| paced.min(until)));
            return Ok(());
        };
        *due = now + AGAIN;
        if let Some(dialect) = dialect {
            self.connection.speak(dialect);
        }
        self.connection.send_picture(&picture, None, Duration::ZERO)?;
        (self.activity.progress, self.activity.given) = (now, now);
        Ok(())
    }
}
