//! The sound of a viewer: its options, and what comes of them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::{Error, Result};
use crate::time::Micros;
use crate::viewer::{Viewer, ViewerConfig};

/// What is typed.
#[derive(Args, Debug)]
pub(super) struct SoundOptions {
    /// Where sound is played: auto, the usual device, if there is one; a device by its id or a part of its name; or off [default: auto
    /// with a window, off without]
    #[arg(long, value_name = "DEVICE", env = "STREAMFLOW_AUDIO", help_heading = "Stream")]
    pub(super) audio: Option<String>,
    /// Begin without sound; A switches it on
    #[arg(long, env = "STREAMFLOW_MUTE", help_heading = "Stream", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) mute: bool,
    /// Write what would be heard into this file (WAV), from the beginning to the end, silence where there is nothing
    #[arg(
        long,
        value_name = "FILE.wav",
        env = "STREAMFLOW_RECORD_AUDIO",
        help_heading = "Stream",
        requires = "headless",
        conflicts_with = "audio"
    )]
    pub(super) record_audio: Option<PathBuf>,
    /// Print the devices that play sound, and end
    #[arg(long, help_heading = "Stream", conflicts_with = "list")]
    pub(super) list_audio: bool,
}

impl SoundOptions {
    /// What comes of them, with a window or without.
    ///
    /// # Errors
    /// One file cannot have the sound of several streams.
    pub(super) fn config(&self, config: ViewerConfig, window: bool, several: bool) -> Result<ViewerConfig> {
        if self.record_audio.is_some() && several {
            return Err(Error::Usage("--record-audio writes the sound of one stream: give one --name".into()));
        }
        let usual = window.then(|| "auto".to_owned());
        let audio = self.audio.clone().or(usual).filter(|audio| audio != "off");
        Ok(ViewerConfig { audio, record_audio: self.record_audio.clone(), mute: self.mute, ..config })
    }
}

/// What is said where sound is wanted that nothing plays.
const NO_DEVICE: &str = "no device plays sound here";
/// For so long after it was switched on it is looked at whether something plays it.
const LOOKS: Duration = Duration::from_secs(3);

/// The key that switches sound on and off.
#[derive(Default)]
pub(super) struct Switch {
    looks_until: Micros,
}

impl Switch {
    /// Switches the sound of these on, or off where any of them is on; says what was done.
    pub(super) fn press<'a>(&mut self, viewers: impl Iterator<Item = &'a Viewer> + Clone, now: Micros) -> String {
        let mut on = viewers.clone().filter(|viewer| viewer.is_muted() == Some(false)).peekable();
        let mute = on.peek().is_some();
        if !mute && viewers.clone().all(|viewer| viewer.is_muted().is_none()) {
            return "there is no sound".into();
        }
        if mute && on.all(Viewer::lacks_device) {
            return NO_DEVICE.into();
        }
        viewers.for_each(|viewer| viewer.mute(mute));
        self.looks_until = if mute { Micros(0) } else { now + LOOKS };
        if mute { "sound off".into() } else { "sound on".into() }
    }

    /// That nothing plays it, where that has turned out since.
    pub(super) fn look<'a>(&mut self, mut viewers: impl Iterator<Item = &'a Viewer>, now: Micros) -> Option<String> {
        let lacks = now < self.looks_until && viewers.any(Viewer::lacks_device);
        if lacks {
            self.looks_until = Micros(0);
        }
        lacks.then(|| NO_DEVICE.into())
    }
}
