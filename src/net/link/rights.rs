//! What a link shows to be let in, and what it does when a hub asks for a right that it was not shown.

use std::net::SocketAddr;

use super::in_turn::Tried;
use super::{LinkUser, Outcome, Runner};
use crate::net::address::{HubAddress, Tls};
use crate::net::tls::tokens::Use;
use crate::net::tls::trust::HubTrust;
use crate::secret::Secret;
use crate::time::Micros;
use crate::transport::Transport;
use crate::wire::control::{Hello, Role};
use crate::wire::fingerprint::KeyFingerprint;

/// A way to the hub.
pub(super) struct Way {
    pub(super) transport: Transport,
    /// The key that the hub has proven to have, and that is trusted; `None`: it is in the clear.
    pub(super) key: Option<KeyFingerprint>,
}

/// Where what was shown comes from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// A link, a file, or the program.
    Given,
    /// It let us in before, from this day on.
    Remembered(String),
    /// It is that of this user's own hub.
    Local,
}

/// What a link knows of its rights.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// This user's own hub is here: it asked for a right in the clear, and is encrypted to since then.
    own_at: Option<String>,
    /// Of the own hub, what is remembered was not taken.
    outdated: bool,
    /// What was shown last, and for what.
    shown: Option<Origin>,
    used: Option<Use>,
    /// What is kept if it lets us in, and for which hub.
    keep: Option<(String, Secret)>,
}

impl Rights {
    /// What the hub is shown. What was not given for this very connection is shown only to a key that is trusted.
    pub(super) fn show(
        &mut self,
        trust: &HubTrust,
        hub: &HubAddress,
        hello: &Hello,
        key: Option<KeyFingerprint>,
    ) -> Option<Secret> {
        let (place, used) = (hub.place(), Use::of(hello));
        self.keep = None;
        let found = if let Some(token) = &hub.token {
            self.keep = key.filter(|_| !hub.of_this_user).map(|_| (place, token.clone()));
            Some((token.clone(), Origin::Given))
        } else if let Some(key) = key {
            let remembered = if self.outdated { None } else { trust.token(&place, &used) };
            let local = || trust.local_secret().filter(|_| trust.own() == Some(key)).map(|s| (s, Origin::Local));
            remembered.map(|kept| (kept.token, Origin::Remembered(kept.since))).or_else(local)
        } else {
            None
        };
        self.used = Some(used);
        let (token, origin) = found.unzip();
        self.shown = origin;
        token
    }

    /// The hub has let us in.
    pub(super) fn taken(&mut self, trust: &HubTrust) {
        if let (Some((place, token)), Some(used)) = (self.keep.take(), &self.used) {
            trust.keep_token(&place, used, &token);
        }
    }

    /// Whether there is something else to show to a hub that did not let us in. `key`: what it is encrypted with.
    fn has_more(&mut self, trust: &HubTrust, hub: &HubAddress, key: Option<KeyFingerprint>) -> bool {
        let Some(own) = trust.own().filter(|_| trust.local_secret().is_some()) else { return false };
        match (key, &self.shown) {
            // What is in the clear, and not shown a token, is on this machine.
            (None, None) if hub.tls == Tls::BeyondLoopback => {
                self.own_at = Some(hub.place());
                true
            }
            (Some(key), Some(Origin::Remembered(_))) if key == own && !self.outdated => {
                self.outdated = true;
                true
            }
            _ => false,
        }
    }

