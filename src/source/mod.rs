//! Where pictures come from. A [`Source`] is opened, asked for frames, and closed again, all on one thread.

mod arrivals;
#[cfg(target_os = "linux")]
mod automatic;
pub mod camera;
pub mod controls;
pub mod files;
mod from_fn;
pub mod http;
mod intake;
pub mod live;
mod pace;
pub mod pattern;
mod spec;
pub mod stamp;
pub mod tcp;

use std::time::Duration;

pub use self::controls::ControlPanel;
pub use self::from_fn::from_fn;
pub use self::spec::{SourceOptions, from_spec};
use crate::frame::{Frame, PixelFormat, Size};

/// How long [`Source::next`] may wait before it says [`Next::Nothing`], so that a program can stop at once.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// How long a source may give nothing before it counts as stalled; three frames' time where that is longer.
pub(crate) const STALL: Duration = Duration::from_secs(2);

/// How often a source that failed is tried again, where nobody tells when it is back.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long cameras take to find their exposure after they were opened: half a second for most.
pub const WARM_UP: Duration = Duration::from_millis(800);

/// So many blocks of pictures without an end of image are counted a second, of one source: those of 30 pictures of 3840x2160 three
/// times over.
const COUNTED: u32 = 16 << 20;

/// What a publisher would like to get from a source. A source gives the nearest it can.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureRequest {
    /// The size; 640x480 unless said. The publisher scales what differs.
    pub size: Size,
    /// Pictures a second, 0.1 to 240; 30 unless said.
    pub fps: f64,
    /// The pixel format to prefer; `None` lets the source choose what costs the least.
    pub format: Option<PixelFormat>,
}

impl Default for CaptureRequest {
    fn default() -> Self {
        Self { size: Size::new(640, 480), fps: 30.0, format: None }
    }
}

/// What becomes of a source while nobody watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unwatched {
    /// It is closed after ten seconds, unless the publisher is told otherwise, and opened again for the first viewer: a
    /// camera, a file that is played for ever.
    #[default]
    Close,
    /// Its pictures are taken all the same and thrown away: a pipe, whose writer would wait otherwise.
    GoOn,
    /// It is not asked for a picture before the first viewer is there, and then to its end: what is played once.
    Wait,
}

/// What an opened source will give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// For people: `Replay Camera (/dev/video0)`.
    pub name: String,
    /// The size of its frames; zero sides where only the first frame tells.
    pub size: Size,
    /// Frames a second; `None` where nobody knows.
    pub fps: Option<f64>,
    /// The format of its first frames, as far as it is known; each frame tells its own.
    pub format: PixelFormat,
    /// Pictures of another size than the one that is asked for are scaled to it. A camera's are; files and other cameras' pictures
    /// are passed on as they are.
    pub scale: bool,
    /// What becomes of it while nobody watches.
    pub unwatched: Unwatched,
    /// For how long after the first one its pictures may be too dark or of a wrong colour, because it has just begun to measure the
    /// light. A camera that this program opens has [`WARM_UP`]; zero for all others.
    pub warm_up: Duration,
}

/// What [`Source::next`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The frame was filled.
    Frame,
    /// No frame came within 100 ms; ask again.
    Nothing,
    /// A frame came and was no good (cut off, flagged as broken); it is counted and the next is asked for.
    Broken,
    /// There will be no more frames, and that is no fault: a file played `--once` is over.
    End,
    /// The frames come from elsewhere from now on, and that is no fault: a camera was plugged in. It is opened anew at once.
    Changed,
}

/// Why a source has no picture now, in the words that viewers are told. It will be opened again, but for the last kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such thing: a camera that is not there, a file that does not exist.
    #[error("{0}")]
    Missing(String),
    /// It was there and is gone, or is in another program's hands, or gives what nobody can read: `camera unplugged`.
    #[error("{0}")]
    Lost(String),
    /// It is over for good and was not what it should be, such as standard input without a picture: the publisher ends.
    #[error("{0}")]
    Final(String),
}

/// Something that gives pictures with a capture time. Implement it to publish your own.
///
/// The publisher calls [`open`](Self::open), then [`next`](Self::next) until one of them fails or nobody watches any
/// more, then [`close`](Self::close), and begins again. All calls come from one thread, but not the thread that made
/// the value.
pub trait Source: Send + 'static {
    /// Makes ready to give frames.
    ///
    /// # Errors
    /// Why there will be none. It is called again a second later, or when [`Self::may_be_back`] says so, for ever.
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError>;

    /// Waits for the next frame, 100 ms at most, and puts it into `frame`, whose buffers are reused: set every field. Unless it
    /// says [`Next::Frame`], what is in `frame` means nothing. A source that can be read faster than its pictures are made paces
    /// itself.
    ///
    /// # Errors
    /// Why there will be none. The source is closed and opened again.
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError>;

    /// Lets go of devices and connections. May be called at any time, also twice.
    fn close(&mut self) {}

    /// Waits until it is worth being opened again, `patience` at most; it failed so long ago. Asked again and again until it says
    /// so. `None`, the default: nobody can tell, so that it is opened again a second after it failed.
    fn may_be_back(&mut self, failed_for: Duration, patience: Duration) -> Option<bool> {
        let _ = (failed_for, patience);
        None
    }

    /// What can be set while it runs. Asked once, before anything else; what is given belongs to a thread of its own, so that it may
    /// take its time. `None`, the default: nothing.
    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        None
    }
}
