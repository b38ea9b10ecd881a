//! The test pattern: a moving colour picture of any size and rate, with a clock, a frame number and a stamp that a
//! machine can read, so that the age of what is on a screen can be measured by anyone, without a camera.

mod canvas;
mod controls;

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use canvas::{Canvas, Color, Font, Layout};
use controls::Look;

use super::controls::ControlPanel;
use super::pace::Pace;
use super::stamp::{self, Luma, Stamp};
use super::{CaptureRequest, Next, Opened, Source, SourceError};
use crate::frame::{Frame, PixelFormat, Size};
use crate::time::{Micros, now};

/// The sides that can be painted.
const SIDES: std::ops::RangeInclusive<u32> = 16..=16_384;

/// A moving test picture. It is painted as [`PixelFormat::I420`] in full range, which is encoded without a copy, or as
/// [`PixelFormat::Yuyv`] in limited range, as cameras give it, when that is asked for.
pub struct Pattern {
    name: &'static str,
    scene: Option<(Scene, Pace)>,
    look: Look,
}

impl Default for Pattern {
    fn default() -> Self {
        Self { name: "test pattern", scene: None, look: Look::default() }
    }
}

impl Pattern {
    /// The pattern in the place of a camera that is not there, which its name says.
    pub(super) fn without_camera() -> Self {
        Self { name: "test pattern (no camera found)", ..Self::default() }
    }
}

impl Source for Pattern {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let size = request.size;
        if !SIDES.contains(&size.width) || !SIDES.contains(&size.height) {
            return Err(SourceError::Missing(format!("no test pattern of {size}: sides are 16 to 16384")));
        }
        let scene = Scene::new(size, request.format == Some(PixelFormat::Yuyv), request.fps);
        let format = scene.layout.format();
        self.scene = Some((scene, Pace::new(request.fps)));
        Ok(Opened { name: self.name.into(), size, fps: Some(request.fps), format, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let Some((scene, pace)) = &mut self.scene else {
            return Err(SourceError::Lost("the test pattern is not open".into()));
        };
        let Some(number) = pace.wait() else { return Ok(Next::Nothing) };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        scene.paint(frame, now(), wall, number);
        self.look.apply(frame, scene.layout, scene.top);
        Ok(Next::Frame)
    }

    fn close(&mut self) {
        self.scene = None;
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        Some(Box::new(self.look.clone()))
    }
}

/// Everything that does not move, painted once, and where the rest goes.
struct Scene {
    layout: Layout,
    background: Vec<u8>,
    /// `None` in a picture too small for letters.
    clock: Option<(Font, [usize; 2])>,
    number: Option<(Font, [usize; 2])>,
    white: Color,
    accent: Color,
    ball: Color,
    shadow: Color,
    /// The top of what is below the clock, where the ball plays, and the bottom, where the second runs.
    field: [usize; 2],
    bar: usize,
    /// Rows of the stamp.
    top: usize,
}

impl Scene {
    fn new(size: Size, yuyv: bool, fps: f64) -> Self {
        let layout = Layout::new(size, yuyv);
        let (w, h) = (size.width as usize, size.height as usize);
        let top = stamp::cell(size).map_or(0, |cell| 2 * cell);
        let bar = (h / 40).max(1);
        let mut scene = Self {
            layout,
            background: vec![0; layout.format().frame_len(size).unwrap_or_default()],
            clock: None,
            number: None,
            white: layout.color([240, 244, 248]),
            accent: layout.color([56, 189, 248]),
            ball: layout.color([251, 146, 60]),
            shadow: layout.color([8, 14, 30]),
            field: [top + (h - top) * 6 / 10, h - bar - h / 12],
            bar,
            top,
        };
        // 12 letters of the clock in seven tenths of the width, but no higher than a sixth of what is there.
        let height = (w * 7 / 10 / 12 * 20 / 9).min((h - top) / 6).min(400);
        if height >= 12 {
            let clock = Font::new(height);
            let small = Font::new((height * 3 / 10).max(12));
            let y = top + (h - top) * 30 / 100;
            let at = |font: &Font, letters: usize, y: usize| [w.saturating_sub(letters * font.width) / 2, y];
            scene.number = Some((Font::new(small.height), at(&small, 15, y + clock.height * 11 / 10)));
            scene.clock = Some((Font::new(clock.height), at(&clock, 12, y)));
        }
        scene.paint_background(top, fps);
        scene
    }

