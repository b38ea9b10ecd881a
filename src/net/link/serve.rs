//! Living through one connection: reading, sending, and parting.

use std::io::ErrorKind;
use std::result::Result;
use std::time::Duration;

use mio::Events;

use super::dial::{in_words_of, not_let_in};
use super::open::Open;
use super::rights::Way;
use super::sender::{no_hub, overhear};
use super::{LinkUser, Outcome, Runner, SOCKET};
use crate::net::address::HubAddress;
use crate::net::connection::{Connection, ConnectionError, Drained, Framing};
use crate::time::{Micros, now};
use crate::wire::control::{Cause, Control};

impl<U: LinkUser> Runner<U> {
    /// Lives through one connection.
    pub(super) fn serve(&mut self, way: Way, hub: &HubAddress, welcomed: &mut Option<Micros>) -> Outcome {
        let Way { mut transport, key } = way;
        let framing = match self.framing(&mut transport, hub) {
            Ok(framing) => framing,
            Err(end) => return end,
        };
        let mut connection = Connection::new(transport, framing);
        if let Err(error) = connection.transport.register(self.poll.registry(), SOCKET) {
            return Outcome::Again(error.to_string());
        }
        let mut hello = self.user.hello();
        hello.token = self.rights.show(&self.config.trust, hub, &hello, key);
        let mut open = Open::new(hello, now());
        let turned = self.turns(&mut connection, &mut open, welcomed);
        if open.welcomed {
            // What ended it may have come together with the welcome.
            welcomed.get_or_insert(now());
        }
        let end = match turned {
            Err(broken) => match open.ended.take() {
                Some(Outcome::Again(why)) if open.unanswered => Outcome::Again(no_hub(hub, &why)),
                Some(end) => end,
                None if open.welcomed => Outcome::Again(in_words_of(&broken)),
                None => Outcome::Again(not_let_in(hub, &broken)),
            },
            // Told to stop. Who is not there any more needs no goodbye.
            Ok(()) => {
                let _ = self.part(&mut connection, &mut open);
                Outcome::Stopped
            }
        };
        connection.transport.deregister(self.poll.registry());
        end
    }

