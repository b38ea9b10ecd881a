//! What a publisher's pictures go through before they are its stream's.

use std::sync::Arc;

use super::{Peer, PeerRole};
use crate::buffer::Buffer;
use crate::frame::{AudioPacket, Picture};
use crate::hub::Shared;
use crate::hub::deliver::read_turn::ReadTurn;
use crate::hub::stream::News;
use crate::net::connection::ConnectionError;
use crate::time::Micros;
use crate::wire::control::Control;
use crate::wire::{jpeg, json};

impl Peer {
    /// A picture without a header: nobody says when it was taken, but that it was before its first byte was here.
    pub(super) fn bare_picture(
        &mut self,
        mut data: Buffer,
        began: Micros,
        reading: &mut ReadTurn<'_>,
    ) -> Result<(), ConnectionError> {
        if let Err(why) = jpeg::make_tidy(&mut data, &mut reading.shared.counting.at(reading.at)) {
            return self.leave_out(why.to_string(), reading.at, reading.shared);
        }
        let sequence = u32::try_from(self.metrics.pictures & 0xffff_ffff).unwrap_or(0);
        self.picture(Picture { sequence, ..Picture::arrived(began, reading.at, data) }, reading)
    }

    /// A picture of the stream that it publishes.
    pub(super) fn picture(&mut self, mut picture: Picture, reading: &mut ReadTurn<'_>) -> Result<(), ConnectionError> {
        let (shared, at) = (reading.shared, reading.at);
        if let Err(reason) = shared.check_picture(picture.codec, &picture.data) {
            return self.leave_out(reason, at, shared);
        }
        let PeerRole::Publisher(stream) = &self.role else { return Ok(()) };
        if picture.metadata.as_deref().is_some_and(|m| !json::may_pass(m)) {
            // It is put into other people's JSON as it is.
            self.metrics.errors += 1;
            picture.metadata = None;
        }
        self.metrics.pictures += 1;
        self.metrics.age_sum += at.since(picture.captured);
        let (loops, wakes) = stream.put(picture, at);
        reading.news.extend(loops.map(|index| (stream.clone(), News::Picture, index)));
        if wakes {
            shared.tell_silence(self.id, stream, at);
        }
        Ok(())
    }

    /// Sound of the stream that it publishes.
    pub(super) fn audio(&mut self, packet: AudioPacket, reading: &mut ReadTurn<'_>) {
        let PeerRole::Publisher(stream) = &self.role else { return };
        let loops = stream.put_audio(packet, reading.at);
        reading.news.extend(loops.map(|index| (stream.clone(), News::Audio, index)));
    }

    /// A picture must not end the stream, and no viewer must get it.
    pub(super) fn leave_out(
        &mut self,
        reason: String,
        at: Micros,
        shared: &Arc<Shared>,
    ) -> Result<(), ConnectionError> {
        let PeerRole::Publisher(stream) = &self.role else { return Ok(()) };
        self.metrics.errors += 1;
        self.metrics.dropped += 1;
        stream.pictures().silence.refused(&reason);
        shared.judge_silence(self.id, stream, at);
        if self.metrics.dropped > 1 {
            return Ok(());
        }
        log::warn!("{}: pictures are left out: {reason}", stream.key);
        self.tell(&Control::Dropped { reason })
    }
}
