//! Whether a hub speaks TLS, and with which key.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::access_files::state_folder;
use super::{AccessControl, HubConfig};
use crate::error::Result;
use crate::net::tls::identity::Identity;

/// How a hub encrypts. It serves TLS and what is in the clear at the same port: the first byte tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// The default: with a key of its own, made at first need and kept in the state folder, where it can be reached from outside;
    /// not at all where it listens on loopback alone.
    #[default]
    BeyondLoopback,
    /// With a key of its own, on loopback too.
    Always,
    /// With this certificate and key in PEM, which are read again within 2 s when they change.
    Files {
        /// The certificate, and those that lead to its authority behind it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// The key that this hub has; `None`: it does not encrypt.
pub(super) fn identity(config: &HubConfig) -> Result<Option<Arc<Identity>>> {
    let own = || {
        let folder = state_folder(config.state.as_deref())?;
        Identity::own(&folder, &names(config)).map(|identity| Some(Arc::new(identity)))
    };
    // Programs of this user show their secret under encryption alone.
    let asks = matches!(config.access, AccessControl::File(_));
    match &config.encryption {
        Encryption::BeyondLoopback if config.listen.ip().is_loopback() && !asks => Ok(None),
        Encryption::BeyondLoopback | Encryption::Always => own(),
        Encryption::Files { certificate, key } => Identity::of_files(certificate, key).map(|id| Some(Arc::new(id))),
    }
}

/// What the hub is called, for the certificate that it signs itself.
fn names(config: &HubConfig) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let machine = gethostname::gethostname().to_string_lossy().to_lowercase();
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if !machine.is_empty() && is_name(&machine) {
        let short = machine.split('.').next().unwrap_or_default();
        names.extend([machine.clone(), format!("{short}.local")]);
    }
    match config.listen.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => {}
        IpAddr::V4(ip) => names.push(ip.to_string()),
        IpAddr::V6(ip) => names.push(ip.to_string()),
    }
    names.sort();
    names.dedup();
    names
}

/// What keeps the certificate fresh: to be called now and then.
pub(super) fn renewal(identity: Arc<Identity>, config: &HubConfig) -> impl FnMut() + Send + 'static {
    let names = names(config);
    move || identity.refresh(&names, Timestamp::now())
}
