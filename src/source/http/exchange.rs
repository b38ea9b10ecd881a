//! One request and its answer, over a plain socket with time-outs and limits on everything that the camera may say.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::url::Url;
use crate::source::SourceError;
use crate::time::{Micros, now};
use crate::wire::chunked::Chunked;

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// The most header fields in it.
const MAX_FIELDS: usize = 64;
/// How much is read at once. The kernel holds more; reading less at a time tells the first byte's time better.
const CHUNK: usize = 64 << 10;

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A body of this `Content-Type` comes; empty if it was not said.
    Body { content_type: String },
    /// Ask there.
    Elsewhere(String),
}

/// What [`Exchange::read`] got.
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

/// How the body ends.
#[derive(Debug)]
enum Length {
    Chunked(Chunked),
    Left(u64),
    UntilClosed,
}

/// One connection, one request, one answer.
pub(super) struct Exchange {
    stream: TcpStream,
    /// What was read and not yet understood.
    raw: Vec<u8>,
    chunk: Vec<u8>,
    /// `None` until the head is here.
    length: Option<Length>,
}

/// The first address of a host. Asking for a name waits for as long as the system's resolver does.
pub(super) fn resolve(url: &Url) -> Result<SocketAddr, SourceError> {
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let missing = |why: String| SourceError::Missing(format!("no address for the camera {}: {why}", url.host));
    found.map_err(|e| missing(e.to_string()))?.next().ok_or_else(|| missing("the name has none".into()))
}

impl Exchange {
    /// Connects and asks.
    pub(super) fn start(url: &Url, address: SocketAddr, patience: Duration) -> Result<Self, SourceError> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                SourceError::Lost(format!("camera at {} does not answer", url.place()))
            }
            io::ErrorKind::ConnectionRefused => {
                SourceError::Lost(format!("camera at {} refuses the connection", url.place()))
            }
            _ => SourceError::Lost(format!("camera at {}: {e}", url.place())),
        };
        let mut stream = TcpStream::connect_timeout(&address, patience).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_write_timeout(Some(patience)).map_err(failed)?;
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
        stream.write_all(request.as_bytes()).map_err(failed)?;
        Ok(Self { stream, raw: Vec::new(), chunk: vec![0; CHUNK], length: None })
    }

    /// Waits until the head of the answer is here.
    pub(super) fn wait_for_head(&mut self, url: &Url, deadline: Micros) -> Result<Answer, SourceError> {
        let lost = |why: &str| SourceError::Lost(format!("camera at {} {why}", url.place()));
        loop {
            match self.head() {
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
            if self.length.is_none() {
                match self.head() {
                    Ok(Some((200, Answer::Body { .. }))) => {}
                    Ok(Some((status, _))) => return Read::Failed(format!("it said {status}")),
                    Ok(None) => {}
                    Err(why) => return Read::Failed(why),
                }
            }
            let before = body.len();
            match self.unpack(body) {
                Err(why) => return Read::Failed(why),
                // What came with the end is given first; the end is told the next time.
                Ok(_) if body.len() > before => return Read::Some,
                Ok(true) => return Read::Over,
                Ok(false) => {}
            }
            match self.receive(deadline.since(now())) {
                Ok(Some(0)) => {
                    return match self.length {
                        Some(Length::UntilClosed) => Read::Over,
                        _ => Read::Failed("it hung up".into()),
                    };
                }
                Ok(Some(_)) => {}
                Ok(None) => return Read::Nothing,
                Err(e) => return Read::Failed(e.to_string()),
            }
        }
    }

    /// Reads what the socket has, waiting for `patience`. `Some(0)`: the other side closed. `None`: nothing came.
    fn receive(&mut self, patience: Duration) -> io::Result<Option<usize>> {
        // A time-out of zero would mean to wait for ever.
        self.stream.set_nonblocking(patience.is_zero())?;
        if !patience.is_zero() {
            self.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        }
        match self.stream.read(&mut self.chunk) {
            Ok(n) => {
                self.raw.extend_from_slice(self.chunk.get(..n).unwrap_or_default());
                Ok(Some(n))
            }
            Err(e) => match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(e),
            },
        }
    }

    /// The head with its status, once it is here. Leaves what came behind it.
    fn head(&mut self) -> Result<Option<(u16, Answer)>, String> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let config = || {
            let mut config = httparse::ParserConfig::default();
            config.allow_spaces_after_header_name_in_responses(true);
            config.ignore_invalid_headers_in_responses(true);
            config
        };
        let end = match config().parse_response(&mut response, &self.raw) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if self.raw.len() > MAX_HEAD => return Err("says too much".into()),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("does not speak HTTP".into()),
        };
        let status = response.code.unwrap_or(0);
        let field = |name: &str| {
            let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| String::from_utf8_lossy(h.value).trim().to_owned())
        };
        let chunked = field("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked"));
        let length = match field("content-length").and_then(|v| v.parse().ok()) {
            _ if chunked => Length::Chunked(Chunked::default()),
            Some(length) => Length::Left(length),
            None => Length::UntilClosed,
        };
        let answer = match field("location") {
            Some(location) if matches!(status, 301 | 302 | 303 | 307 | 308) => Answer::Elsewhere(location),
            _ => Answer::Body { content_type: field("content-type").unwrap_or_default() },
        };
        self.raw.drain(..end);
        // Whatever 1xx says, the answer proper comes behind it.
        if (100..200).contains(&status) {
            return self.head();
        }
        self.length = Some(length);
        Ok(Some((status, answer)))
    }

    /// Moves what was read of the body into `body`; whether that was the end.
    fn unpack(&mut self, body: &mut Vec<u8>) -> Result<bool, String> {
        let over = match &mut self.length {
            None => return Ok(false),
            Some(Length::Chunked(chunked)) => {
                chunked.decode(&self.raw, body).map_err(|e| e.to_string())?;
                chunked.is_over()
            }
            Some(Length::Left(left)) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.raw.len());
                body.extend_from_slice(self.raw.get(..take).unwrap_or_default());
                *left -= take as u64;
                *left == 0
            }
            Some(Length::UntilClosed) => {
                body.extend_from_slice(&self.raw);
                false
            }
        };
        self.raw.clear();
        Ok(over)
    }
}

fn judge(status: u16, answer: Answer, url: &Url) -> Result<Answer, SourceError> {
    let place = url.place();
    match (status, &answer) {
        (200, _) | (_, Answer::Elsewhere(_)) => Ok(answer),
        (401 | 403, _) if url.authorization.is_none() => Err(SourceError::Lost(format!(
            "camera at {place} wants a user name and a password ({status}): write http://USER:PASSWORD@{place}{}",
            url.path
        ))),
        (401 | 403, _) => {
            Err(SourceError::Lost(format!("camera at {place} refuses this user and password ({status})")))
        }
        (404, _) => Err(SourceError::Lost(format!("camera at {place} has nothing at {} (404)", url.path))),
        (503, _) => Err(SourceError::Lost(format!("camera at {place} is busy (503)"))),
        _ => Err(SourceError::Lost(format!("camera at {place} said {status}"))),
    }
}
