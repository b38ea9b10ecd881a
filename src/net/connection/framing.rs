//! How messages are told apart on the wire of a connection: who speaks what.

use std::time::Duration;

use crate::frame::Picture;
use crate::net::layout::{self, Dialect, Head};
use crate::transport::Layout;
use crate::wire::body::PictureBody;
use crate::wire::framing::{self, Deframer};
use crate::wire::websocket::{self, End};

/// How messages are told apart on the wire.
pub enum Framing {
    /// A length before each packet.
    Native(Box<Deframer>),
    /// One WebSocket message each.
    WebSocket(Box<websocket::Reader>, End),
    /// Outward only: a length and a JPEG, nothing else. What comes in is thrown away.
    Plain,
    /// Outward only: an endless multipart answer to an HTTP request. The bytes are the answer's head, 1024 at most,
    /// which goes out with the first picture, since until then the answer may still become a refusal.
    Multipart(Vec<u8>),
    /// A WebSocket that speaks something else: what the dialect says goes out, text and pictures come in.
    Bridge(Box<websocket::Reader>, Dialect),
    /// Inward only: the body of an HTTP request, with pictures in it. Answered when it is over.
    Body(Box<PictureBody>),
}

impl Framing {
    /// The longest picture that may come in from now on, in bytes; 0 from who only watches.
    pub(super) fn set_max_picture(&mut self, max_picture: usize) {
        match self {
            Self::Native(deframer) => deframer.set_max_picture(max_picture),
            Self::WebSocket(reader, _) | Self::Bridge(reader, _) => reader.set_max_picture(max_picture),
            Self::Plain | Self::Multipart(_) | Self::Body(_) => {}
        }
    }

    /// The end of the head, which only this viewer gets, for a picture that comes behind `head`.
    pub(super) fn finish_head(&mut self, head: &mut Head, picture: &Picture, hub: Duration) {
        match self {
            Self::Native(_) => layout::native_head(head, picture, hub),
            Self::WebSocket(..) => layout::websocket_head(head, picture, hub),
            Self::Plain | Self::Body(_) => layout::put(head, &framing::prefix(picture.data.len())),
            Self::Multipart(opening) => {
                layout::put(head, &std::mem::take(opening));
                layout::part_head(head, picture);
            }
            Self::Bridge(_, dialect) => layout::dialect_head(head, dialect, picture, hub),
        }
    }

    /// Whether what comes in is over when the other side says nothing more.
    pub(super) fn ends_with_input(&self) -> bool {
        matches!(self, Self::Body(body) if body.is_open())
    }

    /// How a picture lies behind the head.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::Native(_) | Self::WebSocket(..) => Layout::Native,
            Self::Plain | Self::Body(_) => Layout::Bare,
            Self::Multipart(_) => Layout::Part,
            Self::Bridge(_, dialect) => dialect.layout(),
        }
    }

    /// The name of it, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::WebSocket(..) => "websocket",
            Self::Plain => "plain",
            Self::Multipart(_) => "multipart",
            Self::Bridge(_, Dialect::Jpeg) => "quality",
            Self::Bridge(_, Dialect::Detection { .. }) => "detection",
            Self::Bridge(_, Dialect::Room { .. }) => "room",
            Self::Body(_) => "post",
        }
    }

    /// How much memory the message that is under way takes.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Native(deframer) => deframer.held(),
            Self::WebSocket(reader, _) | Self::Bridge(reader, _) => reader.held(),
            Self::Body(body) => body.held(),
            Self::Plain | Self::Multipart(_) => 0,
        }
    }

    /// Forgets the message that is under way. What comes after it makes no sense any more.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Native(deframer) => **deframer = Deframer::new(0),
            Self::WebSocket(reader, _) | Self::Bridge(reader, _) => {
                **reader = websocket::Reader::new(reader.end(), 0, 0)
            }
            Self::Body(body) => body.forget(),
            Self::Plain | Self::Multipart(_) => {}
        }
    }

    /// Gives back what is kept for messages to come.
    pub(super) fn rest(&mut self) {
        match self {
            Self::Native(deframer) => deframer.rest(),
            Self::WebSocket(reader, _) | Self::Bridge(reader, _) => reader.rest(),
            Self::Body(body) => body.rest(),
            Self::Plain | Self::Multipart(_) => {}
        }
    }

    /// How many bytes the message that is under way lacks, as far as it says so.
    pub(super) fn missing(&self) -> usize {
        match self {
            Self::Native(deframer) => deframer.missing(),
            Self::WebSocket(reader, _) | Self::Bridge(reader, _) => reader.missing(),
            Self::Body(body) => body.missing(),
            Self::Plain | Self::Multipart(_) => 0,
        }
    }
}
