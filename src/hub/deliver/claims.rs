//! Names that are taken and asked for: is the one who has it still there?
//!
//! Whoever has the name is pinged by its own loop. If nothing is heard from it in time, its connection ends and the name is
//! free; if something is, whoever asked is refused. Meanwhile the asker waits as a connection of its own loop, for its hello
//! is all that it has said, and no thread waits with it.

use std::time::Duration;

use super::claim::{Asker, Challenge, Claim};
use super::newcomer::Purpose;
use super::peer::Peer;
use super::{Command, Loop};
use crate::access::{Grant, Publish};
use crate::hub::Shared;
use crate::net::connection::ConnectionError;
use crate::relay::{ConnectionId, Refusal};
use crate::time::{Micros, now};
use crate::wire::control::{Cause, Control};

/// How long a publisher may take to answer at most when the other one is very likely the same: it comes from the same address
/// and shows the same stored number.
const SAME_ANSWERS: Duration = Duration::from_millis(500);
/// Whoever was heard so short a time ago is not pinged. So nobody is pinged more often than that by those who ask.
const LATELY: Duration = Duration::from_millis(200);
/// Who cannot be asked is taken for alive for so long after its last picture: it may give one every few seconds.
const QUIET: Duration = Duration::from_secs(20);
/// Those who wait for one name, and on one loop, at most; more are refused at once.
const MOST_OF_NAME: usize = 8;
const MOST_OF_LOOP: usize = 64;

impl Shared {
    /// Somebody was refused a name that is taken. If who has it does not answer, the name is free soon.
    pub(in crate::hub) fn challenge(&self, refusal: &Refusal, asker: Option<Asker>) {
        let Refusal::Taken(key) = refusal else { return };
        let owner = self.registry().rooms.publisher_of(key);
        match (owner, asker) {
            (Some(owner), asker) => self.loop_of(owner).command(Command::Challenge(owner, asker)),
            (None, Some(asker)) => self.loop_of(asker.id).command(Command::Verdict(asker.id, true)),
            (None, None) => {}
        }
    }
}

impl Loop {
    /// Lets a publisher wait for a name that is taken. False: it is refused at once.
    pub(super) fn claim(&mut self, token: usize, grant: Grant<Publish>, instance: u64, refusal: &Refusal) -> bool {
        let waiting = self.peers.iter().filter(|(_, peer)| peer.is_claiming()).count();
        let Some(peer) = self.peers.get_mut(token) else { return false };
        if !matches!(refusal, Refusal::Taken(_))
            || peer.publishing.claim.is_some()
            || !peer.can_wait()
            || waiting >= MOST_OF_LOOP
        {
            return false;
        }
        // However long the loop takes that is to answer.
        let until = now() + 2 * self.shared.config.answers_within;
        peer.publishing.claim = Some(Box::new(Claim { grant, instance, until, over: false }));
        let asker =
            Asker { id: peer.id, address: peer.address.ip().to_canonical(), publisher: peer.publishing.machine_id };
        self.shared.challenge(refusal, Some(asker));
        true
    }

    /// A publisher of this loop has a name that somebody else asks for.
    pub(super) fn challenge(&mut self, owner: ConnectionId, asker: Option<Asker>) {
        let at = now();
        let id = asker.map(|asker| asker.id);
        let Some((token, peer)) = self.tokens.get(&owner).and_then(|t| Some((*t, self.peers.get_mut(*t)?))) else {
            // It has gone meanwhile, or publishes without a connection.
            return self.answer(id, true);
        };
        let same = asker.is_some_and(|asker| {
            asker.publisher != 0
                && asker.publisher == peer.publishing.machine_id
                && asker.address == peer.address.ip().to_canonical()
        });
        let within = self.shared.config.answers_within;
        let until = at + if same { SAME_ANSWERS.min(within) } else { within };
        let lively = if peer.can_be_asked() { LATELY } else { QUIET };
        if peer.publishing.challenge.is_none() && peer.silence(at) < lively {
            return self.answer(id, false);
        }
        let new = peer.publishing.challenge.is_none();
        let heard = peer.connection.bytes_in;
        let challenge = peer
            .publishing
            .challenge
            .get_or_insert_with(|| Box::new(Challenge { heard, until, overdue: false, askers: Vec::new() }));
        challenge.until = challenge.until.min(until);
        if challenge.askers.len() >= MOST_OF_NAME {
            return self.answer(id, false);
        }
        challenge.askers.extend(id);
        if new && let Err(why) = peer.ask_for_life(at) {
            self.remove(token, &why);
        }
    }

