//! Viewing without a window: for scripts, tests and servers.

use std::path::Path;
use std::time::Duration;

use super::Watch;
use super::saved::Saved;
use crate::cli::Interrupt;
use crate::time::now;
use crate::viewer::{Viewer, snapshot};

/// How long a wait for a picture may take before the clock and Ctrl-C are looked at.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) fn run(viewer: &Viewer, interrupt: &Interrupt, mut watch: Watch, save: Option<&Path>) -> anyhow::Result<()> {
    let mut saved = save.map(|folder| Saved::new(folder, now()));
    let end = loop {
        if interrupt.came() {
            break Ok(());
        }
        if let Some(shown) = viewer.next(PATIENCE) {
            viewer.mark_shown(&shown);
            // A camera that was woken by this may give dark pictures first, and one of them may be all that is asked for.
            if saved.is_none() || !viewer.is_settling() {
                watch.pictures += 1;
                if let Some(saved) = &mut saved {
                    match snapshot::save(saved.folder(), &viewer.report().stream, &shown.picture.data) {
                        Ok(path) => saved.add(&path, now()).into_iter().for_each(|line| log::info!("{line}")),
                        Err(error) => break Err(error.into()),
                    }
                }
            }
            viewer.recycle(shown.bitmap);
        } else {
            // It logs what there is to say.
            let _ = viewer.report();
        }
        if let Some(end) = watch.look(viewer) {
            break end;
        }
    };
    if let Some(saved) = saved {
        log::info!("{}", saved.sum());
    }
    end
}
