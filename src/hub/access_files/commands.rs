//! What `streamflow-hub link` and `key` do with the files of a hub, whether it runs or not.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;

use super::{REVOKED, SIGNING_KEYS, clock_check, random, read_text, unwritable};
use crate::access::clock::{ClockNews, ClockWatch};
use crate::access::file::LONGEST_FILE;
use crate::access::link::KEY_LENGTH;
use crate::error::{Error, Result};
use crate::net::layout::unix_time;
use crate::net::state_dir::write_private;

/// That the clock of this machine is not set, if so, as the hub with these files would say it.
pub(crate) fn clock_news(folder: &Path) -> Option<ClockNews> {
    ClockWatch::new(clock_check(folder)).look(unix_time().as_secs())
}

/// A new key signs from now on, and the links of the last one go on to hold.
pub(crate) fn rotate_signing_key(folder: &Path) -> Result<()> {
    let path = folder.join(SIGNING_KEYS);
    let before = read_text(&path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
    let last = before.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let new = BASE64URL_NOPAD.encode(&random::<KEY_LENGTH>()?);
    let text = format!("{new}\n{}", last.map(|line| format!("{line}\n")).unwrap_or_default());
    write_private(&path, &text, true).map_err(|e| unwritable(&path, &e))
}

/// A link does not hold any more; without a name, none that was made until now does.
///
/// The line is appended, so that of several at once none is lost.
pub(crate) fn revoke(folder: &Path, id: Option<&str>) -> Result<()> {
    let path = folder.join(REVOKED);
    let failed = |e: io::Error| unwritable(&path, &e);
    if !path.exists() {
        write_private(&path, "", false).map_err(failed)?;
    }
    let about = fs::metadata(&path).map_err(failed)?;
    if about.len() + 128 > LONGEST_FILE as u64 {
        return Err(Error::Failed(format!(
            "{} is full: streamflow-hub key rotate, twice, ends all links, and then the file can be removed",
            path.display()
        )));
    }
    // By a clock of long ago no link was made until now.
    if let Some(news) = clock_news(folder).filter(|_| id.is_none()) {
        return Err(Error::Failed(format!(
            "nothing was revoked, for {news}. streamflow-hub key rotate, twice, ends all links"
        )));
    }
    // A link of this very second is one that was made until now, and one of the next is not.
    let next = Timestamp::now().as_second() + 1;
    let line = id.map_or_else(|| format!("before {next}"), str::to_owned);
    let mut file = fs::OpenOptions::new().append(true).open(&path).map_err(failed)?;
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    while id.is_none() && Timestamp::now().as_second() < next {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
