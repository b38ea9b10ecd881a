//! One request and its answer, with time-outs and limits on everything that the camera may say.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::socket::Socket;
use super::url::Url;
use crate::source::SourceError;
use crate::time::{Micros, now};
use crate::wire::answer::{Answer, AnswerReader};

/// How much is read at once. The kernel holds more; reading less at a time tells the first byte's time better.
const CHUNK: usize = 64 << 10;
/// How long after its time a read may still take in what is there already.
const GRACE: Duration = Duration::from_millis(20);

/// What [`Fetch::read`] got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Bytes of the body were appended.
    Some,
    /// None came in time.
    Nothing,
    /// The body is over.
    Over,
    /// The connection failed, or what came is no HTTP.
    Failed(String),
}

/// One connection, one request, one answer.
pub(super) struct Fetch {
    socket: Socket,
    chunk: Vec<u8>,
    answer: AnswerReader,
}

/// The first address of a host. Asking for a name waits for as long as the system's resolver does.
pub(super) fn resolve(url: &Url) -> Result<SocketAddr, SourceError> {
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let missing = |why: String| SourceError::Missing(format!("no address for the camera {}: {why}", url.host));
    found.map_err(|e| missing(e.to_string()))?.next().ok_or_else(|| missing("the name has none".into()))
}

impl Fetch {
    /// Connects and asks.
    pub(super) fn start(url: &Url, address: SocketAddr, patience: Duration) -> Result<Self, SourceError> {
        let failed = |why: String| SourceError::Lost(format!("camera at {} {why}", url.place()));
        let mut socket = Socket::connect(url, address, patience).map_err(failed)?;
        let authorization = match &url.authorization {
            Some(value) => format!("Authorization: {value}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: streamflow/{}\r\n\
             Accept: multipart/x-mixed-replace, image/jpeg, */*;q=0.1\r\n{authorization}Connection: close\r\n\r\n",
            url.path,
            url.place(),
            env!("CARGO_PKG_VERSION"),
        );
        socket.write_all(request.as_bytes()).map_err(failed)?;
        Ok(Self { socket, chunk: vec![0; CHUNK], answer: AnswerReader::default() })
    }

    /// Waits until the head of the answer is here.
    pub(super) fn wait_for_head(&mut self, url: &Url, deadline: Micros) -> Result<Answer, SourceError> {
        let lost = |why: &str| SourceError::Lost(format!("camera at {} {why}", url.place()));
        loop {
            match self.answer.head() {
                Ok(Some((status, answer))) => return judge(status, answer, url),
                Ok(None) => {}
                Err(why) => return Err(lost(&why)),
            }
            let wait = deadline.since(now());
            if wait.is_zero() {
                return Err(lost("does not answer"));
            }
            match self.receive(wait) {
                Ok(Some(0)) => return Err(lost("hung up without an answer")),
                Ok(_) => {}
                Err(e) => return Err(lost(&format!("failed: {e}"))),
            }
        }
    }

    /// Appends what there is of the body to `body`, waiting for it for `patience`. In an answer whose head is not here
    /// yet, it is read over; any but a good one fails.
    pub(super) fn read(&mut self, body: &mut Vec<u8>, patience: Duration) -> Read {
        let deadline = now() + patience;
        loop {
            if self.answer.awaits_head() {
                match self.answer.head() {
                    Ok(Some((200, Answer::Body { .. }))) => {}
                    Ok(Some((status, _))) => return Read::Failed(format!("it said {status}")),
                    Ok(None) => {}
                    Err(why) => return Read::Failed(why),
                }
            }
            let before = body.len();
            match self.answer.body(body) {
                Err(why) => return Read::Failed(why),
                // What came with the end is given first; the end is told the next time.
                Ok(_) if body.len() > before => return Read::Some,
                Ok(true) => return Read::Over,
                Ok(false) => {}
            }
            match self.receive(deadline.since(now())) {
                Ok(Some(0)) => {
                    let over = self.answer.ends_when_closed();
                    return if over { Read::Over } else { Read::Failed("it hung up".into()) };
                }
                // Whoever always has something to say, but nothing of the body, must not keep us.
                Ok(Some(_)) if now() > deadline + GRACE => return Read::Nothing,
                Ok(Some(_)) => {}
                Ok(None) => return Read::Nothing,
                Err(e) => return Read::Failed(e.to_string()),
            }
        }
    }

    /// Reads what the socket has, waiting for `patience`. `Some(0)`: the other side closed. `None`: nothing came.
    fn receive(&mut self, patience: Duration) -> io::Result<Option<usize>> {
        let read = self.socket.read(&mut self.chunk, patience)?;
        self.answer.feed(self.chunk.get(..read.unwrap_or(0)).unwrap_or_default());
        Ok(read)
    }
}

fn judge(status: u16, answer: Answer, url: &Url) -> Result<Answer, SourceError> {
    let place = url.place();
    match (status, &answer) {
        (200, _) | (_, Answer::Elsewhere(_)) => Ok(answer),
        (401 | 403, _) if url.authorization.is_none() => Err(SourceError::Lost(format!(
            "camera at {place} wants a user name and a password ({status}): write {}://USER:PASSWORD@{place}{}",
            url.scheme(),
            url.path
        ))),
        (401 | 403, _) => {
            Err(SourceError::Lost(format!("camera at {place} refuses this user and password ({status})")))
        }
        (404, _) => Err(SourceError::Lost(format!("camera at {place} has nothing at {} (404)", url.path))),
        (503, _) => Err(SourceError::Lost(format!("camera at {place} is unavailable (503)"))),
        _ => Err(SourceError::Lost(format!("camera at {place} said {status}"))),
    }
}
