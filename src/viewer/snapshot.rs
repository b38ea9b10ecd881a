//! Snapshots: a picture written to a file exactly as it was received.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::names::file_stem;
use crate::time::calendar;

/// Bytes of a file's name that tell the stream. File systems take 255 in all; the rest is the time and a number.
const MOST_OF_STREAM: usize = 200;

/// Writes `jpeg` into the folder, made if need be, under a name of the stream and the time (UTC):
/// `main-door-20261121T093352.417.jpg`. Never overwrites: a number is put behind the name instead.
///
/// # Errors
/// The folder cannot be made or the file not be written.
pub fn save(folder: &Path, stream: &str, jpeg: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|e| Error::io(format!("cannot make the folder {}", folder.display()), e))?;
    let stem = format!("{}-{}", file_stem(stream, MOST_OF_STREAM), stamp(SystemTime::now()));
    for n in 0..1000 {
        let name = if n == 0 { format!("{stem}.jpg") } else { format!("{stem}-{n}.jpg") };
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let written = file.write_all(jpeg);
                return match written {
                    Ok(()) => Ok(path),
                    Err(e) => {
                        // Half a picture is worse than none.
                        let _ = fs::remove_file(&path);
                        Err(Error::io(format!("cannot write {}", path.display()), e))
                    }
                };
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io(format!("cannot write {}", path.display()), e)),
        }
    }
    Err(Error::Failed(format!("{} has a thousand pictures of this instant already", folder.display())))
}

/// `20261121T093352.417`, in UTC.
fn stamp(time: SystemTime) -> String {
    calendar(time.duration_since(UNIX_EPOCH).unwrap_or_default()).strftime("%Y%m%dT%H%M%S.%3f").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_tell_the_time() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_253_632_417);
        assert_eq!(stamp(time), "20261121T093352.417");
    }

    #[test]
    fn a_stream_with_the_longest_name_there_is_can_be_saved() {
        let folder = std::env::temp_dir().join(format!("streamflow-long-names-{}", std::process::id()));
        let name = "\u{1d504}".repeat(64);
        let saved = save(&folder, &format!("{name}/{name}"), b"x").unwrap();
        assert_eq!(fs::read(saved).unwrap(), b"x");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("streamflow-snapshots-{}", std::process::id()));
        let saved: Vec<_> = (0..20u8).map(|n| save(&folder, "main/door", &[n]).unwrap()).collect();
        for (n, path) in saved.iter().enumerate() {
            assert_eq!(fs::read(path).unwrap(), [u8::try_from(n).unwrap()]);
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