    fn paint_background(&mut self, top: usize, fps: f64) {
        let (layout, size) = (self.layout, self.layout.size);
        let (w, h) = (size.width as usize, size.height as usize);
        let mut data = std::mem::take(&mut self.background);
        let mut canvas = Canvas { data: &mut data, layout };
        // Night above, dawn below.
        let ends = [[15.0f32, 23.0, 42.0], [30.0, 58.0, 95.0], [88.0, 60.0, 120.0]];
        for y in 0..h {
            let t = 2.0 * y as f32 / h as f32;
            let (a, b) = if t < 1.0 { (ends[0], ends[1]) } else { (ends[1], ends[2]) };
            let f = t.fract();
            let color = layout.color([0, 1, 2].map(|i| (a[i] + (b[i] - a[i]) * f) as u8));
            for x in 0..w {
                canvas.mix(x, y, color, 255);
            }
        }
        // A faint grid shows scaling and scrolling faults.
        let pitch = (w / 16).max(8);
        for x in (pitch..w).step_by(pitch) {
            (top..h).for_each(|y| canvas.mix(x, y, self.accent, 22));
        }
        for y in (top + pitch..h).step_by(pitch) {
            (0..w).for_each(|x| canvas.mix(x, y, self.accent, 22));
        }
        // Colour bars with a ramp of grey under them show what happens to colours and to the range.
        let bars: [[u8; 3]; 8] = [
            [255, 255, 255],
            [250, 204, 21],
            [34, 211, 238],
            [34, 197, 94],
            [217, 70, 239],
            [239, 68, 68],
            [59, 130, 246],
            [0, 0, 0],
        ];
        let (bars_y, bars_height) = (top + (h - top) * 6 / 100, (h - top) * 12 / 100);
        let (left, right) = (w / 16, w - w / 16);
        for x in left..right {
            let color = layout.color(bars[(x - left) * 8 / (right - left)]);
            (0..bars_height).for_each(|y| canvas.mix(x, bars_y + y, color, 255));
            let grey = ((x - left) * 256 / (right - left)) as u8;
            let color = layout.color([grey; 3]);
            (0..bars_height / 3).for_each(|y| canvas.mix(x, bars_y + bars_height + y, color, 255));
        }
        if let Some((font, [_, y])) = &self.number {
            let said = format!("StreamFlow test pattern {size}, {fps:.4} fps");
            let said = if said.len() * font.width > w { format!("{size}") } else { said.replace(".0000", "") };
            let x = w.saturating_sub(said.len() * font.width) / 2;
            canvas.text(font, (x, y + font.height * 12 / 10), said.as_bytes(), self.accent);
        }
        // The stamp needs neutral colour under it.
        canvas.rect([0, 0, w, top], layout.color([0, 0, 0]));
        self.background = data;
    }

