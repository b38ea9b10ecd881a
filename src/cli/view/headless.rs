//! Viewing without a window: for scripts, tests and servers.

use std::path::Path;
use std::time::Duration;

use super::watch::Watch;
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
        if let Some(end) = watch.look(std::iter::once(viewer)) {
            return end;
        }
    }
    Ok(())
}

/// Several streams: pictures of all are counted and saved, and there is a line for each.
pub(super) fn run_several(
    viewers: &[Viewer],
    interrupt: &Interrupt,
    mut watch: Watch,
    save: Option<&Path>,
) -> anyhow::Result<()> {
    viewers.iter().for_each(|viewer| viewer.wakes(std::thread::current()));
    while !interrupt.came() {
        let mut came = false;
        for viewer in viewers {
            let report = viewer.report();
            let Some(shown) = viewer.next(Duration::ZERO) else { continue };
            came = true;
            viewer.mark_shown(&shown);
            if save.is_none() || !viewer.is_settling() {
                watch.pictures += 1;
                if let Some(folder) = save {
                    snapshot::save(folder, &report.stream, &shown.picture.data)?;
                }
            }
            viewer.recycle(shown.bitmap);
        }
        if let Some(end) = watch.look(viewers.iter()) {
            return end;
        }
        if !came {
            std::thread::park_timeout(PATIENCE);
        }
    }
    Ok(())
}
