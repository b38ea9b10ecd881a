//! StreamFlow: live pictures of cameras on other machines, a few milliseconds old.
//!
//! Three programs are thin over this library, and so can yours be:
//!
//! - a [`Publisher`] takes frames from a [`Source`], encodes them, and sends each newest one to a hub;
//! - a [`Hub`] gives every viewer the newest picture it can take, and nobody an old one;
//! - a [`Viewer`] receives, decodes, and hands over the newest picture with its honest age.
//!
//! ```no_run
//! use std::time::Duration;
//! use streamflow::{Viewer, ViewerConfig};
//!
//! let viewer = Viewer::start(ViewerConfig::default())?;
//! while let Some(shown) = viewer.next(Duration::from_secs(5)) {
//!     println!("picture {} of {}", shown.picture.sequence, shown.bitmap.size);
//!     viewer.was_shown(shown);
//! }
//! # Ok::<(), streamflow::Error>(())
//! ```
//!
//! The names at the root are all there is to learn; [`report`] has the parts of what publishers and viewers tell. Structs that
//! you make yourself have defaults and may get new fields: end them with `..Default::default()`.
//!
//! How the tree is cut, and why: `ARCHITECTURE.md`. What is on the wire: `docs/protocol.md`.

// Nouns: what everything is about.
mod buffer;
mod error;
mod frame;
mod names;
mod secret;
mod text;
mod time;

// Rules: no sockets, no threads, no clock.
mod access;
mod adapt;
#[cfg(any(feature = "audio", feature = "send", feature = "view"))]
#[cfg_attr(
    not(all(feature = "audio", feature = "send", feature = "view")),
    allow(dead_code, reason = "each program needs a part of it, and one without sound hardly any")
)]
mod audio;
mod pacing;
mod relay;
mod session;
mod stats;
mod wire;

// Hand-offs and edges: threads, cameras, codec, window, sockets.
#[cfg(all(feature = "audio", any(feature = "send", feature = "view")))]
#[cfg_attr(
    not(all(feature = "send", feature = "view")),
    allow(dead_code, unused_imports, reason = "each program needs a part of it")
)]
mod audio_device;
#[cfg(feature = "view")]
mod display;
#[cfg(feature = "codec")]
mod jpeg;
#[cfg(any(feature = "send", feature = "view"))]
#[cfg_attr(not(feature = "send"), allow(dead_code, reason = "a viewer needs a part of it"))]
mod mailbox;
mod net;
#[cfg(feature = "send")]
mod source;
mod system;
mod transport;

// Assemblies: threads and wiring.
mod hub;
mod locate;
#[cfg(feature = "send")]
mod publisher;
#[cfg(feature = "view")]
mod viewer;

#[doc(hidden)]
#[cfg_attr(
    not(all(feature = "hub", feature = "send", feature = "view")),
    allow(dead_code, unused_imports, reason = "each program needs a part of it")
)]
pub mod cli;

// The public interface, and all of it.
pub use adapt::Resolution;
pub use buffer::Buffer;
pub use error::{Error, Result};
pub use frame::{Frame, Picture, PixelFormat, Range, Size};
pub use hub::{AccessControl, Encryption, Hub, HubConfig};
#[cfg(feature = "codec")]
pub use jpeg::Bitmap;
pub use locate::HubLocation;
pub use names::StreamKey;
pub use net::address::HubAddress;
pub use net::tls::trust::HubTrust;
#[cfg(feature = "send")]
pub use publisher::{Publisher, PublisherConfig};
#[cfg(feature = "send")]
pub use source::{CaptureRequest, Next, Opened, Source, SourceError, SourceOptions, Unwatched, from_fn, from_spec};
pub use time::{Micros, now};
#[cfg(feature = "view")]
pub use viewer::{Shown, Viewer, ViewerConfig};
pub use wire::control::ViewRequest;

/// What publishers and viewers tell about themselves, and the parts of what a publisher makes of its pictures.
pub mod report {
    pub use crate::adapt::{Limit, Load, Stage};
    pub use crate::frame::{Codec, Spans};
    #[cfg(feature = "send")]
    pub use crate::jpeg::{Corner, Part};
    #[cfg(feature = "send")]
    pub use crate::publisher::{Shape, Stamp};
    pub use crate::secret::Secret;
    #[cfg(feature = "send")]
    pub use crate::source::ControlPanel;
    pub use crate::stats::{AgeBudget, Metadata, PublishReport, Quantiles, SoundReport, State, ViewReport};
    pub use crate::wire::camera_controls::{CameraControl, ControlKind, MenuEntry, SetValue};
    pub use crate::wire::control::{NominalPicture, StreamInfo};
}

/// What this project's tests, benches and fuzz targets reach beside that. It may change with every commit.
#[doc(hidden)]
pub mod internal {
    macro_rules! reach {
        ($($(#[$when:meta])? $module:ident),* $(,)?) => {
            $($(#[$when])? pub mod $module { pub use crate::$module::*; })*
        };
    }
    reach! {
        access, adapt, buffer, error, frame, hub, locate, names, net, pacing, relay, secret, session, stats, text, time, transport,
        wire,
        #[cfg(any(feature = "audio", feature = "send", feature = "view"))] audio,
        #[cfg(feature = "codec")] jpeg,
        #[cfg(feature = "send")] publisher,
        #[cfg(feature = "send")] source,
        #[cfg(feature = "view")] display,
        #[cfg(feature = "view")] viewer,
    }
}
