//! What a loop hears of one connection in a turn, on its way to whom it concerns.

use std::sync::Arc;

use super::inbox::Fresh;
use crate::hub::Shared;
use crate::hub::stream::{News, Stream};
use crate::time::Micros;
use crate::wire::packet::Packet;

/// Room for what is heard in a turn, kept from one to the next.
#[derive(Default)]
pub(super) struct ReadBuffers {
    packets: Vec<(Packet, Micros)>,
    news: Vec<(Arc<Stream>, News, usize)>,
}

/// A turn of one connection.
pub(super) struct ReadTurn<'a> {
    pub(super) shared: &'a Arc<Shared>,
    /// Packets in order, each with the time at which its first byte was here.
    pub(super) packets: &'a mut Vec<(Packet, Micros)>,
    /// Streams with a new picture or more sound, and for each the loop that is to give it out.
    pub(super) news: &'a mut Vec<(Arc<Stream>, News, usize)>,
    /// The time, read once for all that a turn hears: reading it for each packet and each answer was seen in profiles of a
    /// hundred viewers that acknowledge every picture.
    pub(super) at: Micros,
}

impl ReadBuffers {
    pub(super) fn begin<'a>(&'a mut self, shared: &'a Arc<Shared>, at: Micros) -> ReadTurn<'a> {
        ReadTurn { shared, packets: &mut self.packets, news: &mut self.news, at }
    }

    /// What was heard is for this loop to give out, or for others.
    pub(super) fn note(&mut self, shared: &Shared, index: usize, ours: &mut Fresh) {
        for (stream, news, of) in self.news.drain(..) {
            if of == index {
                ours.push(stream, news);
            } else {
                shared.tell_news(of, stream, news);
            }
        }
    }
}
