//! Who watches which stream on a loop, and what they need of it.

use std::sync::Arc;

use super::Loop;
use super::peer::PeerRole;
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::time::now;

/// The viewers of one stream on this loop.
pub(super) struct Subscribers {
    pub(super) stream: Arc<Stream>,
    pub(super) tokens: Vec<usize>,
    /// Who is served first; moves on with every picture, so that nobody is always last.
    pub(super) first: usize,
    /// Somebody came or went, or needs something else than before.
    pub(super) targets_changed: bool,
}

impl Loop {
    /// A viewer watches this stream now, and no other.
    pub(super) fn watch(&mut self, id: ConnectionId, stream: &Arc<Stream>) {
        let Some(&token) = self.tokens.get(&id) else { return };
        self.unwatch(token);
        let Some(peer) = self.peers.get_mut(token) else { return };
        peer.watch(stream);
        self.join_audience(stream, token);
    }

    /// Somebody in a room sees one more stream.
    pub(super) fn see(&mut self, id: ConnectionId, stream: &Arc<Stream>, opening: Arc<str>) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(peer) = self.peers.get_mut(token) else { return };
        let address = peer.address;
        if let PeerRole::Member(member) = &mut peer.role {
            member.see(stream, opening, address, now());
            self.join_audience(stream, token);
        }
    }

    /// And not any more.
    pub(super) fn see_no_more(&mut self, id: ConnectionId, key: &StreamKey) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(PeerRole::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        if let Some(stream) = member.see_no_more(key) {
            self.leave_audience(stream, token);
        }
    }

    /// Takes a connection out of all audiences.
    pub(super) fn unsubscribe(&mut self, token: usize) {
        self.unwatch(token);
        let Some(PeerRole::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        for stream in member.sees_nothing() {
            self.leave_audience(stream, token);
        }
    }

    fn join_audience(&mut self, stream: &Arc<Stream>, token: usize) {
        stream.add_viewer(self.index);
        let audience = self.audiences.entry(stream.id).or_insert_with(|| Subscribers {
            stream: stream.clone(),
            tokens: Vec::new(),
            first: 0,
            targets_changed: true,
        });
        audience.tokens.push(token);
        audience.targets_changed = true;
        // The newest picture at once.
        self.fresh.push(stream.clone());
    }

    /// What somebody needs of all that it watches has changed.
    pub(super) fn target_changed(&mut self, token: usize) {
        let Some(peer) = self.peers.get(token) else { return };
        for stream in peer.streams() {
            if let Some(audience) = self.audiences.get_mut(&stream) {
                audience.targets_changed = true;
            }
        }
    }

    fn unwatch(&mut self, token: usize) {
        let Some(peer) = self.peers.get_mut(token) else { return };
        let Some(id) = peer.unwatch() else { return };
        self.leave_audience(id, token);
    }

    fn leave_audience(&mut self, id: u64, token: usize) {
        let Some(audience) = self.audiences.get_mut(&id) else { return };
        audience.stream.remove_viewer(self.index);
        audience.tokens.retain(|t| *t != token);
        audience.targets_changed = true;
        if audience.tokens.is_empty() {
            self.shared.set_targets(&audience.stream, self.index, Vec::new());
            self.audiences.remove(&id);
        }
    }

    /// Tells the hub what the viewers need where that has changed.
    pub(super) fn tell_targets(&mut self) {
        for audience in self.audiences.values_mut().filter(|a| a.targets_changed) {
            audience.targets_changed = false;
            let targets = audience.tokens.iter().filter_map(|token| self.peers.get(*token)).map(|peer| peer.target);
            self.shared.set_targets(&audience.stream, self.index, targets.collect());
        }
    }
}
