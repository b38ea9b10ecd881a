//! Who watches which stream on a loop, and what they need of it.

use std::sync::Arc;

use super::Loop;
use super::peer::PeerRole;
use crate::hub::Wanted;
use crate::hub::stream::{News, Stream};
use crate::names::StreamKey;
use crate::relay::ConnectionId;
use crate::time::now;

/// The viewers of one stream on this loop.
pub(super) struct Subscribers {
    pub(super) stream: Arc<Stream>,
    pub(super) tokens: Vec<usize>,
    /// Those of them who want its sound.
    pub(super) listeners: Vec<usize>,
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
        self.subscribe(stream, token);
    }

    /// Somebody in a room sees one more stream.
    pub(super) fn see(&mut self, id: ConnectionId, stream: &Arc<Stream>, opening: Arc<str>) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(peer) = self.peers.get_mut(token) else { return };
        let address = peer.address;
        if let PeerRole::Member(member) = &mut peer.role {
            member.see(stream, opening, address, now());
            self.subscribe(stream, token);
        }
    }

    /// And not any more.
    pub(super) fn see_no_more(&mut self, id: ConnectionId, key: &StreamKey) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(PeerRole::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        if let Some(stream) = member.see_no_more(key) {
            self.unsubscribe_from(stream, token);
        }
    }

    /// Takes a connection off all lists of subscribers.
    pub(super) fn unsubscribe(&mut self, token: usize) {
        self.unwatch(token);
        let Some(PeerRole::Member(member)) = self.peers.get_mut(token).map(|p| &mut p.role) else { return };
        for stream in member.sees_nothing() {
            self.unsubscribe_from(stream, token);
        }
    }

    fn subscribe(&mut self, stream: &Arc<Stream>, token: usize) {
        stream.add_viewer(self.index);
        let subscribers = self.subscribers.entry(stream.id).or_insert_with(|| Subscribers {
            stream: stream.clone(),
            tokens: Vec::new(),
            listeners: Vec::new(),
            first: 0,
            targets_changed: true,
        });
        subscribers.tokens.push(token);
        subscribers.targets_changed = true;
        // The newest picture at once.
        self.fresh.push(stream.clone(), News::Picture);
    }

    /// What somebody needs of all that it watches has changed.
    pub(super) fn target_changed(&mut self, token: usize) {
        let Some(peer) = self.peers.get(token) else { return };
        for stream in peer.streams() {
            if let Some(subscribers) = self.subscribers.get_mut(&stream) {
                subscribers.targets_changed = true;
            }
        }
    }

    fn unwatch(&mut self, token: usize) {
        let Some(peer) = self.peers.get_mut(token) else { return };
        let Some(id) = peer.unwatch() else { return };
        self.unsubscribe_from(id, token);
    }

    fn unsubscribe_from(&mut self, id: u64, token: usize) {
        let Some(subscribers) = self.subscribers.get_mut(&id) else { return };
        subscribers.stream.remove_viewer(self.index);
        subscribers.tokens.retain(|t| *t != token);
        subscribers.listeners.retain(|t| *t != token);
        subscribers.targets_changed = true;
        if subscribers.tokens.is_empty() {
            subscribers.stream.set_listeners(self.index, 0);
            self.shared.set_wanted(&subscribers.stream, self.index, Wanted::default());
            self.subscribers.remove(&id);
        }
    }

    /// Tells the hub what the viewers need where that has changed.
    pub(super) fn tell_targets(&mut self) {
        for subscribers in self.subscribers.values_mut().filter(|a| a.targets_changed) {
            subscribers.targets_changed = false;
            let viewers = || subscribers.tokens.iter().filter_map(|token| Some((*token, self.peers.get(*token)?)));
            subscribers.listeners = viewers().filter(|(_, peer)| peer.listens()).map(|(token, _)| token).collect();
            let targets = viewers().filter(|(_, peer)| peer.sees()).map(|(_, peer)| peer.target).collect();
            subscribers.stream.set_listeners(self.index, subscribers.listeners.len());
            let wanted = Wanted { targets, audio: !subscribers.listeners.is_empty() };
            self.shared.set_wanted(&subscribers.stream, self.index, wanted);
        }
    }
}
