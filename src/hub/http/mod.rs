//! The hub's HTTP: a request whose head is here, and what it leads to. Nothing here touches a socket or waits: admission reads,
//! sends and waits, and whoever becomes a viewer or a publisher is handed on to the delivery loops.

pub(super) mod api;
pub(super) mod controls;
pub(super) mod credentials;
mod exchange;
mod host_names;
pub(super) mod links;
pub(super) mod metrics;
pub(super) mod mjpg_streamer;
pub(super) mod page;
pub(super) mod publish;
mod reply;
pub(super) mod rooms;
pub(super) mod session;
pub(super) mod snapshot;
pub(super) mod stream;
mod wanted;
pub(super) mod websocket;

pub(super) use self::exchange::Exchange;
pub(super) use self::host_names::host_names;
pub(super) use self::reply::{Answer, Body, BodyWanted, Encoded, Outcome, Reply, Waited, WebSocket, status_of};
