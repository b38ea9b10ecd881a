//! The files that say who may do what: made where a hub needs them and has none, and read again when they change.

#[cfg(feature = "hub")]
pub(crate) mod commands;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::HubConfig;
use crate::access::Access;
use crate::access::clock::{ClockCheck, ClockWatch};
use crate::access::file::{self, AccessFile, LONGEST_FILE};
use crate::access::link::{KEY_LENGTH, SigningKeys};
use crate::access::policy::{Policy, RevokedLinks};
use crate::access::secrets;
use crate::error::{Error, Result};
use crate::net::state_dir::{self, LOCAL_SECRET, write_private};
use crate::secret::Secret;
use crate::wire::fingerprint::KeyFingerprint;

/// The hub's own access file, its signing keys, and the links that were revoked.
const OWN_FILE: &str = "access.toml";
const SIGNING_KEYS: &str = "signing-keys";
const REVOKED: &str = "revoked-links";

/// Who may do what at a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessControl {
    /// The default. A hub that listens on loopback alone lets everybody on this machine do everything. Another one asks everybody
    /// for a secret or a link; its secrets are made at first need and kept in the state folder.
    #[default]
    BeyondLoopback,
    /// Everybody may do everything.
    Open,
    /// What this file says (`docs/security.md`), on loopback too. It is read again within 2 s when it changes.
    File(PathBuf),
}

/// The secrets of a hub's own access file that go into the links that it prints.
#[derive(Clone, Debug)]
pub(crate) struct OwnSecrets {
    pub(crate) view: Secret,
    pub(crate) publish: Secret,
}

/// So many random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::Failed("the system has no random numbers".into()))?;
    Ok(bytes)
}

/// The folder of a hub's state.
pub(crate) fn state_folder(state: Option<&Path>) -> Result<PathBuf> {
    state.map(Path::to_owned).or_else(state_dir::default_dir).ok_or_else(|| {
        Error::Failed(
            "there is no folder to keep the hub's keys in, for this user has no home: --state DIR (or STREAMFLOW_STATE) \
             names one, which in a container is a volume"
                .into(),
        )
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!(
        "{} cannot be written ({error}): --state DIR (or STREAMFLOW_STATE) names a folder that can, which in a container is a volume",
        path.display()
    ))
}

/// A file's text; one that is not there is empty.
fn read_text(path: &Path) -> io::Result<String> {
    state_dir::read_text(path, LONGEST_FILE as u64)
}

/// The file's text; made, with what `content` gives, where there is none.
fn read_or_make(path: &Path, content: impl FnOnce() -> Result<String>) -> Result<String> {
    if !path.exists() {
        write_private(path, &content()?, false).map_err(|e| unwritable(path, &e))?;
    }
    read_text(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))
}

/// The keys that sign links, in this folder; one is made where there is none.
pub(crate) fn signing_keys(folder: &Path) -> Result<SigningKeys> {
    let path = folder.join(SIGNING_KEYS);
    read_or_make(&path, || Ok(BASE64URL_NOPAD.encode(&random::<KEY_LENGTH>()?) + "\n"))?;
    read_signing_keys(&path).map_err(Error::Failed)
}

