//! Viewing without a window: for scripts, tests and servers.

use std::path::Path;
use std::time::Duration;

use super::Watch;
use crate::cli::Interrupt;
use crate::stats::{State, ViewReport};
use crate::viewer::{Viewer, snapshot};

/// How long a wait for a picture may take before the clock and Ctrl-C are looked at.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) fn run(viewer: &Viewer, interrupt: &Interrupt, mut watch: Watch, save: Option<&Path>) -> anyhow::Result<()> {
    let mut said = ViewReport::default();
    while !interrupt.came() {
        if let Some(shown) = viewer.next(PATIENCE) {
            viewer.mark_shown(&shown);
            watch.pictures += 1;
            if let Some(folder) = save {
                snapshot::save(folder, &viewer.report().stream, &shown.picture.data)?;
            }
            viewer.recycle(shown.bitmap);
        } else {
            say_change(&mut said, viewer.report());
        }
        if let Some(end) = watch.look(viewer) {
            return end;
        }
    }
    Ok(())
}

/// A log line when the state changes, not when a countdown does; but not of what the link and the decoder say themselves.
fn say_change(said: &mut ViewReport, report: ViewReport) {
    let is_said = report.state == State::Connecting || report.broken > said.broken;
    if said.state != report.state && !report.detail.is_empty() && !is_said {
        let level = if report.state == State::Waiting { log::Level::Info } else { log::Level::Warn };
        log::log!(level, "{}", report.detail);
    }
    *said = report;
}
