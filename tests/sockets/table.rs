//! The table of limits in `docs/protocol.md`, line by line: each row has a test that goes beyond it.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use streamflow::internal::frame::Picture;
use streamflow::internal::hub::Hub;
use streamflow::internal::time::now;
use streamflow::internal::wire::control::{Cause, Control};
use streamflow::internal::wire::framing::prefix;
use streamflow::internal::wire::packet::{HEADER, Packet, control_packet, picture_header};
use streamflow::internal::wire::websocket::{self, End};

use super::{audio, controls, delivery, hostile, limits, memory};
use crate::support::http::{Http, post};
use crate::support::{LONG, Peer, hub, hub_with, jpeg, limited, publishes, until, views};

/// How a row begins, and its tests.
type Row = (&'static str, &'static [fn()]);

const ROWS: &[Row] = &[
    ("payload of a picture", &[hostile::an_oversized_picture_ends_its_publisher_alone]),
    ("pixels of a picture", &[limits::a_picture_of_too_many_pixels_reaches_nobody_and_its_publisher_is_told_once]),
    ("metadata", &[metadata_that_are_too_long_end_their_publisher]),
    ("payload of a packet of sound", &[audio::sound_that_is_none_ends_the_connection_that_sends_it_and_no_other]),
    (
        "sound that waits for a listener",
        &[audio::a_listener_that_stalls_hears_what_is_young_before_the_next_picture_and_the_rest_is_counted],
    ),
    ("depth of metadata", &[metadata_that_nest_too_deep_are_left_out]),
    ("payload of a control packet", &[a_control_packet_that_is_too_long_ends_its_connection]),
    ("packet", &[hostile::an_oversized_length_is_refused_in_words]),
    ("control messages that wait", &[who_reads_nothing_of_what_is_said_in_a_room_is_closed]),
    ("head of an HTTP request", &[a_head_that_is_too_long_is_answered_431]),
    ("time for all up to the first packet", &[hostile::whoever_dawdles_is_shown_out]),
    (
        "time without a byte taken",
        &[delivery::stuck_viewers_are_dropped_and_hurt_nobody, who_takes_a_picture_byte_by_byte_is_closed],
    ),
    (
        "publishers that wait",
        &[
            of_many_who_ask_for_a_silent_name_each_is_answered_and_one_has_it,
            eight_may_wait_for_a_name_and_the_others_are_refused_at_once,
            on_one_loop_64_may_wait_for_names_and_the_others_are_refused_at_once,
        ],
    ),
    ("streams of one address, published", &[one_posted_stream_too_many_of_an_address_is_answered_429]),
    (
        "viewers, publishers",
        &[limits::one_viewer_too_many_is_refused_until_another_leaves, limits::one_publisher_too_many_is_refused],
    ),
    (
        "connections of one address",
        &[
            limits::connections_of_this_machine_are_not_counted_by_address,
            one_connection_too_many_of_an_address_is_closed,
        ],
    ),
    ("memory for messages", &[memory::an_honest_picture_passes_while_others_hoard_what_they_do_not_finish]),
    (
        "messages of one connection before",
        &[of_many_pings_at_once_few_are_answered_and_the_last_one_is, many_requests_of_one_connection_take_turns],
    ),
    ("requests (`subscribe`, `list`, `state`, `set`)", &[one_request_after_the_other_without_end_is_refused]),
    ("`controls` of one publisher", &[controls::controls_that_are_told_without_end_end_their_publisher]),
    ("`set`s that wait for one publisher", &[controls::of_many_who_set_at_once_one_too_many_is_told_to_try_again]),
];

#[test]
fn every_row_of_the_table_has_a_test() {
    let text = include_str!("../../docs/protocol.md");
    let (_, section) = text.split_once("\n## 9. Limits\n").unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let rows: Vec<&str> = table.map_while(|line| line.strip_prefix("| ")).collect();
    assert!(rows.len() > 10, "the table is not where it is looked for");
    let named: Vec<&str> = ROWS.iter().map(|(begins, _)| *begins).collect();
    // In the order of the table, so that one word cannot stand for two rows.
    for (n, row) in rows.iter().enumerate() {
        let begins = named.get(n).copied().unwrap_or("nothing");
        assert!(row.starts_with(begins), "row {n}, {row:?}, has no test here; there is one of {begins:?}");
    }
    assert_eq!(rows.len(), named.len(), "a test here is of no row");
    assert!(ROWS.iter().all(|(_, tests)| !tests.is_empty()));
}

