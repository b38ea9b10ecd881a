//! Publishes pictures of your own: anything that can fill a buffer with pixels is a camera.
//!
//! ```text
//! cargo run --example own_source     then, in another terminal: streamflow-view
//! ```

use std::time::Duration;

use streamflow::Source;
use streamflow::frame::{Frame, PixelFormat, Size};
use streamflow::publisher::{Publisher, PublisherConfig};
use streamflow::source::{Next, Opened, SourceError, Wish};
use streamflow::time::now;

/// A grey that grows brighter and starts again.
#[derive(Default)]
struct Glow {
    size: Size,
    number: u64,
}

impl Source for Glow {
    fn open(&mut self, wish: &Wish) -> Result<Opened, SourceError> {
        self.size = wish.size;
        let (size, fps) = (wish.size, Some(30.0));
        Ok(Opened { name: "glow".into(), size, fps, format: PixelFormat::Gray, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        std::thread::sleep(Duration::from_millis(33)); // your camera would wait for its next picture here
        self.number += 1;
        frame.data.clear();
        frame.data.resize(self.size.area(), (self.number % 256) as u8);
        (frame.format, frame.size, frame.metadata) = (PixelFormat::Gray, self.size, None);
        (frame.captured, frame.sequence) = (now(), self.number);
        Ok(Next::Frame)
    }
}

fn main() -> anyhow::Result<()> {
    let publisher = Publisher::start(PublisherConfig::default(), Box::new(Glow::default()))?;
    loop {
        if let Some(ended) = publisher.wait(Duration::from_secs(1)) {
            return Ok(ended?);
        }
        let report = publisher.report();
        println!("{} viewers, {} pictures sent", report.viewers, report.sent);
    }
}
