//! What the tests share: limits, so that a hang is a failure; a peer that says anything it likes, byte by byte; and a
//! source that does what a test tells it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod anybody;
pub mod http;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use streamflow::Source;
use streamflow::internal::buffer::Buffer;
use streamflow::internal::frame::{Frame, Picture, PixelFormat, Range, Size};
use streamflow::internal::hub::{Hub, HubConfig};
use streamflow::internal::locate::HubLocation;
use streamflow::internal::names::StreamKey;
use streamflow::internal::net::address::HubAddress;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::source::{CaptureRequest, Next, Opened, SourceError};
use streamflow::internal::time::now;
use streamflow::internal::viewer::{Viewer, ViewerConfig};
use streamflow::internal::wire::control::{Ability, Cause, Control, Hello, Role, ViewRequest};
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{Packet, control_packet, picture_header};

/// How long anything may take that is to happen at all. Far above what it takes on a slow machine: a test that reaches
/// it has failed.
pub const LONG: Duration = Duration::from_secs(30);

/// Runs a test, and fails it when it hangs.
pub fn limited(body: impl FnOnce() + Send + 'static) {
    let (sender, done) = channel();
    let test = thread::Builder::new().name("test".into()).spawn(move || {
        body();
        let _ = sender.send(());
    });
    let test = test.unwrap();
    match done.recv_timeout(Duration::from_secs(90)) {
        Err(RecvTimeoutError::Timeout) => panic!("the test hangs"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => test.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Waits until something is true.
#[track_caller]
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A hub on a free port of this machine.
pub fn hub() -> Hub {
    hub_with(|_| {})
}

/// A hub on a free port of this machine, set up otherwise than usual.
pub fn hub_with(change: impl FnOnce(&mut HubConfig)) -> Hub {
    let mut config = HubConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), threads: 2, ..HubConfig::default() };
    change(&mut config);
    // A test must not touch what this machine's user keeps.
    config.state.get_or_insert_with(|| std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
    Hub::start(config).unwrap()
}

/// How programs get to this hub.
pub fn at(hub: &Hub) -> HubLocation {
    HubLocation::Join(HubAddress::of_listener(hub.address()))
}

/// A publisher of small pictures.
pub fn publisher(location: HubLocation, name: &str, source: TestSource) -> Publisher {
    Publisher::start(publisher_config(location, name), Box::new(source)).unwrap()
}

/// What [`publisher`] starts with.
pub fn publisher_config(location: HubLocation, name: &str) -> PublisherConfig {
    PublisherConfig {
        stream: StreamKey::parse("main", name).unwrap(),
        location,
        capture: CaptureRequest { size: SIZE, fps: 50.0, format: None },
        ..PublisherConfig::default()
    }
}

/// A viewer of one stream.
pub fn viewer(location: HubLocation, name: &str) -> Viewer {
    Viewer::start(ViewerConfig { name: Some(name.into()), location, ..ViewerConfig::default() }).unwrap()
}

/// Waits for the viewer's next picture.
#[track_caller]
pub fn next_picture(viewer: &Viewer) -> Arc<Picture> {
    let shown = viewer.next(LONG);
    let Some(shown) = shown else { panic!("no picture: {:?}", viewer.report()) };
    shown.picture
}

/// The size of a [`TestSource`]'s pictures: small, so that a hundred tests do not wait for an encoder.
pub const SIZE: Size = Size::new(64, 48);

/// What a [`TestSource`] does when it is asked for a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Gives a grey picture every 10 ms.
    Fine,
    /// Cannot be opened, and fails if it is open, with these words.
    Gone(String),
    /// Gives nothing, and says nothing.
    Silent,
    /// Gives frames that are no pictures: too short, or JPEGs that are none.
    Garbage,
    /// Says that there is no more.
    Over,
}

/// A source that does what its [`Remote`] says.
pub struct TestSource {
    remote: Remote,
    number: u64,
}

/// Tells a source what to do, and knows what was done with it.
#[derive(Clone)]
pub struct Remote(Arc<Mutex<Told>>);

/// What is known of a [`TestSource`].
pub struct Told {
    pub mood: Mood,
    pub opened: u32,
    pub open: bool,
    pub frames: u64,
}

impl Remote {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    pub fn set(&self, mood: Mood) {
        self.told().mood = mood;
    }
}

/// A source, and what controls it.
pub fn test_source() -> (TestSource, Remote) {
    let told = Told { mood: Mood::Fine, opened: 0, open: false, frames: 0 };
    let remote = Remote(Arc::new(Mutex::new(told)));
    (TestSource { remote: remote.clone(), number: 0 }, remote)
}

/// A source that is always fine.
pub fn fine_source() -> TestSource {
    test_source().0
}

impl Source for TestSource {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let mut told = self.remote.told();
        told.opened += 1;
        if let Mood::Gone(why) = &told.mood {
            return Err(SourceError::Lost(why.clone()));
        }
        told.open = true;
        let name = "test source".into();
        Ok(Opened { name, size: request.size, fps: Some(100.0), format: PixelFormat::Gray, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        thread::sleep(Duration::from_millis(10));
        let mood = self.remote.told().mood.clone();
        self.number += 1;
        frame.format = PixelFormat::Gray;
        frame.size = SIZE;
        frame.range = Range::Full;
        frame.captured = now();
        frame.sequence = self.number;
        frame.metadata = Some(format!("{{\"number\":{}}}", self.number).into());
        frame.data.clear();
        match mood {
            Mood::Fine => {
                let grey = u8::try_from(self.number % 200).unwrap();
                frame.data.resize(SIZE.area(), grey);
            }
            Mood::Gone(why) => return Err(SourceError::Lost(why)),
            Mood::Silent => return Ok(Next::Nothing),
            Mood::Garbage if self.number.is_multiple_of(2) => frame.data.resize(SIZE.area() / 2, 7),
            Mood::Garbage => {
                frame.format = PixelFormat::Jpeg;
                frame.data.extend_from_slice(b"\xff\xd8 this is no picture, however it begins");
            }
            Mood::Over => return Ok(Next::End),
        }
        self.remote.told().frames += 1;
        Ok(Next::Frame)
    }

    fn close(&mut self) {
        self.remote.told().open = false;
    }
}

/// A peer of a hub that says what it likes, on a blocking socket.
pub struct Peer {
    pub socket: TcpStream,
    deframer: Deframer,
    read: Vec<u8>,
    packets: VecDeque<Packet>,
}

impl Peer {
    /// Connects, and says nothing.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        Self::on(socket)
    }

    /// Connects with a small receive buffer, so that a peer that does not read is soon full.
    #[track_caller]
    pub fn connect_small(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::on(socket.into())
    }

    /// Whoever connected is at the other end of this.
    pub fn on(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, deframer: Deframer::new(64 << 20), read: Vec::new(), packets: VecDeque::new() }
    }

    /// Connects, says hello and waits for the welcome.
    #[track_caller]
    pub fn join(address: SocketAddr, hello: Hello) -> Self {
        let mut this = Self::connect(address);
        this.greet(hello);
        this
    }

    /// Says hello and waits for the welcome.
    #[track_caller]
    pub fn greet(&mut self, hello: Hello) {
        self.say(&Control::Hello(hello));
        let answer = self.control();
        assert!(matches!(answer, Control::Welcome { .. }), "{answer:?}");
    }

    pub fn say(&mut self, control: &Control) {
        self.packet(&control_packet(control));
    }

    /// Sends the payload of a packet behind its length.
    pub fn packet(&mut self, packet: &[u8]) {
        self.bytes(&[&prefix(packet.len())[..], packet].concat());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends a picture with a header.
    pub fn picture(&mut self, number: u32, jpeg: &[u8]) {
        let picture = Picture { sequence: number, captured: now(), ..Picture::default() };
        let header = picture_header(&picture, Duration::ZERO);
        self.packet(&[&header[..], jpeg].concat());
    }

    /// Publishes bytes that begin like a JPEG and are `length` long, with this number, and waits until the hub has it.
    #[track_caller]
    pub fn publish(&mut self, number: u32, length: usize) {
        let mut payload = numbered(number);
        payload.resize(length.max(payload.len()), 0x55);
        self.picture(number, &payload);
        while !matches!(self.control(), Control::Ack { sequence, .. } if sequence == number) {}
    }

    /// Publishes this, as a camera does, until something that waits for a picture is answered. The hub takes a picture for
    /// older than it is by what it does not know of its publisher's clock, so that the first one may not be new to whoever
    /// asked just before.
    #[track_caller]
    pub fn publish_until<T>(&mut self, mut number: u32, jpeg: &[u8], answered: thread::JoinHandle<T>) -> T {
        while !answered.is_finished() {
            self.picture(number, jpeg);
            while !matches!(self.control(), Control::Ack { sequence, .. } if sequence == number) {}
            thread::sleep(Duration::from_millis(20));
            number += 1;
        }
        answered.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// The next packet; `None` when the other side has closed. Pings are answered on the way.
    #[track_caller]
    pub fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                if let Packet::Control(Control::Ping { time }) = packet {
                    let pong = control_packet(&Control::Pong { time, now: now().0 });
                    // A hub that has gone meanwhile does not need it.
                    let _ = self.socket.write_all(&[&prefix(pong.len())[..], &pong].concat());
                    continue;
                }
                return Some(packet);
            }
            let mut piece = [0; 64 * 1024];
            match self.socket.read(&mut piece) {
                Ok(0) => return None,
                Ok(n) => self.read.extend_from_slice(&piece[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return None,
                Err(e) => panic!("nothing came: {e}"),
            }
            let mut at = 0;
            while at < self.read.len() {
                let (used, packet) = self.deframer.decode(&self.read[at..]).unwrap();
                at += used;
                self.packets.extend(packet);
            }
            self.read.clear();
        }
    }

    /// The next control message; pictures before it are passed over.
    #[track_caller]
    pub fn control(&mut self) -> Control {
        loop {
            match self.next() {
                Some(Packet::Control(control)) => return control,
                Some(_) => {}
                None => panic!("closed before a control message came"),
            }
        }
    }

    /// The number of the next picture of [`Peer::publish`]; control messages before it are passed over.
    #[track_caller]
    pub fn number(&mut self) -> u32 {
        loop {
            match self.next() {
                Some(Packet::Picture(picture, _)) => return number_of(&picture.data),
                Some(_) => {}
                None => panic!("closed before a picture came"),
            }
        }
    }

    /// Reads until the other side says goodbye, and says why it did.
    #[track_caller]
    pub fn bye(&mut self) -> (Cause, String) {
        loop {
            if let Control::Bye { cause, reason } = self.control() {
                return (cause, reason);
            }
        }
    }

    /// Reads until the other side closes, whatever it says before.
    #[track_caller]
    pub fn until_closed(&mut self) {
        let mut piece = [0; 4096];
        loop {
            match self.socket.read(&mut piece) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => return,
                Err(e) => panic!("still open: {e}"),
            }
        }
    }
}