fn picture(sequence: u32, metadata: &str) -> Vec<u8> {
    let picture = Picture {
        sequence,
        captured: now(),
        metadata: (!metadata.is_empty()).then(|| Arc::from(metadata)),
        ..Picture::default()
    };
    [&picture_header(&picture, Duration::ZERO)[..], metadata.as_bytes(), &jpeg(9)].concat()
}

/// What the next picture brings beside itself.
#[track_caller]
fn next_metadata(viewer: &mut Peer) -> Option<Arc<str>> {
    loop {
        match viewer.next() {
            Some(Packet::Picture(picture, _)) => return picture.metadata,
            Some(_) => {}
            None => panic!("the viewer was sent away"),
        }
    }
}

#[test]
fn who_takes_a_picture_byte_by_byte_is_closed() {
    limited(|| {
        let hub = hub_with(|config| config.stuck_after = Duration::from_millis(500));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        // It cannot be asked whether it lives.
        let mut slow = Peer::connect_small(hub.address());
        slow.bytes(b"GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n\r\n");
        until("it watches", || hub.counts() == (1, 1));
        publisher.publish(1, 8 << 20);
        until("it is closed", || {
            let _ = slow.socket.read(&mut [0; 512]);
            hub.counts() == (1, 0)
        });
    });
}

#[test]
fn metadata_that_are_too_long_end_their_publisher() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let longest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
        publisher.packet(&picture(1, &longest));
        assert_eq!(next_metadata(&mut viewer).as_deref(), Some(longest.as_str()));
        publisher.packet(&picture(2, &format!("{longest} ")));
        assert_eq!(publisher.bye().0, Cause::Protocol);
        publisher.until_closed();
    });
}

#[test]
fn metadata_that_nest_too_deep_are_left_out() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        let mut publisher = Peer::join(hub.address(), publishes("door"));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (sequence, depth, passes) in [(1, 33, false), (2, 32_000, false), (3, 32, true)] {
            publisher.packet(&picture(sequence, &nested(depth)));
            assert_eq!(next_metadata(&mut viewer), passes.then(|| Arc::from(nested(depth))), "{depth}");
        }
    });
}

#[test]
fn a_control_packet_that_is_too_long_ends_its_connection() {
    limited(|| {
        let hub = hub();
        // Of a type that nobody knows, so that its length alone decides.
        let unknown = |length: usize| {
            let mut packet = control_packet(&Control::List);
            packet.truncate(HEADER);
            packet.extend_from_slice(b"{\"type\":\"z\"}");
            packet.resize(HEADER + length, b' ');
            packet
        };
        let mut viewer = Peer::join(hub.address(), views("door"));
        viewer.packet(&unknown(8 * 1024));
        viewer.say(&Control::List);
        while !matches!(viewer.control(), Control::Streams { .. }) {}
        viewer.packet(&unknown(8 * 1024 + 1));
        assert_eq!(viewer.bye().0, Cause::Protocol);
        viewer.until_closed();
    });
}

#[test]
fn who_reads_nothing_of_what_is_said_in_a_room_is_closed() {
    limited(|| {
        let hub = hub();
        let join = |name: &str| {
            let mut peer = Peer::connect_small(hub.address());
            let request = format!(
                "GET /ws/lab/{name} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            peer.bytes(request.as_bytes());
            peer
        };
        let mut talks = join("talks");
        // Whoever talks reads what it is told.
        let (heard, hears) = channel();
        let mut ear = talks.socket.try_clone().unwrap();
        let reads = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = ear.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..n]).into_owned();
                ["user_list", "user_joined", "user_left"]
                    .iter()
                    .filter(|w| text.contains(**w))
                    .for_each(|word| heard.send(*word).unwrap_or_default());
            }
        });
        assert_eq!(hears.recv_timeout(LONG), Ok("user_list"));
        let _deaf = join("deaf");
        assert_eq!(hears.recv_timeout(LONG), Ok("user_joined"));
        let chat = format!("{{\"type\":\"chat\",\"text\":\"{}\"}}", "x".repeat(3000));
        let message = websocket::text(End::Client, &chat);
        until("who reads nothing is gone", || {
            (0..50).for_each(|_| talks.bytes(&message));
            hears.try_recv() == Ok("user_left")
        });
        talks.socket.shutdown(std::net::Shutdown::Both).unwrap();
        reads.join().unwrap();
    });
}

