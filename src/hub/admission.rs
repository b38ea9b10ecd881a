//! Admission: one thread accepts and hears what newcomers want. Whoever has said it belongs to a delivery loop from then on. Short
//! requests are answered here, so a request that is long to answer delays other newcomers a little, and pictures not at all.

mod door;
mod grace;
mod greeting;
mod hello;
mod pending;
mod reactor;
mod request;
#[cfg(test)]
mod tests;
mod turns;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use mio::net::TcpListener;
use mio::{Interest, Poll, Token, Waker};

pub use self::door::{Arrival, Door, Visit};
use self::reactor::Reactor;
use super::Shared;
use super::address_limits::Place;
use super::answers::Answers;
use super::deliver::{self, Admitted, Newcomer};
use super::inherited::Inherited;
use super::placeholder::Placeholder;
use super::stream::Stream;
use crate::error::{Error, Result};
use crate::net::connection::Framing;
use crate::transport::Transport;

const WAKER: Token = Token(usize::MAX);
const MAIN: Token = Token(usize::MAX - 1);
const PLAIN: Token = Token(usize::MAX - 2);
const TWIN: Token = Token(usize::MAX - 3);

/// What other threads ask admission to do.
pub(super) enum Command {
    /// The stream of this number has a new picture that somebody waits for.
    PictureCame(u64),
    /// The memory of the connection at this place with this serial number is needed for others.
    Evict(usize, u64),
    /// What somebody showed has been looked at.
    Checked,
    /// Somebody asks whether admission is alive.
    #[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "streamflow-hub alone needs it"))]
    Answer(Answers),
}

/// How other threads reach admission.
pub(super) struct Handle {
    waker: Waker,
    commands: Mutex<Vec<Command>>,
}

impl Handle {
    pub(super) fn new() -> io::Result<(Poll, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok((poll, Self { waker, commands: Mutex::default() }))
    }

    fn commands(&self) -> MutexGuard<'_, Vec<Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.commands())
    }

    pub(super) fn command(&self, command: Command) {
        self.commands().push(command);
        self.wake();
    }

    /// A stream has a new picture that somebody waits for.
    pub(super) fn picture_came(&self, stream: &Stream) {
        self.command(Command::PictureCame(stream.id));
    }

    /// What somebody showed has been looked at.
    pub(super) fn checked(&self) {
        self.command(Command::Checked);
    }

    fn wake(&self) {
        // It fails only when the poll is gone, and then nobody waits for it.
        let _ = self.waker.wake();
    }
}

/// The listening sockets.
struct Listening {
    main: TcpListener,
    twin: Option<TcpListener>,
    plain: Option<TcpListener>,
}

/// The same port at the other address by which this machine alone reaches itself: of `127.0.0.1` that is `::1`, and the other way round.
fn other_loopback(address: SocketAddr) -> Option<SocketAddr> {
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let other: IpAddr = match address.ip() {
        ip if ip == v4 => v6.into(),
        ip if ip == v6 => v4.into(),
        _ => return None,
    };
    Some(SocketAddr::new(other, address.port()))
}

/// The listening sockets and their thread. Dropping it closes them; the hub must be stopping by then.
pub(super) struct Admission {
    pub(super) address: SocketAddr,
    pub(super) plain_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Admission {
    pub(super) fn start(shared: Arc<Shared>, poll: Poll, inherited: Option<Inherited>) -> Result<Self> {
        let registered = |mut listener: TcpListener, token| {
            poll.registry().register(&mut listener, token, Interest::READABLE)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let failed = |address, e| Error::Listen { address, hint: "", cause: Arc::new(e) };
        let listen = |address, token| {
            let bound = TcpListener::bind(address).and_then(|listener| registered(listener, token));
            bound.map_err(|e| failed(address, e))
        };
        let opened = |socket: std::net::TcpListener, token| {
            let ready = socket.set_nonblocking(true).and_then(|()| registered(TcpListener::from_std(socket), token));
            ready.map_err(|e| failed(shared.config.listen, e))
        };
        let (main, twin) = inherited.map_or((None, None), |inherited| (Some(inherited.main), inherited.twin));
        let (main, address) = main.map_or_else(|| listen(shared.config.listen, MAIN), |main| opened(main, MAIN))?;
        // One machine has two such addresses, and `localhost` may be either.
        let beside = |other| match listen(other, TWIN) {
            Ok((twin, _)) => Some(twin),
            Err(Error::Listen { cause, .. }) if cause.kind() == ErrorKind::AddrInUse => {
                log::warn!("another program has {other}: who asks localhost may reach that one");
                None
            }
            // There are machines without IPv6, and without IPv4.
            Err(error) => {
                log::debug!("{error}");
                None
            }
        };
        let twin = match twin {
            Some(twin) => Some(opened(twin, TWIN)?.0),
            None => other_loopback(address).and_then(beside),
        };
        let plain = shared.config.plain.map(|address| listen(address, PLAIN)).transpose()?;
        let (plain, plain_address) = plain.unzip();
        let reactor = Reactor::new(shared.clone(), poll, Listening { main, twin, plain });
        let thread = std::thread::Builder::new()
            .name("admission".into())
            .spawn(move || reactor.run_for_good())
            .map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Self { address, plain_address, shared, thread: Some(thread) })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.shared.admission.wake();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by then.
            let _ = thread.join();
        }
    }
}

/// Goes on encrypted with somebody who has begun to encrypt, with these bytes.
fn encrypted(shared: &Shared, transport: Transport, early: Vec<u8>) -> io::Result<Transport> {
    let identity = shared.identity.as_ref().ok_or(io::ErrorKind::Unsupported)?;
    let session = identity.session().map_err(io::Error::other)?;
    Ok(transport.encrypted(session.into(), early))
}

/// Gives somebody who has said what they want to a delivery loop.
fn hand_over(
    shared: &Arc<Shared>,
    transport: Transport,
    address: SocketAddr,
    place: Place,
    admitted: Admitted,
    early: Vec<u8>,
) {
    let id = shared.new_id();
    let placeholder =
        matches!(admitted.framing, Framing::Multipart(_)).then(|| Placeholder::new(shared.placeholders.clone()));
    let beside = shared.clone();
    let account = shared.memory.open(address.ip(), move || beside.loop_of(id).command(deliver::Command::Evict(id)));
    let newcomer = Newcomer { id, address, transport, admitted, early, placeholder, place, account };
    shared.loop_of(id).command(deliver::Command::Adopt(Box::new(newcomer)));
}
