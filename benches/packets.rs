//! What packets cost: writing a picture's header, and reading packets as they come from a socket, on plain TCP and over
//! WebSocket.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use streamflow::internal::buffer::{Buffer, Pool};
use streamflow::internal::frame::Picture;
use streamflow::internal::names::StreamKey;
use streamflow::internal::time::Micros;
use streamflow::internal::wire::control::Control;
use streamflow::internal::wire::framing::{Deframer, prefix};
use streamflow::internal::wire::packet::{control_packet, picture_header};
use streamflow::internal::wire::seal::{Opener, SealKey, Sealer};
use streamflow::internal::wire::websocket::{End, Reader, binary};

/// A 640x480 picture of quality 80, roughly.
const PICTURE: usize = 37_000;
/// What a read from a socket gives at most.
const PIECE: usize = 64 * 1024;
const MAX: usize = 8 << 20;

fn picture() -> Picture {
    let data = [&[0xff, 0xd8][..], &[0x55; PICTURE]].concat();
    Picture { sequence: 7, captured: Micros(123_456_789), quality: 80, data: data.into(), ..Picture::default() }
}

fn packet(picture: &Picture) -> Vec<u8> {
    [&picture_header(picture, Duration::ZERO)[..], &picture.data].concat()
}

fn write(c: &mut Criterion) {
    let picture = picture();
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(1));
    group
        .bench_function("picture header", |b| b.iter(|| picture_header(black_box(&picture), Duration::from_micros(9))));
    let ack = Control::Ack { sequence: 7, backlog: 0, waited: 0 };
    group.bench_function("control packet", |b| b.iter(|| control_packet(black_box(&ack))));
    group.finish();
}

fn read(c: &mut Criterion) {
    let packet = packet(&picture());
    let plain = [&prefix(packet.len())[..], &packet].concat();
    let ack = control_packet(&Control::Ack { sequence: 7, backlog: 0, waited: 0 });
    let ack = [&prefix(ack.len())[..], &ack].concat();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("picture, plain TCP", |b| {
        let mut deframer = Deframer::new(MAX);
        b.iter(|| plain.chunks(PIECE).filter_map(|piece| deframer.decode(piece).ok()?.1).count());
    });
    for (name, end, other) in [
        ("picture, WebSocket to viewer", End::Client, End::Server),
        ("picture, WebSocket to hub", End::Server, End::Client),
    ] {
        let message = binary(other, &[&packet]);
        let mut bytes = message.clone();
        group.bench_function(name, |b| {
            let mut reader = Reader::new(end, MAX, 4096);
            b.iter(|| {
                // Reading unmasks in place, so it needs fresh bytes each time.
                bytes.copy_from_slice(&message);
                bytes.chunks_mut(PIECE).filter_map(|piece| reader.decode(piece).ok()?.1).count()
            });
        });
    }
    group.throughput(Throughput::Bytes(ack.len() as u64));
    group.bench_function("acknowledgement, plain TCP", |b| {
        let mut deframer = Deframer::new(MAX);
        b.iter(|| deframer.decode(black_box(&ack)).is_ok());
    });
    group.finish();
}

fn seal(c: &mut Criterion) {
    let Ok(stream) = StreamKey::parse("main", "door") else { return };
    let secret = SealKey::Random([7; 16]).of_stream(&stream);
    let data = [&[0xff, 0xd8][..], &[0x55; 30_000]].concat();
    let picture = Picture { quality: 80, data: data.into(), ..Picture::default() };
    let mut group = c.benchmark_group("seal");
    group.throughput(Throughput::Bytes(picture.data.len() as u64));
    group.bench_function("seal 30 kB", |b| {
        let (mut sealer, pool) = (Sealer::new(&secret, 5), Pool::default());
        b.iter(|| sealer.as_mut().and_then(|sealer| sealer.seal(&picture, 1, pool.take())));
    });
    group.bench_function("open 30 kB", |b| {
        let (mut sealer, mut opener) = (Sealer::new(&secret, 5), Opener::new(secret.clone()));
        b.iter_batched(
            || sealer.as_mut().and_then(|sealer| sealer.seal(&picture, 1, Buffer::default())),
            |sealed| sealed.and_then(|mut sealed| opener.open(&mut sealed).ok().map(|_| sealed)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    c.bench_function("passphrase, once a start", |b| {
        let key = SealKey::Passphrase("correct horse battery staple".into());
        b.iter(|| key.of_stream(black_box(&stream)));
    });
}

criterion_group!(benches, write, read, seal);
criterion_main!(benches);
