//! `streamflow-hub secret`: the lines of an access file for a secret.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use data_encoding::HEXLOWER;

use crate::access::secrets;
use crate::error::Error;
use crate::hub::access_files::random;

/// Makes a secret, or what is kept of one that you make up.
#[derive(Args, Debug)]
pub(super) struct SecretOptions {
    /// Keep one that you make up: it is asked for, or read from standard input
    #[arg(long)]
    made_up: bool,
}

pub(super) fn secret(options: &SecretOptions) -> anyhow::Result<()> {
    let (kept, shown) = if options.made_up {
        let typed = typed()?;
        (secrets::keep_made_up(&typed, random()?).map_err(Error::Usage)?, None)
    } else {
        let secret = secrets::of_random(random()?);
        let kept = format!("sha256:{}", HEXLOWER.encode(&secrets::hash(secret.expose())));
        (kept, Some(secret))
    };
    let mut out = std::io::stdout().lock();
    if let Some(secret) = shown {
        writeln!(out, "# For whoever is let in; it stands nowhere else: {}", secret.expose())?;
    }
    writeln!(out, "[[secret]]\nname = \"\"\nsecret = \"{kept}\"\nrole = \"view\"\nstream = \"*\"")?;
    Ok(())
}

fn typed() -> anyhow::Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        write!(std::io::stderr(), "The secret ({} characters or more): ", secrets::SHORTEST_PASSWORD)?;
    }
    let mut line = String::new();
    std::io::Read::take(input.lock(), 4096).read_line(&mut line).map_err(|e| Error::io("cannot read the secret", e))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
