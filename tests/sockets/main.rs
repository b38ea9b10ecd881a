//! What users can rely on, tried on real sockets. One program, so that it is linked once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod audio;
mod controls;
mod delivery;
mod encryption;
mod hostile;
mod hot_plug;
mod leniency;
mod limits;
mod memory;
mod names;
mod orientation;
mod plain;
mod reconnects;
mod refusals;
mod renditions;
mod sealed;
mod silence;
mod snapshots;
mod source_faults;
mod table;
mod tokens;
mod violations;
