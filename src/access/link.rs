//! Links that end: tokens that a hub's signing key signs, and anybody who has that key, in any language. JWT (RFC 7519) with HMAC
//! SHA-256 (`HS256`) and nothing else; the claims are named as those of moq.

use std::fmt::Write as _;

use data_encoding::BASE64URL_NOPAD;
use ring::{digest, hmac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::permissions::{AccessRole, Permission, Scope};
use crate::secret::Secret;

/// The length of a signing key, in bytes.
pub(crate) const KEY_LENGTH: usize = 32;
/// Streams and roles that a link names at most.
const MOST_NAMED: usize = 64;

/// How many seconds `90s`, `30m`, `2h` or `7d` are.
///
/// # Errors
/// It is none of these.
pub(crate) fn seconds_of(text: &str) -> Result<u64, String> {
    let (number, unit) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    let unit = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => 0,
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let wrong = || format!("'{text:.20}' is no time: write 90s, 30m, 2h or 7d");
    seconds.filter(|seconds| (1..=100 * 366 * 24 * 3600).contains(seconds)).ok_or_else(wrong)
}

/// What a link says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkClaims {
    /// What stands before each stream of `put` and `get`: a room, a stream, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) root: String,
    /// What may be published; an empty text is all below `root`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub(crate) put: Vec<String>,
    /// What may be watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub(crate) get: Vec<String>,
    /// Other roles, for all below `root`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub(crate) role: Vec<String>,
    /// When it ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    pub(crate) exp: Option<f64>,
    /// From when on it holds.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    pub(crate) nbf: Option<f64>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "whole")]
    pub(crate) iat: Option<f64>,
    /// Its name, by which it can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jti: Option<String>,
    /// The name of the link, or of the secret, whose holder made it: it ends with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// It is for one session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) once: bool,
}

/// Seconds without a fraction, as most write them.
#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn whole<S: Serializer>(seconds: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    seconds.map(|seconds| seconds as u64).serialize(to)
}

/// JSON has `"a"` for `["a"]`, as moq writes it.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// What a link lets its holder do, and until when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SignedLink {
    pub(crate) permissions: Vec<Permission>,
    /// When it ends, in seconds since 1970.
    pub(crate) ends: Option<u64>,
    /// From when on it holds.
    pub(crate) begins: u64,
    /// When it was made; 0: it does not say.
    pub(crate) made: u64,
    /// Its name, by which it can be revoked.
    pub(crate) id: Option<String>,
    /// Whose holder made it.
    pub(crate) by: Option<String>,
    /// It is for one session.
    pub(crate) once: bool,
    /// The key that signed it.
    pub(crate) key: KeyId,
}

impl LinkClaims {
    fn check(&self, key: KeyId) -> Result<SignedLink, BadLink> {
        // A name must fit a line of a file.
        let is_name = |id: &String| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
                && id != "all"
        };
        let names = [&self.jti, &self.by];
        if self.put.len() + self.get.len() + self.role.len() > MOST_NAMED || !names.into_iter().flatten().all(is_name) {
            return Err(BadLink::Claims);
        }
        // Nothing below the root is all of it.
        let all_or =
            |text: &str| if text.is_empty() { Ok(Scope::All) } else { text.parse().map_err(|_| BadLink::Claims) };
        let scope = |below: &str| format!("{}/{}", self.root.trim_matches('/'), below.trim_matches('/'));
        let scopes = |paths: &[String]| -> Result<Vec<Scope>, BadLink> {
            paths.iter().map(|path| all_or(scope(path).trim_matches('/'))).collect()
        };
        let roles = self.role.iter().map(|role| role.parse().map_err(|_| BadLink::Claims));
        let permissions = [
            Permission { roles: [AccessRole::Publish].into_iter().collect(), scopes: scopes(&self.put)? },
            Permission { roles: [AccessRole::View].into_iter().collect(), scopes: scopes(&self.get)? },
            Permission {
                roles: roles.collect::<Result<_, BadLink>>()?,
                scopes: vec![all_or(self.root.trim_matches('/'))?],
            },
        ];
        let held = |one: &Permission| !one.scopes.is_empty() && one.roles.names().next().is_some();
        // No time makes sense that is not a number of seconds; one that is too early has passed.
        let seconds = |time: f64| if time.is_finite() { Ok(time.max(0.0) as u64) } else { Err(BadLink::Claims) };
        Ok(SignedLink {
            permissions: permissions.into_iter().filter(held).collect(),
            ends: self.exp.map(seconds).transpose()?,
            begins: self.nbf.map_or(Ok(0), seconds)?,
            made: self.iat.map_or(Ok(0), seconds)?,
            id: self.jti.clone(),
            by: self.by.clone(),
            once: self.once,
            key,
        })
    }
}

