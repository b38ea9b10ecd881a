//! What somebody may do, and with which streams.

use std::fmt;
use std::str::FromStr;

use crate::names::StreamKey;

/// What a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessRole {
    /// To watch.
    View,
    /// To publish.
    Publish,
    /// To steer cameras and recordings, and to give links away.
    Operate,
    /// To watch recordings.
    Replay,
    /// To read the hub's numbers and all of its API.
    Admin,
}

impl AccessRole {
    pub(crate) const ALL: [Self; 5] = [Self::View, Self::Publish, Self::Operate, Self::Replay, Self::Admin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Publish => "publish",
            Self::Operate => "operate",
            Self::Replay => "replay",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromStr for AccessRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("there is no role '{text:.40}': view, publish, operate, replay or admin"))
    }
}

/// Some roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessRoles(u8);

impl AccessRoles {
    pub(crate) const ALL: Self = Self(0b1_1111);

    pub(crate) fn has(self, role: AccessRole) -> bool {
        self.0 & role.bit() != 0
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        AccessRole::ALL.into_iter().filter(move |role| self.has(*role)).map(AccessRole::name)
    }
}

impl FromIterator<AccessRole> for AccessRoles {
    fn from_iter<I: IntoIterator<Item = AccessRole>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

/// Some streams: all, those of a room, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Room(String),
    Stream(StreamKey),
}

impl Scope {
    pub(crate) fn covers(&self, key: &StreamKey) -> bool {
        match self {
            Self::All => true,
            Self::Room(room) => *room == key.room,
            Self::Stream(one) => one == key,
        }
    }

    /// Whether every stream of the room is in it.
    pub(crate) fn covers_room(&self, room: &str) -> bool {
        match self {
            Self::All => true,
            Self::Room(own) => own == room,
            Self::Stream(_) => false,
        }
    }

    /// Whether some stream of the room is in it.
    pub(crate) fn is_in_room(&self, room: &str) -> bool {
        match self {
            Self::All => true,
            Self::Room(own) => own == room,
            Self::Stream(key) => key.room == room,
        }
    }

    /// Whether all that the other one has is in it.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        match other {
            Self::All => *self == Self::All,
            Self::Room(room) => self.covers_room(room),
            Self::Stream(key) => self.covers(key),
        }
    }
}

/// `*`, `ROOM/*` or `ROOM`, `ROOM/NAME`.
impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        let (room, name) = text.split_once('/').unwrap_or((text, "*"));
        match (room, name) {
            ("*", "*") => Ok(Self::All),
            (room, "*") => StreamKey::parse_to_watch(room, "").map(|key| Self::Room(key.room)),
            (room, name) => StreamKey::parse(room, name).map(Self::Stream),
        }
        .map_err(|why: String| format!("'{text:.80}' names no streams ({why}): write ROOM/NAME, ROOM/* or *"))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Room(room) => write!(f, "{room}/*"),
            Self::Stream(key) => write!(f, "{key}"),
        }
    }
}

/// Some roles for some streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) roles: AccessRoles,
    pub(crate) scopes: Vec<Scope>,
}

impl Permission {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self { roles: AccessRoles::ALL, scopes: vec![Scope::All] }
    }

    pub(crate) fn of(roles: impl IntoIterator<Item = AccessRole>, scope: Scope) -> Self {
        Self { roles: roles.into_iter().collect(), scopes: vec![scope] }
    }

    /// Its streams, if it has this role for them.
    pub(crate) fn scopes_of(&self, role: AccessRole) -> &[Scope] {
        if self.roles.has(role) { &self.scopes } else { &[] }
    }
}

/// In words: `view main/*, publish main/door`.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: Vec<String>| items.join(" and ");
        let roles = list(self.roles.names().map(str::to_owned).collect());
        write!(f, "{roles} {}", list(self.scopes.iter().map(ToString::to_string).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_as_people_write_them() {
        let scope = |text: &str| text.parse::<Scope>();
        for all in ["*", "*/*", " * "] {
            assert_eq!(scope(all), Ok(Scope::All), "{all}");
        }
        for room in ["main", "main/", "main/*"] {
            assert_eq!(scope(room), Ok(Scope::Room("main".into())), "{room}");
        }
        assert_eq!(scope("main/door"), Ok(Scope::Stream(StreamKey::new("main", "door"))));
        for wrong in ["", "/", "*/door", "ma in/*", "main/do or", "a/b/c", "ma*/x", "main/d*"] {
            assert!(scope(wrong).is_err_and(|why| why.contains("ROOM/NAME")), "{wrong}");
        }
        for text in ["*", "lab/*", "lab/cam"] {
            assert_eq!(scope(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn one_scope_includes_another_or_not() {
        let [all, lab, cam] = ["*", "lab/*", "lab/cam"].map(|text| text.parse::<Scope>().unwrap());
        assert!(all.includes(&lab) && all.includes(&cam) && lab.includes(&cam) && cam.includes(&cam));
        assert!(!lab.includes(&all) && !cam.includes(&lab) && !cam.includes(&all));
        assert!(cam.is_in_room("lab") && !cam.covers_room("lab") && !cam.is_in_room("main"));
        assert!(lab.covers(&StreamKey::new("lab", "x")) && !lab.covers(&StreamKey::new("main", "x")));
    }

    #[test]
    fn every_role_is_read_as_it_is_called() {
        for role in AccessRole::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert!(AccessRoles::ALL.has(role) && AccessRoles::from_iter([role]).has(role));
        }
        assert!("root".parse::<AccessRole>().is_err());
        assert!(!AccessRoles::from_iter([AccessRole::View]).has(AccessRole::Publish));
    }
}
