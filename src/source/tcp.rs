//! A program that listens at a port and sends JPEGs to whoever connects: each behind its length, as with `socket` and `struct` of
//! Python, or one behind the other, as of `ffmpeg -f mjpeg tcp://…?listen`. JPEGs are passed on as they are.

use std::io::{ErrorKind, Read as _};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::arrivals::Arrivals;
use super::{COUNTED, CaptureRequest, Next, Opened, PATIENCE, STALL, Source, SourceError, Unwatched};
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat, Range};
use crate::stats::Rhythm;
use crate::time::{Micros, now};
use crate::wire::jpeg::CountLimit;
use crate::wire::pictures::{MAX_PICTURE, Pictures};
use crate::wire::senders::{ENOUGH, Sends, judge};

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 8;
/// How long the first picture may take. Some programs open their camera for it.
const FIRST: Duration = Duration::from_secs(10);
/// So many bytes without a picture among them are none of a camera's.
const RUBBISH: usize = 4 * MAX_PICTURE;

/// A program that listens and sends. When a picture was taken nobody knows: the time of capture is when its first byte came, or
/// earlier where it may have waited on its way.
///
/// It stays connected while nobody watches: many such programs serve one client after the other, or end when the first one goes.
pub struct Tcp {
    /// As it is shown: `host:port`.
    place: String,
    sender: Option<Sender>,
    sequence: u64,
}

struct Sender {
    socket: TcpStream,
    chunk: Vec<u8>,
    pictures: Pictures,
    told_broken: u64,
    counting: CountLimit,
    arrivals: Arrivals,
    /// The first bytes, until it was told what they are.
    first: Vec<u8>,
    /// Whether that was told, and whether anything came.
    told: bool,
    /// When a picture came the last time, or was first waited for; and when anything did.
    last: Micros,
    heard: Micros,
    /// Bytes since the last picture.
    rubbish: usize,
    rhythm: Rhythm,
    picture: Option<Micros>,
    closed: bool,
}

impl Tcp {
    /// The program at `tcp://host:port`.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other address.
    pub fn new(url: &str) -> Result<Self> {
        let place = url.get(6..).unwrap_or_default().trim_end_matches('/');
        let wrong = |why: &str| Err(Error::Usage(format!("'{url}': {why}")));
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        if host.parse::<Ipv6Addr>().is_ok() || host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return wrong("an address of IPv6 stands in brackets, as tcp://[::1]:9999");
        }
        let is_host = !host.is_empty() && !host.contains(['/', '@', '?', ' ', '#']);
        if !is_host || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return wrong(
                "write tcp://HOST:PORT, as tcp://10.0.0.7:9999, of a program that listens there and sends JPEGs",
            );
        }
        Ok(Self { place: place.to_owned(), sender: None, sequence: 0 })
    }

    fn connect(&self) -> Result<Sender, SourceError> {
        let place = &self.place;
        let missing = |why: String| SourceError::Missing(format!("no address for the sender {place}: {why}"));
        let addresses = place.to_socket_addrs().map_err(|e| missing(e.to_string()))?;
        let mut failed = "has no address".to_owned();
        for address in addresses.take(MOST_ADDRESSES) {
            match reach(address) {
                Ok(socket) => return Ok(Sender::new(socket)),
                Err(why) => failed = why,
            }
        }
        Err(SourceError::Lost(format!("sender at {place} {failed}")))
    }
}

fn reach(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect_timeout(&address, STALL).map_err(|error| match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "does not answer".into(),
        ErrorKind::ConnectionRefused => {
            "refuses the connection: nobody listens there, or it serves another client".into()
        }
        _ => format!("failed: {error}"),
    })
}

impl Source for Tcp {
    fn open(&mut self, _: &CaptureRequest) -> Result<Opened, SourceError> {
        self.close();
        self.sender = Some(self.connect()?);
        let (name, format) = (format!("tcp://{}", self.place), PixelFormat::Jpeg);
        Ok(Opened { name, format, unwatched: Unwatched::GoOn, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let place = &self.place;
        let Some(sender) = &mut self.sender else { return Err(SourceError::Lost("sender is not open".into())) };
        let next = sender.next(frame, place).map_err(|why| SourceError::Lost(format!("sender at {place} {why}")))?;
        if next == Next::Frame || next == Next::Broken {
            self.sequence += 1;
        }
        frame.sequence = self.sequence;
        Ok(next)
    }

    fn close(&mut self) {
        self.sender = None;
    }
}

impl Sender {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            chunk: vec![0; CHUNK],
            pictures: Pictures::default(),
            told_broken: 0,
            counting: CountLimit::new(COUNTED),
            arrivals: Arrivals::default(),
            first: Vec::new(),
            told: false,
            last: now(),
            heard: now(),
            rubbish: 0,
            rhythm: Rhythm::default(),
            picture: None,
            closed: false,
        }
    }

