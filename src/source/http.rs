//! Another camera's pictures over HTTP or HTTPS: an endless answer (ESP32-CAM, µStreamer, mjpg-streamer, IP cameras, ffmpeg), or a
//! single JPEG that is asked for again and again. JPEGs are passed on as they are.
//!
//! What the camera says of its answer is a hint: its bytes decide (`wire/pictures.rs`). An answer that is not in
//! parts and ends with its first picture is a single one; any other is a stream.

mod authorization;
mod fetch;
mod socket;
mod tls;
mod url;

use std::time::Duration;

use fetch::{Fetch, Read};
use url::Url;

use super::arrivals::Arrivals;
use super::pace::Pace;
use super::{COUNTED, CaptureRequest, Next, Opened, PATIENCE, STALL, Source, SourceError};
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat, Range};
use crate::stats::Rhythm;
use crate::text::Untrusted;
use crate::time::{Micros, now};
use crate::wire::answer::Answer;
use crate::wire::jpeg::CountLimit;
use crate::wire::pictures::{MAX_PICTURE, Pictures, boundary_of};

/// How long the camera may take to say what it will send, after it was reached. Some wake up first.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long pictures are waited for as long as nobody knows how far they are apart: twice as long each time that they were
/// waited for in vain, for some cameras give one in half a minute, and others hang until they are asked anew.
const FIRST: Duration = Duration::from_secs(10);
const FIRST_MOST: Duration = Duration::from_secs(60);
/// So many bytes without a picture among them are none of a camera's. At full speed they would cost a processor.
const RUBBISH: usize = 4 * MAX_PICTURE;
/// How many redirects are followed.
const REDIRECTS: usize = 3;
/// How long a camera may take to shake hands when it is asked again: small ones take some hundred milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// An answer that gave one picture and then nothing for so long was a single one that does not end.
const SINGLE: Duration = Duration::from_secs(1);

/// A camera that speaks HTTP. When a picture was taken nobody knows: the time of capture is when its first byte came, or
/// earlier where it may have waited on its way. What the camera says in headers is of a clock that nobody knows.
pub struct Http {
    url: Url,
    camera: Option<Camera>,
    sequence: u64,
    /// How long pictures are waited for that have no rhythm yet.
    first: Duration,
}

struct Camera {
    /// Where it was in the end, after redirects.
    url: Url,
    /// The answer under way; `None` until the next picture is due.
    fetch: Option<Fetch>,
    /// What it said of its first answer, and whether that is in parts.
    content_type: String,
    in_parts: bool,
    pictures: Pictures,
    told_broken: u64,
    counting: CountLimit,
    /// How many pictures came of the answer under way, and up to when nothing of it was there.
    got: u64,
    nothing: Micros,
    arrivals: Arrivals,
    /// Each picture is asked for.
    polled: bool,
    pace: Pace,
    bytes: Vec<u8>,
    /// When a picture came the last time, and when anything did.
    last: Micros,
    heard: Micros,
    /// Bytes since the last picture.
    rubbish: usize,
    /// How pictures follow each other, when the last one came, and how long they are waited for without that.
    rhythm: Rhythm,
    picture: Option<Micros>,
    first: Duration,
}

