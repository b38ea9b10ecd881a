//! Uses the newest picture in your own code: here, how bright it is. However slow your code, the picture it gets next is
//! the newest there is, and never one that waited in a queue.
//!
//! ```text
//! streamflow-send --source pattern     then, in another terminal: cargo run --example tap
//! ```

use std::time::Duration;

use streamflow::{Viewer, ViewerConfig, now};

fn main() -> anyhow::Result<()> {
    let viewer = Viewer::start(ViewerConfig::default())?;
    loop {
        if let Some(error) = viewer.over() {
            return Err(error.into());
        }
        let Some(shown) = viewer.next(Duration::from_secs(1)) else {
            println!("{}", viewer.report().detail);
            continue;
        };
        // 0x00RRGGBB; the green of every tenth pixel is enough for this.
        let greens = shown.bitmap.pixels.iter().step_by(10).map(|pixel| u64::from(pixel >> 8 & 0xff));
        let brightness = greens.sum::<u64>() / (shown.bitmap.pixels.len() as u64 / 10).max(1);
        let age = now().since(shown.picture.captured);
        println!("picture {}: brightness {brightness}, {} ms old", shown.picture.sequence, age.as_millis());
        std::thread::sleep(Duration::from_millis(200)); // your slow code
        viewer.was_shown(shown);
    }
}
