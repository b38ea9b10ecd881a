//! The sound of a stream, as all loops share it: the last packets, of which each listener is given every one, in order. One that is
//! slow loses the oldest: what it hears stays young, and its losses are counted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::numbering::Numbering;
use crate::frame::{AUDIO_FRAME, AUDIO_WAITS, AudioPacket};
use crate::time::Micros;

/// Packets that are kept at most: as many as there are while one may wait.
const MOST: usize = (AUDIO_WAITS.as_millis() / AUDIO_FRAME.as_millis()) as usize;

/// A packet, with its place among all that the stream had, and when it came.
#[derive(Clone, Debug)]
struct Kept {
    place: u64,
    came: Micros,
    packet: Arc<AudioPacket>,
}

/// The last packets of a stream's sound, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentAudio(VecDeque<Kept>);

/// The track of a stream's sound.
#[derive(Debug, Default)]
pub(crate) struct AudioTrack {
    recent: RecentAudio,
    places: u64,
    numbering: Numbering,
}

impl AudioTrack {
    /// A new publisher begins: its numbers follow on from the last one's.
    pub(crate) fn begin(&mut self) {
        self.numbering.new_publisher();
        self.recent.0.clear();
    }

    /// Puts a packet in, and numbers it. Says how many the publisher left out before it.
    pub(crate) fn put(&mut self, mut packet: AudioPacket, now: Micros) -> u32 {
        let (number, lost) = self.numbering.number(packet.sequence);
        packet.sequence = number;
        if self.recent.0.len() == MOST {
            self.recent.0.pop_front();
        }
        self.recent.0.push_back(Kept { place: self.places, came: now, packet: Arc::new(packet) });
        self.places += 1;
        lost
    }

    /// The last packets.
    pub(crate) fn recent(&self) -> &RecentAudio {
        &self.recent
    }
}

/// Where somebody who listens is in a stream's sound.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What came before is not for it.
    since: Micros,
    /// The place of the next packet, once there was one.
    next: Option<u64>,
}

impl Listener {
    /// Begins to listen `now`.
    pub(crate) fn new(now: Micros) -> Self {
        Self { since: now, next: None }
    }

    /// The next packet, and how many were too old before it.
    pub(crate) fn next<'a>(&mut self, recent: &'a RecentAudio, now: Micros) -> Option<(&'a Arc<AudioPacket>, u64)> {
        let from = match self.next {
            Some(next) => next,
            None => recent.0.iter().find(|kept| kept.came >= self.since)?.place,
        };
        self.next = Some(from);
        let due = |kept: &&Kept| kept.place >= from && now.since(kept.came) <= AUDIO_WAITS;
        let found = recent.0.iter().find(due)?;
        self.next = Some(found.place + 1);
        Some((&found.packet, found.place - from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    fn put(track: &mut AudioTrack, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let _ = track.put(AudioPacket { sequence: number, ..AudioPacket::default() }, at(20 * u64::from(number)));
        }
    }

    fn all(listener: &mut Listener, track: &AudioTrack, now: Micros) -> (Vec<u32>, u64) {
        let (mut heard, mut lost) = (Vec::new(), 0);
        while let Some((packet, before)) = listener.next(track.recent(), now) {
            heard.push(packet.sequence);
            lost += before;
        }
        (heard, lost)
    }

    #[test]
    fn a_listener_is_given_every_packet_in_order_from_when_it_came() {
        let (mut track, mut listener) = (AudioTrack::default(), Listener::new(at(70)));
        assert_eq!(all(&mut listener, &track, at(0)), (vec![], 0));
        put(&mut track, 0..4);
        assert_eq!(all(&mut listener, &track, at(75)), (vec![], 0), "what was said before is no news");
        put(&mut track, 4..9);
        assert_eq!(all(&mut listener, &track, at(161)), (vec![5, 6, 7, 8, 9], 0));
        assert_eq!(all(&mut listener, &track, at(161)), (vec![], 0), "and none of them twice");
    }

    #[test]
    fn a_slow_listener_loses_the_oldest_and_that_is_counted() {
        let (mut track, mut listener) = (AudioTrack::default(), Listener::new(at(0)));
        put(&mut track, 0..1);
        assert_eq!(all(&mut listener, &track, at(0)).0, [1]);
        put(&mut track, 1..101);
        let (heard, lost) = all(&mut listener, &track, at(2000));
        assert_eq!((heard, lost), ((92..=101).collect(), 90));
        put(&mut track, 101..103);
        assert_eq!(all(&mut listener, &track, at(2500)), (vec![], 0), "all of it is too old");
        put(&mut track, 125..126);
        assert_eq!(all(&mut listener, &track, at(2501)), (vec![126], 2));
    }

    #[test]
    fn what_the_publisher_left_out_shows_in_the_numbers_and_is_not_counted_as_lost_here() {
        let (mut track, mut listener) = (AudioTrack::default(), Listener::new(at(0)));
        put(&mut track, 0..1);
        let _ = all(&mut listener, &track, at(0));
        let left_out = track.put(AudioPacket { sequence: 4, ..AudioPacket::default() }, at(80));
        assert_eq!((left_out, all(&mut listener, &track, at(81))), (3, (vec![5], 0)));
        track.begin();
        assert_eq!(all(&mut listener, &track, at(82)), (vec![], 0));
        put(&mut track, 0..1);
        assert_eq!(all(&mut listener, &track, at(83)), (vec![6], 0), "a new publisher's follow on");
    }
}
