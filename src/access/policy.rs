//! The decision: whether somebody may do something, by what was shown, where it comes from, and the time.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::clock::{ClockCheck, day};
use super::file::{AccessFile, PlainRule};
use super::link::{BadLink, SignedLink, SigningKeys};
use super::permissions::{AccessRole, Permission, Scope};
use super::secrets::{self, KeptSecret, SecretHash};
use super::{Credentials, Right};

/// What somebody showed, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Holder {
    /// Nothing.
    Nobody,
    /// A random secret, by its hash.
    Secret(SecretHash),
    /// A secret that somebody made up, by what is kept of it.
    MadeUp(Arc<str>),
    /// A link that this hub has signed.
    Link(Arc<SignedLink>),
    /// Something that does not let it in.
    Refused(Reason),
}

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nothing was shown.
    Wanted,
    /// It is not one of this hub's.
    Unknown,
    /// The link has ended, at this time.
    Ended(u64),
    /// It holds from this time on.
    NotYet(u64),
    Revoked,
    /// The browser has logged out.
    LoggedOut,
    /// It was for one session, and another one has it.
    UsedElsewhere,
    /// Whether the link has ended cannot be told.
    ClockUnset,
    /// This is what it is good for.
    NotFor(String),
    /// So many wrong secrets came from this address that none is looked at now.
    TooManyGuesses,
    /// Too many others are being looked at.
    Busy,
    /// What it says can be read on its way.
    InTheClear,
    /// The hub is for this machine alone.
    ThisMachine,
    /// A page of another place asks, and shows nothing of its own.
    Elsewhere,
    /// Another rule says no.
    Rule,
}

impl Reason {
    /// Whether something else to show would help.
    pub(crate) fn asks_for_credentials(&self) -> bool {
        !matches!(
            self,
            Self::Rule | Self::ThisMachine | Self::Elsewhere | Self::TooManyGuesses | Self::Busy | Self::InTheClear
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted => f.write_str("without a link or a secret of this hub"),
            Self::Unknown => f.write_str("with what you showed: this hub does not know it, or not any more"),
            Self::Ended(at) => write!(f, "any more: the link ended at {}", day(*at)),
            Self::NotYet(at) => write!(f, "yet: the link holds from {} on", day(*at)),
            Self::Revoked => f.write_str("any more: the link was revoked"),
            Self::LoggedOut => f.write_str("any more: this browser has logged out"),
            Self::UsedElsewhere => f.write_str("with this link: it was for one session, and another one has used it"),
            Self::ClockUnset => f.write_str("with a link that ends while the clock of this hub is not set"),
            Self::NotFor(has) if has.is_empty() => f.write_str("with this link, which is for nothing"),
            Self::NotFor(has) => write!(f, "with what you showed, which is for: {has}"),
            Self::TooManyGuesses => f.write_str("now: too many wrong secrets came from your address; wait a minute"),
            Self::Busy => f.write_str("now: the hub looks at other secrets; try again in a second"),
            Self::InTheClear => f.write_str(
                "without encryption from another machine: use a program that encrypts, or let its access file name your network",
            ),
            Self::ThisMachine => f.write_str("from another machine"),
            Self::Elsewhere => {
                f.write_str("from a page of another place, unless it shows a link or a secret of its own")
            }
            Self::Rule => Ok(()),
        }
    }
}

/// Links that do not hold any more before they end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RevokedLinks {
    ids: HashSet<String>,
    /// All that were made before this time, in seconds since 1970, or do not say when.
    before: u64,
}

impl RevokedLinks {
    /// From the lines of a file: `before SECONDS`, or the name of a link.
    pub(crate) fn read(text: &str) -> Self {
        let mut this = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("before ").map(str::parse) {
                Some(Ok(before)) => this.before = this.before.max(before),
                _ => drop(this.ids.insert(line.to_owned())),
            }
        }
        this
    }

    fn has(&self, link: &SignedLink) -> bool {
        let ids = [&link.id, &link.by];
        link.made < self.before || ids.into_iter().flatten().any(|id| self.ids.contains(id))
    }
}

