//! Viewing in a window, on the main thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Watch;
use crate::cli::Interrupt;
use crate::display::{Action, Screen};
use crate::frame::{Picture, Size};
use crate::time::now;
use crate::viewer::{Viewer, snapshot};

/// The longest wait for a picture before the keys are looked at.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often the numbers on the screen change: faster cannot be read.
const NUMBERS: Duration = Duration::from_millis(250);
/// The window before the first picture has told its size.
const FIRST_SIZE: Size = Size::new(640, 480);

pub(super) fn run(
    viewer: &Viewer,
    interrupt: &Interrupt,
    mut watch: Watch,
    snapshots: &Path,
    overlay: bool,
) -> anyhow::Result<()> {
    let mut screen = Screen::open("StreamFlow", FIRST_SIZE)?;
    screen.show_overlay(overlay);
    let mut report = viewer.report();
    let mut next_report = now();
    let mut newest: Option<Arc<Picture>> = None;
    while !interrupt.came() {
        if let Some(mut shown) = viewer.next(PATIENCE) {
            let bitmap = std::mem::take(&mut shown.bitmap);
            let spent = screen.present(bitmap, &report, now())?;
            viewer.mark_shown(&shown);
            viewer.recycle(spent);
            newest = Some(shown.picture);
            watch.pictures += 1;
        }
        let at = now();
        if at >= next_report {
            report = viewer.report();
            next_report = at + NUMBERS;
        }
        for action in screen.tick(&report, at)? {
            match action {
                Action::Quit => return Ok(()),
                Action::Snapshot => {
                    let note = match &newest {
                        None => "no picture yet".to_string(),
                        Some(picture) => match snapshot::save(snapshots, &report.stream, &picture.data) {
                            Ok(path) => format!("saved {}", path.display()),
                            Err(error) => error.to_string(),
                        },
                    };
                    log::info!("{note}");
                    screen.note(note, at);
                }
            }
        }
        if let Some(end) = watch.look(viewer) {
            return end;
        }
    }
    Ok(())
}
