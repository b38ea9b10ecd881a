//! Which of a camera's formats, sizes and rates to take. Pure, so that cameras nobody has can be tested.

use crate::frame::{PixelFormat, Size};
use crate::source::CaptureRequest;

/// Up to this many pixels raw pictures fit a USB 2 cable at a useful rate, and are better than the camera's own JPEG.
const RAW_UP_TO: usize = 1280 * 720;
/// A rate this near to the asked one is the asked one: 29.97 for 30.
const NEAR_ENOUGH: f64 = 0.99;

/// Seconds between two frames, as the camera says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

impl Interval {
    /// Frames a second; zero where the interval makes no sense.
    pub(super) fn fps(self) -> f64 {
        if self.numerator == 0 { 0.0 } else { f64::from(self.denominator) / f64::from(self.numerator) }
    }
}

/// The rates that a camera offers in one format and size.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rates {
    /// These alone.
    Listed(Vec<Interval>),
    /// Any from the first to the second, in frames a second.
    Between(f64, f64),
    /// The camera does not say.
    Unknown,
}

impl Rates {
    /// The interval to ask for: the slowest rate that reaches the request, or else the fastest.
    fn best(&self, fps: f64) -> (Option<Interval>, f64) {
        match self {
            Self::Unknown => (Some(interval_of(fps)), fps),
            Self::Between(low, high) => {
                let rate = fps.clamp(low.min(*high), high.max(*low));
                (Some(interval_of(rate)), rate)
            }
            Self::Listed(list) => {
                let reach = |i: &&Interval| i.fps() >= fps * NEAR_ENOUGH;
                let by_rate = |a: &&Interval, b: &&Interval| a.fps().total_cmp(&b.fps());
                let best = list.iter().filter(reach).min_by(by_rate).or_else(|| list.iter().max_by(by_rate));
                best.map_or((None, fps), |i| (Some(*i), i.fps()))
            }
        }
    }
}

/// A rate as a fraction, to a thousandth.
fn interval_of(fps: f64) -> Interval {
    let whole = fps.round();
    if (fps - whole).abs() < 1e-9 {
        Interval { numerator: 1, denominator: whole as u32 }
    } else {
        Interval { numerator: 1000, denominator: (fps * 1000.0).round() as u32 }
    }
}

/// One format and size that a camera offers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mode {
    pub(super) format: PixelFormat,
    pub(super) size: Size,
    pub(super) rates: Rates,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    /// Which of the modes.
    pub(super) mode: usize,
    /// The rate to ask for.
    pub(super) interval: Option<Interval>,
}

/// The mode that suits the request best, by these rules in turn: the format that is asked for; the size, or the nearest;
/// enough frames a second, or the most; the format that costs least. `None` if there is no mode.
pub(super) fn choose(modes: &[Mode], request: &CaptureRequest) -> Option<Choice> {
    let rank = |mode: &Mode| {
        let (_, fps) = mode.rates.best(request.fps);
        let short = if fps >= request.fps * NEAR_ENOUGH { 0.0 } else { request.fps - fps };
        let other = request.format.is_some_and(|f| f != mode.format);
        (other, distance(mode.size, request.size), short, cost(mode.format, mode.size))
    };
    let better = |a: &(usize, &Mode), b: &(usize, &Mode)| {
        let (a, b) = (rank(a.1), rank(b.1));
        a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3))
    };
    let (index, mode) = modes.iter().enumerate().min_by(better)?;
    Some(Choice { mode: index, interval: mode.rates.best(request.fps).0 })
}

/// How far a size is from another: the pixels by which the sides differ. Of two equally near the larger is nearer,
/// because scaling down loses less.
fn distance(size: Size, request: Size) -> (u32, bool) {
    let sides = size.width.abs_diff(request.width).saturating_add(size.height.abs_diff(request.height));
    (sides, size.width < request.width || size.height < request.height)
}

/// What it costs to get a good JPEG out of this format; less is better.
fn cost(format: PixelFormat, size: Size) -> u8 {
    let raw = if size.area() <= RAW_UP_TO { 0 } else { 10 };
    match format {
        PixelFormat::Yuyv => raw,
        PixelFormat::Nv12 => raw + 1,
        PixelFormat::I420 => raw + 2,
        PixelFormat::Uyvy => raw + 3,
        PixelFormat::Jpeg => 5,
        PixelFormat::Rgb | PixelFormat::Bgr | PixelFormat::Bgrx => raw + 6,
        PixelFormat::Gray => 30, // loses the colours
    }
}

