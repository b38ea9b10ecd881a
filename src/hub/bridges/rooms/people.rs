//! Who is in a room and how: muted, without a picture, speaking; what is said; and that somebody is to leave.

use serde_json::{Map, Value, json};

use super::{Member, Memberships, tell};
use crate::access::Grant;
use crate::hub::Shared;
use crate::hub::deliver::Command;
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::wire::avatar;
use crate::wire::control::AudioState;
use crate::wire::rooms::{chat, participant_list, relay, room_closed};

/// The room is closed.
const CLOSED: (u16, &str) = (4002, "the room is closed");
/// The host wants somebody to leave.
const REMOVED: (u16, &str) = (4003, "the host has removed you from the room");

/// What somebody in a room said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    muted: bool,
    video_off: bool,
    speaking: bool,
}

impl Presence {
    /// Of a stream that no member publishes.
    fn of_stream(audio: Option<AudioState>) -> Self {
        let muted = audio.is_none_or(|audio| audio.muted);
        Self { muted, video_off: false, speaking: !muted && audio.is_some_and(|audio| audio.speaking) }
    }

    /// Takes in what is said of it; whether the list of people is another by that.
    fn told(&mut self, object: &Map<String, Value>) -> bool {
        let before = *self;
        let is = |name: &str, was: bool| object.get(name).and_then(Value::as_bool).unwrap_or(was);
        self.muted = is("is_muted", self.muted);
        self.video_off = is("is_video_off", self.video_off);
        self.speaking = is("is_speaking", self.speaking) && !self.muted;
        (self.muted, self.video_off) != (before.muted, before.video_off)
    }
}

/// What a host does to somebody in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum HostDoes {
    /// Asks for silence.
    Mutes,
    /// Removes.
    Removes,
}

impl Shared {
    /// Who is in a room, as its clients are told: members, and the streams of the room that no member publishes.
    fn people_of(&self, room: &str, members: &[Member]) -> Value {
        let open = self.open_rooms();
        let room_is = open.get(room);
        let host = room_is.map(|room| room.host.clone());
        let awaited = room_is.filter(|room| room.awaits_host).map(|room| room.host.clone());
        drop(open);
        let person = |id: String, name: &str, stream: &str, presence: Presence| {
            let role = if host.as_deref() == Some(name) { "host" } else { "guest" };
            let Presence { muted, video_off, speaking } = presence;
            json!({
                "id": id, "name": name, "role": role, "avatar": avatar::url(name), "stream_name": stream, "is_muted": muted,
                "is_video_off": video_off, "is_speaking": speaking,
            })
        };
        let mut people: Vec<_> =
            members.iter().map(|m| person(m.id.to_string(), &m.called, &m.name, m.presence)).collect();
        // Whoever has just opened a room counts as in it, until it comes.
        if let Some(host) = awaited.filter(|host| members.iter().all(|m| m.called != *host)) {
            people.insert(0, person("host".into(), &host, &crate::names::fitting(&host), Presence::default()));
        }
        let streams = self.registry().rooms.list(&Grant::of_host(Some(room)));
        let streams = streams.into_iter().filter(|s| s.live && members.iter().all(|m| m.name != s.name));
        for stream in streams {
            let name = &stream.name;
            let presence = Presence::of_stream(stream.audio);
            people.push(person(format!("stream:{name}"), name, name, presence));
        }
        Value::Array(people)
    }

    /// Who is in a room.
    pub(in crate::hub) fn people(&self, room: &str) -> Value {
        let memberships = self.memberships();
        self.people_of(room, memberships.rooms.get(room).map_or(&[], Vec::as_slice))
    }

    /// Tells everybody in a room who is there.
    pub(super) fn tell_people(&self, room: &str, members: &[Member]) {
        if !members.is_empty() {
            tell(self, members, None, &participant_list(&self.people_of(room, members)));
        }
    }

    /// A publisher says how its sound is: its room hears whether it speaks, unless a member publishes it, who says so itself.
    pub(in crate::hub) fn sound_changed(&self, key: &StreamKey) {
        let mut memberships = self.memberships();
        let Memberships { rooms, changed, spoke, .. } = &mut *memberships;
        if rooms.get(&key.room).is_some_and(|members| members.iter().all(|m| m.name != key.name)) {
            changed.insert(key.room.clone());
            spoke.insert(key.clone());
        }
    }

    /// Tells the rooms whose people have changed since this was called last: many changes are told as one.
    pub(in crate::hub) fn tell_changed_people(&self) {
        let mut memberships = self.memberships();
        for key in std::mem::take(&mut memberships.spoke) {
            let Some(members) = memberships.rooms.get(&key.room) else { continue };
            let streams = self.registry().rooms.list(&Grant::of_host(Some(&key.room)));
            let Some(stream) = streams.into_iter().find(|stream| stream.name == key.name) else { continue };
            let speaks = Presence::of_stream(stream.audio).speaking;
            let object = Map::from_iter([("is_speaking".into(), speaks.into())]);
            tell(self, members, None, &relay("audio_activity", &key.name, object));
        }
        for room in std::mem::take(&mut memberships.changed) {
            if let Some(members) = memberships.rooms.get(&room) {
                self.tell_people(&room, members);
            }
        }
    }

