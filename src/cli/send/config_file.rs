//! The file of `--config`: a hub, and cameras (TOML). `docs/configuration.md` has an example.
//!
//! Its keys are the long options. What it says is read as if it were typed, with the line where it stands; then it takes the place of
//! the defaults, so that what is typed and what is set in the environment counts before it.

use std::error::Error as _;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result, in_words};
use crate::names::StreamKey;
use crate::net::address::{HubAddress, listen_address};
use crate::text::Untrusted;

/// A longer file is not read.
const LONGEST: u64 = 1 << 20;
/// Cameras at most: each is some threads.
const MOST: usize = 64;
/// The headings of the options that belong to a camera, and those that belong to the hub.
const OF_CAMERA: [&str; 4] = ["Source", "Picture", "Sound", "Stream"];
const OF_HUB: [&str; 2] = ["Hub", "Hub in this program"];
/// What is asked of the program itself.
const OF_PROGRAM: [&str; 6] = ["list", "list_controls", "list_audio", "follow", "json", "name"];

/// What a key is given.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    id: String,
    key: String,
    line: usize,
    values: Vec<String>,
    is_switch: bool,
}

/// A table of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Section {
    /// The stream's name; `None`: it is that of the options.
    name: Option<String>,
    entries: Vec<Entry>,
}

/// A file that was read and makes sense. `Default` is none, which has one camera of which nothing is said.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    path: Option<PathBuf>,
    hub: Vec<Entry>,
    cameras: Vec<Section>,
}

impl Default for ConfigFile {
    fn default() -> Self {
        Self { path: None, hub: Vec::new(), cameras: vec![Section::default()] }
    }
}

/// Where something is wrong, and what.
type Wrong = (usize, String);

impl ConfigFile {
    /// Reads a file. `command`: the options of the program.
    ///
    /// # Errors
    /// [`Error::Usage`] with the line. No value is quoted, for it may be a secret.
    pub(super) fn read(path: &Path, command: Command) -> Result<Self> {
        let wrong = |why: String| Error::Usage(format!("--config {}: {why}", path.display()));
        let about = fs::metadata(path).map_err(|error| wrong(in_words(&error)))?;
        if about.len() > LONGEST {
            return Err(wrong("it is too long".into()));
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(in_words(&error)))?;
        let mut file = Self::parse(&text, command)
            .map_err(|(line, why)| Error::Usage(format!("{}:{line}: {:.300}", path.display(), Untrusted(why))))?;
        file.path = Some(path.to_owned());
        Ok(file)
    }

    fn parse(text: &str, command: Command) -> Result<Self, Wrong> {
        let line_of = |at: usize| text.get(..at).unwrap_or(text).bytes().filter(|byte| *byte == b'\n').count() + 1;
        let table = DeTable::parse(text).map_err(|error| {
            let why = error.message().lines().next().unwrap_or_default().to_owned();
            (error.span().map_or(1, |span| line_of(span.start)), why)
        })?;
        let mut command = command.mut_args(|arg| arg.env(None));
        command.build();
        let reader = Reader { command: &command, line_of: &line_of };
        let mut file = Self { cameras: Vec::new(), ..Self::default() };
        for (key, value) in table.get_ref() {
            let line = line_of(key.span().start);
            match &**key.get_ref() {
                "hub" => file.hub = reader.entries(value, &OF_HUB, "[hub]")?,
                "camera" => file.cameras = reader.cameras(value, line)?,
                "access" => {
                    let why = "who may do what stands in a file of its own, which is read again when it changes: access = \"FILE\" in [hub]";
                    return Err((line, why.into()));
                }
                _ => return Err((line, "this is neither [hub] nor [camera.NAME]".into())),
            }
        }
        if file.cameras.is_empty() {
            return Err((1, "there is no camera in it: [camera.NAME]".into()));
        }
        file.cameras.iter().try_for_each(|camera| validate(&command, &file.hub, camera))?;
        Ok(file)
    }

    /// Its cameras.
    pub(super) fn cameras(&self) -> &[Section] {
        &self.cameras
    }

