//! Which certificates of cameras are taken: those that an authority vouches for which this machine trusts, or the one whose
//! fingerprint stands in the address. Cameras make their certificates themselves, so the second is the usual case. Taking any
//! certificate was rejected: whoever is in between would get the password.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::url::{Fingerprint, Url};
use crate::net::tls::{PROVIDER, authorities};

/// Judges what one camera shows.
#[derive(Debug)]
pub(super) struct Verifier {
    pin: Option<Fingerprint>,
    /// What was refused, and why.
    refused: OnceLock<(Fingerprint, String)>,
}

impl Verifier {
    /// What is said of a certificate that was refused, behind `camera at … `.
    pub(super) fn refused(&self, url: &Url) -> Option<String> {
        let (shown, why) = self.refused.get()?;
        Some(match &self.pin {
            Some(pin) => format!(
                "shows another certificate than the address says: its SHA-256 is {shown}, not {pin}; somebody may be in \
                 between, or the camera was set up anew"
            ),
            None => format!(
                "shows a certificate that cannot be trusted ({why}); if the camera itself shows this SHA-256, write \
                 {url}#sha256={shown}"
            ),
        })
    }
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
        let digest = ring::digest::digest(&ring::digest::SHA256, end_entity);
        let shown = Fingerprint(digest.as_ref().try_into().map_err(|_| Error::General("a digest of 32 bytes".into()))?);
        let (error, why) = match &self.pin {
            Some(pin) if *pin == shown => return Ok(ServerCertVerified::assertion()),
            Some(_) => (CertificateError::ApplicationVerificationFailure.into(), String::new()),
            None => match authorities::vouch(end_entity, intermediates, name, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(refused) => refused,
            },
        };
        self.refused.get_or_init(|| (shown, why));
        Err(error)
    }

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

/// A connection that has not begun yet, and who judges the certificate.
///
/// # Errors
/// Why there is none, to be put behind `camera at … `.
pub(super) fn client(url: &Url) -> Result<(ClientConnection, Arc<Verifier>), String> {
    let verifier = Arc::new(Verifier { pin: url.pin, refused: OnceLock::new() });
    let config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("cannot be asked over TLS: {e}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    // A zone means nothing to the other side.
    let host = url.host.split('%').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(host).map_err(|_| "has a name that no certificate can be for".to_string())?;
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|e| format!("cannot be asked over TLS: {e}"))?;
    Ok((connection, verifier))
}
