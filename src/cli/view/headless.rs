//! Viewing without a window: for scripts, tests and servers.

use std::path::Path;
use std::time::Duration;

use super::Watch;
use crate::cli::Interrupt;
use crate::viewer::{Viewer, snapshot};

/// How long a wait for a picture may take before the clock and Ctrl-C are looked at.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) fn run(viewer: &Viewer, interrupt: &Interrupt, mut watch: Watch, save: Option<&Path>) -> anyhow::Result<()> {
    while !interrupt.came() {
        if let Some(shown) = viewer.next(PATIENCE) {
            viewer.mark_shown(&shown);
            // A camera that was woken by this may give dark pictures first, and one of them may be all that is asked for.
            if save.is_none() || !viewer.is_settling() {
                watch.pictures += 1;
                if let Some(folder) = save {
                    snapshot::save(folder, &viewer.report().stream, &shown.picture.data)?;
                }
            }
            viewer.recycle(shown.bitmap);
        } else {
            // It logs what there is to say.
            let _ = viewer.report();
        }
        if let Some(end) = watch.look(viewer) {
            return end;
        }
    }
    Ok(())
}
