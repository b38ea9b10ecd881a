//! Whether a hub speaks TLS, and with which key.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use jiff::Timestamp;

use super::HubConfig;
use crate::error::{Error, Result};
use crate::net::state_dir;
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

/// How often it is looked whether a certificate has changed or ends soon.
const LOOK: Duration = Duration::from_secs(1);

/// The key that this hub has; `None`: it does not encrypt.
pub(super) fn identity(config: &HubConfig) -> Result<Option<Arc<Identity>>> {
    let own = || {
        let folder = config.state.clone().or_else(state_dir::default_dir).ok_or_else(|| {
            Error::Failed(
                "there is no folder to keep the hub's key in, for this user has no home: --state DIR (or STREAMFLOW_STATE) \
                 names one, which in a container is a volume"
                    .into(),
            )
        })?;
        Identity::own(&folder, &names(config)).map(|identity| Some(Arc::new(identity)))
    };
    match &config.encryption {
        Encryption::BeyondLoopback if config.listen.ip().is_loopback() => Ok(None),
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

/// Keeps the certificate fresh, on a thread of its own: files may lie on a disk that does not answer. Dropping it ends the thread.
pub(super) struct Renewal {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Renewal {
    pub(super) fn start(identity: Arc<Identity>, config: &HubConfig) -> Result<Self> {
        let (stop, stopped) = bounded(0);
        let names = names(config);
        let thread = std::thread::Builder::new()
            .name("certificate".into())
            .spawn(move || {
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    identity.refresh(&names, Timestamp::now());
                }
            })
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It is not waited for: a disk that does not answer must not keep the hub from ending.
        drop(self.thread.take());
    }
}
