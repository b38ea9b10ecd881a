//! A hub that encrypts: who is let in, what each side takes for the other, and what is not said to whom.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use streamflow::Encryption;
use streamflow::internal::hub::Hub;
use streamflow::internal::locate::HubLocation;
use streamflow::internal::net::address::{HubAddress, Tls};
use streamflow::internal::net::tls::trust::HubTrust;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::Control;
use streamflow::internal::wire::fingerprint::KeyFingerprint;
use streamflow::internal::wire::packet::control_packet;

use crate::support::anybody::Anybody;
use crate::support::{
    LONG, Peer, fine_source, hub, hub_with, jpeg, limited, next_picture, publisher_config, publishes, until, views,
};

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("streamflow-tls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn encrypted(folder: &Folder) -> Hub {
    hub_with(|config| {
        config.encryption = Encryption::Always;
        config.state = Some(folder.0.join("hub"));
    })
}

/// The hub's key, as it is kept.
fn key_of(folder: &Folder) -> KeyFingerprint {
    use rustls::pki_types::pem::PemObject as _;
    let pem = fs::read(folder.0.join("hub/hub-cert.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
    let parsed = rustls::server::ParsedCertificate::try_from(&certificate).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &parsed.subject_public_key_info());
    KeyFingerprint(digest.as_ref().try_into().unwrap())
}

fn to(hub: &Hub, pin: Option<KeyFingerprint>) -> HubLocation {
    HubLocation::Join(HubAddress { tls: Tls::Always, pin, ..HubAddress::of_listener(hub.address()) })
}

fn trust(folder: &Path) -> HubTrust {
    HubTrust { state: Some(folder.to_owned()), ..HubTrust::default() }
}

fn tls_viewer(location: HubLocation, folder: &Path, retries: Option<u32>) -> Viewer {
    let config =
        ViewerConfig { name: Some("door".into()), location, retries, trust: trust(folder), ..ViewerConfig::default() };
    Viewer::start(config).unwrap()
}

fn client_config(versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    Arc::new(config)
}

type Secure = StreamOwned<ClientConnection, TcpStream>;

fn secure_with(address: SocketAddr, config: &Arc<ClientConfig>) -> Secure {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let session = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(session, socket)
}

fn secure(address: SocketAddr) -> Secure {
    secure_with(address, &client_config(rustls::ALL_VERSIONS))
}

/// One request, and all that is answered.
fn ask(mut stream: Secure, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whoever closes says so, which is how it is known that nothing was cut off.
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn a_picture_goes_all_the_way_encrypted_and_the_key_is_remembered() {
    limited(|| {
        let folder = Folder::new("whole-way");
        let hub = encrypted(&folder);
        let (key, programs) = (key_of(&folder), folder.0.join("programs"));
        let mut config = publisher_config(to(&hub, Some(key)), "door");
        config.trust = trust(&programs);
        let publisher = streamflow::Publisher::start(config, Box::new(fine_source())).unwrap();
        let first = tls_viewer(to(&hub, Some(key)), &programs, None);
        next_picture(&first);
        // Whoever has met the hub needs no key any more.
        let second = tls_viewer(to(&hub, None), &programs, None);
        next_picture(&second);
        let known = fs::read_to_string(programs.join("known-hubs")).unwrap();
        assert!(known.starts_with(&format!("{} {key} 20", hub.address())) && known.lines().count() == 1, "{known}");
        // What does not encrypt is served at the same port.
        let mut plain = Peer::join(hub.address(), views("door"));
        assert!(plain.next().is_some());
        drop(publisher);
    });
}

#[test]
fn a_hub_with_another_key_is_told_nothing_a_hundred_times_out_of_a_hundred() {
    limited(|| {
        let folder = Folder::new("other-key");
        let hub = encrypted(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let between = listener.local_addr().unwrap();
        // Somebody in between passes everything on to a hub with another key, and sees whether anything comes after the handshake.
        let target = hub.address();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(target).unwrap();
                for (mut from, mut into) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    thread::spawn(move || std::io::copy(&mut from, &mut into));
                }
            }
        });
        let programs = folder.0.join("programs");
        fs::create_dir_all(&programs).unwrap();
        let wrong = KeyFingerprint([7; 32]);
        fs::write(programs.join("known-hubs"), format!("{between} {wrong} 2026-11-21\n")).unwrap();
        for n in 0..100 {
            let location = HubLocation::Join(HubAddress { tls: Tls::Always, ..HubAddress::of_listener(between) });
            let viewer = tls_viewer(location, &programs, Some(0));
            until("it is refused", || viewer.over().is_some());
            let said = viewer.over().unwrap();
            assert_eq!(said.exit_code(), 4, "{n}: {said}");
            let said = said.to_string();
            assert!(said.contains("another key than on 2026-11-21") && said.contains("remove line 1 of"), "{said}");
        }
        // A link names its key, and nothing else counts.
        let viewer = tls_viewer(to(&hub, Some(wrong)), &programs, Some(0));
        until("it is refused", || viewer.over().is_some());
        assert!(viewer.over().unwrap().to_string().contains("not the one that was asked for"));
        // The hub was never told what anybody wanted.
        assert_eq!(hub.counts(), (0, 0));
    });
}

