//! TLS, for all who speak it: what is common to hubs, programs and cameras.
//!
//! rustls with ring. Hubs are known by the SHA-256 of their public key, which a person, a link or an authority has confirmed.

#[cfg(any(feature = "send", feature = "view"))]
pub(crate) mod authorities;
pub(crate) mod identity;
pub(crate) mod known_hubs;
pub(crate) mod tokens;
pub mod trust;
pub(crate) mod verifier;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::SubjectPublicKeyInfoDer;

use crate::wire::fingerprint::KeyFingerprint;

/// The cryptography of this crate.
pub(crate) static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// The fingerprint of a public key.
pub(crate) fn fingerprint(key: &SubjectPublicKeyInfoDer<'_>) -> KeyFingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, key);
    KeyFingerprint(std::array::from_fn(|n| digest.as_ref().get(n).copied().unwrap_or_default()))
}
