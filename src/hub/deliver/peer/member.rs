//! What somebody in a room says.

use super::{Peer, PeerRole};
use crate::frame::{Codec, Picture};
use crate::hub::deliver::read_turn::ReadTurn;
use crate::hub::stream::News;
use crate::net::connection::ConnectionError;
use crate::relay::silence::Gives;
use crate::time::{Micros, now};
use crate::wire::encoding::decode_base64;
use crate::wire::jpeg;
use crate::wire::packet::Packet;
use crate::wire::rooms::{self, RoomMessage};

impl Peer {
    /// What a member said.
    pub(super) fn member_said(
        &mut self,
        packet: Packet,
        began: Micros,
        reading: &mut ReadTurn<'_>,
        pinged: &mut bool,
    ) -> Result<(), ConnectionError> {
        let (shared, at) = (reading.shared, reading.at);
        let id = self.id;
        let PeerRole::Member(member) = &mut self.role else { return Ok(()) };
        let mut data = match packet {
            Packet::Picture(picture, _) if picture.codec == Codec::Sealed => {
                return self.complain("sealed pictures are published by the native protocol, and not in a room");
            }
            Packet::Picture(picture, _) => picture.data,
            Packet::Bare(data) => data,
            Packet::Control(_) | Packet::Audio(..) | Packet::UnknownKind(_) => return Ok(()),
            Packet::UnknownCodec { codec, .. } => {
                return self.complain(&format!("codec {codec} is unknown to this hub"));
            }
            Packet::Text(text) => match rooms::read(&text) {
                Ok(RoomMessage::VideoFrame(data)) => match decode_base64(&data) {
                    Some(bytes) => bytes.into(),
                    None => return self.complain("data is not base64"),
                },
                Ok(RoomMessage::Chat { text, color }) if member.may_speak(at) => {
                    let _ = shared.chat(&member.grant.0.room, member.called(), text, color);
                    return Ok(());
                }
                Ok(RoomMessage::Relay(kind, object)) if member.may_speak(at) => {
                    shared.tell_of_member(id, &member.grant.0.room, kind, object);
                    return Ok(());
                }
                Ok(RoomMessage::Hello { binary, pictures }) => {
                    member.takes_binary(binary);
                    shared.member_takes(id, &member.grant.0.room, pictures);
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
        if let Err(why) = jpeg::make_tidy(&mut data, &mut shared.counting.at(at)) {
            return self.complain(&format!("no JPEG picture that can be passed on: {why}"));
        }
        if let Err(why) = shared.check_picture(Codec::Jpeg, &data) {
            return self.complain(&why);
        }
        let PeerRole::Member(member) = &mut self.role else { return Ok(()) };
        if member.publishes().is_none() {
            let grant = member.grant.publish();
            if let Err(refusal) = shared.publish(id, &grant, false, 0) {
                shared.challenge(&refusal, None);
                return self.complain(&refusal.to_string());
            }
            let stream = shared.stream(&grant.0);
            stream.begin(Gives::AtWill, at);
            member.publish(stream);
            shared.show_in_room(&grant.0);
        }
        let sequence = member.next_picture();
        let Some(stream) = member.publishes() else { return Ok(()) };
        let picture = Picture { sequence, ..Picture::arrived(began, at, data) };
        let (loops, wakes) = stream.put(picture, at);
        reading.news.extend(loops.map(|index| (stream.clone(), News::Picture, index)));
        if wakes {
            shared.tell_silence(id, stream, at);
        }
        Ok(())
    }

    /// Says what was wrong, to help whoever writes a client; but not without end.
    fn complain(&mut self, why: &str) -> Result<(), ConnectionError> {
        let at = now();
        let PeerRole::Member(member) = &mut self.role else { return Ok(()) };
        if !member.may_speak(at) {
            return Ok(());
        }
        let text = serde_json::json!({ "type": "error", "message": why }).to_string();
        self.connection.send_text(&text)
    }
}