/// Whom a hub lets in without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Everybody.
    Nobody,
    /// This machine; and others are not let in at all.
    Others,
    /// Nobody.
    Everybody,
}

/// Who may do what.
#[derive(Debug)]
pub(crate) struct Policy {
    asks: Asks,
    secrets: Vec<(SecretHash, Permission)>,
    made_up: Vec<(Arc<str>, Permission)>,
    plain: Vec<PlainRule>,
    anyone: Vec<Permission>,
    keys: SigningKeys,
    revoked: RevokedLinks,
    clock: ClockCheck,
}

impl Policy {
    /// Everybody may do everything.
    pub(crate) fn open() -> Self {
        Self::with(Asks::Nobody, AccessFile::default(), SigningKeys::none(), RevokedLinks::default())
    }

    /// Everybody on this machine may do everything, and nobody else anything.
    pub(crate) fn of_this_machine() -> Self {
        Self { asks: Asks::Others, ..Self::open() }
    }

    /// What a file says, and links that these keys have signed and that were not revoked. The holder of the local secret may do
    /// everything.
    pub(crate) fn of_file(
        file: AccessFile,
        local: Option<SecretHash>,
        keys: SigningKeys,
        revoked: RevokedLinks,
    ) -> Self {
        let mut this = Self::with(Asks::Everybody, file, keys, revoked);
        this.secrets.extend(local.map(|hash| (hash, Permission::all())));
        this
    }

    /// Whether the clock is set, if it shows this. If not, no link that ends can be judged, nor made.
    pub(crate) fn is_clock_set(&self, now: u64) -> bool {
        self.clock.is_set(now)
    }

    /// By this it is told whether the clock is set.
    pub(crate) fn judging(self, clock: ClockCheck) -> Self {
        Self { clock, ..self }
    }

    fn with(asks: Asks, file: AccessFile, keys: SigningKeys, revoked: RevokedLinks) -> Self {
        let (mut secrets, mut made_up) = (Vec::new(), Vec::new());
        for rule in file.secrets {
            match rule.secret {
                KeptSecret::Random(hash) => secrets.push((hash, rule.permission)),
                KeptSecret::MadeUp(kept) => made_up.push((kept.into(), rule.permission)),
            }
        }
        Self {
            asks,
            secrets,
            made_up,
            plain: file.plain,
            anyone: file.anyone,
            keys,
            revoked,
            clock: ClockCheck::after(None),
        }
    }

    /// Whether it asks for anything.
    pub(crate) fn asks(&self) -> bool {
        self.asks == Asks::Everybody
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.asks == Asks::Nobody
    }

    /// Those secrets that people made up.
    pub(crate) fn made_up(&self) -> impl Iterator<Item = &Arc<str>> {
        self.made_up.iter().map(|(kept, _)| kept)
    }

    /// Who shows this; `None`: it may be a secret that somebody made up. All are looked at, whichever it is.
    pub(crate) fn holder(&self, shown: &str) -> Option<Holder> {
        if SigningKeys::looks_like_token(shown) {
            return Some(match self.keys.verify(shown) {
                Ok(link) => Holder::Link(Arc::new(link)),
                Err(BadLink::Unknown | BadLink::Claims) => Holder::Refused(Reason::Unknown),
            });
        }
        let shown = secrets::hash(shown);
        let known = self.secrets.iter().filter(|(hash, _)| secrets::is_same(hash, &shown)).count();
        (known > 0).then_some(Holder::Secret(shown)).or(if self.made_up.is_empty() {
            Some(Holder::Refused(Reason::Unknown))
        } else {
            None
        })
    }

