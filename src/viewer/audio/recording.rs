//! A WAV file that is written, and is whole whenever the program ends.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::audio::RATE;
use crate::audio::wav::{self, MOST_BYTES};
use crate::error::{Error, Result};
use crate::text::Untrusted;

/// After so many bytes the head says anew how many there are: a second.
const OFTEN: u32 = 2 * RATE;

pub(in crate::viewer) struct Recording {
    file: File,
    path: PathBuf,
    bytes: u32,
    told: u32,
}

impl Recording {
    /// # Errors
    /// The file cannot be made.
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let made = File::create(&path).and_then(|mut file| file.write_all(&wav::head(RATE, 0)).map(|()| file));
        let file = made.map_err(|error| Error::io(format!("cannot write {}", Untrusted(path.display())), error))?;
        Ok(Self { file, path, bytes: 0, told: 0 })
    }

    /// # Errors
    /// The disk is full, or the file is as long as one can be.
    pub(super) fn write(&mut self, samples: &[f32]) -> Result<(), String> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| wav::of_sample(*sample)).collect();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if self.bytes.checked_add(length).is_none_or(|sum| sum > MOST_BYTES) {
            self.finish()?;
            return Err(format!("{} is as long as a WAV file can be", Untrusted(self.path.display())));
        }
        self.file.write_all(&bytes).map_err(|error| self.said(&error))?;
        self.bytes += length;
        if self.bytes - self.told >= OFTEN { self.finish() } else { Ok(()) }
    }

    /// Says in the head how much there is.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.told = self.bytes;
        let head = wav::head(RATE, self.bytes);
        let file = &mut self.file;
        let done = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&head))
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop));
        done.map_err(|error| self.said(&error))
    }

    fn said(&self, error: &std::io::Error) -> String {
        format!("{} cannot be written: {error}", Untrusted(self.path.display()))
    }
}
