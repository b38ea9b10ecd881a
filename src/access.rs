//! Who may do what at a hub. Everything that somebody may do takes a [`Grant`], and this file alone makes one, so an entrance
//! that does not ask does not compile. [`Access`] asks the [`policy`]; some grants follow from another.

pub(crate) mod buckets;
pub(crate) mod clock;
pub(crate) mod file;
pub(crate) mod link;
pub(crate) mod network;
pub(crate) mod permissions;
pub(crate) mod policy;
pub(crate) mod secrets;
pub(crate) mod session;

use core::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::permissions::{Permission, Scope};
use self::policy::{Holder, Policy, Reason};
use self::session::BrowserSession;
use crate::names::StreamKey;
use crate::wire::control::Cause;

// For tests and fuzz targets from outside.
pub use self::secrets::keep_made_up;

/// What is wrong with an access file.
///
/// # Errors
/// `line 7: …`.
pub fn check_file(text: &str) -> Result<(), String> {
    file::read(text).map(drop)
}

/// Whether a token is signed by one of these keys (lines of base64url) and says something that makes sense; all others may be given
/// to it. What it lets its holder do is nothing beyond what it says.
#[must_use]
pub fn is_link(keys: &str, token: &str) -> bool {
    link::SigningKeys::read(keys).is_ok_and(|keys| keys.verify(token).is_ok())
}

/// Who asks: all that the policy knows of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// What it says cannot be read on its way.
    pub(crate) encrypted: bool,
    /// A page of another place asks: what this machine and its network may do is not for it.
    pub(crate) elsewhere: bool,
    /// What it showed.
    pub(crate) holder: Holder,
    /// The browser's session by whose cookie it showed that.
    pub(crate) session: Option<Arc<BrowserSession>>,
}

impl Credentials {
    /// Of somebody who showed nothing.
    #[must_use]
    pub(crate) fn of_nobody(address: IpAddr, encrypted: bool) -> Self {
        Self { address, encrypted, elsewhere: false, holder: Holder::Nobody, session: None }
    }
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right<'a> {
    /// To publish a stream.
    Publish(&'a StreamKey),
    /// To watch a stream; without a name, the first of its room.
    Watch(&'a StreamKey),
    /// To publish some stream of a room.
    PublishSomewhere(&'a str),
    /// To be in a room, under this name: to publish there, to see all streams of the room, and to talk.
    Join(&'a StreamKey),
    /// To know what streams there are in a room, or in all, and how they are doing.
    List(Option<&'a str>),
    /// To read the hub's numbers.
    Metrics,
    /// To set the controls of a stream's camera; without a name, of the first of its room.
    Operate(&'a StreamKey),
    /// To give this away by a link.
    Share(&'a Permission),
}

impl Right<'_> {
    /// How the owner of a hub lets somebody do this.
    fn line(&self) -> Option<String> {
        match self {
            Self::Publish(key) => Some(format!("streamflow-hub link --publish {key}")),
            Self::PublishSomewhere(room) => Some(format!("streamflow-hub link --publish {room}")),
            Self::Watch(key) if key.name.is_empty() => Some(format!("streamflow-hub link --view {}", key.room)),
            Self::Watch(key) => Some(format!("streamflow-hub link --view {key}")),
            Self::Join(key) => Some(format!("streamflow-hub link --room {}", key.room)),
            Self::List(Some(room)) => Some(format!("streamflow-hub link --view {room}")),
            Self::List(None) => Some("streamflow-hub link --view '*'".into()),
            Self::Metrics => Some("streamflow-hub link --admin".into()),
            Self::Operate(key) if key.name.is_empty() => {
                Some(format!("streamflow-hub link --view {} --operate", key.room))
            }
            Self::Operate(key) => Some(format!("streamflow-hub link --view {key} --operate")),
            Self::Share(_) => None,
        }
    }
}

impl std::fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publish(key) => write!(f, "publish {key}"),
            Self::PublishSomewhere(room) => write!(f, "publish in room {room}"),
            // Whoever names no stream asks for the first one of the room.
            Self::Watch(key) if key.name.is_empty() => write!(f, "watch room {}", key.room),
            Self::Watch(key) => write!(f, "watch {key}"),
            Self::Join(key) => write!(f, "be in room {}", key.room),
            Self::List(Some(room)) => write!(f, "list the streams of room {room}"),
            Self::List(None) => f.write_str("list the streams of this hub"),
            Self::Metrics => f.write_str("read the numbers of this hub"),
            Self::Operate(key) => write!(f, "set the controls of {key}"),
            Self::Share(permission) => write!(f, "give others the right to {permission}"),
        }
    }
}

/// That somebody may not do what was asked for; the text says what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    what: String,
    pub(crate) reason: Reason,
    /// What the owner of the hub would type to let it.
    line: Option<String>,
}

impl std::error::Error for Denied {}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "you may not {}", self.what)?;
        if self.reason != Reason::Rule {
            write!(f, " {}", self.reason)?;
        }
        Ok(())
    }
}

