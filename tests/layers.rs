//! The layers of `ARCHITECTURE.md`, checked: a file imports from its own row or from one below.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rows, from below. A new module of the crate must be put into one of them.
const ROWS: [(&str, &[&str]); 6] = [
    // A buffer is bytes that go back where they came from. It has a lock and no thread, and frames and packets are made
    // of it, so it is a noun and no hand-off.
    ("nouns", &["frame", "names", "time", "error", "buffer", "text"]),
    ("rules", &["wire", "session", "access", "relay", "stats", "credit", "adapt", "pacing"]),
    ("hand-offs", &["mailbox"]),
    ("edges", &["source", "jpeg", "display", "net", "transport", "system"]),
    ("assemblies", &["hub", "home", "publisher", "viewer"]),
    ("programs", &["cli", "bin"]),
];

/// What `lib.rs` exports at the top is of these modules.
const RENAMED: [(&str, &str); 4] =
    [("Error", "error"), ("Result", "error"), ("Source", "source"), ("streamflow", "bin")];

/// What a rule must not have: sockets, threads, clocks.
const IMPURE: [&str; 9] = [
    "std::net",
    "std::thread",
    "mio::",
    "Instant",
    "SystemTime",
    "time::now",
    "now()",
    "thread::sleep",
    "crossbeam_channel",
];

fn row_of(module: &str) -> Option<usize> {
    let module = RENAMED.iter().find(|(name, _)| *name == module).map_or(module, |(_, module)| module);
    ROWS.iter().position(|(_, modules)| modules.contains(&module))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// A path, the module it belongs to, and numbered lines.
type File = (String, String, Vec<(usize, String)>);

/// Every source file but `lib.rs`: its path, the module it belongs to, and its lines with their numbers, without
/// comments and without the tests at its end, which may use anything.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first).to_string();
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//"));
        let lines = lines.map(|(n, l)| (n + 1, l.to_string())).collect();
        files.push((format!("src/{}", inside.display()), module, lines));
    }
    assert!(files.len() > 20, "the sources are not where they are looked for");
    files
}

/// The modules of this crate that a line names.
fn named(line: &str) -> Vec<&str> {
    let word = |text: &'static str| line.match_indices(text).map(move |(at, _)| &line[at + text.len()..]);
    let mut names = Vec::new();
    for rest in word("crate::") {
        let end = |s: &str| s.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(s.len());
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(group.split(',').map(str::trim).map(|s| &s[..end(s)]).filter(|s| !s.is_empty()));
        } else {
            names.push(&rest[..end(rest)]);
        }
    }
    names
}

#[test]
fn every_file_imports_from_its_own_row_or_below() {
    let mut wrong = Vec::new();
    for (path, module, lines) in files() {
        let Some(own) = row_of(&module) else {
            wrong.push(format!("{path}: module '{module}' is in no row of tests/layers.rs"));
            continue;
        };
        for (number, line) in lines {
            for name in named(&line) {
                match row_of(name) {
                    Some(row) if row <= own => {}
                    Some(row) => wrong.push(format!(
                        "{path}:{number}: {} import nothing of the {} above them: {}",
                        ROWS[own].0,
                        ROWS[row].0,
                        line.trim()
                    )),
                    None => wrong.push(format!("{path}:{number}: '{name}' is in no row: {}", line.trim())),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rules_have_no_sockets_no_threads_and_no_clock() {
    let mut wrong = Vec::new();
    for (path, module, lines) in files() {
        if row_of(&module) != Some(1) {
            continue;
        }
        for (number, line) in lines {
            wrong.extend(IMPURE.iter().filter(|w| line.contains(**w)).map(|w| format!("{path}:{number}: {w}")));
        }
    }
    assert!(wrong.is_empty(), "rules take `now` and bytes as arguments:\n{}", wrong.join("\n"));
}

#[test]
fn imports_are_read_as_they_are_written() {
    assert_eq!(named("use crate::wire::packet;"), ["wire"]);
    assert_eq!(named("    let x: crate::time::Micros = crate::hub::f();"), ["time", "hub"]);
    assert_eq!(named("use crate::{Error, hub::Hub};"), ["Error", "hub"]);
    assert_eq!(named("use std::fs;"), Vec::<&str>::new());
    assert!(row_of("hub") > row_of("net") && row_of("net") > row_of("wire") && row_of("nothing").is_none());
}

/// A file that is longer knows more than one thing.
const MOST_LINES: usize = 500;

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let mut paths = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    let too_long: Vec<_> = paths.iter().map(|path| (lines(path), path)).filter(|(n, _)| *n > MOST_LINES).collect();
    assert!(too_long.is_empty(), "{too_long:?}");
}