#[test]
fn a_key_that_nobody_has_confirmed_is_asked_for_once() {
    limited(|| {
        let folder = Folder::new("asked");
        let hub = encrypted(&folder);
        let programs = folder.0.join("programs");
        let viewer = tls_viewer(to(&hub, None), &programs, Some(0));
        until("it is refused", || viewer.over().is_some());
        let (said, key) = (viewer.over().unwrap(), key_of(&folder));
        assert_eq!(said.exit_code(), 4);
        assert!(said.to_string().ends_with(&format!("--pin {key}")), "{said}");
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let answer = |yes: bool| {
            let asked = asked.clone();
            let confirm = move |hub: &str, key: &str| {
                asked.lock().unwrap().push(format!("{hub} {key}"));
                yes
            };
            let trust = HubTrust { confirm: Some(Arc::new(confirm)), ..trust(&programs) };
            let location = to(&hub, None);
            let config = ViewerConfig {
                name: Some("door".into()),
                location,
                retries: Some(0),
                trust,
                ..ViewerConfig::default()
            };
            Viewer::start(config).unwrap()
        };
        let no = answer(false);
        until("it is refused", || no.over().is_some());
        let mut config = publisher_config(to(&hub, Some(key)), "door");
        config.trust = trust(&folder.0.join("publisher"));
        let _publisher = streamflow::Publisher::start(config, Box::new(fine_source())).unwrap();
        next_picture(&answer(true));
        next_picture(&answer(true));
        let expected = format!("{} {key}", hub.address());
        assert_eq!(*asked.lock().unwrap(), [expected.clone(), expected], "the third time it was known");
    });
}

