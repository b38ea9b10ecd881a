//! Who a hub is to those who encrypt: its key, and certificates on it.
//!
//! Either its own, made when it is first needed and kept, with certificates that it signs itself; or those of files, which are read
//! again when they change, as certbot and Caddy write them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::{PROVIDER, fingerprint};
use crate::error::{Error, Result};
use crate::net::state_dir::write_private;
use crate::wire::fingerprint::KeyFingerprint;

/// How long a certificate of our own holds: browsers and iOS take no longer ones.
const HOLDS: SignedDuration = SignedDuration::from_hours(825 * 24);
/// It is renewed so long before it ends.
const RENEWED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Before the line of a certificate's file that says up to when it holds.
const UNTIL: &str = "holds until ";
/// A file that is longer is no certificate.
const LONGEST: u64 = 1 << 20;

/// Where the key and its certificates come from.
enum Origin {
    /// This folder.
    Own(PathBuf),
    /// These files.
    Files { certificate: PathBuf, key: PathBuf },
}

/// A hub's key and certificates.
pub(crate) struct Identity {
    origin: Origin,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    /// The key was made just now.
    pub(crate) is_new: bool,
    /// What the files were like when they were read last, and whether it was said that they cannot be used.
    files: Mutex<(Stamp, bool)>,
}

/// What is shown to whoever connects.
struct Current(Mutex<Shown>);

#[derive(Clone)]
struct Shown {
    key: Arc<CertifiedKey>,
    fingerprint: KeyFingerprint,
    /// When a new certificate is made; never for one of somebody else.
    renew: Option<Timestamp>,
}

/// Enough to tell that a file is another one: when it was changed, and its length.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl Current {
    fn get(&self) -> Shown {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, shown: Shown) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get().key)
    }
}

impl Identity {
    /// The hub's own, of this folder; made there if there is none. `names`: what the hub is called, for browsers.
    ///
    /// # Errors
    /// The folder cannot be written, or what is in it is no key.
    pub(crate) fn own(folder: &Path, names: &[String]) -> Result<Self> {
        let path = folder.join("hub-key.pem");
        let is_new = !path.exists();
        if is_new {
            let made = KeyPair::generate().map_err(|e| Error::Failed(format!("cannot make a key: {e}")))?;
            write_private(&path, &made.serialize_pem(), false).map_err(|e| unwritable(folder, &e))?;
        }
        let shown = own_certificate(folder, names)?;
        Self::new(Origin::Own(folder.to_owned()), shown, is_new)
    }

    /// That of a certificate and a key in PEM.
    ///
    /// # Errors
    /// [`Error::Usage`], naming the files, where they cannot be read or do not belong together.
    pub(crate) fn of_files(certificate: &Path, key: &Path) -> Result<Self> {
        let stamp = [stamp(certificate), stamp(key)];
        let shown = read_files(certificate, key).map_err(Error::Usage)?;
        let origin = Origin::Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let this = Self::new(origin, shown, false)?;
        *this.files() = (stamp, false);
        Ok(this)
    }

    fn new(origin: Origin, shown: Shown, is_new: bool) -> Result<Self> {
        let current = Arc::new(Current(Mutex::new(shown)));
        let failed = |e: rustls::Error| Error::Failed(format!("cannot set up TLS: {e}"));
        let mut config = ServerConfig::builder_with_provider(fast_provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ignore_client_order = true;
        // Whoever comes back is let in without a new agreement, whichever thread or how many came meanwhile.
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(failed)?;
        config.send_tls13_tickets = 1;
        Ok(Self { origin, current, config: Arc::new(config), is_new, files: Mutex::default() })
    }

    fn files(&self) -> std::sync::MutexGuard<'_, (Stamp, bool)> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What identifies the hub.
    pub(crate) fn fingerprint(&self) -> KeyFingerprint {
        self.current.get().fingerprint
    }

    /// Where its own key is kept; `None`: it is that of files.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Own(folder) => Some(folder),
            Origin::Files { .. } => None,
        }
    }

    /// A session for somebody who begins to encrypt.
    ///
    /// # Errors
    /// What rustls says.
    pub(crate) fn session(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.config.clone())
    }

    /// Looks whether files have changed, or whether a certificate of our own ends soon. What cannot be used is said once, and what
    /// was there before stays.
    pub(crate) fn refresh(&self, names: &[String], now: Timestamp) {
        match &self.origin {
            Origin::Own(folder) => {
                if self.current.get().renew.is_some_and(|renew| renew <= now) {
                    match own_certificate(folder, names) {
                        Ok(shown) => self.current.set(shown),
                        Err(error) => self.cannot(&error.to_string()),
                    }
                }
            }
            Origin::Files { certificate, key } => {
                let stamp = [stamp(certificate), stamp(key)];
                if self.files().0 == stamp {
                    return;
                }
                match read_files(certificate, key) {
                    Ok(shown) => {
                        *self.files() = (stamp, false);
                        self.current.set(shown);
                        log::info!("the certificate of {} is read again", certificate.display());
                    }
                    // It is tried again until it is good: two files are not written at once.
                    Err(why) => self.cannot(&why),
                }
            }
        }
    }

    fn cannot(&self, why: &str) {
        if !std::mem::replace(&mut self.files().1, true) {
            log::warn!("{why}; the certificate that was there before stays in use");
        }
    }
}

