//! `--pipe`: pictures on standard output, for a program that reads them there.

use std::io::{IsTerminal as _, Write as _, stdout};

use super::canvas::Canvas;
use super::output::{Output, usual_size};
use super::pipe_end;
use crate::error::Error;
use crate::frame::Size;
use crate::jpeg::Wanted;
use crate::viewer::{Shown, Viewer};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PipeFormat {
    /// JPEGs one after the other, exactly as they were received.
    Mjpeg,
    /// Pixels, three bytes each: R, G, B. All pictures have the size of the first.
    Raw,
}

impl std::str::FromStr for PipeFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mjpeg" => Ok(Self::Mjpeg),
            "raw" => Ok(Self::Raw),
            _ => Err("write mjpeg or raw".into()),
        }
    }
}

/// Standard output.
pub(super) struct Pipe {
    format: PipeFormat,
    /// A part is cut out, so that nobody knows the size before the first picture.
    is_cut: bool,
    canvas: Option<Canvas>,
    /// The size of the last picture.
    last: Size,
    bytes: Vec<u8>,
}

impl Pipe {
    /// Makes ready.
    ///
    /// # Errors
    /// Nobody reads pictures there, or they are not turned in this format.
    pub(super) fn new(format: PipeFormat, wanted: &Wanted) -> Result<Self, Error> {
        if format == PipeFormat::Mjpeg && *wanted != Wanted::default() {
            let why = "--pipe gives the JPEGs as they came, neither turned nor cut: --pipe raw does that";
            return Err(Error::Usage(why.into()));
        }
        if stdout().is_terminal() {
            let example = "streamflow-view --pipe | ffmpeg -f mjpeg -i - …";
            return Err(Error::Usage(format!("standard output is a terminal; --pipe is for a program: {example}")));
        }
        if format == PipeFormat::Mjpeg {
            pipe_end::hold_little(&stdout());
        }
        Ok(Self { format, is_cut: wanted.crop.is_some(), canvas: None, last: Size::default(), bytes: Vec::new() })
    }

    fn write_pixels(&mut self, shown: &Shown, viewer: &Viewer) -> anyhow::Result<()> {
        let canvas = self.canvas.get_or_insert_with(|| {
            let size = usual_size(shown, &viewer.report(), self.is_cut);
            let length = 3 * size.area();
            log::info!(
                "raw pictures: {size} rgb24, {length} bytes each: ffmpeg -f rawvideo -pixel_format rgb24 -video_size {size} -i -"
            );
            Canvas::new(size)
        });
        let (size, came) = (canvas.size(), shown.bitmap.size);
        if came != size && came != self.last {
            log::warn!("the pictures are {came} now: they are fitted into {size}");
        }
        self.last = came;
        let pixels = canvas.draw(&shown.bitmap)?;
        self.bytes.resize(3 * pixels.len(), 0);
        for (to, pixel) in self.bytes.chunks_exact_mut(3).zip(pixels) {
            let [_, r, g, b] = pixel.to_be_bytes();
            to.copy_from_slice(&[r, g, b]);
        }
        write(&self.bytes)
    }

    fn write_jpeg(&mut self, shown: &Shown) -> anyhow::Result<()> {
        let size = crate::wire::jpeg::size(&shown.picture.data).unwrap_or(self.last);
        if self.last.area() > 0 && size != self.last {
            log::warn!("the pictures are {size} now, and were {}", self.last);
        }
        self.last = size;
        write(&shown.picture.data)
    }
}

fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

impl Output for Pipe {
    fn put(&mut self, shown: &Shown, viewer: &Viewer) -> anyhow::Result<()> {
        match self.format {
            PipeFormat::Mjpeg => self.write_jpeg(shown),
            PipeFormat::Raw => self.write_pixels(shown, viewer),
        }
    }

    fn is_over(&self) -> bool {
        pipe_end::is_broken(&stdout())
    }
}
