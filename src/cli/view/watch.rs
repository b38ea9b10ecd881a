//! What all ways of viewing keep an eye on: when to end, with what, and the line a second.

use std::time::Duration;

use super::lines::Lines;
use crate::error::Error;
use crate::stats::State;
use crate::time::{Micros, now};
use crate::viewer::Viewer;

/// When a run is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) frames: Option<u64>,
    pub(super) duration: Option<Duration>,
}

/// See there.
pub(super) struct Watch {
    limits: Limits,
    lines: Option<Lines>,
    begun: Micros,
    next_line: Micros,
    /// Pictures that were shown, of all streams.
    pub(super) pictures: u64,
}

impl Watch {
    pub(super) fn new(limits: Limits, lines: Option<Lines>) -> Self {
        let at = now();
        Self { limits, lines, begun: at, next_line: at + Duration::from_secs(1), pictures: 0 }
    }

    /// Prints what is due, and says whether and how the run is over. Of several streams the others go on when one has ended.
    pub(super) fn look<'a>(&mut self, viewers: impl Iterator<Item = &'a Viewer> + Clone) -> Option<anyhow::Result<()>> {
        let at = now();
        let mut ends = viewers.clone().map(Viewer::over);
        let first = ends.next().flatten();
        if let Some(error) = first.filter(|_| ends.all(|end| end.is_some())) {
            return Some(Err(error.into()));
        }
        let enough = self.limits.frames.is_some_and(|n| self.pictures >= n);
        let late = self.limits.duration.is_some_and(|d| at.since(self.begun) >= d);
        if let Some(lines) = self.lines.as_mut().filter(|_| at >= self.next_line || enough || late) {
            self.next_line = (self.next_line + Duration::from_secs(1)).max(at);
            let told = lines.put(viewers.clone().map(Viewer::report).collect());
            if let Err(error) = if enough || late { told.and_then(|()| lines.finish()) } else { told } {
                return Some(Err(error.into()));
            }
        }
        if enough || (late && self.pictures > 0 && self.limits.frames.is_none()) {
            return Some(Ok(()));
        }
        late.then(|| Err(self.too_few(viewers).into()))
    }

    /// The time is over: why there are not as many pictures as there should be.
    fn too_few<'a>(&self, viewers: impl Iterator<Item = &'a Viewer>) -> Error {
        let mut reports: Vec<_> = viewers.map(Viewer::report).collect();
        // The one that does worst says why.
        reports.sort_by_key(|report| matches!(report.state, State::Live | State::Late));
        let Some(report) = reports.first() else { return Error::NoSource("there is no stream".into()) };
        let why = format!("{} pictures in time: {}", self.pictures, report.detail);
        match report.state {
            State::Connecting => Error::Unreachable(why),
            State::Waiting | State::Lost => Error::NoSource(why),
            State::Live | State::Late => {
                Error::Failed(format!("{} pictures in time, more were asked for", self.pictures))
            }
        }
    }
}