/// The size nearest to `request` among those from `min` to `max` in steps of `step`.
pub(super) fn nearest_step(request: Size, min: Size, max: Size, step: Size) -> Size {
    let side = |request: u32, min: u32, max: u32, step: u32| {
        let request = request.clamp(min.min(max), max.max(min));
        let step = step.max(1);
        let over = (request - min.min(max)) % step;
        // The nearer of the two steps around, if the upper one is still inside.
        if over * 2 >= step && max.max(min) - request >= step - over { request + (step - over) } else { request - over }
    };
    Size::new(
        side(request.width, min.width, max.width, step.width),
        side(request.height, min.height, max.height, step.height),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(format: PixelFormat, w: u32, h: u32, fps: &[u32]) -> Mode {
        let rates = Rates::Listed(fps.iter().map(|f| Interval { numerator: 1, denominator: *f }).collect());
        Mode { format, size: Size::new(w, h), rates }
    }

    fn request(w: u32, h: u32, fps: f64) -> CaptureRequest {
        CaptureRequest { size: Size::new(w, h), fps, format: None }
    }

    /// An ordinary USB 2 camera.
    fn webcam() -> Vec<Mode> {
        use PixelFormat::{Jpeg, Yuyv};
        vec![
            mode(Jpeg, 640, 480, &[30, 60]),
            mode(Jpeg, 1280, 720, &[30, 60]),
            mode(Jpeg, 1920, 1080, &[30]),
            mode(Yuyv, 640, 480, &[30, 15]),
            mode(Yuyv, 1280, 720, &[10]),
            mode(Yuyv, 1920, 1080, &[5]),
        ]
    }

    fn chosen(modes: &[Mode], request: &CaptureRequest) -> (PixelFormat, Size, f64) {
        let choice = choose(modes, request).unwrap();
        let mode = &modes[choice.mode];
        (mode.format, mode.size, choice.interval.unwrap().fps())
    }

    #[test]
    fn raw_pictures_are_taken_where_they_reach_the_rate_and_jpeg_where_they_do_not() {
        use PixelFormat::{Jpeg, Yuyv};
        let size = Size::new;
        assert_eq!(chosen(&webcam(), &request(640, 480, 30.0)), (Yuyv, size(640, 480), 30.0));
        assert_eq!(chosen(&webcam(), &request(640, 480, 12.0)), (Yuyv, size(640, 480), 15.0));
        assert_eq!(chosen(&webcam(), &request(640, 480, 60.0)), (Jpeg, size(640, 480), 60.0));
        assert_eq!(chosen(&webcam(), &request(1280, 720, 30.0)), (Jpeg, size(1280, 720), 30.0));
        assert_eq!(chosen(&webcam(), &request(1280, 720, 10.0)), (Yuyv, size(1280, 720), 10.0));
        assert_eq!(chosen(&webcam(), &request(1920, 1080, 5.0)), (Jpeg, size(1920, 1080), 30.0), "too large for raw");
        assert_eq!(chosen(&webcam(), &request(640, 480, 240.0)), (Jpeg, size(640, 480), 60.0), "the most there is");
    }

    #[test]
    fn the_wished_format_wins_if_there_is_one() {
        let mut request = request(1280, 720, 30.0);
        request.format = Some(PixelFormat::Yuyv);
        assert_eq!(chosen(&webcam(), &request), (PixelFormat::Yuyv, Size::new(1280, 720), 10.0));
        request.format = Some(PixelFormat::Gray);
        assert_eq!(chosen(&webcam(), &request), (PixelFormat::Jpeg, Size::new(1280, 720), 30.0));
    }

    #[test]
    fn the_nearest_size_is_taken_and_the_larger_of_two() {
        assert_eq!(chosen(&webcam(), &request(320, 240, 30.0)).1, Size::new(640, 480));
        assert_eq!(chosen(&webcam(), &request(1000, 700, 30.0)).1, Size::new(1280, 720));
        assert_eq!(chosen(&webcam(), &request(4096, 2160, 30.0)).1, Size::new(1920, 1080));
        let two = [mode(PixelFormat::Yuyv, 600, 440, &[30]), mode(PixelFormat::Yuyv, 680, 520, &[30])];
        assert_eq!(chosen(&two, &request(640, 480, 30.0)).1, Size::new(680, 520));
    }

    #[test]
    fn a_rate_just_under_the_asked_one_reaches_it() {
        let rates = Rates::Listed(vec![
            Interval { numerator: 1001, denominator: 30_000 },
            Interval { numerator: 1, denominator: 60 },
        ]);
        let modes = [Mode { format: PixelFormat::Yuyv, size: Size::new(640, 480), rates }];
        assert!((chosen(&modes, &request(640, 480, 30.0)).2 - 29.97).abs() < 0.01);
    }

    #[test]
    fn steps_and_ranges_give_what_is_nearest() {
        let (min, max) = (Size::new(32, 16), Size::new(1920, 1080));
        assert_eq!(nearest_step(Size::new(641, 481), min, max, Size::new(2, 2)), Size::new(642, 482));
        assert_eq!(nearest_step(Size::new(8, 9000), min, max, Size::new(16, 16)), Size::new(32, 1072));
        assert_eq!(nearest_step(Size::new(640, 480), min, max, Size::new(0, 0)), Size::new(640, 480));
        let between = Rates::Between(1.0, 25.0);
        assert_eq!(between.best(30.0), (Some(Interval { numerator: 1, denominator: 25 }), 25.0));
        assert_eq!(between.best(12.5), (Some(Interval { numerator: 1000, denominator: 12_500 }), 12.5));
    }

    #[test]
    fn a_camera_with_no_modes_has_none_to_choose_and_senseless_rates_do_no_harm() {
        assert_eq!(choose(&[], &request(640, 480, 30.0)), None);
        let zero = Rates::Listed(vec![Interval { numerator: 0, denominator: 0 }]);
        let modes = [Mode { format: PixelFormat::Yuyv, size: Size::default(), rates: zero }];
        assert!(choose(&modes, &request(640, 480, 30.0)).is_some());
        assert!(choose(&[mode(PixelFormat::Yuyv, 1, 1, &[])], &request(640, 480, 30.0)).is_some());
    }
}
