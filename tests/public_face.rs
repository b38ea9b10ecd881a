//! What the library promises to others: few names, no modules to know, and examples that need nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

/// The most names at the root. Beyond that one must learn the tree to find anything.
const MOST: usize = 35;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names that `pub use` gives out at the root of the crate.
fn names() -> Vec<String> {
    let root = read("src/lib.rs");
    let face = root.split("\n/// What publishers and viewers tell").next().unwrap();
    let uses = face.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let mut names = Vec::new();
    for path in uses {
        let last = path.rsplit("::").next().unwrap();
        let group = path.split_once('{').map_or(last, |(_, group)| group.trim_end_matches([',', '}', '\n', ' ']));
        names.extend(group.split(',').map(|name| name.trim().to_string()));
    }
    names
}

#[test]
fn the_root_has_few_names_and_its_modules_are_private() {
    let names = names();
    assert!(names.contains(&"Publisher".into()) && names.contains(&"now".into()), "{names:?}");
    assert!(names.len() <= MOST, "{} names: {names:?}", names.len());
    let root = read("src/lib.rs");
    let open: Vec<&str> = root.lines().filter(|line| line.starts_with("pub mod ")).collect();
    assert_eq!(open, ["pub mod cli;", "pub mod report {", "pub mod internal {"]);
    let others = ["pub fn", "pub struct", "pub enum", "pub trait", "pub type", "pub static", "pub const"];
    assert!(!root.lines().any(|line| others.iter().any(|item| line.starts_with(item))), "only `pub use` is counted");
}

#[test]
fn the_examples_need_nothing_but_the_public_names() {
    let names = names();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let examples: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let examples: Vec<_> = examples.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    assert!(examples.len() >= 3, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(path).unwrap();
        let used: Vec<String> = text.split("streamflow::").skip(1).flat_map(words).collect();
        assert!(!used.is_empty(), "{}", path.display());
        for name in used {
            assert!(names.contains(&name), "{}: '{name}' is no public name", path.display());
        }
    }
}

/// The names at the beginning of what follows `streamflow::`: one, or those between braces.
fn words(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_string();
    match rest.strip_prefix('{') {
        Some(group) => group.split('}').next().unwrap().split(',').map(word).filter(|w| !w.is_empty()).collect(),
        None => vec![word(rest)],
    }
}
