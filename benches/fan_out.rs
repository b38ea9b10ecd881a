//! One picture from a publisher through the hub to 1, 10 and 100 viewers on loopback, until the last of them has it. The
//! viewers are bare sockets on one thread, so that the hub is what is measured.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use streamflow::internal::frame::Picture;
use streamflow::internal::hub::{Hub, HubConfig};
use streamflow::internal::time::now;
use streamflow::internal::wire::control::{Control, Hello, Role, ViewRequest};
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{Packet, control_packet, picture_header};

/// A 640x480 picture of quality 80, roughly.
const PICTURE: usize = 37_000;

struct Peer {
    socket: TcpStream,
    deframer: Deframer,
    scratch: Vec<u8>,
}

impl Peer {
    fn join(hub: &Hub, role: Role) -> Self {
        let socket = TcpStream::connect(hub.address()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut this = Self { socket, deframer: Deframer::new(8 << 20), scratch: vec![0; 256 * 1024] };
        this.say(&Control::Hello(Hello {
            role,
            room: "main".into(),
            name: "door".into(),
            program: String::new(),
            replace: false,
            instance: 0,
            publisher: 0,
            token: None,
            can: Vec::new(),
            request: ViewRequest::default(),
        }));
        this.until(|packet| matches!(packet, Packet::Control(Control::Welcome { .. })));
        this
    }

    fn say(&mut self, control: &Control) {
        let packet = control_packet(control);
        self.socket.write_all(&[&prefix(packet.len())[..], &packet].concat()).unwrap();
    }

    /// Reads until a packet is the one that is waited for; answers pings on the way.
    fn until(&mut self, is: impl Fn(&Packet) -> bool) {
        let mut found = false;
        while !found {
            let n = self.socket.read(&mut self.scratch).unwrap();
            assert!(n > 0, "the hub has closed the connection");
            let mut at = 0;
            let mut pings = Vec::new();
            while at < n {
                let (used, packet) = self.deframer.decode(&self.scratch[at..n]).unwrap();
                at += used;
                if let Some(Packet::Control(Control::Ping { time })) = packet {
                    pings.push(Control::Pong { time, now: now().0 });
                }
                found |= packet.as_ref().is_some_and(&is);
            }
            for pong in pings {
                self.say(&pong);
            }
        }
    }
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan out");
    group.measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    let payload = [&[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 1, 224, 2, 128, 1, 1, 0x11, 0][..], &[0x55; PICTURE]].concat();
    for count in [1usize, 10, 100] {
        let listen = ([127, 0, 0, 1], 0).into();
        let hub = Hub::start(HubConfig { listen, ..HubConfig::default() }).unwrap();
        let mut publisher = Peer::join(&hub, Role::Publish);
        let mut viewers: Vec<Peer> = (0..count).map(|_| Peer::join(&hub, Role::View)).collect();
        let begun = Instant::now();
        while hub.counts() != (1, count) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the viewers do not come in");
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut sequence = 0;
        // Of pictures delivered.
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                sequence += 1;
                let picture = Picture { sequence, captured: now(), quality: 80, ..Picture::default() };
                let header = picture_header(&picture, Duration::ZERO);
                let length = prefix(header.len() + payload.len());
                publisher.socket.write_all(&[&length[..], &header, &payload].concat()).unwrap();
                for viewer in &mut viewers {
                    viewer.until(|packet| matches!(packet, Packet::Picture(..)));
                }
                publisher.until(|packet| matches!(packet, Packet::Control(Control::Ack { .. })));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
