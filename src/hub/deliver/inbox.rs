//! How other threads reach a delivery loop.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::{Poll, Token, Waker};

use super::claim::Asker;
use super::newcomer::Newcomer;
use crate::hub::answers::Answers;
use crate::hub::stream::{News, Stream};
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::wire::control::Control;

/// The poll's event that says only that there is something in the inbox.
pub(super) const WAKER: Token = Token(usize::MAX);

/// What other threads ask a loop to do.
pub(in crate::hub) enum Command {
    /// A connection that was admitted belongs to this loop now.
    Adopt(Box<Newcomer>),
    Tell(ConnectionId, Control),
    Close(ConnectionId, Control),
    Watch(ConnectionId, Arc<Stream>),
    /// Its memory is needed for others.
    Evict(ConnectionId),
    /// Somebody asks for the name of this publisher, which goes to who waits for it if there is no answer.
    Challenge(ConnectionId, Option<Asker>),
    /// Whether the name that this publisher waits for is free.
    Verdict(ConnectionId, bool),
    /// A text for somebody in a room.
    Text(ConnectionId, Arc<str>),
    /// Somebody is to leave a room, with this code of the WebSocket and these words.
    Dismiss(ConnectionId, u16, &'static str),
    /// Somebody in a room is to see one more stream, and whose it is, as JSON.
    See(ConnectionId, Arc<Stream>, Arc<str>),
    /// And not any more.
    SeeNoMore(ConnectionId, StreamKey),
    /// Somebody asks whether this loop is alive.
    #[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "streamflow-hub alone needs it"))]
    Answer(Answers),
    /// It hangs until somebody lets go.
    #[cfg(test)]
    Hang(crossbeam_channel::Receiver<()>),
    /// A fault, to see what becomes of it.
    #[cfg(test)]
    Panic,
}

/// What a loop has not looked at yet.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) commands: Vec<Command>,
    pub(super) fresh: Fresh,
}

/// Streams with something that a loop has not given out yet.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) pictures: Vec<Arc<Stream>>,
    pub(super) audio: Vec<Arc<Stream>>,
}

impl Fresh {
    pub(super) fn is_empty(&self) -> bool {
        self.pictures.is_empty() && self.audio.is_empty()
    }

    pub(super) fn push(&mut self, stream: Arc<Stream>, news: News) {
        match news {
            News::Picture => self.pictures.push(stream),
            News::Audio => self.audio.push(stream),
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.pictures.extend(more.pictures);
        self.audio.extend(more.audio);
    }
}

/// How other threads reach a loop.
pub(in crate::hub) struct Handle {
    waker: Waker,
    inbox: Mutex<Inbox>,
    pub(in crate::hub) connections: AtomicUsize,
}

impl Handle {
    pub(in crate::hub) fn new() -> io::Result<(Poll, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok((poll, Self { waker, inbox: Mutex::default(), connections: AtomicUsize::new(0) }))
    }

    /// What came since the last time, for the loop itself.
    pub(super) fn take(&self) -> Inbox {
        std::mem::take(&mut *self.inbox())
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::hub) fn wake(&self) {
        // It fails only when the poll is gone, and then nobody waits for it.
        let _ = self.waker.wake();
    }

    pub(in crate::hub) fn command(&self, command: Command) {
        let mut inbox = self.inbox();
        if let Command::Adopt(_) = command {
            self.connections.fetch_add(1, Ordering::Relaxed);
        }
        inbox.commands.push(command);
        drop(inbox);
        self.wake();
    }

    /// The loop has lost all that it had: only who waits to be adopted is left, here and so many that it has taken out.
    pub(super) fn count_anew(&self, taken: usize) {
        let inbox = self.inbox();
        let waiting = inbox.commands.iter().filter(|command| matches!(command, Command::Adopt(_))).count();
        self.connections.store(waiting + taken, Ordering::Relaxed);
    }

    /// When the loop is gone: lets go whoever was admitted meanwhile.
    pub(in crate::hub) fn clear(&self) {
        drop(self.take());
    }

    pub(in crate::hub) fn news(&self, stream: Arc<Stream>, news: News) {
        self.inbox().fresh.push(stream, news);
        self.wake();
    }
}
