//! The controls of a stream's camera: a viewer asks for them or sets them, and the publisher answers.

use super::{HeldRight, Peer, PeerRole};
use crate::access::Right;
use crate::hub::Shared;
use crate::hub::deliver::Command;
use crate::net::connection::ConnectionError;
use crate::relay::steering::{Answer, Asked};
use crate::time::Micros;
use crate::wire::camera_controls::{ControlList, Problem, ProblemCause, SetControls, in_parts};
use crate::wire::control::Control;

impl Peer {
    /// A viewer sets controls of what it watches, or asks for them.
    pub(super) fn sets_controls(
        &mut self,
        set: SetControls,
        shared: &Shared,
        at: Micros,
    ) -> Result<(), ConnectionError> {
        let number = set.number;
        let answer = match self.ask_for_controls(set, shared, at) {
            Ok(Asked::Known(list)) => Ok(list),
            // The publisher's own answer comes to `tells_controls`.
            Ok(Asked::Waits(..)) => return Ok(()),
            Err(problem) => Err(problem),
        };
        parts(number, answer).iter().try_for_each(|part| self.tell(part))
    }

    fn ask_for_controls(&self, set: SetControls, shared: &Shared, at: Micros) -> Result<Asked, Problem> {
        set.check()?;
        let number = set.number;
        let HeldRight::Watch(key) = &self.held else {
            return Err(Problem::new(ProblemCause::Denied, "controls are set by who watches"));
        };
        let key = if key.name.is_empty() { shared.registry().rooms.first(&key.room) } else { Some(key.clone()) };
        let none = || Problem::new(ProblemCause::NoControls, "nobody publishes here");
        let key = key.ok_or_else(none)?;
        let right = if set.only_reads() { Right::Watch(&key) } else { Right::Operate(&key) };
        let denied = |denied: crate::access::Denied| Problem::new(ProblemCause::Denied, denied.with_line());
        shared.access.ask(&self.credentials, right).map_err(denied)?;
        shared.ask_for_controls(&key, set, Some((self.id, number)), at).map(|(_, asked)| asked)
    }

    /// A publisher tells how its controls are.
    pub(super) fn tells_controls(&self, list: ControlList, shared: &Shared, at: Micros) {
        let PeerRole::Publisher(stream) = &self.role else { return };
        let answered = stream.steering().answer(self.id, list, at);
        let Some(viewer) = answered else { return };
        // Whoever waits in admission looks.
        shared.admission.picture_came(stream);
        if let Some(((id, number), answer)) = viewer {
            for part in parts(number, answer) {
                shared.loop_of(id).command(Command::Tell(id, part));
            }
        }
    }
}

fn parts(number: u64, answer: Answer) -> Vec<Control> {
    let (list, problem) = match answer {
        Ok(list) => (list.to_vec(), None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    in_parts(number, list, problem).into_iter().map(Control::Controls).collect()
}
