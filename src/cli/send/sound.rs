//! The sound of a sender: its options, and the microphones there are.

use clap::Args;

use crate::error::{Error, Result};
use crate::publisher::PublisherConfig;

/// What is typed.
#[derive(Args, Debug)]
pub(super) struct SoundOptions {
    /// Sound: auto, the usual microphone; a microphone by its id or a part of its name; a WAV file, played again and again at its own
    /// rate; beep, a short one on each second; or off. Nothing is recorded while nobody listens [default: off]
    #[arg(
        long,
        value_name = "DEVICE",
        env = "STREAMFLOW_AUDIO",
        help_heading = "Sound",
        default_value = "off",
        hide_default_value = true
    )]
    pub(super) audio: String,
    /// Begin without sound: viewers see that it is off
    #[arg(long, env = "STREAMFLOW_MUTE", help_heading = "Sound", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) mute: bool,
    /// Suppress noise; sound is 10 ms later
    #[arg(long, env = "STREAMFLOW_DENOISE", help_heading = "Sound", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) denoise: bool,
    /// Print the microphones, and end
    #[arg(long, help_heading = "Sound", conflicts_with = "list")]
    pub(super) list_audio: bool,
}

impl SoundOptions {
    /// What comes of them.
    ///
    /// # Errors
    /// Something is to be done with sound that there is not.
    pub(super) fn config(&self, config: PublisherConfig) -> Result<PublisherConfig> {
        let audio = Some(self.audio.clone()).filter(|audio| audio != "off");
        for (option, given) in [("--mute", self.mute), ("--denoise", self.denoise)] {
            if given && audio.is_none() {
                return Err(Error::Usage(format!("{option} needs sound: give --audio auto, or leave it away")));
            }
        }
        Ok(PublisherConfig { audio, mute: self.mute, denoise: self.denoise, ..config })
    }
}
