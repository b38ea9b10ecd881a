//! A source out of a single function, for pictures that a program makes itself.

use super::pace::Pace;
use super::{CaptureRequest, Next, Opened, Source, SourceError};
use crate::frame::{Frame, PixelFormat, Size};
use crate::time::now;

struct FromFn<F> {
    make: F,
    pace: Option<Pace>,
}

/// A source that calls `make` for each picture, at the rate that is asked for.
///
/// `make` finds a frame whose time of capture is now and whose sequence number is set, and puts data, format and size into
/// it. What else it may say, see [`Source::next`].
///
/// ```
/// use streamflow::{CaptureRequest, Frame, Next, PixelFormat, Size, Source, from_fn};
///
/// let mut grey = from_fn(|frame: &mut Frame| {
///     frame.size = Size::new(64, 48);
///     frame.format = PixelFormat::Gray;
///     frame.data.clear();
///     frame.data.resize(64 * 48, frame.sequence as u8);
///     Ok(Next::Frame)
/// });
/// grey.open(&CaptureRequest::default())?;
/// assert_eq!(grey.next(&mut Frame::default())?, Next::Frame);
/// # Ok::<(), streamflow::SourceError>(())
/// ```
pub fn from_fn<F>(make: F) -> impl Source
where
    F: FnMut(&mut Frame) -> Result<Next, SourceError> + Send + 'static,
{
    FromFn { make, pace: None }
}

impl<F> Source for FromFn<F>
where
    F: FnMut(&mut Frame) -> Result<Next, SourceError> + Send + 'static,
{
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.pace = Some(Pace::new(request.fps));
        let (size, format) = (Size::default(), PixelFormat::default());
        Ok(Opened {
            name: "the program's own pictures".into(),
            size,
            fps: Some(request.fps),
            format,
            ..Opened::default()
        })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let pace = self.pace.get_or_insert_with(|| Pace::new(CaptureRequest::default().fps));
        let Some(number) = pace.wait() else { return Ok(Next::Nothing) };
        frame.captured = now();
        frame.sequence = number;
        frame.metadata = None;
        (self.make)(frame)
    }
}
