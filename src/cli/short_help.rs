//! `-h`: the options that most people need, a line each; `--help` has all of them.

use std::ffi::OsString;

use clap::Command;

/// An option, and what it is for in a line.
pub(super) type Line = (&'static str, &'static str);

/// Those of all programs.
const OF_ALL: [Line; 4] = [
    ("verbose", "More log lines"),
    ("quiet", "Only warnings and errors"),
    ("help", "This; --help says more, and has all options"),
    ("version", "Print the version"),
];

/// The order of `-h`: what the program is, how it is called, its options, and where to read on.
const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}\n\n{all-args}{after-help}";

/// No wider, whatever there is room for; a terminal that is narrower has it in its own width.
const WIDTH: usize = 80;

/// Whether `-h` was typed. Of a wrong guess nothing follows but a help that is laid out in the other way.
fn is_asked(line: &[OsString]) -> bool {
    let is_short = |word: &str| {
        let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        letters
            .and_then(|letters| letters.strip_suffix('h'))
            .is_some_and(|rest| rest.bytes().all(|b| b"vq".contains(&b)))
    };
    line.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--").any(is_short)
}

/// The command as `-h` shows it, where that was typed: these options alone, without the environment and in a line each.
pub(super) fn lay_out(command: Command, lines: &[Line], line: &[OsString]) -> Command {
    if !is_asked(line) {
        return command;
    }
    let name = command.get_name().to_owned();
    let text = |id: &str| lines.iter().chain(&OF_ALL).find(|(of, _)| *of == id).map(|(_, text)| *text);
    command
        .mut_args(|arg| {
            let has_value = arg.get_action().takes_values();
            let arg = arg.hide_env(true);
            // Of a switch there is no default to be shown, and clap refuses to hide it.
            let arg = if has_value { arg.hide_default_value(true) } else { arg };
            match text(arg.get_id().as_str()) {
                Some(text) => arg.help(text),
                None => arg.hide(true),
            }
        })
        .help_template(TEMPLATE)
        .max_term_width(WIDTH)
        .after_help(format!("All options, with examples: {name} --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_is_shown_for_its_letter_alone() {
        for (line, short) in
            [("-h", true), ("-vh", true), ("--help", false), ("-sh", false), ("-- -h", false), ("", false)]
        {
            let line: Vec<OsString> = std::iter::once("x").chain(line.split(' ')).map(OsString::from).collect();
            assert_eq!(is_asked(&line), short, "{line:?}");
        }
    }
}
