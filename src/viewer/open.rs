//! Sealed pictures are opened by the thread that decodes them, before it does.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Shared, ViewerConfig};
use crate::error::{Error, Result};
use crate::frame::{Codec, Picture};
use crate::names::StreamKey;
use crate::time::{micros, now};
use crate::wire::seal::{Opener, SealError, SealKey};

/// What is said to whoever has no key.
pub(super) const NEEDS_KEY: &str =
    "this stream is encrypted end to end: give its key with --key-file, or open its whole link";

/// Opens the pictures of what is watched, if there is a key; otherwise lets those pass that need none.
pub(super) struct Open {
    key: Option<SealKey>,
    /// The stream that is asked for, where it is known by name.
    asked: Option<StreamKey>,
    room: String,
    opener: Option<(StreamKey, Opener)>,
    /// A picture was shown. From then on one that does not open is a broken one, and the viewer stays.
    has_opened: bool,
}

/// What becomes of a picture.
pub(super) enum Opened {
    /// It can be decoded.
    Picture(Arc<Picture>),
    /// It is left out, for this reason.
    Broken(String),
    /// No picture will ever be shown, for this reason.
    Never(Error),
}

impl Open {
    /// For what this viewer watches.
    ///
    /// # Errors
    /// The key is none.
    pub(super) fn new(config: &ViewerConfig) -> Result<Self> {
        let key = config.key.as_ref().map(|key| SealKey::parse(key.expose())).transpose().map_err(Error::Usage)?;
        let asked = config.name.as_ref().map(|name| StreamKey::new(&config.room, name));
        let room = config.room.clone();
        Ok(Self { key, asked, room, opener: None, has_opened: false })
    }

    /// A picture is to be shown.
    pub(super) fn picture(&mut self, picture: Arc<Picture>, shared: &Shared) -> Opened {
        let Some(key) = &self.key else {
            return match picture.codec {
                Codec::Jpeg => Opened::Picture(picture),
                Codec::Sealed => Opened::Never(Error::Refused(NEEDS_KEY.into())),
            };
        };
        let stream = match &self.asked {
            Some(stream) => stream.clone(),
            None => {
                let state = shared.lock();
                let told = state.stream.as_ref().filter(|told| !told.name.is_empty());
                let Some(told) = told else { return Opened::Broken("nobody says of which stream it is".into()) };
                StreamKey::new(&self.room, &told.name)
            }
        };
        if self.opener.as_ref().is_none_or(|(of, _)| *of != stream) {
            let secret = key.of_stream(&stream);
            self.opener = Some((stream, Opener::new(secret)));
        }
        let Some((_, opener)) = &mut self.opener else { return Opened::Broken("there is no key".into()) };
        // Nobody else has it, but a copy is right as well.
        let mut picture = Arc::try_unwrap(picture).unwrap_or_else(|shared| copy(&shared));
        let inside = match opener.open(&mut picture) {
            Ok(inside) => inside,
            Err(error @ (SealError::NotSealed | SealError::Closed)) if !self.has_opened => {
                return Opened::Never(Error::Refused(first_words(error).into()));
            }
            Err(error) => return Opened::Broken(error.to_string()),
        };
        self.has_opened = true;
        let at = now();
        let wall = micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let outside = wall.saturating_sub(micros(at.since(picture.captured)));
        let mut state = shared.lock();
        state.end_to_end = true;
        let is_news = state.times.compare(inside.wall, outside, inside.behind, at);
        let apart = state.times.apart(at);
        drop(state);
        if let Some(apart) = apart.filter(|_| is_news) {
            log::warn!(
                "the hub's times are wrong by {:.1} s, or this machine's clock or the sender's is",
                apart.millis().abs() / 1e3
            );
        }
        Opened::Picture(Arc::new(picture))
    }
}

/// What is said when the very first picture does not open.
fn first_words(error: SealError) -> &'static str {
    match error {
        SealError::NotSealed => {
            "this stream is not encrypted end to end, and a key was given: whoever is in between could show anything; \
             give the key to streamflow-send as well, or none here"
        }
        _ => "this stream is encrypted end to end, and its pictures do not open with this key: give the sender's",
    }
}

fn copy(picture: &Picture) -> Picture {
    let Picture { codec, quality, rung, sequence, captured, estimated, arrival, spans, .. } = *picture;
    let (metadata, data) = (picture.metadata.clone(), picture.data.to_vec().into());
    Picture {
        codec,
        quality,
        rung,
        sequence,
        captured,
        estimated,
        arrival,
        spans,
        metadata,
        data,
        ..Picture::default()
    }
}
