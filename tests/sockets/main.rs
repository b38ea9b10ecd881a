//! What users can rely on, tried on real sockets. One program, so that it is linked once.

#[path = "../support/mod.rs"]
mod support;

mod delivery;
mod hostile;
mod limits;
mod names;
mod plain;
mod reconnects;
mod source_faults;
