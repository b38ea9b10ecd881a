//! Which hubs a program trusts, and who confirms one that it meets for the first time.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ParsedCertificate;

use super::fingerprint;
use super::known_hubs::{KnownHub, KnownHubs};
use super::tokens::{KeptToken, Tokens, Use};
use crate::net::state_dir;
use crate::secret::Secret;
use crate::wire::fingerprint::KeyFingerprint;

/// Asks somebody whether the hub at this address, with a key of this fingerprint, is the one that is meant.
pub type Confirm = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Which hubs a program trusts when it encrypts. Those of its state folder are known; one that no link names, no authority vouches
/// for and nobody has met is asked for.
#[derive(Clone, Default)]
pub struct HubTrust {
    /// The folder with the hubs that were met. `None`, the default: `$XDG_STATE_HOME/streamflow`, or
    /// `~/.local/state/streamflow`.
    pub state: Option<PathBuf>,
    /// Who is asked; it may take its time. `None`, the default: nobody, and such a hub is refused.
    pub confirm: Option<Confirm>,
}

impl std::fmt::Debug for HubTrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubTrust").field("state", &self.state).finish_non_exhaustive()
    }
}

impl HubTrust {
    fn folder(&self) -> Option<PathBuf> {
        self.state.clone().or_else(state_dir::default_dir)
    }

    fn known_hubs(&self) -> Option<KnownHubs> {
        self.folder().map(|folder| KnownHubs::in_dir(&folder))
    }

    /// What is known of the hub at this address, and in which file that stands.
    ///
    /// # Errors
    /// The file cannot be read, and so it is not known what is known.
    pub(crate) fn known(&self, hub: &str) -> Result<Option<(KnownHub, PathBuf)>, String> {
        let Some(known) = self.known_hubs() else { return Ok(None) };
        let cannot =
            |e: std::io::Error| format!("the hubs that were met cannot be read: {}: {e}", known.path().display());
        Ok(known.find(hub).map_err(cannot)?.map(|hub| (hub, known.path().to_owned())))
    }

    /// The key of this user's own hub on this machine.
    pub(crate) fn own(&self) -> Option<KeyFingerprint> {
        let pem = std::fs::read(self.folder()?.join("hub-cert.pem")).ok()?;
        let certificate = CertificateDer::from_pem_slice(&pem).ok()?;
        Some(fingerprint(&ParsedCertificate::try_from(&certificate).ok()?.subject_public_key_info()))
    }

    /// Keeps the key of a hub that was confirmed today.
    pub(crate) fn remember(&self, hub: &str, key: KeyFingerprint) {
        match self.known_hubs().map(|known| known.remember(hub, key, &today())) {
            Some(Ok(())) => {}
            Some(Err(error)) => log::warn!("the key of {hub} is not remembered, and must be confirmed again: {error}"),
            None => log::warn!("the key of {hub} is not remembered, for there is no folder for it: --state names one"),
        }
    }

    /// The secret of this user's own hub on this machine, which lets its programs in. It is for a hub with the [own](Self::own) key.
    pub(crate) fn local_secret(&self) -> Option<Secret> {
        state_dir::local_secret(&self.folder()?)
    }

    /// What let this user in before, at a hub of this place.
    pub(crate) fn token(&self, hub: &str, used: &Use) -> Option<KeptToken> {
        let tokens = Tokens::in_dir(&self.folder()?);
        tokens.find(hub, used).unwrap_or_else(|error| {
            log::warn!("the tokens that were kept cannot be read: {}: {error}", tokens.path().display());
            None
        })
    }

    /// Keeps what let this user in today.
    pub(crate) fn keep_token(&self, hub: &str, used: &Use, token: &Secret) {
        let Some(folder) = self.folder() else { return };
        if let Err(error) = Tokens::in_dir(&folder).keep(hub, used, token, &today()) {
            log::warn!("the token for {hub} is not remembered, and must be shown again: {error}");
        }
    }
}

/// As `2026-11-30`.
fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%d").to_string()
}
