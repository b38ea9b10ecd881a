//! `streamflow-hub link`: links that let somebody in and end, made without the hub; `streamflow-hub key`, which signs them.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use crate::access::link::seconds_of;
use crate::access::permissions::{AccessRole, Scope};
use crate::cli::key_file;
use crate::error::Error;
use crate::hub::access_files::{commands, random, reached, signing_keys, state_folder};
use crate::hub::links::{LinkRequest, Reached, qr_text};
use crate::locate::others_reach;
use crate::net::address::{HubAddress, PORT};
use crate::net::state_dir::{create_private, write_private};
use crate::secret::Secret;
use crate::system::terminal::columns;
use crate::wire::seal::SealKey;

/// How long a link holds that says nothing else, in seconds.
const USUAL: u64 = 24 * 3600;

/// Makes a link that lets somebody watch or publish, and ends.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LinkOptions {
    #[command(subcommand)]
    command: Option<LinkCommand>,
    /// To watch: ROOM/NAME, ROOM for all of a room, '*' for all; may be given more than once
    #[arg(long, value_name = "STREAMS", value_parser = scope)]
    view: Vec<Scope>,
    /// To publish
    #[arg(long, value_name = "STREAMS", value_parser = scope)]
    publish: Vec<Scope>,
    /// To be in a room: to publish there, and to watch all of it
    #[arg(long, value_name = "ROOM", value_parser = scope)]
    room: Option<Scope>,
    /// To set the controls of cameras, and to make links for others
    #[arg(long)]
    operate: bool,
    /// To read the hub's numbers (/metrics), and who watches
    #[arg(long)]
    admin: bool,
    /// How long it holds: 90s, 30m, 2h, 7d, or ever [default: 24h]
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,
    /// For one session: whoever uses it first, reconnects included
    #[arg(long)]
    once: bool,
    /// With the key of streams that are sealed end to end: a file with it, - for standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Where the hub is reached [default: where it was when it ran last]
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// Write the link into this file, for --join-file, instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["qr", "json"])]
    save: Option<PathBuf>,
    /// Show the link as a QR code as well
    #[arg(long)]
    qr: bool,
    /// As JSON: id, url, join, ends
    #[arg(long)]
    json: bool,
    /// The folder of the hub's keys [default: ~/.local/state/streamflow]
    #[arg(long, value_name = "DIR", env = "STREAMFLOW_STATE", global = true)]
    state: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum LinkCommand {
    /// Ends a link before its time, by its id, or all that were made until now
    Revoke {
        /// What `streamflow-hub link` said, or: all
        id: String,
    },
}

/// Makes keys: for streams that are sealed end to end, and for what signs links.
#[derive(Args, Debug)]
pub(super) struct KeyOptions {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand, Debug)]
enum KeyCommand {
    /// Makes a key for streams that are sealed end to end, for --key-file of streamflow-send and streamflow-view
    New {
        /// The file to keep it in, for this user alone; one that is there stays. Without it the key is printed
        file: Option<PathBuf>,
    },
    /// A new key signs from now on. Links of the last one hold until they end; links of the one before do not
    Rotate {
        /// The folder of the hub's keys [default: ~/.local/state/streamflow]
        #[arg(long, value_name = "DIR", env = "STREAMFLOW_STATE")]
        state: Option<PathBuf>,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse()
}

pub(super) fn key(options: &KeyOptions) -> anyhow::Result<()> {
    let state = match &options.command {
        KeyCommand::New { file } => return new_key(file.as_deref()),
        KeyCommand::Rotate { state } => state.as_deref(),
    };
    let folder = state_folder(state)?;
    commands::rotate_signing_key(&folder)?;
    writeln!(
        std::io::stdout(),
        "A new key signs links from now on; links of the last one hold until they end. Rotate again to end those."
    )?;
    Ok(())
}

fn new_key(file: Option<&Path>) -> anyhow::Result<()> {
    let key = SealKey::text(&random()?);
    let mut out = std::io::stdout();
    let Some(file) = file else { return Ok(writeln!(out, "{key}")?) };
    let name = file.display();
    create_private(file, &format!("{key}\n")).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Usage(format!(
            "{name} is there already, and what was sealed with a key that is lost never opens again"
        )),
        _ => Error::Failed(format!("{name} cannot be written: {error}")),
    })?;
    writeln!(
        out,
        "A new key is in {name}. Who sends and who watches need it, and no hub does:\n\
         streamflow-send … --key-file {name}\n\
         streamflow-view … --key-file {name}"
    )?;
    Ok(())
}

/// A link, with the key behind it: for whoever opens it, and for no hub.
fn with_key(link: &str, key: Option<&Secret>) -> String {
    key.map_or_else(|| link.to_owned(), |key| format!("{link}&key={}", key.for_url()))
}

