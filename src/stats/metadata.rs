//! A picture's metadata as lines for people, nested or not. The page has the same rule (`web/metadata.js`); both are held to
//! `docs/vectors/metadata.json`.

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::text::Untrusted;

/// Lines at most.
const LINES: usize = 16;
/// Characters of a name and of a value at most; what is cut ends with `…`.
const NAME: usize = 24;
const VALUE: usize = 80;
/// So many arrays and objects in each other are written out, in which nobody would find their way any more.
const DEPTH: u8 = 3;

/// A picture's metadata where it is a JSON object: what can be shown as lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads the JSON text of a picture; `None` where it is no object.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Names and values in words, in the order of the names, in so many lines at most, and never more than 16: the last one says
    /// how many values are left out. What is nested is written into its line: `42, 43`, `x 1, y 2`, `(1, 2), (3, 4)`. All is as it
    /// may be shown.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<(String, String)> {
        let most = most.min(LINES);
        let shown = if self.0.len() <= most { most } else { most.saturating_sub(1) };
        let line = |(name, value): (&String, &Value)| {
            let value = Untrusted(InWords(value, 0));
            (format!("{:.NAME$}", Untrusted(OneLine(name))), format!("{value:.VALUE$}"))
        };
        let mut lines: Vec<_> = self.0.iter().take(shown).map(line).collect();
        let left_out = self.0.len() - lines.len();
        if most > 0 && left_out > 0 {
            lines.push(("…".into(), format!("{left_out} more")));
        }
        lines
    }
}

/// A text whose breaks are spaces.
struct OneLine<'a>(&'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.0.split(['\n', '\r', '\t']).enumerate() {
            out.write_str(if n > 0 { " " } else { "" })?;
            out.write_str(part)?;
        }
        Ok(())
    }
}

/// A value that lies in so many others.
struct InWords<'a>(&'a Value, u8);

impl InWords<'_> {
    /// One of what this consists of, in brackets where it has parts itself.
    fn part(&self, part: &Value, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_parts = match part {
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
            _ => false,
        };
        match has_parts {
            true if self.1 + 1 == DEPTH => out.write_char('…'),
            true => write!(out, "({})", InWords(part, self.1 + 1)),
            false => InWords(part, self.1).fmt(out),
        }
    }
}

impl Display for InWords<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = |n| if n > 0 { ", " } else { "" };
        match self.0 {
            Value::Null => out.write_str("null"),
            Value::Bool(value) => value.fmt(out),
            Value::Number(value) => out.write_str(&number(value)),
            Value::String(text) => OneLine(text).fmt(out),
            Value::Array(items) => {
                out.write_str(if items.is_empty() { "none" } else { "" })?;
                items.iter().enumerate().try_for_each(|(n, item)| {
                    out.write_str(comma(n))?;
                    self.part(item, out)
                })
            }
            Value::Object(entries) => {
                out.write_str(if entries.is_empty() { "none" } else { "" })?;
                entries.iter().enumerate().try_for_each(|(n, (name, value))| {
                    write!(out, "{}{} ", comma(n), OneLine(name))?;
                    self.part(value, out)
                })
            }
        }
    }
}

/// A number as a browser writes it.
fn number(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    if value == 0.0 {
        return "0".into();
    }
    if (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_window_is_told_how_much_it_does_not_show() {
        let metadata = Metadata::read(r#"{"a": 1, "b": [2, 3], "c": {}}"#).unwrap();
        let lines = |most| metadata.lines(most).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let told: [Vec<String>; 4] = [0, 1, 2, 3].map(lines);
        assert_eq!(told, [vec![], vec!["…: 3 more"], vec!["a: 1", "…: 2 more"], vec!["a: 1", "b: 2, 3", "c: none"]]);
    }

    #[test]
    fn of_what_is_large_no_more_is_written_than_is_shown() {
        let numbers = "123456789,".repeat(6000);
        let metadata = Metadata::read(&format!(r#"{{"n": [{numbers}0], "s": "{}"}}"#, "x".repeat(60_000))).unwrap();
        let lines = metadata.lines(16);
        assert!(lines.iter().all(|(_, value)| value.chars().count() == VALUE && value.ends_with('…')), "{lines:?}");
    }
}
