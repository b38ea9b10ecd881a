//! Sealed pictures are opened by the thread that decodes them, before it does, and sealed sound by the one that plays it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Shared, ViewerConfig};
use crate::error::{Error, Result};
#[cfg(feature = "audio")]
use crate::frame::{AudioCodec, AudioPacket};
use crate::frame::{Codec, Picture};
use crate::names::StreamKey;
use crate::time::{Micros, micros, now};
use crate::wire::seal::{Apart, Opener, SealError, SealKey, StreamSecret};
#[cfg(feature = "audio")]
use crate::wire::seal::{AudioOpener, Times};

/// What is said to whoever has no key.
pub(super) const NEEDS_KEY: &str =
    "this stream is encrypted end to end: give its key with --key-file, or open its whole link";

/// The key, and of which stream it is.
#[derive(Clone)]
struct Unlock {
    key: SealKey,
    /// The stream that is asked for, where it is known by name.
    asked: Option<StreamKey>,
    room: String,
}

impl Unlock {
    fn new(config: &ViewerConfig) -> Result<Option<Self>> {
        let Some(key) = &config.key else { return Ok(None) };
        let key = SealKey::parse(key.expose()).map_err(Error::Usage)?;
        let asked = config.name.as_ref().map(|name| StreamKey::new(&config.room, name));
        Ok(Some(Self { key, asked, room: config.room.clone() }))
    }

    /// What opens the stream that is watched now, as `make` makes it of the stream's secret. Nothing, if nobody says which that is.
    fn opener<'a, T>(
        &self,
        kept: &'a mut Option<(StreamKey, T)>,
        shared: &Shared,
        make: impl FnOnce(StreamSecret) -> T,
    ) -> Option<&'a mut T> {
        let stream = match &self.asked {
            Some(stream) => stream.clone(),
            None => {
                let state = shared.lock();
                let told = state.stream.as_ref().filter(|told| !told.name.is_empty());
                StreamKey::new(&self.room, &told?.name)
            }
        };
        if kept.as_ref().is_none_or(|(of, _)| *of != stream) {
            let secret = self.key.of_stream(&stream);
            *kept = Some((stream, make(secret)));
        }
        kept.as_mut().map(|(_, opener)| opener)
    }
}

/// Opens the pictures of what is watched, if there is a key; otherwise lets those pass that need none.
pub(super) struct Open {
    unlock: Option<Unlock>,
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
        Ok(Self { unlock: Unlock::new(config)?, opener: None, has_opened: false })
    }

    /// A picture is to be shown.
    pub(super) fn picture(&mut self, picture: Arc<Picture>, shared: &Shared) -> Opened {
        let Some(unlock) = &self.unlock else {
            return match picture.codec {
                Codec::Jpeg => Opened::Picture(picture),
                Codec::Sealed => Opened::Never(Error::Refused(NEEDS_KEY.into())),
            };
        };
        let Some(opener) = unlock.opener(&mut self.opener, shared, Opener::new) else {
            return Opened::Broken("nobody says of which stream it is".into());
        };
        // Nobody else has it, but a copy is right as well.
        let mut picture = Arc::try_unwrap(picture).unwrap_or_else(|shared| copy(&shared));
        let inside = match opener.open(&mut picture) {
            Ok(inside) => inside,
            Err(error @ (SealError::NotSealed | SealError::Closed)) if !self.has_opened => {
                return Opened::Never(Error::Refused(first_words(error).into()));
            }
            Err(error) => return Opened::Broken(format!("a picture {error}")),
        };
        self.has_opened = true;
        let at = now();
        let outside = outside(picture.captured, at);
        let mut state = shared.lock();
        state.end_to_end = true;
        let is_news = state.times.compare(inside.wall, outside, inside.behind, at);
        let apart = state.times.apart(at);
        drop(state);
        if let Some(apart) = apart.filter(|_| is_news) {
            log::warn!("the hub's times are wrong by {}", by(apart));
        }
        Opened::Picture(Arc::new(picture))
    }
}

/// When something was captured by the hub's word, in microseconds since 1970 by this machine's clock.
fn outside(captured: Micros, at: Micros) -> u64 {
    let wall = micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    wall.saturating_sub(micros(at.since(captured)))
}

fn by(apart: Apart) -> String {
    format!("{:.1} s, or this machine's clock or the sender's is", apart.millis().abs() / 1e3)
}

/// Opens the sound of what is watched, if there is a key; otherwise lets that pass which needs none.
#[cfg(feature = "audio")]
pub(super) struct OpenAudio {
    unlock: Option<Unlock>,
    opener: Option<(StreamKey, AudioOpener)>,
    times: Times,
    /// What was said of what does not open.
    told: Vec<SealError>,
}

#[cfg(feature = "audio")]
impl OpenAudio {
    /// For what is watched with the pictures of `open`.
    pub(super) fn beside(open: &Open) -> Self {
        Self { unlock: open.unlock.clone(), opener: None, times: Times::default(), told: Vec::new() }
    }

    /// A packet is to be heard. One that does not open stays as it is, and is counted as broken where it would be decoded.
    pub(super) fn packet(&mut self, packet: &mut AudioPacket, shared: &Shared) {
        let Some(unlock) = &self.unlock else { return };
        let opened = unlock.opener(&mut self.opener, shared, AudioOpener::new).map(|opener| opener.open(packet));
        match opened {
            Some(Ok(inside)) => {
                let at = now();
                let is_news = self.times.compare(inside.wall, outside(packet.captured, at), inside.behind, at);
                if let Some(apart) = self.times.apart(at).filter(|_| is_news) {
                    log::warn!("the hub's times of the sound are wrong by {}", by(apart));
                }
            }
            failed => {
                if let Some(Err(why)) = failed
                    && !self.told.contains(&why)
                {
                    self.told.push(why);
                    log::warn!("sound is left out: it {why}");
                }
                // With a key nothing is heard that was not opened, also where nobody says of which stream it is.
                (packet.codec, packet.data) = (AudioCodec::Sealed, Arc::default());
            }
        }
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
