//! A source that says itself when it is back, and one that goes over to another one.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::internal::frame::Frame;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::source::{CaptureRequest, ControlPanel, Next, Opened, Source, SourceError};
use streamflow::internal::stats::State;
use streamflow::internal::wire::camera_controls::{CameraControl, SetValue};

use crate::support::{
    Mood, Remote, TestSource, at, hub, limited, next_picture, publisher_config, test_source, until, viewer,
};

/// What a test tells the source, and what was done with it.
#[derive(Default)]
struct Told {
    /// It is back: it is worth being opened.
    back: AtomicBool,
    asked: AtomicU32,
    /// A camera has come.
    came: AtomicBool,
    /// It is the camera that is open.
    camera: AtomicBool,
    set: Mutex<Vec<(bool, i64)>>,
}

struct Plugged {
    source: TestSource,
    told: Arc<Told>,
}

impl Source for Plugged {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.told.camera.store(self.told.came.load(Ordering::SeqCst), Ordering::SeqCst);
        self.source.open(request)
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        if self.told.came.load(Ordering::SeqCst) && !self.told.camera.load(Ordering::SeqCst) {
            return Ok(Next::Changed);
        }
        self.source.next(frame)
    }

    fn close(&mut self) {
        self.source.close();
    }

    fn may_be_back(&mut self, _: Duration, patience: Duration) -> Option<bool> {
        std::thread::sleep(patience.min(Duration::from_millis(1)));
        self.told.asked.fetch_add(1, Ordering::SeqCst);
        Some(self.told.back.load(Ordering::SeqCst))
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        Some(Box::new(Gain(self.told.clone())))
    }
}

/// One control; keeps what was set, and at which of the two.
struct Gain(Arc<Told>);

impl ControlPanel for Gain {
    fn read(&mut self) -> Result<Vec<CameraControl>, SourceError> {
        Ok(vec![CameraControl { name: "gain".into(), max: 100, step: 1, id: 7, ..CameraControl::default() }])
    }

    fn set(&mut self, _: &CameraControl, value: i64) -> Result<(), SourceError> {
        self.0.set.lock().unwrap().push((self.0.camera.load(Ordering::SeqCst), value));
        Ok(())
    }

    fn stands_in(&self) -> bool {
        !self.0.camera.load(Ordering::SeqCst)
    }
}

fn plugged() -> (Plugged, Remote, Arc<Told>) {
    let ((source, remote), told) = (test_source(), Arc::<Told>::default());
    (Plugged { source, told: told.clone() }, remote, told)
}

#[test]
fn a_source_that_says_when_it_is_back_is_opened_then_and_not_every_second() {
    limited(|| {
        let hub = hub();
        let (source, remote, told) = plugged();
        let publisher = Publisher::start(publisher_config(at(&hub), "door"), Box::new(source)).unwrap();
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        remote.set(Mood::Gone("camera unplugged".into()));
        until("viewers are told", || viewer.report().state == State::Lost);
        // It takes a millisecond at least to be asked, and so this is longer than the second after which others are tried.
        until("it is asked for long", || told.asked.load(Ordering::SeqCst) > 2500);
        let tries = remote.told().opened;
        assert_eq!(tries, 1, "nobody opens it");
        remote.set(Mood::Fine);
        told.back.store(true, Ordering::SeqCst);
        until("the picture is back", || viewer.report().state == State::Live);
        assert_eq!((remote.told().opened, publisher.report().reopened), (2, 1));
    });
}

#[test]
fn a_publisher_that_waits_for_its_source_ends_at_once() {
    limited(|| {
        let hub = hub();
        let (source, remote, told) = plugged();
        let publisher = Publisher::start(publisher_config(at(&hub), "door"), Box::new(source)).unwrap();
        remote.set(Mood::Gone("camera unplugged".into()));
        until("it waits", || told.asked.load(Ordering::SeqCst) > 10);
        drop(publisher);
        until("its thread has ended", || Arc::strong_count(&told) == 1);
    });
}

#[test]
fn a_camera_that_takes_the_place_of_another_source_does_so_in_the_same_stream_and_is_no_fault() {
    limited(|| {
        let hub = hub();
        let (source, remote, told) = plugged();
        let controls = vec![SetValue { name: "gain".into(), value: Some("5".into()) }];
        let config = PublisherConfig { controls, ..publisher_config(at(&hub), "door") };
        let publisher = Publisher::start(config, Box::new(source)).unwrap();
        let viewer = viewer(at(&hub), "door");
        let before = next_picture(&viewer).sequence;
        told.came.store(true, Ordering::SeqCst);
        until("it is opened anew", || remote.told().opened == 2);
        until("its pictures go on in the stream", || next_picture(&viewer).sequence > before + 10);
        let report = publisher.report();
        assert_eq!((report.fault.as_str(), report.reopened, viewer.report().reconnects), ("", 0, 0));
        assert_eq!(viewer.report().state, State::Live);
        until("the camera has what is to be set", || !told.set.lock().unwrap().is_empty());
        assert_eq!(*told.set.lock().unwrap(), [(true, 5)], "and what stood in for it had not");
    });
}
