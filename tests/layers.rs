//! The layers of `ARCHITECTURE.md`, checked: a file imports from its own row or from one below.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rows, from below. A new module of the crate must be put into one of them.
const ROWS: [(&str, &[&str]); 6] = [
    // A buffer is bytes that go back where they came from. It has a lock and no thread, and frames and packets are made
    // of it, so it is a noun and no hand-off.
    ("nouns", &["frame", "names", "time", "error", "buffer", "text", "secret"]),
    ("rules", &["wire", "session", "access", "relay", "stats", "adapt", "audio", "pacing"]),
    ("hand-offs", &["mailbox"]),
    ("edges", &["audio_device", "source", "jpeg", "display", "net", "transport", "system"]),
    ("assemblies", &["hub", "locate", "publisher", "viewer"]),
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
        if module == "lib" || inside.ends_with("tests.rs") || inside.ends_with("both_ends.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
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

/// The modules that a file's `use` lines name, as paths from the root of the crate; `own` is the path of the file's module.
fn imports(own: &[&str], lines: &[(usize, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement: Option<String> = None;
    for (_, line) in lines {
        let line = line.trim();
        let begins =
            ["use ", "pub use ", "pub(super) use ", "pub(crate) use "].iter().find_map(|b| line.strip_prefix(b));
        match (&mut statement, begins) {
            (None, Some(rest)) => statement = Some(rest.into()),
            (Some(begun), _) => begun.push_str(line),
            (None, None) => {}
        }
        let Some(tree) = statement.take_if(|begun| begun.contains(';')) else { continue };
        let tree = tree.split(';').next().unwrap();
        let mut prefixes: Vec<String> = vec![String::new()];
        let mut word = String::new();
        for c in tree.chars().chain([',']) {
            match c {
                '{' => prefixes.push(format!("{}{}", prefixes.last().unwrap(), std::mem::take(&mut word))),
                ',' | '}' => {
                    let path = std::mem::take(&mut word);
                    if !path.is_empty() {
                        found.push(format!("{}{path}", prefixes.last().unwrap()));
                    }
                    if c == '}' {
                        prefixes.pop();
                    }
                }
                ' ' => {}
                c => word.push(c),
            }
        }
    }
    let absolute = |path: &String| {
        let mut parts: Vec<&str> = path.split("::").collect();
        let mut base = own.to_vec();
        match parts[0] {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
            }
            _ => return None,
        }
        parts.remove(0);
        while parts.first() == Some(&"super") {
            parts.remove(0);
            base.pop();
        }
        base.extend(parts);
        Some(base.join("::"))
    };
    found.iter().filter_map(absolute).collect()
}

/// Which files import which, each as the path of its module. A file and those in its folder are one thing: it says what it is
/// made of, and they use what it holds.
fn graph() -> Vec<(String, Vec<String>)> {
    let files = files();
    let module = |path: &str| {
        let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        path.replace('/', "::")
    };
    let modules: Vec<String> = files.iter().map(|(path, ..)| module(path)).collect();
    let within = |a: &str, b: &str| b.starts_with(&format!("{a}::"));
    let nearest = |path: &str| {
        let mut parts: Vec<&str> = path.split("::").collect();
        while !parts.is_empty() && !modules.contains(&parts.join("::")) {
            parts.pop();
        }
        parts.join("::")
    };
    let of = |own: &str, lines| {
        let all = imports(&own.split("::").collect::<Vec<_>>(), lines);
        let all = all.iter().map(|path| nearest(path));
        all.filter(|to| !to.is_empty() && to != own && !within(to, own) && !within(own, to)).collect()
    };
    files.iter().zip(&modules).map(|((_, _, lines), own)| (own.clone(), of(own, lines))).collect()
}

/// What is left of a graph when whatever leads nowhere is taken out again and again: circles, and what leads to them.
fn circles(mut graph: Vec<(String, Vec<String>)>) -> Vec<(String, Vec<String>)> {
    loop {
        let left: Vec<String> = graph.iter().map(|(from, _)| from.clone()).collect();
        graph.iter_mut().for_each(|(_, to)| to.retain(|to| left.contains(to)));
        let before = graph.len();
        graph.retain(|(_, to)| !to.is_empty());
        if graph.len() == before {
            return graph;
        }
    }
}

#[test]
fn no_files_import_each_other_not_even_by_way_of_others() {
    let graph = graph();
    let edges: usize = graph.iter().map(|(_, to)| to.len()).sum();
    assert!(edges > 300, "the imports are not where they are looked for: {edges}");
    let circles: Vec<String> = circles(graph).iter().map(|(from, to)| format!("{from} -> {to:?}")).collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn circles_are_found() {
    let lines = |text: &str| vec![(1, text.to_string())];
    let own = ["hub", "http", "page"];
    let read = |text| imports(&own, &lines(text));
    assert_eq!(
        read("use super::{reply::{Answer, Body}, stream};"),
        ["hub::http::reply::Answer", "hub::http::reply::Body", "hub::http::stream"]
    );
    assert_eq!(read("pub use self::a::B;"), ["hub::http::page::a::B"]);
    assert_eq!(read("use std::fs;"), [""; 0]);
    let two = [(1, "pub(super) use crate::{".to_string()), (2, "    time::now,".into()), (3, "};".into())];
    assert_eq!(imports(&own, &two), ["time::now"]);
    let edge = |from: &str, to: &[&str]| (from.to_string(), to.iter().map(ToString::to_string).collect());
    let line = [edge("a", &["b", "c"]), edge("b", &["c"]), edge("c", &[])];
    assert_eq!(circles(line.to_vec()), []);
    let ring = [edge("a", &["b"]), edge("b", &["c"]), edge("c", &["b"]), edge("d", &[])];
    assert_eq!(circles(ring.to_vec()).len(), 3);
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
