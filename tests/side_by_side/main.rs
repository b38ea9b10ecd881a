//! Versions live side by side: the programs of `b311c80` go on working with today's hub, and today's with its hub.
//!
//! What the programs of then said to each other was recorded, byte for byte (`tests/data/b311c80`, made by
//! `scripts/record-conversations`). Here one side of each recording talks to what is there today.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "its files use each other")]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod http;
mod hubs;
mod old;
mod player;
mod talk;

/// All recordings but those of plain HTTP.
const CONVERSATIONS: [&str; 11] = [
    "dashboard",
    "page",
    "publisher",
    "publisher-left",
    "publisher-refused",
    "publisher-websocket",
    "room-ann",
    "room-ben",
    "viewer",
    "viewer-waits",
    "viewer-websocket",
];