    /// Whether what was shown holds now.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn holds(&self, holder: &Holder, now: u64) -> Result<(), Reason> {
        let link = match holder {
            Holder::Link(link) => link,
            Holder::Nobody => return Err(Reason::Wanted),
            Holder::Refused(reason) => return Err(reason.clone()),
            Holder::Secret(_) | Holder::MadeUp(_) => {
                return if self.held(holder).is_empty() { Err(Reason::Unknown) } else { Ok(()) };
            }
        };
        if !self.keys.has(link.key) {
            return Err(Reason::Unknown);
        }
        if self.revoked.has(link) {
            return Err(Reason::Revoked);
        }
        // What a secret has given away goes with it.
        if link.by.as_ref().is_some_and(|by| by.starts_with(OF_SECRET) && !self.secret_names().any(|name| name == *by))
        {
            return Err(Reason::Revoked);
        }
        if !self.clock.is_set(now) && (link.ends.is_some() || link.begins > 0) {
            return Err(Reason::ClockUnset);
        }
        if let Some(at) = link.ends.filter(|at| now >= *at) {
            return Err(Reason::Ended(at));
        }
        if now < link.begins { Err(Reason::NotYet(link.begins)) } else { Ok(()) }
    }

    /// What links say that were given away by the holders of secrets.
    fn secret_names(&self) -> impl Iterator<Item = String> {
        let random = self.secrets.iter().map(|(hash, _)| name_of_secret(hash));
        random.chain(self.made_up.iter().map(|(kept, _)| name_of_secret(&secrets::hash(kept))))
    }

    /// What is held by what was shown, if it holds.
    fn held<'a>(&'a self, holder: &'a Holder) -> Vec<&'a Permission> {
        match holder {
            Holder::Secret(shown) => {
                self.secrets.iter().filter(|(hash, _)| hash == shown).map(|(_, held)| held).collect()
            }
            Holder::MadeUp(shown) => {
                self.made_up.iter().filter(|(kept, _)| kept == shown).map(|(_, held)| held).collect()
            }
            Holder::Link(link) => link.permissions.iter().collect(),
            Holder::Nobody | Holder::Refused(_) => Vec::new(),
        }
    }

    /// Whether somebody may speak as it does: encrypted, from this machine, or by a rule for its network.
    pub(crate) fn may_speak(&self, who: &Credentials) -> Result<(), Reason> {
        let local = who.address.to_canonical().is_loopback();
        match self.asks {
            Asks::Nobody => Ok(()),
            _ if local => Ok(()),
            Asks::Others => Err(Reason::ThisMachine),
            Asks::Everybody if who.encrypted || self.plain.iter().any(|rule| rule.from.has(who.address)) => Ok(()),
            Asks::Everybody => Err(Reason::InTheClear),
        }
    }

    /// All that somebody may do, and why not more.
    fn permissions<'a>(&'a self, who: &'a Credentials, now: u64) -> (Vec<&'a Permission>, Option<Reason>) {
        let is_over = who.session.as_ref().is_some_and(|session| session.is_over());
        let why = if is_over { Some(Reason::LoggedOut) } else { self.holds(&who.holder, now).err() };
        let mut all = if why.is_none() { self.held(&who.holder) } else { Vec::new() };
        // Where a page of another place asks, its browser's place on the network is not its own.
        if !who.elsewhere {
            let plain = |rule: &&PlainRule| !who.encrypted && rule.from.has(who.address);
            all.extend(self.plain.iter().filter(plain).map(|rule| &rule.permission));
            all.extend(&self.anyone);
        }
        (all, why)
    }

    /// Whether somebody may do this now.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn decide(&self, who: &Credentials, right: Right<'_>, now: u64) -> Result<(), Reason> {
        self.may_speak(who)?;
        if self.asks != Asks::Everybody {
            return Ok(());
        }
        let (all, why) = self.permissions(who, now);
        let any = |role: AccessRole, is: &dyn Fn(&Scope) -> bool| {
            all.iter().any(|permission| permission.scopes_of(role).iter().any(is))
        };
        let is_allowed = match right {
            Right::Publish(key) => any(AccessRole::Publish, &|scope| scope.covers(key)),
            Right::PublishSomewhere(room) => any(AccessRole::Publish, &|scope| scope.is_in_room(room)),
            Right::Watch(key) if key.name.is_empty() => any(AccessRole::View, &|scope| scope.covers_room(&key.room)),
            Right::Watch(key) => any(AccessRole::View, &|scope| scope.covers(key)),
            Right::Join(key) => {
                any(AccessRole::View, &|scope| scope.covers_room(&key.room))
                    && any(AccessRole::Publish, &|scope| scope.covers(key))
            }
            Right::List(room) => {
                let is = |scope: &Scope| room.is_none_or(|room| scope.is_in_room(room));
                any(AccessRole::View, &is) || any(AccessRole::Admin, &is)
            }
            Right::Metrics => any(AccessRole::Admin, &|_| true),
            Right::Operate(key) if key.name.is_empty() => {
                any(AccessRole::Operate, &|scope| scope.covers_room(&key.room))
            }
            Right::Operate(key) => any(AccessRole::Operate, &|scope| scope.covers(key)),
            Right::Share(permission) => {
                let roles = AccessRole::ALL.into_iter().filter(|role| permission.roles.has(*role));
                roles
                    .chain([AccessRole::Operate])
                    .all(|role| permission.scopes.iter().all(|wanted| any(role, &|scope| scope.includes(wanted))))
            }
        };
        if is_allowed {
            return Ok(());
        }
        let all: Vec<_> = all.into_iter().map(ToString::to_string).collect();
        Err(match why {
            _ if who.elsewhere && who.holder == Holder::Nobody => Reason::Elsewhere,
            None => Reason::NotFor(all.join("; ")),
            Some(why) => why,
        })
    }

    /// The streams that somebody may see.
    pub(crate) fn sees(&self, who: &Credentials, now: u64) -> Vec<Scope> {
        if self.asks != Asks::Everybody {
            return vec![Scope::All];
        }
        let (all, _) = self.permissions(who, now);
        let of = |role| all.iter().flat_map(move |permission| permission.scopes_of(role)).cloned();
        of(AccessRole::View).chain(of(AccessRole::Admin)).collect()
    }

    /// What somebody may do, for whoever asks for it itself; and when that ends.
    pub(crate) fn summary(&self, who: &Credentials, now: u64) -> (Vec<Permission>, Option<u64>) {
        if self.asks != Asks::Everybody {
            return (vec![Permission::all()], None);
        }
        (self.permissions(who, now).0.into_iter().cloned().collect(), who.holder.ends())
    }

    /// Signs a link.
    pub(crate) fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// What everybody may do.
    pub(crate) fn anyone(&self) -> &[Permission] {
        &self.anyone
    }

    /// From where it lets in what is not encrypted.
    pub(crate) fn plain(&self) -> &[PlainRule] {
        &self.plain
    }
}

/// Before the name of a secret whose holder has made a link.
const OF_SECRET: &str = "secret-";

/// What is told of a secret in the links that its holder has made: it tells them apart, and nothing of them.
fn name_of_secret(hash: &SecretHash) -> String {
    let again = secrets::hash(&data_encoding::HEXLOWER.encode(hash));
    format!("{OF_SECRET}{}", data_encoding::HEXLOWER.encode(again.get(..8).unwrap_or_default()))
}

impl Holder {
    /// What the links say that it gives away, by which they end with it; `None`: it may give none away.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Secret(hash) => Some(name_of_secret(hash)),
            Self::MadeUp(kept) => Some(name_of_secret(&secrets::hash(kept))),
            // One for one session would be one for many.
            Self::Link(link) if link.once || link.by.is_some() => None,
            Self::Link(link) => link.id.clone(),
            Self::Nobody | Self::Refused(_) => None,
        }
    }

    /// When what it holds ends.
    pub(crate) fn ends(&self) -> Option<u64> {
        if let Self::Link(link) = self { link.ends } else { None }
    }
}

#[cfg(test)]
mod tests;
