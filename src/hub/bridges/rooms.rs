//! Rooms: WebSocket `/ws/{room_id}/{user_name}`. Who is in a room hears and sees all others in it, over one connection:
//! each sees the streams of the room, beside the one that it publishes itself.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};

use serde_json::json;

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

/// Who is in which room.
#[derive(Default)]
pub(in crate::hub) struct Memberships(HashMap<String, Vec<Member>>);

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
            let member = memberships.0.get(&key.room)?.iter().find(|m| m.name == key.name)?;
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
        let members = memberships.0.entry(key.room.clone()).or_default();
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
                memberships.0.remove(&key.room);
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
        };
        members.push(member);
        let users: Vec<_> = members.iter().map(|m| (m.id, m.called.as_str())).collect();
        self.loop_of(id).command(Command::Text(id, user_list(&users).into()));
        tell(self, members, Some(id), &user("user_joined", id, called));
        let listed = self.registry().rooms.list(&grant.list());
        for stream in listed.into_iter().map(|s| StreamKey::new(s.room, s.name)) {
            if !self.is_free(&stream) {
                self.show(members, &stream);
            }
        }
        Ok(())
    }

    /// Somebody left, or was thrown out.
    pub(in crate::hub) fn leave_room(&self, id: ConnectionId, room: &str) {
        let mut memberships = self.memberships();
        let Some(members) = memberships.0.get_mut(room) else { return };
        if let Some(at) = members.iter().position(|m| m.id == id) {
            let member = members.remove(at);
            tell(self, members, None, &user("user_left", id, &member.called));
        }
        if members.is_empty() {
            memberships.0.remove(room);
        }
    }

    /// Passes a message on to everybody in the room, or to all but one.
    pub(in crate::hub) fn say_in_room(&self, room: &str, but: Option<ConnectionId>, text: &str) {
        if let Some(members) = self.memberships().0.get(room) {
            tell(self, members, but, text);
        }
    }

    /// A stream is published: whoever is in its room sees it.
    pub(in crate::hub) fn show_in_room(&self, key: &StreamKey) {
        if let Some(members) = self.memberships().0.get_mut(&key.room) {
            self.show(members, key);
        }
    }

    /// A stream is no longer published: nobody in its room waits for it. If somebody else publishes it by now, they see it.
    pub(in crate::hub) fn hide_in_room(&self, key: &StreamKey) {
        let mut memberships = self.memberships();
        if !self.is_free(key) {
            return;
        }
        for member in memberships.0.get_mut(&key.room).into_iter().flatten() {
            member.unseen.remove(&key.name);
            if member.sees.remove(&key.name).is_some() {
                self.hide_from(member.id, key);
            }
        }
    }

    /// Tries again to show what was not shown for want of a place, to the members of one loop. A place may become free anywhere,
    /// so it is looked for by the clock; a member that gets none is asked for once.
    pub(in crate::hub) fn show_what_was_left_out(&self, index: usize) {
        for (room, members) in &mut self.memberships().0 {
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
    fn show(&self, members: &mut [Member], key: &StreamKey) {
        let opening = opening(members, key);
        for member in members.iter_mut().filter(|m| m.name != key.name && !m.sees.contains_key(&key.name)) {
            self.show_to(member, key, &opening);
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
