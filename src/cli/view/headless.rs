//! Viewing without a window: for scripts, tests and servers.

use std::path::Path;
use std::time::Duration;

use super::saved::Saved;
use super::watch::Watch;
use crate::cli::Interrupt;
use crate::time::now;
use crate::viewer::{Shown, Viewer, snapshot};

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
                if let Err(error) = keep(saved.as_mut(), viewer, &shown) {
                    break Err(error.into());
                }
            }
            viewer.recycle(shown.bitmap);
        } else {
            // It logs what there is to say.
            let _ = viewer.report();
        }
        if let Some(end) = watch.look(std::iter::once(viewer)) {
            break end;
        }
    };
    if let Some(saved) = saved {
        log::info!("{}", saved.sum());
    }
    end
}

/// Several streams: pictures of all are counted and saved, and there is a line for each.
pub(super) fn run_several(
    viewers: &[Viewer],
    interrupt: &Interrupt,
    mut watch: Watch,
    save: Option<&Path>,
) -> anyhow::Result<()> {
    viewers.iter().for_each(|viewer| viewer.wakes(std::thread::current()));
    let mut saved = save.map(|folder| Saved::new(folder, now()));
    let end = 'watch: loop {
        if interrupt.came() {
            break Ok(());
        }
        let mut came = false;
        for viewer in viewers {
            // It logs what there is to say.
            let _ = viewer.report();
            let Some(shown) = viewer.next(Duration::ZERO) else { continue };
            came = true;
            viewer.mark_shown(&shown);
            if saved.is_none() || !viewer.is_settling() {
                watch.pictures += 1;
                if let Err(error) = keep(saved.as_mut(), viewer, &shown) {
                    break 'watch Err(error.into());
                }
            }
            viewer.recycle(shown.bitmap);
        }
        if let Some(end) = watch.look(viewers.iter()) {
            break end;
        }
        if !came {
            std::thread::park_timeout(PATIENCE);
        }
    };
    if let Some(saved) = saved {
        log::info!("{}", saved.sum());
    }
    end
}

/// Saves a picture exactly as it was received, where that is asked for.
fn keep(saved: Option<&mut Saved>, viewer: &Viewer, shown: &Shown) -> crate::Result<()> {
    let Some(saved) = saved else { return Ok(()) };
    let path = snapshot::save(saved.folder(), &viewer.report().stream, &shown.picture.data)?;
    if let Some(line) = saved.add(&path, now()) {
        log::info!("{line}");
    }
    Ok(())
}
