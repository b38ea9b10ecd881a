//! An HTTP client that sends exactly what a test says, and knows nothing of the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that is wrong about these has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::LONG;

/// One connection, for one request after the other.
pub struct Http {
    reader: BufReader<TcpStream>,
}

/// An answer: its head, and its body if it has a length.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

impl Http {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        Self { reader: BufReader::new(socket) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// The head that comes next.
    #[track_caller]
    pub fn head(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.reader.read_line(&mut head).unwrap(), 0, "closed in the head: {head:?}");
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head:?}"));
        Answer { status, head, body: Vec::new() }
    }

    /// The answer that comes next.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.field("content-length").map_or(0, |l| l.parse().unwrap());
        answer.body = self.take(length);
        answer
    }

    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whether the other side has closed, with nothing left to read.
    pub fn is_over(&mut self) -> bool {
        matches!(self.reader.fill_buf(), Ok([]) | Err(_))
    }

    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: hub\r\n{fields}{length}\r\n").as_bytes());
        self.send(body);
        if method == "HEAD" { self.head() } else { self.answer() }
    }

    /// The next part of a multipart stream: its head and its picture.
    #[track_caller]
    pub fn part(&mut self, boundary: &str) -> Answer {
        let mut line = String::new();
        while line.trim_end() != format!("--{boundary}") {
            line.clear();
            assert_ne!(self.reader.read_line(&mut line).unwrap(), 0, "closed before a part");
        }
        let mut head = String::from("\r\n");
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.reader.read_line(&mut head).unwrap(), 0, "closed in a part's head");
        }
        let mut part = Answer { status: 0, head, body: Vec::new() };
        let length = part.field("content-length").unwrap().parse().unwrap();
        part.body = self.take(length);
        part
    }
}

/// Asks once.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    Http::connect(address).ask("GET", path, "", b"")
}

/// Posts once.
#[track_caller]
pub fn post(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    Http::connect(address).ask("POST", path, "", body)
}
