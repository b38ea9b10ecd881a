//! Cameras that speak HTTPS: whose certificate is taken, and what is said of the others, on real sockets.

#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use streamflow::internal::frame::Frame;
use streamflow::internal::source::http::Http;
use streamflow::internal::source::{CaptureRequest, Next, Source};

const LONG: Duration = Duration::from_secs(20);

/// A picture by its markers.
const JPEG: &[u8] =
    &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9];

struct Camera {
    port: u16,
    /// SHA-256 of its certificate.
    fingerprint: String,
    /// The heads of the requests that came.
    requests: Receiver<String>,
}

/// Answers each request by a part a tenth of a second.
fn camera(certificate: CertificateDer<'static>, key: &KeyPair) -> Camera {
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let (port, (sender, requests)) = (listener.local_addr().unwrap().port(), channel());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (sender, config) = (sender.clone(), config.clone());
            thread::spawn(move || {
                let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if !tls.read(&mut byte).is_ok_and(|n| n == 1) {
                        return;
                    }
                    head.push(byte[0]);
                }
                sender.send(String::from_utf8(head).unwrap()).ok();
                let part = [b"--f\r\nContent-Type: image/jpeg\r\n\r\n", JPEG, b"\r\n"].concat();
                let begin = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n";
                let mut written = tls.write_all(begin);
                while written.is_ok() {
                    written = tls.write_all(&part);
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    Camera { port, fingerprint: HEXLOWER.encode(digest.as_ref()), requests }
}

/// One whose certificate is its own work.
fn self_signed() -> Camera {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    camera(certificate.der().clone(), &key)
}

/// What opening says, or the first picture.
fn first_picture(url: &str) -> Result<Vec<u8>, String> {
    let (mut source, request) = (Http::new(url).unwrap(), CaptureRequest::default());
    source.open(&request).map_err(|e| e.to_string())?;
    let (mut frame, until) = (Frame::default(), Instant::now() + LONG);
    loop {
        match source.next(&mut frame).map_err(|e| e.to_string())? {
            Next::Frame => return Ok(frame.data.to_vec()),
            other => assert!(Instant::now() < until, "no picture came, but {other:?}"),
        }
    }
}

#[test]
fn a_camera_whose_fingerprint_stands_in_the_address_is_taken_under_any_name() {
    let camera = self_signed();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://ann:secret@{host}:{}/video#sha256={}", camera.port, camera.fingerprint);
        assert_eq!(first_picture(&url).unwrap(), JPEG);
        let request = camera.requests.recv_timeout(LONG).unwrap();
        assert!(
            request.starts_with("GET /video HTTP/1.1\r\n") && request.contains("Basic YW5uOnNlY3JldA=="),
            "{request}"
        );
    }
}

#[test]
fn another_certificate_gets_no_password_and_the_reason_says_which_it_is() {
    let camera = self_signed();
    let place = format!("localhost:{}", camera.port);
    let why = first_picture(&format!("https://ann:secret@{place}/video")).unwrap_err();
    let line = format!("https://{place}/video#sha256={}", camera.fingerprint);
    assert!(why.contains("no authority that this machine trusts") || why.contains("ca-certificates"), "{why}");
    assert!(why.ends_with(&line), "{why}");
    let pin = "0".repeat(64);
    let why = first_picture(&format!("https://ann:secret@{place}/video#sha256={pin}")).unwrap_err();
    assert!(why.contains("another certificate") && why.contains(&camera.fingerprint) && why.contains(&pin), "{why}");
    assert_eq!(camera.requests.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty), "nothing was asked");
}

#[test]
fn a_camera_that_speaks_no_tls_or_stops_in_the_middle_is_given_up_with_a_reason() {
    type Answer = fn(&mut TcpStream);
    let answers: [(Answer, &str); 4] = [
        (|socket| drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "no TLS in common"),
        (|_| {}, "hung up"),
        (|_| thread::sleep(LONG), "does not answer"),
        // A record that comes byte by byte and is never whole.
        (
            |socket| {
                let mut written = socket.write_all(&[22, 3, 3, 64, 0]);
                while written.is_ok() {
                    written = socket.write_all(&[0]);
                    thread::sleep(Duration::from_millis(50));
                }
            },
            "does not answer",
        ),
    ];
    let wait = |(answer, said): (Answer, &'static str)| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            assert!(socket.read(&mut [0; 4096]).is_ok_and(|n| n > 0));
            answer(&mut socket);
        });
        thread::spawn(move || {
            let why = first_picture(&format!("https://localhost:{port}/")).unwrap_err();
            assert!(why.contains(said), "{said}: {why}");
        })
    };
    let waits = answers.map(wait);
    waits.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_camera_is_taken_for_which_an_authority_vouches_that_this_machine_trusts() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let camera = camera(params.signed_by(&key, &authority).unwrap().der().clone(), &key);
    let file = std::env::temp_dir().join(format!("streamflow-authority-{}.pem", std::process::id()));
    let text = data_encoding::BASE64.encode(authority.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    std::fs::write(&file, pem).unwrap();
    // Whom a machine trusts is read once, so it takes a program of its own.
    let said = |host: &str| {
        let mut sender = Command::new(env!("CARGO_BIN_EXE_streamflow-send"))
            .args(["--source", &format!("https://{host}:{}/", camera.port), "--listen", "127.0.0.1:0"])
            .env("SSL_CERT_FILE", &file)
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(sender.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.take(50).find(|line| line.contains("camera at") || line.contains("https://"));
        sender.kill().unwrap();
        sender.wait().unwrap();
        line.unwrap_or_default()
    };
    let (taken, other) = (said("localhost"), said("127.0.0.1"));
    std::fs::remove_file(&file).unwrap();
    assert!(taken.contains(&format!("https://localhost:{}/", camera.port)) && !taken.contains("trust"), "{taken}");
    assert!(other.contains("it is for another name"), "{other}");
}
