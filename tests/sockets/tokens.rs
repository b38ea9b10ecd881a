//! What a program shows to be let in: to whom, for what, and what it does when it is not taken. The hub is one that tells what it
//! heard.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use streamflow::internal::hub::{Hub, HubConfig};
use streamflow::internal::locate::{HubLocation, HubLocator};
use streamflow::internal::net::address::{HubAddress, Tls};
use streamflow::internal::net::tls::trust::HubTrust;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::{Cause, Control};
use streamflow::internal::wire::fingerprint::KeyFingerprint;
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{Packet, control_packet};
use streamflow::{Error, Publisher};

use crate::support::{fine_source, limited, publisher_config, until};

const REASON: &str = "you may not watch main/door";

/// What came with a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    encrypted: bool,
    token: Option<String>,
}

fn heard(encrypted: bool, token: &str) -> Heard {
    Heard { encrypted, token: Some(token.into()).filter(|token: &String| !token.is_empty()) }
}

/// What is answered to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Welcome,
    /// The right ends a moment after the welcome.
    WelcomeAndUnauthorized,
    /// The connection ends a moment after the welcome.
    WelcomeAndClose,
    Unauthorized,
}

/// A hub that serves TLS and what is in the clear at the same port, and keeps what it hears.
struct Listener {
    address: SocketAddr,
    key: KeyFingerprint,
    /// Its certificate, in PEM.
    certificate: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    /// `answer` is given what came and how much came before it.
    fn new(answer: impl Fn(&Heard, usize) -> Answer + Send + Sync + 'static) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(pair.serialize_der()).unwrap());
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, list) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, heard) = (Arc::new(answer), list.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, answer, list) = (config.clone(), answer.clone(), list.clone());
                thread::spawn(move || {
                    let mut first = [0];
                    if socket.peek(&mut first).is_ok_and(|n| n == 1) {
                        let encrypted = first == [0x16];
                        let decide = |token| {
                            let mut list = list.lock().unwrap();
                            let (heard, before) = (Heard { encrypted, token }, list.len());
                            list.push(heard.clone());
                            drop(list);
                            answer(&heard, before)
                        };
                        if encrypted {
                            serve(StreamOwned::new(ServerConnection::new(config).unwrap(), socket), decide);
                        } else {
                            serve(socket, decide);
                        }
                    }
                });
            }
        });
        Self { address, key: fingerprint(certificate.der()), certificate: certificate.pem(), heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn at(&self) -> HubAddress {
        HubAddress::of_listener(self.address)
    }

    /// As a link names it.
    fn linked(&self, token: Option<&str>) -> HubAddress {
        HubAddress { pin: Some(self.key), tls: Tls::Always, token: token.map(Into::into), ..self.at() }
    }

    /// Makes it the hub of whoever has this state folder.
    fn is_own_of(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("hub-cert.pem"), &self.certificate).unwrap();
        fs::write(folder.join("local-secret"), "of-this-user\n").unwrap();
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> KeyFingerprint {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &parsed.subject_public_key_info());
    KeyFingerprint(digest.as_ref().try_into().unwrap())
}

fn say(stream: &mut impl Write, control: &Control) {
    let packet = control_packet(control);
    // Who has gone meanwhile does not need it.
    let _ = stream.write_all(&[&prefix(packet.len())[..], &packet].concat()).and_then(|()| stream.flush());
}

/// Answers one connection, and reads it to its end.
fn serve(mut stream: impl Read + Write, decide: impl FnOnce(Option<String>) -> Answer) {
    let (mut deframer, mut piece, mut decide) = (Deframer::new(1 << 20), [0; 4096], Some(decide));
    loop {
        let n = match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut at = 0;
        while at < n {
            let (used, packet) = deframer.decode(&piece[at..n]).unwrap();
            at += used;
            let Some(Packet::Control(Control::Hello(hello))) = packet else { continue };
            let Some(decide) = decide.take() else { continue };
            let answer = decide(hello.token.map(|token| token.expose().to_owned()));
            if answer != Answer::Unauthorized {
                let (room, name, program) = (hello.room, hello.name, "test".into());
                say(
                    &mut stream,
                    &Control::Welcome { room, name, program, max_picture: 0, max_pixels: 0, can: Vec::new() },
                );
            }
            match answer {
                Answer::Welcome => {}
                Answer::WelcomeAndClose => return,
                Answer::WelcomeAndUnauthorized | Answer::Unauthorized => {
                    say(&mut stream, &Control::Bye { cause: Cause::Unauthorized, reason: REASON.into() });
                    return;
                }
            }
        }
    }
}

