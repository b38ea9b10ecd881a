//! What the query of `/stream` and `/snapshot` asks for: `quality`, `size`, `fps` and `adapt`. What else is in it means nothing, for
//! many clients put a number there so that no cache answers.

use std::ops::RangeInclusive;

use super::{Answer, Exchange};
use crate::adapt::{ANY, Resolution, Target};
use crate::wire::control::ViewRequest;

const QUALITIES: RangeInclusive<u8> = 1..=100;
/// Pictures a second, as those of a source.
const RATES: RangeInclusive<f64> = 0.1..=240.0;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    quality: Option<u8>,
    size: Option<Resolution>,
    fps: Option<f64>,
    adapts: bool,
}

impl Wanted {
    /// As the query says.
    ///
    /// # Errors
    /// 400 with what could be written instead.
    pub(super) fn of(exchange: &Exchange<'_>) -> Result<Self, Answer> {
        Self::parse(|name| exchange.parameter(name)).map_err(|why| Answer::text(400, &why))
    }

    fn parse(parameter: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let quality = match parameter("quality").as_deref() {
            None | Some("auto") => None,
            Some(text) => match text.parse() {
                Ok(quality) if QUALITIES.contains(&quality) => Some(quality),
                _ => return Err(format!("quality={text}: 1 to 100, or auto")),
            },
        };
        let size = match parameter("size") {
            None => None,
            Some(text) => Some(text.parse().map_err(|why| format!("size: {why}; or full"))?),
        };
        let fps = match parameter("fps") {
            None => None,
            Some(text) => match text.parse() {
                Ok(fps) if RATES.contains(&fps) => Some(fps),
                _ => return Err(format!("fps={text}: 0.1 to 240")),
            },
        };
        let adapts = match parameter("adapt").as_deref() {
            None | Some("off") => false,
            Some("on") => true,
            Some(text) => return Err(format!("adapt={text}: on or off")),
        };
        Ok(Self { quality, size, fps, adapts })
    }

    /// For a stream. Recorders cannot follow a picture that changes its size, so only who asks for it gets one.
    pub(super) fn request(&self) -> ViewRequest {
        let own = if self.adapts { Resolution::Any } else { Resolution::Full };
        ViewRequest { quality: self.quality, size: self.size.unwrap_or(own), ..ViewRequest::default() }
    }

    /// Microseconds between two pictures at least; 0: as they come.
    pub(super) fn apart(&self) -> u32 {
        self.fps.map_or(0, |fps| (1e6 / fps) as u32)
    }

    /// For a single picture, which has time.
    pub(super) fn target(&self) -> Target {
        let size = self.size.filter(|size| !size.is_any()).unwrap_or(Resolution::Full);
        Target { bytes: ANY, quality: self.quality.unwrap_or(0), size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    fn parse(query: &str) -> Result<Wanted, String> {
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Wanted::parse(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_query_says_what_is_wanted_and_other_words_in_it_mean_nothing() {
        let wanted = parse("n=1234&quality=40&size=320x240&fps=7.5&action=stream").unwrap();
        let size = Resolution::Of(Size::new(320, 240));
        assert_eq!(wanted.request(), ViewRequest { quality: Some(40), size, ..ViewRequest::default() });
        assert_eq!((wanted.target(), wanted.apart()), (Target { bytes: ANY, quality: 40, size }, 133_333));
        let nothing = parse("").unwrap();
        assert_eq!((nothing.request().size, nothing.apart()), (Resolution::Full, 0));
        assert_eq!(nothing.target().size, Resolution::Full);
        assert_eq!(parse("adapt=on").unwrap().request().size, Resolution::Any);
        assert_eq!(parse("adapt=on&size=full").unwrap().request().size, Resolution::Full);
        assert_eq!(parse("size=any").unwrap().target().size, Resolution::Full);
    }

    #[test]
    fn what_cannot_be_had_is_answered_with_what_can() {
        for (query, range) in [
            ("quality=0", "1 to 100"),
            ("quality=101", "1 to 100"),
            ("quality=high", "1 to 100"),
            ("size=8x8", "16 to 16384"),
            ("size=", "16 to 16384"),
            ("fps=0", "0.1 to 240"),
            ("fps=1000", "0.1 to 240"),
            ("fps=NaN", "0.1 to 240"),
            ("fps=-3", "0.1 to 240"),
            ("adapt=perhaps", "on or off"),
        ] {
            let why = parse(query).unwrap_err();
            assert!(why.contains(range), "{query}: {why}");
        }
    }
}
