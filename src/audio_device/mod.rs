//! Microphones and loudspeakers, by cpal. A callback of a device takes samples out of a ring or puts them into one, and does nothing
//! else: no lock, no memory, nobody to wait for.

mod microphone;
mod ring;
mod speaker;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange};
use serde::Serialize;

pub(crate) use self::microphone::Microphone;
pub(crate) use self::speaker::Speaker;
use crate::audio::RATE;
use crate::text::Untrusted;

/// The device that is taken where none is named.
pub(crate) const AUTO: &str = "auto";
/// How many samples a device is asked to take or give at once: 11 ms. A power of two, as some of them stutter with others.
const BLOCK: u32 = 512;

/// Which way sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// From a microphone.
    Input,
    /// To a loudspeaker.
    Output,
}

/// A device, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AudioDevice {
    /// By what it is chosen.
    pub(crate) id: String,
    /// What its system calls it.
    pub(crate) name: String,
}

/// Names of ALSA that are no devices of their own: ways to convert for another one, or channels that nobody has asked for.
const NO_DEVICES: [&str; 14] = [
    "null",
    "lavrate",
    "samplerate",
    "speexrate",
    "speex",
    "jack",
    "oss",
    "upmix",
    "vdownmix",
    "dmix",
    "dsnoop",
    "usbstream",
    "surround",
    "iec958",
];

fn is_listed(id: &str) -> bool {
    let kind = id.split_once(':').map_or(id, |(kind, _)| kind);
    !NO_DEVICES.iter().any(|no| kind == *no || *no == "surround" && kind.starts_with(no))
}

fn all(direction: Direction) -> Vec<(AudioDevice, Device)> {
    quiet();
    let host = cpal::default_host();
    let Ok(devices) = host.devices() else { return Vec::new() };
    let goes = |device: &Device| {
        // What it says of itself costs nothing; opening each to find out takes a while.
        device.description().is_ok_and(|said| match direction {
            Direction::Input => said.supports_input(),
            Direction::Output => said.supports_output(),
        })
    };
    let named = devices.filter(goes).filter_map(|device| {
        let (id, name) = (device.id().ok()?.id().to_owned(), device.description().ok()?.name().to_owned());
        Some((AudioDevice { id, name }, device))
    });
    named.collect()
}

/// The devices there are.
#[must_use]
pub(crate) fn list(direction: Direction) -> Vec<AudioDevice> {
    let mut list: Vec<AudioDevice> = all(direction).into_iter().map(|(device, _)| device).collect();
    list.retain(|device| is_listed(&device.id));
    list
}

/// The device of this name: by its id, or by a part of what it is called.
///
/// # Errors
/// There is none, in words for who chose it.
fn find(direction: Direction, wanted: &str) -> Result<Device, String> {
    quiet();
    if wanted == AUTO {
        let host = cpal::default_host();
        let (device, what) = match direction {
            Direction::Input => (host.default_input_device(), "microphone"),
            Direction::Output => (host.default_output_device(), "device to play sound"),
        };
        return device.ok_or_else(|| format!("there is no {what}"));
    }
    let there = all(direction);
    let lower = wanted.to_lowercase();
    let by_id = there.iter().position(|(device, _)| device.id == wanted);
    let by_name = || there.iter().position(|(device, _)| device.name.to_lowercase().contains(&lower));
    let place = by_id.or_else(by_name).ok_or_else(|| unknown(direction, wanted, &there))?;
    there.into_iter().nth(place).map(|(_, device)| device).ok_or_else(|| "there is no sound device".into())
}

fn unknown(direction: Direction, wanted: &str, there: &[(AudioDevice, Device)]) -> String {
    let what = match direction {
        Direction::Input => "to record from",
        Direction::Output => "to play to",
    };
    let ids: Vec<String> = there
        .iter()
        .filter(|(device, _)| is_listed(&device.id))
        .map(|(device, _)| Untrusted(&device.id).to_string())
        .collect();
    let known = if ids.is_empty() { "there is none".into() } else { format!("there is {}", ids.join(", ")) };
    format!("no sound device {:.100} {what}: {known}", Untrusted(wanted))
}

/// Whether there is such a device, as far as can be told without opening it.
///
/// # Errors
/// There is none, in words for who chose it.
pub(crate) fn check(direction: Direction, wanted: &str) -> Result<(), String> {
    find(direction, wanted).map(drop)
}

/// How a device is to be used: as near to 48 kHz and one channel (of a loudspeaker two) as it can be.
fn choose(
    ranges: impl Iterator<Item = SupportedStreamConfigRange>,
    channels: u16,
) -> Option<(StreamConfig, SampleFormat)> {
    let formats = [SampleFormat::F32, SampleFormat::I16, SampleFormat::I32, SampleFormat::U8];
    let usable = ranges.filter_map(|range| {
        let format = formats.iter().position(|format| *format == range.sample_format())?;
        let rate = RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
        let worth = (rate.abs_diff(RATE), range.channels().abs_diff(channels), format);
        Some((worth, rate, range))
    });
    let (_, rate, range) = usable.min_by_key(|(worth, ..)| *worth)?;
    let fits = matches!(range.buffer_size(), SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&BLOCK));
    let buffer_size = if fits { cpal::BufferSize::Fixed(BLOCK) } else { cpal::BufferSize::Default };
    Some((StreamConfig { channels: range.channels(), sample_rate: rate, buffer_size }, range.sample_format()))
}

/// What went wrong, and what to do about it.
fn in_words(device: &str, error: &cpal::Error) -> String {
    let device = if device == AUTO { String::new() } else { format!("{:.100}: ", Untrusted(device)) };
    match error.kind() {
        cpal::ErrorKind::DeviceBusy => format!("{device}another program has the sound device"),
        cpal::ErrorKind::PermissionDenied => {
            format!("{device}this user may not use sound devices (Linux: add it to the group audio)")
        }
        _ => format!("{device}{}", Untrusted(error)),
    }
}

/// libasound prints what it does not find; errors are said by who meets them.
fn quiet() {
    #[cfg(target_os = "linux")]
    crate::system::silence_alsa();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_converts_for_others_is_no_device() {
        for (id, listed) in [
            ("default", true),
            ("hw:CARD=PCH,DEV=0", true),
            ("null", false),
            ("surround51:CARD=PCH,DEV=0", false),
            ("pipewire", true),
        ] {
            assert_eq!(is_listed(id), listed, "{id}");
        }
    }

    #[test]
    fn the_nearest_to_48_khz_and_to_the_channels_is_chosen() {
        let range = |channels, min, max, format| {
            SupportedStreamConfigRange::new(
                channels,
                min,
                max,
                SupportedBufferSize::Range { min: 32, max: 4096 },
                format,
            )
        };
        let all = [
            range(1, 8000, 44_100, SampleFormat::F32),
            range(2, 44_100, 96_000, SampleFormat::I16),
            range(2, 44_100, 96_000, SampleFormat::F32),
            range(8, 48_000, 48_000, SampleFormat::F32),
            range(1, 48_000, 48_000, SampleFormat::F64),
        ];
        let (config, format) = choose(all.into_iter(), 2).unwrap();
        assert_eq!((config.channels, config.sample_rate, format), (2, 48_000, SampleFormat::F32));
        assert_eq!(config.buffer_size, cpal::BufferSize::Fixed(BLOCK));
        assert_eq!(choose(all[..1].iter().copied(), 1).unwrap().0.sample_rate, 44_100);
        assert!(choose(all[4..].iter().copied(), 1).is_none());
    }
}