/// Which pictures are taken.
#[derive(Clone, Copy)]
enum Take {
    /// Those that are whole.
    Next,
    /// Also the one under way, if only its end of image is missing; if not, it goes on.
    SoFar,
    /// The same, and nothing comes any more.
    Last,
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
            let (fetch, answer) = Fetch::ask(&mut url, STALL, HEAD_TIME)?;
            let content_type = match answer {
                Answer::Elsewhere(location) => {
                    url = url.follow(&location).map_err(SourceError::Lost)?;
                    continue;
                }
                Answer::Body { content_type } => content_type,
            };
            let boundary = boundary_of(&content_type);
            let mut pace = Pace::new(request.fps);
            pace.next(now()); // the first picture is on its way
            return Ok(Camera {
                url,
                fetch: Some(fetch),
                content_type,
                in_parts: boundary.is_some(),
                pictures: Pictures::new(&boundary.unwrap_or_default(), MAX_PICTURE),
                told_broken: 0,
                counting: CountLimit::new(COUNTED),
                got: 0,
                nothing: now(),
                arrivals: Arrivals::default(),
                polled: false,
                pace,
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
        self.first = first_patience(self.first, camera.rhythm.lost_after(now()), next.is_err());
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

/// How long the first picture of the next opening is waited for, after this one. What is known of the camera is not forgotten:
/// one that was slow before is slow after that.
fn first_patience(first: Duration, known: Option<Duration>, failed: bool) -> Duration {
    match known {
        Some(known) => known.max(FIRST),
        None if failed => (2 * first).min(FIRST_MOST),
        None => first,
    }
}

impl Camera {
    fn lost(&self, what: &str) -> SourceError {
        SourceError::Lost(format!("camera at {} {what}", self.url.place()))
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let deadline = now() + PATIENCE;
        let patience = self.rhythm.lost_after(deadline).unwrap_or(self.first);
        let next = self.read_until(deadline, frame)?;
        if now().since(deadline) > STALL / 2 {
            // This program was stopped, and not the camera.
            self.last = now();
        }
        if next == Next::Frame {
            self.rubbish = 0;
        }
        if self.rubbish > RUBBISH {
            return Err(self.lost(&format!("sent {} MiB and no picture", RUBBISH >> 20)));
        }
        if next == Next::Nothing && now().since(self.last) >= patience {
            let talks = now().since(self.heard) < STALL;
            return Err(if talks { self.lost(&self.no_picture()) } else { self.lost("stalled") });
        }
        Ok(next)
    }

    /// What is said of an answer without a picture in it.
    fn no_picture(&self) -> String {
        match self.content_type.as_str() {
            "" => "sends something, and no pictures".into(),
            kind => format!("sends {}, and no pictures in it", Untrusted(kind)),
        }
    }

    fn read_until(&mut self, deadline: Micros, frame: &mut Frame) -> Result<Next, SourceError> {
        let mut next = Next::Nothing;
        // A camera that sends faster than pictures can be shown must not keep us reading.
        let mut more = 8;
        loop {
            if self.take_pictures(frame, Take::Next) {
                next = Next::Frame;
            } else if next == Next::Nothing && self.pictures.broken() > self.told_broken {
                self.told_broken = self.pictures.broken();
                next = Next::Broken;
            }
            if next != Next::Nothing {
                more -= 1;
            }
            if self.pictures.was_too_long() {
                return Err(self.lost(&format!("sends pictures of more than {MAX_PICTURE} bytes")));
            }
            if next == Next::Frame && self.polled {
                self.over();
                return Ok(next);
            }
            let wait = deadline.since(now());
            if wait.is_zero() || more == 0 {
                return Ok(next);
            }
            let Some(fetch) = &mut self.fetch else {
                if !self.polled {
                    return Err(self.lost("ended the stream"));
                }
                self.ask_again();
                return Ok(next);
            };
            self.bytes.clear();
            let patience = if next == Next::Nothing { wait } else { Duration::ZERO };
            match fetch.read(&mut self.bytes, patience) {
                Read::Some => self.feed(),
                Read::Nothing => {
                    self.nothing = now();
                    let quiet = self.got == 1 && now().since(self.heard) >= SINGLE;
                    if quiet && !self.in_parts {
                        self.polled = true;
                        self.over();
                    }
                    return Ok(next);
                }
                // A length is believed that a picture ends by. Where none did, what follows is looked at.
                Read::Over if self.got == 0 && next == Next::Nothing => {
                    if self.take_pictures(frame, Take::SoFar) {
                        return self.ended(Next::Frame);
                    }
                    if !self.fetch.as_mut().is_some_and(Fetch::go_past_length) {
                        let last = self.take_pictures(frame, Take::Last);
                        return self.ended(if last { Next::Frame } else { next });
                    }
                }
                Read::Over => {
                    if self.take_pictures(frame, Take::Last) {
                        next = Next::Frame;
                    }
                    return self.ended(next);
                }
                Read::Failed(_) if next != Next::Nothing => return Ok(next),
                Read::Failed(why) if self.polled => {
                    log::debug!("camera at {} {why}", self.url.place());
                    // What it gave out for Digest authentication lasts for a while only.
                    if let Some(authorization) = &mut self.url.authorization {
                        authorization.challenged(fetch.challenges());
                    }
                    self.over();
                    return Ok(Next::Nothing);
                }
                Read::Failed(why) => return Err(self.lost(&why)),
            }
        }
    }

    fn feed(&mut self) {
        self.rubbish += self.bytes.len();
        self.heard = now();
        // Who was stopped meanwhile finds an answer that came long ago.
        let stopped = self.polled && self.heard.since(self.nothing) > 3 * PATIENCE;
        let came = if stopped { self.nothing } else { self.heard };
        self.pictures.feed(&self.bytes, came);
        self.nothing = self.heard;
    }

    /// Takes all pictures that are here; `true` if there was one. The newest wins.
    fn take_pictures(&mut self, frame: &mut Frame, which: Take) -> bool {
        let (mut any, may_count) = (false, &mut self.counting.at(now()));
        while let Some(jpeg) = match which {
            Take::Next => self.pictures.next_picture(may_count),
            Take::SoFar => self.pictures.whole_so_far(may_count),
            Take::Last => self.pictures.last_picture(may_count),
        } {
            let at = now();
            frame.data.clear();
            frame.data.extend_from_slice(jpeg.data);
            frame.format = PixelFormat::Jpeg;
            frame.size = jpeg.size;
            frame.range = Range::Full;
            frame.captured = if self.polled { jpeg.began } else { self.arrivals.picture(jpeg.began, at) };
            frame.arrival = true;
            frame.metadata = None;
            if let Some(before) = self.picture.replace(at) {
                self.rhythm.add(at.since(before), at);
            }
            (self.last, any) = (at, true);
            self.got += 1;
        }
        any
    }

    /// The answer is over.
    fn ended(&mut self, next: Next) -> Result<Next, SourceError> {
        self.polled |= self.got == 1 && !self.in_parts;
        if self.polled {
            let broken = self.got == 0 && next == Next::Nothing;
            self.over();
            return Ok(if broken && now().since(self.last) < STALL { Next::Broken } else { next });
        }
        self.fetch = None;
        match next {
            Next::Nothing if self.got == 0 => Err(self.lost(&self.no_picture())),
            Next::Nothing => Err(self.lost("ended the stream")),
            // It is said when it is read again.
            next => Ok(next),
        }
    }

    /// Lets go of a single answer.
    fn over(&mut self) {
        (self.fetch, self.got) = (None, 0);
        self.pictures.reset();
        self.told_broken = self.pictures.broken();
    }

    /// One that cannot be asked is asked again when the next picture is due, until it counts as stalled.
    fn ask_again(&mut self) {
        if self.pace.wait().is_some() {
            let patience = if self.url.secure { HANDSHAKE } else { PATIENCE };
            match Fetch::start(&mut self.url, patience) {
                Ok(fetch) => self.fetch = Some(fetch),
                Err(error) => log::debug!("{error}"),
            }
            self.nothing = now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_whose_rhythm_is_known_is_given_its_time_when_it_is_opened_again() {
        let seconds = Duration::from_secs;
        assert_eq!(first_patience(FIRST, Some(seconds(45)), true), seconds(45), "a picture every 13 s");
        assert_eq!(first_patience(seconds(45), Some(seconds(1)), false), FIRST, "it is fast now");
        // Of one that nothing is known of, it doubles with each time in vain, up to a minute.
        assert_eq!(first_patience(FIRST, None, false), FIRST);
        assert_eq!(first_patience(FIRST, None, true), 2 * FIRST);
        assert_eq!(first_patience(seconds(45), None, true), FIRST_MOST);
    }
}
