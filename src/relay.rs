//! What a hub passes on, and to whom: rooms of streams, a stream's pictures, and what each consumer is given of them. Rules only:
//! what happened goes in, and what follows comes out.
//!
//! A stream is a set of tracks, and each consumer of a track has a [`policy`]. Today a stream has one track, its
//! [pictures](pictures::PictureTrack).

pub(crate) mod audio;
pub(crate) mod numbering;
pub(crate) mod open_rooms;
pub(crate) mod pictures;
pub mod policy;
pub mod renditions;
pub(crate) mod rooms;
pub(crate) mod silence;
pub(crate) mod steering;

pub(crate) use self::rooms::{ConnectionId, Effect, Refusal, Rooms};
