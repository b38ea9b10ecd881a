//! StreamFlow: a camera here, its picture there, as young as physics allows.
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
//! How the tree is cut, and why: `ARCHITECTURE.md`. What is on the wire: `docs/protocol.md`.

// Nouns: what everything is about.
pub mod buffer;
pub mod error;
pub mod frame;
pub mod names;
pub mod text;
pub mod time;

// Rules: no sockets, no threads, no clock.
pub mod access;
pub mod adapt;
pub mod pacing;
pub mod relay;
pub mod session;
pub mod stats;
pub mod wire;

// Hand-offs and edges: threads, cameras, codec, window, sockets.
#[cfg(feature = "view")]
pub mod display;
#[cfg(feature = "codec")]
pub mod jpeg;
pub mod mailbox;
pub mod net;
#[cfg(feature = "send")]
pub mod source;
pub mod system;
pub mod transport;

// Assemblies: threads and wiring.
pub mod hub;
pub mod locate;
#[cfg(feature = "send")]
pub mod publisher;
#[cfg(feature = "view")]
pub mod viewer;

#[doc(hidden)]
#[cfg_attr(
    not(all(feature = "hub", feature = "send", feature = "view")),
    allow(dead_code, unused_imports, reason = "each program needs a part of it")
)]
pub mod cli;

// The public interface is:
pub use error::{Error, Result};
pub use frame::{Frame, Picture, PixelFormat, Size};
pub use hub::{Hub, HubConfig};
pub use locate::HubLocation;
#[cfg(feature = "send")]
pub use publisher::{Publisher, PublisherConfig};
#[cfg(feature = "send")]
pub use source::Source;
#[cfg(feature = "view")]
pub use viewer::{Viewer, ViewerConfig};
