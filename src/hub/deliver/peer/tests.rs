use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

use super::*;
use crate::access::Access;
use crate::access::policy::Policy;
use crate::hub::address_limits::Addresses;
use crate::hub::memory::Memory;

/// A client of `/stream`, and the hub's end of it.
fn peer(at: Micros) -> (Peer, std::net::TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, address) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let who = Credentials::of_nobody(address.ip(), false);
    let grant = Access::new(Policy::open()).watch(&who, StreamKey::new("main", "door")).unwrap();
    let newcomer = Newcomer {
        id: 1,
        address,
        transport: mio::net::TcpStream::from_std(socket).into(),
        admitted: Admitted {
            credentials: who,
            framing: Framing::Multipart(Vec::new()),
            purpose: Purpose::Watch(grant),
            hello: None,
            apart: 0,
            feed: None,
            first: None,
        },
        early: Vec::new(),
        placeholder: None,
        place: Arc::new(Addresses::new(1)).place(address.ip()).unwrap(),
        account: Arc::new(Memory::new(1 << 30)).open(address.ip(), || {}),
    };
    (Peer::new(newcomer, BridgeTimes::default(), at).0, client)
}

#[test]
fn pictures_that_a_publisher_gave_are_not_counted_as_given_to_viewers() {
    let (mut peer, _client) = peer(Micros(0));
    let totals = Totals::default();
    peer.publish(Arc::new(Stream::new(StreamKey::new("main", "door"), 1, 1, None)));
    peer.metrics.pictures = 5;
    peer.sum_up(&totals);
    // It has broken the rules, and is reading why.
    peer.role = PeerRole::None;
    peer.sum_up(&totals);
    assert_eq!(totals.pictures.load(Ordering::Relaxed), 0);
}

#[test]
fn a_viewer_that_was_idle_has_the_whole_time_to_take_a_message() {
    let (stuck_after, mut at) = (Duration::from_secs(10), Micros(1_000_000_000));
    let (mut peer, mut viewer) = peer(at);
    let mut wait = |peer: &mut Peer, seconds: u64| {
        let end = at + Duration::from_secs(seconds);
        while at < end {
            at = at + Duration::from_millis(100);
            peer.tick(at, stuck_after)?;
        }
        Ok::<_, ConnectionError>(())
    };
    // What the kernel takes is sent; the viewer reads none of it.
    wait(&mut peer, 60).unwrap();
    while peer.connection.is_idle() {
        peer.connection.send_text(&"x".repeat(1000)).unwrap();
    }
    wait(&mut peer, 9).expect("it has waited for 9 s and not for 69");
    assert!(matches!(wait(&mut peer, 2), Err(ConnectionError::Stuck)));
    assert!(viewer.read(&mut [0; 9]).is_ok());
}