#[test]
fn pages_and_scripts_are_served_over_both_versions_of_tls_and_come_back_without_a_new_agreement() {
    limited(|| {
        let folder = Folder::new("pages");
        let hub = encrypted(&folder);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = client_config(&[version]);
            let mut first = secure_with(hub.address(), &config);
            first.write_all(HEALTH.as_bytes()).unwrap();
            let mut answer = String::new();
            first.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(first.conn.handshake_kind(), Some(HandshakeKind::Full));
            let mut again = secure_with(hub.address(), &config);
            again.write_all(HEALTH.as_bytes()).unwrap();
            let mut answer = String::new();
            again.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(again.conn.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
        }
        assert!(
            ask(secure(hub.address()), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .contains("<title>")
        );
        // A picture that is posted comes back as a snapshot, and in the endless answer of old clients.
        let picture = jpeg(90);
        let mut post = secure(hub.address());
        let head = format!(
            "POST /api/publish/main/door HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            picture.len()
        );
        post.write_all(&[head.as_bytes(), &picture].concat()).unwrap();
        let mut status = [0; 12];
        post.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        let mut snapshot = secure(hub.address());
        snapshot
            .write_all(b"GET /snapshot/main/door HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        snapshot.read_to_end(&mut answer).unwrap();
        assert!(answer.windows(picture.len()).any(|bytes| bytes == picture), "{}", String::from_utf8_lossy(&answer));
    });
}

#[test]
fn a_large_picture_reaches_a_viewer_that_reads_slowly_whole() {
    limited(|| {
        let folder = Folder::new("slow");
        let hub = encrypted(&folder);
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let programs = folder.0.join("programs");
        let viewer = tls_viewer(to(&hub, Some(key_of(&folder))), &programs, None);
        until("it watches", || hub.counts().1 == 1);
        let mut stream = secure(hub.address());
        stream.write_all(b"GET /stream/main/door HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        until("both watch", || hub.counts().1 == 2);
        let mut large = jpeg(7);
        let end = large.split_off(large.len() - 2);
        // A comment is as good as pixels here. It goes behind the start of the picture.
        let mut picture = large[..2].to_vec();
        for _ in 0..40 {
            picture.extend([0xff, 0xfe, 0xff, 0xff]);
            picture.extend(std::iter::repeat_n(0x5a, 0xffff - 2));
        }
        picture.extend(&large[2..]);
        picture.extend(end);
        publisher.picture(1, &picture);
        let (mut came, mut piece) = (Vec::new(), [0; 1000]);
        let tail = &picture[picture.len() - 32..];
        // The head of the answer, and what ends a part, are short.
        while came.len() < picture.len()
            || !came[came.len().saturating_sub(1500)..].windows(32).any(|bytes| bytes == tail)
        {
            let n = stream.read(&mut piece).unwrap();
            assert!(n > 0 && came.len() < 2 * picture.len());
            came.extend_from_slice(&piece[..n]);
            thread::sleep(Duration::from_micros(20));
        }
        assert!(came.windows(picture.len()).any(|bytes| bytes == picture), "it is another picture");
        assert_eq!(next_picture(&viewer).data.len(), picture.len());
    });
}

#[test]
fn who_does_not_read_costs_the_others_nothing() {
    limited(|| {
        let folder = Folder::new("stuck");
        let hub = encrypted(&folder);
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let stuck: Vec<_> = (0..20)
            .map(|_| {
                let mut stuck = secure(hub.address());
                stuck.write_all(b"GET /stream/main/door HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                stuck
            })
            .collect();
        let mut well = Peer::join(hub.address(), views("door"));
        until("all watch", || hub.counts().1 == 21);
        for number in 1..=60 {
            publisher.publish(number, 400_000);
            while well.number() < number {}
        }
        drop(stuck);
    });
}

#[test]
fn wrong_and_hostile_peers_end_and_the_hub_goes_on() {
    limited(|| {
        let folder = Folder::new("hostile");
        let hub = hub_with(|config| {
            config.encryption = Encryption::Always;
            config.state = Some(folder.0.join("hub"));
            config.handshake = Duration::from_millis(700);
        });
        let says = |bytes: &[u8]| {
            let mut peer = Peer::connect(hub.address());
            peer.bytes(bytes);
            peer.until_closed();
        };
        // A hello that never ends, one that is nonsense, one that is too long, and nothing behind the first bytes.
        says(&[22, 3, 1, 2, 0, 1, 0, 1, 252]);
        says(&[22, 3, 1, 0, 200, 9, 9, 9, 9, 9, 9, 9, 9, 9].repeat(30));
        says(&[22, 3, 3, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0, 0, 0]);
        says(&[[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff].to_vec(), vec![0; 70_000]].concat());
        // TLS inside TLS, and a session that says nothing.
        let mut inside = secure(hub.address());
        inside.write_all(&[22, 3, 1, 0, 200, 1, 0, 0, 196]).unwrap();
        let mut rest = Vec::new();
        let ended = inside.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() != ErrorKind::WouldBlock));
        let mut silent = secure(hub.address());
        let _ = silent.flush();
        let ended = silent.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() != ErrorKind::WouldBlock));
        assert!(ask(secure(hub.address()), HEALTH).starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn a_hub_for_this_machine_alone_does_not_encrypt_and_programs_say_what_to_do() {
    limited(|| {
        let (hub, folder) = (hub(), Folder::new("plain"));
        let viewer = tls_viewer(to(&hub, None), &folder.0, Some(0));
        until("it is over", || viewer.over().is_some());
        let said = viewer.over().unwrap();
        assert_eq!(said.exit_code(), 5);
        assert!(said.to_string().contains("--no-tls"), "{said}");
        assert!(!folder.0.exists(), "nothing is remembered of it");
        // One that did encrypt before is not a reason to go on in the clear.
        fs::create_dir_all(&folder.0).unwrap();
        let line = format!("{} {} 2026-11-21\n", hub.address(), KeyFingerprint([5; 32]));
        fs::write(folder.0.join("known-hubs"), line).unwrap();
        let location = HubLocation::Join(HubAddress::of_listener(hub.address()));
        let viewer = tls_viewer(location, &folder.0, Some(0));
        until("it is over", || viewer.over().is_some());
        let said = viewer.over().unwrap().to_string();
        assert!(said.contains("On 2026-11-21 it did encrypt") && said.contains("remove line 1 of"), "{said}");
        assert!(!said.contains("--no-tls"), "{said}");
    });
}

#[test]
fn a_hello_whose_length_begins_like_tls_is_a_hello() {
    limited(|| {
        let hub = hub();
        let mut hello = views("door");
        let short = control_packet(&Control::Hello(hello.clone())).len();
        hello.program.push_str(&"x".repeat(0x316 - short));
        let packet = control_packet(&Control::Hello(hello));
        assert_eq!(packet.len().to_le_bytes()[..2], [22, 3]);
        let mut peer = Peer::connect(hub.address());
        peer.packet(&packet);
        assert!(matches!(peer.control(), Control::Welcome { .. }));
    });
}

#[test]
fn a_hub_that_comes_back_with_another_key_is_refused_for_that_reason() {
    limited(|| {
        let folder = Folder::new("comes-back");
        let first = encrypted(&folder);
        let (address, programs) = (first.address(), folder.0.join("programs"));
        let viewer = tls_viewer(to(&first, Some(key_of(&folder))), &programs, None);
        until("it waits", || first.counts().1 == 1);
        let known = tls_viewer(to(&first, None), &programs, Some(50));
        until("both wait", || first.counts().1 == 2);
        drop((viewer, first));
        fs::remove_dir_all(folder.0.join("hub")).unwrap();
        let _second = hub_with(|config| {
            config.encryption = Encryption::Always;
            config.state = Some(folder.0.join("hub"));
            config.listen = address;
            config.access = streamflow::AccessControl::Open;
        });
        until("it is refused", || known.over().is_some());
        let said = known.over().unwrap();
        assert!(said.exit_code() == 4 && said.to_string().contains("has another key than on"), "{said}");
    });
}

#[test]
fn a_yes_counts_where_it_cannot_be_kept_as_well() {
    limited(|| {
        let folder = Folder::new("not-kept");
        let hub = encrypted(&folder);
        let mut config = publisher_config(to(&hub, Some(key_of(&folder))), "door");
        config.trust = trust(&folder.0.join("publisher"));
        let _publisher = streamflow::Publisher::start(config, Box::new(fine_source())).unwrap();
        fs::write(folder.0.join("file"), "").unwrap();
        let trust = HubTrust { state: Some(folder.0.join("file/none")), confirm: Some(Arc::new(|_, _| true)) };
        let config =
            ViewerConfig { name: Some("door".into()), location: to(&hub, None), trust, ..ViewerConfig::default() };
        next_picture(&Viewer::start(config).unwrap());
    });
}

#[test]
fn a_hub_that_is_known_is_encrypted_to_wherever_its_name_leads() {
    limited(|| {
        let folder = Folder::new("known-here");
        let hub = encrypted(&folder);
        let programs = folder.0.join("programs");
        fs::create_dir_all(&programs).unwrap();
        let wrong = KeyFingerprint([9; 32]);
        fs::write(programs.join("known-hubs"), format!("{} {wrong} 2026-11-21\n", hub.address())).unwrap();
        // Without that line this machine's own hub is spoken to in the clear.
        let location = HubLocation::Join(HubAddress::of_listener(hub.address()));
        let viewer = tls_viewer(location, &programs, Some(0));
        until("it is refused", || viewer.over().is_some());
        assert!(viewer.over().unwrap().to_string().contains("another key"), "{:?}", viewer.over());
    });
}
