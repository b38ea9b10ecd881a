//! Who shows what: secrets, links and passwords, and how many may be tried.
//!
//! Random secrets and links are looked at always, since that takes microseconds and nobody guesses 128 bits. What people made up is
//! tried on a thread of its own, for it takes 20 ms each, and only so often for each address.

mod once;
mod sessions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError, bounded};
use ring::hmac;

use self::once::OnceLinks;
use self::sessions::Sessions;
use super::access_files::random;
use crate::access::Access;
use crate::access::buckets::{Buckets, counted_as};
use crate::access::policy::{Holder, Policy, Reason};
use crate::access::secrets::{self, SecretHash};
use crate::access::session::BrowserSession;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::time::{Micros, now};

/// Wrong secrets of an address that are answered at once, and how often one more is.
const GUESSES_AT_ONCE: u32 = 10;
const GUESS_EVERY: Duration = Duration::from_secs(6);
/// Passwords that wait to be tried, at most. Each takes some 20 ms and 19 MiB.
const MOST_CHECKS: usize = 8;
/// And those of one address.
const MOST_CHECKS_OF_ADDRESS: usize = 2;
/// Results that are remembered: a client of HTTP shows its password with each request.
const REMEMBERED: usize = 256;

/// Who shows a link that is for one session: it is the same session if this is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionName {
    /// A program's, by the number that it made up when it started.
    Instance(u64),
    /// A browser's, by the hash of its cookie.
    Cookie(SecretHash),
    /// Whoever has neither, by its address.
    Address(IpAddr),
}

impl SessionName {
    pub(super) fn of_cookie(cookie: &str) -> Self {
        Self::Cookie(secrets::hash(cookie))
    }
}

/// What came of showing something.
#[derive(Debug, PartialEq)]
pub(super) enum Identified {
    /// It is this.
    Now(Holder),
    /// It is being looked at; ask again when [`Authenticator`] says that it has looked.
    Later,
}

/// Who shows what.
pub(super) struct Authenticator {
    guesses: Mutex<Buckets>,
    checks: Sender<(SecretHash, Secret)>,
    passwords: Arc<Mutex<Passwords>>,
    /// What is remembered of a password is made with this key, which nobody else has.
    key: hmac::Key,
    once: Mutex<OnceLinks>,
    sessions: Mutex<Sessions>,
}

/// What is known of passwords.
#[derive(Default)]
struct Passwords {
    /// With the address that each is from.
    waiting: HashMap<SecretHash, IpAddr>,
    good: HashMap<SecretHash, Arc<str>>,
    bad: HashSet<SecretHash>,
    order: VecDeque<SecretHash>,
}