impl Denied {
    /// How a program is told: whether something else to show would help.
    #[must_use]
    pub(crate) fn cause(&self) -> Cause {
        if self.reason.asks_for_credentials() { Cause::Unauthorized } else { Cause::Refused }
    }

    /// What whoever runs the hub would type to let it; `None`: that would not help.
    #[must_use]
    pub(crate) fn line(&self) -> Option<&str> {
        let helps = self.reason.asks_for_credentials() && self.reason != Reason::InTheClear;
        self.line.as_deref().filter(|_| helps)
    }

    /// The whole of it for people, with that line.
    #[must_use]
    pub(crate) fn with_line(&self) -> String {
        let line = self.line().map(|line| format!("; whoever runs the hub makes a link for that ({line})"));
        format!("{self}{}", line.unwrap_or_default())
    }
}

/// Publishing the stream of this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish(pub StreamKey);

/// Watching the stream of this key, or without a name the first of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch(pub StreamKey);

/// Being in the room of this key, under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join(pub StreamKey);

/// Knowing streams: of one room, or of all; those that whoever asks may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    room: Option<String>,
    sees: Vec<Scope>,
}

impl List {
    fn all_of(room: Option<String>) -> Self {
        Self { room, sees: vec![Scope::All] }
    }

    /// Whether this stream is one of them.
    pub(crate) fn has(&self, key: &StreamKey) -> bool {
        self.room.as_ref().is_none_or(|room| *room == key.room) && self.sees.iter().any(|scope| scope.covers(key))
    }
}

/// Setting the controls of the camera of this stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operate(pub StreamKey);

/// Giving this away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub Permission);

/// Reading the hub's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metrics;

/// What somebody was allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant<T>(T);

impl<T> Deref for Grant<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl Grant<Join> {
    /// Whoever is in a room publishes there under its own name.
    #[must_use]
    pub(crate) fn publish(&self) -> Grant<Publish> {
        Grant(Publish(self.0.0.clone()))
    }

    /// Whoever is in a room sees every stream in it.
    #[must_use]
    pub(crate) fn watch(&self, name: &str) -> Grant<Watch> {
        Grant(Watch(StreamKey::new(&self.0.0.room, name)))
    }
}

impl Grant<Metrics> {
    /// Whoever reads the hub's numbers knows what there is on it.
    #[must_use]
    pub(crate) fn list(&self) -> Grant<List> {
        Grant(List::all_of(None))
    }
}

impl Grant<List> {
    /// The program that hosts a hub may know what there is on it.
    #[must_use]
    pub(crate) fn of_host(room: Option<&str>) -> Self {
        Grant(List::all_of(room.map(str::to_string)))
    }
}

