//! What can be set at a source while it runs. A source has a panel of its controls, which belongs to a thread of its own: a camera
//! that hangs in a setting holds up neither pictures nor the link.

use super::SourceError;
use crate::wire::camera_controls::{
    CameraControl, Problem, SetControls, SetValue, check_all, find, held, in_order, number_of,
};
use crate::wire::camera_controls::{ControlKind, ProblemCause};

/// The controls of a source. It may be asked while the source is open, and while it is not.
pub trait ControlPanel: Send + 'static {
    /// What there is, with the values of now; none if nothing can be set.
    ///
    /// # Errors
    /// Why nobody can tell now.
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError>;

    /// Sets one of them to a value that it takes; a button is pressed.
    ///
    /// # Errors
    /// Why it was not set.
    fn set(&mut self, control: &CameraControl, value: i64) -> Result<(), SourceError>;

    /// Whether they are those of something that stands in for a camera that is not there: what is to be set at the camera is not set at
    /// it, and what is set at it is not kept for the camera.
    fn stands_in(&self) -> bool {
        false
    }
}

fn failed(error: SourceError) -> Problem {
    Problem::new(ProblemCause::Failed, error.to_string())
}

/// Reads them.
///
/// # Errors
/// Why nobody can tell now.
pub(crate) fn read(panel: &mut dyn ControlPanel) -> Result<Vec<CameraControl>, Problem> {
    panel.read().map(crate::wire::camera_controls::to_be_shown).map_err(failed)
}

/// Sets what is wanted, nothing of it if something cannot be; `known` are the controls as they were a moment ago. What was set is
/// put into `done`, also where a camera said no in the middle.
///
/// # Errors
/// Why it was not set.
pub(crate) fn set_all(
    panel: &mut dyn ControlPanel,
    known: Vec<CameraControl>,
    wanted: &SetControls,
    done: &mut Vec<SetValue>,
) -> Result<(), Problem> {
    check_all(&known, wanted)?;
    let mut known = known;
    if wanted.reset {
        known = reset(panel, known)?;
    }
    for set in in_order(&known, wanted.values.clone()) {
        let control = find(&known, &set.name)?.clone();
        let value = number_of(&control, set.value.as_deref())?;
        if control.inactive {
            return Err(held(&control, &known));
        }
        panel.set(&control, value).map_err(|error| {
            let why = format!("{} was not set: {error}", control.name);
            Problem::new(ProblemCause::Failed, why)
        })?;
        if control.kind != ControlKind::Button {
            done.push(SetValue { name: control.name.clone(), value: set.value.map(|_| value.to_string()) });
        }
        if matches!(control.kind, ControlKind::Boolean | ControlKind::Menu) {
            // Others may be free now, or held.
            known = read(panel)?;
        }
    }
    Ok(())
}

/// Sets all to their defaults: first what holds others, then those that are free.
fn reset(panel: &mut dyn ControlPanel, mut known: Vec<CameraControl>) -> Result<Vec<CameraControl>, Problem> {
    for switches in [true, false] {
        for control in &known {
            let is_switch = matches!(control.kind, ControlKind::Boolean | ControlKind::Menu);
            let can = !control.read_only && !matches!(control.kind, ControlKind::Button | ControlKind::Unknown);
            if is_switch != switches || !can || control.inactive || control.value == control.default {
                continue;
            }
            if let Err(error) = panel.set(control, control.default) {
                log::warn!("the control {} was not set to its default: {error}", control.name);
            }
        }
        known = read(panel)?;
    }
    Ok(known)
}
