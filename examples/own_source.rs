//! Publishes pictures of your own: anything that can fill a buffer with pixels is a camera.
//! `cargo run --example own_source`, then, in another terminal, `streamflow-view`.
use std::time::Duration;
use streamflow::{Frame, Next, PixelFormat, Publisher, PublisherConfig, Size, from_fn};

fn main() -> anyhow::Result<()> {
    // A grey that grows brighter, 30 a second. What is opened and closed implements the trait `streamflow::Source`.
    let glow = from_fn(|frame: &mut Frame| {
        (frame.size, frame.format) = (Size::new(640, 480), PixelFormat::Gray);
        frame.data.clear();
        frame.data.resize(frame.size.area(), (frame.sequence % 256) as u8);
        Ok(Next::Frame)
    });
    let publisher = Publisher::start(PublisherConfig::default(), Box::new(glow))?;
    let mut news = std::iter::repeat_with(|| publisher.wait(Duration::from_secs(1))).flatten();
    Ok(news.next().unwrap_or(Ok(()))?)
}
