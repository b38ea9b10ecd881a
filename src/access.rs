//! Who may do what at a hub. Everything that somebody may do takes a [`Grant`], and this file alone makes one, so an entrance
//! that does not ask does not compile. [`Access`] asks the rule; some grants follow from another. The rule of today says yes to everybody; what a token or a key allows will be said here.

use core::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::names::StreamKey;

/// Who asks: all that the rule knows of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Where the connection comes from.
    pub address: IpAddr,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right<'a> {
    /// To publish a stream.
    Publish(&'a StreamKey),
    /// To watch a stream; without a name, the first of its room.
    Watch(&'a StreamKey),
    /// To be in a room, under this name: to publish there, to see all streams of the room, and to talk.
    Join(&'a StreamKey),
    /// To know what streams there are in a room, or in all, and how they are doing.
    List(Option<&'a str>),
    /// To read the hub's numbers.
    Metrics,
}

impl std::fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publish(key) => write!(f, "publish {key}"),
            Self::Watch(key) => write!(f, "watch {key}"),
            Self::Join(key) => write!(f, "be in room {}", key.room),
            Self::List(Some(room)) => write!(f, "list the streams of room {room}"),
            Self::List(None) => f.write_str("list the streams of this hub"),
            Self::Metrics => f.write_str("read the numbers of this hub"),
        }
    }
}

/// That somebody may not do what was asked for; the text says what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("you may not {0}")]
pub(crate) struct Denied(String);

/// Publishing the stream of this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish(pub StreamKey);

/// Watching the stream of this key, or without a name the first of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch(pub StreamKey);

/// Being in the room of this key, under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join(pub StreamKey);

/// Knowing the streams of this room, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List(pub Option<String>);

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

    /// Whoever is in a room knows what there is in it.
    #[must_use]
    pub(crate) fn list(&self) -> Grant<List> {
        Grant(List(Some(self.0.0.room.clone())))
    }
}

impl Grant<Metrics> {
    /// Whoever reads the hub's numbers knows what there is on it.
    #[must_use]
    pub(crate) fn list(&self) -> Grant<List> {
        Grant(List(None))
    }
}

impl Grant<List> {
    /// The program that hosts a hub may know what there is on it.
    #[must_use]
    pub(crate) fn of_host(room: Option<&str>) -> Self {
        Grant(List(room.map(str::to_string)))
    }
}

/// A rule: whether somebody may do something.
type Rule = dyn Fn(&Credentials, Right<'_>) -> bool + Send + Sync;

/// Decides who may do what.
#[derive(Clone)]
pub(crate) struct Access {
    rule: Arc<Rule>,
}

impl Default for Access {
    /// Everybody may do everything.
    fn default() -> Self {
        Self::by(|_, _| true)
    }
}

impl Access {
    /// By this rule.
    #[must_use]
    pub(crate) fn by(rule: impl Fn(&Credentials, Right<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { rule: Arc::new(rule) }
    }

    /// To publish a stream.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn publish(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Publish>, Denied> {
        self.ask(who, Right::Publish(&key))?;
        Ok(Grant(Publish(key)))
    }

    /// To watch a stream, or without a name the first of its room.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn watch(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Watch>, Denied> {
        self.ask(who, Right::Watch(&key))?;
        Ok(Grant(Watch(key)))
    }

    /// To be in a room, under a name.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn join(&self, who: &Credentials, key: StreamKey) -> Result<Grant<Join>, Denied> {
        self.ask(who, Right::Join(&key))?;
        Ok(Grant(Join(key)))
    }

    /// To know what streams there are in a room, or in all.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn list(&self, who: &Credentials, room: Option<String>) -> Result<Grant<List>, Denied> {
        self.ask(who, Right::List(room.as_deref()))?;
        Ok(Grant(List(room)))
    }

    /// To read the hub's numbers.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn metrics(&self, who: &Credentials) -> Result<Grant<Metrics>, Denied> {
        self.ask(who, Right::Metrics)?;
        Ok(Grant(Metrics))
    }

    fn ask(&self, who: &Credentials, right: Right<'_>) -> Result<(), Denied> {
        if (self.rule)(who, right) { Ok(()) } else { Err(Denied(right.to_string())) }
    }
}
