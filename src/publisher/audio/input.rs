//! Where the sound of a publisher comes from: a microphone, a file that is played again and again, or a beep each second.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::audio::resample::Resampler;
use crate::audio::wav::Wav;
use crate::audio::{FRAME, FRAME_TIME, RATE, Samples, beep};
use crate::audio_device::{self, AUTO, Direction, Microphone};
use crate::error::{Error, Result};
use crate::text::Untrusted;
use crate::time::{Micros, now};

/// The longest file that is played, in bytes: some three quarters of an hour.
const LONGEST: u64 = 256 << 20;
/// How often a microphone is asked for a frame.
const POLL: Duration = Duration::from_millis(4);

/// What is to be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publisher) enum Spec {
    Microphone(String),
    File(PathBuf),
    Beep,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Microphone(name) if name == AUTO => f.write_str("the microphone"),
            Self::Microphone(name) => write!(f, "{:.100}", Untrusted(name)),
            Self::File(path) => write!(f, "{:.200}", Untrusted(path.display())),
            Self::Beep => f.write_str("the beep"),
        }
    }
}

impl Spec {
    /// What somebody wrote.
    pub(in crate::publisher) fn of(text: &str) -> Self {
        let is_file = Path::new(text).extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"));
        match text {
            "beep" => Self::Beep,
            _ if is_file => Self::File(text.into()),
            _ => Self::Microphone(text.into()),
        }
    }

    /// A machine without a microphone has its pictures all the same, where none was named.
    pub(in crate::publisher) fn may_be_missing(&self) -> bool {
        matches!(self, Self::Microphone(name) if name == AUTO)
    }

    /// Whether it is there, as far as can be told without opening it.
    ///
    /// # Errors
    /// There is no such device, or what is in the file cannot be played.
    pub(in crate::publisher) fn check(&self) -> Result<()> {
        match self {
            Self::Microphone(name) => audio_device::check(Direction::Input, name)
                .map_err(|why| Error::NoSource(format!("{why}; streamflow-send --list-audio shows what there is"))),
            Self::File(_) => Input::open(self).map(drop).map_err(Error::NoSource),
            Self::Beep => Ok(()),
        }
    }
}

/// What a source says when it is asked for a frame.
pub(super) enum Took {
    /// There is one, whose first sample was captured then.
    Frame(Micros),
    NothingYet,
}

/// One that is open.
pub(super) enum Input {
    Microphone(Box<Microphone>),
    File { played: Played, pace: Pace },
    Beep(Pace),
}

impl Input {
    pub(super) fn open(spec: &Spec) -> Result<Self, String> {
        Ok(match spec {
            Spec::Microphone(name) => Self::Microphone(Box::new(Microphone::open(name)?)),
            Spec::File(path) => Self::File { played: Played::open(path)?, pace: Pace(now()) },
            Spec::Beep => Self::Beep(Pace(now())),
        })
    }

    /// The next frame; waits for it for a moment.
    ///
    /// # Errors
    /// The microphone is not there any more.
    pub(super) fn next(&mut self, frame: &mut Samples) -> Result<Took, String> {
        match self {
            Self::Microphone(microphone) => match microphone.frame(frame)? {
                Some(captured) => Ok(Took::Frame(captured)),
                None => {
                    std::thread::sleep(POLL);
                    Ok(Took::NothingYet)
                }
            },
            Self::File { played, pace } => {
                let captured = pace.next();
                played.fill(frame);
                Ok(Took::Frame(captured))
            }
            Self::Beep(pace) => {
                let captured = pace.next();
                let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                beep::fill(frame, since_1970.saturating_sub(now().since(captured)));
                Ok(Took::Frame(captured))
            }
        }
    }
}

/// The clock of what has none: a frame is there when the time that it takes is over, as a microphone has it.
pub(super) struct Pace(Micros);

impl Pace {
    /// Waits for the end of the next frame, and says when that began.
    fn next(&mut self) -> Micros {
        let begins = self.0;
        let ends = begins + FRAME_TIME;
        std::thread::sleep(ends.since(now()));
        // Whoever stood still does not hurry.
        let late = now().since(ends);
        self.0 = if late > FRAME_TIME * 10 { now() } else { ends };
        begins
    }
}

/// A file that is played.
pub(super) struct Played {
    wav: Wav,
    resampler: Resampler,
    at: usize,
}

impl Played {
    fn open(path: &Path) -> Result<Self, String> {
        let said = |why: &dyn fmt::Display| format!("{:.200}: {why}", Untrusted(path.display()));
        let length = std::fs::metadata(path).map_err(|error| said(&error))?.len();
        if length > LONGEST {
            return Err(said(&format_args!("this file has {} MiB; {} can be played", length >> 20, LONGEST >> 20)));
        }
        let wav = std::fs::read(path)
            .map_err(|error| said(&error))
            .and_then(|bytes| Wav::parse(bytes).map_err(|why| said(&why)))?;
        let resampler = Resampler::new(wav.format.rate, RATE);
        Ok(Self { wav, resampler, at: 0 })
    }

    fn fill(&mut self, frame: &mut Samples) {
        let mut done = 0;
        let mut part = [0.0; 480];
        loop {
            done += self.resampler.pull(frame.get_mut(done..).unwrap_or_default());
            if done >= FRAME {
                return;
            }
            let read = self.wav.read(self.at, &mut part);
            self.at = (self.at + read) % self.wav.len().max(1);
            self.resampler.push(part.get(..read).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::level;
    use crate::audio::wav::{head, of_sample};

    #[test]
    fn what_was_written_says_where_sound_comes_from() {
        assert_eq!(Spec::of("beep"), Spec::Beep);
        assert_eq!(Spec::of("a/Talk.WAV"), Spec::File("a/Talk.WAV".into()));
        assert_eq!(Spec::of("hw:CARD=PCH,DEV=0"), Spec::Microphone("hw:CARD=PCH,DEV=0".into()));
        assert_eq!(Spec::of("auto").to_string(), "the microphone");
    }

    #[test]
    fn a_file_is_played_at_its_own_rate_and_again_and_again() {
        let mut bytes = head(8000, 800).to_vec();
        // 50 ms, half of it loud.
        (0..400).for_each(|n| bytes.extend_from_slice(&of_sample(if n < 200 { 0.5 } else { 0.0 })));
        let wav = Wav::parse(bytes).unwrap();
        let mut played = Played { resampler: Resampler::new(8000, RATE), wav, at: 0 };
        let mut heard = Vec::new();
        for _ in 0..10 {
            let mut frame = [0.0; FRAME];
            played.fill(&mut frame);
            heard.extend_from_slice(&frame);
        }
        // 200 ms of 48 kHz are four times the file.
        for (from, loud) in [(200, true), (1400, false), (2600, true), (3800, false), (5000, true), (7400, true)] {
            let is_loud = level(&heard[from..from + 800]) < 20;
            assert_eq!(is_loud, loud, "{from}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_none_is_no_source() {
        let missing = Spec::of("/nowhere/a.wav").check().unwrap_err();
        assert!(matches!(&missing, Error::NoSource(why) if why.contains("/nowhere/a.wav")), "{missing}");
        let folder = std::env::temp_dir().join(format!("streamflow-{}-no.wav", std::process::id()));
        std::fs::write(&folder, b"ID3").unwrap();
        let none = Spec::of(&folder.display().to_string()).check().unwrap_err();
        std::fs::remove_file(&folder).unwrap();
        assert!(none.to_string().contains("no WAV"), "{none}");
    }
}
