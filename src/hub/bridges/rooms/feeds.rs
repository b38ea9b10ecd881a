//! Who in a room watches its pictures by `video_feed`, beside being a member: clients of before do both, and would be given each picture
//! twice.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Memberships;
use crate::hub::Shared;
use crate::names::StreamKey;

/// The feeds that are open, by stream and address.
#[derive(Default)]
pub(super) struct Feeds(HashMap<(StreamKey, IpAddr), u32>);

impl Feeds {
    /// Whether somebody at this address watches the stream so.
    pub(super) fn has(&self, key: &StreamKey, ip: IpAddr) -> bool {
        // Most hubs have none.
        !self.0.is_empty() && self.0.contains_key(&(key.clone(), ip))
    }
}

/// A feed that is open, until it is dropped. Members at its address that have not said how they take pictures are not given those of
/// its stream.
pub(in crate::hub) struct Feed {
    shared: Arc<Shared>,
    of: (StreamKey, IpAddr),
}

impl Feed {
    pub(in crate::hub) fn open(shared: &Arc<Shared>, key: StreamKey, ip: IpAddr) -> Self {
        let mut memberships = shared.memberships();
        let Memberships { rooms, feeds, .. } = &mut *memberships;
        *feeds.0.entry((key.clone(), ip)).or_default() += 1;
        let members = rooms.get_mut(&key.room).into_iter().flatten();
        for member in members.filter(|member| member.ip == ip && member.takes.is_none()) {
            member.unseen.remove(&key.name);
            if member.sees.remove(&key.name).is_some() {
                shared.hide_from(member.id, &key);
            }
        }
        drop(memberships);
        Self { shared: shared.clone(), of: (key, ip) }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut memberships = self.shared.memberships();
        let Memberships { rooms, feeds, .. } = &mut *memberships;
        let Some(open) = feeds.0.get_mut(&self.of) else { return };
        *open -= 1;
        if *open > 0 {
            return;
        }
        feeds.0.remove(&self.of);
        let key = &self.of.0;
        if let Some(members) = rooms.get_mut(&key.room)
            && !self.shared.is_free(key)
        {
            self.shared.show(members, feeds, key);
        }
    }
}
