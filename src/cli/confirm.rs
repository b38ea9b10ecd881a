//! Asking the person at the terminal whether a hub is the one that is meant.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

use crate::net::tls::trust::{Confirm, HubTrust};
use crate::text::Untrusted;

/// Which hubs the programs trust: those of this state folder; somebody who sits at a terminal is asked for others.
pub(super) fn trust(state: Option<std::path::PathBuf>) -> HubTrust {
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    HubTrust { state, confirm: somebody.then(|| Arc::new(ask) as Confirm) }
}

/// Anything but a clear yes is a no.
fn ask(hub: &str, key: &str) -> bool {
    let mut out = std::io::stderr().lock();
    let asked = writeln!(
        out,
        "The hub {} shows a key that nobody has confirmed here:\n  {key}\nThe hub says its key when it starts.",
        Untrusted(hub)
    )
    .and_then(|()| write!(out, "Is it the same? Type yes: "))
    .and_then(|()| out.flush());
    drop(out);
    let mut answer = String::new();
    asked.is_ok() && std::io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}
