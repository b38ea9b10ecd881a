//! Browsers that showed a link or a secret, by the cookies that they were given for it. A cookie is a random number; what it stands
//! for is known here alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::policy::Holder;
use crate::access::secrets::SecretHash;
use crate::access::session::BrowserSession;
use crate::time::Micros;

/// Sessions at most, and those of one address. The one that was used least lately gives way.
const MOST: usize = 4096;
const MOST_OF_ADDRESS: usize = 256;
/// A session is over when for so long nothing asks by it, and nothing is open that it let in.
const UNUSED: Duration = Duration::from_secs(24 * 3600);

struct Session {
    holder: Holder,
    of: IpAddr,
    shared: Arc<BrowserSession>,
}

/// The sessions, by the hashes of their cookies: whoever reads the hub's memory has no cookie.
#[derive(Default)]
pub(super) struct Sessions(HashMap<SecretHash, Session>);

impl Sessions {
    pub(super) fn begin(&mut self, cookie: SecretHash, holder: Holder, of: IpAddr, now: Micros) {
        // Another link of the same browser is another right and no other session: what is open goes on, and ends with it.
        let before = self.0.remove(&cookie).map(|session| session.shared);
        self.make_room(|session| session.of == of, MOST_OF_ADDRESS);
        self.make_room(|_| true, MOST);
        let shared = before.unwrap_or_else(|| Arc::new(BrowserSession::new(now)));
        shared.use_at(now);
        self.0.insert(cookie, Session { holder, of, shared });
    }

    fn make_room(&mut self, counts: impl Fn(&Session) -> bool, most: usize) {
        let those = || self.0.iter().filter(|(_, session)| counts(session));
        if those().count() < most {
            return;
        }
        let oldest = those().min_by_key(|(_, session)| session.shared.used()).map(|(cookie, _)| *cookie);
        oldest.and_then(|cookie| self.0.remove(&cookie));
    }

    pub(super) fn get(&mut self, cookie: &SecretHash, now: Micros) -> Option<(Holder, Arc<BrowserSession>)> {
        let session = self.0.get(cookie)?;
        if now.since(session.shared.used()) >= UNUSED {
            self.0.remove(cookie);
            return None;
        }
        session.shared.use_at(now);
        Some((session.holder.clone(), session.shared.clone()))
    }

    pub(super) fn end(&mut self, cookie: &SecretHash) {
        if let Some(session) = self.0.remove(cookie) {
            session.shared.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(n: u64) -> SecretHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        hash
    }

    fn ip(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn sessions_are_bounded_and_those_of_one_address_push_out_no_others() {
        let mut sessions = Sessions::default();
        sessions.begin(cookie(0), Holder::Secret([1; 32]), ip(1), Micros(0));
        for n in 1..10_000 {
            sessions.begin(cookie(n), Holder::Nobody, ip(2), Micros(n));
        }
        assert_eq!(sessions.0.len(), 1 + MOST_OF_ADDRESS);
        let holder = |sessions: &mut Sessions, n, at| sessions.get(&cookie(n), at).map(|(holder, _)| holder);
        assert_eq!(holder(&mut sessions, 0, Micros(10_000)), Some(Holder::Secret([1; 32])));
        assert_eq!(holder(&mut sessions, 1, Micros(10_000)), None, "the oldest gave way");
        sessions.end(&cookie(9999));
        assert_eq!(holder(&mut sessions, 9999, Micros(10_000)), None);
        assert_eq!(holder(&mut sessions, 0, Micros(10_000) + UNUSED), None, "nobody used it for a day");
    }

    #[test]
    fn a_session_goes_on_for_as_long_as_somebody_watches_by_it_and_a_day_longer() {
        let minute = |n: u64| Micros(0) + Duration::from_secs(60 * n);
        let mut sessions = Sessions::default();
        sessions.begin(cookie(0), Holder::Secret([1; 32]), ip(1), minute(0));
        let (_, open) = sessions.get(&cookie(0), minute(1)).unwrap();
        // Two days of one stream, in which the page asks for nothing else.
        (1..2880).for_each(|n| open.use_at(minute(n)));
        // It is closed, and asked for again, by the page as by another tab.
        assert!(sessions.get(&cookie(0), minute(2890)).is_some());
        assert!(sessions.get(&cookie(0), minute(2890) + UNUSED).is_none());
    }

    #[test]
    fn who_logs_out_ends_what_was_opened_with_any_link_of_that_session_and_with_no_other_session() {
        let mut sessions = Sessions::default();
        let mut open = |n, link| {
            sessions.begin(cookie(n), Holder::Secret([link; 32]), ip(1), Micros(0));
            sessions.get(&cookie(n), Micros(1)).unwrap().1
        };
        let (first, second, other) = (open(0, 1), open(0, 2), open(1, 1));
        sessions.end(&cookie(0));
        assert_eq!([first, second, other].map(|session| session.is_over()), [true, true, false]);
    }
}
