//! Controls of cameras as the programs print them.

use std::io::{self, Write};

use crate::text::Untrusted;
use crate::wire::camera_controls::{CameraControl, ControlKind};

/// Prints them: for programs as one JSON list, else a line each, with the entries of menus below.
pub(super) fn print(controls: &[CameraControl], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(controls)?);
    }
    let width = controls.iter().map(|control| control.name.len()).max().unwrap_or(0);
    for control in controls {
        writeln!(out, "{:width$}  {}", control.name, line(control))?;
        for entry in &control.menu {
            writeln!(out, "{:width$}    {} {}", "", entry.value, Untrusted(&entry.label))?;
        }
    }
    Ok(())
}

/// `integer  0 to 255, default 128, is 140; held by brightness_automatic`.
fn line(control: &CameraControl) -> String {
    let step = if control.step > 1 { format!(" in steps of {}", control.step) } else { String::new() };
    let on = |value: i64| if value == 0 { "off" } else { "on" };
    let text = match control.kind {
        ControlKind::Button => "button".into(),
        ControlKind::Boolean => format!("boolean  default {}, is {}", on(control.default), on(control.value)),
        ControlKind::Menu => {
            let entry = control.menu.iter().find(|entry| entry.value == control.value);
            let label = entry.map(|entry| format!(" ({})", Untrusted(&entry.label))).unwrap_or_default();
            format!("menu     default {}, is {}{label}", control.default, control.value)
        }
        ControlKind::Integer => format!(
            "integer  {} to {}{step}, default {}, is {}",
            control.min, control.max, control.default, control.value
        ),
        ControlKind::Unknown => "of a sort that this version does not know".into(),
    };
    let held = match (&control.held_by, control.inactive) {
        (Some(holder), _) => format!("; held by {holder}"),
        (None, true) => "; inactive".into(),
        (None, false) => String::new(),
    };
    let read_only = if control.read_only { "; read only" } else { "" };
    format!("{text}{held}{read_only}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::camera_controls::MenuEntry;

    #[test]
    fn a_control_is_told_with_its_range_its_value_and_what_holds_it() {
        let control = CameraControl {
            max: 255,
            step: 5,
            default: 128,
            value: 140,
            held_by: Some("brightness_automatic".into()),
            ..CameraControl::default()
        };
        assert_eq!(
            line(&control),
            "integer  0 to 255 in steps of 5, default 128, is 140; held by brightness_automatic"
        );
        let menu = vec![MenuEntry { value: 3, label: "Aperture\x1b".into() }];
        let control =
            CameraControl { kind: ControlKind::Menu, menu, value: 3, read_only: true, ..CameraControl::default() };
        assert_eq!(line(&control), r"menu     default 0, is 3 (Aperture\u{1b}); read only");
    }
}
