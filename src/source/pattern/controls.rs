//! What can be set at the test pattern, so that controls can be tried without a camera: one of each sort that cameras have.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::canvas::Layout;
use crate::frame::Frame;
use crate::source::SourceError;
use crate::source::controls::ControlPanel;
use crate::wire::camera_controls::{CameraControl, ControlKind, MenuEntry};

const USUAL: i64 = 128;
/// Their numbers in V4L2 (`V4L2_CID_BRIGHTNESS`, `_AUTOBRIGHTNESS`, `_TEST_PATTERN`).
const BRIGHTNESS: u32 = 0x0098_0900;
const AUTOMATIC: u32 = 0x0098_0920;
const TEST_PATTERN: u32 = 0x009f_0903;

/// How the pattern looks; its painter and its panel share it.
#[derive(Clone)]
pub(super) struct Look(Arc<Values>);

struct Values {
    brightness: AtomicI64,
    automatic: AtomicI64,
    /// What is shown: 0 the moving picture, 1 grey.
    shows: AtomicI64,
}

impl Default for Look {
    fn default() -> Self {
        Self(Arc::new(Values { brightness: USUAL.into(), automatic: 0.into(), shows: 0.into() }))
    }
}

impl Look {
    /// Makes a frame look so, below its stamp. As long as nothing is set nothing is done.
    pub(super) fn apply(&self, frame: &mut Frame, layout: Layout, top: usize) {
        let values = &*self.0;
        let automatic = values.automatic.load(Ordering::Relaxed) != 0;
        let brightness = if automatic { USUAL } else { values.brightness.load(Ordering::Relaxed) };
        let grey = values.shows.load(Ordering::Relaxed) == 1;
        if brightness == USUAL && !grey {
            return;
        }
        if grey {
            layout.fill_grey(&mut frame.data, top);
        }
        let [black, white] = layout.black_and_white();
        let table: [u8; 256] = std::array::from_fn(|y| {
            let shifted = y as i64 + brightness - USUAL;
            shifted.clamp(black.into(), white.into()) as u8
        });
        layout.change_luma(&mut frame.data, top, &table);
    }
}

impl ControlPanel for Look {
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
        let get = |value: &AtomicI64| value.load(Ordering::Relaxed);
        let automatic = get(&self.0.automatic) != 0;
        let entry = |value, label: &str| MenuEntry { value, label: label.into() };
        Ok(vec![
            CameraControl {
                name: "brightness".into(),
                label: "Brightness".into(),
                max: 255,
                step: 1,
                default: USUAL,
                value: get(&self.0.brightness),
                inactive: automatic,
                held_by: automatic.then(|| "brightness_automatic".into()),
                id: BRIGHTNESS,
                ..CameraControl::default()
            },
            CameraControl {
                name: "brightness_automatic".into(),
                label: "Brightness, Automatic".into(),
                kind: ControlKind::Boolean,
                max: 1,
                step: 1,
                value: get(&self.0.automatic),
                id: AUTOMATIC,
                ..CameraControl::default()
            },
            CameraControl {
                name: "test_pattern".into(),
                label: "Test Pattern".into(),
                kind: ControlKind::Menu,
                max: 1,
                step: 1,
                value: get(&self.0.shows),
                menu: vec![entry(0, "Moving Picture"), entry(1, "Grey")],
                id: TEST_PATTERN,
                ..CameraControl::default()
            },
        ])
    }

    fn set(&mut self, control: &CameraControl, value: i64) -> Result<(), SourceError> {
        let place = match control.id {
            BRIGHTNESS => &self.0.brightness,
            AUTOMATIC => &self.0.automatic,
            TEST_PATTERN => &self.0.shows,
            _ => return Err(SourceError::Missing(format!("the test pattern has no {}", control.name))),
        };
        place.store(value, Ordering::Relaxed);
        Ok(())
    }
}
