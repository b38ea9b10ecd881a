//! Viewing in a window, on the main thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::sound::Switch;
use super::watch::Watch;
use crate::cli::{Interrupt, logging};
use crate::display::{Action, Screen};
use crate::frame::{Picture, Size};
use crate::jpeg::{Bitmap, Wanted, turned};
use crate::stats::State;
use crate::time::now;
use crate::viewer::{Shown, Viewer, snapshot};

/// The longest wait for a picture before the keys are looked at.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often the numbers on the screen change: the age of a picture that stands still runs on.
pub(super) const NUMBERS: Duration = Duration::from_millis(75);
/// The same, and the wait, while no picture comes that would bring them along.
const NUMBERS_ALONE: Duration = Duration::from_millis(45);
pub(super) const PATIENCE_ALONE: Duration = Duration::from_millis(25);
/// The window before the first picture has told its size.
const FIRST_SIZE: Size = Size::new(640, 480);

/// How the window begins, and where it saves.
pub(super) struct Look<'a> {
    pub(super) overlay: bool,
    pub(super) fullscreen: bool,
    pub(super) wanted: Wanted,
    pub(super) snapshots: &'a Path,
}

/// Opens the window.
pub(super) fn open(look: &Look<'_>) -> anyhow::Result<Screen> {
    let mut screen = Screen::open("StreamFlow", FIRST_SIZE)?;
    #[cfg(target_os = "linux")]
    crate::system::when_display_goes(|| logging::finish("error: the display has gone; --headless needs none"));
    if !look.overlay {
        screen.hide_overlay();
    }
    if look.fullscreen {
        screen.fill_screen()?;
    }
    Ok(screen)
}

/// The pixels of a picture, turned as is wanted now: it may have been decoded before that was.
pub(super) fn as_wanted(shown: &mut Shown, wanted: &Wanted) -> Bitmap {
    let bitmap = std::mem::take(&mut shown.bitmap);
    if shown.turn == wanted.turn { bitmap } else { turned(&bitmap, shown.turn.inverse().then(wanted.turn)) }
}

/// Saves the newest picture, and says what was saved.
pub(super) fn save(newest: Option<&Picture>, folder: &Path, stream: &str) -> String {
    let note = match newest {
        None => "no picture yet".to_string(),
        Some(picture) => match snapshot::save(folder, stream, &picture.data) {
            Ok(path) => format!("saved exactly as received: {}", path.display()),
            Err(error) => error.to_string(),
        },
    };
    log::info!("{note}");
    note
}

pub(super) fn run(viewer: &Viewer, interrupt: &Interrupt, mut watch: Watch, look: &Look<'_>) -> anyhow::Result<()> {
    let mut screen = open(look)?;
    let mut wanted = look.wanted;
    viewer.show_as(wanted);
    let mut report = viewer.report();
    let mut next_report = now();
    let mut newest: Option<Arc<Picture>> = None;
    let mut sound = Switch::default();
    while !interrupt.came() {
        let comes = report.state == State::Live;
        if let Some(mut shown) = viewer.next(if comes { PATIENCE } else { PATIENCE_ALONE }) {
            let bitmap = as_wanted(&mut shown, &wanted);
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
        if let Some(note) = sound.look(std::iter::once(viewer), at) {
            screen.note(note, at);
        }
        for action in screen.tick(&report, at)? {
            match action {
                Action::Quit => return Ok(()),
                Action::Turn(turn) => {
                    wanted.turn = wanted.turn.then(turn);
                    viewer.show_as(wanted);
                }
                Action::Snapshot => {
                    screen.note(save(newest.as_deref(), look.snapshots, &report.stream), at);
                }
                Action::Sound => screen.note(sound.press(std::iter::once(viewer), at), at),
                Action::Chosen => {}
            }
        }
        if let Some(end) = watch.look(std::iter::once(viewer)) {
            return end;
        }
    }
    Ok(())
}
