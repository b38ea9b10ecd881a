//! One error type. Its variants say what a caller does next, and which exit code a program ends with.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What went wrong, by what to do about it. The text is a whole sentence for a person.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that makes no sense: say it differently. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// There is no such camera, file or address to take pictures from: name another. Exit code 3.
    #[error("{0}")]
    NoSource(String),
    /// The other side understood and said no: another name, another version, fewer viewers. Trying again as before
    /// will not help. Exit code 4.
    #[error("{0}")]
    Refused(String),
    /// Nobody answered, or the connection went: trying again may help. Exit code 5.
    #[error("{0}")]
    Unreachable(String),
    /// The other side broke the protocol, with what it did. The connection is over. Exit code 1.
    #[error("{0}")]
    Protocol(String),
    /// The operating system said no. Exit code 1.
    #[error("{what}: {}", in_words(cause))]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed. Not called `source`: it is in the text already, and would be told twice.
        cause: Arc<io::Error>,
    },
    /// A hub cannot listen on an address. Exit code 1.
    #[error("cannot listen on {address}{hint}: {}", in_words(cause))]
    #[non_exhaustive]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What to do about it, where that is known: `, another program has the port (--port takes another)`.
        hint: &'static str,
        /// What the operating system says.
        cause: Arc<io::Error>,
    },
    /// Anything else that ends the work. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// An error of the operating system with what was tried.
    pub fn io(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Io { what: what.into(), cause: Arc::new(cause) }
    }

    /// The exit code of a program that ends with this error: 1 failed, 2 wrong usage, 3 no such source, 4 refused,
    /// 5 unreachable.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NoSource(_) => 3,
            Self::Refused(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Protocol(_) | Self::Io { .. } | Self::Listen { .. } | Self::Failed(_) => 1,
        }
    }
}

/// What the system says, without the number that only its programmers know: `(os error 2)`.
#[must_use]
pub(crate) fn in_words(cause: &io::Error) -> String {
    without_numbers(&cause.to_string())
}

/// A text without those numbers.
#[must_use]
pub(crate) fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut words = String::with_capacity(text.len());
    while let Some((before, behind)) = rest.split_once(" (os error ") {
        words += before;
        let digits = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        match digits.strip_prefix(')') {
            Some(after) => rest = after,
            None => {
                words += " (os error ";
                rest = behind;
            }
        }
    }
    words + rest
}

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_comes_in_words_alone() {
        let none = io::Error::from_raw_os_error(2);
        assert!(none.to_string().contains("os error 2"));
        let said = Error::io("cannot read a", none).to_string();
        assert!(said.starts_with("cannot read a: ") && !said.contains("os error"), "{said}");
        for (text, words) in [
            ("a (os error 2), b (os error -5)", "a, b"),
            ("a (os error x)", "a (os error x)"),
            ("(os error 2)", "(os error 2)"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(text), words);
        }
    }
}
