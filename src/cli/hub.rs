//! `streamflow-hub`.

mod check;
mod link;
mod secret;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::options::{EXIT_CODES, HELP, HubOptions, ListenOptions, LogOptions, parse};
use super::short_help::Line;
use super::{Interrupt, exit, logging};
use crate::error::Error;
use crate::hub::inherited::Inherited;
use crate::hub::{Hub, HubConfig, KeepRooms, Vendored};
use crate::locate;
use crate::net::service_manager::{self, Word};

const EXAMPLES: &str = "\
Examples:
  streamflow-hub                                for the programs of this machine
  streamflow-hub --listen 0.0.0.0               for others too; prints links
  streamflow-hub link --view main/door --for 2h
                                                a link to watch for two hours
  streamflow-hub --plain 127.0.0.1:8003         also plain pictures, for scripts
";

/// What `-h` shows.
const SHORT: &[Line] = &[
    ("listen", "The address; 0.0.0.0 lets others in [127.0.0.1]"),
    ("port", "The port [8002]"),
    ("access", "Who may do what, by this file"),
    ("open", "Let everybody in"),
    ("public_url", "A URL under which this hub is reached"),
    ("tls_cert", "Encrypt with this certificate (PEM)"),
    ("tls_key", "Its key (PEM)"),
    ("plain", "Send plain pictures there as well"),
    ("max_viewers", "Viewers at most [1024]"),
    ("state", "The folder for the hub's keys"),
];

/// Passes the pictures of cameras on to programs and browsers that watch
#[derive(Parser, Debug)]
#[command(name = "streamflow-hub", version, help_template = HELP, before_help = EXAMPLES, after_help = EXIT_CODES,
          args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<HubCommand>,
    #[command(flatten)]
    listen: ListenOptions,
    #[command(flatten)]
    limits: HubOptions,
    #[command(flatten)]
    log: LogOptions,
}

#[derive(Subcommand, Debug)]
enum HubCommand {
    Link(Box<link::LinkOptions>),
    Key(link::KeyOptions),
    Secret(secret::SecretOptions),
    Check(check::CheckOptions),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let options = parse::<Options>(SHORT, |command| command);
    logging::start(options.log.verbose, options.log.quiet);
    exit(match &options.command {
        Some(HubCommand::Link(options)) => link::link(options),
        Some(HubCommand::Key(options)) => link::key(options),
        Some(HubCommand::Secret(options)) => secret::secret(options),
        Some(HubCommand::Check(options)) => check::check(options),
        None => run(&options),
    })
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::install()?;
    let inherited = Inherited::from_service_manager()?;
    let listen = match &inherited {
        None => options.listen.address()?,
        Some(_) if options.listen.is_named() => {
            let what = "systemd has opened the hub's port, so --listen and --port (STREAMFLOW_LISTEN, STREAMFLOW_PORT) say nothing: \
                        ListenStream= of its .socket unit does (systemctl edit streamflow-hub.socket)";
            return Err(Error::Usage(what.into()).into());
        }
        Some(inherited) => inherited.address(),
    };
    let config = options.limits.config(listen)?;
    let config = HubConfig { keep_rooms: KeepRooms::IN_SQLITE, vendored: Vendored::ALL, ..config };
    let hub = locate::host_at(&config, inherited)?;
    serve(&hub, &interrupt);
    log::info!("stops");
    service_manager::say(&[Word::Stopping]);
    drop(hub);
    Ok(())
}

/// Until it is told to end; a service manager hears that it is alive as long as it is.
fn serve(hub: &Hub, interrupt: &Interrupt) {
    let look = service_manager::watchdog().map(|within| within / 4);
    let mut said = String::new();
    let mut call = hub.roll_call();
    service_manager::say(&[Word::Ready]);
    while !interrupt.came() {
        std::thread::park_timeout(look.unwrap_or(Duration::from_secs(3600)));
        if look.is_none() || !call.is_complete() {
            continue;
        }
        let (publishers, viewers) = hub.counts();
        let status = format!("{}: {publishers} publish, {viewers} watch", hub.address());
        let words = [Word::Alive, Word::Status(&status)];
        service_manager::say(&words[..if status == said { 1 } else { 2 }]);
        said = status;
        call = hub.roll_call();
    }
}
