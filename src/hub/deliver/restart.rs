//! What becomes of a delivery loop that panics: it loses its connections and begins anew. All others go on.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::inbox::Fresh;
use super::read_turn::ReadBuffers;
use super::turns::Turns;
use super::{Command, Loop};
use crate::hub::Wanted;
use crate::net::connection::ConnectionError;
use crate::relay::ConnectionId;
use crate::time::now;

/// A loop that panics again and again does so a few times a second at most.
const PAUSE: Duration = Duration::from_millis(200);

impl Loop {
    /// Serves until the hub stops, however often it has to begin anew.
    pub(super) fn serve_for_good(&mut self) {
        loop {
            let why = match catch_unwind(AssertUnwindSafe(|| self.serve())) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "a fault of this hub".into(),
            };
            let (index, lost) = (self.index, self.peers.len());
            log::error!("delivery loop {index} and its {lost} connections ended by {why}; it begins anew");
            self.begin_anew();
            std::thread::sleep(PAUSE);
        }
    }

    /// Closes all connections and tells the rules that they are gone. Whatever else the loop knew may be half written, and
    /// is thrown away.
    fn begin_anew(&mut self) {
        let why = ConnectionError::Io(io::Error::other("a fault of this hub"));
        let all: Vec<_> = self.peers.iter().map(|(token, peer)| (token, peer.id, peer.room().to_string())).collect();
        for (token, id, room) in all {
            // One of them may be what the loop stumbled over, and may make it stumble again.
            if catch_unwind(AssertUnwindSafe(|| self.remove(token, &why))).is_err() {
                let _ = catch_unwind(AssertUnwindSafe(|| self.forget(token, id, &room)));
            }
        }
        for subscribers in std::mem::take(&mut self.subscribers).into_values() {
            subscribers.tokens.iter().for_each(|_| subscribers.stream.remove_viewer(self.index));
            subscribers.stream.set_listeners(self.index, 0);
            self.shared.set_wanted(&subscribers.stream, self.index, Wanted::default());
        }
        // Who came meanwhile, or asks whether this loop lives, has nothing to do with it; all else was for the connections that are
        // gone.
        self.commands.retain(|command| matches!(command, Command::Adopt(_) | Command::Answer(_)));
        let newcomers = self.commands.iter().filter(|command| matches!(command, Command::Adopt(_))).count();
        self.handle().count_anew(newcomers);
        self.tokens.clear();
        self.fresh = Fresh::default();
        self.turns = Turns::default();
        // What is left in them was heard of another connection.
        self.buffers = ReadBuffers::default();
        self.paced.clear();
    }

    /// The least that is owed for a connection that cannot be removed as usual, however far removing it came: nothing of it
    /// does harm when it is done twice.
    fn forget(&mut self, token: usize, id: ConnectionId, room: &str) {
        if self.peers.try_remove(token).is_some() {
            self.shared.totals.open.fetch_sub(1, Ordering::Relaxed);
        }
        let Ok(()) = self.shared.decide(|rooms| Ok::<_, Infallible>(rooms.leave(id, "publisher gone", now())));
        self.shared.leave_room(id, room);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::hub::{Hub, HubConfig};
    use crate::wire::control::Control;
    use crate::wire::framing::prefix;
    use crate::wire::packet::control_packet;

    /// How long anything may take that is to happen at all.
    const LONG: Duration = Duration::from_secs(30);

    /// Reads until the peer has said this; false when it closed before.
    fn hears(mut peer: &TcpStream, word: &str) -> bool {
        peer.set_read_timeout(Some(LONG)).unwrap();
        let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            if heard.windows(word.len().max(1)).any(|part| part == word.as_bytes()) {
                return true;
            }
            match peer.read(&mut piece) {
                Ok(0) => return false,
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return false,
                Ok(n) => heard.extend_from_slice(&piece[..n]),
                Err(e) => panic!("{word} was never heard: {e}"),
            }
        }
    }

    fn joins(hub: &Hub, role: &str) -> TcpStream {
        let mut peer = TcpStream::connect(hub.address()).unwrap();
        let hello = format!(r#"{{"role":"{role}","name":"door"}}"#);
        let hello = control_packet(&Control::Hello(serde_json::from_str(&hello).unwrap()));
        peer.write_all(&[&prefix(hello.len())[..], &hello].concat()).unwrap();
        assert!(hears(&peer, "welcome"));
        peer
    }

    #[test]
    fn a_loop_that_panics_costs_its_own_connections_and_serves_again() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let hub = Hub::start(HubConfig { listen, threads: 2, ..HubConfig::default() }).unwrap();
        // A newcomer goes to the loop with the fewest connections, the first where there are several.
        let publisher = joins(&hub, "publish");
        let other = joins(&hub, "view");
        let viewer = joins(&hub, "view");
        assert_eq!(hub.counts(), (1, 2));
        for _ in 0..2 {
            hub.shared.loops[0].command(Command::Panic);
        }
        assert!(!hears(&publisher, "never said") && !hears(&viewer, "never said"));
        assert!(hears(&other, "publisher gone"), "who is on another loop is told what happened");
        let until = Instant::now() + LONG;
        while hub.counts() != (0, 1) {
            assert!(Instant::now() < until, "{:?}", hub.counts());
            std::thread::sleep(Duration::from_millis(5));
        }
        let _publisher = joins(&hub, "publish");
        let _viewer = joins(&hub, "view");
        assert_eq!(hub.counts(), (1, 2));
    }
}
