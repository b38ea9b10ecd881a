//! Pictures from files: concatenated JPEGs, a single JPEG or PNG, or a folder of them, at the wished rate.

mod one;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use one::OneFile;

use super::pace::Pace;
use super::{CaptureRequest, Next, Opened, Source, SourceError, Unwatched};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::time::now;
use crate::wire::jpeg;
use crate::wire::pictures::MAX_PICTURE;

/// The most memory that a PNG may need when it is decoded, in bytes: 8192 by 8192 pixels.
const MAX_DECODED: u64 = 256 << 20;
const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// A file or a folder that is played at the wished rate, from its beginning each time it is opened. JPEGs are passed on as
/// they are; a PNG becomes [`PixelFormat::Rgb`].
pub struct Files {
    path: PathBuf,
    once: bool,
    open: Option<(Kind, Pace)>,
}

enum Kind {
    One(Box<OneFile>),
    Folder(Folder),
}

impl Files {
    /// Plays `path` for ever, or `once`, from the first viewer on.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, once: bool) -> Self {
        Self { path: path.into(), once, open: None }
    }
}

impl Source for Files {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        self.close();
        let path = &self.path;
        let (kind, format, size) = if path.is_dir() {
            let pictures = pictures_in(path).map_err(|e| unreadable(path, &e))?;
            if pictures.is_empty() {
                return Err(SourceError::Missing(format!("no JPEG or PNG pictures in the folder {}", path.display())));
            }
            let folder = Folder { path: path.clone(), pictures, next: 0, unreadable: 0 };
            (Kind::Folder(folder), PixelFormat::Jpeg, Size::default())
        } else {
            let (file, format, size) = OneFile::open(path, self.once)?;
            (Kind::One(Box::new(file)), format, size)
        };
        self.open = Some((kind, Pace::new(request.fps)));
        let unwatched = if self.once { Unwatched::Wait } else { Unwatched::Close };
        let (name, fps) = (path.display().to_string(), Some(request.fps));
        Ok(Opened { name, size, fps, format, unwatched, ..Opened::default() })
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let Some((kind, pace)) = &mut self.open else {
            return Err(SourceError::Lost(format!("{} is not open", self.path.display())));
        };
        let Some(number) = pace.wait() else { return Ok(Next::Nothing) };
        frame.range = Range::Full;
        frame.captured = now();
        frame.sequence = number;
        frame.metadata = None;
        match kind {
            Kind::One(file) => file.next(frame),
            Kind::Folder(folder) => folder.next(frame, self.once),
        }
    }

    fn close(&mut self) {
        self.open = None;
    }
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing(format!("there is no file {}", path.display())),
        _ => SourceError::Missing(format!("{} cannot be read: {error}", path.display())),
    }
}

/// A folder, whose pictures are looked for anew in each round.
struct Folder {
    path: PathBuf,
    pictures: Vec<PathBuf>,
    next: usize,
    /// How many could not be read, one after the other.
    unreadable: usize,
}

impl Folder {
    fn next(&mut self, frame: &mut Frame, once: bool) -> Result<Next, SourceError> {
        if self.next >= self.pictures.len() {
            if once {
                return Ok(Next::End);
            }
            self.pictures = pictures_in(&self.path).map_err(|e| unreadable(&self.path, &e))?;
            self.next = 0;
        }
        let Some(path) = self.pictures.get(self.next) else {
            return Err(SourceError::Lost(format!("no pictures left in the folder {}", self.path.display())));
        };
        self.next += 1;
        if read_picture(path, frame) {
            self.unreadable = 0;
            return Ok(Next::Frame);
        }
        log::debug!("{} is no picture that can be read", path.display());
        self.unreadable += 1;
        if self.unreadable >= self.pictures.len() {
            return Err(SourceError::Lost(format!("no picture in the folder {} can be read", self.path.display())));
        }
        Ok(Next::Broken)
    }
}

/// The JPEGs and PNGs in a folder, by their endings, in the order of their names.
fn pictures_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        matches!(ending.as_str(), "jpg" | "jpeg" | "png") && path.is_file()
    };
    let mut pictures: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
    // As people number them: 2 before 10.
    pictures.sort_by(|a, b| natord::compare(&a.to_string_lossy(), &b.to_string_lossy()).then_with(|| a.cmp(b)));
    Ok(pictures)
}

/// Puts one file's picture into the frame; `false` if it cannot.
fn read_picture(path: &Path, frame: &mut Frame) -> bool {
    frame.data.clear();
    let Ok(file) = File::open(path) else { return false };
    if file.take(MAX_PICTURE as u64).read_to_end(&mut frame.data).is_err() {
        return false;
    }
    if let Ok(layout) = jpeg::cut_to_picture(&mut frame.data, &mut |_| true) {
        frame.format = PixelFormat::Jpeg;
        frame.size = layout.header.size;
        return true;
    }
    let Some((pixels, size)) = frame.data.starts_with(&PNG).then(|| decode_png(path)).flatten() else { return false };
    put_pixels(frame, &pixels, size);
    true
}

fn put_pixels(frame: &mut Frame, pixels: &[u8], size: Size) {
    frame.data.clear();
    frame.data.extend_from_slice(pixels);
    frame.format = PixelFormat::Rgb;
    frame.size = size;
}

fn decode_png(path: &Path) -> Option<(Vec<u8>, Size)> {
    let mut reader = image::ImageReader::open(path).ok()?;
    reader.set_format(image::ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(16_384);
    limits.max_image_height = Some(16_384);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let picture = reader.decode().ok()?.into_rgb8();
    let size = Size::new(picture.width(), picture.height());
    Some((picture.into_raw(), size))
}
