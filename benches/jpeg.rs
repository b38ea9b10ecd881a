//! What a picture costs to encode, from each source format, and to decode; beside it the way by RGB that a simpler
//! program would take. `cargo bench --bench jpeg`; `docs/latency.md` says how to read it.
//!
//! The picture is made here, of gradients, smoothed noise and edges, so that it compresses about as a street does.

// A bench that cannot run should say so and stop.
#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use streamflow::internal::frame::{Frame, PixelFormat, Range, Size};
use streamflow::internal::jpeg::{Bitmap, Caption, Corner, Decoder, Encoder, Part, Shaping, turn_jpeg};
use streamflow::internal::wire::jpeg::Orientation;
use yuv::{YuvPackedImage, YuvRange, YuvStandardMatrix};

const SIZES: [Size; 3] = [Size::new(320, 240), Size::new(640, 480), Size::new(1280, 720)];
const QUALITIES: [u8; 2] = [50, 80];

/// Luminance and two colours at every pixel, limited range.
fn natural(size: Size) -> Vec<[u8; 3]> {
    let (w, h) = (size.width as usize, size.height as usize);
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise: Vec<f32> = (0..w * h).map(|_| random.f32() - 0.5).collect();
    for _ in 0..2 {
        for n in w + 1..noise.len() {
            noise[n] = 0.45 * noise[n] + 0.3 * noise[n - 1] + 0.25 * noise[n - w];
        }
    }
    (0..w * h)
        .map(|n| {
            let (x, y) = ((n % w) as f32 / w as f32, (n / w) as f32 / h as f32);
            // Some walls with windows, before a sky.
            let wall = (x * 5.0).fract() > 0.3 && y > 0.3 + 0.3 * (x * 5.0).floor().sin().abs();
            let window = wall && (x * 40.0).fract() > 0.5 && (y * 24.0).fract() > 0.5;
            let base = if window {
                60.0
            } else if wall {
                130.0 - 50.0 * x
            } else {
                200.0 - 80.0 * y
            };
            let texture = if wall { 90.0 } else { 15.0 } * noise[n];
            let luma = (base + texture).clamp(16.0, 235.0) as u8;
            [luma, (128.0 + 30.0 * (0.5 - y) + 20.0 * noise[n]) as u8, (128.0 + 20.0 * (x - 0.5)) as u8]
        })
        .collect()
}

fn yuyv(size: Size) -> Vec<u8> {
    natural(size).chunks_exact(2).flat_map(|p| [p[0][0], p[0][1], p[1][0], p[0][2]]).collect()
}

fn rgb(packed: &[u8], size: Size, out: &mut Vec<u8>) {
    out.resize(size.area() * 3, 0);
    let image = YuvPackedImage { yuy: packed, yuy_stride: size.width * 2, width: size.width, height: size.height };
    yuv::yuyv422_to_rgb(&image, out, size.width * 3, YuvRange::Limited, YuvStandardMatrix::Bt601).expect("sizes fit");
}

fn frame(format: PixelFormat, size: Size) -> Frame {
    let packed = yuyv(size);
    let (w, mut pixels) = (size.width as usize, Vec::new());
    rgb(&packed, size, &mut pixels);
    let luma = packed.iter().step_by(2).copied();
    // Every second row's colours, U and V in turn.
    let colours = packed.chunks_exact(2 * w).step_by(2).flat_map(|row| row.iter().skip(1).step_by(2).copied());
    let data: Vec<u8> = match format {
        PixelFormat::Yuyv => packed,
        PixelFormat::Uyvy => packed.chunks_exact(2).flat_map(|p| [p[1], p[0]]).collect(),
        PixelFormat::Nv12 => luma.chain(colours).collect(),
        PixelFormat::I420 => luma.chain(colours.clone().step_by(2)).chain(colours.skip(1).step_by(2)).collect(),
        PixelFormat::Rgb => pixels,
        PixelFormat::Bgr => pixels.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect(),
        PixelFormat::Bgrx => pixels.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0], 0]).collect(),
        PixelFormat::Gray => luma.collect(),
        PixelFormat::Jpeg => encoded(size, 95),
        other => unreachable!("{other:?} is not in the list"),
    };
    Frame { data: data.into(), format, size, range: Range::Limited, ..Frame::default() }
}

fn encoded(size: Size, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::with_threads(1).expect("an encoder");
    encoder.encode(&frame(PixelFormat::Yuyv, size), size, quality, &mut out).expect("a picture");
    out
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    let mut encoder = Encoder::new().expect("an encoder");
    let mut out = Vec::new();
    for size in SIZES {
        group.throughput(Throughput::Elements(size.area() as u64));
        for quality in QUALITIES {
            let formats = [
                PixelFormat::Yuyv,
                PixelFormat::Uyvy,
                PixelFormat::Nv12,
                PixelFormat::I420,
                PixelFormat::Rgb,
                PixelFormat::Bgr,
                PixelFormat::Bgrx,
                PixelFormat::Gray,
                PixelFormat::Jpeg,
            ];
            for format in formats {
                let frame = frame(format, size);
                let id = BenchmarkId::new(format!("{format:?}"), format!("{size}/q{quality}"));
                group.bench_function(id, |b| {
                    b.iter(|| {
                        out.clear();
                        encoder.encode(black_box(&frame), size, quality, &mut out).expect("a picture");
                    });
                });
            }
            // What a program does that thinks in RGB.
            let packed = yuyv(size);
            let mut pixels = Vec::new();
            let mut turbo = turbojpeg::Compressor::new().expect("a compressor");
            turbo.set_quality(quality.into()).expect("a quality");
            turbo.set_subsamp(turbojpeg::Subsamp::Sub2x2).expect("4:2:0");
            let (width, height) = (size.width as usize, size.height as usize);
            out.resize(turbo.buf_len(width, height).expect("a length"), 0);
            group.bench_function(BenchmarkId::new("Yuyv by way of RGB", format!("{size}/q{quality}")), |b| {
                b.iter(|| {
                    rgb(black_box(&packed), size, &mut pixels);
                    let format = turbojpeg::PixelFormat::RGB;
                    let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: 3 * width, height, format };
                    turbo.compress_to_slice(image, &mut out).expect("a picture")
                });
            });
        }
    }
    group.finish();
}