impl Passwords {
    fn remember(&mut self, shown: SecretHash, found: Option<Arc<str>>) {
        self.waiting.remove(&shown);
        let is_new = match found {
            Some(kept) => self.good.insert(shown, kept).is_none(),
            None => self.bad.insert(shown),
        };
        if is_new {
            self.order.push_back(shown);
        }
        while self.order.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.good.remove(&oldest);
            self.bad.remove(&oldest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Authenticator {
    /// `checked` is called when a password has been tried.
    ///
    /// # Errors
    /// The system has no thread, or no random numbers.
    pub(super) fn start(
        access: &Arc<Access>,
        folder: Option<&Path>,
        checked: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let (checks, to_check) = bounded::<(SecretHash, Secret)>(MOST_CHECKS);
        let passwords = Arc::new(Mutex::new(Passwords::default()));
        let (known, access) = (passwords.clone(), access.clone());
        // A hub that asks for nothing tries nothing.
        if access.policy().asks() {
            std::thread::Builder::new()
                .name("passwords".into())
                .spawn(move || {
                    for (shown, password) in to_check {
                        let policy = access.policy();
                        let found = policy.made_up().find(|kept| secrets::is_made_up(password.expose(), kept));
                        lock(&known).remember(shown, found.cloned());
                        checked();
                    }
                })
                .map_err(|e| Error::io("cannot start a thread", e))?;
        }
        Ok(Self {
            guesses: Mutex::new(Buckets::new(GUESSES_AT_ONCE, GUESS_EVERY)),
            checks,
            passwords,
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?),
            once: Mutex::new(OnceLinks::read(folder)),
            sessions: Mutex::default(),
        })
    }

    /// Who shows this.
    pub(super) fn identify(&self, access: &Access, shown: &Secret, from: IpAddr, session: SessionName) -> Identified {
        let policy = access.policy();
        if !policy.asks() {
            return Identified::Now(Holder::Nobody);
        }
        if shown.expose().len() > Secret::LONGEST {
            return Identified::Now(self.guessed(from, now()));
        }
        match policy.holder(shown.expose()) {
            Some(Holder::Link(link)) if link.once => {
                let holder = if lock(&self.once).may_use(&link, session) {
                    Holder::Link(link)
                } else {
                    Holder::Refused(Reason::UsedElsewhere)
                };
                Identified::Now(holder)
            }
            Some(Holder::Refused(_)) => Identified::Now(self.guessed(from, now())),
            Some(holder) => Identified::Now(holder),
            None => self.try_password(&policy, shown, from, now()),
        }
    }

    /// Something wrong was shown.
    fn guessed(&self, from: IpAddr, at: Micros) -> Holder {
        let few = lock(&self.guesses).take(from, at);
        Holder::Refused(if few { Reason::Unknown } else { Reason::TooManyGuesses })
    }

    fn try_password(&self, policy: &Policy, shown: &Secret, from: IpAddr, at: Micros) -> Identified {
        let mut hash = SecretHash::default();
        let tag = hmac::sign(&self.key, shown.expose().as_bytes());
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        let mut passwords = lock(&self.passwords);
        let is_kept = |kept: &&Arc<str>| policy.made_up().any(|one| one == *kept);
        if let Some(kept) = passwords.good.get(&hash).filter(is_kept) {
            return Identified::Now(Holder::MadeUp(kept.clone()));
        }
        if passwords.waiting.contains_key(&hash) {
            return Identified::Later;
        }
        let refused = |reason| Identified::Now(Holder::Refused(reason));
        // One that was tried for this very answer is told it; asked again it counts again.
        if passwords.bad.remove(&hash) {
            return refused(Reason::Unknown);
        }
        let from = counted_as(from);
        if passwords.waiting.values().filter(|waits| **waits == from).count() >= MOST_CHECKS_OF_ADDRESS {
            return refused(Reason::Busy);
        }
        if !lock(&self.guesses).has(from, at) {
            return refused(Reason::TooManyGuesses);
        }
        match self.checks.try_send((hash, shown.clone())) {
            Ok(()) => {
                lock(&self.guesses).take(from, at);
                passwords.waiting.insert(hash, from);
                Identified::Later
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => refused(Reason::Busy),
        }
    }

    /// A link was good for something: if it is for one session, it is this session's.
    pub(super) fn use_link(&self, holder: &Holder, session: SessionName, now: u64) {
        if let Holder::Link(link) = holder
            && link.once
        {
            lock(&self.once).use_up(link, session, now);
        }
    }

    /// Whether this hub has given this cookie.
    pub(super) fn has_given(&self, cookie: &str) -> bool {
        let hash = secrets::hash(cookie);
        lock(&self.once).has(SessionName::Cookie(hash)) || lock(&self.sessions).get(&hash, now()).is_some()
    }

    /// A cookie for a new session; `None`: the system has no random numbers.
    pub(super) fn new_cookie(&self) -> Option<Secret> {
        random().ok().map(secrets::of_random)
    }

    /// Begins a browser's session with this cookie.
    pub(super) fn begin_session(&self, holder: Holder, from: IpAddr, cookie: &str) {
        lock(&self.sessions).begin(secrets::hash(cookie), holder, counted_as(from), now());
    }

    /// Who has this cookie, and its session, if one has it.
    pub(super) fn of_cookie(&self, cookie: &str) -> Option<(Holder, Arc<BrowserSession>)> {
        lock(&self.sessions).get(&secrets::hash(cookie), now())
    }

    /// Ends a browser's session, and with it all that it has let in.
    pub(super) fn end_session(&self, cookie: &str) {
        lock(&self.sessions).end(&secrets::hash(cookie));
    }

    /// Keeps what must outlive the hub: which links for one session were used, and by whom.
    pub(super) fn keep(&self, now: u64) {
        let to_write = lock(&self.once).written_anew(now);
        if let Some((path, text)) = to_write
            && let Err(error) = crate::net::state_dir::write_private(&path, &text, true)
        {
            log::warn!("which links for one session were used is not kept: {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests;
