//! The programs' options and what they do with them; thin over the library.

mod completions;
#[cfg(any(feature = "send", feature = "view"))]
mod confirm;
#[cfg(any(feature = "send", feature = "view"))]
mod controls;
#[cfg(any(feature = "send", feature = "view"))]
mod geometry;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(any(feature = "send", feature = "view"))]
mod hub_location;
#[cfg(feature = "send")]
mod identity;
mod key_file;
mod logging;
mod numbers;
mod options;
mod other_words;
#[cfg(any(feature = "send", feature = "view"))]
mod secrets;
#[cfg(feature = "send")]
pub mod send;
mod settings;
mod short_help;
#[cfg(any(feature = "send", feature = "view"))]
mod sound_devices;
mod status;
#[cfg(feature = "view")]
pub mod view;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result, without_numbers};
use crate::names::in_name;
use crate::text::Untrusted;

/// Ends a program: the error in words on standard error, and its exit code.
fn exit(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        logging::finish("");
        return ExitCode::SUCCESS;
    };
    // Whoever reads our output has gone, as in `| head`: that is no fault.
    let broken_pipe =
        error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe);
    if broken_pipe {
        logging::finish("");
        return ExitCode::SUCCESS;
    }
    // Nobody may be listening any more; the exit code tells all the same.
    logging::finish(&format!("error: {:.2000}", Untrusted(without_numbers(&format!("{error:#}")))));
    ExitCode::from(error.downcast_ref::<Error>().map_or(1, Error::exit_code))
}

/// Who was told to end has ended after so long, whatever it hangs in.
const LATEST: Duration = Duration::from_millis(950);

/// Ctrl-C, or being asked to terminate; or the terminal is gone, unless the program was started with `nohup`.
#[derive(Clone, Default)]
struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    fn install() -> Result<Self> {
        let this = Self::default();
        let flag = this.0.clone();
        let main = std::thread::current();
        #[cfg(unix)]
        let stays = crate::system::hang_up::is_ignored();
        ctrlc::set_handler(move || {
            flag.store(true, Ordering::Release);
            main.unpark();
            #[cfg(any(feature = "send", feature = "view"))]
            secrets::restore_echo();
            // A call into a system that stands still, as of a window's server, cannot be ended; the program can.
            std::thread::sleep(LATEST);
            std::process::exit(0);
        })
        .map_err(|e| Error::Failed(format!("cannot listen for Ctrl-C: {e}")))?;
        #[cfg(unix)]
        if stays {
            crate::system::hang_up::ignore();
        }
        Ok(this)
    }

    fn came(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The machine's name as a stream's name: what is not allowed in one becomes a dash.
fn machine_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let short = name.split('.').next().unwrap_or_default();
    let clean: String = short.chars().take(64).map(|c| if in_name(c) && c != '.' { c } else { '-' }).collect();
    if clean.is_empty() { "camera".into() } else { clean }
}
