//! Control packets: small JSON objects, told apart by `type`.
//!
//! A program ignores fields it does not know, and messages whose `type` it does not know, so that old and new speak
//! to each other.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::WireError;
use super::camera_controls::{ControlList, SetControls};
use crate::adapt::{Load, Resolution, Rung};
use crate::secret::Secret;

/// The longest control packet, in bytes. All that is said here is said in less.
pub const MAX_CONTROL: usize = 64 * 1024;
/// The longest control packet to a hub, in bytes. Reading one of nothing but small values takes 60 ns a byte, and others wait
/// meanwhile.
pub const MAX_CONTROL_TO_HUB: usize = 8 * 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Gives the pictures of one stream.
    Publish,
    /// Gets the pictures of one stream.
    View,
}

/// The first packet of a connection, from whoever connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What the connection is for.
    pub role: Role,
    /// The room; `main` unless said.
    #[serde(default = "main_room")]
    pub room: String,
    /// The stream's name. A viewer may leave it empty: the first stream there is in the room.
    #[serde(default)]
    pub name: String,
    /// Program and version, for logs.
    #[serde(default)]
    pub program: String,
    /// A publisher takes the name over from whoever has it.
    #[serde(default)]
    pub replace: bool,
    /// A number that a publisher or a viewer made up when it started. By it a publisher may take its name back from its own broken
    /// connection, which the hub may not have noticed yet; and a link for one session stays with it. 0: none.
    #[serde(default)]
    pub instance: u64,
    /// A number that a publisher's machine keeps, so that one that starts anew after a fault is known for the one of before.
    /// It is no secret. 0: none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub publisher: u64,
    /// What lets it in: a secret, or a signed token. A hub that listens on loopback alone asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A viewer acknowledges every picture with [`Control::Ack`]; a publisher can give rungs on demand.
    #[serde(default)]
    pub can: Vec<Ability>,
    /// What a viewer wants, within what the stream can give.
    #[serde(default, flatten)]
    pub request: ViewRequest,
}

impl Hello {
    /// The hello that stands for a client which cannot say one.
    #[must_use]
    pub fn to_view(room: &str, name: &str, program: &str, request: ViewRequest) -> Self {
        Self {
            role: Role::View,
            room: room.into(),
            name: name.into(),
            program: program.into(),
            replace: false,
            instance: 0,
            publisher: 0,
            token: None,
            can: Vec::new(),
            request,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(id: &u64) -> bool {
    *id == 0
}

fn main_room() -> String {
    "main".into()
}

/// What a peer can do beyond the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ability {
    /// Acknowledges each picture.
    Ack,
    /// Encodes the rungs that a [`Control::Demand`] asks for.
    Rungs,
    /// Opens sealed pictures, or says why it cannot; of a hub: passes them on.
    Seal,
    /// Of a publisher: its source has controls, which it tells and sets. Of a hub: it passes that on.
    Controls,
    /// Of a publisher: it has sound that may be asked for. Of a hub: it passes sound on.
    Audio,
    /// Anything a later version brings.
    #[serde(other)]
    Unknown,
}

/// What a viewer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRequest {
    /// JPEG quality 1 to 100; absent: as good as the link allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// Bits a second at most; absent: as many as the link carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u64>,
    /// Width and height; absent: the publisher's, or smaller where the link is slow.
    #[serde(default, skip_serializing_if = "Resolution::is_any")]
    pub size: Resolution,
    /// Its sound, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audio: bool,
}

/// A stream as the hub lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The room.
    pub room: String,
    /// The name in the room.
    pub name: String,
    /// Whether pictures come.
    pub live: bool,
    /// How many watch.
    pub viewers: u32,
    /// Its pictures are sealed end to end: who watches needs their key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// How its sound is doing; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioState>,
}

/// How a stream is doing, told by a publisher to the hub and by the hub to viewers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// The room, from a hub; a publisher leaves it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// The stream's name, from a hub; a publisher leaves it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether pictures come, or would if there were something new to see.
    pub live: bool,
    /// Why not, for a person: `camera unplugged`. Empty while live.
    #[serde(default)]
    pub reason: String,
    /// For how many milliseconds it has been so.
    #[serde(default)]
    pub since_ms: u64,
    /// Whether there is a publisher at all.
    #[serde(default)]
    pub published: bool,
    /// What its pictures would be if nothing limited them; absent where the publisher does not say.
    #[serde(rename = "asked", default, skip_serializing_if = "Option::is_none")]
    pub nominal: Option<NominalPicture>,
    /// How busy the publisher's stages (`camera`, `encoder`, `uplink`) are where one of them limits its pictures now;
    /// otherwise empty.
    #[serde(default, skip_serializing_if = "is_idle")]
    pub load: Load,
    /// The camera was opened just now, or will be for the next viewer, and has not found its exposure: the pictures may be too
    /// dark. Who wants a single one waits for this to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settling: bool,
    /// Its pictures are sealed end to end: who watches needs their key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// How its sound is doing; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioState>,
}