pub(super) fn link(options: &LinkOptions) -> anyhow::Result<()> {
    let folder = state_folder(options.state.as_deref())?;
    if let Some(LinkCommand::Revoke { id }) = &options.command {
        return revoke(&folder, id);
    }
    let request = request(options)?;
    if options.key_file.is_some() && !matches!(request.to(), Some(Scope::Stream(_))) {
        return Err(Error::Usage("a key is for one stream: --view ROOM/NAME, or --publish ROOM/NAME".into()).into());
    }
    if let Some(news) = commands::clock_news(&folder).filter(|_| request.ends.is_some()) {
        return Err(Error::Failed(format!("no link was made, for {news}. --for ever makes one without an end")).into());
    }
    let key = options.key_file.as_deref().map(key_file::of_file).transpose()?;
    let keys = signing_keys(&folder)?;
    let known = reached(&folder);
    let never_ran = known.is_none();
    let (host, pin) = match (&options.host, known) {
        (Some(host), known) => {
            let address: HubAddress = host.parse()?;
            (HubAddress { port: address.port.or(Some(PORT)), ..address }.to_string(), known.and_then(|(_, pin)| pin))
        }
        (None, Some(known)) => known,
        (None, None) => (HubAddress::of_listener((others_reach(), PORT).into()).to_string(), None),
    };
    if never_ran {
        log::warn!(
            "no hub has run with the keys in {} yet, so the link leads to {host} and does not say which key the hub there has: \
             whoever opens it must compare that. A link that is made after `streamflow-hub --listen …` was started once says it",
            folder.display()
        );
    }
    let at = Reached { host: &host, pin, encrypted: true, by_proxy: false };
    let made = request.make(&keys, now()?, &at)?;
    let (url, join) = (with_key(&made.url, key.as_ref()), with_key(&made.join, key.as_ref()));
    let mut out = std::io::stdout().lock();
    if let Some(file) = &options.save {
        let failed = |e| Error::Failed(format!("{} cannot be written: {e}", file.display()));
        write_private(file, &format!("{join}\n"), true).map_err(failed)?;
        let until = if request.ends.is_some() { "" } else { ", which does not end by itself" };
        return Ok(writeln!(out, "{} holds the link{until}; its id is {}.", file.display(), made.id)?);
    }
    if options.json {
        let value = json!({ "id": made.id, "url": url, "join": join, "ends": request.ends, "once": request.once });
        return Ok(writeln!(out, "{value}")?);
    }
    let publishes = !request.publish.is_empty();
    let program = if publishes { "streamflow-send" } else { "streamflow-view" };
    if !request.view.is_empty() || !publishes {
        writeln!(out, "In a browser:  {url}")?;
    }
    writeln!(out, "In a terminal: {program} --join '{join}'")?;
    let ends = request.ends.and_then(|ends| Timestamp::from_second(i64::try_from(ends).ok()?).ok());
    let until = ends.map_or("until it is revoked".to_owned(), |ends| format!("until {}", ends.strftime("%F %T UTC")));
    writeln!(out, "It holds {until}{}; its id is {}.", if request.once { ", for one session" } else { "" }, made.id)?;
    if options.qr {
        let (Ok(text) | Err(text)) = qr_text(&url, columns(&std::io::stdout()));
        writeln!(out, "{text}")?;
    }
    Ok(())
}

fn now() -> anyhow::Result<u64> {
    Ok(u64::try_from(Timestamp::now().as_second())?)
}

fn request(options: &LinkOptions) -> anyhow::Result<LinkRequest> {
    let (mut view, mut publish) = (options.view.clone(), options.publish.clone());
    if let Some(room) = &options.room {
        if !matches!(room, Scope::Room(_)) {
            return Err(Error::Usage("--room takes the name of a room".into()).into());
        }
        view.push(room.clone());
        publish.push(room.clone());
    }
    let roles = [(options.operate, AccessRole::Operate), (options.admin, AccessRole::Admin)];
    let roles: Vec<_> = roles.into_iter().filter(|(wanted, _)| *wanted).map(|(_, role)| role).collect();
    if view.is_empty() && publish.is_empty() && roles.is_empty() {
        let what = "say what the link is for: --view ROOM/NAME, --publish ROOM/NAME, --room ROOM, --operate or --admin";
        return Err(Error::Usage(what.into()).into());
    }
    let lasts = match options.lasts.as_deref() {
        Some("ever") => None,
        Some(text) => Some(seconds_of(text).map_err(|why| Error::Usage(format!("--for: {why}, or ever")))?),
        None => Some(USUAL),
    };
    let ends = lasts.map(|lasts| now().map(|now| now.saturating_add(lasts))).transpose()?;
    Ok(LinkRequest { view, publish, roles, ends, once: options.once, by: None })
}

fn revoke(folder: &Path, id: &str) -> anyhow::Result<()> {
    if id.split_whitespace().count() != 1 || id.len() > 64 {
        return Err(Error::Usage(format!("'{id:.80}' is no id of a link")).into());
    }
    if reached(folder).is_none() && !folder.join("signing-keys").exists() {
        let what = format!("no hub has kept its keys in {}: --state DIR names the right folder", folder.display());
        return Err(Error::NoSource(what).into());
    }
    commands::revoke(folder, (id != "all").then_some(id))?;
    let which = if id == "all" { "No link that was made until now holds" } else { "The link does not hold" };
    writeln!(
        std::io::stdout(),
        "{which} any more at the hub with the keys in {}; who uses it is out within two seconds.",
        folder.display()
    )?;
    Ok(())
}
