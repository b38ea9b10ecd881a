//! The three programs as a user and a script meet them: help, exit codes, JSON, and the whole way of a picture.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod controls;
mod finding;
mod hang_up;
mod piping;
mod played_once;
mod rooms;
mod running;
mod sealed;
mod secrets;
mod service;
mod several;
mod smooth;
mod sound;
mod upright;
mod whole_way;
mod words;
