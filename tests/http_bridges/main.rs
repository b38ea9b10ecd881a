//! Systems that already exist, spoken to as they speak, by an independent WebSocket client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod detection;
mod hostile_rooms;
mod open_rooms;
mod quality;
mod rooms;
mod sealed;
mod signs_of_life;

use std::net::{SocketAddr, TcpStream};

use data_encoding::BASE64;
use serde_json::{Value, json};
use streamflow::internal::hub::Hub;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use support::http::{get, post};
use support::{LONG, at, fine_source, publisher, until};
use tungstenite::{Message, WebSocket};

type Socket = WebSocket<TcpStream>;

#[track_caller]
fn open(address: SocketAddr, path: &str) -> Socket {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    let (socket, _) = tungstenite::client(format!("ws://{address}{path}"), socket).unwrap();
    socket
}

/// The next text or binary message.
#[track_caller]
fn next(socket: &mut Socket) -> Message {
    loop {
        let message = socket.read().unwrap();
        if !message.is_ping() && !message.is_pong() {
            return message;
        }
    }
}

/// The next JSON message of this type.
#[track_caller]
fn wait(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = next(socket) {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] == kind {
                return value;
            }
        }
    }
}

fn say(socket: &mut Socket, value: &Value) {
    socket.send(Message::text(value.to_string())).unwrap();
}

/// A real picture.
fn jpeg(hub: &Hub) -> Vec<u8> {
    let publisher = publisher(at(hub), "template", fine_source());
    until("published", || hub.counts().0 == 1);
    let body = get(hub.address(), "/snapshot/main/template").body;
    assert!(body.starts_with(&[0xff, 0xd8]));
    drop(publisher);
    until("nobody publishes", || hub.counts().0 == 0);
    body
}

fn picture_of(text: &Value) -> Vec<u8> {
    let url = text.as_str().unwrap();
    BASE64.decode(url.strip_prefix("data:image/jpeg;base64,").unwrap().as_bytes()).unwrap()
}

fn viewer_of(hub: &Hub, room: &str, name: &str) -> Viewer {
    let config =
        ViewerConfig { room: room.into(), name: Some(name.into()), location: at(hub), ..ViewerConfig::default() };
    Viewer::start(config).unwrap()
}

fn broadcast(hub: &Hub, body: &Value) -> (u16, Value) {
    let answer = post(hub.address(), "/api/broadcast-detection", body.to_string().as_bytes());
    (answer.status, answer.json())
}

/// What a worker posts.
fn detection(camera: &str, picture: &[u8]) -> Value {
    json!({ "camera_id": camera, "frame_base64": BASE64.encode(picture) })
}
