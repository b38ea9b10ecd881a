//! Somebody in a room: one connection that publishes one stream and sees several.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::peer::{Peer, Role, Subscription};
use super::reading::Reading;
use crate::access::{Grant, Join};
use crate::frame::Picture;
use crate::hub::numbers::{Metrics, ViewerNumbers};
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::net::connection::Broken;
use crate::net::layout::unix_time;
use crate::relay::policy::{Every, Newest};
use crate::relay::silence::Gives;
use crate::time::{Micros, now};
use crate::wire::encoding::decode_base64;
use crate::wire::jpeg;
use crate::wire::packet::Packet;
use crate::wire::rooms::{self, RoomMessage};

/// Bytes of texts of others that wait for one who reads slowly, at most. What the hub itself says still fits in behind them.
const MOST_SAID_BY_OTHERS: usize = 64 * 1024;
/// Messages to others in a second at most; more are dropped.
const MOST_SAID: u32 = 30;

/// What makes a member.
pub(super) struct Member {
    pub(super) grant: Grant<Join>,
    called: String,
    binary: bool,
    publishes: Option<Arc<Stream>>,
    sees: Vec<Sees>,
    /// Which of them is served first, so that none is always last.
    turn: usize,
    sequence: u32,
    said: (Micros, u32),
    messages: u64,
    /// What others say to it.
    texts: Every,
    /// How often the client is asked in its own words whether it is there.
    ping_every: Duration,
    next_ping: Micros,
}

/// A stream that it sees.
struct Sees {
    subscription: Subscription,
    /// Whose it is, as JSON.
    opening: Arc<str>,
    metrics: Metrics,
    numbers: Arc<ViewerNumbers>,
}

/// What giving a picture of a stream takes, beside its policy.
pub(super) struct Seen<'a> {
    pub(super) opening: &'a Arc<str>,
    /// The client takes pictures as they are, and not as base64.
    pub(super) binary: bool,
    pub(super) metrics: &'a mut Metrics,
}

impl Member {
    pub(super) fn new(grant: Grant<Join>, called: String, ping_every: Duration, now: Micros) -> Self {
        Self {
            grant,
            called,
            binary: false,
            publishes: None,
            sees: Vec::new(),
            turn: 0,
            sequence: 0,
            said: (now, 0),
            messages: 0,
            texts: Every::new(MOST_SAID_BY_OTHERS),
            ping_every,
            next_ping: now + ping_every,
        }
    }

    /// The stream that it publishes, if it does.
    pub(super) fn publishes(&self) -> Option<&Arc<Stream>> {
        self.publishes.as_ref()
    }

    /// It sees one more stream.
    pub(super) fn see(&mut self, stream: &Arc<Stream>, opening: Arc<str>, address: SocketAddr, now: Micros) {
        let numbers = Arc::new(ViewerNumbers::new(address, "room", now));
        stream.numbers.join(numbers.clone());
        let subscription = Subscription::new(stream.clone());
        self.sees.push(Sees { subscription, opening, metrics: Metrics::default(), numbers });
    }

    /// It sees a stream no more; its number.
    pub(super) fn see_no_more(&mut self, key: &StreamKey) -> Option<u64> {
        let at = self.sees.iter().position(|sees| sees.subscription.stream.key == *key)?;
        Some(self.sees.swap_remove(at).ends())
    }

    /// It sees nothing any more; the numbers of the streams that it saw.
    pub(super) fn sees_nothing(&mut self) -> Vec<u64> {
        self.sees.drain(..).map(|sees| sees.ends()).collect()
    }

    /// All that it sees, beginning with whose turn it is.
    pub(super) fn seen(&mut self) -> Vec<Arc<Stream>> {
        self.turn = (self.turn + 1) % self.sees.len().max(1);
        let (before, from) = self.sees.split_at(self.turn.min(self.sees.len()));
        from.iter().chain(before).map(|sees| sees.subscription.stream.clone()).collect()
    }

    /// How many streams share its link.
    pub(super) fn among(&self) -> u32 {
        u32::try_from(self.sees.len()).unwrap_or(u32::MAX).max(1)
    }

    /// How it is given pictures of this stream, if it sees it.
    pub(super) fn find(&mut self, stream: u64) -> Option<(&mut Newest, Seen<'_>)> {
        let sees = self.sees.iter_mut().find(|sees| sees.subscription.stream.id == stream)?;
        let seen = Seen { opening: &sees.opening, binary: self.binary, metrics: &mut sees.metrics };
        Some((&mut sees.subscription.policy, seen))
    }

    /// Whether a text of somebody else is kept for it behind so many bytes that wait already.
    pub(super) fn keeps_text(&mut self, waiting: usize) -> bool {
        self.texts.keeps(waiting)
    }

    /// Works out what is counted by the second.
    pub(super) fn tick(&self, now: Micros) {
        self.sees.iter().for_each(|sees| sees.numbers.tick(&sees.metrics, now));
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

impl Sees {
    fn ends(self) -> u64 {
        let stream = self.subscription.stream;
        stream.numbers.leave(&self.numbers);
        stream.id
    }
}

impl Peer {
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