    /// Tells those who asked for the name of a publisher what became of it.
    pub(super) fn answer(&self, askers: impl IntoIterator<Item = ConnectionId>, gone: bool) {
        for asker in askers {
            self.shared.loop_of(asker).command(Command::Verdict(asker, gone));
        }
    }

    /// What became of a name that a publisher of this loop waits for.
    pub(super) fn verdict(&mut self, id: ConnectionId, gone: bool) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let Some(claim) = self.peers.get_mut(token).and_then(|peer| peer.publishing.claim.as_mut()) else { return };
        if std::mem::replace(&mut claim.over, true) {
            return;
        }
        let (grant, instance) = (claim.grant.clone(), claim.instance);
        let decided = if gone {
            self.begin(token, Purpose::Publish { grant, replace: false, instance })
        } else {
            Err(Refusal::Taken(grant.0.clone()))
        };
        if let Err(refusal) = decided {
            self.refuse(token, &refusal);
        }
    }

    /// Looks after those who were pinged, and after those who wait.
    pub(super) fn judge_claims(&mut self, at: Micros) {
        let (mut dead, mut alive, mut late) = (Vec::new(), Vec::new(), Vec::new());
        for (token, peer) in &mut self.peers {
            if peer.publishing.claim.as_ref().is_some_and(|claim| !claim.over && at >= claim.until) {
                late.push(peer.id);
            }
            let Some(challenge) = &mut peer.publishing.challenge else { continue };
            if peer.connection.bytes_in > challenge.heard {
                alive.extend(peer.publishing.challenge.take().map(|challenge| challenge.askers));
            } else if at >= challenge.until && std::mem::replace(&mut challenge.overdue, true) {
                dead.push(token);
            }
        }
        self.answer(alive.into_iter().flatten(), false);
        for token in dead {
            if let Some(peer) = self.peers.get_mut(token) {
                log::info!("{}: does not answer, and its name is asked for", peer.address);
                let reason = "another publisher asks for the name, and a ping was not answered".into();
                // It may not hear it; that is why it goes.
                let _ = peer.tell(&Control::Bye { cause: Cause::Timeout, reason });
            }
            self.remove(token, &ConnectionError::Stuck);
        }
        late.into_iter().for_each(|id| self.verdict(id, false));
    }
}

impl Peer {
    /// Whether it waits for a name.
    pub(super) fn is_claiming(&self) -> bool {
        self.publishing.claim.as_ref().is_some_and(|claim| claim.waits())
    }

    /// Whether it can wait for a name: its hello is all that it has said.
    fn can_wait(&self) -> bool {
        self.connection.speaks() && !self.bare
    }

    /// For how long nothing was heard of it.
    fn silence(&self, at: Micros) -> Duration {
        self.session.as_ref().map_or_else(|| at.since(self.activity.progress), |session| session.silence(at))
    }

    /// Whether it answers pings: a publisher of bare pictures, or in the body of a request, does not.
    fn can_be_asked(&self) -> bool {
        self.session.is_some() || self.is_member()
    }

    /// Asks whether somebody is there. Who cannot be asked shows it by a picture.
    fn ask_for_life(&mut self, at: Micros) -> Result<(), ConnectionError> {
        if self.is_member() { self.connection.send_ping() } else { self.tell(&Control::Ping { time: at.0 }) }
    }
}
