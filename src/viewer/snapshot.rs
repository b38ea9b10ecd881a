//! Snapshots: a picture written to a file exactly as it was received.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// Writes `jpeg` into the folder, made if need be, under a name of the stream and the time (UTC):
/// `main-door-20261121T093352.417.jpg`. Never overwrites: a number is put behind the name instead.
///
/// # Errors
/// The folder cannot be made or the file not be written.
pub fn save(folder: &Path, stream: &str, jpeg: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|e| Error::io(format!("cannot make the folder {}", folder.display()), e))?;
    let stem = format!("{}-{}", stream.replace(['/', '\\'], "-"), stamp(SystemTime::now()));
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
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}.{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// The date of a day since 1970-01-01, by Howard Hinnant's "civil from days"
/// (<https://howardhinnant.github.io/date_algorithms.html>): years begin in March, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_tell_the_time() {
        for (seconds, text) in [
            (0, "19700101T000000.000"),
            (951_782_400, "20000229T000000.000"),
            (1_795_253_632, "20261121T093352.000"),
            (4_107_542_399, "21000228T235959.000"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
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
