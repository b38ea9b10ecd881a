//! Rooms that somebody opened: their titles, who hosts them, and what was said there. A rule, without a clock or a disk: what
//! changes is told, for whoever keeps it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Rooms at most. Where there are more, the one that nobody has used for longest is closed, if that is an hour or more.
const MOST_ROOMS: usize = 1024;
/// A room that nobody was in for so long, and where nobody said anything, may be closed for another one.
const UNUSED: Duration = Duration::from_secs(3600);
/// A room that nobody has used for so long is closed.
const FORGOTTEN: Duration = Duration::from_secs(90 * DAY);
/// Whoever has opened a room counts as in it for so long, if it does not come.
const COMES: Duration = Duration::from_secs(60);
/// Messages of a room that are kept, at most.
const MOST_MESSAGES: usize = 500;
/// Bytes of the messages of all rooms, at most; beyond that the oldest one of the room with most goes.
const MOST_BYTES: usize = 16 << 20;
/// Messages of a room in a second that come without a connection, at most; those of a connection have a limit of their own.
const MOST_A_SECOND: usize = 30;
/// How long a message is kept.
const KEPT: Duration = Duration::from_secs(30 * DAY);
const DAY: u64 = 24 * 3600;
/// The longest title, in characters.
pub(crate) const MAX_TITLE: usize = 120;

/// A room that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenRoom {
    /// Its number among all rooms that there ever were.
    pub(crate) number: u64,
    /// Its name in paths: eight hexadecimal digits.
    pub(crate) id: String,
    pub(crate) title: String,
    /// How the host is called.
    pub(crate) host: String,
    /// SHA-256 of what lets the host close it, mute and remove.
    pub(crate) token: [u8; 32],
    /// When it was used last, since 1970.
    pub(crate) used: Duration,
    pub(crate) messages: VecDeque<Message>,
    /// It has just been opened, and whoever did so has not come yet.
    pub(crate) awaits_host: bool,
}

impl OpenRoom {
    /// The room without what was said, which may be long.
    pub(crate) fn head(&self) -> Self {
        let Self { number, token, used, awaits_host, .. } = *self;
        let (id, title, host) = (self.id.clone(), self.title.clone(), self.host.clone());
        Self { number, id, title, host, token, used, messages: VecDeque::new(), awaits_host }
    }
}

/// Something said in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its number among all that was ever said on this hub.
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) text: String,
    pub(crate) color: String,
    /// When, since 1970.
    pub(crate) at: Duration,
}

impl Message {
    fn bytes(&self) -> usize {
        self.user.len() + self.text.len() + self.color.len() + size_of::<Self>()
    }
}

/// What is to be kept of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A room was opened.
    Opened(Box<OpenRoom>),
    /// A room was used.
    Used(String, Duration),
    /// A room is closed, and what was said there is gone.
    Closed(String),
    /// Something was said in the room of this name.
    Said(String, Message),
    /// Of the room of this name no message up to this number is kept.
    Dropped(String, u64),
}

/// Why a room is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("a room has a title")]
    NoTitle,
    #[error("there are {MOST_ROOMS} rooms, and all are in use")]
    Full,
}

/// All rooms that were opened and not closed.
#[derive(Debug)]
pub(crate) struct OpenRooms {
    rooms: HashMap<String, OpenRoom>,
    next_room: u64,
    next_message: u64,
    bytes: usize,
    changes: Vec<Change>,
}

impl Default for OpenRooms {
    fn default() -> Self {
        Self { rooms: HashMap::new(), next_room: 1, next_message: 1, bytes: 0, changes: Vec::new() }
    }
}

impl OpenRooms {
    /// Those that were kept. What is over a limit by now is dropped.
    pub(crate) fn restore(rooms: impl IntoIterator<Item = OpenRoom>, now: Duration) -> Self {
        let mut this = Self::default();
        for room in rooms {
            this.next_room = this.next_room.max(room.number + 1);
            this.next_message = room.messages.iter().map(|m| m.id + 1).fold(this.next_message, u64::max);
            this.bytes += room.messages.iter().map(Message::bytes).sum::<usize>();
            this.rooms.insert(room.id.clone(), room);
        }
        this.sweep(now);
        this
    }

    /// Opens a room under a free name. `token`: SHA-256 of what its host shows.
    ///
    /// # Errors
    /// It has no title, or there are too many.
    pub(crate) fn open(
        &mut self,
        id: String,
        title: &str,
        host: &str,
        token: [u8; 32],
        now: Duration,
    ) -> Result<&OpenRoom, NotOpened> {
        let title: String = title.trim().chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect();
        if title.is_empty() {
            return Err(NotOpened::NoTitle);
        }
        if self.rooms.len() >= MOST_ROOMS {
            let oldest = self.rooms.values().min_by_key(|room| room.used);
            let unused = oldest.filter(|room| now.saturating_sub(room.used) >= UNUSED).map(|room| room.id.clone());
            self.close(&unused.ok_or(NotOpened::Full)?);
        }
        let number = self.next_room;
        self.next_room += 1;
        let host = host.to_owned();
        let room = OpenRoom {
            number,
            id: id.clone(),
            title,
            host,
            token,
            used: now,
            messages: VecDeque::new(),
            awaits_host: true,
        };
        self.changes.push(Change::Opened(Box::new(room.clone())));
        Ok(self.rooms.entry(id).insert_entry(room).into_mut())
    }

