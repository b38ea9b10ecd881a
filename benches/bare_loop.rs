//! The floor that the hub is measured against: one thread that encodes and writes to whoever connected, and nothing else.
//! No stream, no pacing, no rungs; one viewer that stops reading stops them all.
//!
//! ```text
//! cargo bench --bench bare_loop -- 127.0.0.1:8073 /dev/video0 80
//! ```

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use anyhow::Context;
use streamflow::internal::frame::Frame;
use streamflow::internal::jpeg::Encoder;
use streamflow::internal::source::{self, CaptureRequest, Next};

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs all benches, with an argument of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").peekable();
    if arguments.peek().is_none() {
        println!("bare_loop: serves until it is stopped; name IP:PORT, SOURCE and QUALITY");
        return Ok(());
    }
    let mut argument = |name| arguments.next().with_context(|| format!("missing: {name}"));
    let listener = TcpListener::bind(argument("IP:PORT")?)?;
    listener.set_nonblocking(true)?;
    let mut source = source::from_spec(&argument("SOURCE")?, &source::SourceOptions::default())?;
    let quality = argument("QUALITY")?.parse()?;
    let capture = CaptureRequest::default();
    source.open(&capture)?;
    let (mut encoder, mut frame, mut picture) = (Encoder::new()?, Frame::default(), Vec::new());
    let mut viewers: Vec<TcpStream> = Vec::new();
    loop {
        if source.next(&mut frame)? != Next::Frame {
            continue;
        }
        while let Ok((viewer, _)) = listener.accept() {
            viewer.set_nonblocking(false)?;
            viewer.set_nodelay(true)?;
            viewers.push(viewer);
        }
        picture.clear();
        picture.extend_from_slice(&[0; 8]);
        encoder.encode(&frame, capture.size, quality, &mut picture)?;
        let length = picture.len() as u64 - 8;
        picture[..8].copy_from_slice(&length.to_le_bytes());
        viewers.retain_mut(|viewer| viewer.write_all(&picture).is_ok());
    }
}
