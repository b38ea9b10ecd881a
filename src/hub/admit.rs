//! Admission: one thread accepts, and each newcomer is heard on a short-lived thread of its own (`greet`), of which there
//! are so many at most (`door`).

use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use super::Shared;
use super::addresses::Place;
use super::deliver::{Command, Newcomer, Wish};
use super::door::Door;
use super::greet::{self, Guest};
use super::placeholder::StandIn;
use crate::error::{Error, Result};
use crate::net::connection::Framing;
use crate::room::StreamKey;
use crate::transport::sockopt;

const MAIN: Token = Token(0);
const PLAIN: Token = Token(1);
const WAKER: Token = Token(2);
/// Pause when the system has no more file descriptors: whoever is inside goes on, and whoever knocks waits.
const PAUSE: Duration = Duration::from_millis(50);

/// The listening sockets and their thread. Dropping it closes them; the hub must be stopping by then.
pub(super) struct Admission {
    pub(super) address: SocketAddr,
    pub(super) plain_address: Option<SocketAddr>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
    door: Arc<Door>,
}

impl Admission {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self> {
        let poll = Poll::new().map_err(|e| Error::io("cannot make a poll", e))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(|e| Error::io("cannot make a waker", e))?;
        let listen = |address, token| -> Result<(TcpListener, SocketAddr)> {
            let bound = TcpListener::bind(address).and_then(|mut listener| {
                poll.registry().register(&mut listener, token, Interest::READABLE)?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            });
            bound.map_err(|e| Error::io(format!("cannot listen on {address}"), e))
        };
        let (main, address) = listen(shared.config.listen, MAIN)?;
        let plain = shared.config.plain.map(|address| listen(address, PLAIN)).transpose()?;
        let plain_address = plain.as_ref().map(|(_, address)| *address);
        let waker = Arc::new(waker);
        let door = Arc::new(Door::new(waker.clone(), shared.config.max_pending));
        let accepting = Accepting { shared, door: door.clone(), main, plain: plain.map(|(listener, _)| listener) };
        let thread = std::thread::Builder::new()
            .name("admit".into())
            .spawn(move || accepting.run_for_good(poll))
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Self { address, plain_address, waker, thread: Some(thread), door })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // It fails only when the poll is gone, and then nobody waits for it.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Whoever is still being heard is sent away, so that no thread outlives the hub.
        self.door.close();
    }
}

/// What the thread that accepts owns.
struct Accepting {
    shared: Arc<Shared>,
    door: Arc<Door>,
    main: TcpListener,
    plain: Option<TcpListener>,
}

/// Nothing, or why a connection goes no further.
type Taken = std::result::Result<(), String>;

impl Accepting {
    /// Accepts until the hub stops, whatever goes wrong with one newcomer.
    fn run_for_good(&self, mut poll: Poll) {
        while catch_unwind(AssertUnwindSafe(|| self.run(&mut poll))).is_err() {
            log::error!("a fault of this hub stopped admission; it goes on");
            std::thread::sleep(PAUSE);
        }
    }

