//! The authorities that this machine trusts.

use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use super::PROVIDER;

/// Their judge; `None` where this machine trusts nobody, as one without the package `ca-certificates` does.
static AUTHORITIES: LazyLock<Option<Arc<WebPkiServerVerifier>>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::debug!("a certificate of an authority cannot be read: {error}");
    }
    roots.add_parsable_certificates(found.certs);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), PROVIDER.clone()).build().ok()
});

/// Whether an authority vouches for this certificate.
///
/// # Errors
/// Why none does: what TLS says to the other side, and what a person is told.
pub(crate) fn vouch(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), (Error, String)> {
    let Some(authorities) = &*AUTHORITIES else {
        let why = "this machine has no certificates of authorities; the package is called ca-certificates";
        return Err((CertificateError::UnknownIssuer.into(), why.into()));
    };
    match authorities.verify_server_cert(end_entity, intermediates, name, &[], now) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = reason(&error);
            Err((error, why))
        }
    }
}

/// Why a certificate is not trusted, for a person.
fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else { return error.to_string() };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock right?".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".into()
        }
        // `Other` is what webpki says of one that is its own authority, as `openssl req -x509` makes it.
        CertificateError::UnknownIssuer | CertificateError::Other(_) => {
            "no authority that this machine trusts vouches for it".into()
        }
        other => other.to_string(),
    }
}
