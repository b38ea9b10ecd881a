//! One camera: what its options come to.

use super::Options;
use crate::cli::hub_location::Target;
use crate::cli::{identity, key_file, machine_name};
use crate::error::{Error, Result};
use crate::names::StreamKey;
use crate::publisher::PublisherConfig;
use crate::source::{self, CaptureRequest, Source};

/// The quality of pictures of which none was asked for.
const QUALITY: u8 = 80;
/// The least quality, where none was asked for.
const LEAST_QUALITY: u8 = 25;

/// The stream that options name, as far as no link does: the room, and the name.
pub(super) fn stream_of(options: &Options) -> (Option<String>, String) {
    let (room, name) = options.stream.room_and_name().unwrap_or_default();
    (room, name.unwrap_or_else(machine_name))
}

/// What a publisher is to do.
pub(super) fn config(options: &Options) -> Result<PublisherConfig> {
    if options.source == "-" && options.hub.reads_input() {
        return Err(Error::Usage("standard input has the pictures, so the link or the token must be in a file".into()));
    }
    if options.stream.name.len() > 1 {
        return Err(Error::Usage("one camera is one stream: give one --name".into()));
    }
    let quality = options.quality.unwrap_or(QUALITY);
    if let Some(least) = options.min_quality.filter(|least| *least > quality) {
        return Err(Error::Usage(format!(
            "--min-quality {least} is above the quality, {quality}: it is how far a slow link may take it down"
        )));
    }
    let Target { location, room, name, key } = options.hub.target(&options.stream)?;
    let name = name.unwrap_or_else(machine_name);
    options.sound.config(PublisherConfig {
        stream: StreamKey::parse(&room, &name).map_err(Error::Usage)?,
        location,
        capture: CaptureRequest { fps: options.fps, format: options.format, ..CaptureRequest::default() },
        shape: options.picture.shape()?,
        quality,
        reencode: options.quality.is_some(),
        min_quality: options.min_quality.unwrap_or(LEAST_QUALITY).min(quality),
        max_rate: options.stream.max_rate,
        adapt: options.adapt,
        skip_same: options.skip_same,
        id: identity::publisher(options.hub.limits.state.as_deref()),
        replace: options.replace,
        key: key_file::key(
            options.stream.key_file.as_deref(),
            key,
            options.source == "-" || options.hub.reads_input(),
        )?,
        retries: options.hub.retries,
        trust: options.hub.trust(),
        max_pixels: options.hub.limits.max_pixels(),
        exit_on_source_error: options.exit_on_source_error,
        warm_up: options.warm_up,
        controls: options.control.clone(),
        ..PublisherConfig::default()
    })
}

/// Where its pictures come from.
pub(super) fn source(options: &Options) -> Result<Box<dyn Source>> {
    source::from_spec(&options.source, &source::SourceOptions { once: options.once })
}