/// How the sound of a stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioState {
    /// It was switched off where it is captured.
    #[serde(default)]
    pub muted: bool,
    /// Somebody speaks, by the publisher's judgement; known while somebody listens.
    #[serde(default)]
    pub speaking: bool,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A millisecond is what everybody needs to read; not worth a word in every acknowledgement.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_moment(waited: &u64) -> bool {
    *waited < 1_000
}

fn is_idle(load: &Load) -> bool {
    *load == Load::default()
}

/// The pictures that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NominalPicture {
    /// Width and height, `640x480`.
    pub size: String,
    /// JPEG quality, 1 to 100; 0: as they come from the source.
    pub quality: u8,
    /// Pictures a second.
    pub fps: f64,
    /// Bytes of the last picture at this size and quality, made or worked out; 0 unknown.
    #[serde(default)]
    pub bytes: u32,
    /// The longest time between two pictures while all is well, in milliseconds; 0 or absent: that of `fps`.
    #[serde(default, skip_serializing_if = "is_untold")]
    pub interval_ms: u16,
}

fn is_untold(ms: &u16) -> bool {
    *ms == 0
}

impl NominalPicture {
    /// The longest time between two pictures while all is well; `None` where nothing is told that makes sense.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        let of_fps = || {
            Some(self.fps).filter(|fps| (0.001..=1000.0).contains(fps)).map(|fps| Duration::from_secs_f64(1.0 / fps))
        };
        Some(self.interval_ms).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into())).or_else(of_fps)
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// What was asked for cannot be had: a name that is taken, a limit that is reached. Asking again will not help.
    Refused,
    /// The hub asks for a right that the peer did not show, or has no more.
    Unauthorized,
    /// Another publisher took the name over.
    Replaced,
    /// The program that says so ends.
    Stopping,
    /// The other side broke the protocol.
    Protocol,
    /// The other side was silent, or read nothing, for too long.
    Timeout,
    /// Anything a later version brings.
    #[serde(other)]
    Unknown,
}