    /// Where it was read.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The options of one of its cameras. `command`: those of the program, as they are read from this line and the environment.
    ///
    /// # Errors
    /// What is typed makes no sense beside what is in the file.
    pub(super) fn matches(&self, command: &Command, camera: &Section, line: &[OsString]) -> Result<ArgMatches> {
        let explicit = command.clone().try_get_matches_from(line).map_err(|error| Error::Usage(error.to_string()))?;
        let is_explicit = |arg: &Arg| {
            let source = explicit.value_source(arg.get_id().as_str());
            // That a source cannot be typed beside the file is no reason to leave out the one in it.
            arg.get_id() != "config" && matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        let mut with_file = command.clone();
        for entry in self.hub.iter().chain(&camera.entries) {
            let Some(arg) = command.get_arguments().find(|arg| *arg.get_id() == entry.id) else { continue };
            let excludes = |other: &&Arg| {
                let conflicts =
                    |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|c| c.get_id() == b.get_id());
                is_explicit(other) && (conflicts(arg, other) || conflicts(other, arg))
            };
            if command.get_arguments().any(|other| excludes(&other)) {
                continue;
            }
            let values = entry.values.clone();
            with_file = with_file.mut_arg(&entry.id, |arg| arg.default_values(values));
        }
        if let Some(name) = &camera.name {
            let name = name.clone();
            with_file = with_file.mut_arg("name", |arg| arg.default_value(name));
        }
        with_file.try_get_matches_from(line).map_err(|error| Error::Usage(error.to_string()))
    }
}

/// What reads tables.
struct Reader<'a> {
    command: &'a Command,
    line_of: &'a dyn Fn(usize) -> usize,
}

impl Reader<'_> {
    fn line(&self, value: &Spanned<DeValue<'_>>) -> usize {
        (self.line_of)(value.span().start)
    }

    fn cameras(&self, value: &Spanned<DeValue<'_>>, line: usize) -> Result<Vec<Section>, Wrong> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err((line, "a camera is a table with its name: [camera.NAME]".into()));
        };
        let mut cameras = Vec::new();
        for (name, value) in table {
            let line = (self.line_of)(name.span().start);
            let found = &**name.get_ref();
            if !matches!(value.get_ref(), DeValue::Table(_)) {
                return Err((line, "a camera is a table with its name: [camera.NAME]".into()));
            }
            StreamKey::parse("main", found).map_err(|why| (line, why))?;
            let entries = self.entries(value, &OF_CAMERA, "[camera.NAME]")?;
            cameras.push((line, Section { name: Some(found.to_owned()), entries }));
        }
        if cameras.len() > MOST {
            return Err((line, format!("{MOST} cameras at most run in one program")));
        }
        // In the order in which they stand there.
        cameras.sort_by_key(|(line, _)| *line);
        Ok(cameras.into_iter().map(|(_, camera)| camera).collect())
    }

    /// The options with these headings that a table sets.
    fn entries(&self, value: &Spanned<DeValue<'_>>, headings: &[&str], called: &str) -> Result<Vec<Entry>, Wrong> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err((self.line(value), format!("this is a table: {called}")));
        };
        let belongs = |arg: &Arg| {
            arg.get_help_heading().is_some_and(|heading| headings.contains(&heading))
                && !OF_PROGRAM.contains(&arg.get_id().as_str())
        };
        let mut entries = Vec::new();
        for (key, value) in table {
            let line = (self.line_of)(key.span().start);
            let name = &**key.get_ref();
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(name));
            let Some(arg) = arg.filter(|arg| belongs(arg)) else {
                let known = self.command.get_arguments().filter(|arg| belongs(arg)).filter_map(Arg::get_long);
                let known: Vec<_> = known.collect();
                let other = arg.and_then(Arg::get_help_heading).is_some_and(|heading| OF_HUB.contains(&heading));
                let why = match (name, arg.is_some()) {
                    ("name", _) => "a camera's name stands in its heading: [camera.NAME]".to_owned(),
                    (_, true) if other => "this is an option of [hub]".to_owned(),
                    (_, true) if headings == OF_HUB => "this is an option of [camera.NAME]".to_owned(),
                    _ => format!("there is no such key in {called}; there are {}", known.join(", ")),
                };
                return Err((line, why));
            };
            entries.extend(entry(arg, name, line, value.get_ref())?);
        }
        // As they stand there, so that the first mistake is told first.
        entries.sort_by_key(|entry: &Entry| entry.line);
        Ok(entries)
    }
}

