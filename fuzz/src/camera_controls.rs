//! Controls of cameras.

use streamflow::internal::wire::camera_controls::{self, Problem, SetControls, SetValue};
use streamflow::internal::wire::control::{Control, MAX_CONTROL_TO_HUB};

/// Controls of cameras: what is written to set them, and lists that a publisher or a hub tells.
pub fn camera_controls(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for set in [SetControls::from_json(data), SetControls::from_form(&text)].into_iter().flatten() {
        assert!(!set.only_reads() && set.check().is_ok());
    }
    let _ = text.parse::<SetValue>();
    let Ok(Control::Controls(list)) = Control::from_json(data) else { return };
    let shown = camera_controls::to_be_shown(list.controls);
    assert!(shown.len() <= camera_controls::MOST);
    assert_eq!(camera_controls::to_be_shown(shown.clone()), shown);
    for control in &shown {
        assert!(camera_controls::find(&shown, &control.name).is_ok());
        for text in ["0", "-1", "9223372036854775807", "-9223372036854775808", "on", ""] {
            let _ = camera_controls::number_of(control, Some(text));
        }
    }
    let _ = camera_controls::find(&shown, text.get(..20).unwrap_or("exposure"));
    for part in camera_controls::in_parts(1, shown, list.problem.map(Problem::to_be_shown)) {
        assert!(Control::Controls(part).to_json().len() <= MAX_CONTROL_TO_HUB);
    }
}
