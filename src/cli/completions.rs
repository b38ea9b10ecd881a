//! What packages and shells need of a program's options: completions, and manual pages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::settings;
use crate::error::Error;

const COMPLETIONS: &str = "completions";
const MAN_PAGES: &str = "man_pages";

/// The options of a program with those that tell of them.
pub(super) fn options(command: Command) -> Command {
    let completions = Arg::new(COMPLETIONS)
        .long("completions")
        .value_name("SHELL")
        .value_parser(value_parser!(Shell))
        .help_heading("Output")
        .help("Print what completes these options in that shell, and end");
    // For those who make packages, and so in no help.
    let man_pages = Arg::new(MAN_PAGES)
        .long("man-pages")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help_heading("Output")
        .hide(true)
        .help("Write the manual pages into this folder, and end");
    let command = command.arg(completions).arg(man_pages);
    settings::alone(settings::alone(command, COMPLETIONS, &[]), MAN_PAGES, &[])
}

/// Does what one of them asks for; whether one did.
///
/// # Errors
/// What is asked for cannot be written.
pub(super) fn written(command: &Command, asked: &ArgMatches) -> anyhow::Result<bool> {
    let mut command = command.clone();
    if let Some(shell) = asked.get_one::<Shell>(COMPLETIONS) {
        let (mut text, name) = (Vec::new(), command.get_name().to_owned());
        clap_complete::generate(*shell, &mut command, name, &mut text);
        io::stdout().write_all(&text)?;
        return Ok(true);
    }
    let Some(folder) = asked.get_one::<PathBuf>(MAN_PAGES) else { return Ok(false) };
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, folder).map_err(|error| Error::io(format!("cannot write into {}", folder.display()), error))?;
    Ok(true)
}

/// A page of the program, and one of each thing that it does beside its usual one.
fn pages(command: &Command, folder: &Path) -> io::Result<()> {
    // These options are our own, and nest as deep as they are written.
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        pages(inner, folder)?;
    }
    let man = Man::new(command.clone());
    std::fs::write(folder.join(man.get_filename()), page(command, &man)?)
}

fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if let Some(examples) = command.get_before_help() {
        section(&mut page, "EXAMPLES", &examples.to_string())?;
    }
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(codes) = command.get_after_help() {
        section(&mut page, "EXIT STATUS AND ENVIRONMENT", &codes.to_string())?;
    }
    Ok(page)
}

/// A section whose lines stay as they are.
fn section(page: &mut Vec<u8>, title: &str, text: &str) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", [title]).control("nf", []);
    for line in text.lines().filter(|line| *line != "Examples:") {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    #[command(name = "streamflow-test", about = "Tests", before_help = "Examples:\n  streamflow-test 'x'\n")]
    struct Program {
        /// The port
        #[arg(long, env = "STREAMFLOW_PORT")]
        port: Option<u16>,
    }

    #[test]
    fn a_page_has_the_examples_line_by_line_and_each_option_with_its_variable() {
        let command = Program::command();
        let page = String::from_utf8(page(&command, &Man::new(command.clone())).unwrap()).unwrap();
        for part in [".SH EXAMPLES\n.nf\n", "streamflow\\-test", "\\-\\-port", "STREAMFLOW_PORT", "The port"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn completions_stand_alone() {
        let read = |line: &[&str]| options(Program::command()).try_get_matches_from(line).map(drop);
        assert!(read(&["x", "--completions", "bash"]).is_ok() && read(&["x", "--man-pages", "."]).is_ok());
        assert!(read(&["x", "--completions", "bash", "--port", "1"]).is_err());
        assert!(read(&["x", "--completions", "dos"]).is_err());
    }
}
