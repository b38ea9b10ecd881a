//! A viewer that acknowledges each picture, and comes back as `streamflow-view` does when its connection is lost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::{Interest, Registry, Token};
use rustls::ClientConfig;
use streamflow::internal::session::Backoff;
use streamflow::internal::time::{Micros, now};
use streamflow::internal::wire::control::{Ability, Control, Hello, ViewRequest};
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{Packet, control_packet};

use crate::channel::Channel;

/// More than a server says before the first picture of a stream.
const HEAD: u64 = 4096;

/// What all viewers have in common.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) name: String,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Its viewers ask for the stream by HTTP, and only take bytes: what they cost is not what is measured.
    pub(crate) bytes_only: bool,
}

/// What came for a viewer. One that only takes bytes counts no pictures.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) pictures: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Viewer {
    token: Token,
    channel: Option<Channel>,
    deframer: Deframer,
    backoff: Backoff,
    /// The next try of a viewer without a connection.
    due: Micros,
    counted: Counted,
    /// Why it lost its connection last, and when.
    pub(crate) lost: Option<(Micros, String)>,
    /// When this connection brought its first picture.
    pub(crate) first: Option<Micros>,
}

impl Viewer {
    pub(crate) fn new(token: usize) -> Self {
        let deframer = Deframer::new(8 << 20);
        let (backoff, due) = (Backoff::default(), now());
        Self {
            token: Token(token),
            channel: None,
            deframer,
            backoff,
            due,
            counted: Counted::default(),
            lost: None,
            first: None,
        }
    }

    /// Connects when it is time to.
    pub(crate) fn connect(&mut self, load: &Load, registry: &Registry) -> anyhow::Result<()> {
        if self.channel.is_some() || self.due > now() {
            return Ok(());
        }
        let mut channel = Channel::connect(load.address, load.tls.as_ref())?;
        registry.register(&mut channel.socket, self.token, Interest::READABLE | Interest::WRITABLE)?;
        self.deframer = Deframer::new(8 << 20);
        let hello = Hello::to_view("main", &load.name, "native_load", ViewRequest::default());
        let hello = said(&Control::Hello(Hello { can: vec![Ability::Ack], ..hello }));
        // Who does not acknowledge and could is sent a picture a second. Of HTTP nobody expects it.
        let get = format!("GET /stream/main/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", load.name);
        let begun = channel.say(if load.bytes_only { get.as_bytes() } else { &hello });
        self.channel = Some(channel);
        begun.or_else(|error| self.lose(error.to_string(), registry))
    }

    /// Reads and writes what it can; how old the pictures are is noted in microseconds. Both ends have one clock.
    pub(crate) fn go_on(
        &mut self,
        load: &Load,
        scratch: &mut [u8],
        ages: &mut Vec<u64>,
        registry: &Registry,
    ) -> anyhow::Result<()> {
        let end = if load.bytes_only { self.take(scratch) } else { self.hear(scratch, ages) };
        end.or_else(|error| self.lose(error.to_string(), registry))
    }

    /// What came since this was asked last.
    pub(crate) fn counted(&mut self) -> Counted {
        std::mem::take(&mut self.counted)
    }

    fn lose(&mut self, why: String, registry: &Registry) -> anyhow::Result<()> {
        if let Some(mut channel) = self.channel.take() {
            registry.deregister(&mut channel.socket)?;
        }
        if self.first.take().is_some() {
            self.backoff.succeeded();
            self.lost = Some((now(), why));
        }
        self.due = now() + self.backoff.next(fastrand::f64(), true);
        Ok(())
    }

    /// Takes bytes, and looks at nothing.
    fn take(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        let Some(channel) = &mut self.channel else { return Ok(()) };
        if self.first.is_some() {
            self.counted.bytes += channel.drop_bytes(scratch)?;
            return Ok(());
        }
        channel.writable()?;
        self.counted.bytes += channel.read(scratch, |_| Ok(()))?;
        self.first = (self.counted.bytes > HEAD).then(now);
        Ok(())
    }

    fn hear(&mut self, scratch: &mut [u8], ages: &mut Vec<u64>) -> io::Result<()> {
        let Some(channel) = &mut self.channel else { return Ok(()) };
        channel.writable()?;
        let mut answers = Vec::new();
        let bytes = channel.read(scratch, |bytes| {
            let mut at = 0;
            while at < bytes.len() {
                let (used, packet) = self.deframer.decode(&bytes[at..]).map_err(io::Error::other)?;
                at += used;
                match packet {
                    Some(Packet::Picture(picture, captured)) => {
                        let arrived = now();
                        ages.push(arrived.since(Micros(captured.0)).as_micros() as u64);
                        self.counted.pictures += 1;
                        self.first.get_or_insert(arrived);
                        let ack = Control::Ack { sequence: picture.sequence, backlog: 0, waited: 0 };
                        answers.extend_from_slice(&said(&ack));
                    }
                    Some(Packet::Control(Control::Ping { time })) => {
                        answers.extend_from_slice(&said(&Control::Pong { time, now: now().0 }));
                    }
                    Some(Packet::Control(Control::Bye { reason, .. })) => return Err(io::Error::other(reason)),
                    _ => {}
                }
            }
            Ok(())
        })?;
        self.counted.bytes += bytes;
        if answers.is_empty() { Ok(()) } else { channel.say(&answers) }
    }
}

fn said(control: &Control) -> Vec<u8> {
    let packet = control_packet(control);
    [&prefix(packet.len())[..], &packet].concat()
}