#[test]
fn a_head_that_is_too_long_is_answered_431() {
    limited(|| {
        let hub = hub();
        let ask = |fields: String| Http::connect(hub.address()).ask("GET", "/health", &fields, b"").status;
        // `Host` is one of the 64.
        assert_eq!(ask("X: y\r\n".repeat(63)), 200);
        assert_eq!(ask("X: y\r\n".repeat(64)), 431);
        assert_eq!(ask(format!("X: {}\r\n", "x".repeat(16_000))), 200);
        assert_eq!(ask(format!("X: {}\r\n", "x".repeat(16_400))), 431);
    });
}

#[test]
fn one_connection_too_many_of_an_address_is_closed() {
    limited(|| {
        // On a machine that has this address alone there is nothing to try.
        let Some(ip) = memory::own_address() else { return };
        let hub = hub_with(|config| {
            config.listen = SocketAddr::new(ip, 0);
            config.access = streamflow::AccessControl::Open;
            config.max_per_address = 2;
        });
        let first = Peer::join(hub.address(), views("door"));
        let _second = Peer::join(hub.address(), views("door"));
        Peer::connect(hub.address()).until_closed();
        drop(first);
        until("one has left", || hub.counts().1 == 1);
        // Its place is given back a moment later.
        until("its place is free", || {
            let mut third = Peer::connect(hub.address());
            let hello = control_packet(&Control::Hello(views("door")));
            let _ = third.socket.write_all(&[&prefix(hello.len())[..], &hello].concat());
            matches!(third.socket.read(&mut [0; 8]), Ok(8))
        });
    });
}

#[test]
fn many_requests_of_one_connection_take_turns() {
    limited(|| {
        let hub = hub();
        let mut http = Http::connect(hub.address());
        const MANY: u64 = 640;
        let begun = Instant::now();
        http.send(b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(MANY as usize).as_slice());
        (0..MANY).for_each(|_| assert_eq!(http.answer().status, 200));
        // Before every 64th it rests for 10 ms. A slow machine takes longer, never less.
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(10 * MANY / 64), "{MANY} requests were answered in {took:?}");
    });
}

#[test]
fn of_many_pings_at_once_few_are_answered_and_the_last_one_is() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        const MANY: u64 = 20_000;
        let pings: Vec<u8> = (1..=MANY)
            .flat_map(|time| {
                let ping = control_packet(&Control::Ping { time });
                [&prefix(ping.len())[..], &ping].concat()
            })
            .collect();
        let begun = Instant::now();
        viewer.bytes(&pings);
        let mut answers = 0;
        loop {
            if let Control::Pong { time, .. } = viewer.control() {
                answers += 1;
                if time == MANY {
                    break;
                }
            }
        }
        assert!(answers < MANY / 10, "{answers} answers to {MANY} pings");
        // Between two turns of 256 it rests for 10 ms. A slow machine takes longer, never less.
        let (turns, took) = (MANY.div_ceil(256), begun.elapsed());
        assert!(took >= Duration::from_millis(10 * (turns - 1)), "{MANY} pings were read in {took:?}");
    });
}

#[test]
fn one_request_after_the_other_without_end_is_refused() {
    limited(|| {
        let hub = hub();
        let mut viewer = Peer::join(hub.address(), views("door"));
        viewer.socket.set_read_timeout(Some(LONG)).unwrap();
        let list = control_packet(&Control::List);
        let one = [&prefix(list.len())[..], &list].concat();
        match viewer.socket.write_all(&one.repeat(1000)) {
            Err(e) if !matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => panic!("{e}"),
            _ => {}
        }
        assert_eq!(viewer.bye().0, Cause::Protocol);
        viewer.until_closed();
    });
}

