//! Where an option's value comes from: what was typed, before the environment, before the file of `--config`, before the default.
//! And what goes with what, where that is a rule for many options at once.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::OnceLock;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::other_words;

/// What all variables of these programs begin with.
const PREFIX: &str = "STREAMFLOW_";
/// The options of a hub in the program, by their heading.
const HUB_HEADING: &str = "Hub in this program";
/// Those of them that also mean something where the hub is elsewhere.
const WITHOUT_A_HUB: [&str; 2] = ["state", "max_pixels"];
/// What names a hub elsewhere.
const ELSEWHERE: [&str; 3] = ["host", "join", "join_file"];
/// What goes with every option.
const BESIDE_ALL: [&str; 4] = ["verbose", "quiet", "help", "version"];

/// What this program is called, once its options were read.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// The value of a variable that is no option, and what it is called: the program's own, `STREAMFLOW_SEND_TOKEN`, before that of all
/// programs, `STREAMFLOW_TOKEN`. One that is empty is none, and an empty one of its own turns off that of all.
#[cfg(any(feature = "send", feature = "view"))]
pub(super) fn variable(shared: &str) -> Option<(String, OsString)> {
    own_or_shared(PROGRAM.get().map_or("", String::as_str), shared, |name| std::env::var_os(name))
}

fn own_or_shared(program: &str, shared: &str, get: impl Fn(&str) -> Option<OsString>) -> Option<(String, OsString)> {
    let program = program.strip_prefix("streamflow-").unwrap_or(program).to_ascii_uppercase();
    let own = shared.strip_prefix(PREFIX).map(|rest| format!("{PREFIX}{program}_{rest}"));
    let own = own.and_then(|own| get(&own).map(|value| (own, value)));
    own.or_else(|| get(shared).map(|value| (shared.to_owned(), value))).filter(|(_, value)| !value.is_empty())
}

/// The options, ready to be read from a command line: each knows the variable that holds for this program, and what it excludes.
pub(super) fn command(command: Command, line: &[OsString]) -> Command {
    PROGRAM.get_or_init(|| command.get_name().to_owned());
    typed_wins(exclusions(flags(environment(command, &|name: &str| std::env::var_os(name)))), line)
}

/// Each option with the variable that is set, or without one: an empty one was not meant.
fn environment(command: Command, get: &impl Fn(&str) -> Option<OsString>) -> Command {
    let program = command.get_name().to_owned();
    command.mut_args(|arg| {
        let Some(shared) = arg.get_env().and_then(|name| name.to_str()).map(str::to_owned) else { return arg };
        match own_or_shared(&program, &shared, get) {
            Some((name, _)) if name != shared => arg.env(name),
            Some(_) => arg,
            // It is named in the help all the same where nothing is set.
            None if get(&shared).is_none() => arg,
            None => arg.env(None),
        }
    })
}

/// Switches are off by what people write for that in the environment and in files, and on by anything else.
fn flags(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
        _ => arg,
    })
}

/// What makes no sense together, by rule.
fn exclusions(mut command: Command) -> Command {
    let ids = |command: &Command, is: &dyn Fn(&Arg) -> bool| -> Vec<String> {
        command.get_arguments().filter(|arg| is(arg)).map(|arg| arg.get_id().to_string()).collect()
    };
    let of_a_hub =
        |arg: &Arg| arg.get_help_heading() == Some(HUB_HEADING) && !WITHOUT_A_HUB.contains(&arg.get_id().as_str());
    let hub = ids(&command, &of_a_hub);
    for elsewhere in ids(&command, &|arg| ELSEWHERE.contains(&arg.get_id().as_str())) {
        command = command.mut_arg(&elsewhere, |arg| arg.conflicts_with_all(&hub));
    }
    command
}

/// Lets an option stand alone, beside those that are named: what lists something and ends has no use for the others.
pub(super) fn alone(mut command: Command, option: &str, beside: &[&str]) -> Command {
    let others: Vec<String> = command
        .get_arguments()
        .map(|arg| arg.get_id().as_str())
        .filter(|id| *id != option && !beside.contains(id) && !BESIDE_ALL.contains(id))
        .map(str::to_owned)
        .collect();
    command = command.mut_arg(option, |arg| arg.conflicts_with_all(others));
    command
}

/// The same options without those variables that nobody meant: what a typed option excludes.
fn typed_wins(command: Command, line: &[OsString]) -> Command {
    // Where this fails, help or the version was asked for.
    let Some(typed) = typed(&command, line) else { return command };
    let is_typed = |arg: &Arg| is_typed(&typed, arg);
    let mut excluded = BTreeSet::new();
    for arg in command.get_arguments() {
        for other in command.get_arg_conflicts_with(arg) {
            match (is_typed(arg), is_typed(other)) {
                (true, false) => drop(excluded.insert(other.get_id().to_string())),
                (false, true) => drop(excluded.insert(arg.get_id().to_string())),
                // Both are in the environment, or both are typed: that is an error.
                _ => {}
            }
        }
    }
    command.mut_args(|arg| if excluded.contains(arg.get_id().as_str()) { arg.env(None) } else { arg })
}