/// What a key is given; `None`: a switch that is off.
fn entry(arg: &Arg, key: &str, line: usize, value: &DeValue<'_>) -> Result<Option<Entry>, Wrong> {
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    let text = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        // What is on or off on the command line.
        DeValue::Boolean(on) => Some(if *on { "on" } else { "off" }.into()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    let values = match value {
        DeValue::Boolean(false) if is_switch => return Ok(None),
        DeValue::Boolean(true) if is_switch => vec!["true".into()],
        _ if is_switch => return Err((line, format!("{key} is true or false"))),
        DeValue::Array(all) if is_list => {
            let texts: Option<Vec<_>> = all.iter().map(|value| text(value.get_ref())).collect();
            texts.ok_or_else(|| (line, format!("{key} is a list of texts in quotes")))?
        }
        value => vec![text(value).ok_or_else(|| (line, format!("{key} is one text or number")))?],
    };
    Ok(Some(Entry { id: arg.get_id().to_string(), key: key.to_owned(), line, values, is_switch }))
}

/// Reads a camera with its hub as if all were typed.
fn validate(command: &Command, hub: &[Entry], camera: &Section) -> Result<(), Wrong> {
    let entries: Vec<&Entry> = hub.iter().chain(&camera.entries).collect();
    for entry in &entries {
        entry.values.iter().try_for_each(|value| check(&entry.key, value)).map_err(|why| (entry.line, why))?;
    }
    let words = entries.iter().flat_map(|entry| {
        let long = format!("--{}", entry.key);
        entry.values.iter().map(move |value| if entry.is_switch { long.clone() } else { format!("{long}={value}") })
    });
    let words = std::iter::once(command.get_name().to_owned()).chain(words);
    command.clone().try_get_matches_from(words).map(drop).map_err(|error| told(command, &entries, &error))
}

/// What is read later than the options are.
fn check(key: &str, value: &str) -> Result<(), String> {
    let said = |result: Result<()>| result.map_err(|_| String::new());
    match key {
        "listen" | "plain" if said(listen_address(value, 1).map(drop)).is_err() => {
            Err(format!("{key} is IP or IP:PORT, such as \"0.0.0.0\""))
        }
        "host" if said(value.parse::<HubAddress>().map(drop)).is_err() => {
            Err("host is HOST, HOST:PORT or wss://HOST:PORT/PATH".into())
        }
        "room" => StreamKey::parse_to_watch(value, "").map(drop),
        _ => Ok(()),
    }
}

/// Options that make no sense without another one.
const REQUIRES: [(&str, &str); 3] = [("tls-key", "tls-cert"), ("tls-cert", "tls-key"), ("pin", "host")];

/// The same words without these values. Of a short one, which may be part of any number, only where it is quoted.
fn without(why: &str, values: &[String]) -> String {
    values.iter().fold(why.to_owned(), |why, value| {
        let why = why.replace(&format!("'{value}'"), "this");
        if value.len() < 6 { why } else { why.replace(value.as_str(), "…") }
    })
}

/// What is wrong, and where.
fn told(command: &Command, entries: &[&Entry], error: &clap::Error) -> Wrong {
    // As clap shows an option: `--fps <N>`.
    let entry_of = |shown: &str| {
        let id = command.get_arguments().find(|arg| arg.to_string() == shown)?.get_id().to_string();
        entries.iter().find(|entry| entry.id == id)
    };
    let shown = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    };
    let keys = |shown: &[String]| {
        let key =
            |text: &String| text.trim_start_matches('-').split([' ', '=', '[']).next().unwrap_or_default().to_owned();
        shown.iter().map(key).collect::<Vec<_>>().join(" and ")
    };
    let (named, prior) = (shown(ContextKind::InvalidArg), shown(ContextKind::PriorArg));
    let at = named.iter().chain(&prior).find_map(|shown| entry_of(shown));
    let line = at.map_or(1, |entry| entry.line);
    let key = at.map_or_else(|| keys(&named), |entry| entry.key.clone());
    let why = match (error.kind(), error.source()) {
        (_, Some(why)) => format!("{key}: {}", without(&why.to_string(), at.map_or(&[], |entry| &entry.values))),
        (ErrorKind::ArgumentConflict, None) => format!("{key} and {} exclude each other", keys(&prior)),
        (ErrorKind::MissingRequiredArgument, None) => {
            // What asks for another option beside it; clap does not say that.
            let missing = keys(&named);
            let asks = |entry: &&&Entry| REQUIRES.contains(&(entry.key.as_str(), missing.as_str()));
            let given = entries.iter().find(asks);
            return (given.map_or(1, |entry| entry.line), format!("{} is missing beside it", keys(&named)));
        }
        (_, None) => format!("{key}: this is no value for it"),
    };
    (line, why)
}

#[cfg(test)]
mod tests;
