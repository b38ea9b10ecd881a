//! A client of TLS: its handshake is that of rustls, and then it writes records of its own, so that they may hold what no library
//! writes.

#[path = "../../../tests/support/anybody.rs"]
mod anybody;

use std::sync::Arc;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets};

use self::anybody::Anybody;
use super::line::{Line, Server};

/// What records hold.
pub(super) const ALERT: u8 = 21;
pub(super) const DATA: u8 = 23;
pub(super) const CLOSE_NOTIFY: &[u8] = &[1, 0];
/// The head of a record.
pub(super) const HEAD: usize = 5;
/// The longest record says so much.
pub(super) const LONGEST: usize = 1 << 14;

/// Of clients that come back: most handshakes are short ones.
pub(super) fn config(old: bool) -> Arc<ClientConfig> {
    let provider = CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519],
        ..default_provider()
    };
    let version = if old { &rustls::version::TLS12 } else { &rustls::version::TLS13 };
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    Arc::new(config)
}

/// One direction of a connection.
struct Direction {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Direction {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("another cipher") };
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.as_ref()).unwrap());
        Self { key, iv: iv.as_ref().try_into().unwrap(), sequence }
    }

    /// The number of the next record.
    fn next(&mut self) -> [u8; 8] {
        self.sequence += 1;
        (self.sequence - 1).to_be_bytes()
    }
}

/// A client whose handshake is over.
pub(super) struct Client {
    out: Direction,
    into: Direction,
    old: bool,
}

impl Client {
    /// Shakes hands, in pieces of `step` bytes. The last of its bytes may be left for the caller to send: `late`.
    pub(super) fn new<S: Server>(
        line: &mut Line<S>,
        config: &Arc<ClientConfig>,
        step: usize,
        late: bool,
        new_keys: bool,
    ) -> (Self, Vec<u8>) {
        let mut client = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
        let (mut left, mut refreshed) = (Vec::new(), !new_keys);
        loop {
            while client.wants_write() {
                client.write_tls(&mut left).unwrap();
            }
            let over = !client.is_handshaking();
            if over && late || left.is_empty() {
                break;
            }
            line.write_in_pieces(&std::mem::take(&mut left), step);
            let heard = std::mem::take(&mut line.heard);
            let mut rest = &heard[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
            }
            if !client.is_handshaking() && !std::mem::replace(&mut refreshed, true) {
                client.refresh_traffic_keys().unwrap();
            }
        }
        assert!(!client.is_handshaking(), "it does not go on with a handshake");
        let old = client.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_2);
        let secrets = client.dangerous_extract_secrets().unwrap();
        (Self { out: Direction::new(secrets.tx), into: Direction::new(secrets.rx), old }, left)
    }

    /// One record: what it says, as what, and how many zeros are behind it where the version has them.
    pub(super) fn seal(&mut self, kind: u8, said: &[u8], zeros: usize) -> Vec<u8> {
        let number = self.out.next();
        let mut inside = said.to_vec();
        if self.old {
            let nonce = [&self.out.iv[..4], &number].concat();
            let head = [kind, 3, 3];
            let aad = [&number[..], &head, &length(said.len())].concat();
            encrypt(&self.out.key, &nonce, &aad, &mut inside);
            return [&head[..], &length(inside.len() + 8), &number, &inside].concat();
        }
        inside.push(kind);
        inside.resize(inside.len() + zeros.min(LONGEST - said.len()), 0);
        let head = [&[DATA, 3, 3][..], &length(inside.len() + AES_128_GCM.tag_len())].concat();
        encrypt(&self.out.key, &mixed(&self.out.iv, number), &head, &mut inside);
        [head, inside].concat()
    }

    /// What the other side says in these records.
    pub(super) fn open(&mut self, mut records: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        while let [kind, _, _, high, low, rest @ ..] = records {
            let (record, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            let (number, mut inside) = (self.into.next(), record.to_vec());
            let head = &records[..HEAD];
            records = rest;
            let (nonce, aad) = if self.old {
                let explicit: Vec<u8> = inside.drain(..8).collect();
                let aad = [&number[..], &head[..3], &length(inside.len() - AES_128_GCM.tag_len())].concat();
                ([&self.into.iv[..4], &explicit].concat(), aad)
            } else {
                (mixed(&self.into.iv, number).to_vec(), head.to_vec())
            };
            let nonce = Nonce::try_assume_unique_for_key(&nonce).unwrap();
            // Whoever has asked for other keys is answered with others.
            let Ok(plain) = self.into.key.open_in_place(nonce, Aad::from(aad), &mut inside) else { break };
            let (kind, plain) = match plain {
                plain if self.old => (*kind, &*plain),
                plain => plain.split_last().map(|(kind, plain)| (*kind, plain)).unwrap(),
            };
            if kind == DATA {
                said.extend_from_slice(plain);
            }
        }
        said
    }
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap().to_be_bytes()
}

fn mixed(iv: &[u8; 12], number: [u8; 8]) -> [u8; 12] {
    let mut nonce = *iv;
    nonce[4..].iter_mut().zip(number).for_each(|(byte, of)| *byte ^= of);
    nonce
}

fn encrypt(key: &LessSafeKey, nonce: &[u8], aad: &[u8], inside: &mut Vec<u8>) {
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    key.seal_in_place_append_tag(nonce, Aad::from(aad), inside).unwrap();
}
