//! Browsers that showed a link or a secret, by the cookies that they were given for it. A cookie is a random number; what it stands
//! for is known here alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::access::policy::Holder;
use crate::access::secrets::SecretHash;
use crate::time::Micros;

/// Sessions at most, and those of one address. The one that was used least lately gives way.
const MOST: usize = 4096;
const MOST_OF_ADDRESS: usize = 256;
/// A session that nobody uses for so long is over.
const UNUSED: Duration = Duration::from_secs(24 * 3600);

struct Session {
    holder: Holder,
    of: IpAddr,
    used: Micros,
}

/// The sessions, by the hashes of their cookies: whoever reads the hub's memory has no cookie.
#[derive(Default)]
pub(super) struct Sessions(HashMap<SecretHash, Session>);

impl Sessions {
    pub(super) fn begin(&mut self, cookie: SecretHash, holder: Holder, of: IpAddr, now: Micros) {
        self.0.remove(&cookie);
        self.make_room(|session| session.of == of, MOST_OF_ADDRESS);
        self.make_room(|_| true, MOST);
        self.0.insert(cookie, Session { holder, of, used: now });
    }

    fn make_room(&mut self, counts: impl Fn(&Session) -> bool, most: usize) {
        let those = || self.0.iter().filter(|(_, session)| counts(session));
        if those().count() < most {
            return;
        }
        let oldest = those().min_by_key(|(_, session)| session.used).map(|(cookie, _)| *cookie);
        oldest.and_then(|cookie| self.0.remove(&cookie));
    }

    pub(super) fn get(&mut self, cookie: &SecretHash, now: Micros) -> Option<Holder> {
        let session = self.0.get_mut(cookie)?;
        if now.since(session.used) >= UNUSED {
            self.0.remove(cookie);
            return None;
        }
        session.used = now;
        Some(session.holder.clone())
    }

    pub(super) fn end(&mut self, cookie: &SecretHash) {
        self.0.remove(cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_and_those_of_one_address_push_out_no_others() {
        let mut sessions = Sessions::default();
        let cookie = |n: u64| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            hash
        };
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        sessions.begin(cookie(0), Holder::Secret([1; 32]), ip(1), Micros(0));
        for n in 1..10_000 {
            sessions.begin(cookie(n), Holder::Nobody, ip(2), Micros(n));
        }
        assert_eq!(sessions.0.len(), 1 + MOST_OF_ADDRESS);
        assert_eq!(sessions.get(&cookie(0), Micros(10_000)), Some(Holder::Secret([1; 32])));
        assert_eq!(sessions.get(&cookie(1), Micros(10_000)), None, "the oldest gave way");
        sessions.end(&cookie(9999));
        assert_eq!(sessions.get(&cookie(9999), Micros(10_000)), None);
        assert_eq!(sessions.get(&cookie(0), Micros(10_000) + UNUSED), None, "nobody used it for a day");
    }
}
