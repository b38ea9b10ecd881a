//! The vectors of rules that the page has as well, in `docs/vectors`: `web/test/vectors.test.js` holds it to the same ones. That of
//! the clock is tried in `session/clock.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use streamflow::internal::adapt::{Load, limit};
use streamflow::internal::session::Backoff;
use streamflow::report::Metadata;

#[derive(Deserialize)]
struct Vectors<T> {
    cases: Vec<T>,
}

fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/vectors").join(format!("{name}.json"));
    let vectors: Vectors<T> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(vectors.cases.len() > 3, "{name}");
    vectors.cases
}

#[test]
fn the_waits_between_tries_are_those_of_the_protocol() {
    #[derive(Deserialize)]
    struct Case {
        local: bool,
        chance: f64,
        waits_ms: Vec<f64>,
    }
    for Case { local, chance, waits_ms } in cases("backoff") {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = waits_ms.iter().map(|_| backoff.next(chance, local).as_secs_f64() * 1e3).collect();
        assert_eq!(waits, waits_ms);
    }
}

#[test]
fn what_limits_the_picture_is_said_as_every_program_says_it() {
    #[derive(Deserialize)]
    struct Case {
        load: Load,
        limit: String,
    }
    for Case { load, limit: words } in cases("limit") {
        let limit = limit(&load);
        assert_eq!(format!("{limit} {}", load.in_words(limit)).trim(), words);
    }
}

#[test]
fn the_metadata_of_a_picture_is_shown_in_the_same_lines_everywhere() {
    #[derive(Deserialize)]
    struct Case {
        metadata: String,
        lines: Vec<(String, String)>,
    }
    for Case { metadata, lines } in cases("metadata") {
        let told = Metadata::read(&metadata).map_or_else(Vec::new, |metadata| metadata.lines(16));
        assert_eq!(told, lines, "{metadata}");
    }
}
