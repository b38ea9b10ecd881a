//! Somebody in a room: one connection that publishes one stream and sees several.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::peer::{Peer, Role, Turn, in_hub, is_news, skipped};
use super::reading::Reading;
use crate::access::{Grant, Join};
use crate::frame::Picture;
use crate::hub::numbers::{Metrics, ViewerNumbers};
use crate::hub::silence::Gives;
use crate::hub::stream::{Newest, Stream};
use crate::net::connection::Broken;
use crate::net::layout::{Dialect, unix_time};
use crate::room::ConnectionId;
use crate::time::{Micros, now};
use crate::wire::encoding::decode_base64;
use crate::wire::jpeg;
use crate::wire::packet::Packet;
use crate::wire::rooms::{self, RoomMessage};

/// Messages to others in a second at most; more are dropped.
const MOST_SAID: u32 = 30;

/// What makes a member.
pub(super) struct Member {
    pub(super) grant: Grant<Join>,
    called: String,
    binary: bool,
    publishes: Option<Arc<Stream>>,
    views: Vec<View>,
    /// Which view is served first, so that none is always last.
    turn: usize,
    sequence: u32,
    said: (Micros, u32),
    messages: u64,
    /// How often the client is asked in its own words whether it is there.
    ping_every: Duration,
    next_ping: Micros,
    /// Until when its credit says no.
    pub(super) paced: Option<Micros>,
}

struct View {
    id: ConnectionId,
    /// Whose it is, as JSON.
    opening: Arc<str>,
    stream: Option<Arc<Stream>>,
    given: Option<u32>,
    metrics: Metrics,
    numbers: Arc<ViewerNumbers>,
}

impl Member {
    pub(super) fn new(grant: Grant<Join>, called: String, ping_every: Duration, now: Micros) -> Self {
        Self {
            grant,
            called,
            binary: false,
            publishes: None,
            views: Vec::new(),
            turn: 0,
            sequence: 0,
            said: (now, 0),
            messages: 0,
            ping_every,
            next_ping: now + ping_every,
            paced: None,
        }
    }

    /// The stream that it publishes, if it does.
    pub(super) fn publishes(&self) -> Option<&Arc<Stream>> {
        self.publishes.as_ref()
    }

    pub(super) fn add_view(&mut self, id: ConnectionId, opening: Arc<str>, address: SocketAddr, now: Micros) {
        let numbers = Arc::new(ViewerNumbers::new(address, "room", now));
        self.views.push(View { id, opening, stream: None, given: None, metrics: Metrics::default(), numbers });
    }

    /// Ends a view, and says which stream it was of.
    pub(super) fn remove_view(&mut self, id: ConnectionId) -> Option<Arc<Stream>> {
        let at = self.views.iter().position(|v| v.id == id)?;
        let view = self.views.remove(at);
        view.stream.inspect(|stream| stream.numbers.leave(&view.numbers))
    }

    /// A view shows this stream now.
    pub(super) fn watch(&mut self, id: ConnectionId, stream: &Arc<Stream>) {
        if let Some(view) = self.views.iter_mut().find(|v| v.id == id) {
            if let Some(before) = &view.stream {
                before.numbers.leave(&view.numbers);
            }
            stream.numbers.join(view.numbers.clone());
            view.stream = Some(stream.clone());
        }
    }

    /// All that it sees, beginning with whose turn it is.
    pub(super) fn seen(&mut self) -> Vec<Arc<Stream>> {
        self.turn = (self.turn + 1) % self.views.len().max(1);
        let (before, from) = self.views.split_at(self.turn.min(self.views.len()));
        from.iter().chain(before).filter_map(|v| v.stream.clone()).collect()
    }

    /// The views' identities.
    pub(super) fn view_ids(&self) -> Vec<ConnectionId> {
        self.views.iter().map(|v| v.id).collect()
    }

    /// Works out what is counted by the second.
    pub(super) fn tick(&self, now: Micros) {
        self.views.iter().for_each(|view| view.numbers.tick(&view.metrics, now));
    }

    /// What is to be said in the client's own words.
    pub(super) fn due(&mut self, now: Micros) -> bool {
        let due = now >= self.next_ping;
        if due {
            self.next_ping = now + self.ping_every;
        }
        due
    }

    /// Whether it may say one more thing to the others now.
    fn may_speak(&mut self, now: Micros) -> bool {
        if now.since(self.said.0) >= Duration::from_secs(1) {
            self.said = (now, 0);
        }
        self.said.1 += 1;
        self.said.1 <= MOST_SAID
    }
}

