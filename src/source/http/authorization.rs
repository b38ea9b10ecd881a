//! Who asks a camera: Basic (RFC 7617) until it asks for Digest (RFC 7616), which many IP cameras do.

use data_encoding::BASE64;
use digest_auth::{AuthContext, WwwAuthenticateHeader};
use percent_encoding::percent_decode_str;

use crate::text::Untrusted;

#[derive(Clone, Debug)]
pub(super) struct Authorization {
    user: String,
    password: String,
    /// What the camera asked for, with how often it was answered.
    digest: Option<WwwAuthenticateHeader>,
}

impl PartialEq for Authorization {
    fn eq(&self, other: &Self) -> bool {
        (&self.user, &self.password) == (&other.user, &other.password)
    }
}

impl Eq for Authorization {}

impl Authorization {
    /// Of `user[:password]` as it stands in an address, percent-encoded.
    pub(super) fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let plain = |text: &str| String::from_utf8_lossy(&percent_decode_str(text).collect::<Vec<_>>()).into_owned();
        Self { user: plain(user), password: plain(password), digest: None }
    }

    /// The value of the `Authorization` field of a request for this path. With Digest each is another one.
    pub(super) fn field(&mut self, path: &str) -> Option<String> {
        match &mut self.digest {
            Some(asked) => {
                let context = AuthContext::new(self.user.as_str(), self.password.as_str(), path);
                asked.respond(&context).ok().map(|answer| answer.to_string())
            }
            None => Some(format!("Basic {}", BASE64.encode(format!("{}:{}", self.user, self.password).as_bytes()))),
        }
    }

    /// The camera said 401 with these challenges. `true`: it is worth asking again.
    pub(super) fn challenged(&mut self, challenges: &[String]) -> bool {
        let asked = challenges.iter().filter(|c| scheme(c).eq_ignore_ascii_case("digest"));
        let new = asked.filter_map(|c| digest_auth::parse(c).ok()).next();
        let again = match (&self.digest, &new) {
            (_, None) => false,
            (None, Some(_)) => true,
            // It forgot what it gave out, as it does after a while or a restart; or the password is wrong.
            (Some(old), Some(new)) => old.nonce != new.nonce,
        };
        if new.is_some() {
            self.digest = new;
        }
        again
    }

    /// The scheme that a camera asks for, if it is none of ours.
    pub(super) fn unknown(challenges: &[String]) -> Option<Untrusted<&str>> {
        let ours = |c: &&String| ["basic", "digest"].iter().any(|ours| scheme(c).eq_ignore_ascii_case(ours));
        let theirs = challenges.iter().find(|c| !c.is_empty())?;
        challenges.iter().find(ours).is_none().then(|| Untrusted(scheme(theirs)))
    }
}

fn scheme(challenge: &str) -> &str {
    challenge.split([' ', ',']).next().unwrap_or_default()
}
