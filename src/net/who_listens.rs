//! Who has a port that a hub wants, or that somebody takes for a hub's: asked by HTTP, which a hub answers as well.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long somebody on this machine may take to accept; the kernel does it at once.
const CONNECT: Duration = Duration::from_millis(500);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_millis(500);
/// So much of an answer tells who it is.
const ENOUGH: usize = 4096;

/// Asks who is there, in a way that a hub answers without a right.
const QUESTION: &[u8] = b"GET /api/streams HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Who listens at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Nobody.
    Nobody,
    /// A hub.
    Hub,
    /// Something that speaks HTTP, and is no hub that could be told.
    WebServer,
    /// Something that begins with these words.
    Speaks(String),
    /// Somebody who says nothing within half a second: a hub that has much to do, or another program.
    Silent,
}

/// Who listens there; takes a second at most.
#[must_use]
pub fn who_listens(address: SocketAddr) -> Listener {
    let Ok(mut socket) = TcpStream::connect_timeout(&address, CONNECT) else { return Listener::Nobody };
    let until = Instant::now() + ANSWER;
    let mut answer = Vec::new();
    let asked = socket.set_write_timeout(Some(ANSWER)).and_then(|()| socket.write_all(QUESTION));
    let mut piece = [0; 1024];
    while asked.is_ok() && answer.len() < ENOUGH {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            break;
        }
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
        }
    }
    judge(&answer)
}

/// What an answer to the question tells.
#[must_use]
pub fn judge(answer: &[u8]) -> Listener {
    let text = String::from_utf8_lossy(answer);
    let is_http = text.starts_with("HTTP/");
    match &text {
        _ if answer.is_empty() => Listener::Silent,
        text if is_http && is_hub(text) => Listener::Hub,
        text if is_http || text.trim_start().starts_with('<') => Listener::WebServer,
        // A hub says no more than a length in its own protocol, which is no text.
        text => match first_words(text.as_bytes()) {
            Some(words) => Listener::Speaks(words),
            None => Listener::Silent,
        },
    }
}

/// A hub says which program it is, or asks for a right by its name, or leads to `https://` in its words.
fn is_hub(answer: &str) -> bool {
    let answer = answer.to_ascii_lowercase();
    answer.contains("\"program\":\"streamflow/")
        || answer.contains("realm=\"streamflow\"")
        || answer.contains("this hub")
}

/// The first line of what somebody says, where it is text: as other protocols begin.
#[must_use]
pub fn first_words(said: &[u8]) -> Option<String> {
    let line = said.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_text = line.len() >= 3 && line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_text.then(|| String::from_utf8_lossy(line).chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_tells_a_hub_from_other_programs() {
        for (answer, who) in [
            ("", Listener::Silent),
            ("HTTP/1.1 200 OK\r\n\r\n{\"program\":\"streamflow/0.1.0\",\"streams\":[]}", Listener::Hub),
            ("HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"streamflow\"\r\n\r\n", Listener::Hub),
            ("HTTP/1.0 404 File not found\r\nServer: SimpleHTTP/0.6\r\n\r\n", Listener::WebServer),
            ("<!DOCTYPE HTML>", Listener::WebServer),
            ("SSH-2.0-OpenSSH_9.2\r\n", Listener::Speaks("SSH-2.0-OpenSSH_9.2".into())),
            ("\u{1}\u{0}\u{0}", Listener::Silent),
        ] {
            assert_eq!(judge(answer.as_bytes()), who, "{answer}");
        }
    }

    #[test]
    fn who_says_nothing_is_given_up_and_a_free_port_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(who_listens(address), Listener::Silent);
        let greets = std::thread::spawn(move || {
            let mut last = None;
            for _ in 0..2 {
                let mut socket = listener.accept().unwrap().0;
                let _ = socket.write_all(b"220 mail\r\n");
                last = Some(socket);
            }
            drop(last);
        });
        assert_eq!(who_listens(address), Listener::Speaks("220 mail".into()));
        greets.join().unwrap();
        assert_eq!(who_listens(address), Listener::Nobody);
    }
}
