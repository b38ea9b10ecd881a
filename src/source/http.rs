//! Another camera's pictures over HTTP or HTTPS: an endless `multipart/x-mixed-replace` answer (ESP32-CAM, µStreamer,
//! mjpg-streamer, IP cameras), or a single JPEG that is asked for again and again. JPEGs are passed on as they are.

mod fetch;
mod socket;
mod tls;
mod url;

use std::net::SocketAddr;
use std::time::Duration;

use fetch::{Fetch, Read, resolve};
use url::Url;

use super::arrivals::Arrivals;
use super::pace::Pace;
use super::{CaptureRequest, Next, Opened, PATIENCE, STALL, Source, SourceError};
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat, Range};
use crate::stats::Rhythm;
use crate::text::Untrusted;
use crate::time::{Micros, now};
use crate::wire::answer::Answer;
use crate::wire::jpeg_split::{MAX_PICTURE, first_picture};
use crate::wire::multipart::{Multipart, boundary_of};

/// How long the camera may take to say what it will send, after it was reached.
const HEAD_TIME: Duration = Duration::from_secs(3);
/// How long pictures are waited for as long as nobody knows how far they are apart: twice as long each time that they were
/// waited for in vain, for some cameras give one in half a minute, and others hang until they are asked anew.
const FIRST: Duration = Duration::from_secs(10);
const FIRST_MOST: Duration = Duration::from_secs(60);
/// So many bytes without a picture among them are none of a camera's. At full speed they would cost a processor.
const RUBBISH: usize = 4 * MAX_PICTURE;
/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// A camera that speaks HTTP. When a picture was taken nobody knows: the time of capture is when its first byte came, or
/// earlier where it may have waited on its way. What the camera says in headers is of a clock that nobody knows.
pub struct Http {
    url: Url,
    camera: Option<Camera>,
    sequence: u64,
    /// How long a stream's pictures are waited for that have no rhythm yet.
    first: Duration,
}

struct Camera {
    /// Where it was in the end, after redirects.
    url: Url,
    address: SocketAddr,
    kind: Kind,
    bytes: Vec<u8>,
    /// When a picture or a part came the last time, and when anything did.
    last: Micros,
    heard: Micros,
    /// Bytes since the last picture.
    rubbish: usize,
    /// How a stream's pictures follow each other, when the last one came, and how long they are waited for without that.
    rhythm: Rhythm,
    picture: Option<Micros>,
    first: Duration,
}

enum Kind {
    /// One answer, many pictures.
    Stream { fetch: Fetch, parts: Multipart, arrivals: Arrivals, told_broken: u64 },
    /// One answer a picture: the one under way, with when its first byte came, and up to when nothing of it was there.
    Single { fetch: Option<Fetch>, began: Option<Micros>, nothing: Micros, pace: Pace, patience: Duration },
}

impl Http {
    /// A camera at `http[s]://[user:password@]host[:port]/path`. Of `https`, `#sha256=` behind it is the SHA-256 of the
    /// certificate that it must show; without that, an authority must vouch for it that this machine trusts.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other address.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { url: Url::parse(url).map_err(Error::Usage)?, camera: None, sequence: 0, first: FIRST })
    }

    fn connect(&self, request: &CaptureRequest) -> Result<Camera, SourceError> {
        let mut url = self.url.clone();
        for _ in 0..=REDIRECTS {
            let address = resolve(&url)?;
            let mut fetch = Fetch::start(&url, address, STALL)?;
            let answer = fetch.wait_for_head(&url, now() + HEAD_TIME)?;
            let kind = match answer {
                Answer::Elsewhere(location) => {
                    url = url.follow(&location).map_err(SourceError::Lost)?;
                    continue;
                }
                Answer::Body { content_type } => match boundary_of(&content_type) {
                    Some(boundary) => {
                        let (parts, arrivals) = (Multipart::new(&boundary, MAX_PICTURE), Arrivals::default());
                        Kind::Stream { fetch, parts, arrivals, told_broken: 0 }
                    }
                    None if content_type.trim_start().to_ascii_lowercase().starts_with("image/jp") => {
                        let patience = STALL.max(Duration::from_secs_f64(3.0 / request.fps.clamp(0.01, 1000.0)));
                        let mut pace = Pace::new(request.fps);
                        pace.next(now()); // the first picture is on its way
                        Kind::Single { fetch: Some(fetch), began: None, nothing: now(), pace, patience }
                    }
                    None => {
                        let said = if content_type.is_empty() { "something unnamed" } else { &content_type };
                        let said = Untrusted(said);
                        let place = url.place();
                        return Err(SourceError::Lost(format!("camera at {place} sends {said}, no MJPEG and no JPEG")));
                    }
                },
            };
            return Ok(Camera {
                url,
                address,
                kind,
                bytes: Vec::new(),
                last: now(),
                heard: now(),
                rubbish: 0,
                rhythm: Rhythm::default(),
                picture: None,
                first: self.first,
            });
        }
        Err(SourceError::Lost(format!("camera at {} sends us from one address to the next", url.place())))
    }
}

