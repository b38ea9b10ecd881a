//! The controls of a V4L2 device: which of them are understood, and what holds those that have no effect now. They are read and set
//! over a handle of their own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device::Device;
use super::{closed, lost};
use crate::source::SourceError;
use crate::source::controls::ControlPanel;
use crate::system::v4l2_controls::{Told, control_behind, entry, set, value};
use crate::wire::camera_controls::{CameraControl, ControlKind, MOST, MenuEntry, spelled};

/// Controls that are read of a device at most, those included that are not understood: a list that never ends must not hold us up.
const ALL: usize = 512;
/// The greatest index of a menu that is looked for: there may be gaps.
const LAST_ENTRY: i32 = 255;

/// `V4L2_CTRL_TYPE_…`.
const INTEGER: u32 = 1;
const BOOLEAN: u32 = 2;
const MENU: u32 = 3;
const BUTTON: u32 = 4;
const BITMASK: u32 = 8;
const INTEGER_MENU: u32 = 9;

/// `V4L2_CTRL_FLAG_…`.
const DISABLED: u32 = 0x1;
const GRABBED: u32 = 0x2;
const READ_ONLY: u32 = 0x4;
const INACTIVE: u32 = 0x10;
const WRITE_ONLY: u32 = 0x40;

/// Which control holds which, by their numbers (`V4L2_CID_…`): no driver tells that. Of several the first that there is.
const HOLDERS: &[(u32, &[u32])] = &[
    // exposure_time_absolute, exposure, iris_absolute: auto_exposure.
    (0x009a_0902, &[0x009a_0901]),
    (0x0098_0911, &[0x009a_0901]),
    (0x009a_0911, &[0x009a_0901]),
    // gain, analogue_gain: gain_automatic, auto_exposure.
    (0x0098_0913, &[0x0098_0912, 0x009a_0901]),
    (0x009e_0903, &[0x0098_0912, 0x009a_0901]),
    // white_balance_temperature, red_balance, blue_balance: white_balance_automatic, or its presets.
    (0x0098_091a, &[0x0098_090c, 0x009a_0914]),
    (0x0098_090e, &[0x0098_090c, 0x009a_0914]),
    (0x0098_090f, &[0x0098_090c, 0x009a_0914]),
    // focus_absolute, focus_relative: focus_automatic_continuous.
    (0x009a_090a, &[0x009a_090c]),
    (0x009a_090b, &[0x009a_090c]),
    // hue: hue_automatic; brightness: brightness_automatic; chroma_gain: chroma_agc; iso_sensitivity: its automatic.
    (0x0098_0903, &[0x0098_0919]),
    (0x0098_0900, &[0x0098_0920]),
    (0x0098_0924, &[0x0098_091d]),
    (0x009a_0917, &[0x009a_0918]),
];

/// What who has the pictures and who has the controls know of each other.
#[derive(Clone, Default)]
pub(in crate::source::camera) struct OpenPath(Arc<Mutex<Known>>);

#[derive(Clone, Default)]
struct Known {
    /// The path of the device that was opened last.
    opened: Option<PathBuf>,
    /// The handle of the controls, which is kept, for opening wakes some cameras; with where it is.
    handle: Option<(PathBuf, Arc<File>)>,
}

impl OpenPath {
    pub(in crate::source::camera) fn set(&self, path: &Path) {
        self.lock().opened = Some(path.to_owned());
    }

    /// The camera has failed. As long as a handle of one that was unplugged is kept its number is taken, and it would come back under
    /// another.
    pub(in crate::source::camera) fn gone(&self) {
        self.lock().handle = None;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The panel of a camera, wherever it is now.
pub(in crate::source::camera) struct Panel<F> {
    /// Where it is, as far as it was not opened yet.
    find: F,
    known: OpenPath,
}

impl<F: Fn() -> Option<PathBuf> + Send + 'static> Panel<F> {
    pub(in crate::source::camera) fn new(find: F, opened: OpenPath) -> Self {
        Self { find, known: opened }
    }

    /// Does something with the device; one that went and came back is opened anew.
    fn with<T>(&mut self, act: impl Fn(&File) -> io::Result<T>) -> Result<T, SourceError> {
        // Nobody waits for the lock while a camera hangs in a call.
        let Known { opened, handle } = self.known.lock().clone();
        if let Some((_, file)) = handle.filter(|(path, _)| opened.as_ref().is_none_or(|opened| opened == path)) {
            let done = act(&file);
            if !matches!(&done, Err(error) if is_gone(error)) {
                return done.map_err(|error| lost(&error));
            }
            self.known.gone();
        }
        let path = opened.filter(|path| path.exists()).or_else(&self.find);
        let path = path.ok_or_else(|| SourceError::Lost("the camera is not there".into()))?;
        let file = Arc::new(Device::open(&path).map_err(|error| closed(&path, &error))?.file);
        let done = act(&file);
        if !matches!(&done, Err(error) if is_gone(error)) {
            self.known.lock().handle = Some((path, file));
        }
        done.map_err(|error| lost(&error))
    }
}

fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::NODEV | Errno::NXIO | Errno::NOENT | Errno::IO))
}

impl<F: Fn() -> Option<PathBuf> + Send + 'static> ControlPanel for Panel<F> {
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
        self.with(read)
    }

    fn set(&mut self, control: &CameraControl, value: i64) -> Result<(), SourceError> {
        let (id, name) = (control.id, &control.name);
        let number = i32::try_from(value).map_err(|_| SourceError::Lost(format!("{name}: {value} is no value")))?;
        self.with(|file| set(file, id, number))
    }
}

