//! A secret that travels through the program: what lets somebody in. It is in no log and no report.

use serde::{Deserialize, Serialize};

/// The text of a secret, of a signed link, or of a password. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The longest, in bytes: a signed link that names a few dozen streams has two thousand.
    pub const LONGEST: usize = 4096;

    /// The text itself, for whoever compares or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_whoever_logs_what_holds_it() {
        let shown = format!("{:?}", (Secret::from("hunter2"), Some(Secret::from("hunter2".to_owned()))));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