    /// Paints frame `number` of the time `at`; `wall` is the time since 1970.
    fn paint(&self, frame: &mut Frame, at: Micros, wall: Duration, number: u64) {
        let (layout, size) = (self.layout, self.layout.size);
        frame.data.clear();
        frame.data.extend_from_slice(&self.background);
        frame.format = layout.format();
        frame.size = size;
        frame.range = layout.range;
        frame.captured = at;
        frame.sequence = number;
        frame.metadata = None;
        let (w, h) = (size.width as usize, size.height as usize);
        let mut canvas = Canvas { data: &mut frame.data, layout };

        // A ball that needs 4 s for the way there and back, and 0.8 s for a jump.
        let seconds = (at.0 % 4_000_000) as f32 / 1e6;
        let jump = ((at.0 % 800_000) as f32 / 8e5 - 0.5) * 2.0;
        let [field_top, field_bottom] = self.field;
        let radius = (field_bottom.saturating_sub(field_top)) as f32 / 5.0;
        let swing = if seconds < 2.0 { seconds / 2.0 } else { 2.0 - seconds / 2.0 };
        let x = radius + swing * (w as f32 - 2.0 * radius);
        let lowest = field_bottom as f32 - radius;
        let y = lowest - (1.0 - jump * jump) * (lowest - field_top as f32 - radius);
        canvas.disc((x, y), radius, self.ball);
        canvas.disc((x - radius * 0.3, y - radius * 0.3), radius * 0.25, self.white);

        // The second under way, from left to right.
        let run = w * wall.subsec_micros() as usize / 1_000_000;
        canvas.rect([0, h - self.bar, w, self.bar], self.shadow);
        canvas.rect([0, h - self.bar, run, self.bar], self.accent);

        let mut text = [0u8; 24];
        if let Some((font, [x, y])) = &self.clock {
            let (s, ms) = (wall.as_secs() % 86_400, wall.subsec_millis());
            let said = write(&mut text, format_args!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60));
            let shift = (font.height / 20).max(1);
            canvas.text(font, (x + shift, y + shift), said, self.shadow);
            canvas.text(font, (*x, *y), said, self.white);
        }
        if let Some((font, [x, y])) = &self.number {
            let said = write(&mut text, format_args!("UTC  #{:09}", number % 1_000_000_000));
            canvas.text(font, (*x, *y), said, self.white);
        }
        if let Some(luma) = Luma::of(layout.format(), size) {
            let stamp = Stamp { time: at, number: number as u16 };
            stamp::paint(canvas.data, luma, size, stamp, layout.black_and_white());
        }
    }
}

/// Formats into a fixed piece of memory; what does not fit is cut off.
fn write<'a>(memory: &'a mut [u8], what: std::fmt::Arguments<'_>) -> &'a [u8] {
    let mut rest = &mut *memory;
    // Cutting off is the only error there is.
    rest.write_fmt(what).ok();
    let left = rest.len();
    let used = memory.len() - left;
    memory.get(..used).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME_TIME: Micros = Micros(1_234_567_890);

    fn painted(size: Size, yuyv: bool, at: Micros, number: u64) -> Frame {
        let mut frame = Frame::default();
        Scene::new(size, yuyv, 30.0).paint(&mut frame, at, Duration::from_micros(at.0), number);
        frame
    }

    #[test]
    fn every_size_from_16_on_can_be_painted() {
        for (w, h) in [(16, 16), (17, 33), (64, 16), (16, 400), (160, 120), (641, 479), (1920, 1080)] {
            let size = Size::new(w, h);
            for yuyv in [false, true] {
                let frame = painted(size, yuyv, SOME_TIME, 1);
                assert_eq!(Some(frame.data.len()), frame.format.frame_len(size), "{size}");
            }
        }
    }

    #[test]
    fn a_frame_carries_its_time_and_number_where_machines_can_read_them() {
        for yuyv in [false, true] {
            for (w, h) in [(640, 480), (320, 240), (160, 120), (1280, 720)] {
                let frame = painted(Size::new(w, h), yuyv, SOME_TIME, 70_000);
                let read = stamp::read(&frame.data, frame.format, frame.size);
                assert_eq!(read, Some(Stamp { time: SOME_TIME, number: (70_000 % 65_536) as u16 }), "{w}x{h}");
                assert_eq!(frame.captured, SOME_TIME);
            }
        }
    }

    #[test]
    fn each_frame_differs_from_the_one_before_below_the_stamp_too() {
        let size = Size::new(64, 48); // no stamp, no letters
        let (a, b) = (painted(size, false, Micros(0), 0), painted(size, false, Micros(33_000), 1));
        assert_ne!(a.data[..], b.data[..]);
    }
}
