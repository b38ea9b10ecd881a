//! One request and its answer, with time-outs and limits on everything that the camera may say.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::authorization::Authorization;
use super::socket::{GRACE, Socket};
use super::url::Url;
use crate::source::SourceError;
use crate::time::{Micros, now};
use crate::wire::answer::{Answer, AnswerReader};

/// How much is read at once. The kernel holds more; reading less at a time tells the first byte's time better.
const CHUNK: usize = 64 << 10;
/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 8;

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
    closed: bool,
    /// What is wrong behind what was given last.
    wrong: Option<String>,
}

/// The addresses of a host. Asking for a name waits for as long as the system's resolver does.
fn resolve(url: &Url) -> Result<Vec<SocketAddr>, SourceError> {
    let missing = |why: String| SourceError::Missing(format!("no address for the camera {}: {why}", url.host));
    let found = (url.host.as_str(), url.port).to_socket_addrs().map_err(|e| missing(e.to_string()))?;
    let found: Vec<_> = found.take(MOST_ADDRESSES).collect();
    if found.is_empty() { Err(missing("the name has none".into())) } else { Ok(found) }
}

impl Fetch {
    /// Connects and asks. The addresses of the host are tried in turn, each for `patience`.
    pub(super) fn start(url: &mut Url, patience: Duration) -> Result<Self, SourceError> {
        let mut failed = String::new();
        for address in resolve(url)? {
            match Socket::connect(url, address, patience) {
                Ok(socket) => return Self::request(socket, url),
                Err(why) => failed = why,
            }
        }
        Err(SourceError::Lost(format!("camera at {} {failed}", url.place())))
    }

    fn request(mut socket: Socket, url: &mut Url) -> Result<Self, SourceError> {
        let place = url.host_field();
        let authorization = match url.authorization.as_mut().and_then(|a| a.field(&url.path)) {
            Some(value) => format!("Authorization: {value}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: streamflow/{}\r\n\
             Accept: multipart/x-mixed-replace, image/jpeg, */*;q=0.1\r\n{authorization}Connection: close\r\n\r\n",
            url.path,
            env!("CARGO_PKG_VERSION"),
        );
        let sent = socket.write_all(request.as_bytes());
        sent.map_err(|why| SourceError::Lost(format!("camera at {place} {why}")))?;
        Ok(Self { socket, chunk: vec![0; CHUNK], answer: AnswerReader::default(), closed: false, wrong: None })
    }

    /// Connects, asks, and waits until the head of the answer is here, for `head_time`. Where the camera asks for Digest
    /// authentication, it is asked once more.
    pub(super) fn ask(url: &mut Url, patience: Duration, head_time: Duration) -> Result<(Self, Answer), SourceError> {
        let mut fetch = Self::start(url, patience)?;
        let (mut status, mut answer) = fetch.wait_for_head(url, now() + head_time)?;
        if status == 401 && url.authorization.as_mut().is_some_and(|a| a.challenged(fetch.answer.challenges())) {
            fetch = Self::start(url, patience)?;
            (status, answer) = fetch.wait_for_head(url, now() + head_time)?;
        }
        judge(status, answer, url, &fetch.answer).map(|answer| (fetch, answer))
    }

    fn wait_for_head(&mut self, url: &Url, deadline: Micros) -> Result<(u16, Answer), SourceError> {
        let lost = |why: &str| SourceError::Lost(format!("camera at {} {why}", url.place()));
        loop {
            match self.answer.head() {
                Ok(Some(head)) => return Ok(head),
                Ok(None) => {}
                Err(why) => return Err(lost(&why)),
            }
            let wait = deadline.since(now());
            if wait.is_zero() {
                return Err(lost("does not answer"));
            }
            match self.receive(wait) {
                // A head that ends with the connection is one all the same.
                Ok(Some(0)) if !self.closed => {
                    self.closed = true;
                    self.answer.feed(b"\r\n\r\n");
                }
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
            if let Some(why) = self.wrong.take() {
                self.closed = true;
                return Read::Failed(why);
            }
            if self.answer.awaits_head() {
                match self.answer.head() {
                    Ok(Some((200, Answer::Body { .. }))) => {}
                    Ok(Some((status, _))) => return Read::Failed(format!("said {status}")),
                    Ok(None) => {}
                    Err(why) => return Read::Failed(why),
                }
            }
            let before = body.len();
            match self.answer.body(body) {
                Err(why) => {
                    // What came before the bad chunk is good.
                    self.wrong = Some(why);
                    self.answer.forget();
                    if body.len() > before {
                        return Read::Some;
                    }
                    continue;
                }
                // What came with the end is given first; the end is told the next time.
                Ok(_) if body.len() > before => return Read::Some,
                Ok(true) => return Read::Over,
                Ok(false) if self.closed => return Read::Over,
                Ok(false) => {}
            }
            match self.receive(deadline.since(now())) {
                Ok(Some(0)) => self.closed = true,
                // Whoever always has something to say, but nothing of the body, must not keep us.
                Ok(Some(_)) if now() > deadline + GRACE => return Read::Nothing,
                Ok(Some(_)) => {}
                Ok(None) => return Read::Nothing,
                Err(e) => return Read::Failed(format!("failed: {e}")),
            }
        }
    }

    /// How the camera wants to know who asks.
    pub(super) fn challenges(&self) -> &[String] {
        self.answer.challenges()
    }

    /// Reads on until the connection closes where the body should have ended; `false`: it has no length, or is closed already.
    pub(super) fn go_past_length(&mut self) -> bool {
        !self.closed && self.answer.go_past_length()
    }

    /// Reads what the socket has, waiting for `patience`. `Some(0)`: the other side closed. `None`: nothing came.
    fn receive(&mut self, patience: Duration) -> io::Result<Option<usize>> {
        let read = self.socket.read(&mut self.chunk, patience)?;
        self.answer.feed(self.chunk.get(..read.unwrap_or(0)).unwrap_or_default());
        Ok(read)
    }
}

fn judge(status: u16, answer: Answer, url: &Url, reader: &AnswerReader) -> Result<Answer, SourceError> {
    let lost = |what: String| Err(SourceError::Lost(format!("camera at {} {what}", url.place())));
    match (status, &answer) {
        (200, _) | (_, Answer::Elsewhere(_)) => Ok(answer),
        (401, _) if url.authorization.is_none() => lost(format!(
            "wants a user name and a password (401): write {}://USER:PASSWORD@{}{}",
            url.scheme(),
            url.place(),
            url.path
        )),
        (401, _) => match Authorization::unknown(reader.challenges()) {
            Some(scheme) => lost(format!("wants to know who asks in a way that is not spoken here (401, {scheme})")),
            None => lost("refuses this user and password (401)".into()),
        },
        (403, _) => lost("forbids it (403)".into()),
        (404, _) => lost(format!("has nothing at {} (404)", url.path)),
        (503, _) => lost("is unavailable (503)".into()),
        _ => lost(format!("said {status}")),
    }
}
