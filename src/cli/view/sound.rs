//! The sound of a viewer: its options, and what comes of them.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
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

/// Switches the sound of these on, or off where any of them is on; says what was done.
pub(super) fn switch<'a>(viewers: impl Iterator<Item = &'a Viewer> + Clone) -> String {
    let muted: Vec<bool> = viewers.clone().filter_map(Viewer::is_muted).collect();
    if muted.is_empty() {
        return "there is no sound".into();
    }
    let mute = muted.contains(&false);
    viewers.for_each(|viewer| viewer.mute(mute));
    if mute { "sound off".into() } else { "sound on".into() }
}
