//! A hub, a publisher and a viewer in one process, and where the age of a picture is spent on its way through them.
//!
//! ```text
//! cargo run --release --example loopback -- --for 10
//! ```

use std::time::{Duration, Instant};

use streamflow::{
    CaptureRequest, Hub, HubAddress, HubConfig, HubLocation, Publisher, PublisherConfig, Size, SourceOptions, Viewer,
    ViewerConfig, from_spec,
};

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().skip_while(|a| a != "--for").nth(1).map_or(Ok(5.0), |text| text.parse())?;

    // Port 0 takes any free port, so that nothing else on this machine is in the way.
    let hub = Hub::start(HubConfig { listen: ([127, 0, 0, 1], 0).into(), ..HubConfig::default() })?;
    let location = HubLocation::Join(HubAddress::of_listener(hub.address()));
    let capture = CaptureRequest { size: Size::new(640, 480), fps: 30.0, ..CaptureRequest::default() };
    let config = PublisherConfig { location: location.clone(), capture, ..PublisherConfig::default() };
    let _publisher = Publisher::start(config, from_spec("pattern", &SourceOptions::default())?)?;
    let viewer = Viewer::start(ViewerConfig { location, ..ViewerConfig::default() })?;

    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        if let Some(shown) = viewer.next(Duration::from_millis(100)) {
            // A window would be told to show `shown.bitmap` here.
            viewer.was_shown(shown);
        }
    }

    let report = viewer.report();
    let b = report.budget_ms;
    println!("{} pictures of {}, {:.1} a second", report.shown, report.size, report.fps);
    for (part, ms) in [
        ("capture", b.capture),
        ("encode", b.encode),
        ("uplink", b.uplink),
        ("hub", b.hub),
        ("downlink", b.downlink),
        ("decode", b.decode),
        ("show", b.show),
    ] {
        println!("{part:>9} {:>6} ms", known(ms));
    }
    println!("      age {:>6} ms (99 of 100 under {} ms)", known(report.age_ms.p50), known(report.age_ms.p99));
    anyhow::ensure!(report.shown > 0, "no picture came");
    Ok(())
}

/// Milliseconds, where there was something to measure.
fn known(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".into(), |ms| format!("{ms:.2}"))
}