    /// Closes a room; whether there was one.
    pub(crate) fn close(&mut self, id: &str) -> bool {
        let Some(room) = self.rooms.remove(id) else { return false };
        self.bytes -= room.messages.iter().map(Message::bytes).sum::<usize>();
        self.changes.push(Change::Closed(room.id));
        true
    }

    /// Somebody comes in.
    pub(crate) fn enters(&mut self, id: &str, name: &str, now: Duration) {
        if let Some(room) = self.rooms.get_mut(id).filter(|room| room.host == name) {
            room.awaits_host = false;
        }
        self.uses(id, now);
    }

    /// Somebody came in or went.
    pub(crate) fn uses(&mut self, id: &str, now: Duration) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        // A disk is not written to for each reload of a page.
        if now.saturating_sub(room.used) >= Duration::from_secs(60) {
            self.changes.push(Change::Used(id.into(), now));
        }
        room.used = now;
    }

    /// Somebody says something: its message, which is kept where the room was opened.
    pub(crate) fn say(&mut self, id: &str, user: &str, text: String, color: String, now: Duration) -> Message {
        let message = Message { id: self.next_message, user: user.into(), text, color, at: now };
        self.next_message += 1;
        if let Some(room) = self.rooms.get_mut(id) {
            room.used = now;
            room.messages.push_back(message.clone());
            self.bytes += message.bytes();
            self.changes.push(Change::Said(id.into(), message.clone()));
            if room.messages.len() > MOST_MESSAGES {
                self.drop_oldest(id);
            }
            while self.bytes > MOST_BYTES {
                let longest = self.rooms.values().max_by_key(|r| r.messages.iter().map(Message::bytes).sum::<usize>());
                let Some(longest) = longest.map(|room| room.id.clone()) else { break };
                self.drop_oldest(&longest);
            }
        }
        message
    }

    /// Whether so much was said in a room within the last second that nobody can read it.
    pub(crate) fn is_flooded(&self, id: &str, now: Duration) -> bool {
        let lately = |message: &&Message| now.saturating_sub(message.at) < Duration::from_secs(1);
        self.rooms.get(id).is_some_and(|room| room.messages.iter().rev().take_while(lately).count() >= MOST_A_SECOND)
    }

    fn drop_oldest(&mut self, id: &str) {
        let Some(message) = self.rooms.get_mut(id).and_then(|room| room.messages.pop_front()) else { return };
        self.bytes -= message.bytes();
        self.changes.push(Change::Dropped(id.into(), message.id));
    }

    /// Drops what was kept long enough. To be called now and then.
    pub(crate) fn sweep(&mut self, now: Duration) {
        let forgotten = self.rooms.values().filter(|room| now.saturating_sub(room.used) >= FORGOTTEN);
        for id in forgotten.map(|room| room.id.clone()).collect::<Vec<_>>() {
            self.close(&id);
        }
        let waited = self.rooms.values_mut().filter(|room| now.saturating_sub(room.used) >= COMES);
        waited.for_each(|room| room.awaits_host = false);
        let is_old = |message: &Message| now.saturating_sub(message.at) >= KEPT;
        let old = self.rooms.values().filter(|room| room.messages.front().is_some_and(is_old));
        for id in old.map(|room| room.id.clone()).collect::<Vec<_>>() {
            while self.rooms.get(&id).and_then(|room| room.messages.front()).is_some_and(is_old) {
                self.drop_oldest(&id);
            }
        }
    }

    /// A room that was opened.
    pub(crate) fn get(&self, id: &str) -> Option<&OpenRoom> {
        self.rooms.get(id)
    }

    /// All of them, in the order in which they were opened.
    pub(crate) fn all(&self) -> Vec<&OpenRoom> {
        let mut all: Vec<_> = self.rooms.values().collect();
        all.sort_unstable_by_key(|room| room.number);
        all
    }

    /// What is to be kept of what happened since this was asked last.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_800_000_000 + seconds)
    }

    fn said(rooms: &OpenRooms, id: &str) -> Vec<u64> {
        rooms.get(id).unwrap().messages.iter().map(|m| m.id).collect()
    }

    #[test]
    fn a_room_has_a_number_and_a_title_until_it_is_closed() {
        let mut rooms = OpenRooms::default();
        assert_eq!(rooms.open("a".into(), " \u{7} ", "ann", [0; 32], at(0)).err(), Some(NotOpened::NoTitle));
        let long = "é".repeat(500);
        let room = rooms.open("a".into(), &long, "ann", [1; 32], at(0)).unwrap();
        assert_eq!((room.number, room.title.chars().count(), room.host.as_str()), (1, MAX_TITLE, "ann"));
        rooms.open("b".into(), "two", "bob", [2; 32], at(1)).unwrap();
        assert_eq!(rooms.all().iter().map(|room| room.number).collect::<Vec<_>>(), [1, 2]);
        assert!(rooms.close("a") && !rooms.close("a") && rooms.get("a").is_none());
        assert!(matches!(rooms.take_changes()[..], [Change::Opened(_), Change::Opened(_), Change::Closed(_)]));
        assert!(rooms.take_changes().is_empty());
    }

    #[test]
    fn messages_are_numbered_and_kept_by_count_age_and_bytes() {
        let mut rooms = OpenRooms::default();
        rooms.open("a".into(), "one", "ann", [0; 32], at(0)).unwrap();
        for n in 0..MOST_MESSAGES as u64 + 3 {
            assert_eq!(rooms.say("a", "ann", "x".into(), String::new(), at(n)).id, n + 1);
        }
        assert_eq!((said(&rooms, "a").len(), said(&rooms, "a")[0]), (MOST_MESSAGES, 4));
        assert!(!rooms.is_flooded("a", at(600)) && !rooms.is_flooded("x", at(0)));
        // What is said in a room that nobody opened has a number as well.
        assert_eq!(rooms.say("x", "ann", "x".into(), String::new(), at(0)).id, MOST_MESSAGES as u64 + 4);
        rooms.sweep(at(0) + KEPT + Duration::from_secs(100));
        assert_eq!(said(&rooms, "a")[0], 102, "those of the first hundred seconds are too old");
        rooms.sweep(at(5000) + KEPT);
        assert!(said(&rooms, "a").is_empty() && rooms.bytes == 0);
        rooms.open("b".into(), "two", "bob", [0; 32], at(0)).unwrap();
        for n in 0..300 {
            rooms.say(if n % 3 == 0 { "b" } else { "a" }, "ann", "y".repeat(100_000), String::new(), at(n));
        }
        assert!(rooms.bytes <= MOST_BYTES && said(&rooms, "a").len().abs_diff(said(&rooms, "b").len()) <= 1);
    }

    #[test]
    fn a_room_in_which_thirty_messages_were_said_within_a_second_is_flooded_for_that_second() {
        let mut rooms = OpenRooms::default();
        rooms.open("a".into(), "one", "ann", [0; 32], at(0)).unwrap();
        for n in 0..MOST_A_SECOND {
            assert!(!rooms.is_flooded("a", at(10)), "{n}");
            rooms.say("a", "ann", "x".into(), String::new(), at(10));
        }
        assert!(rooms.is_flooded("a", at(10)) && !rooms.is_flooded("a", at(11)));
    }

    #[test]
    fn rooms_are_bounded_and_the_one_that_nobody_uses_gives_way() {
        let mut rooms = OpenRooms::default();
        for n in 0..MOST_ROOMS {
            rooms.open(n.to_string(), "room", "ann", [0; 32], at(n as u64)).unwrap();
        }
        let next = |rooms: &mut OpenRooms, now| rooms.open("next".into(), "room", "ann", [0; 32], now).map(|_| ());
        assert_eq!(next(&mut rooms, at(3000)), Err(NotOpened::Full));
        rooms.uses("0", at(3000));
        assert_eq!(next(&mut rooms, at(3700)), Ok(()));
        assert!(rooms.get("0").is_some() && rooms.get("1").is_none() && rooms.all().len() == MOST_ROOMS);
        rooms.sweep(at(3000) + FORGOTTEN);
        assert_eq!(rooms.all().len(), 1, "nobody came for three months");
    }

    #[test]
    fn what_was_kept_is_there_again_with_the_numbers_going_on() {
        let mut rooms = OpenRooms::default();
        rooms.open("a".into(), "one", "ann", [3; 32], at(0)).unwrap();
        rooms.say("a", "ann", "hello".into(), "red".into(), at(1));
        rooms.enters("a", "ann", at(1));
        let kept = rooms.get("a").unwrap().clone();
        assert!(!kept.awaits_host);
        let mut again = OpenRooms::restore([kept.clone()], at(2));
        assert_eq!(again.get("a"), Some(&kept));
        assert_eq!(again.say("a", "bob", "hi".into(), String::new(), at(3)).id, 2);
        assert_eq!(again.open("b".into(), "two", "bob", [0; 32], at(3)).unwrap().number, 2);
    }
}
