//! Reading what is not to stand on a command line, where others on this machine see it: a link, or a token.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use crate::error::{Error, Result};

/// No link is longer.
const LONGEST: u64 = 16 * 1024;

/// Asks at the terminal, where there is one, without showing what is typed; or reads the first line of standard input.
pub(super) fn from_input(question: &str, what: &str) -> Result<String> {
    let input = io::stdin();
    let is_terminal = input.is_terminal();
    if is_terminal {
        let mut out = io::stderr().lock();
        let asked = write!(out, "{question}").and_then(|()| out.flush());
        asked.map_err(|e| Error::io("cannot ask", e))?;
        echo::off();
    }
    let mut line = String::new();
    let read = input.lock().take(LONGEST).read_line(&mut line);
    if is_terminal {
        restore_echo();
        let _ = writeln!(io::stderr());
    }
    read.map_err(|e| Error::Usage(format!("{what} cannot be read from standard input: {e}")))?;
    first_of(&line).ok_or_else(|| Error::Usage(format!("{what} is missing: standard input has none")))
}

/// The first line of a file.
pub(super) fn from_file(path: &Path, option: &str) -> Result<String> {
    let wrong = |why: String| Error::Usage(format!("{option} {}: {why}", path.display()));
    let file = fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut line = String::new();
    io::BufReader::new(file.take(LONGEST)).read_line(&mut line).map_err(|e| wrong(e.to_string()))?;
    first_of(&line).ok_or_else(|| wrong("its first line is empty".into()))
}

fn first_of(line: &str) -> Option<String> {
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Shows again what is typed, where it was hidden. A program that ends while it asks calls this as well.
pub(super) fn restore_echo() {
    echo::restore();
}

#[cfg(unix)]
mod echo {
    use std::io::stdin;
    use std::sync::{Mutex, PoisonError};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// How the terminal was before.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Where this fails, it is seen what is typed.
    pub(super) fn off() {
        let Ok(before) = tcgetattr(stdin()) else { return };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let _ = tcsetattr(stdin(), OptionalActions::Now, &quiet);
    }

    pub(super) fn restore() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        }
    }
}

#[cfg(not(unix))]
mod echo {
    pub(super) fn off() {}

    pub(super) fn restore() {}
}