    /// Somebody says how it is; all in the room hear it, who says so included.
    pub(in crate::hub) fn tell_of_member(&self, id: ConnectionId, room: &str, kind: &str, object: Map<String, Value>) {
        let mut memberships = self.memberships();
        let Memberships { rooms, changed, .. } = &mut *memberships;
        let Some(members) = rooms.get_mut(room) else { return };
        let Some(member) = members.iter_mut().find(|m| m.id == id) else { return };
        if member.presence.told(&object) {
            changed.insert(room.into());
        }
        let said = relay(kind, &member.called, object);
        tell(self, members, None, &said);
    }

    /// Somebody says something to all in a room.
    pub(in crate::hub) fn chat(&self, room: &str, user: &str, text: String, color: String) -> Value {
        let said = self.change_rooms(|open, now| open.say(room, user, text, color, now));
        self.say_in_room(room, &chat(&said.user, said.id, &said.text, &said.color, said.at));
        crate::wire::rooms::message(&said.user, said.id, &said.text, &said.color, said.at)
    }

    /// A room is closed: everybody in it is told, and leaves.
    pub(in crate::hub) fn close_room(&self, room: &str) -> bool {
        let was_open = self.change_rooms(|open, _| open.close(room));
        let memberships = self.memberships();
        let members = memberships.rooms.get(room).map_or(&[][..], Vec::as_slice);
        tell(self, members, None, &room_closed(room));
        for member in members {
            self.loop_of(member.id).command(Command::Dismiss(member.id, CLOSED.0, CLOSED.1));
        }
        was_open
    }

    /// The host does something to everybody of this name in a room; whether there was one. A stream that no member publishes is none.
    pub(in crate::hub) fn host_does(&self, room: &str, name: &str, what: HostDoes) -> bool {
        let memberships = self.memberships();
        let members = memberships.rooms.get(room).map_or(&[][..], Vec::as_slice);
        let mut found = false;
        for member in members.iter().filter(|member| member.called == name) {
            found = true;
            self.loop_of(member.id).command(match what {
                HostDoes::Mutes => Command::Text(member.id, r#"{"type":"mute"}"#.into()),
                HostDoes::Removes => Command::Dismiss(member.id, REMOVED.0, REMOVED.1),
            });
        }
        found
    }

    /// How many watch in a room.
    pub(in crate::hub) fn viewers_in(&self, room: &str) -> u32 {
        self.registry().rooms.list(&Grant::of_host(Some(room))).iter().map(|stream| stream.viewers).sum()
    }

    /// The newest picture of a room, of its host if there is one; none that is sealed, and no camera is woken for it.
    pub(in crate::hub) fn thumbnail(&self, room: &str) -> Option<std::sync::Arc<crate::frame::Picture>> {
        let host = self.open_rooms().get(room).map(|room| crate::names::fitting(&room.host));
        let registry = self.registry();
        let streams = registry.rooms.list(&Grant::of_host(Some(room))).into_iter().filter(|stream| stream.live);
        let pictures = streams.filter_map(|info| {
            let stream = registry.streams.get(&StreamKey::new(room, &info.name))?;
            let picture = stream.pictures().newest().best().cloned()?;
            let is_open = picture.codec == crate::frame::Codec::Jpeg;
            is_open.then_some((host.as_deref() == Some(&info.name), picture.captured, picture))
        });
        pictures.max_by_key(|(is_host, captured, _)| (*is_host, *captured)).map(|(.., picture)| picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_says_of_itself_is_kept_and_nothing_else_is() {
        let mut presence = Presence::default();
        let mut told = |text: &str| {
            let changes = presence.told(&serde_json::from_str(text).unwrap());
            (changes, presence.muted, presence.video_off, presence.speaking)
        };
        assert_eq!(told(r#"{"is_speaking":true}"#), (false, false, false, true));
        assert_eq!(told(r#"{"is_muted":true}"#), (true, true, false, false));
        assert_eq!(told(r#"{"is_speaking":true}"#), (false, true, false, false), "who is muted is not heard");
        assert_eq!(told(r#"{"is_muted":1,"is_video_off":true,"x":{}}"#), (true, true, true, false));
        assert_eq!(told(r#"{"is_video_off":true}"#), (false, true, true, false));
    }

    #[test]
    fn a_stream_without_sound_counts_as_muted_and_who_is_muted_does_not_speak() {
        let of = |audio| {
            let presence = Presence::of_stream(audio);
            (presence.muted, presence.speaking)
        };
        assert_eq!(of(None), (true, false));
        assert_eq!(of(Some(AudioState { muted: true, speaking: true })), (true, false));
        assert_eq!(of(Some(AudioState { muted: false, speaking: true })), (false, true));
    }
}