/// What was typed, as far as it can be read.
fn typed(command: &Command, line: &[OsString]) -> Option<ArgMatches> {
    let without = command.clone().mut_args(|arg| arg.env(None)).ignore_errors(true);
    without.try_get_matches_from(line).ok()
}

fn is_typed(typed: &ArgMatches, arg: &Arg) -> bool {
    typed.try_contains_id(arg.get_id().as_str()).is_ok()
        && typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// The same error, with the variable where the value was not typed, and without what stands behind the `#` of a link.
pub(super) fn explained(error: clap::Error, command: &Command, line: &[OsString]) -> clap::Error {
    let mut error = in_our_words(without_secrets(error), command.get_name());
    let typed = typed(command, line);
    // An option can be shown once its command is complete.
    let mut command = command.clone();
    command.build();
    let named = |shown: &str| {
        // What is in no environment was typed, and so was what needs no word about where it comes from.
        let arg = command.get_arguments().find(|arg| arg.to_string() == shown)?;
        let name = arg.get_env().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))?;
        let untyped = typed.as_ref().is_none_or(|typed| !is_typed(typed, arg));
        untyped.then(|| format!("{shown} ({} in the environment)", name.to_string_lossy()))
    };
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let new = match error.get(kind) {
            Some(ContextValue::String(shown)) => named(shown).map(ContextValue::String),
            Some(ContextValue::Strings(all)) => Some(ContextValue::Strings(
                all.iter().map(|shown| named(shown).unwrap_or_else(|| shown.clone())).collect(),
            )),
            _ => None,
        };
        if let Some(new) = new {
            error.insert(kind, new);
        }
    }
    error
}

/// The same error, with the option of this program where somebody typed that of another one.
fn in_our_words(mut error: clap::Error, program: &str) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::Suggested).is_none()
        && let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg)
        && let Some(tip) = other_words::tip(program, shown)
    {
        // What is nearest by its letters is seldom what was meant, and the usage is of that.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The same error without what stands behind the `#` of a link that was typed where none belongs.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg)
        && let Some((place, _)) = shown.split_once('#').filter(|_| shown.contains("://"))
    {
        let place = ContextValue::String(format!("{place}#…"));
        let hint = "a link stands behind '--join'".into();
        error.insert(ContextKind::InvalidArg, place);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_own_variable_counts_before_that_of_all() {
        let set = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        let found = |pairs| own_or_shared("streamflow-send", "STREAMFLOW_QUALITY", set(pairs)).map(|(name, _)| name);
        let (own, shared) = (("STREAMFLOW_SEND_QUALITY", "1"), ("STREAMFLOW_QUALITY", "2"));
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(Pairs, Option<&str>); 6] = [
            (&[], None),
            (&[("STREAMFLOW_VIEW_QUALITY", "3")], None),
            (&[("STREAMFLOW_QUALITY", "")], None),
            (&[("STREAMFLOW_SEND_QUALITY", ""), ("STREAMFLOW_QUALITY", "2")], None),
            (&[("STREAMFLOW_QUALITY", "2")], Some(shared.0)),
            (&[("STREAMFLOW_QUALITY", "2"), ("STREAMFLOW_SEND_QUALITY", "1")], Some(own.0)),
        ];
        for (pairs, name) in cases {
            assert_eq!(found(pairs).as_deref(), name, "{pairs:?}");
        }
    }

    fn hub_or_elsewhere() -> Command {
        Command::new("streamflow-view")
            .arg(Arg::new("host").long("host").env("STREAMFLOW_HOST_OF_TEST"))
            .arg(Arg::new("max_viewers").long("max-viewers").help_heading(HUB_HEADING))
            .arg(Arg::new("state").long("state").help_heading(HUB_HEADING))
            .arg(Arg::new("list").long("list").action(ArgAction::SetTrue))
    }

    #[test]
    fn what_a_hub_is_told_makes_no_sense_where_it_is_elsewhere() {
        let read = |line: &[&str]| {
            let line: Vec<OsString> = std::iter::once("x").chain(line.iter().copied()).map(OsString::from).collect();
            let command = command(alone(hub_or_elsewhere(), "list", &["host"]), &line);
            command.try_get_matches_from(line).map(drop).map_err(|error| error.to_string())
        };
        assert!(read(&["--host", "a", "--state", "b"]).is_ok() && read(&["--max-viewers", "3"]).is_ok());
        assert!(read(&["--host", "a", "--list"]).is_ok() && read(&["--state", "a", "--list"]).is_err());
        let said = read(&["--host", "a", "--max-viewers", "3"]).unwrap_err();
        assert!(said.contains("--max-viewers") && said.contains("cannot be used with"), "{said}");
    }
}