/// A rule that stands for the whole policy.
#[cfg(test)]
type Rule = dyn Fn(&Credentials, Right<'_>) -> bool + Send + Sync;

/// Decides who may do what, by a policy that may be replaced at any time. It has no clock: it is told the time.
pub(crate) struct Access {
    policy: Mutex<Arc<Policy>>,
    /// Counts the policies: whoever was let in by another one is asked again.
    version: AtomicU64,
    /// The time, in seconds since 1970.
    now: AtomicU64,
    #[cfg(test)]
    rule: Option<Box<Rule>>,
}

impl Access {
    /// By this policy.
    #[must_use]
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy: Mutex::new(Arc::new(policy)),
            version: AtomicU64::new(0),
            now: AtomicU64::new(0),
            #[cfg(test)]
            rule: None,
        }
    }

    /// By this rule.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn by(rule: impl Fn(&Credentials, Right<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { rule: Some(Box::new(rule)), ..Self::new(Policy::open()) }
    }

    /// The policy of now.
    #[must_use]
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another policy from now on.
    pub(crate) fn replace(&self, policy: Policy) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// How often the policy was replaced.
    #[must_use]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// It is so late now, in seconds since 1970. Clocks are set back, too.
    pub(crate) fn set_time(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// What it was told last.
    #[must_use]
    pub(crate) fn time(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// To publish a stream.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn publish(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Publish>, Denied> {
        self.ask(who, Right::Publish(&key))?;
        Ok(Grant(Publish(key)))
    }

    /// To publish some stream of a room; which one comes later.
    ///
    /// # Errors
    /// It may publish none.
    pub(crate) fn publish_somewhere(&self, who: &Credentials, room: &str) -> Result<(), Denied> {
        self.ask(who, Right::PublishSomewhere(room))
    }

    /// To watch a stream, or without a name the first of its room. Whoever may watch one stream of the room alone gets that.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn watch(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Watch>, Denied> {
        let Err(denied) = self.ask(who, Right::Watch(&key)) else { return Ok(Grant(Watch(key))) };
        let in_room = |scope: &Scope| match scope {
            Scope::Stream(one) if key.name.is_empty() && one.room == key.room => Some(one.clone()),
            _ => None,
        };
        let one = self.policy().sees(who, self.time()).iter().find_map(in_room).ok_or(denied)?;
        self.ask(who, Right::Watch(&one))?;
        Ok(Grant(Watch(one)))
    }

    /// To be in a room, under a name.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn join(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Join>, Denied> {
        self.ask(who, Right::Join(&key))?;
        Ok(Grant(Join(key)))
    }

    /// To know what streams there are in a room, or in all: those that it may see.
    ///
    /// # Errors
    /// It may see none.
    pub(crate) fn list(&self, who: &Credentials, room: Option<String>) -> Result<Grant<List>, Denied> {
        self.ask(who, Right::List(room.as_deref()))?;
        Ok(Grant(List { room, sees: self.policy().sees(who, self.time()) }))
    }

    /// To read the hub's numbers.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn metrics(&self, who: &Credentials) -> Result<Grant<Metrics>, Denied> {
        self.ask(who, Right::Metrics)?;
        Ok(Grant(Metrics))
    }

    /// To set the controls of a stream's camera.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn operate(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Operate>, Denied> {
        self.ask(who, Right::Operate(&key))?;
        Ok(Grant(Operate(key)))
    }

    /// To give a right away.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn share(&self, who: &Credentials, permission: Permission) -> Result<Grant<Share>, Denied> {
        self.ask(who, Right::Share(&permission))?;
        Ok(Grant(Share(permission)))
    }

    /// Whether what somebody showed lets it do anything.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn holds(&self, who: &Credentials) -> Result<(), Denied> {
        let held = self.policy().holds(&who.holder, self.time());
        held.map_err(|reason| Denied { what: "use this hub".into(), reason, line: None })
    }

    /// Whether somebody still may do this.
    ///
    /// # Errors
    /// It may not any more.
    pub(crate) fn ask(&self, who: &Credentials, right: Right<'_>) -> Result<(), Denied> {
        #[cfg(test)]
        if let Some(rule) = &self.rule {
            let denied = || Denied { what: right.to_string(), reason: Reason::Rule, line: None };
            return if rule(who, right) { Ok(()) } else { Err(denied()) };
        }
        let decided = self.policy().decide(who, right, self.time());
        decided.map_err(|reason| Denied { what: right.to_string(), reason, line: right.line() })
    }
}
