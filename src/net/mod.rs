//! Sockets: what the standard library does not know about them.

pub mod sockopt;