/// Whoever shows this is let in.
fn takes(token: &'static str) -> impl Fn(&Heard, usize) -> Answer + Send + Sync + 'static {
    move |heard, _| if heard.token.as_deref() == Some(token) { Answer::Welcome } else { Answer::Unauthorized }
}

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("streamflow-right-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn tokens(&self) -> String {
        fs::read_to_string(self.0.join("tokens")).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn view(hub: HubAddress, folder: &Folder, retries: Option<u32>) -> Viewer {
    let trust = HubTrust { state: Some(folder.0.clone()), ..HubTrust::default() };
    let location = HubLocation::Join(hub);
    Viewer::start(ViewerConfig { name: Some("door".into()), location, retries, trust, ..ViewerConfig::default() })
        .unwrap()
}

#[track_caller]
fn refused(viewer: &Viewer) -> String {
    until("it is refused", || viewer.over().is_some());
    let error = viewer.over().unwrap();
    assert!(matches!(error, Error::Refused(_)) && error.exit_code() == 4, "{error:?}");
    error.to_string()
}

#[test]
fn a_token_lets_in_and_is_remembered_for_what_it_let_in_to() {
    limited(|| {
        let (hub, folder) = (Listener::new(takes("of-link")), Folder::new("remembered"));
        let first = view(hub.linked(Some("of-link")), &folder, None);
        until("it is kept", || folder.tokens() != "");
        let line = folder.tokens();
        assert!(
            line.starts_with(&format!("{} view main/door 20", hub.address)) && line.ends_with(" of-link\n"),
            "{line}"
        );
        drop(first);
        // The place is enough from now on.
        let second = view(hub.at(), &folder, None);
        until("it is heard", || hub.heard().len() == 2);
        assert_eq!(hub.heard(), [heard(true, "of-link"), heard(true, "of-link")]);
        assert!(second.over().is_none());
        // What lets somebody watch is not shown to publish.
        let mut config = publisher_config(HubLocation::Join(hub.at()), "door");
        config.trust = HubTrust { state: Some(folder.0.clone()), ..HubTrust::default() };
        let publisher = Publisher::start(config, Box::new(fine_source())).unwrap();
        let mut ended = None;
        until("it is refused", || {
            ended = publisher.wait(std::time::Duration::from_millis(10));
            ended.is_some()
        });
        let said = ended.unwrap().unwrap_err();
        assert_eq!(said.exit_code(), 4);
        assert!(
            said.to_string().ends_with("streamflow-hub link --publish main/door) and paste it: streamflow-send --join")
        );
        assert_eq!(hub.heard()[2..], [heard(true, "")]);
    });
}

#[test]
fn a_remembered_token_that_holds_no_more_stays_until_there_is_another() {
    limited(|| {
        let (hub, folder) = (Listener::new(takes("new")), Folder::new("outdated"));
        fs::create_dir_all(&folder.0).unwrap();
        let line = format!("{} view main/door 2026-11-21 old\n", hub.address);
        fs::write(folder.0.join("tokens"), &line).unwrap();
        let said = refused(&view(hub.linked(None), &folder, None));
        assert!(said.contains(REASON) && said.contains("remembered since 2026-11-21 does not hold any more"), "{said}");
        assert_eq!(folder.tokens(), line);
        let said = refused(&view(hub.linked(Some("wrong")), &folder, None));
        assert!(said.contains("the token that was shown is not taken"), "{said}");
        assert!(said.ends_with("streamflow-hub link --view main/door) and paste it: streamflow-view --join"), "{said}");
        assert_eq!(folder.tokens(), line);
        let _viewer = view(hub.linked(Some("new")), &folder, None);
        until("it is kept", || folder.tokens().ends_with(" new\n") && folder.tokens().lines().count() == 1);
        assert_eq!(hub.heard(), [heard(true, "old"), heard(true, "wrong"), heard(true, "new")]);
    });
}

#[test]
fn no_secret_is_shown_to_a_key_that_nobody_has_confirmed() {
    limited(|| {
        let (hub, folder) = (Listener::new(|_, _| Answer::Welcome), Folder::new("other-key"));
        let own = Listener::new(|_, _| Answer::Welcome);
        own.is_own_of(&folder.0);
        fs::write(folder.0.join("tokens"), format!("{} view main/door 2026-11-21 old\n", hub.address)).unwrap();
        let wrong = KeyFingerprint([7; 32]);
        for pin in [Some(wrong), None] {
            for token in [Some("of-link"), None] {
                let address = HubAddress { pin, ..hub.linked(token) };
                refused(&view(address, &folder, Some(0)));
            }
        }
        fs::write(folder.0.join("known-hubs"), format!("{} {wrong} 2026-11-21\n", hub.address)).unwrap();
        refused(&view(HubAddress { pin: None, ..hub.linked(Some("of-link")) }, &folder, Some(0)));
        refused(&view(hub.at(), &folder, Some(0)));
        assert_eq!(hub.heard(), []);
        // In the clear it would be for everybody on the way. Nobody is at this address (RFC 5737), and nobody is asked.
        let elsewhere = HubAddress { token: Some("x".into()), tls: Tls::Never, ..HubAddress::local(9) };
        let elsewhere = HubAddress { host: "192.0.2.1".into(), ..elsewhere };
        assert!(refused(&view(elsewhere, &folder, None)).contains("is not sent to 192.0.2.1:9 in the clear"));
    });
}

#[test]
fn this_users_own_hub_is_shown_its_secret_over_tls_from_its_first_question_on() {
    limited(|| {
        let folder = Folder::new("own");
        let hub = Listener::new(|heard, before| match (heard.token.as_deref(), before) {
            (Some("of-this-user"), 1) => Answer::WelcomeAndClose,
            (Some("of-this-user"), _) => Answer::Welcome,
            _ => Answer::Unauthorized,
        });
        hub.is_own_of(&folder.0);
        let viewer = view(hub.at(), &folder, None);
        until("it is back", || hub.heard().len() == 3);
        assert_eq!(hub.heard(), [heard(false, ""), heard(true, "of-this-user"), heard(true, "of-this-user")]);
        drop(viewer);
        // What is remembered of it is tried first, and is no reason to be left outside.
        fs::write(folder.0.join("tokens"), format!("{} view main/door 2026-11-21 old\n", hub.address)).unwrap();
        let _viewer = view(hub.linked(None), &folder, None);
        until("it is let in", || hub.heard().len() == 5);
        assert_eq!(hub.heard()[3..], [heard(true, "old"), heard(true, "of-this-user")]);
        assert!(folder.tokens().ends_with(" old\n"), "the secret of the own hub is in its own file");
    });
}

#[test]
fn another_users_hub_on_this_machine_is_not_shown_this_users_secret() {
    limited(|| {
        let (own, other) = (Listener::new(|_, _| Answer::Welcome), Listener::new(takes("of-this-user")));
        let folder = Folder::new("another-user");
        own.is_own_of(&folder.0);
        let said = refused(&view(other.at(), &folder, None));
        assert!(said.starts_with(&format!("the hub refused: {REASON}. Ask whoever runs it")), "{said}");
        assert_eq!(other.heard(), [heard(false, "")]);
    });
}

#[test]
fn who_loses_the_right_is_tried_once_more_and_then_told() {
    limited(|| {
        let folder = Folder::new("lost");
        let hub =
            Listener::new(|_, before| if before == 0 { Answer::WelcomeAndUnauthorized } else { Answer::Unauthorized });
        let said = refused(&view(hub.linked(Some("short")), &folder, None));
        assert!(said.contains(REASON) && said.contains("the token that was shown is not taken"), "{said}");
        assert_eq!(hub.heard(), [heard(true, "short"), heard(true, "short")]);
    });
}

#[test]
fn a_hub_in_this_process_is_shown_the_secret_of_its_folder() {
    limited(|| {
        let folder = Folder::new("in-process");
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("local-secret"), "of-this-user\n").unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = HubConfig { listen, threads: 1, state: Some(folder.0.clone()), ..HubConfig::default() };
        let address = HubLocator::new(HubLocation::Host(config)).unwrap().find().unwrap();
        assert!(address.of_this_user && address.token == Some("of-this-user".into()), "{address:?}");
    });
}

#[test]
fn a_hub_of_this_user_that_does_not_listen_on_loopback_is_found_on_this_machine_where_it_was_started() {
    limited(|| {
        let folder = Folder::new("own-address");
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("local-secret"), "of-this-user\n").unwrap();
        let config = |listen: SocketAddr| HubConfig {
            listen,
            threads: 1,
            state: Some(folder.0.clone()),
            ..HubConfig::default()
        };
        let hub = Hub::start(config(([127, 0, 0, 1], 0).into())).unwrap();
        let (at, pin) = (hub.address(), KeyFingerprint([7; 32]));
        let note = |at: &str| fs::write(folder.0.join("reached-at"), format!("{at}\n{}\n", pin.for_url())).unwrap();
        // Where this program would host one: nobody is there.
        let free = |port: u16| HubLocator::new(HubLocation::Auto(config(([127, 0, 0, 2], port).into()))).unwrap();
        note(&at.to_string());
        let mut locator = free(at.port());
        let found = locator.find().unwrap();
        assert_eq!((found.port, found.pin, found.tls), (Some(at.port()), Some(pin), Tls::Always));
        assert!(locator.hub().is_none() && found.of_this_user && found.token == Some("of-this-user".into()));
        // An address that is another machine's by now, and no note.
        note(&format!("192.0.2.1:{}", at.port()));
        assert!(free(at.port()).hub().is_some());
        note("");
        assert!(free(at.port()).hub().is_some());
        // Another port was asked for.
        note(&at.to_string());
        let other = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port();
        assert!(free(other).hub().is_some());
        // It is gone.
        drop(hub);
        assert!(free(at.port()).hub().is_some());
    });
}
