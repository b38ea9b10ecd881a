//! The last words of a connection, in the words of its framing, and that nothing more is heard after them.

use super::{Connection, ConnectionError, Framing, http, websocket};
use crate::wire::WireError;
use crate::wire::control::Cause;
use crate::wire::websocket::End;

impl Connection {
    /// Says the last thing that this framing says before the connection is shut down.
    ///
    /// # Errors
    /// Why the connection is over already.
    pub fn send_close(&mut self) -> Result<(), ConnectionError> {
        match &self.framing {
            Framing::WebSocket(_, end) => self.close_frame(*end, 1000, ""),
            _ => Ok(()),
        }
    }

    /// Ends a WebSocket that does not speak the native protocol, with a code of its own.
    ///
    /// # Errors
    /// Why the connection is over already.
    pub fn dismiss(&mut self, code: u16, reason: &str) -> Result<(), ConnectionError> {
        match &self.framing {
            Framing::Bridge(..) => self.close_frame(End::Server, code, reason),
            _ => Ok(()),
        }
    }

    /// Answers a close frame, if one came, after all that is said because of what came before it.
    ///
    /// # Errors
    /// Why the connection is over already.
    pub fn answer_close(&mut self) -> Result<(), ConnectionError> {
        match &self.framing {
            Framing::WebSocket(reader, _) | Framing::Bridge(reader, _) if self.hangs_up => {
                self.close_frame(reader.end(), 1000, "")
            }
            _ => Ok(()),
        }
    }

    /// The last frame, and none after it (RFC 6455, section 5.5.1).
    pub(super) fn close_frame(&mut self, end: End, code: u16, reason: &str) -> Result<(), ConnectionError> {
        if std::mem::replace(&mut self.said_close, true) {
            return Ok(());
        }
        self.enqueue(&websocket::close(end, code, reason))
    }

    /// Says what the other side did against the rules, where the framing has words for that: a close frame, or the answer to
    /// the request that is under way.
    ///
    /// # Errors
    /// Why the connection is over already.
    pub fn send_violation(&mut self, error: &WireError) -> Result<(), ConnectionError> {
        let end = match &self.framing {
            Framing::WebSocket(_, end) => *end,
            Framing::Bridge(..) => End::Server,
            Framing::Body(_) => return self.enqueue(&http::short_answer(status_of(error), &error.to_string())),
            Framing::Native(_) | Framing::Plain | Framing::Multipart(_) => return Ok(()),
        };
        self.close_frame(end, close_code_of(error), &error.to_string())
    }

    /// From now on what comes is read and thrown away, and what had come is given back. It goes on being read because closing
    /// over unread bytes would destroy the last words on their way.
    pub fn ignore_input(&mut self) {
        self.ignores = true;
        self.unread = Vec::new();
        self.pinged = None;
        self.framing.forget();
    }
}

/// RFC 6455, section 7.4.1.
fn close_code_of(error: &WireError) -> u16 {
    if let WireError::TooLong { .. } = error { 1009 } else { 1002 }
}

/// With which code a WebSocket ends that does not speak the native protocol.
pub(super) fn close_code_of_bye(cause: Cause) -> u16 {
    match cause {
        // Of our own (RFC 6455, section 7.4.2), so that the older of two tabs of one person does not come back at once.
        Cause::Replaced => REPLACED,
        _ => 1013,
    }
}

/// The same name came in elsewhere.
const REPLACED: u16 = 4001;

fn status_of(error: &WireError) -> u16 {
    match error {
        WireError::Body(status, _) => *status,
        WireError::TooLong { .. } => 413,
        _ => 400,
    }
}
