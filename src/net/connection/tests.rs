//! Turns of reading: messages, bytes and answers.

use std::io::{Read, Write};

use super::*;
use crate::wire::control::Control;
use crate::wire::framing::Deframer;

/// A connection, and the other end of it.
fn pair(framing: Framing) -> (Connection, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = listener.accept().unwrap().0;
    near.set_nonblocking(true).unwrap();
    (Connection::new(mio::net::TcpStream::from_std(near).into(), framing), far)
}

fn websocket() -> Framing {
    Framing::WebSocket(Box::new(websocket::Reader::new(End::Server, 1 << 20, 4096)), End::Server)
}

fn ping(number: u64) -> Vec<u8> {
    // A client's ping: masked with zeros, eight bytes of content.
    [&[0x89, 0x88, 0, 0, 0, 0][..], &number.to_be_bytes()].concat()
}

#[test]
fn many_small_messages_are_dealt_with_in_turns_and_none_is_lost() {
    let (mut connection, mut far) = pair(Framing::Native(Box::new(Deframer::new(1 << 20))));
    let packet = control_packet(&Control::Ack { sequence: 7, backlog: 0, waited: 0 });
    let one = [&prefix(packet.len())[..], &packet].concat();
    let many = 5000;
    far.write_all(&one.repeat(many)).unwrap();
    let (mut heard, mut turns) = (0, 0);
    let mut scratch = vec![0; 256 * 1024];
    while heard < many {
        let before = heard;
        let read = connection.read(&mut scratch, &mut |_, _| {
            heard += 1;
            Ok(())
        });
        assert!(heard - before <= 300, "{} messages in one turn", heard - before);
        turns += usize::from(heard > before);
        read.unwrap();
    }
    assert!(turns >= many / 300, "{turns}");
}

#[test]
fn of_large_messages_a_turn_takes_a_mebibyte_and_the_read_that_went_beyond() {
    let (mut connection, mut far) = pair(Framing::Native(Box::new(Deframer::new(1 << 20))));
    let mut packet = vec![0xff, 0xd8];
    packet.resize(60_000, 0);
    let one = [&prefix(packet.len())[..], &packet].concat();
    // It stays open until all is heard: an end is an end of the connection.
    let sent = std::thread::spawn(move || far.write_all(&one.repeat(300)).map(|()| far));
    let (mut heard, mut scratch) = (0, vec![0; 256 * 1024]);
    while heard < 300 {
        let before = connection.bytes_in;
        let read = connection.read(&mut scratch, &mut |_, _| {
            heard += 1;
            Ok(())
        });
        let took = connection.bytes_in - before;
        assert!(took <= (1 << 20) + 256 * 1024, "{took} bytes in one turn");
        read.unwrap();
    }
    drop(sent.join().unwrap().unwrap());
}

#[test]
fn texts_that_are_work_to_read_take_turns_and_make_their_sender_wait() {
    let (mut connection, mut far) = pair(Framing::Native(Box::new(Deframer::to_hub(1 << 20))));
    let mut packet = control_packet(&Control::List);
    packet.truncate(HEADER);
    packet
        .extend_from_slice(format!("{{\"type\":\"ping\",\"time\":1,\"x\":[{}0]}}", "{\"\":0},".repeat(990)).as_bytes());
    let one = [&prefix(packet.len())[..], &packet].concat();
    assert!((7000..8192).contains(&one.len()));
    far.write_all(&one.repeat(20)).unwrap();
    let (mut heard, mut scratch) = (0, vec![0; 256 * 1024]);
    while heard < 20 {
        let before = heard;
        let read = connection.read(&mut scratch, &mut |_, _| {
            heard += 1;
            Ok(())
        });
        assert!(heard - before <= 3, "{} in one turn", heard - before);
        assert!(matches!(read.unwrap(), Drained::Flooded | Drained::Yes));
    }
}

#[test]
fn the_longest_text_that_is_read_as_json_is_the_work_of_a_whole_turn() {
    let reader = websocket::Reader::new(End::Server, 1 << 20, 1 << 20);
    let (mut connection, mut far) = pair(Framing::Bridge(Box::new(reader), Dialect::Detection { opening: "".into() }));
    // Masked with zeros; with its head it is longer.
    let length = u16::try_from(MAX_JSON).unwrap().to_be_bytes();
    let text = [&[0x81, 0xfe][..], &length, &[0; 4], &[b'1'; MAX_JSON]].concat();
    far.write_all(&text.repeat(8)).unwrap();
    let (mut heard, mut scratch) = (0, vec![0; 256 * 1024]);
    while heard < 8 {
        let before = heard;
        let read = connection.read(&mut scratch, &mut |_, _| {
            heard += 1;
            Ok(())
        });
        assert!(heard - before <= 1, "{} in one turn", heard - before);
        assert_ne!(read.unwrap(), Drained::Partly);
    }
}

#[test]
fn of_many_pings_only_the_newest_of_a_turn_is_answered() {
    let (mut connection, mut far) = pair(websocket());
    let many = 5000;
    far.write_all(&(1..=many).flat_map(ping).collect::<Vec<_>>()).unwrap();
    let mut scratch = vec![0; 256 * 1024];
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answers = Vec::new();
    loop {
        while connection.read(&mut scratch, &mut |_, _| Ok(())).unwrap() != Drained::Yes {}
        let mut pong = [0; 10];
        far.read_exact(&mut pong).unwrap();
        answers.push(u64::from_be_bytes(pong[2..].try_into().unwrap()));
        if answers.last() == Some(&many) {
            break;
        }
    }
    assert!(answers.is_sorted() && answers.len() < 100, "{answers:?}");
}

#[test]
fn answers_of_a_turn_go_out_together() {
    let (mut connection, mut far) = pair(websocket());
    connection.cork();
    connection.send_text("one").unwrap();
    connection.send_text("two").unwrap();
    assert!(!connection.nothing_waits(), "nothing is sent yet");
    connection.uncork().unwrap();
    let mut both = [0; 10];
    far.read_exact(&mut both).unwrap();
    assert_eq!(&both, b"\x81\x03one\x81\x03two");
}