/// Why a token is no link of this hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLink {
    /// No key of this hub has signed it, or it is no token at all.
    Unknown,
    /// It is signed, and claims what makes no sense.
    Claims,
}

/// What a key is known by.
pub(crate) type KeyId = [u8; 8];

/// The keys of a hub: the first one signs, and all of them are taken, so that a new key does not end the links of the one before.
#[derive(Clone)]
pub(crate) struct SigningKeys(Vec<(KeyId, hmac::Key)>);

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKeys({})", self.0.len())
    }
}

/// What else it says is not of interest: which key it is is tried.
#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
}

impl SigningKeys {
    /// None: no link is taken.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// From the lines of a file, in base64url, the newest first. The third and older ones do not hold any more.
    ///
    /// # Errors
    /// A line that is no key, by its number.
    pub(crate) fn read(text: &str) -> Result<Self, usize> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let keys = lines.take(2).map(|(number, line)| {
            let bytes = BASE64URL_NOPAD.decode(line.trim().as_bytes()).map_err(|_| number + 1)?;
            if bytes.len() == KEY_LENGTH { Ok(Self::key(&bytes)) } else { Err(number + 1) }
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    fn key(bytes: &[u8]) -> (KeyId, hmac::Key) {
        let mut id = KeyId::default();
        let hash = digest::digest(&digest::SHA256, bytes);
        id.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        (id, hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether links of this key are taken.
    pub(crate) fn has(&self, key: KeyId) -> bool {
        self.0.iter().any(|(id, _)| *id == key)
    }

    /// Whether it looks like a token, so that it is no password.
    pub(crate) fn looks_like_token(text: &str) -> bool {
        text.starts_with("eyJ") && text.split('.').count() == 3
    }

    /// Signs; `None`: there is no key.
    pub(crate) fn sign(&self, claims: &LinkClaims) -> Option<Secret> {
        let (_, key) = self.0.first()?;
        // Short, for a QR code.
        let header = Header { alg: "HS256".into() };
        let part = |json: Vec<u8>| BASE64URL_NOPAD.encode(&json);
        let (header, claims) = (serde_json::to_vec(&header).ok()?, serde_json::to_vec(claims).ok()?);
        let mut token = format!("{}.{}", part(header), part(claims));
        let signature = hmac::sign(key, token.as_bytes());
        let _ = write!(token, ".{}", BASE64URL_NOPAD.encode(signature.as_ref()));
        Some(token.into())
    }

    /// What a token says, if one of the keys has signed it. Whether it holds now is another question.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn verify(&self, token: &str) -> Result<SignedLink, BadLink> {
        let (signed, signature) = token.rsplit_once('.').ok_or(BadLink::Unknown)?;
        let (header, claims) = signed.split_once('.').ok_or(BadLink::Unknown)?;
        if token.len() > Secret::LONGEST {
            return Err(BadLink::Unknown);
        }
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| BadLink::Unknown);
        let signature = decode(signature)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| BadLink::Unknown)?;
        if header.alg != "HS256" {
            return Err(BadLink::Unknown);
        }
        // In constant time, by ring.
        let by = self.0.iter().find(|(_, key)| hmac::verify(key, signed.as_bytes(), &signature).is_ok());
        let (id, _) = by.ok_or(BadLink::Unknown)?;
        let claims: LinkClaims = serde_json::from_slice(&decode(claims)?).map_err(|_| BadLink::Claims)?;
        claims.check(*id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::StreamKey;

    fn keys(seeds: &[u8]) -> SigningKeys {
        let lines: Vec<_> = seeds.iter().map(|seed| BASE64URL_NOPAD.encode(&[*seed; KEY_LENGTH])).collect();
        SigningKeys::read(&lines.join("\n")).unwrap()
    }

    fn to_view(path: &str) -> LinkClaims {
        LinkClaims { get: vec![path.into()], exp: Some(2e9), jti: Some("a".into()), ..LinkClaims::default() }
    }

    #[test]
    fn a_link_says_what_it_was_made_for() {
        let keys = keys(&[1]);
        let token = keys.sign(&to_view("main/door")).unwrap();
        let link = keys.verify(token.expose()).unwrap();
        assert_eq!((link.ends, link.id.as_deref(), link.once), (Some(2_000_000_000), Some("a"), false));
        let door = Scope::Stream(StreamKey::new("main", "door"));
        assert_eq!(link.permissions, [Permission::of([AccessRole::View], door)]);
    }

    #[test]
    fn claims_are_read_as_moq_and_others_write_them() {
        let keys = keys(&[1]);
        let of = |json: &str| {
            let claims: LinkClaims = serde_json::from_str(json).unwrap();
            let link = keys.verify(keys.sign(&claims).unwrap().expose());
            link.map(|link| link.permissions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        };
        assert_eq!(of(r#"{"root":"main","get":"","put":"door"}"#).unwrap(), "publish main/door; view main/*");
        assert_eq!(of(r#"{"get":["main/a","lab"],"other":1}"#).unwrap(), "view main/a and lab/*");
        assert_eq!(of(r#"{"root":"","get":"","role":["admin","operate"]}"#).unwrap(), "view *; operate and admin *");
        assert_eq!(of(r#"{"root":"main/door","role":"operate"}"#).unwrap(), "operate main/door");
        assert_eq!(of("{}").unwrap(), "");
        for wrong in [r#"{"get":"a/b/c"}"#, r#"{"role":"root"}"#, r#"{"root":"a b","get":""}"#, r#"{"get":"*/x"}"#] {
            assert_eq!(of(wrong), Err(BadLink::Claims), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(["90s", "30m", "2h", "7d"].map(seconds_of), [90, 1800, 7200, 604_800].map(Ok));
        for wrong in ["", "2", "h", "-2h", "0h", "2 weeks", "99999999999999999999d", "1.5h"] {
            assert!(seconds_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_keys_hold_in_turn() {
        let (old, both, new) = (keys(&[1]), keys(&[2, 1]), keys(&[3, 2, 1]));
        let token = old.sign(&to_view("main")).unwrap();
        assert!(both.verify(token.expose()).is_ok_and(|link| both.has(link.key)));
        assert_eq!(new.verify(token.expose()), Err(BadLink::Unknown), "the third one does not hold any more");
        assert!(new.verify(both.sign(&to_view("main")).unwrap().expose()).is_ok());
        assert!(SigningKeys::none().sign(&to_view("main")).is_none());
        assert_eq!(SigningKeys::read("# made today\nshort").err(), Some(2));
    }

    #[test]
    fn a_token_that_was_touched_or_that_another_signed_is_none() {
        let keys = keys(&[1]);
        let token = keys.sign(&to_view("main/door")).unwrap();
        let text = token.expose();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(bytes).unwrap();
            assert!(keys.verify(&touched).is_err(), "at {at}");
        }
        // Made by hand: another algorithm, and none.
        let mac = |signed: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; KEY_LENGTH]);
            BASE64URL_NOPAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref())
        };
        let claims = BASE64URL_NOPAD.encode(br#"{"get":""}"#);
        for (alg, is_taken) in [("HS256", true), ("none", false), ("HS512", false), ("RS256", false), ("hs256", false)]
        {
            let header = BASE64URL_NOPAD.encode(format!(r#"{{"alg":"{alg}"}}"#).as_bytes());
            let signed = format!("{header}.{claims}");
            assert_eq!(keys.verify(&format!("{signed}.{}", mac(&signed))).is_ok(), is_taken, "{alg}");
            assert!(keys.verify(&format!("{signed}.")).is_err());
        }
        for wrong in ["", ".", "..", "a.b.c", "eyJ.eyJ.", text.trim_end_matches(char::is_alphanumeric)] {
            assert!(keys.verify(wrong).is_err(), "{wrong}");
        }
    }
}
