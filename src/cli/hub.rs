//! `streamflow-hub`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use super::options::{EXIT_CODES, HELP, HubOptions, ListenOptions, LogOptions, parse};
use super::{Interrupt, exit, logging};
use crate::locate;

const EXAMPLES: &str = "\
Examples:
  streamflow-hub                            for the programs of this machine
  streamflow-hub --listen 0.0.0.0           for everybody who reaches this machine
  streamflow-hub --plain 127.0.0.1:8003     also plain pictures, for a script with struct.unpack('Q')
";

/// Passes pictures from publishers on to viewers: many of both, each viewer as fast as it can, never late.
#[derive(Parser, Debug)]
#[command(name = "streamflow-hub", version, about, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES)]
struct Options {
    #[command(flatten)]
    listen: ListenOptions,
    #[command(flatten)]
    limits: HubOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = parse::<Options>();
    logging::start(options.log.verbose, options.log.quiet);
    exit(run(&options))
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    let hub = locate::host(&options.limits.config(options.listen.address()?)?)?;
    while !interrupt.came() {
        std::thread::park_timeout(Duration::from_secs(3600));
    }
    log::info!("stops");
    drop(hub);
    Ok(())
}
