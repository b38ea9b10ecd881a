//! The access file: who may do what, as its owner writes it (TOML). `docs/security.md` has an example.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::network::Network;
use super::permissions::{AccessRole, Permission, Scope};
use super::secrets::{self, KeptSecret};
use crate::secret::Secret;
use crate::text::Untrusted;

/// A longer file is not read.
pub(crate) const LONGEST_FILE: usize = 1 << 20;
/// Secrets that people made up at most: each may have to be tried.
const MOST_MADE_UP: usize = 32;

/// A secret, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretRule {
    /// What it is called where it is spoken of.
    pub(crate) name: String,
    pub(crate) secret: KeptSecret,
    pub(crate) permission: Permission,
}

/// What those may do who come from a network without encryption, and show nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainRule {
    pub(crate) from: Network,
    pub(crate) permission: Permission,
}

/// What an access file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessFile {
    pub(crate) secrets: Vec<SecretRule>,
    pub(crate) plain: Vec<PlainRule>,
    /// What everybody may do whose connection is encrypted.
    pub(crate) anyone: Vec<Permission>,
}

/// Reads an access file.
///
/// # Errors
/// `line 7: …`, what is wrong there. No value is quoted, for it may be a secret.
pub(crate) fn read(text: &str) -> Result<AccessFile, String> {
    let line = |at: usize| text.get(..at).unwrap_or(text).bytes().filter(|b| *b == b'\n').count() + 1;
    let said = |(at, why): Wrong| format!("line {}: {:.300}", line(at), Untrusted(why));
    let table = DeTable::parse(text).map_err(|error| {
        let why = error.message().lines().next().unwrap_or_default().to_owned();
        said((error.span().map_or(0, |span| span.start), why))
    })?;
    let mut file = AccessFile::default();
    for (key, value) in table.get_ref() {
        let read = match &**key.get_ref() {
            "secret" => tables(value).and_then(|all| all.iter().try_for_each(|one| file.add_secret(one))),
            "plain" => tables(value).and_then(|all| all.iter().try_for_each(|one| file.add_plain(one))),
            "anyone" => tables(value).and_then(|all| all.iter().try_for_each(|one| file.add_anyone(one))),
            _ => Err((key.span().start, "this is none of secret, plain and anyone".into())),
        };
        read.map_err(said)?;
    }
    Ok(file)
}

/// The secret of this name in a file, as it stands there, if it is a random one.
pub(crate) fn secret_named(text: &str, name: &str) -> Option<Secret> {
    let table = DeTable::parse(text).ok()?;
    let (_, secrets) = table.get_ref().iter().find(|(key, _)| &**key.get_ref() == "secret")?;
    let entries = tables(secrets).ok()?;
    let is_named = |entry: &&Entry<'_>| entry.texts("name").is_ok_and(|found| found.is_some_and(|(_, n)| n == [name]));
    let (_, secret) = entries.iter().find(is_named)?.texts("secret").ok()??;
    secret.first().filter(|secret| secrets::looks_random(secret)).map(|secret| Secret::from(*secret))
}

/// Where something is wrong, and what.
type Wrong = (usize, String);

/// One of the file's tables, and where it begins.
struct Entry<'a> {
    at: usize,
    values: &'a DeTable<'a>,
}

/// One table, or several.
fn tables<'a>(value: &'a Spanned<DeValue<'a>>) -> Result<Vec<Entry<'a>>, Wrong> {
    let one = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
        DeValue::Table(values) => Ok(Entry { at: value.span().start, values }),
        _ => Err((value.span().start, "a table belongs here, as [[secret]]".into())),
    };
    match value.get_ref() {
        DeValue::Array(many) => many.iter().map(one).collect(),
        _ => Ok(vec![one(value)?]),
    }
}

impl<'a> Entry<'a> {
    /// Refuses what is spelled wrong.
    fn has_only(&self, known: &[&str]) -> Result<(), Wrong> {
        let stranger = self.values.keys().find(|key| !known.contains(&&**key.get_ref()));
        stranger.map_or(Ok(()), |key| Err((key.span().start, format!("this is none of {}", known.join(", ")))))
    }

    /// The texts of a value: one, or a list.
    fn texts(&self, name: &str) -> Result<Option<(usize, Vec<&'a str>)>, Wrong> {
        let Some((_, value)) = self.values.iter().find(|(key, _)| &**key.get_ref() == name) else { return Ok(None) };
        let at = value.span().start;
        let one = |value: &'a DeValue<'a>| {
            value.as_str().ok_or_else(|| (at, format!("'{name}' is a text in quotes, or a list of such")))
        };
        let texts = match value.get_ref() {
            DeValue::Array(many) => many.iter().map(|value| one(value.get_ref())).collect::<Result<_, _>>()?,
            value => vec![one(value)?],
        };
        Ok(Some((at, texts)))
    }

    fn needed(&self, name: &str) -> Result<(usize, Vec<&'a str>), Wrong> {
        let missing = || (self.at, format!("'{name}' is missing here"));
        self.texts(name)?.filter(|(_, texts)| !texts.is_empty()).ok_or_else(missing)
    }