fn read_signing_keys(path: &Path) -> std::result::Result<SigningKeys, String> {
    let text = read_text(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let keys = SigningKeys::read(&text).map_err(|line| format!("{}: line {line}: this is no key", path.display()))?;
    if keys.is_empty() { Err(format!("{}: there is no key in it", path.display())) } else { Ok(keys) }
}

/// The access file that a hub begins with.
fn own_file() -> Result<String> {
    let secret = || random().map(|bytes| secrets::of_random(bytes).expose().to_owned());
    Ok(format!(
        "# Who may do what at this hub. It is read again when it changes; docs/security.md says what can stand here.\n\
         # A new secret ends all that was let in by the old one.\n\n\
         [[secret]]\nname = \"view\"\nsecret = \"{}\"\nrole = \"view\"\n\n\
         [[secret]]\nname = \"publish\"\nsecret = \"{}\"\nrole = [\"publish\", \"view\"]\n\n\
         [[secret]]\nname = \"owner\"\nsecret = \"{}\"\nrole = [\"view\", \"publish\", \"operate\", \"replay\", \"admin\"]\n",
        secret()?,
        secret()?,
        secret()?
    ))
}

/// Where a hub with this state was reached last: `HOST:PORT`, and its key if that is its own.
const REACHED: &str = "reached-at";

/// Where a hub with this state was reached last.
pub(crate) fn reached(folder: &Path) -> Option<(String, Option<KeyFingerprint>)> {
    let text = read_text(&folder.join(REACHED)).ok()?;
    let mut lines = text.lines();
    let host = lines.next().filter(|host| !host.is_empty())?.to_owned();
    Some((host, lines.next().and_then(|pin| pin.parse().ok())))
}

/// Keeps where a hub is reached, for `streamflow-hub link`, and for this user's programs on this machine.
pub(crate) fn keep_reached(folder: &Path, host: &str, pin: Option<KeyFingerprint>) {
    let pin = pin.map(|pin| pin.for_url().to_string()).unwrap_or_default();
    let (path, text) = (folder.join(REACHED), format!("{host}\n{pin}\n"));
    // One that is from later tells that the clock is not set, at the next start as well.
    let from_later = stamp(&path).is_some_and(|(written, _)| written > SystemTime::now());
    if from_later && read_text(&path).is_ok_and(|kept| kept == text) {
        return;
    }
    if let Err(error) = write_private(&path, &text, true) {
        log::debug!("{}: {error}", path.display());
    }
}

/// What the hub writes itself, and so by the clock of this machine.
const WRITTEN_HERE: [&str; 5] = [SIGNING_KEYS, REVOKED, REACHED, LOCAL_SECRET, "used-links"];

/// By what it can be told whether the clock is set: the newest file that was kept here before.
fn clock_check(folder: &Path) -> ClockCheck {
    let written = |name: &str| {
        let path = folder.join(name);
        let at = stamp(&path)?.0.duration_since(UNIX_EPOCH).ok()?;
        Some((path.display().to_string(), at.as_secs()))
    };
    ClockCheck::after(WRITTEN_HERE.into_iter().filter_map(written).max_by_key(|(_, at)| *at))
}

/// Enough to tell that a file is another one.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// The files that a hub's policy is read from.
pub(super) struct AccessFiles {
    folder: PathBuf,
    file: PathBuf,
    /// What they were like when they were read last, when they were looked at last, and when it was said that they cannot be used.
    stamps: [Stamp; 3],
    found: [Stamp; 3],
    said: Option<[Stamp; 3]>,
    clock: ClockCheck,
}

/// What a hub begins with.
pub(super) struct Beginning {
    pub(super) access: Access,
    /// What is to be looked at again.
    pub(super) files: Option<AccessFiles>,
    /// What goes into the links that it prints.
    pub(super) own_secrets: Option<OwnSecrets>,
}

impl Beginning {
    fn without_files(policy: Policy) -> Self {
        Self { access: Access::new(policy), files: None, own_secrets: None }
    }
}

impl From<Access> for Beginning {
    fn from(access: Access) -> Self {
        Self { access, files: None, own_secrets: None }
    }
}

/// Who may do what at a hub with this configuration.
///
/// # Errors
/// [`Error::Usage`] with the line of the access file that is wrong; files that cannot be made or read.
pub(super) fn begin(config: &HubConfig) -> Result<Beginning> {
    let (file, is_own) = match &config.access {
        AccessControl::Open => return Ok(Beginning::without_files(Policy::open())),
        AccessControl::BeyondLoopback if config.listen.ip().is_loopback() => {
            return Ok(Beginning::without_files(Policy::of_this_machine()));
        }
        AccessControl::BeyondLoopback => (state_folder(config.state.as_deref())?.join(OWN_FILE), true),
        AccessControl::File(file) => (file.clone(), false),
    };
    let folder = state_folder(config.state.as_deref())?;
    let clock = clock_check(&folder);
    signing_keys(&folder)?;
    let secret = || Ok(format!("{}\n", secrets::of_random(random()?).expose()));
    read_or_make(&folder.join(LOCAL_SECRET), secret)?;
    let own_secrets = if is_own {
        let text = read_or_make(&file, own_file)?;
        let of = |name| file::secret_named(&text, name);
        of("view").zip(of("publish")).map(|(view, publish)| OwnSecrets { view, publish })
    } else {
        None
    };
    let (stamps, found) = Default::default();
    let mut files = AccessFiles { folder, file, stamps, found, said: None, clock };
    let stamps = files.look();
    let policy = files.read().map_err(Error::Usage)?;
    (files.stamps, files.found) = (stamps, stamps);
    Ok(Beginning { access: Access::new(policy), files: Some(files), own_secrets })
}

impl AccessFiles {
    fn look(&self) -> [Stamp; 3] {
        let in_folder = |name: &str| stamp(&self.folder.join(name));
        [stamp(&self.file), in_folder(SIGNING_KEYS), in_folder(REVOKED)]
    }

    fn read(&self) -> Result<Policy, String> {
        let named = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| format!("{}: {error}", path.display())
        };
        // One that is gone, or empty for a moment, is not one that lets nobody in.
        let text = fs::metadata(&self.file).and_then(|_| read_text(&self.file)).map_err(named(&self.file))?;
        if text.trim().is_empty() {
            return Err(format!("{}: it is empty; a comment stands for nobody", self.file.display()));
        }
        let file: AccessFile = file::read(&text).map_err(|why| format!("{}: {why}", self.file.display()))?;
        let folder = &self.folder;
        let local = read_text(&folder.join(LOCAL_SECRET)).map_err(named(&folder.join(LOCAL_SECRET)))?;
        let local = Some(local.trim()).filter(|text| secrets::looks_random(text)).map(secrets::hash);
        let keys = read_signing_keys(&folder.join(SIGNING_KEYS))?;
        let path = folder.join(REVOKED);
        if self.stamps[2].is_some() && !path.exists() {
            return Err(format!("{}: it is gone, and links that were revoked would hold again", path.display()));
        }
        let revoked = read_text(&path).map_err(named(&path))?;
        Ok(Policy::of_file(file, local, keys, RevokedLinks::read(&revoked)).judging(self.clock.clone()))
    }

    /// The policy, if a file has changed and can be used. A file that is just being written is looked at again. What cannot be used is
    /// said once, and what was read last goes on to hold.
    pub(super) fn refresh(&mut self) -> Option<Policy> {
        let found = self.look();
        let settled = std::mem::replace(&mut self.found, found) == found;
        if found == self.stamps || !settled || self.said == Some(found) {
            return None;
        }
        match self.read() {
            Ok(policy) => {
                (self.stamps, self.said) = (found, None);
                log::info!("who may do what is read again ({})", self.file.display());
                Some(policy)
            }
            Err(why) => {
                log::warn!("{why}: what was read before goes on to hold");
                self.said = Some(found);
                None
            }
        }
    }

    /// What says whether the clock is set.
    pub(super) fn clock_watch(&self) -> ClockWatch {
        ClockWatch::new(self.clock.clone())
    }

    /// The folder of the hub's state.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}