/// The same ciphers as others take, those that cost least first: every viewer's pictures are encrypted for it alone.
fn fast_provider() -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&PROVIDER);
    // 128 bits are enough, and a quarter faster than 256. Where the processor knows no AES, clients say so by their order.
    provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    Arc::new(provider)
}

fn unwritable(folder: &Path, error: &io::Error) -> Error {
    Error::Failed(format!(
        "the hub's key cannot be kept in {}: {error}; --state DIR (or STREAMFLOW_STATE) names a folder that can be written, which in \
         a container is a volume",
        folder.display()
    ))
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn read_text(path: &Path) -> Result<String, String> {
    let read = fs::metadata(path).and_then(|about| match about.len() {
        0..=LONGEST => fs::read_to_string(path),
        _ => Err(io::Error::other("it is too long for that")),
    });
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn read_files(certificate: &Path, key: &Path) -> Result<Shown, String> {
    let chain = chain_of(&read_text(certificate)?)
        .ok_or_else(|| format!("{} has no certificate in PEM (BEGIN CERTIFICATE)", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_slice(read_text(key)?.as_bytes())
        .map_err(|_| format!("{} has no private key in PEM (BEGIN PRIVATE KEY)", key.display()))?;
    shown(chain, private, None).map_err(|why| {
        format!(
            "the certificate {} and the key {} cannot be used together: {why}",
            certificate.display(),
            key.display()
        )
    })
}

fn chain_of(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    chain.ok().filter(|chain| !chain.is_empty())
}

fn shown(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    renew: Option<Timestamp>,
) -> Result<Shown, String> {
    let key = CertifiedKey::from_der(chain, key, &PROVIDER).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the certificate is for another key".to_string(),
        other => other.to_string(),
    })?;
    let end_entity = key.end_entity_cert().map_err(|e| e.to_string())?;
    let parsed = ParsedCertificate::try_from(end_entity).map_err(|e| e.to_string())?;
    let fingerprint = fingerprint(&parsed.subject_public_key_info());
    Ok(Shown { key: Arc::new(key), fingerprint, renew })
}

/// The certificate of the hub's own key: the one that is kept, for browsers remember exceptions by it, or a new one where that ends
/// soon or is none.
fn own_certificate(folder: &Path, names: &[String]) -> Result<Shown> {
    let (key_path, path) = (folder.join("hub-key.pem"), folder.join("hub-cert.pem"));
    let pem = read_text(&key_path).map_err(Error::Failed)?;
    let no_key = |why: String| {
        Error::Failed(format!(
            "{} is no key of a hub ({why}): move it away, and a new one is made; those who know the old one must confirm it",
            key_path.display()
        ))
    };
    let private = || PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|e| no_key(e.to_string()));
    if let Some(kept) = read_text(&path).ok().and_then(|text| {
        let until = text.lines().find_map(|line| line.strip_prefix(UNTIL)?.parse::<Timestamp>().ok())?;
        let (now, renew) = (Timestamp::now(), until.checked_sub(RENEWED).ok()?);
        // One that was made while the clock was ahead would not be valid for long yet.
        let longest = now.checked_add(HOLDS + SignedDuration::from_hours(24)).ok()?;
        (renew > now && until <= longest).then_some((chain_of(&text)?, renew))
    }) && let Ok(shown) = shown(kept.0, private()?, Some(kept.1))
    {
        return Ok(shown);
    }
    let key = KeyPair::from_pem(&pem).map_err(|e| no_key(e.to_string()))?;
    let failed = |e: rcgen::Error| Error::Failed(format!("cannot make a certificate: {e}"));
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "StreamFlow hub");
    let now = SystemTime::now();
    let until = Timestamp::now() + HOLDS;
    // The clocks of others may be behind.
    params.not_before = (now - Duration::from_secs(24 * 3600)).into();
    params.not_after = SystemTime::from(until).into();
    let certificate = params.self_signed(&key).map_err(failed)?;
    let text = format!("{UNTIL}{until:.0}\n{}", certificate.pem());
    if let Err(error) = write_private(&path, &text, true) {
        // The key is what counts; browsers are asked again.
        log::warn!(
            "the certificate is not kept in {}, and is another one at the next start: {error}",
            folder.display()
        );
    }
    shown(vec![certificate.der().clone()], private()?, Some(until - RENEWED)).map_err(no_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("streamflow-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn names() -> Vec<String> {
        vec!["localhost".into(), "127.0.0.1".into()]
    }

    fn chain(identity: &Identity) -> Vec<CertificateDer<'static>> {
        identity.current.get().key.cert.clone()
    }

    #[test]
    fn a_hubs_key_is_made_once_and_its_certificate_is_renewed_on_it() {
        let folder = folder("own");
        let first = Identity::own(&folder, &names()).unwrap();
        let again = Identity::own(&folder, &names()).unwrap();
        assert!(first.is_new && !again.is_new);
        assert_eq!((first.fingerprint(), chain(&first)), (again.fingerprint(), chain(&again)));
        // A certificate that ends in a week.
        let cert = folder.join("hub-cert.pem");
        let text = fs::read_to_string(&cert).unwrap();
        let until = text.lines().next().unwrap().to_owned();
        let soon = format!("{UNTIL}{:.0}", Timestamp::now() + SignedDuration::from_hours(7 * 24));
        fs::write(&cert, text.replace(&until, &soon)).unwrap();
        let renewed = Identity::own(&folder, &names()).unwrap();
        assert_eq!(renewed.fingerprint(), first.fingerprint());
        assert_ne!(chain(&renewed), chain(&first));
        // One that runs on is renewed in time.
        let before = chain(&renewed);
        renewed.refresh(&names(), Timestamp::now());
        assert_eq!(chain(&renewed), before);
        fs::remove_file(&cert).unwrap();
        renewed.refresh(&names(), Timestamp::now() + HOLDS);
        assert_ne!(chain(&renewed), before);
        // What is no key is not overwritten.
        fs::write(folder.join("hub-key.pem"), "nonsense").unwrap();
        let said = Identity::own(&folder, &names()).err().unwrap().to_string();
        assert!(said.contains("hub-key.pem") && said.contains("move it away"), "{said}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_what_to_do() {
        let folder = folder("unwritable");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        let said = Identity::own(&folder.join("file"), &names()).err().unwrap().to_string();
        assert!(said.contains("--state DIR"), "{said}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn files_are_read_again_when_they_change_and_the_last_good_pair_stays() {
        let folder = folder("files");
        fs::create_dir_all(&folder).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let make = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec![name.into()]).unwrap();
            (made.cert.pem(), made.signing_key.serialize_pem())
        };
        let ((cert_a, key_a), (cert_b, key_b)) = (make("a.example"), make("longer-name-of-b.example"));
        fs::write(&cert, &cert_a).unwrap();
        let said = |cert: &Path, key: &Path| match Identity::of_files(cert, key) {
            Err(Error::Usage(why)) => why,
            other => panic!("{:?}", other.map(|_| ())),
        };
        assert!(said(&cert, &key).contains("key.pem cannot be read"));
        fs::write(&key, "no key").unwrap();
        assert!(said(&cert, &key).contains("key.pem has no private key"));
        fs::write(&key, &key_b).unwrap();
        let both = said(&cert, &key);
        assert!(both.contains("cert.pem") && both.contains("key.pem") && both.contains("another key"), "{both}");
        fs::write(&key, &key_a).unwrap();
        let identity = Identity::of_files(&cert, &key).unwrap();
        let (first, now) = (identity.fingerprint(), Timestamp::now());
        // The certificate alone is of no use until its key is there.
        fs::write(&cert, &cert_b).unwrap();
        identity.refresh(&names(), now);
        assert_eq!(identity.fingerprint(), first);
        fs::write(&key, format!("{key_b}\n")).unwrap();
        identity.refresh(&names(), now);
        assert_ne!(identity.fingerprint(), first);
        fs::remove_dir_all(folder).unwrap();
    }
}
