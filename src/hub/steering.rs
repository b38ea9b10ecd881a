//! Asking a stream's publisher for the controls of its camera, or to set them.

use std::sync::Arc;

use super::Shared;
use super::deliver::Command;
use super::stream::Stream;
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::relay::steering::Asked;
use crate::time::Micros;
use crate::wire::camera_controls::{Problem, ProblemCause, SetControls};
use crate::wire::control::Control;

impl Shared {
    /// Asks, if the answer is not known; `viewer` is who is told it, with the number of its question.
    pub(super) fn ask_for_controls(
        &self,
        key: &StreamKey,
        set: SetControls,
        viewer: Option<(ConnectionId, u64)>,
        now: Micros,
    ) -> Result<(Arc<Stream>, Asked), Problem> {
        let registry = self.registry();
        let publisher = registry.rooms.publisher_of(key);
        let stream = registry.streams.get(key).cloned().filter(|_| publisher.is_some());
        drop(registry);
        let none = || Problem::new(ProblemCause::NoControls, format!("no stream {key}"));
        let stream = stream.ok_or_else(none)?;
        let asked = stream.steering().ask(set, publisher, viewer, now);
        let asked = asked.map_err(|problem| Problem { reason: format!("{key}: {}", problem.reason), ..problem })?;
        if let Asked::Waits(number, Some((publisher, set))) = asked {
            self.loop_of(publisher).command(Command::Tell(publisher, Control::Set(set)));
            return Ok((stream, Asked::Waits(number, None)));
        }
        Ok((stream, asked))
    }

    /// Whether the camera of a stream has controls.
    pub(super) fn has_controls(&self, key: &StreamKey) -> bool {
        let registry = self.registry();
        let publisher = registry.rooms.publisher_of(key);
        let stream = registry.streams.get(key);
        publisher.zip(stream).is_some_and(|(publisher, stream)| stream.steering().has_controls(publisher))
    }
}
