//! Framing on plain TCP: a `u64` little-endian length, then that many bytes, which are one packet.

use super::WireError;
use super::packet::{Assembler, Packet};

/// The length of the prefix, in bytes.
pub const PREFIX: usize = 8;

/// The prefix for a packet of `length` bytes.
#[must_use]
pub fn prefix(length: usize) -> [u8; PREFIX] {
    (length as u64).to_le_bytes()
}

/// Reads packets from a byte stream that is fed at any split.
pub struct Deframer {
    prefix: [u8; PREFIX],
    have: usize,
    left: usize,
    assembler: Assembler,
}

impl Deframer {
    /// For packets whose pictures have `max_picture` bytes at most.
    #[must_use]
    pub fn new(max_picture: usize) -> Self {
        Self { prefix: [0; PREFIX], have: 0, left: 0, assembler: Assembler::new(max_picture) }
    }

    /// The same, for a hub: control packets are short.
    #[must_use]
    pub fn to_hub(max_picture: usize) -> Self {
        let mut this = Self::new(max_picture);
        this.assembler.to_hub();
        this
    }

    /// How much memory what is under way takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.assembler.held()
    }

    /// Gives back what is kept for what is to come.
    pub fn rest(&mut self) {
        self.assembler.rest();
    }

    /// Changes the limit on pictures, as when a peer has been admitted.
    pub fn set_max_picture(&mut self, max_picture: usize) {
        self.assembler.set_max_picture(max_picture);
    }

    /// How many bytes the packet that is under way lacks.
    #[must_use]
    pub fn missing(&self) -> usize {
        if self.have == PREFIX { self.left } else { 0 }
    }

    /// Reads from the front of `input` until a packet is complete. Returns how many bytes it used; without a packet
    /// it has used them all.
    ///
    /// # Errors
    /// A length over the limit, before anything is allocated for it, or a packet that is none.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Packet>), WireError> {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            if self.have < PREFIX {
                let n = rest.len().min(PREFIX - self.have);
                self.prefix[self.have..self.have + n].copy_from_slice(&rest[..n]);
                self.have += n;
                used += n;
                if self.have == PREFIX {
                    let (length, limit) = (u64::from_le_bytes(self.prefix), self.assembler.max_packet());
                    self.left = usize::try_from(length)
                        .ok()
                        .filter(|n| *n <= limit)
                        .ok_or(WireError::TooLong { length, limit })?;
                    if self.left == 0 {
                        return Err(WireError::Malformed("an empty packet"));
                    }
                }
                continue;
            }
            let n = rest.len().min(self.left);
            self.left -= n;
            self.assembler.push(&rest[..n], self.left)?;
            used += n;
            if self.left == 0 {
                self.have = 0;
                return self.assembler.finish().map(|packet| (used, Some(packet)));
            }
        }
        Ok((used, None))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::frame::{Picture, Spans};
    use crate::time::Micros;
    use crate::wire::control::Control;
    use crate::wire::packet::{control_packet, picture_header};

    fn framed(packet: &[u8]) -> Vec<u8> {
        [&prefix(packet.len())[..], packet].concat()
    }

    fn picture_packet(picture: &Picture) -> Vec<u8> {
        let metadata = picture.metadata.as_deref().unwrap_or_default();
        [&picture_header(picture, picture.spans.hub)[..], metadata.as_bytes(), &picture.data].concat()
    }

    /// Feeds `bytes` in pieces that end at `cuts`, and collects what comes out.
    fn feed(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Packet>, WireError> {
        let mut deframer = Deframer::new(1 << 20);
        let mut packets = Vec::new();
        let mut ends: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).chain([bytes.len()]).collect();
        ends.sort_unstable();
        let mut at = 0;
        for end in ends {
            while at < end {
                let (used, packet) = deframer.decode(&bytes[at..end])?;
                at += used;
                packets.extend(packet);
            }
        }
        Ok(packets)
    }

    #[test]
    fn a_picture_under_way_takes_no_more_memory_than_it_is_long() {
        let picture = Picture { data: vec![7; (1 << 20) - 1].into(), ..Picture::default() };
        let bytes = framed(&picture_packet(&picture));
        for piece in [50_000, 65_536, 70_001, 262_144, 600_000] {
            let mut deframer = Deframer::new(1 << 20);
            let (mut came, mut packets) = (0, 0);
            for piece in bytes.chunks(piece) {
                let (used, packet) = deframer.decode(piece).unwrap();
                assert_eq!(used, piece.len());
                came += piece.len();
                packets += usize::from(packet.is_some());
                assert!(deframer.held() <= (2 * came).min(1 << 20), "{} of {came}", deframer.held());
            }
            assert_eq!(packets, 1);
        }
    }

    proptest! {
        #[test]
        fn packets_survive_every_split(
            data in prop::collection::vec(any::<u8>(), 1..3000),
            metadata in "[a-zäöü{}]{0,60}",
            quality in 0u8..=100, rung in 0u8..4, sequence: u32, time: u64, estimated: bool, arrival: bool,
            units in prop::array::uniform4(0u64..=65535),
            cuts in prop::collection::vec(any::<usize>(), 0..40),
        ) {
            let span = |n: u64| Duration::from_micros(n * 16);
            let picture = Picture {
                quality, rung, sequence, estimated, arrival,
                captured: Micros(time),
                spans: Spans { capture: span(units[0]), encode: span(units[1]), uplink: span(units[2]), hub: span(units[3]) },
                metadata: (!metadata.is_empty()).then(|| Arc::from(metadata.as_str())),
                data: data.clone().into(),
                ..Picture::default()
            };
            let ping = Control::Ping { time };
            let jpeg = [&[0xff, 0xd8][..], &data].concat();
            let bytes = [framed(&picture_packet(&picture)), framed(&control_packet(&ping)), framed(&jpeg)].concat();
            let packets = feed(&bytes, &cuts).unwrap();
            prop_assert_eq!(packets.len(), 3);
            let Packet::Picture(read, captured) = &packets[0] else { panic!("no picture") };
            prop_assert_eq!(captured.0, time);
            let sent = Picture { captured: Micros(0), metadata: picture.metadata.clone(), data: picture.data.to_vec().into(), ..picture };
            prop_assert_eq!(picture_packet(read), picture_packet(&sent));
            prop_assert_eq!(read.metadata.as_deref(), picture.metadata.as_deref());
            let Packet::Control(control) = &packets[1] else { panic!("no control") };
            prop_assert_eq!(control, &ping);
            let Packet::Bare(bare) = &packets[2] else { panic!("no bare picture") };
            prop_assert_eq!(&***bare, &jpeg);
        }

        #[test]
        fn any_bytes_at_all_end_in_packets_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            cuts in prop::collection::vec(any::<usize>(), 0..8),
        ) {
            let _ = feed(&bytes, &cuts);
            let _ = feed(&framed(&bytes), &cuts);
        }
    }

    #[test]
    fn an_oversized_length_is_refused_at_once() {
        let limit = Assembler::new(1 << 20).max_packet();
        let error = feed(&u64::MAX.to_le_bytes(), &[]).unwrap_err();
        assert_eq!(error, WireError::TooLong { length: u64::MAX, limit });
    }

    #[test]
    fn another_version_is_named() {
        let mut packet = control_packet(&Control::List);
        packet[2] = 9;
        assert_eq!(feed(&framed(&packet), &[]).unwrap_err(), WireError::Version(9));
    }

    #[test]
    fn a_packet_shorter_than_its_header_says_is_refused() {
        let mut packet = control_packet(&Control::List);
        packet[3] = 1;
        packet[4] = 1;
        packet[28] = 200;
        assert!(matches!(feed(&framed(&packet), &[]), Err(WireError::Malformed(_))));
        assert!(matches!(feed(&framed(b"SF"), &[]), Err(WireError::Malformed(_))));
    }
}
