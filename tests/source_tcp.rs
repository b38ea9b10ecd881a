//! Programs that listen and send pictures to whoever connects, as they are and as they should not be, on real sockets.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use streamflow::internal::frame::{Frame, Size};
use streamflow::internal::source::tcp::Tcp;
use streamflow::internal::source::{CaptureRequest, Next, PATIENCE, Source, SourceError};

/// A picture by its markers; `tag` tells it from others.
fn jpeg(tag: &str) -> Vec<u8> {
    let mut p = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2];
    p.extend(tag.bytes());
    p.extend([0xff, 0xd9]);
    p
}

/// A program that does this with each client, one after the other; it lives as long as the test.
fn sender(serve: impl Fn(&mut TcpStream, u32) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (n, client) in listener.incoming().enumerate() {
            serve(&mut client.unwrap(), n as u32);
        }
    });
    format!("tcp://{address}")
}

/// Sends all and leaves the connection open, as a live camera does.
fn says(bytes: Vec<u8>) -> impl Fn(&mut TcpStream, u32) {
    move |client, _| {
        client.write_all(&bytes).ok();
        thread::sleep(Duration::from_secs(30));
    }
}

fn open(url: &str) -> Tcp {
    let mut source = Tcp::new(url).unwrap();
    source.open(&CaptureRequest::default()).unwrap();
    source
}

/// The next picture, or what else happens.
fn next(source: &mut Tcp, frame: &mut Frame) -> Result<Next, SourceError> {
    loop {
        let asked = Instant::now();
        let next = source.next(frame)?;
        assert!(asked.elapsed() < PATIENCE * 3, "next() took {:?}", asked.elapsed());
        if next != Next::Nothing {
            return Ok(next);
        }
    }
}

/// Why there is no picture.
fn lost(url: &str) -> String {
    let mut source = open(url);
    let mut frame = Frame::default();
    loop {
        match next(&mut source, &mut frame) {
            Err(error) => return error.to_string(),
            Ok(got) => assert_ne!(got, Next::Frame, "{url}"),
        }
    }
}

#[test]
fn pictures_come_whatever_length_stands_before_them() {
    let length = jpeg("second").len();
    let befores: [Vec<u8>; 7] = [
        (length as u64).to_le_bytes().into(),
        (length as u64).to_be_bytes().into(),
        (length as u32).to_le_bytes().into(),
        (length as u32).to_be_bytes().into(),
        format!("{length:<16}").into(),
        Vec::new(),
        // What nobody knows is passed over.
        b"\x80\x04\x95\0numpy\x01\x02".into(),
    ];
    for before in befores {
        let bytes = [&before[..], &jpeg("first"), &before, &jpeg("second")].concat();
        let mut source = open(&sender(says(bytes)));
        let mut frame = Frame::default();
        // The newest wins, if both come at once.
        while frame.data[..] != jpeg("second")[..] {
            assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame), "{before:x?}");
            assert_eq!(frame.size, Size::new(64, 48));
        }
    }
}

#[test]
fn a_picture_that_comes_in_pieces_is_put_together() {
    let url = sender(|client, _| {
        for n in 0_u64.. {
            let message = [&(jpeg("piece by piece").len() as u64).to_le_bytes()[..], &jpeg("piece by piece")].concat();
            let cut = n as usize % message.len();
            for piece in [&message[..cut], &message[cut..]] {
                if client.write_all(piece).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let (mut source, mut frame) = (open(&url), Frame::default());
    for _ in 0..20 {
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
        assert_eq!(frame.data[..], jpeg("piece by piece")[..]);
    }
}

#[test]
fn what_is_no_picture_is_called_what_it_is() {
    let numpy = b"\x80\x04\x95\x12\x10\x0e\0\0\0\0\0\x8c\x15numpy.core.multiarray\x94\x8c\x0c_reconstruct\x94".to_vec();
    let pixels = vec![130; 3000];
    let behind = |payload: &[&[u8]]| [&921_765_u64.to_le_bytes()[..], &payload.concat()].concat();
    for (bytes, word) in [
        (behind(&[&numpy, &pixels]), "pickled numpy arrays"),
        (behind(&[&pixels]), "raw pixels"),
        (behind(&[b"\x89PNG\r\n\x1a\n", &pixels]), "PNG"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "http://"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f".to_vec(), "ZeroMQ"),
    ] {
        let said = lost(&sender(says(bytes)));
        assert!(said.contains(word) && said.starts_with("sender at 127.0.0.1:"), "{said}");
    }
}

#[test]
fn a_sender_that_goes_is_lost_and_is_there_again_when_it_is_opened_again() {
    let url = sender(|client, n| {
        client.write_all(&jpeg(&format!("number {n}"))).ok();
    });
    let mut frame = Frame::default();
    let mut source = Tcp::new(&url).unwrap();
    for n in 0..3 {
        source.open(&CaptureRequest::default()).unwrap();
        assert_eq!(next(&mut source, &mut frame), Ok(Next::Frame));
        assert_eq!(frame.data[..], jpeg(&format!("number {n}"))[..]);
        let error = next(&mut source, &mut frame).unwrap_err();
        assert!(error.to_string().contains("ended the stream"), "{error}");
    }
    assert!(lost(&sender(|_, _| {})).contains("hung up without a word"));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Tcp::new(&format!("tcp://{free}")).unwrap().open(&CaptureRequest::default()).unwrap_err();
    assert!(error.to_string().contains("nobody listens there"), "{error}");
}

#[test]
fn what_sends_without_end_and_no_picture_is_given_up() {
    let url = sender(|client, _| while client.write_all(&[7; 65_536]).is_ok() {});
    let said = lost(&url);
    assert!(said.contains("no pictures in it"), "{said}");
}