#[test]
fn of_many_who_ask_for_a_silent_name_each_is_answered_and_one_has_it() {
    limited(|| {
        let hub = hub();
        let mut silent = Peer::join(hub.address(), publishes("door"));
        // Whoever was heard a moment ago is not asked whether it lives.
        std::thread::sleep(Duration::from_millis(500));
        let mut asking: Vec<Peer> = (0..100)
            .map(|_| {
                let mut peer = Peer::connect(hub.address());
                peer.say(&Control::Hello(publishes("door")));
                peer
            })
            .collect();
        let mut has = 0;
        for peer in &mut asking {
            match peer.control() {
                Control::Welcome { .. } => has += 1,
                Control::Bye { cause: Cause::Refused, .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(has >= 1, "nobody has the name");
        assert_eq!(silent.bye().0, Cause::Timeout);
    });
}

/// A hub of one loop, where a publisher that says nothing is waited for longer than any test takes.
fn patient_hub() -> Hub {
    hub_with(|config| {
        config.threads = 1;
        config.answers_within = Duration::from_secs(3600);
        config.bridge_times.dead_after = Duration::from_secs(3600);
    })
}

/// Who publishes under a name, and reads and says nothing any more.
fn deaf(hub: &Hub, name: &str) -> Peer {
    let mut peer = Peer::connect(hub.address());
    let request = format!(
        "GET /ws/main/{name} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    peer.bytes(request.as_bytes());
    peer.bytes(&websocket::binary(End::Client, &[&jpeg(9)]));
    until("it publishes", || hub.streams(None).iter().any(|stream| stream.name == name && stream.live));
    peer
}

/// Those who ask for these names, so many for each.
fn askers(hub: &Hub, names: &[String], each: usize) -> Vec<Peer> {
    // Whoever was heard a moment ago is not asked whether it lives.
    std::thread::sleep(Duration::from_millis(500));
    let ask = |name: &String| {
        let mut peer = Peer::connect(hub.address());
        peer.say(&Control::Hello(publishes(name)));
        peer
    };
    names.iter().flat_map(|name| (0..each).map(move |_| ask(name))).collect()
}

/// Takes those out that have an answer by now, and counts the refused ones among them.
fn refused(asking: &mut Vec<Peer>) -> usize {
    let answered = asking.extract_if(.., |peer| {
        peer.socket.set_nonblocking(true).unwrap();
        let answered = peer.socket.peek(&mut [0]).is_ok();
        peer.socket.set_nonblocking(false).unwrap();
        answered
    });
    answered
        .map(|mut peer| peer.control())
        .filter(|answer| matches!(answer, Control::Bye { cause: Cause::Refused, .. }))
        .count()
}

#[test]
fn eight_may_wait_for_a_name_and_the_others_are_refused_at_once() {
    limited(|| {
        let hub = patient_hub();
        let silent = deaf(&hub, "door");
        let mut asking = askers(&hub, &["door".into()], 20);
        let mut gone = 0;
        until("the others are refused", || {
            gone += refused(&mut asking);
            gone >= 12
        });
        // Those who wait have it in turn.
        drop(silent);
        until("one has it", || {
            let (before, no) = (asking.len(), refused(&mut asking));
            before > asking.len() + no
        });
    });
}

#[test]
fn on_one_loop_64_may_wait_for_names_and_the_others_are_refused_at_once() {
    limited(|| {
        let hub = patient_hub();
        let names: Vec<String> = (0..9).map(|n| format!("door{n}")).collect();
        let _silent: Vec<Peer> = names.iter().map(|name| deaf(&hub, name)).collect();
        // No name has too many.
        let mut asking = askers(&hub, &names, 8);
        let mut gone = 0;
        until("the others are refused", || {
            gone += refused(&mut asking);
            gone >= 8
        });
    });
}

#[test]
fn one_posted_stream_too_many_of_an_address_is_answered_429() {
    limited(|| {
        let hub = hub_with(|config| {
            config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
            config.access = streamflow::AccessControl::Open;
            config.max_posted = 2;
        });
        let here = SocketAddr::from(([127, 0, 0, 1], hub.address().port()));
        let post = |to: SocketAddr, name: &str| post(to, &format!("/api/publish/main/{name}"), &jpeg(9)).status;
        assert!(["a", "b", "c"].iter().all(|name| post(here, name) == 200), "this machine has as many as it likes");
        // On a machine that has this address alone there is nothing more to try.
        let Some(ip) = memory::own_address() else { return };
        let there = SocketAddr::new(ip, here.port());
        assert_eq!(["d", "e", "f", "d"].map(|name| post(there, name)), [200, 200, 429, 200]);
    });
}
