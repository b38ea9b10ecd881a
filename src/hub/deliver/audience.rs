//! Who watches which stream on a loop, and what they need of it.

use std::sync::Arc;

use super::Loop;
use super::peer::{Peer, Role};
use crate::hub::stream::Stream;
use crate::room::ConnectionId;
use crate::time::now;

/// The viewers of one stream on this loop.
pub(super) struct Audience {
    pub(super) stream: Arc<Stream>,
    pub(super) tokens: Vec<usize>,
    /// Who is served first; moves on with every picture, so that nobody is always last.
    pub(super) first: usize,
    /// Somebody came or went, or needs something else than before.
    pub(super) needs_changed: bool,
}

impl Loop {
    pub(super) fn watch(&mut self, id: ConnectionId, stream: &Arc<Stream>) {
        let Some(&token) = self.tokens.get(&id) else { return };
        if !self.peers.get(token).is_some_and(Peer::is_member) {
            self.unwatch(token);
        }
        let Some(peer) = self.peers.get_mut(token) else { return };
        stream.add_viewer(self.index);
        peer.watch(id, stream);
        let audience = self.audiences.entry(stream.id).or_insert_with(|| Audience {
            stream: stream.clone(),
            tokens: Vec::new(),
            first: 0,
            needs_changed: true,
        });
        audience.tokens.push(token);
        audience.needs_changed = true;
        // The newest picture at once.
        self.fresh.push(stream.clone());
    }

    pub(super) fn view(&mut self, member: ConnectionId, view: ConnectionId, opening: Arc<str>) {
        let Some(&token) = self.tokens.get(&member) else { return };
        let Some(peer) = self.peers.get_mut(token) else { return };
        let address = peer.address;
        if let Role::Member(member) = &mut peer.role {
            member.add_view(view, opening, address, now());
            self.tokens.insert(view, token);
        }
    }

    pub(super) fn unview(&mut self, member: ConnectionId, view: ConnectionId) {
        let Some(&token) = self.tokens.get(&member) else { return };
        self.tokens.remove(&view);
        let Some(Role::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        if let Some(stream) = member.remove_view(view) {
            self.leave_audience(stream.id, token);
        }
    }

    /// All that a member saw.
    pub(super) fn unview_all(&mut self, token: usize) {
        let Some(Role::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        let streams: Vec<_> = member.view_ids().into_iter().map(|id| (id, member.remove_view(id))).collect();
        for (id, stream) in streams {
            self.tokens.remove(&id);
            if let Some(stream) = stream {
                self.leave_audience(stream.id, token);
            }
        }
    }

    pub(super) fn unwatch(&mut self, token: usize) {
        let Some(peer) = self.peers.get_mut(token) else { return };
        let Some(id) = peer.unwatch() else { return };
        self.leave_audience(id, token);
    }

    pub(super) fn leave_audience(&mut self, id: u64, token: usize) {
        let Some(audience) = self.audiences.get_mut(&id) else { return };
        audience.stream.remove_viewer(self.index);
        audience.tokens.retain(|t| *t != token);
        audience.needs_changed = true;
        if audience.tokens.is_empty() {
            self.shared.need(&audience.stream, self.index, Vec::new());
            self.audiences.remove(&id);
        }
    }

    /// Tells the hub what the viewers need where that has changed.
    pub(super) fn sum_up_needs(&mut self) {
        for audience in self.audiences.values_mut().filter(|a| a.needs_changed) {
            audience.needs_changed = false;
            let needs = audience.tokens.iter().filter_map(|token| self.peers.get(*token)).map(|peer| peer.need);
            self.shared.need(&audience.stream, self.index, needs.collect());
        }
    }
}
