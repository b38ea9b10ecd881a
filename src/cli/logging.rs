//! Log lines on standard error: what others caused is escaped and limited, and no line tears up a status line.

mod journal;
mod limit;
mod writer;

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use env_logger::{Builder, Env, Logger, Target};
use log::{LevelFilter, Log, Metadata, Record};

use self::limit::{COUNTED, LineFate, LineLimit, Site};
use self::writer::Writer;
use crate::error::without_numbers;
use crate::text::{self, Untrusted};
use crate::time::{Micros, now};

/// A status line stands on the terminal and must be wiped before a log line is written.
static STATUS_LINE: AtomicBool = AtomicBool::new(false);

/// Wipes the line of a terminal (ECMA-48, EL).
pub(super) const WIPE: &str = "\r\x1b[K";
/// Off and on: a terminal begins a new line where one is too long (DECAWM). A status line that is two cannot be wiped.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
/// The most characters of a line. All words from outside are far shorter; this is for what was forgotten.
const LONGEST: usize = 1000;
/// Characters of a line that stands for others like it.
const LIKE: usize = 80;

/// How long the end of the program waits for the last lines to be written.
const LAST: Duration = Duration::from_millis(200);

/// The logger of this process, once it was started.
static LOGGER: OnceLock<Limited> = OnceLock::new();
/// What writes its lines, and all else that goes to standard error.
static WRITER: OnceLock<Writer> = OnceLock::new();

/// Begins to log; `-v` shows `debug`, `-q` only warnings; `STREAMFLOW_LOG` takes env_logger's directives.
pub(super) fn start(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::Warn,
        (false, 0) => LevelFilter::Info,
        (false, 1) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    };
    let terminal = std::io::stderr().is_terminal();
    let journal = journal::reads_stderr();
    // Without a thread lines are written where they are logged.
    let target = match Writer::start(std::io::stderr()) {
        Ok(writer) => Target::Pipe(Box::new(WRITER.get_or_init(|| writer).clone())),
        Err(_) => Target::Stderr,
    };
    let logger = Builder::new()
        .filter_module("streamflow", level)
        .filter_level(LevelFilter::Warn)
        .parse_env(Env::new().filter("STREAMFLOW_LOG"))
        .target(target)
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
            // No line of ours has a control character in it on purpose, so what has one came from outside.
            let said = without_numbers(&record.args().to_string());
            let line = Untrusted(&said);
            if terminal {
                writeln!(out, "{level}{line:.LONGEST$}")
            } else if journal {
                writeln!(out, "{}{line:.LONGEST$}", journal::level(record.level()))
            } else {
                writeln!(out, "{} {level}{line:.LONGEST$}", out.timestamp_millis())
            }
        })
        .build();
    let most = logger.filter();
    let limited = LOGGER.get_or_init(|| Limited { logger, limit: Mutex::default() });
    // Somebody who uses the library has set up logging already: theirs stays.
    if log::set_logger(limited).is_ok() {
        log::set_max_level(most);
    }
    // A panic tells as every other line does: what it quotes may have come from outside.
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        log::error!("a fault of this program at {place}: {}; please report it", text.unwrap_or("no words"));
        // The program may end of it.
        flush();
    }));
}

/// Tells what was left out and not told yet, and this. Called when the program ends; waits for a moment until it is written.
pub(super) fn finish(last: &str) {
    if let Some(limited) = LOGGER.get() {
        limited.tell_counts(Micros(u64::MAX));
    }
    if !last.is_empty() {
        write_out(&format!("{last}\n"));
    }
    flush();
}

fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.finish(LAST);
    }
}

/// To standard error, in its turn.
fn write_out(text: &str) {
    match WRITER.get() {
        Some(writer) => writer.put(text.as_bytes()),
        // Nobody may be listening any more.
        None => drop(std::io::stderr().write_all(text.as_bytes())),
    }
}

/// Passes on as many lines as the limit allows.
struct Limited {
    logger: Logger,
    limit: Mutex<LineLimit>,
}

impl Limited {
    fn limit(&self) -> MutexGuard<'_, LineLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is due by now.
    fn tell_counts(&self, now: Micros) {
        let counts = self.limit().counts(now);
        for left_out in counts {
            let like = Untrusted(left_out.like);
            self.logger.log(
                &Record::builder()
                    .level(left_out.level)
                    .target(module_path!())
                    .args(format_args!("({} more lines like: {like:.LIKE$})", left_out.lines))
                    .build(),
            );
        }
    }
}

impl Log for Limited {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.logger.matches(record) {
            return;
        }
        let site: Site = (record.module_path_static(), record.line());
        let verdict = self.limit().judge(site, record.level(), now());
        let LineFate::LeaveOut { first, new_kind } = verdict else { return self.logger.log(record) };
        if new_kind {
            // Not under the lock: what panics while it is written is logged itself.
            let like = format!("{:.LIKE$}", Untrusted(record.args()));
            self.limit().describe(site, like);
        }
        if first {
            // Somebody must tell the count when nothing more is logged. Without a thread the end of the program does.
            let tell = || {
                while let Some(limited) = LOGGER.get().filter(|limited| limited.limit().is_telling()) {
                    thread::sleep(COUNTED);
                    limited.tell_counts(now());
                }
            };
            if thread::Builder::new().name("log counts".into()).stack_size(64 << 10).spawn(tell).is_err() {
                self.limit().cannot_tell();
            }
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// Compact JSON in which what acts in a terminal is escaped; the same to whoever parses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForTerminals;

impl serde_json::ser::Formatter for ForTerminals {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> std::io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| text::acts(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Writes the status line over the last one.
pub(super) fn status(line: &str) {
    let line = format!("{WIPE}{NO_WRAP}{:.LONGEST$}{WRAP}", Untrusted(line));
    match WRITER.get() {
        Some(writer) => writer.put_if_idle(line.as_bytes()),
        None => write_out(&line),
    }
    STATUS_LINE.store(true, Ordering::Release);
}

/// Leaves the last status line standing.
pub(super) fn end_status() {
    if STATUS_LINE.swap(false, Ordering::AcqRel) {
        write_out("\n");
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[test]
    fn json_for_a_terminal_is_the_same_json() {
        let words = "a \"door\" \u{9b}2J \u{202e} \u{e0041} \x1b \n ü";
        let mut out = Vec::new();
        words.serialize(&mut serde_json::Serializer::with_formatter(&mut out, ForTerminals)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(text::acts), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), words);
    }
}