impl Peer {
    /// Gives a member the newest picture of one of the streams that it sees, if it can take one now.
    pub(super) fn offer_view(
        &mut self,
        stream: u64,
        newest: &Newest,
        turn: &mut Turn,
        now: Micros,
    ) -> Result<(), Broken> {
        let wants = self.wants_picture();
        let need = self.need;
        let Role::Member(member) = &self.role else { return Ok(()) };
        let mine = |v: &View| v.stream.as_ref().is_some_and(|s| s.id == stream);
        let (Some(at), Some(picture)) = (member.views.iter().position(mine), newest.choose(need)) else {
            return Ok(());
        };
        if !wants || !is_news(member.views[at].given, picture) {
            return Ok(());
        }
        let paced = self.ask_pacer(now, newest.interval);
        let Role::Member(member) = &mut self.role else { return Ok(()) };
        member.paced = paced;
        if member.paced.is_some() {
            return Ok(());
        }
        let view = &mut member.views[at];
        let skipped = view.given.map_or(0, |given| skipped(given, picture));
        view.given = Some(picture.sequence);
        turn.tally.sent(&mut view.metrics, picture, skipped, now);
        self.connection.speak(Dialect::Room { opening: view.opening.clone(), binary: member.binary });
        let bytes = self.connection.length_of(picture);
        self.pacer.given(picture.sequence, bytes, now);
        self.connection.send_picture(picture, Some(&mut turn.pages), in_hub(picture, now))?;
        self.note_sent(picture, now);
        Ok(())
    }

    /// What a member said.
    pub(super) fn member_said(
        &mut self,
        packet: Packet,
        began: Micros,
        reading: &mut Reading<'_>,
        pinged: &mut bool,
    ) -> Result<(), Broken> {
        let (shared, at) = (reading.shared, reading.at);
        let id = self.id;
        let Role::Member(member) = &mut self.role else { return Ok(()) };
        let mut data = match packet {
            Packet::Picture(picture) => picture.data,
            Packet::Bare(data) => data,
            Packet::Control(_) | Packet::UnknownKind(_) => return Ok(()),
            Packet::UnknownCodec { codec, .. } => {
                return self.complain(&format!("codec {codec} is unknown to this hub"));
            }
            Packet::Text(text) => match rooms::read(&text) {
                Ok(RoomMessage::VideoFrame(data)) => match decode_base64(&data) {
                    Some(bytes) => bytes.into(),
                    None => return self.complain("data is not base64"),
                },
                Ok(RoomMessage::Chat { text, color }) if member.may_speak(at) => {
                    member.messages += 1;
                    let message = id << 16 | member.messages & 0xffff;
                    let said = rooms::chat(&member.called, message, &text, &color, unix_time());
                    shared.crowd_say(&member.grant.0.room, None, &said);
                    return Ok(());
                }
                Ok(RoomMessage::Relay(kind, object)) if member.may_speak(at) => {
                    let said = rooms::relay(kind, &member.called, object);
                    shared.crowd_say(&member.grant.0.room, Some(id), &said);
                    return Ok(());
                }
                Ok(RoomMessage::Hello { binary }) => {
                    member.binary = binary;
                    let answer = format!(r#"{{"type":"hello","binary":{binary}}}"#);
                    return self.connection.send_text(&answer);
                }
                Ok(RoomMessage::Ping) => {
                    *pinged = true;
                    return Ok(());
                }
                Ok(_) => return Ok(()),
                Err(why) => return self.complain(&why),
            },
        };
        let mut tidy = Vec::with_capacity(data.len());
        match jpeg::tidy(&data, &mut tidy) {
            Ok(_) => data = tidy.into(),
            Err(why) => return self.complain(&format!("no JPEG picture that can be passed on: {why}")),
        }
        if let Err(why) = shared.check_picture(&data) {
            return self.complain(&why);
        }
        let Role::Member(member) = &mut self.role else { return Ok(()) };
        if member.publishes.is_none() {
            let grant = member.grant.publish();
            if let Err(refusal) = shared.publish(id, &grant, false, 0) {
                shared.challenge(&refusal, None);
                return self.complain(&refusal.to_string());
            }
            let stream = shared.stream(&grant.0);
            stream.begin(Gives::AtWill, at);
            member.publishes = Some(stream);
            shared.crowd_sees(&grant.0);
        }
        let Some(stream) = &member.publishes else { return Ok(()) };
        member.sequence = member.sequence.wrapping_add(1);
        let picture = Picture { sequence: member.sequence, ..Picture::arrived(began, at, data) };
        let (loops, wakes) = stream.put(picture, at);
        reading.fresh.extend(loops.map(|index| (stream.clone(), index)));
        if wakes {
            shared.tell_silence(id, stream, at);
        }
        Ok(())
    }

    /// Says what was wrong, to help whoever writes a client; but not without end.
    fn complain(&mut self, why: &str) -> Result<(), Broken> {
        let at = now();
        let Role::Member(member) = &mut self.role else { return Ok(()) };
        if !member.may_speak(at) {
            return Ok(());
        }
        let text = serde_json::json!({ "type": "error", "message": why }).to_string();
        self.connection.send_text(&text)
    }
}