    /// Turns until the program is told to stop.
    fn turns(
        &mut self,
        connection: &mut Connection,
        open: &mut Open,
        welcomed: &mut Option<Micros>,
    ) -> Result<(), ConnectionError> {
        let mut events = Events::with_capacity(8);
        // There is more to read, from this time on: something may have come with the handshake.
        let mut more = Some(Micros(0));
        while !self.stopped() {
            let at = now();
            open.client.handle_timeout(at);
            self.act(connection, open)?;
            let mut wake_at = open.client.poll_timeout();
            if open.client.is_open() {
                if welcomed.is_none() {
                    *welcomed = Some(at);
                    self.rights.taken(&self.config.trust);
                }
                for message in self.user.messages() {
                    connection.send_control(&message)?;
                }
                self.send_audio(connection)?;
                if let Some(later) = self.send_pictures(connection, open)? {
                    wake_at = wake_at.min(later);
                }
            }
            let wait = more.map_or(wake_at, |reads_at| wake_at.min(reads_at)).since(now());
            if let Err(error) = self.poll.poll(&mut events, Some(wait)) {
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error.into());
                }
                // It says nothing of the socket.
                events.clear();
            }
            if events.iter().any(|e| e.token() == SOCKET && e.is_writable()) {
                connection.flush()?;
            }
            let readable = events.iter().any(|e| e.token() == SOCKET && (e.is_readable() || e.is_read_closed()));
            if more.map_or(readable, |reads_at| now() >= reads_at) {
                more = self.read(connection, open)?.reads_at(now());
            }
        }
        Ok(())
    }

    /// Does what the session asks for.
    fn act(&mut self, connection: &mut Connection, open: &mut Open) -> Result<(), ConnectionError> {
        let mut answers = Vec::new();
        let at = now();
        open.tell(&mut self.user, &mut answers, at)?;
        open.transmit(connection, at)?;
        answers.iter().try_for_each(|answer| connection.send_control(answer))
    }

    /// Sends what waits, says goodbye, and reads on until the hub has heard it and closes: a socket that is closed with
    /// something unread in it loses what it had still to send, and a hub in this process goes when we are done.
    fn part(&mut self, connection: &mut Connection, open: &mut Open) -> Result<(), ConnectionError> {
        let bye = Control::Bye { cause: Cause::Stopping, reason: String::new() };
        let until = now() + self.user.linger();
        let mut events = Events::with_capacity(8);
        let mut said = false;
        // The hello may not have been sent yet, and a goodbye alone is nothing that a hub understands.
        open.transmit(connection, now())?;
        loop {
            let mut wake_at = until;
            if !said {
                let later = if open.client.is_open() { self.send_pictures(connection, open)? } else { None };
                wake_at = later.map_or(until, |later| until.min(later));
                let nothing_waits = !open.client.is_open() || !self.user.has_picture();
                if nothing_waits || now() >= until {
                    connection.send_control(&bye)?;
                    connection.send_close()?;
                    said = true;
                    // A viewer has sent nothing that could get lost.
                    if open.pacer.last().is_none() {
                        return Ok(());
                    }
                }
            }
            connection.flush()?;
            let drained = if said {
                connection.read(&mut self.scratch, &mut |_, _| Ok(()))?
            } else {
                self.read(connection, open)?
            };
            let left = until.since(now());
            if left.is_zero() {
                return Ok(());
            }
            let at = now();
            let wait = drained.reads_at(at).map_or(wake_at, |reads_at| wake_at.min(reads_at)).since(at).min(left);
            let _ = self.poll.poll(&mut events, Some(wait));
        }
    }

    /// Sends sound while nothing waits before it.
    fn send_audio(&mut self, connection: &mut Connection) -> Result<(), ConnectionError> {
        while connection.is_idle()
            && let Some(packet) = self.user.next_audio()
        {
            connection.send_audio(&packet, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Sends pictures as long as the link's pacer allows; says when to ask again.
    fn send_pictures(
        &mut self,
        connection: &mut Connection,
        open: &mut Open,
    ) -> Result<Option<Micros>, ConnectionError> {
        let interval = self.user.interval();
        while self.user.has_picture() {
            let at = now();
            let later = open.pacer.ask(at, interval, &mut connection.transport);
            self.user.carries(open.pacer.fits());
            if later.is_some() {
                return Ok(later);
            }
            self.send_audio(connection)?;
            if !connection.is_idle() {
                break;
            }
            if let Some(message) = self.user.before_picture() {
                connection.send_control(&message)?;
                if !connection.is_idle() {
                    break;
                }
            }
            let Some(picture) = self.user.next_picture() else { break };
            let bytes = connection.length_of(&picture);
            open.pacer.given(picture.sequence, bytes, at);
            connection.send_picture(&picture, None, Duration::ZERO)?;
        }
        Ok(None)
    }

    fn read(&mut self, connection: &mut Connection, open: &mut Open) -> Result<Drained, ConnectionError> {
        let mut answers = Vec::new();
        let before = connection.bytes_in;
        if !open.welcomed && self.said.is_empty() && matches!(connection.framing(), Framing::Native(_)) {
            self.said = overhear(&mut connection.transport);
            if self.pictures_said().is_some() {
                return Err(ConnectionError::Closed);
            }
        }
        let user = &mut self.user;
        connection.cork();
        let done = connection.read(&mut self.scratch, &mut |packet, _| {
            let at = now();
            open.client.handle_packet(packet, at);
            open.tell(user, &mut answers, at)
        });
        let at = now();
        if connection.bytes_in > before {
            open.client.handle_bytes(at);
            user.heard(open.client.clock(), at);
        }
        let told = if done.is_ok() { open.tell(user, &mut answers, at) } else { Ok(()) };
        let sent = open.transmit(connection, at);
        let answered = answers.iter().try_for_each(|answer| connection.send_control(answer));
        let closed = connection.answer_close();
        connection.uncork().and(sent).and(answered).and(told).and(closed)?;
        done
    }
}
