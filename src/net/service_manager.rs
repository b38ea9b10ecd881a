//! What a service manager and a program say to each other: sockets that it has opened, secrets that it holds, and signs of life. systemd
//! does, and what does as systemd; elsewhere nobody asks.

use std::time::Duration;

use crate::error::{Error, Result};

/// The sockets that were opened for this program (`LISTEN_FDS`).
///
/// # Errors
/// One of them is no listening TCP socket.
#[cfg(target_os = "linux")]
pub(crate) fn listeners() -> Result<Vec<std::net::TcpListener>> {
    let mut given = listenfd::ListenFd::from_env();
    let taken: std::io::Result<Vec<_>> = (0..given.len()).map(|n| given.take_tcp_listener(n)).collect();
    let wrong = |error| Error::Usage(format!("what systemd has opened is no socket for a hub: {error}"));
    Ok(taken.map_err(wrong)?.into_iter().flatten().collect())
}

/// As on Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) fn listeners() -> Result<Vec<std::net::TcpListener>> {
    Ok(Vec::new())
}

/// How long the service manager waits for a sign of life, where it does.
pub(crate) fn watchdog() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    return sd_notify::watchdog_enabled().filter(|within| !within.is_zero());
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether this program is a service, and told to say how it is.
#[cfg(any(feature = "send", feature = "view"))]
pub(crate) fn is_there() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty())
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word<'a> {
    /// It serves.
    Ready,
    /// It is alive.
    Alive,
    /// It ends.
    Stopping,
    /// What it does, for people.
    Status(&'a str),
}

/// Says something to the service manager, if there is one that listens.
pub(crate) fn say(words: &[Word<'_>]) {
    #[cfg(target_os = "linux")]
    {
        use sd_notify::NotifyState;
        let words: Vec<_> = words
            .iter()
            .map(|word| match word {
                Word::Ready => NotifyState::Ready,
                Word::Alive => NotifyState::Watchdog,
                Word::Stopping => NotifyState::Stopping,
                Word::Status(text) => NotifyState::Status(text),
            })
            .collect();
        if let Err(error) = sd_notify::notify(&words) {
            log::debug!("the service manager was not told: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = words;
}

/// No credential of ours is longer.
#[cfg(any(feature = "send", feature = "view"))]
const LONGEST: u64 = 64 * 1024;

/// The file of a secret that the service manager holds for this program (`LoadCredential=`), where there is something in it: a unit
/// whose file is not there gives an empty line in its place.
#[cfg(any(feature = "send", feature = "view"))]
pub(crate) fn credential(name: &str) -> Option<std::path::PathBuf> {
    use std::io::Read as _;

    let path = std::path::PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    let mut text = Vec::new();
    std::fs::File::open(&path).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    (!text.trim_ascii().is_empty()).then_some(path)
}
