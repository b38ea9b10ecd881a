//! At which width and height somebody wants pictures.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::frame::Size;

/// Width and height of the pictures that a viewer wants. In JSON a text: `full`, or `640x480`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// What the publisher sends of itself, and smaller where bytes are few.
    #[default]
    Any,
    /// What the publisher sends of itself, and never smaller: where bytes are few, quality falls, then the rate.
    Full,
    /// This size, at most the publisher's own.
    Of(Size),
}

impl Resolution {
    /// Whether it may change with the link.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

impl std::fmt::Display for Resolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Full => f.write_str("full"),
            Self::Of(size) => size.fmt(f),
        }
    }
}

impl std::str::FromStr for Resolution {
    type Err = String;
    /// `full`, `any`, or a [`Size`].
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "full" => Ok(Self::Full),
            size => size.parse().map(Self::Of),
        }
    }
}

impl Serialize for Resolution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resolution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
