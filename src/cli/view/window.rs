//! Viewing in a window, on the main thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Watch;
use crate::cli::{Interrupt, logging};
use crate::display::{Action, Screen};
use crate::frame::{Picture, Size};
use crate::stats::State;
use crate::time::now;
use crate::viewer::{Viewer, snapshot};

/// The longest wait for a picture before the keys are looked at.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often the numbers on the screen change: the age of a picture that stands still runs on.
const NUMBERS: Duration = Duration::from_millis(75);
/// The same, and the wait, while no picture comes that would bring them along.
const NUMBERS_ALONE: Duration = Duration::from_millis(45);
const PATIENCE_ALONE: Duration = Duration::from_millis(25);
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
    #[cfg(target_os = "linux")]
    crate::system::when_display_goes(|| logging::finish("error: the display has gone; --headless needs none"));
    screen.show_overlay(overlay);
    let mut report = viewer.report();
    let mut next_report = now();
    let mut newest: Option<Arc<Picture>> = None;
    while !interrupt.came() {
        let comes = report.state == State::Live;
        if let Some(mut shown) = viewer.next(if comes { PATIENCE } else { PATIENCE_ALONE }) {
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
            next_report = at + if comes { NUMBERS } else { NUMBERS_ALONE };
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
