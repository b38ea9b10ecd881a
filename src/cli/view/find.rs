//! `--find`: the hubs that say in the local network where they are.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize as _;

use crate::cli::logging::ForTerminals;
use crate::net::mdns::{FoundHub, find};
use crate::text::Untrusted;

/// How long they may take to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// Prints them.
pub(super) fn print(json: bool) -> anyhow::Result<()> {
    let hubs = find(WITHIN)?;
    let mut out = std::io::stdout().lock();
    if json {
        let mut line = Vec::new();
        hubs.serialize(&mut serde_json::Serializer::with_formatter(&mut line, ForTerminals))?;
        line.push(b'\n');
        return Ok(out.write_all(&line)?);
    }
    Ok(out.write_all(in_words(&hubs).as_bytes())?)
}

fn in_words(hubs: &[FoundHub]) -> String {
    if hubs.is_empty() {
        return "no hub says in this network where it is; one that does not (--no-announce) is joined by --host or --join\n".into();
    }
    let mut text = String::new();
    for hub in hubs {
        let version =
            hub.version.as_ref().map(|version| format!("  version {}", Untrusted(version))).unwrap_or_default();
        text += &format!("{}{version}\n", Untrusted(&hub.machine));
        for address in &hub.addresses {
            text += &format!("   streamflow-view --host {}\n", Untrusted(address));
        }
        if let Some(key) = &hub.key {
            text += &format!("   it says that its key is {}\n", Untrusted(key));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_told_with_the_line_to_type_and_nothing_of_it_acts() {
        let hub = FoundHub {
            machine: "desk\u{9b}2J.local".into(),
            addresses: vec!["10.0.0.5:8002".into(), "[fd00::5]:8002".into()],
            version: Some("0.1.0".into()),
            key: Some("SHA256:abc".into()),
        };
        assert_eq!(
            in_words(&[hub]),
            "desk\\u{9b}2J.local  version 0.1.0\n   streamflow-view --host 10.0.0.5:8002\n   \
             streamflow-view --host [fd00::5]:8002\n   it says that its key is SHA256:abc\n"
        );
        assert!(in_words(&[]).starts_with("no hub"));
    }
}