/// A control packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Control {
    /// First packet from whoever connected.
    Hello(Hello),
    /// The hub's answer to a hello.
    Welcome {
        /// The room that was joined.
        room: String,
        /// The stream's name; empty for a viewer of the first stream there is, while there is none.
        name: String,
        /// Program and version of the hub.
        #[serde(default)]
        program: String,
        /// The longest picture the hub passes on, in bytes.
        #[serde(default)]
        max_picture: u64,
        /// The most pixels of a picture the hub passes on; 0: it does not say.
        #[serde(default, skip_serializing_if = "is_zero")]
        max_pixels: u64,
        /// What the hub can do beyond what the first of this version could: [`Ability::Seal`], it passes sealed pictures on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        can: Vec<Ability>,
    },
    /// The hub leaves out pictures of a publisher; said once a connection.
    Dropped {
        /// Why, for a person.
        #[serde(default)]
        reason: String,
    },
    /// A viewer changes what it watches, or what it wants of it.
    Subscribe {
        /// The room; `main` unless said.
        #[serde(default = "main_room")]
        room: String,
        /// The stream's name; empty for the first there is.
        #[serde(default)]
        name: String,
        /// What is wanted of it.
        #[serde(default, flatten)]
        request: ViewRequest,
    },
    /// Asks the hub for [`Control::Streams`].
    List,
    /// The streams of the asker's room.
    Streams {
        /// One entry a stream.
        streams: Vec<StreamInfo>,
    },
    /// A picture has arrived whole.
    Ack {
        /// Its sequence number.
        sequence: u32,
        /// Pictures waiting for the decoder: 0 or 1 in a healthy viewer.
        #[serde(default)]
        backlog: u32,
        /// Microseconds for which the picture may have lain unread where it arrived, because the program was busy: no time
        /// of the link's.
        #[serde(default, skip_serializing_if = "is_moment")]
        waited: u64,
    },
    /// Hub to publisher: what somebody watches. No rungs: nobody.
    Demand {
        /// How many watch.
        viewers: u32,
        /// The rungs to encode, at most four. Pictures carry the place of theirs in this list.
        rungs: Vec<Rung>,
        /// Somebody listens to its sound.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        audio: bool,
    },
    /// Publisher to hub: what its pictures are encoded for from here on.
    Supply {
        /// In the places of the [`Control::Demand`] that it follows; `None` for what it does not encode, because another
        /// rung is no worse. A rung with [`Resolution::Full`] has its full size now, whatever was demanded.
        rungs: Vec<Option<Rung>>,
    },
    /// Hub to viewer: what its connection carries now.
    Link {
        /// Bytes a picture may have so that it crosses within the time between pictures; absent: more than the
        /// pictures have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32>,
        /// Percent of the time that the hub works on this viewer's connection and others beside it, where that is so
        /// much that pictures wait; absent: it has time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        busy: Option<u8>,
    },
    /// Hub to viewer: how well the publisher's clock is known, which tells when pictures were captured.
    Clock {
        /// How far off it may be, in microseconds.
        error: u64,
    },
    /// Are you there, and what does your clock say?
    Ping {
        /// The asker's clock in microseconds.
        time: u64,
    },
    /// The answer, at once.
    Pong {
        /// The `time` of the ping.
        time: u64,
        /// The answerer's clock in microseconds.
        now: u64,
    },
    /// How the stream is doing.
    State(StreamState),
    /// Sets controls of a publisher's source, or asks for them: from a viewer to the hub, and from the hub to the publisher.
    Set(SetControls),
    /// The answer, the other way, in several packets where it is long.
    Controls(ControlList),
    /// The last packet of a connection.
    Bye {
        /// For programs.
        cause: Cause,
        /// For people.
        #[serde(default)]
        reason: String,
    },
    /// A message of a later version; ignored.
    #[serde(skip)]
    Unknown,
}

impl Control {
    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // A value of this type always has a JSON form; `List` stands in for the impossible.
        let mut json = serde_json::to_vec(self).unwrap_or_else(|_| br#"{"type":"list"}"#.to_vec());
        // To JSON it is nothing; and a web server that is taken for a hub answers a line at once, and would wait for one otherwise.
        if matches!(self, Self::Hello(_)) {
            json.extend_from_slice(b"\r\n\r\n");
        }
        json
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// Text that is no JSON object with a `type`, or lacks what its type needs.
    pub fn from_json(json: &[u8]) -> Result<Self, WireError> {
        #[derive(Deserialize)]
        struct Tag<'a> {
            #[serde(borrow, rename = "type")]
            tag: std::borrow::Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Ack<'a> {
            /// So that a second one is refused here as well.
            #[serde(rename = "type")]
            _tag: &'a str,
            sequence: u32,
            #[serde(default)]
            backlog: u32,
            #[serde(default)]
            waited: u64,
        }
        // The one message that comes for every picture of every viewer. An enum with its tag inside is read by way of a copy of
        // all its members, and this is not.
        if json.starts_with(br#"{"type":"ack","#)
            && let Ok(Ack { sequence, backlog, waited, .. }) = serde_json::from_slice(json)
        {
            return Ok(Self::Ack { sequence, backlog, waited });
        }
        serde_json::from_slice(json).or_else(|error| match serde_json::from_slice::<Tag<'_>>(json) {
            Ok(Tag { tag }) if !KNOWN.contains(&tag.as_ref()) => Ok(Self::Unknown),
            _ => Err(WireError::Control(error.to_string())),
        })
    }
}

const KNOWN: [&str; 17] = [
    "hello",
    "welcome",
    "subscribe",
    "list",
    "streams",
    "ack",
    "demand",
    "supply",
    "dropped",
    "link",
    "clock",
    "ping",
    "pong",
    "state",
    "set",
    "controls",
    "bye",
];

/// Adds an answer to those of one turn. Of several pings only the newest is answered: it tells as much as all together.
pub fn answer(answers: &mut VecDeque<Control>, control: Option<Control>) {
    let Some(control) = control else { return };
    if let Control::Pong { .. } = control {
        answers.retain(|a| !matches!(a, Control::Pong { .. }));
    }
    answers.push_back(control);
}

#[cfg(test)]
mod tests;
