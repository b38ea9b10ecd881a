//! Which hubs a program takes for the one that it means: whose key a link or a person has confirmed, that of this user's own hub, or
//! one that an authority vouches for. A name that nobody has confirmed is asked for, and nothing is sent before that.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::{PROVIDER, fingerprint};
use crate::wire::fingerprint::KeyFingerprint;
use crate::wire::host::without_zone;

/// Which keys are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trusted {
    /// The one that a link or an option names: no other is taken, whoever vouches for it.
    pub(crate) pinned: Option<KeyFingerprint>,
    /// The one that the hub had when it was met: another is taken where an authority vouches for it.
    pub(crate) known: Option<KeyFingerprint>,
    /// That of this user's own hub on this machine.
    pub(crate) own: Option<KeyFingerprint>,
}

/// What the other side showed, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the hub that is meant.
    Taken(KeyFingerprint),
    /// It has another key than the one that is asked for.
    Other(KeyFingerprint),
    /// Nobody has confirmed this key.
    Unknown(KeyFingerprint),
}

impl Trusted {
    /// What comes of a key; `vouched`: an authority vouches for it under the name that was asked for.
    fn judge(&self, key: KeyFingerprint, vouched: impl FnOnce() -> bool) -> Verdict {
        let Self { pinned, known, own } = *self;
        match (pinned, known) {
            (Some(pinned), _) if pinned == key => Verdict::Taken(key),
            (Some(_), _) => Verdict::Other(key),
            (None, Some(known)) if known == key => Verdict::Taken(key),
            (None, _) if own == Some(key) || vouched() => Verdict::Taken(key),
            (None, Some(_)) => Verdict::Other(key),
            (None, None) => Verdict::Unknown(key),
        }
    }
}

/// Judges what one hub shows.
#[derive(Debug)]
struct Verifier {
    trusted: Trusted,
    /// The last verdict, and why no authority vouches for the key, where that was asked.
    verdict: Mutex<(Option<Verdict>, Option<NotVouched>)>,
}

/// Why no authority vouches for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotVouched {
    /// For a person.
    pub(crate) why: String,
    /// It is a matter of time, or of this machine's clock, and may be otherwise soon.
    pub(crate) passes: bool,
}

/// Whether an authority vouches for a certificate.
#[cfg(any(feature = "send", feature = "view"))]
fn vouched(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), NotVouched> {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    super::authorities::vouch(end_entity, intermediates, name, now).map_err(|(error, why)| {
        let times = |e: &CertificateError| {
            matches!(e, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
        };
        NotVouched { why, passes: matches!(&error, Error::InvalidCertificate(e) if times(e)) }
    })
}

/// A hub asks nobody.
#[cfg(not(any(feature = "send", feature = "view")))]
fn vouched(
    _: &CertificateDer<'_>,
    _: &[CertificateDer<'_>],
    _: &ServerName<'_>,
    _: UnixTime,
) -> Result<(), NotVouched> {
    Err(NotVouched { why: "a hub asks no authority".into(), passes: false })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = fingerprint(&ParsedCertificate::try_from(end_entity)?.subject_public_key_info());
        let mut not_vouched = None;
        let verdict = self.trusted.judge(key, || match vouched(end_entity, intermediates, name, now) {
            Ok(()) => true,
            Err(why) => {
                not_vouched = Some(why);
                false
            }
        });
        // Each time anew: a session that is not resumed may show another key than the one before.
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = (Some(verdict), not_vouched);
        match verdict {
            Verdict::Taken(_) => Ok(ServerCertVerified::assertion()),
            Verdict::Other(_) | Verdict::Unknown(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    // That the other side has the key, and not only its certificate, is what these prove.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

/// The hub of this name as a program knows it. Sessions of the same one are resumed, so that a thousand programs are back quickly
/// after their hub was gone.
pub(crate) struct HubClient {
    host: String,
    trusted: Trusted,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl HubClient {
    /// # Errors
    /// Why there can be none.
    pub(crate) fn new(host: &str, trusted: Trusted) -> Result<Self, String> {
        let verifier = Arc::new(Verifier { trusted: trusted.clone(), verdict: Mutex::default() });
        let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A zone means nothing to the other side.
        let host = without_zone(host).to_owned();
        Ok(Self { host, trusted, config: Arc::new(config), verifier })
    }

    /// Whether it is this one, known in the same way, and was taken before.
    pub(crate) fn is(&self, host: &str, trusted: &Trusted) -> bool {
        let taken = matches!(self.verdict(), Some(Verdict::Taken(_)));
        taken && self.host == without_zone(host) && self.trusted == *trusted
    }

    /// A session that has not begun yet, with the hub at this address.
    ///
    /// # Errors
    /// Why there can be none.
    pub(crate) fn session(&self, address: IpAddr) -> Result<ClientConnection, String> {
        // No certificate can be for a name in another alphabet, and a key may be known all the same.
        let name = ServerName::try_from(self.host.clone()).unwrap_or_else(|_| ServerName::IpAddress(address.into()));
        ClientConnection::new(self.config.clone(), name).map_err(|e| e.to_string())
    }

    /// What its key came to; `None`: none was shown yet.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.verifier.verdict.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Why no authority vouches for it, where that was asked.
    pub(crate) fn not_vouched(&self) -> Option<NotVouched> {
        self.verifier.verdict.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_that_was_confirmed_or_that_an_authority_vouches_for() {
        let [a, b, c] = [1, 2, 3].map(|n| KeyFingerprint([n; 32]));
        let judge = |pinned, known, own, key, vouched: bool| Trusted { pinned, known, own }.judge(key, || vouched);
        assert_eq!(judge(None, None, None, a, false), Verdict::Unknown(a));
        assert_eq!(judge(None, None, None, a, true), Verdict::Taken(a));
        assert_eq!(judge(None, Some(a), None, a, false), Verdict::Taken(a));
        assert_eq!(judge(None, Some(a), None, b, false), Verdict::Other(b));
        assert_eq!(judge(None, Some(a), None, b, true), Verdict::Taken(b), "it moved to one of an authority");
        assert_eq!(judge(None, None, Some(a), a, false), Verdict::Taken(a));
        assert_eq!(judge(None, Some(b), Some(a), a, false), Verdict::Taken(a), "this user's own");
        // What a link says holds whoever vouches for another.
        assert_eq!(judge(Some(a), Some(b), Some(c), a, false), Verdict::Taken(a));
        for key in [b, c] {
            assert_eq!(judge(Some(a), Some(b), Some(c), key, true), Verdict::Other(key));
        }
    }
}
