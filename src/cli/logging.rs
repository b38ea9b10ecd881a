//! Log lines on standard error, that do not tear up a status line.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use env_logger::{Builder, Env, Target};
use log::LevelFilter;

/// A status line stands on the terminal and must be wiped before a log line is written.
static STATUS_LINE: AtomicBool = AtomicBool::new(false);

/// Wipes the line of a terminal (ECMA-48, EL).
pub(super) const WIPE: &str = "\r\x1b[K";

/// Begins to log; `-v` shows `debug`, `-q` only warnings; `STREAMFLOW_LOG` takes env_logger's directives.
pub(super) fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Warn,
        (false, 0) => LevelFilter::Info,
        (false, 1) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    };
    let terminal = std::io::stderr().is_terminal();
    let started = Builder::new()
        .filter_module("streamflow", level)
        .filter_level(LevelFilter::Warn)
        .parse_env(Env::new().filter("STREAMFLOW_LOG"))
        .target(Target::Stderr)
        .format(move |out, record| {
            if STATUS_LINE.swap(false, Ordering::AcqRel) {
                write!(out, "{WIPE}")?;
            }
            let level = match record.level() {
                log::Level::Error => "error: ",
                log::Level::Warn => "warning: ",
                log::Level::Info => "",
                log::Level::Debug => "debug: ",
                log::Level::Trace => "trace: ",
            };
            if terminal {
                writeln!(out, "{level}{}", record.args())
            } else {
                writeln!(out, "{} {level}{}", out.timestamp_millis(), record.args())
            }
        })
        .try_init();
    // Somebody who uses the library has set up logging already: theirs stays.
    drop(started);
}

/// Writes the status line over the last one.
pub(super) fn status(line: &str) {
    let mut out = std::io::stderr().lock();
    // A terminal that is gone ends the program by other means.
    let _ = write!(out, "{WIPE}{line}").and_then(|()| out.flush());
    STATUS_LINE.store(true, Ordering::Release);
}

/// Leaves the last status line standing.
pub(super) fn end_status() {
    if STATUS_LINE.swap(false, Ordering::AcqRel) {
        let _ = writeln!(std::io::stderr());
    }
}