impl Source for Http {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.close();
        let camera = self.connect(request)?;
        let name = camera.url.to_string();
        self.camera = Some(camera);
        Ok(Opened { name, format: PixelFormat::Jpeg, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let Some(camera) = &mut self.camera else { return Err(SourceError::Lost("camera is not open".into())) };
        let next = camera.next(frame);
        if matches!(camera.kind, Kind::Stream { .. }) {
            self.first = match (camera.rhythm.lost_after(now()), &next) {
                (None, Err(_)) => (2 * self.first).min(FIRST_MOST),
                (None, Ok(_)) => self.first,
                (Some(_), _) => FIRST,
            };
        }
        let next = next?;
        if next == Next::Frame || next == Next::Broken {
            self.sequence += 1;
        }
        frame.sequence = self.sequence;
        Ok(next)
    }

    fn close(&mut self) {
        self.camera = None;
    }
}

impl Camera {
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let deadline = now() + PATIENCE;
        let patience = match &self.kind {
            Kind::Stream { .. } => self.rhythm.lost_after(deadline).unwrap_or(self.first),
            Kind::Single { patience, .. } => *patience,
        };
        let next = match self.kind {
            Kind::Stream { .. } => self.next_part(frame, deadline)?,
            Kind::Single { .. } => self.next_answer(frame, deadline)?,
        };
        if now().since(deadline) > STALL / 2 {
            // This program was stopped, and not the camera.
            self.last = now();
        }
        if next == Next::Frame {
            self.rubbish = 0;
        }
        let place = self.url.place();
        if self.rubbish > RUBBISH {
            return Err(SourceError::Lost(format!("camera at {place} sent {} MiB and no picture", RUBBISH >> 20)));
        }
        if next == Next::Nothing && now().since(self.last) >= patience {
            let talks = now().since(self.heard) < STALL;
            let what = if talks { "sends something, and no pictures" } else { "stalled" };
            return Err(SourceError::Lost(format!("camera at {place} {what}")));
        }
        Ok(next)
    }

    fn next_part(&mut self, frame: &mut Frame, deadline: Micros) -> Result<Next, SourceError> {
        let Kind::Stream { fetch, parts, arrivals, told_broken } = &mut self.kind else {
            return Ok(Next::Nothing);
        };
        let place = || self.url.place();
        let mut got = Next::Nothing;
        // A camera that sends faster than pictures can be shown must not keep us reading.
        let mut more = 8;
        loop {
            // The newest wins: a part that is here already replaces the one before.
            while let Some(part) =
                parts.next_part().map_err(|e| SourceError::Lost(format!("camera at {}: {e}", place())))?
            {
                let at = now();
                let taken = arrivals.picture(part.began, at);
                got = if put(frame, part.body, taken) { Next::Frame } else { Next::Broken };
                self.last = at;
                if got == Next::Frame
                    && let Some(before) = self.picture.replace(at)
                {
                    self.rhythm.add(at.since(before), at);
                }
            }
            let wait = deadline.since(now());
            if got == Next::Nothing && parts.broken() > *told_broken {
                *told_broken += 1;
                got = Next::Broken;
            }
            if got != Next::Nothing {
                more -= 1;
            }
            if wait.is_zero() || more == 0 {
                return Ok(got);
            }
            self.bytes.clear();
            let patience = if got == Next::Nothing { wait } else { Duration::ZERO };
            match fetch.read(&mut self.bytes, patience) {
                Read::Some => {
                    self.rubbish += self.bytes.len();
                    self.heard = now();
                    parts.feed(&self.bytes, self.heard);
                }
                Read::Nothing => return Ok(got),
                Read::Over if got != Next::Nothing => return Ok(got),
                Read::Over => return Err(SourceError::Lost(format!("camera at {} ended the stream", place()))),
                Read::Failed(why) => return Err(SourceError::Lost(format!("camera at {}: {why}", place()))),
            }
        }
    }

    fn next_answer(&mut self, frame: &mut Frame, deadline: Micros) -> Result<Next, SourceError> {
        let Kind::Single { fetch, began, nothing, pace, .. } = &mut self.kind else { return Ok(Next::Nothing) };
        let place = || self.url.place();
        let Some(under_way) = fetch else {
            if pace.wait().is_some() {
                // One that cannot be asked is asked again when the next picture is due, until it counts as stalled.
                *fetch = Fetch::start(&self.url, self.address, PATIENCE).ok();
                (*began, *nothing) = (None, now());
                self.bytes.clear();
            }
            return Ok(Next::Nothing);
        };
        let finished = loop {
            let wait = deadline.since(now());
            if wait.is_zero() {
                return Ok(Next::Nothing);
            }
            let read = under_way.read(&mut self.bytes, wait);
            if self.bytes.is_empty() {
                *nothing = now();
            } else if began.is_none() {
                // Who was stopped meanwhile finds an answer that came long ago.
                let (at, since) = (now(), *nothing);
                *began = Some(if at.since(since) > 3 * PATIENCE { since } else { at });
            }
            if self.bytes.len() > MAX_PICTURE {
                return Err(SourceError::Lost(format!("camera at {} sends more than {MAX_PICTURE} bytes", place())));
            }
            match read {
                Read::Some => {}
                Read::Nothing => return Ok(Next::Nothing),
                Read::Over => break true,
                Read::Failed(why) => {
                    log::debug!("camera at {}: {why}", place());
                    break false;
                }
            }
        };
        if finished {
            self.heard = now();
        }
        self.rubbish += self.bytes.len();
        let good = finished && put(frame, &self.bytes, began.unwrap_or_else(now));
        (*fetch, *began) = (None, None);
        self.bytes.clear();
        if !good {
            return Ok(if now().since(self.last) >= STALL { Next::Nothing } else { Next::Broken });
        }
        self.last = now();
        Ok(Next::Frame)
    }
}

/// Puts a JPEG into the frame; `false` if it is none, or cut off.
fn put(frame: &mut Frame, body: &[u8], captured: Micros) -> bool {
    let Some(found) = first_picture(body) else { return false };
    frame.data.clear();
    frame.data.extend_from_slice(body.get(found.range).unwrap_or_default());
    frame.format = PixelFormat::Jpeg;
    frame.size = found.size;
    frame.range = Range::Full;
    frame.captured = captured;
    frame.arrival = true;
    frame.metadata = None;
    true
}