/// Large pictures by one thread and by two; the same picture scaled.
fn threads_and_scaling(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode large");
    let mut out = Vec::new();
    for size in [Size::new(1280, 720), Size::new(1920, 1080)] {
        let frame = frame(PixelFormat::Yuyv, size);
        group.throughput(Throughput::Elements(size.area() as u64));
        for threads in [1, 2, 4] {
            let mut encoder = Encoder::with_threads(threads).expect("an encoder");
            group.bench_function(BenchmarkId::new(format!("{threads} threads"), size), |b| {
                b.iter(|| {
                    out.clear();
                    encoder.encode(black_box(&frame), size, 80, &mut out).expect("a picture");
                });
            });
        }
        let mut encoder = Encoder::with_threads(1).expect("an encoder");
        group.bench_function(BenchmarkId::new("scaled to 640x360", size), |b| {
            b.iter(|| {
                out.clear();
                encoder.encode(black_box(&frame), Size::new(640, 360), 80, &mut out).expect("a picture");
            });
        });
    }
    group.finish();
}

/// A frame taken as it is, turned, and with a line in it; a JPEG turned without decoding it.
fn shape(c: &mut Criterion) {
    let mut group = c.benchmark_group("shape");
    let mut encoder = Encoder::with_threads(1).expect("an encoder");
    let mut caption = Caption::new(Corner::BottomLeft, 4.0);
    for size in [Size::new(640, 480), Size::new(1280, 720), Size::new(1920, 1080)] {
        group.throughput(Throughput::Elements(size.area() as u64));
        let frame = frame(PixelFormat::Yuyv, size);
        group.bench_function(BenchmarkId::new("taken", size), |b| {
            b.iter(|| encoder.load(black_box(&frame), size).expect("a frame"));
        });
        for (name, number) in [("turned by 180", 3), ("turned by 90", 6)] {
            let turn = Orientation::new(number);
            let shaping = Shaping { part: Part::whole(size), turn, size: turn.shown(size) };
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| encoder.load_shaped(black_box(&frame), &shaping, None).expect("a frame"));
            });
        }
        let shaping = Shaping { part: Part::whole(size), turn: Orientation::UPRIGHT, size };
        group.bench_function(BenchmarkId::new("with the time in it", size), |b| {
            b.iter(|| {
                let line = Some((&mut caption, "2026-11-30 09:51:05.123 door"));
                encoder.load_shaped(black_box(&frame), &shaping, line).expect("a frame");
            });
        });
        let (picture, mut out) = (encoded(size, 80), Vec::new());
        // 1080 is no whole number of blocks, which come to the left by 90 degrees and stay at the right by 270.
        let turn = Orientation::new(8);
        group.bench_function(BenchmarkId::new("a JPEG turned by 270", size), |b| {
            b.iter(|| turn_jpeg(black_box(&picture), Part::whole(size), turn, &mut out).expect("a picture"));
        });
    }
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let mut decoder = Decoder::new().expect("a decoder");
    let mut bitmap = Bitmap::default();
    for size in SIZES {
        group.throughput(Throughput::Elements(size.area() as u64));
        for quality in QUALITIES {
            let picture = encoded(size, quality);
            group.bench_function(BenchmarkId::new("to the window's pixels", format!("{size}/q{quality}")), |b| {
                b.iter(|| decoder.decode(black_box(&picture), &mut bitmap).expect("a bitmap"));
            });
        }
        let mut picture = encoded(size, QUALITIES[0]);
        let profile = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
        streamflow::internal::wire::jpeg::put_icc_profile(&profile, &mut picture, 0);
        group.bench_function(BenchmarkId::new("of Display P3", format!("{size}/q{}", QUALITIES[0])), |b| {
            b.iter(|| decoder.decode(black_box(&picture), &mut bitmap).expect("a bitmap"));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("surgery");
    let picture = encoded(Size::new(640, 480), 80);
    eprintln!("640x480 at quality 80 is {} bytes", picture.len());
    group.throughput(Throughput::Bytes(picture.len() as u64));
    group.bench_function("find the true end", |b| {
        b.iter(|| streamflow::internal::wire::jpeg::inspect(black_box(&picture)).expect("a picture"));
    });
    for size in [Size::new(640, 480), Size::new(1920, 1080)] {
        let mut picture = encoded(size, 80);
        picture.truncate(picture.len() - 2);
        group.throughput(Throughput::Bytes(picture.len() as u64));
        group.bench_function(BenchmarkId::new("count the blocks of one without an end", size), |b| {
            b.iter(|| streamflow::internal::wire::jpeg::find(black_box(&picture), &mut |_| true).expect("a picture"));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(900));
    targets = encode, threads_and_scaling, shape, decode
}
criterion_main!(benches);