    fn permission(&self) -> Result<Permission, Wrong> {
        let (at, roles) = self.needed("role")?;
        let roles = roles.into_iter().map(|role| role.parse::<AccessRole>().map_err(|why| (at, why)));
        let (at, scopes) = self.texts("stream")?.unwrap_or((0, vec!["*"]));
        let scopes = scopes.into_iter().map(|scope| scope.parse::<Scope>().map_err(|why| (at, why)));
        Ok(Permission { roles: roles.collect::<Result<_, _>>()?, scopes: scopes.collect::<Result<_, _>>()? })
    }
}

impl AccessFile {
    fn add_secret(&mut self, entry: &Entry<'_>) -> Result<(), Wrong> {
        entry.has_only(&["name", "secret", "role", "stream"])?;
        let (at, texts) = entry.needed("secret")?;
        let name = entry.texts("name")?.map_or_else(String::new, |(_, names)| names.concat());
        let permission = entry.permission()?;
        for text in texts {
            let secret = KeptSecret::read(text).map_err(|why| (at, why))?;
            self.secrets.push(SecretRule { name: name.clone(), secret, permission: permission.clone() });
        }
        if self.secrets.iter().filter(|rule| matches!(rule.secret, KeptSecret::MadeUp(_))).count() > MOST_MADE_UP {
            return Err((at, format!("{MOST_MADE_UP} secrets at most may be made up")));
        }
        Ok(())
    }

    fn add_plain(&mut self, entry: &Entry<'_>) -> Result<(), Wrong> {
        entry.has_only(&["from", "role", "stream"])?;
        let (at, networks) = entry.needed("from")?;
        let permission = entry.permission()?;
        for network in networks {
            let from = network.parse().map_err(|why| (at, why))?;
            self.plain.push(PlainRule { from, permission: permission.clone() });
        }
        Ok(())
    }

    fn add_anyone(&mut self, entry: &Entry<'_>) -> Result<(), Wrong> {
        entry.has_only(&["role", "stream"])?;
        self.anyone.push(entry.permission()?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
plain = { from = "192.168.1.0/24", role = "view", stream = "main/*" }
anyone = { role = "view", stream = "lobby/door" }

# A robot that publishes its own camera, and sees all others.
[[secret]]
name = "robot"
secret = "q83vEjRWeJCrze8SNFZ4kA"
role = ["publish", "view"]
stream = ["main/robot", "lab/*"]

[[secret]]
secret = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
role = "admin"
"#;

    #[test]
    fn a_file_says_who_may_do_what() {
        let file = read(GOOD).unwrap();
        let said: Vec<_> = file.secrets.iter().map(|rule| (&*rule.name, rule.permission.to_string())).collect();
        assert_eq!(said[0], ("robot", "view and publish main/robot and lab/*".into()));
        assert_eq!(said[1], ("", "admin *".into()));
        assert_eq!(
            (file.plain[0].from.to_string(), file.plain[0].permission.to_string()),
            ("192.168.1.0/24".into(), "view main/*".into())
        );
        assert_eq!(file.anyone[0].to_string(), "view lobby/door");
        assert_eq!(read(""), Ok(AccessFile::default()));
        let many =
            "[[plain]]\nfrom = ['10.0.0.1', '10.0.0.2']\nrole = 'publish'\n[[plain]]\nfrom = '::1'\nrole = 'view'\n";
        assert_eq!(read(many).unwrap().plain.len(), 3);
    }

    #[test]
    fn a_secret_is_found_by_its_name() {
        assert_eq!(secret_named(GOOD, "robot"), Some("q83vEjRWeJCrze8SNFZ4kA".into()));
        assert_eq!(
            (secret_named(GOOD, "other"), secret_named("", "robot"), secret_named("secret = 1", "x")),
            (None, None, None)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_the_secret() {
        for (text, line, word) in [
            (GOOD.replace("main/robot", "main/*/x"), 10, "ROOM/NAME"),
            (GOOD.replace("\"admin\"", "\"root\""), 14, "there is no role"),
            (GOOD.replace("192.168.1.0/24", "192.168.1"), 2, "no address"),
            (GOOD.replace("role = \"admin\"", "rule = \"admin\""), 14, "none of"),
            (GOOD.replace("q83vEjRWeJCrze8SNFZ4kA", "hunter2"), 8, "streamflow-hub secret"),
            (GOOD.replace("\"q83vEjRWeJCrze8SNFZ4kA\"", "hunter2"), 8, ""),
            (GOOD.replace("\"q83vEjRWeJCrze8SNFZ4kA\"", "2"), 8, ""),
            (GOOD.replace("[\"publish\", \"view\"]", "[]"), 6, "'role' is missing"),
            ("[[secret]]\nrole = \"view\"\n".into(), 1, "'secret' is missing"),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.starts_with(&format!("line {line}: ")) && said.contains(word), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
