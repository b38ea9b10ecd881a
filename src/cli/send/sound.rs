//! The sound of a sender: its options, and the microphones there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use crate::error::{Error, Result};
use crate::publisher::{Publisher, PublisherConfig};

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
    /// Let whoever may operate the stream switch its sound on again from afar (--control mute=0), and so open the microphone; without this
    /// sound can only be switched off from afar. The signal SIGUSR1 switches it off and on
    #[arg(long, env = "STREAMFLOW_REMOTE_UNMUTE", help_heading = "Sound", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) remote_unmute: bool,
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
        for (option, given) in
            [("--mute", self.mute), ("--remote-unmute", self.remote_unmute), ("--denoise", self.denoise)]
        {
            if given && audio.is_none() {
                return Err(Error::Usage(format!("{option} needs sound: give --audio auto, or leave it away")));
            }
        }
        let (mute, remote_unmute, denoise) = (self.mute, self.remote_unmute, self.denoise);
        Ok(PublisherConfig { audio, mute, remote_unmute, denoise, ..config })
    }
}

/// The signal that switches sound off and on.
pub(super) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Waits for it, where there is such a signal.
    pub(super) fn start() -> Self {
        let this = Self(Arc::default());
        #[cfg(unix)]
        {
            let (pressed, main) = (this.0.clone(), std::thread::current());
            let waits = move || {
                while crate::system::mute_signal::take() {
                    pressed.store(true, Ordering::Release);
                    main.unpark();
                }
            };
            // Without it the signal does nothing.
            let _ = std::thread::Builder::new().name("signal".into()).spawn(waits);
        }
        this
    }

    pub(super) fn was_pressed(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// Switches the sound of these off, or on where all of them are off; says so.
pub(super) fn switch<'a>(publishers: impl Iterator<Item = &'a Publisher>) {
    let with_sound: Vec<&Publisher> = publishers.filter(|publisher| publisher.is_muted().is_some()).collect();
    let off = with_sound.iter().any(|publisher| publisher.is_muted() == Some(false));
    with_sound.iter().for_each(|publisher| publisher.mute(off));
    match (with_sound.is_empty(), off) {
        (true, _) => log::info!("there is no sound to be switched off or on"),
        (_, true) => log::info!("sound is off now, and the microphone is let go; the signal USR1 switches it on again"),
        (_, false) => log::info!("sound is on now; the signal USR1 switches it off again"),
    }
}
