//! What a loop gives to those whose connections it has: the newest picture, and all of the sound.

use super::Loop;
use super::peer::{FanOut, Peer};
use crate::time::{Micros, now};

impl Loop {
    /// Gives sound to all who listen. It goes before pictures: a packet takes microseconds, and who listens hears when one is late.
    fn give_out_audio(&mut self) {
        for stream in std::mem::take(&mut self.fresh.audio) {
            let recent = stream.recent_audio(self.index);
            let Some(subscribers) = self.subscribers.get(&stream.id) else { continue };
            let mut failed = Vec::new();
            for &token in &subscribers.listeners {
                let Some(peer) = self.peers.get_mut(token) else { continue };
                if let Err(why) = peer.offer_audio(&stream, &recent, now()) {
                    failed.push((token, why));
                }
            }
            for (token, why) in failed {
                self.remove(token, &why);
            }
        }
    }

    /// Gives every fresh picture to every viewer that can take one now.
    pub(super) fn give_out(&mut self) {
        self.give_out_audio();
        for stream in std::mem::take(&mut self.fresh.pictures) {
            let newest = stream.newest(self.index);
            let Some(subscribers) = self.subscribers.get_mut(&stream.id) else { continue };
            let count = subscribers.tokens.len();
            subscribers.first = (subscribers.first + 1) % count.max(1);
            let (before, from) = subscribers.tokens.split_at(subscribers.first);
            let (mut failed, mut changed, mut fan_out) =
                (Vec::new(), Vec::new(), FanOut::new(&self.shared.placeholders));
            for &token in from.iter().chain(before) {
                let Some(peer) = self.peers.get_mut(token) else { continue };
                match peer.offer(stream.id, &newest, &mut fan_out, now()) {
                    Ok(false) => {}
                    Ok(true) => changed.push(token),
                    Err(why) => failed.push((token, why)),
                }
                list_paced(&mut self.paced, peer, token);
            }
            stream.numbers.add(&fan_out.deliveries);
            changed.into_iter().for_each(|token| self.target_changed(token));
            for (token, why) in failed {
                self.remove(token, &why);
            }
        }
    }

    /// A viewer that could not take a picture before may be able to now.
    pub(super) fn offer_newest(&mut self, token: usize, at: Micros) {
        let Some(peer) = self.peers.get_mut(token) else { return };
        let mut target_changed = peer.has_changed_listening();
        for stream in peer.watched() {
            if peer.listens()
                && let Err(why) = peer.offer_audio(&stream, &stream.recent_audio(self.index), at)
            {
                return self.remove(token, &why);
            }
            let mut fan_out = FanOut::new(&self.shared.placeholders);
            let offered = peer.offer(stream.id, &stream.newest(self.index), &mut fan_out, at);
            stream.numbers.add(&fan_out.deliveries);
            match offered {
                Ok(changed) => target_changed |= changed,
                Err(why) => return self.remove(token, &why),
            }
        }
        list_paced(&mut self.paced, peer, token);
        if target_changed {
            self.target_changed(token);
        }
    }

    pub(super) fn go_on_pacing(&mut self) {
        if self.paced.is_empty() {
            return;
        }
        let at = now();
        for token in std::mem::take(&mut self.paced) {
            let Some(peer) = self.peers.get_mut(token) else { continue };
            match peer.paced_until() {
                Some(until) if until > at => self.paced.push(token),
                Some(_) => {
                    // It must not be found due again if there is nothing to offer.
                    peer.wait_no_more();
                    self.offer_newest(token, at);
                }
                None => peer.listed = false,
            }
        }
    }
}

/// Notes a viewer that waits until a point in time.
fn list_paced(paced: &mut Vec<usize>, peer: &mut Peer, token: usize) {
    if !peer.listed && peer.paced_until().is_some() {
        peer.listed = true;
        paced.push(token);
    }
}
