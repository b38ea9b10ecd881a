//! Pictures from files: concatenated JPEGs, a single JPEG or PNG, or a folder of them, at the wished rate.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use super::pace::Pace;
use super::{CaptureRequest, Next, Opened, PATIENCE, Source, SourceError, Unwatched};
use crate::frame::{Frame, PixelFormat, Range, Size};
use crate::time::{Micros, now};
use crate::wire::jpeg_split::{JpegSplitter, MAX_PICTURE, first_picture};

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// How far into a file its first picture is looked for.
const SEARCHED: usize = 64 << 20;
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
    Pictures(Concatenated),
    Png { pixels: Vec<u8>, size: Size, shown: bool },
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
        let kind = if path.is_dir() {
            let pictures = pictures_in(path).map_err(|e| unreadable(path, &e))?;
            if pictures.is_empty() {
                return Err(SourceError::Missing(format!("no JPEG or PNG pictures in the folder {}", path.display())));
            }
            Kind::Folder(Folder { path: path.clone(), pictures, next: 0, unreadable: 0 })
        } else {
            let mut file = File::open(path).map_err(|e| unreadable(path, &e))?;
            let mut head = Vec::new();
            file.by_ref().take(PNG.len() as u64).read_to_end(&mut head).map_err(|e| unreadable(path, &e))?;
            file.rewind().map_err(|e| unreadable(path, &e))?;
            if head == PNG {
                let (pixels, size) = decode_png(path)
                    .ok_or_else(|| SourceError::Missing(format!("{} is no PNG that can be read", path.display())))?;
                Kind::Png { pixels, size, shown: false }
            } else {
                Kind::Pictures(Concatenated::new(file, path)?)
            }
        };
        let (format, size) = match &kind {
            Kind::Png { size, .. } => (PixelFormat::Rgb, *size),
            Kind::Pictures(pictures) => (PixelFormat::Jpeg, pictures.size),
            Kind::Folder(_) => (PixelFormat::Jpeg, Size::default()),
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
        if let Kind::Pictures(pictures) = kind
            && pictures.take_broken()
        {
            return Ok(Next::Broken);
        }
        let Some(number) = pace.wait() else { return Ok(Next::Nothing) };
        frame.range = Range::Full;
        frame.captured = now();
        frame.sequence = number;
        frame.metadata = None;
        match kind {
            Kind::Pictures(pictures) => pictures.next(frame, self.once),
            Kind::Png { shown: true, .. } if self.once => Ok(Next::End),
            Kind::Png { pixels, size, shown } => {
                *shown = true;
                frame.data.clear();
                frame.data.extend_from_slice(pixels);
                frame.format = PixelFormat::Rgb;
                frame.size = *size;
                Ok(Next::Frame)
            }
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

/// A file of one JPEG after the other, of any length: no more than one picture of it is in memory.
struct Concatenated {
    file: File,
    path: PathBuf,
    splitter: JpegSplitter,
    chunk: Vec<u8>,
    /// Of the first picture.
    size: Size,
    /// Whether a picture came since the beginning.
    any: bool,
    told_broken: u64,
}

impl Concatenated {
    fn new(file: File, path: &Path) -> Result<Self, SourceError> {
        let (splitter, size) = (JpegSplitter::default(), Size::default());
        let (path, chunk) = (path.to_owned(), vec![0; CHUNK]);
        let mut this = Self { file, path, splitter, chunk, size, any: false, told_broken: 0 };
        let mut searched = 0;
        this.size = loop {
            let n = this.read()?;
            searched += n;
            if let Some(picture) = this.splitter.next_picture() {
                break picture.size;
            }
            if n == 0 || searched > SEARCHED {
                let name = this.path.display();
                return Err(SourceError::Missing(format!(
                    "no JPEG picture in {name}; if it is a film, let ffmpeg play it: \
                     ffmpeg -i {name} -f mjpeg - | streamflow-send --source -"
                )));
            }
        };
        this.rewind()?;
        this.told_broken = this.splitter.broken();
        Ok(this)
    }

    fn read(&mut self) -> Result<usize, SourceError> {
        let n = loop {
            match self.file.read(&mut self.chunk) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|e| unreadable(&self.path, &e))?,
            }
        };
        self.splitter.feed(self.chunk.get(..n).unwrap_or_default(), Micros(0));
        Ok(n)
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.file.rewind().map_err(|e| unreadable(&self.path, &e))?;
        self.splitter.reset();
        self.any = false;
        Ok(())
    }

    fn take_broken(&mut self) -> bool {
        let more = self.splitter.broken() > self.told_broken;
        self.told_broken += u64::from(more);
        more
    }

    fn next(&mut self, frame: &mut Frame, once: bool) -> Result<Next, SourceError> {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(picture) = self.splitter.next_picture() {
                frame.data.clear();
                frame.data.extend_from_slice(picture.data);
                frame.format = PixelFormat::Jpeg;
                frame.size = picture.size;
                self.any = true;
                return Ok(Next::Frame);
            }
            if self.read()? == 0 {
                if once {
                    return Ok(Next::End);
                }
                if !self.any {
                    return Err(SourceError::Lost(format!("no JPEG picture in {}", self.path.display())));
                }
                self.rewind()?;
            }
            if now() > deadline {
                return Ok(Next::Nothing); // much garbage; it goes on from here
            }
        }
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

/// The JPEGs and PNGs in a folder, by their endings, sorted by name.
fn pictures_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        matches!(ending.as_str(), "jpg" | "jpeg" | "png") && path.is_file()
    };
    let mut pictures: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
    pictures.sort();
    Ok(pictures)
}

/// Puts one file's picture into the frame; `false` if it cannot.
fn read_picture(path: &Path, frame: &mut Frame) -> bool {
    frame.data.clear();
    let Ok(file) = File::open(path) else { return false };
    if file.take(MAX_PICTURE as u64).read_to_end(&mut frame.data).is_err() {
        return false;
    }
    if let Some(found) = first_picture(&frame.data) {
        frame.data.truncate(found.range.end);
        frame.format = PixelFormat::Jpeg;
        frame.size = found.size;
        return true;
    }
    let Some((pixels, size)) = frame.data.starts_with(&PNG).then(|| decode_png(path)).flatten() else { return false };
    frame.data.clear();
    frame.data.extend_from_slice(&pixels);
    frame.format = PixelFormat::Rgb;
    frame.size = size;
    true
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
