//! Rooms: WebSocket `/ws/{room_id}/{user_name}`. Who is in a room hears and sees all others in it, over one connection:
//! each sees the streams of the room, beside the one that it publishes itself.

mod feeds;
mod people;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};

use serde_json::json;

pub(in crate::hub) use self::feeds::Feed;
pub(in crate::hub) use self::people::HostDoes;
use self::people::Presence;
use crate::access::{Grant, Join};
use crate::hub::Shared;
use crate::hub::address_limits::Place;
use crate::hub::deliver::{Command, Purpose};
use crate::hub::http::{Exchange, Outcome, Reply, WebSocket};
use crate::names::StreamKey;
use crate::names::{MAX_NAME, fitting};
use crate::net::connection::Framing;
use crate::net::layout::Dialect;
use crate::relay::ConnectionId;
use crate::time::now;
use crate::wire::rooms::{user, user_list};
use crate::wire::websocket::{self, End};

/// People in a room at most: each sees all others, so the work grows with the square.
const MAX_MEMBERS: usize = 32;

/// Why whoever has the name of somebody who comes in leaves.
const CAME_BACK: &str = "somebody of the same name came in";

/// Who is in which room, and what is watched beside.
#[derive(Default)]
pub(in crate::hub) struct Memberships {
    rooms: HashMap<String, Vec<Member>>,
    feeds: feeds::Feeds,
    /// Rooms whose people are to be told anew, when the clock comes round.
    changed: BTreeSet<String>,
    /// Streams of which their rooms are to hear whether they speak.
    spoke: BTreeSet<StreamKey>,
}

struct Member {
    id: ConnectionId,
    called: String,
    /// The name of the stream that it publishes, if it does.
    name: String,
    grant: Grant<Join>,
    ip: IpAddr,
    /// What it sees: the stream's name, and its place among those of the address, for it costs what it costs for one viewer.
    sees: HashMap<String, Place>,
    /// Names of the streams that are published and that it does not see for want of a place.
    unseen: BTreeSet<String>,
    presence: Presence,
    /// Whether its client wants pictures; `None`: it has not said, as clients of before.
    takes: Option<bool>,
}

/// WebSocket `/ws/{room_id}/{user_name}`.
pub(in crate::hub) fn member(exchange: &Exchange<'_>, room: &str, called: &str) -> Outcome {
    if room.len().max(called.len()) > MAX_NAME || called.trim().is_empty() {
        let close = websocket::close(End::Server, 1008, "a room and a user have names of 200 bytes at most");
        return Reply::open(exchange, WebSocket::Close(close));
    }
    let max_picture = exchange.shared.config.max_picture;
    let reader = websocket::Reader::new(End::Server, max_picture, max_picture / 3 * 4 + 4096);
    let framing = Framing::Bridge(Box::new(reader), Dialect::Room { opening: "".into(), binary: false });
    let key = StreamKey::new(fitting(room), fitting(called));
    let purpose =
        Purpose::Join { grant: exchange.shared.access.join(&exchange.credentials(), key)?, called: called.into() };
    Reply::open(exchange, WebSocket::Admit(exchange.admit(framing, purpose, None)))
}

impl Shared {
    fn memberships(&self) -> MutexGuard<'_, Memberships> {
        self.memberships.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name that whoever publishes a stream gave, where that is no name of ours.
    pub(in crate::hub) fn called(&self, key: &StreamKey) -> Option<String> {
        self.called_by_poster(key).or_else(|| {
            let memberships = self.memberships();
            let member = memberships.rooms.get(&key.room)?.iter().find(|m| m.name == key.name)?;
            (member.called != key.name).then(|| member.called.clone())
        })
    }