fn read(file: &File) -> io::Result<Vec<CameraControl>> {
    let mut controls: Vec<CameraControl> = Vec::new();
    let mut id = 0;
    for n in 0..ALL {
        let told = match control_behind(file, id) {
            Ok(told) if told.id > id => told,
            Err(error) if n == 0 && is_gone(&error) => return Err(error),
            _ => break,
        };
        id = told.id;
        if let Some(mut control) = understood(&told).filter(|_| controls.len() < MOST) {
            control.menu = menu(file, &told);
            if told.flags & WRITE_ONLY == 0 && told.kind != BUTTON {
                match value(file, told.id) {
                    Ok(value) => control.value = number(&told, value),
                    Err(error) if is_gone(&error) => return Err(error),
                    // It cannot be read now.
                    Err(_) => {}
                }
            }
            while controls.iter().any(|other| other.name == control.name) {
                control.name.push_str("_2");
            }
            controls.push(control);
        }
    }
    name_holders(&mut controls);
    Ok(controls)
}

/// A bit mask has no sign.
fn number(told: &Told, value: i32) -> i64 {
    if told.kind == BITMASK { i64::from(value.cast_unsigned()) } else { value.into() }
}

fn understood(told: &Told) -> Option<CameraControl> {
    let kind = match told.kind {
        INTEGER | BITMASK => ControlKind::Integer,
        BOOLEAN => ControlKind::Boolean,
        MENU | INTEGER_MENU => ControlKind::Menu,
        BUTTON => ControlKind::Button,
        _ => return None,
    };
    let name = spelled(&told.label);
    if name.is_empty() || told.flags & DISABLED != 0 {
        return None;
    }
    let (min, max) = (number(told, told.min), number(told, told.max));
    Some(CameraControl {
        name,
        label: told.label.clone(),
        kind,
        min: if told.kind == BITMASK { 0 } else { min },
        max,
        step: i64::from(told.step).max(1),
        default: number(told, told.default),
        value: number(told, told.default),
        inactive: told.flags & INACTIVE != 0,
        // What another program has grabbed cannot be set now either.
        read_only: told.flags & (READ_ONLY | GRABBED) != 0,
        id: told.id,
        ..CameraControl::default()
    })
}

fn menu(file: &File, told: &Told) -> Vec<MenuEntry> {
    if !matches!(told.kind, MENU | INTEGER_MENU) {
        return Vec::new();
    }
    let all = told.min.max(0)..=told.max.min(LAST_ENTRY);
    let named = all.filter_map(|index| {
        let label = entry(file, told.id, index.cast_unsigned(), told.kind == INTEGER_MENU).ok()?;
        Some(MenuEntry { value: index.into(), label })
    });
    named.take(MOST).collect()
}

fn name_holders(controls: &mut [CameraControl]) {
    let there: Vec<(u32, String)> = controls.iter().map(|control| (control.id, control.name.clone())).collect();
    for control in controls.iter_mut().filter(|control| control.inactive) {
        let holders = HOLDERS.iter().find(|(id, _)| *id == control.id).map_or(&[][..], |(_, holders)| holders);
        let found = holders.iter().find_map(|holder| there.iter().find(|(id, _)| id == holder));
        control.held_by = found.map(|(_, name)| name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: u32, kind: u32, label: &str, flags: u32) -> Told {
        Told { id, kind, label: label.into(), min: 0, max: 10, step: 0, default: 5, flags }
    }

    #[test]
    fn a_control_that_is_automatic_names_the_switch_that_holds_it() {
        let all = [
            told(0x009a_0901, MENU, "Auto Exposure", 0),
            told(0x009a_0902, INTEGER, "Exposure Time, Absolute", INACTIVE),
            told(0x0098_0913, INTEGER, "Gain", INACTIVE),
            told(0x0098_091a, INTEGER, "White Balance Temperature", INACTIVE),
        ];
        let mut controls: Vec<_> = all.iter().filter_map(understood).collect();
        name_holders(&mut controls);
        let held: Vec<_> = controls.iter().map(|c| (c.name.as_str(), c.held_by.as_deref())).collect();
        let auto = Some("auto_exposure");
        assert_eq!(
            held,
            [
                ("auto_exposure", None),
                ("exposure_time_absolute", auto),
                ("gain", auto),
                ("white_balance_temperature", None)
            ]
        );
    }

    #[test]
    fn what_is_no_setting_is_left_out_and_what_cannot_be_set_is_marked() {
        assert!(understood(&told(0x0098_0001, 6, "User Controls", 0)).is_none());
        assert!(understood(&told(0x0098_0902, INTEGER, "Contrast", DISABLED)).is_none());
        assert!(understood(&told(0x0098_0902, INTEGER, "", 0)).is_none());
        let contrast = understood(&told(0x0098_0902, INTEGER, "Contrast", GRABBED)).unwrap();
        assert!(contrast.read_only && contrast.step == 1 && contrast.default == 5);
        let mask = understood(&Told { max: -1, ..told(0x0098_0999, BITMASK, "Bits", 0) }).unwrap();
        assert_eq!((mask.min, mask.max), (0, i64::from(u32::MAX)));
    }
}
