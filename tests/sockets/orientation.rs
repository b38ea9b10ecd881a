//! Pictures that lie on a side in their file, as phones write them, are upright in the window.

use streamflow::Source;
use streamflow::internal::frame::{Frame, PixelFormat, Range, Size};
use streamflow::internal::jpeg::Encoder;
use streamflow::internal::publisher::Publisher;
use streamflow::internal::source::{CaptureRequest, Next, Opened, SourceError};
use streamflow::internal::time::now;
use streamflow::internal::viewer::{Shown, Viewer};
use streamflow::internal::wire::jpeg::{Orientation, put_orientation};

use crate::support::http::{get, post};
use crate::support::{LONG, SIZE, at, hub, limited, publisher_config, until, viewer};

/// Black above and white below, as it is stored, to be turned by a quarter to the right: white on the left, black on the right.
fn phone() -> Vec<u8> {
    let data = (0..SIZE.area()).map(|n| if n < SIZE.area() / 2 { 0 } else { 255 }).collect::<Vec<u8>>();
    let (format, range) = (PixelFormat::Gray, Range::Full);
    let frame = Frame { data: data.into(), format, size: SIZE, range, ..Frame::default() };
    let mut jpeg = Vec::new();
    Encoder::new().unwrap().encode(&frame, SIZE, 90, &mut jpeg).unwrap();
    put_orientation(Orientation::new(6), &mut jpeg, 0);
    jpeg
}

/// A camera that turns nothing itself.
struct Camera;

impl Source for Camera {
    fn open(&mut self, _: &CaptureRequest) -> Result<Opened, SourceError> {
        Ok(Opened {
            name: "phone".into(),
            fps: Some(50.0),
            format: PixelFormat::Jpeg,
            scale: true,
            ..Opened::default()
        })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        std::thread::sleep(std::time::Duration::from_millis(20));
        (frame.data, frame.format, frame.size, frame.captured) = (phone().into(), PixelFormat::Jpeg, SIZE, now());
        frame.sequence += 1;
        Ok(Next::Frame)
    }

    fn close(&mut self) {}
}

/// Shows the next picture, which must be upright and of this size.
#[track_caller]
fn next_upright(viewer: &Viewer, size: Size) -> Shown {
    let shown = viewer.next(LONG);
    let Some(shown) = shown else { panic!("no picture: {:?}", viewer.report()) };
    assert_eq!((shown.size, shown.bitmap.size), (size, size));
    let width = size.width as usize;
    for row in shown.bitmap.pixels.chunks_exact(width) {
        // Not in the middle, where JPEG blurs the edge.
        assert!(row[..width / 3].iter().all(|p| p & 0xff > 200) && row[width * 2 / 3..].iter().all(|p| p & 0xff < 50));
    }
    viewer.mark_shown(&shown);
    shown
}

#[test]
fn a_photo_that_is_posted_is_shown_upright_and_kept_as_it_came() {
    limited(|| {
        let (hub, photo) = (hub(), phone());
        let viewer = viewer(at(&hub), "photo");
        assert_eq!(post(hub.address(), "/api/publish/main/photo", &photo).status, 200);
        let shown = next_upright(&viewer, Size::new(SIZE.height, SIZE.width));
        assert!(**shown.picture.data == photo, "what is saved is what came");
        assert_eq!(viewer.report().size, "48x64");
        let listed = get(hub.address(), "/api/streams").text();
        assert!(listed.contains("\"48x64\"") && !listed.contains("\"64x48\""), "{listed}");
    });
}

#[test]
fn a_camera_that_lies_on_a_side_is_upright_at_its_size_and_at_a_smaller_one() {
    limited(|| {
        let hub = hub();
        for (name, asked, shown) in [("own", SIZE, "48x64"), ("small", Size::new(32, 24), "24x32")] {
            let mut config = publisher_config(at(&hub), name);
            config.capture.size = asked;
            let _publisher = Publisher::start(config, Box::new(Camera)).unwrap();
            let viewer = viewer(at(&hub), name);
            next_upright(&viewer, Size::new(asked.height, asked.width));
            until("the size is said as it is shown", || {
                let report = viewer.report();
                (report.size.as_str(), report.nominal.size.as_str()) == (shown, shown)
            });
        }
    });
}