    /// Somebody comes into a room. Whoever has the name there already gives way: it is the same person, come back.
    pub(in crate::hub) fn join_room(
        &self,
        id: ConnectionId,
        grant: &Grant<Join>,
        called: &str,
        ip: IpAddr,
    ) -> Result<(), String> {
        let key = &grant.0;
        let mut memberships = self.memberships();
        let Memberships { rooms, feeds, changed, .. } = &mut *memberships;
        let members = rooms.entry(key.room.clone()).or_default();
        if let Some(old) = members.iter().position(|m| m.name == key.name) {
            // Loops come to it in any order; whoever was admitted later is the one who has come back.
            if members[old].id > id {
                return Err(CAME_BACK.into());
            }
            let old = members.remove(old);
            for name in old.sees.keys() {
                self.hide_from(old.id, &StreamKey::new(&key.room, name));
            }
            let reason = CAME_BACK.into();
            let bye = crate::wire::control::Control::Bye { cause: crate::wire::control::Cause::Replaced, reason };
            let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.leave(old.id, "publisher gone", now())));
            self.loop_of(old.id).command(Command::Close(old.id, bye));
            tell(self, members, None, &user("user_left", old.id, &old.called));
        }
        // Only now: in a hub that is full its own place has just become free.
        if let Err(refusal) = self.registry().rooms.join(id, grant) {
            if members.is_empty() {
                rooms.remove(&key.room);
            }
            return Err(refusal.to_string());
        }
        if members.len() >= MAX_MEMBERS {
            return Err(format!("a room takes {MAX_MEMBERS} people"));
        }
        let member = Member {
            id,
            called: called.into(),
            name: key.name.clone(),
            grant: grant.clone(),
            ip,
            sees: HashMap::new(),
            unseen: BTreeSet::new(),
            presence: Presence::default(),
            takes: None,
        };
        members.push(member);
        let users: Vec<_> = members.iter().map(|m| (m.id, m.called.as_str())).collect();
        self.loop_of(id).command(Command::Text(id, user_list(&users).into()));
        tell(self, members, Some(id), &user("user_joined", id, called));
        self.change_rooms(|open, now| open.enters(&key.room, called, now));
        self.tell_people(&key.room, members);
        changed.remove(&key.room);
        self.show_all(&key.room, members, feeds);
        Ok(())
    }

    /// Somebody left, or was thrown out.
    pub(in crate::hub) fn leave_room(&self, id: ConnectionId, room: &str) {
        let mut memberships = self.memberships();
        let Some(members) = memberships.rooms.get_mut(room) else { return };
        if let Some(at) = members.iter().position(|m| m.id == id) {
            let member = members.remove(at);
            tell(self, members, None, &user("user_left", id, &member.called));
            self.tell_people(room, members);
            self.change_rooms(|open, now| open.uses(room, now));
        }
        if members.is_empty() {
            memberships.rooms.remove(room);
        }
    }

    /// Passes a message on to everybody in the room.
    fn say_in_room(&self, room: &str, text: &str) {
        if let Some(members) = self.memberships().rooms.get(room) {
            tell(self, members, None, text);
        }
    }

    /// A stream is published: whoever is in its room sees it.
    pub(in crate::hub) fn show_in_room(&self, key: &StreamKey) {
        let mut memberships = self.memberships();
        let Memberships { rooms, feeds, changed, .. } = &mut *memberships;
        if let Some(members) = rooms.get_mut(&key.room) {
            changed.insert(key.room.clone());
            self.show(members, feeds, key);
        }
    }

    /// A stream is no longer published: nobody in its room waits for it. If somebody else publishes it by now, they see it.
    pub(in crate::hub) fn hide_in_room(&self, key: &StreamKey) {
        let mut memberships = self.memberships();
        if !self.is_free(key) {
            return;
        }
        let Memberships { rooms, changed, .. } = &mut *memberships;
        if rooms.contains_key(&key.room) {
            changed.insert(key.room.clone());
        }
        for member in rooms.get_mut(&key.room).into_iter().flatten() {
            member.unseen.remove(&key.name);
            if member.sees.remove(&key.name).is_some() {
                self.hide_from(member.id, key);
            }
        }
    }

    /// Tries again to show what was not shown for want of a place, to the members of one loop. A place may become free anywhere,
    /// so it is looked for by the clock; a member that gets none is asked for once.
    pub(in crate::hub) fn show_what_was_left_out(&self, index: usize) {
        for (room, members) in &mut self.memberships().rooms {
            for at in 0..members.len() {
                if self.index_of(members[at].id) != index {
                    continue;
                }
                while let Some(name) = members[at].unseen.first() {
                    let key = StreamKey::new(room, name);
                    let opening = opening(members, &key);
                    if !self.show_to(&mut members[at], &key, &opening) {
                        break;
                    }
                }
            }
        }
    }

    /// Shows every member a stream that is not its own and that it does not see yet.
    fn show(&self, members: &mut [Member], feeds: &feeds::Feeds, key: &StreamKey) {
        let opening = opening(members, key);
        let wants = |m: &Member| m.takes.unwrap_or_else(|| !feeds.has(key, m.ip));
        for member in members.iter_mut().filter(|m| m.name != key.name && !m.sees.contains_key(&key.name) && wants(m)) {
            self.show_to(member, key, &opening);
        }
    }

    /// Shows every member all streams of the room that it is to see and does not yet.
    fn show_all(&self, room: &str, members: &mut [Member], feeds: &feeds::Feeds) {
        let listed = self.registry().rooms.list(&Grant::of_host(Some(room)));
        for stream in listed.into_iter().map(|s| StreamKey::new(s.room, s.name)) {
            if !self.is_free(&stream) {
                self.show(members, feeds, &stream);
            }
        }
    }

    /// The client of a member wants pictures, or none.
    pub(in crate::hub) fn member_takes(&self, id: ConnectionId, room: &str, pictures: bool) {
        let mut memberships = self.memberships();
        let Memberships { rooms, feeds, .. } = &mut *memberships;
        let Some(members) = rooms.get_mut(room) else { return };
        let Some(member) = members.iter_mut().find(|m| m.id == id) else { return };
        member.takes = Some(pictures);
        if pictures {
            self.show_all(room, members, feeds);
            return;
        }
        member.unseen.clear();
        for name in std::mem::take(&mut member.sees).into_keys() {
            self.hide_from(id, &StreamKey::new(room, name));
        }
    }

    /// Shows a member a stream, or notes that there is no place for it: a hub that is full shows less, and so does one to an
    /// address that has its share.
    fn show_to(&self, member: &mut Member, key: &StreamKey, opening: &Arc<str>) -> bool {
        let grant = member.grant.watch(&key.name);
        let place = self.addresses.place(member.ip);
        let place = place.filter(|_| self.decide(|rooms| rooms.see(member.id, &grant, now())).is_ok());
        // It was made when it was published, and is gone if nobody does any more.
        let stream = self.registry().streams.get(key).cloned();
        let (Some(place), Some(stream)) = (place, stream) else {
            let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.see_no_more(member.id, key)));
            member.unseen.insert(key.name.clone());
            return false;
        };
        self.loop_of(member.id).command(Command::See(member.id, stream, opening.clone()));
        member.unseen.remove(&key.name);
        member.sees.insert(key.name.clone(), place);
        true
    }

    /// A member sees a stream no more.
    fn hide_from(&self, member: ConnectionId, key: &StreamKey) {
        self.loop_of(member).command(Command::SeeNoMore(member, key.clone()));
        let Ok(()) = self.decide(|rooms| Ok::<_, Infallible>(rooms.see_no_more(member, key)));
    }
}

/// Whose a stream is, as JSON.
fn opening(members: &[Member], key: &StreamKey) -> Arc<str> {
    let called = members.iter().find(|m| m.name == key.name).map_or(&key.name, |m| &m.called);
    json!(called).to_string().into()
}

fn tell(shared: &Shared, members: &[Member], but: Option<ConnectionId>, text: &str) {
    let text: Arc<str> = text.into();
    for member in members.iter().filter(|m| Some(m.id) != but) {
        shared.loop_of(member.id).command(Command::Text(member.id, text.clone()));
    }
}
