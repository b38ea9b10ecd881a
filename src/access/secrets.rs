//! Secrets: those that a hub makes, of 128 random bits, which are compared by their hash; and those that people make up, of which only
//! what Argon2id makes is kept, so that who reads it still has to guess.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, PasswordHash};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest;

use crate::secret::Secret;

/// The shortest secret that is taken for a random one: 128 bits in base64url have 22 characters.
const RANDOM: usize = 22;
/// What is made up must have so many characters at least.
pub(crate) const SHORTEST_PASSWORD: usize = 8;
/// The most memory that checking one may take, in KiB. The usual is 19 MiB.
const MOST_MEMORY: u32 = 256 << 10;

/// The SHA-256 of a secret. Of 128 random bits it tells nothing.
pub(crate) type SecretHash = [u8; 32];

/// The hash of a secret.
pub(crate) fn hash(secret: &str) -> SecretHash {
    let mut out = SecretHash::default();
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// Whether two are the same, in a time that does not tell where they differ.
pub(crate) fn is_same(a: &SecretHash, b: &SecretHash) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// A secret of these random bytes.
pub(crate) fn of_random(bytes: [u8; 16]) -> Secret {
    BASE64URL_NOPAD.encode(&bytes).into()
}

/// Whether a text may be a random secret. It cannot be told for sure: what is long and has many different characters is.
pub(crate) fn looks_random(text: &str) -> bool {
    let mut characters: Vec<_> = text.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    text.len() >= RANDOM && characters.len() >= 10 && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A kept secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeptSecret {
    /// A random one, by its hash.
    Random(SecretHash),
    /// One that somebody made up, as Argon2id has made of it (PHC string).
    MadeUp(String),
}

impl KeptSecret {
    /// From an access file: the secret itself, `sha256:HEX`, or `$argon2id$…`.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not hold it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            let parsed = PasswordHash::new(text).map_err(|_| "this is no Argon2 hash".to_owned())?;
            let params =
                argon2::Params::try_from(&parsed).map_err(|_| "this Argon2 hash has no good parameters".to_owned())?;
            if parsed.algorithm.as_str() != "argon2id" || params.m_cost() > MOST_MEMORY {
                return Err("it is argon2id with 256 MiB at most: streamflow-hub secret makes the line".into());
            }
            return Ok(Self::MadeUp(text.to_owned()));
        }
        if let Some(hex) = text.strip_prefix("sha256:") {
            let bytes = HEXLOWER.decode(hex.to_ascii_lowercase().as_bytes()).ok();
            return bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map(Self::Random)
                .ok_or_else(|| "a SHA-256 has 64 hexadecimal digits".to_owned());
        }
        if looks_random(text) {
            return Ok(Self::Random(hash(text)));
        }
        Err("a secret here is a random one of 22 characters or more; what you make up yourself is kept as \
             streamflow-hub secret prints it"
            .into())
    }
}

/// What is kept of a secret that somebody made up.
///
/// # Errors
/// It is too short, or cannot be hashed.
pub fn keep_made_up(password: &str, salt: [u8; 16]) -> Result<String, String> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(format!("it has {SHORTEST_PASSWORD} characters at least"));
    }
    let hashed: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Whether somebody knows what was made up. Takes some 20 ms and 19 MiB.
pub(crate) fn is_made_up(password: &str, kept: &str) -> bool {
    Argon2::default().verify_password(password.as_bytes(), kept).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_secrets_are_known_by_their_hash() {
        let secret = of_random([7; 16]);
        assert_eq!(secret.expose().len(), RANDOM);
        assert!(is_same(&hash(secret.expose()), &hash(secret.expose())));
        let other = of_random([8; 16]);
        assert!(!is_same(&hash(secret.expose()), &hash(other.expose())));
        let text = "q83vEjRWeJCrze8SNFZ4kA";
        let by_hash = format!("sha256:{}", HEXLOWER.encode(&hash(text)));
        assert_eq!(KeptSecret::read(text), KeptSecret::read(&by_hash));
    }

    #[test]
    fn what_people_make_up_is_not_taken_for_random_and_cannot_be_read_back() {
        for made_up in ["hunter2", "", "aaaaaaaaaaaaaaaaaaaaaaaa", "a long phrase with blanks in it"] {
            let refused = KeptSecret::read(made_up).unwrap_err();
            assert!(refused.contains("streamflow-hub secret"), "{refused}");
        }
        let kept = keep_made_up("correct horse", [3; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"), "{kept}");
        assert!(is_made_up("correct horse", &kept) && !is_made_up("correct horsE", &kept));
        assert_eq!(KeptSecret::read(&kept), Ok(KeptSecret::MadeUp(kept.clone())));
        assert!(keep_made_up("short", [3; 16]).is_err());
        for wrong in ["$argon2id$", "$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA", "sha256:12"]
        {
            assert!(KeptSecret::read(wrong).is_err(), "{wrong}");
        }
        assert!(KeptSecret::read(&kept.replace("m=19456", "m=4000000")).is_err(), "it would take all memory");
    }
}