    fn run(&self, poll: &mut Poll) {
        let mut events = Events::with_capacity(16);
        // The poll tells of each newcomer once, so after a fault somebody may wait untold.
        while self.accept_plain() && !self.stopping() {}
        // Somebody may knock at the main door who was not let to it yet.
        let mut knocking = true;
        let mut wait = Some(Duration::ZERO);
        loop {
            if let Err(error) = poll.poll(&mut events, wait) {
                if error.kind() == ErrorKind::Interrupted {
                    continue;
                }
                log::error!("admission: {error}");
                return;
            }
            for event in &events {
                knocking |= event.token() == MAIN;
                if event.token() == PLAIN {
                    while self.accept_plain() && !self.stopping() {}
                }
            }
            wait = None;
            // In a flood the loop must still see that the hub stops.
            while knocking && !self.stopping() {
                // While all threads are busy, whoever comes waits in the system's queue; who comes to the other door
                // does not.
                wait = self.door.is_full();
                if wait.is_some() {
                    break;
                }
                knocking = self.accept_main();
            }
            if self.stopping() {
                return;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Lets one newcomer to the main door. False: there is none.
    fn accept_main(&self) -> bool {
        let accepted = self.main.accept();
        self.accepted(accepted, Self::welcome)
    }

    /// Lets one newcomer in by the plain door, where nothing is asked. False: there is none.
    fn accept_plain(&self) -> bool {
        let Some(accepted) = self.plain.as_ref().map(TcpListener::accept) else { return false };
        self.accepted(accepted, Self::let_in)
    }

    fn accepted(
        &self,
        accepted: std::io::Result<(mio::net::TcpStream, SocketAddr)>,
        take: fn(&Self, mio::net::TcpStream, SocketAddr, Place) -> Taken,
    ) -> bool {
        match accepted {
            Ok((socket, address)) => {
                let taken = match self.shared.addresses.place(address.ip()) {
                    Some(place) => sockopt::prepare(&socket)
                        .map_err(|e| e.to_string())
                        .and_then(|()| take(self, socket, address, place)),
                    None => {
                        let most = self.shared.config.max_per_address;
                        Err(format!("refused: {most} connections from this address already"))
                    }
                };
                if let Err(why) = taken {
                    log::warn!("{address}: {why}");
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(e) => {
                log::warn!("cannot accept: {e}");
                std::thread::sleep(PAUSE);
            }
        }
        true
    }

    fn let_in(&self, socket: mio::net::TcpStream, address: SocketAddr, place: Place) -> Taken {
        let key = self.shared.config.plain_stream.clone().unwrap_or_else(|| StreamKey::new("main", ""));
        let (framing, wish) = (Framing::Plain, Wish::Watch(key));
        let guest = Guest { address, framing, wish, hello: None, first: None, early: Vec::new() };
        hand_over(&self.shared, socket, guest, place);
        Ok(())
    }

    fn welcome(&self, socket: mio::net::TcpStream, address: SocketAddr, place: Place) -> Taken {
        let socket = TcpStream::from(socket);
        let standing = self.door.knock(socket.try_clone().map_err(|e| e.to_string())?);
        let shared = self.shared.clone();
        let ended = socket.try_clone().map_err(|e| e.to_string())?;
        let answering = Arc::new(AtomicBool::new(false));
        let answered = answering.clone();
        let account = shared.memory.open(address.ip(), move || {
            // Who is still being heard gets an answer. Whoever is gone already need not be told.
            let ways = if answered.load(Ordering::SeqCst) { Shutdown::Both } else { Shutdown::Read };
            let _ = ended.shutdown(ways);
        });
        let greet = move || {
            let newcomer = greet::Newcomer {
                socket: &socket,
                address,
                shared: &shared,
                standing: &standing,
                account: &account,
                answering: &answering,
            };
            let heard = newcomer.hear();
            drop(account);
            standing.goes_in();
            match heard.and_then(|guest| socket.set_nonblocking(true).map(|()| guest)) {
                Ok(Some(guest)) => hand_over(&shared, mio::net::TcpStream::from_std(socket), guest, place),
                Ok(None) => {}
                // Who looks whether somebody is here, as our own programs do, and goes without a word, was not refused.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                Err(error) => {
                    shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                    log::debug!("{address}: not admitted: {error}");
                }
            }
        };
        let started = std::thread::Builder::new().name("greet".into()).stack_size(256 * 1024).spawn(greet);
        started.map(drop).map_err(|e| e.to_string())
    }
}

fn hand_over(shared: &Arc<Shared>, socket: mio::net::TcpStream, guest: Guest, place: Place) {
    let id = shared.new_id();
    let Guest { address, framing, wish, hello, first, early } = guest;
    let stand_in = matches!(framing, Framing::Multipart(_)).then(|| StandIn::new(shared.placeholders.clone()));
    let place = Box::new(place);
    let beside = shared.clone();
    let account = shared.memory.open(address.ip(), move || beside.loop_of(id).command(Command::Evict(id)));
    let newcomer = Newcomer { id, address, socket, framing, wish, hello, first, early, stand_in, place, account };
    shared.loop_of(id).command(Command::Adopt(Box::new(newcomer)));
}
