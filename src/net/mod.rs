//! Sockets: addresses, non-blocking connections that speak packets, and the link from a program to its hub.

pub mod address;
pub mod connection;
pub mod http;
pub mod join_link;
pub mod layout;
pub mod link;
pub mod mdns;
pub mod open_files;
#[cfg_attr(not(all(feature = "hub", feature = "send")), allow(dead_code, reason = "each program needs a part of it"))]
pub(crate) mod service_manager;
pub(crate) mod state_dir;
pub mod tls;
pub mod who_listens;
