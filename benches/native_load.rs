//! Many native viewers of one stream: the age of its pictures on arrival, and what each costs the program that hosts the hub.
//! They run in this process on one thread, and acknowledge as `streamflow-view` does.
//!
//! ```text
//! streamflow-send --source pattern --name door &
//! cargo bench --bench native_load -- 127.0.0.1:8002 door 300 20 $!
//! ```
//!
//! With `tls` behind that, each viewer encrypts, and takes whatever key the hub has.

#[path = "../tests/support/anybody.rs"]
mod anybody;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anybody::Anybody;
use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use streamflow::internal::time::{Micros, now};
use streamflow::internal::wire::control::{Ability, Control, Hello, ViewRequest};
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{Packet, control_packet};

/// What comes while the stream and its viewers settle is not counted.
const WARM_UP: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs all benches, with an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (arguments, tls) = match arguments.as_slice() {
        [others @ .., last] if last == "tls" => (others, Some(anybody()?)),
        all => (all, None),
    };
    let [address, name, viewers, seconds, pid] = arguments else {
        println!(
            "native_load: name IP:PORT, the stream, how many viewers, for how many seconds, and the hub's process; then tls to encrypt"
        );
        return Ok(());
    };
    let (address, count) = (address.parse()?, viewers.parse()?);
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let mut poll = Poll::new()?;
    let mut viewers = Vec::new();
    let memory_before = memory(pid)?;
    for token in 0..count {
        let mut viewer = Viewer::join(address, name, tls.as_ref())?;
        poll.registry().register(viewer.stream.socket(), Token(token), Interest::READABLE)?;
        viewers.push(viewer);
    }
    let (mut events, mut scratch) = (Events::with_capacity(1024), vec![0; 256 * 1024]);
    let (mut ages, mut cpu) = (Vec::new(), None);
    let begun = Instant::now();
    while begun.elapsed() < WARM_UP + seconds {
        if cpu.is_none() && begun.elapsed() > WARM_UP {
            cpu = Some(cpu_time(pid)?);
            ages.clear();
            viewers.iter_mut().for_each(|viewer| viewer.pictures = 0);
        }
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            viewers[event.token().0].read(&mut scratch, &mut ages)?;
        }
    }
    let cpu = cpu_time(pid)? - cpu.unwrap_or_default();
    ensure!(!ages.is_empty(), "no picture came: is {name} the stream's name?");
    ages.sort_unstable();
    let fewest = viewers.iter().map(|viewer| viewer.pictures).min().unwrap_or(0);
    println!(
        "age p50 {:.2} ms, p99 {:.2} ms; {:.1} us of CPU a picture; {} pictures, {:.1} a second for who got fewest; {:.0} KiB a viewer",
        ages[ages.len() / 2] as f64 / 1e3,
        ages[ages.len() * 99 / 100] as f64 / 1e3,
        cpu.as_secs_f64() * 1e6 / ages.len() as f64,
        ages.len(),
        fewest as f64 / seconds.as_secs_f64(),
        (memory(pid)? - memory_before) / count as f64
    );
    Ok(())
}

/// CPU time of all threads of a process, to the nanosecond: as the scheduler counts it, and not by its ticks.
fn cpu_time(pid: &str) -> anyhow::Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = std::fs::read_dir(&folder).with_context(|| format!("there is no process {pid}"))?;
    let mut all = 0;
    for thread in threads {
        // A thread may end meanwhile.
        let Ok(counts) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        all += counts.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(all))
}

/// Memory that a process has, in KiB.
fn memory(pid: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Takes any certificate: this is about what encrypting costs.
fn anybody() -> anyhow::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    Ok(Arc::new(config.with_no_client_auth()))
}

/// What carries a viewer's bytes.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let Some(config) = tls else {
            socket.set_nonblocking(true)?;
            return Ok(Self::Plain(TcpStream::from_std(socket)));
        };
        let mut session = ClientConnection::new(config.clone(), "localhost".try_into()?)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(session, TcpStream::from_std(socket)))))
    }

    fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

struct Viewer {
    stream: Stream,
    deframer: Deframer,
    pictures: u64,
}

impl Viewer {
    fn join(address: SocketAddr, name: &str, tls: Option<&Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let stream = Stream::connect(address, tls)?;
        let mut this = Self { stream, deframer: Deframer::new(8 << 20), pictures: 0 };
        let hello = Hello::to_view("main", name, "native_load", ViewRequest::default());
        this.say(&Control::Hello(Hello { can: vec![Ability::Ack], ..hello }))?;
        Ok(this)
    }

    /// What is said is short: a socket that does not take it is no viewer that keeps up.
    fn say(&mut self, control: &Control) -> anyhow::Result<()> {
        let packet = control_packet(control);
        Ok(self.stream.write_all(&[&prefix(packet.len())[..], &packet].concat())?)
    }

    /// Reads all there is, answers it, and notes how old its pictures are, in microseconds. Both ends have one clock.
    fn read(&mut self, scratch: &mut [u8], ages: &mut Vec<u64>) -> anyhow::Result<()> {
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => bail!("the hub closed the connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut at = 0;
            while at < length {
                let (used, packet) = self.deframer.decode(&scratch[at..length])?;
                at += used;
                match packet {
                    Some(Packet::Picture(picture, captured)) => {
                        let age = now().since(Micros(captured.0));
                        ages.push(u64::try_from(age.as_micros())?);
                        self.pictures += 1;
                        self.say(&Control::Ack { sequence: picture.sequence, backlog: 0, waited: 0 })?;
                    }
                    Some(Packet::Control(Control::Ping { time })) => self.say(&Control::Pong { time, now: now().0 })?,
                    Some(Packet::Control(Control::Bye { reason, .. })) => bail!("the hub says: {reason}"),
                    _ => {}
                }
            }
        }
    }
}