    /// Why we were not let in, and what to do about it.
    fn in_words(&self, reason: &str) -> String {
        let shown = match &self.shown {
            None => String::new(),
            Some(Origin::Given) => "; the token that was shown is not taken".into(),
            Some(Origin::Remembered(since)) => {
                format!("; the token that is remembered since {since} does not hold any more")
            }
            Some(Origin::Local) => "; this user's own secret is not taken".into(),
        };
        let (what, program) = match self.used.as_ref().map(|used| used.role) {
            Some(Role::Publish) => ("--publish", "streamflow-send"),
            Some(Role::View) | None => ("--view", "streamflow-view"),
        };
        let stream = self.used.as_ref().map_or_else(String::new, |used| match used.name.as_str() {
            "" => used.room.clone(),
            name => format!("{}/{name}", used.room),
        });
        format!(
            "the hub refused: {reason}{shown}. Ask whoever runs it for a link (on its machine: streamflow-hub link {what} {stream}) and \
             paste it: {program} --join"
        )
    }
}

impl<U: LinkUser> Runner<U> {
    /// Connects to this address of the hub, and lives through the connection. This user's own hub is tried again at once where it
    /// asks for a right: over TLS, with the secret that it keeps for this user.
    pub(super) fn visit(&mut self, address: SocketAddr, hub: &HubAddress, welcomed: &mut Option<Micros>) -> Tried {
        let place = hub.place();
        let mut asked_for = None;
        loop {
            let is_own = self.rights.own_at.as_ref() == Some(&place);
            let own = self.config.trust.own().filter(|_| is_own);
            let pinned = own.map(|key| HubAddress { pin: Some(key), tls: Tls::Always, ..hub.clone() });
            let hub = pinned.as_ref().unwrap_or(hub);
            let way = match self.open(address, hub) {
                Ok(way) => way,
                Err(tried) if own.is_some() => return self.not_own(tried, asked_for),
                Err(tried) => return tried,
            };
            let key = way.key;
            match self.serve(way, hub, welcomed) {
                Outcome::Again(why) if welcomed.is_none() => {
                    return Tried::NoHub(self.sends_pictures(hub).unwrap_or(why));
                }
                Outcome::Unauthorized(reason) => {
                    let words = self.rights.in_words(&reason);
                    if welcomed.is_some() || !self.rights.has_more(&self.config.trust, hub, key) {
                        return Tried::Over(Outcome::Unauthorized(words));
                    }
                    asked_for = Some(words);
                }
                end => return Tried::Over(end),
            }
        }
    }

    /// What was taken for this user's own hub is another, or is not there: it is met in the clear again. `asked_for`: what it asked
    /// for there a moment ago.
    fn not_own(&mut self, tried: Tried, asked_for: Option<String>) -> Tried {
        match (tried, asked_for) {
            (Tried::NoHub(_) | Tried::Over(Outcome::Refused(_)), Some(words)) => {
                self.rights.own_at = None;
                Tried::Over(Outcome::Unauthorized(words))
            }
            (Tried::NoHub(why) | Tried::Over(Outcome::Refused(why)), None) => {
                self.rights.own_at = None;
                Tried::NoHub(why)
            }
            (tried, _) => tried,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::control::ViewRequest;

    #[test]
    fn who_is_not_let_in_is_told_what_was_shown_and_what_to_paste() {
        let hello = Hello::to_view("main", "door", "test", ViewRequest::default());
        let mut rights = Rights { used: Some(Use::of(&hello)), ..Rights::default() };
        assert_eq!(
            rights.in_words("you may not watch main/door"),
            "the hub refused: you may not watch main/door. Ask whoever runs it for a link (on its machine: streamflow-hub link --view \
             main/door) and paste it: streamflow-view --join"
        );
        let hello = Hello { role: Role::Publish, name: String::new(), ..hello };
        rights.used = Some(Use::of(&hello));
        for (shown, said) in [
            (Origin::Given, "the token that was shown is not taken"),
            (Origin::Remembered("2026-11-30".into()), "remembered since 2026-11-30 does not hold any more"),
            (Origin::Local, "this user's own secret is not taken"),
        ] {
            rights.shown = Some(shown);
            let words = rights.in_words("no");
            assert!(words.contains(said) && words.ends_with("--publish main) and paste it: streamflow-send --join"));
        }
    }
}
