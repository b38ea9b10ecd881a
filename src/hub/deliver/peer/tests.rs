use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

use super::*;
use crate::hub::memory::Memory;

#[test]
fn a_viewer_that_was_idle_has_the_whole_time_to_take_a_message() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut viewer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, address) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let newcomer = Newcomer {
        id: 1,
        address,
        socket: mio::net::TcpStream::from_std(socket),
        framing: Framing::Multipart(Vec::new()),
        wish: Wish::Watch(StreamKey::new("main", "door")),
        hello: None,
        first: None,
        early: Vec::new(),
        stand_in: None,
        place: Box::new(()),
        account: Arc::new(Memory::new(1 << 30)).open(address.ip(), || {}),
    };
    let (stuck_after, mut at) = (Duration::from_secs(10), Micros(1_000_000_000));
    let (mut peer, ..) = Peer::new(newcomer, EdgeTimes::default(), at);
    let mut wait = |peer: &mut Peer, seconds: u64| {
        let end = at + Duration::from_secs(seconds);
        while at < end {
            at = at + Duration::from_millis(100);
            peer.tick(at, stuck_after)?;
        }
        Ok::<_, Broken>(())
    };
    // What the kernel takes is sent; the viewer reads none of it.
    wait(&mut peer, 60).unwrap();
    while peer.connection.is_idle() {
        peer.connection.send_text(&"x".repeat(1000)).unwrap();
    }
    wait(&mut peer, 9).expect("it has waited for 9 s and not for 69");
    assert!(matches!(wait(&mut peer, 2), Err(Broken::Stuck)));
    assert!(viewer.read(&mut [0; 9]).is_ok());
}
