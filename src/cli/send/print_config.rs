//! `--print-config`: what is in force, as a file that `--config` reads. Secrets are left out, and it is said where.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// The options of a camera, as they are in force.
pub(super) struct Shown<'a> {
    pub(super) stream: (Option<String>, String),
    pub(super) matches: &'a ArgMatches,
    /// The options, with their own defaults.
    pub(super) command: &'a Command,
}

/// The whole file.
pub(super) fn text<'a>(cameras: impl IntoIterator<Item = Shown<'a>>) -> String {
    let mut text = String::new();
    for (n, camera) in cameras.into_iter().enumerate() {
        if n == 0 {
            table(&mut text, "[hub]", &["Hub", "Hub in this program"], &camera);
        }
        let heading = format!("\n[camera.{}]", quoted_if_needed(&camera.stream.1));
        table(&mut text, &heading, &["Source", "Picture", "Sound", "Stream"], &camera);
    }
    text
}

fn table(text: &mut String, heading: &str, headings: &[&str], camera: &Shown<'_>) {
    text.push_str(heading);
    text.push('\n');
    let belongs = |arg: &&Arg| arg.get_help_heading().is_some_and(|heading| headings.contains(&heading));
    for arg in camera.command.get_arguments().filter(belongs) {
        let (id, key) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
        if matches!(id, "list" | "follow" | "json" | "name") {
            continue;
        }
        if let ("room", Some(room)) = (id, &camera.stream.0) {
            let _ = writeln!(text, "room = {}", quoted(room));
            continue;
        }
        let Some(raw) = camera.matches.get_raw(id) else { continue };
        let values: Vec<String> = raw.map(|value| value.to_string_lossy().into_owned()).collect();
        let Some(value) = value(arg, &values) else { continue };
        // What nobody has said may be another with the next version, and may make no sense beside what was said.
        let is_default = camera.matches.value_source(id) == Some(ValueSource::DefaultValue)
            && arg
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .eq(values.iter().map(String::as_str));
        let line = match secret(id, &values) {
            Some(why) => format!("# {key} = … is not shown: {why}"),
            None if is_default => format!("# {key} = {value}"),
            None => format!("{key} = {value}"),
        };
        let _ = writeln!(text, "{line}");
    }
}

/// A value in TOML; `None`: a switch that is off.
fn value(arg: &Arg, values: &[String]) -> Option<String> {
    match (arg.get_action(), values) {
        (ArgAction::SetTrue, [on]) => (on == "true").then(|| "true".into()),
        (ArgAction::Append, all) => {
            Some(format!("[{}]", all.iter().map(|one| scalar(one)).collect::<Vec<_>>().join(", ")))
        }
        (_, [one]) => Some(scalar(one)),
        _ => None,
    }
}

/// A number as one, everything else as a text.
fn scalar(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
        || text.parse::<f64>().is_ok_and(|number| number.is_finite() && format!("{number:?}") == text);
    if is_number { text.to_owned() } else { quoted(text) }
}

/// A text of TOML in which nothing acts in a terminal.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if crate::text::acts(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn quoted_if_needed(name: &str) -> String {
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// Why a value is not shown; `None`: it is.
fn secret(id: &str, values: &[String]) -> Option<&'static str> {
    let of_url = |url: &String| {
        let Some((_, rest)) = url.split_once("://") else { return false };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.contains('@') || rest.contains('?')
    };
    match id {
        "join" => Some("a link lets in"),
        _ if values.iter().any(of_url) => Some("there may be a password in the URL"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_toml_reads_them() {
        for (text, written) in [
            ("640x480", "\"640x480\""),
            ("30", "30"),
            ("29.97", "29.97"),
            ("007", "\"007\""),
            ("NaN", "\"NaN\""),
            ("a \"b\" \\ \u{9b}", "\"a \\\"b\\\" \\\\ \\U0000009B\""),
        ] {
            assert_eq!(scalar(text), written);
            let table = toml::de::DeTable::parse(&format!("a = {written}")).map(drop);
            assert!(table.is_ok(), "{written}");
        }
        assert_eq!((quoted_if_needed("door-1"), quoted_if_needed("a.b")), ("door-1".into(), "\"a.b\"".into()));
    }

    #[test]
    fn what_may_hold_a_password_is_not_shown() {
        for (id, value, shown) in [
            ("source", "http://cam/stream", true),
            ("source", "http://me:hunter2@cam/stream", false),
            ("source", "http://cam/stream?token=hunter2", false),
            ("join", "sf://desk#token=hunter2", false),
            ("key_file", "key", true),
        ] {
            assert_eq!(secret(id, &[value.to_owned()]).is_none(), shown, "{value}");
        }
    }
}