    /// The next picture, or why there will be none, to be put behind who it is.
    fn next(&mut self, frame: &mut Frame, place: &str) -> Result<Next, String> {
        let deadline = now() + PATIENCE;
        let patience = self.rhythm.lost_after(deadline).unwrap_or(FIRST);
        let next = self.read_until(deadline, frame, place)?;
        if now().since(deadline) > STALL / 2 {
            // This program was stopped, and not the other.
            self.last = now();
        }
        match next {
            Next::Frame => self.rubbish = 0,
            Next::Nothing if self.closed => return Err(self.in_words("ended the stream", "hung up without a word")),
            Next::Nothing if now().since(self.last) >= patience => {
                let talks = now().since(self.heard) < STALL;
                let nothing = "says nothing: it is no program that sends without being asked";
                return Err(if talks || self.picture.is_none() {
                    self.in_words("stalled", nothing)
                } else {
                    "stalled".into()
                });
            }
            _ if self.rubbish > RUBBISH => return Err(self.in_words("sends no pictures any more", "")),
            _ if self.pictures.was_too_long() => {
                return Err(format!("sends pictures of more than {MAX_PICTURE} bytes"));
            }
            _ => {}
        }
        Ok(next)
    }

    /// What is said of one that gives no picture: `after` there were some, or where it said `nothing`.
    fn in_words(&self, after: &str, nothing: &str) -> String {
        match judge(&self.first) {
            _ if self.picture.is_some() => after.into(),
            _ if self.first.is_empty() => nothing.into(),
            Some(Sends::Frames(what) | Sends::Other(what)) => format!("sends {what}"),
            Some(jpegs) => format!("sends {jpegs}, of which none came whole"),
            None => format!("sends something, and no pictures in it ({} bytes)", self.rubbish),
        }
    }

    fn read_until(&mut self, deadline: Micros, frame: &mut Frame, place: &str) -> Result<Next, String> {
        let mut next = Next::Nothing;
        // One that sends faster than pictures can be shown must not keep us reading.
        let mut more = 8;
        loop {
            if self.take_pictures(frame) {
                next = Next::Frame;
            } else if next == Next::Nothing && self.pictures.broken() > self.told_broken {
                self.told_broken = self.pictures.broken();
                next = Next::Broken;
            }
            more -= i32::from(next != Next::Nothing);
            let wait = deadline.since(now());
            if wait.is_zero() || more == 0 || self.closed {
                return Ok(next);
            }
            let read = if next == Next::Nothing { wait } else { Duration::ZERO };
            match self.read(read) {
                Ok(Some(0)) => self.closed = true,
                Ok(Some(length)) => self.feed(length, place)?,
                Ok(None) => return Ok(next),
                // It is said when it is read again.
                Err(_) if next == Next::Frame => return Ok(next),
                Err(error) => return Err(format!("failed: {error}")),
            }
        }
    }

    /// Reads what is there, waiting for it for a while. `Some(0)`: the other side closed. `None`: nothing came.
    fn read(&mut self, patience: Duration) -> std::io::Result<Option<usize>> {
        // A time-out of zero would mean to wait for ever.
        self.socket.set_nonblocking(patience.is_zero())?;
        if !patience.is_zero() {
            self.socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        }
        match self.socket.read(&mut self.chunk) {
            Ok(length) => Ok(Some(length)),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn feed(&mut self, length: usize, place: &str) -> Result<(), String> {
        let bytes = self.chunk.get(..length).unwrap_or_default();
        (self.heard, self.rubbish) = (now(), self.rubbish.saturating_add(length));
        self.pictures.feed(bytes, self.heard);
        if self.told {
            return Ok(());
        }
        let lacks = ENOUGH.saturating_sub(self.first.len());
        self.first.extend_from_slice(bytes.get(..lacks).unwrap_or(bytes));
        let judged = judge(&self.first);
        self.told = judged.is_some() || self.first.len() >= ENOUGH;
        match judged {
            // It will be no other however long it is listened to.
            Some(Sends::Frames(what) | Sends::Other(what)) => Err(format!("sends {what}")),
            Some(jpegs) => {
                log::info!("tcp://{place} sends {jpegs}");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes all pictures that are here; `true` if there was one. The newest wins.
    fn take_pictures(&mut self, frame: &mut Frame) -> bool {
        let (mut any, may_count) = (false, &mut self.counting.at(now()));
        while let Some(jpeg) =
            if self.closed { self.pictures.last_picture(may_count) } else { self.pictures.next_picture(may_count) }
        {
            let at = now();
            frame.data.clear();
            frame.data.extend_from_slice(jpeg.data);
            frame.format = PixelFormat::Jpeg;
            frame.size = jpeg.size;
            frame.range = Range::Full;
            frame.captured = self.arrivals.picture(jpeg.began, at);
            frame.arrival = true;
            frame.metadata = None;
            if let Some(before) = self.picture.replace(at) {
                self.rhythm.add(at.since(before), at);
            }
            (self.last, any) = (at, true);
        }
        any
    }
}
