//! Pictures for another program in the place of a window: what takes them, and the loop that gives it the newest.

use std::time::Duration;

use super::watch::Watch;
use crate::cli::Interrupt;
use crate::frame::Size;
use crate::stats::{State, ViewReport};
use crate::time::now;
use crate::viewer::{Shown, Viewer};

/// How long a wait for a picture may take before the clock, Ctrl-C and the other program are looked at.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often a program is shown that no pictures come, where it can be.
const AGAIN: Duration = Duration::from_secs(1);

/// What takes pictures.
pub(super) trait Output {
    /// Gives it one, and waits until it has taken it; newer ones replace each other meanwhile.
    fn put(&mut self, shown: &Shown, viewer: &Viewer) -> anyhow::Result<()>;

    /// Shows that no picture comes now.
    fn stands_still(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Whether nobody takes pictures any more.
    fn is_over(&self) -> bool {
        false
    }
}

/// Gives pictures until the program is told to end, or nobody takes them any more.
pub(super) fn run(
    viewer: &Viewer,
    interrupt: &Interrupt,
    mut watch: Watch,
    output: &mut impl Output,
) -> anyhow::Result<()> {
    let mut again = now() + AGAIN;
    while !interrupt.came() && !output.is_over() {
        if let Some(shown) = viewer.next(PATIENCE) {
            // It is shown when the other program has it.
            output.put(&shown, viewer)?;
            viewer.mark_shown(&shown);
            watch.pictures += 1;
            viewer.recycle(shown.bitmap);
            again = now() + AGAIN;
        } else {
            let lost = !matches!(viewer.report().state, State::Live | State::Late);
            if now() >= again && lost {
                again = now() + AGAIN;
                output.stands_still()?;
            }
        }
        if let Some(end) = watch.look(std::iter::once(viewer)) {
            return end;
        }
    }
    Ok(())
}

/// How much more pixels a picture may have where nothing limits it, at most: a slow link takes three quarters of each side.
const LIMITED: usize = 16 + 4;

/// The size that a stream's pictures have when nothing limits them, as far as its publisher says it and that can be; otherwise that
/// of this one.
pub(super) fn usual_size(shown: &Shown, report: &ViewReport, is_cut: bool) -> Size {
    let can_be = |told: &Size| !is_cut && told.area() <= LIMITED * shown.bitmap.size.area();
    let told = report.nominal.size.parse::<Size>().ok().filter(can_be);
    told.map_or(shown.bitmap.size, |told| shown.turn.shown(told))
}
