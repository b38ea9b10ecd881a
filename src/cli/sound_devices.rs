//! `--list-audio`: the devices for sound.

use std::io::Write as _;

/// Prints those to record from, or to play to.
#[cfg(feature = "audio")]
pub(super) fn print(recording: bool, json: bool) -> anyhow::Result<()> {
    use crate::audio_device::{Direction, list};
    use crate::text::Untrusted;

    let devices = list(if recording { Direction::Input } else { Direction::Output });
    let mut out = std::io::stdout().lock();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string(&devices)?)?);
    }
    if devices.is_empty() {
        let what = if recording { "microphone; --audio FILE.wav plays a file" } else { "device to play sound" };
        writeln!(out, "there is no {what}")?;
    }
    for device in devices {
        writeln!(out, "{}  {}", Untrusted(&device.id), Untrusted(&device.name))?;
    }
    Ok(out.flush()?)
}

/// The same of a program that has no sound.
#[cfg(not(feature = "audio"))]
pub(super) fn print(_recording: bool, _json: bool) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "this program was built without sound (its feature audio)")?)
}