fn numbered(number: u32) -> Vec<u8> {
    // A comment with the number in it and a frame header: all that a hub looks at.
    let header = [0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0];
    [&[0xff, 0xd8, 0xff, 0xfe, 0, 6][..], &number.to_le_bytes(), &header].concat()
}

fn number_of(data: &Buffer) -> u32 {
    u32::from_le_bytes(data[6..10].try_into().unwrap())
}

/// What a viewer says first.
pub fn views(name: &str) -> Hello {
    hello(Role::View, name)
}

/// What a publisher says first.
pub fn publishes(name: &str) -> Hello {
    hello(Role::Publish, name)
}

fn hello(role: Role, name: &str) -> Hello {
    Hello {
        role,
        room: "main".into(),
        name: name.into(),
        program: "test".into(),
        replace: false,
        instance: 0,
        publisher: 0,
        token: None,
        can: Vec::<Ability>::new(),
        request: ViewRequest::default(),
    }
}

/// A real JPEG, small, of one grey.
pub fn jpeg(grey: u8) -> Vec<u8> {
    let frame = Frame {
        data: vec![grey; SIZE.area()].into(),
        format: PixelFormat::Gray,
        size: SIZE,
        range: Range::Full,
        ..Frame::default()
    };
    let mut out = Vec::new();
    streamflow::internal::jpeg::Encoder::new().unwrap().encode(&frame, SIZE, 80, &mut out).unwrap();
    out
}
