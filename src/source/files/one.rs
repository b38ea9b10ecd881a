//! One file: JPEGs one after the other, or a PNG. It is opened anew for each round, so that a picture which another program
//! replaces, by writing or by a rename, is the next one that is shown.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{PNG, decode_png, put_pixels, unreadable};
use crate::frame::{Frame, PixelFormat, Size};
use crate::source::{Next, PATIENCE, STALL, SourceError};
use crate::time::{Micros, now};
use crate::wire::pictures::{Jpeg, Pictures};

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// How far into a file its first picture is looked for.
const SEARCHED: usize = 64 << 20;

pub(super) struct OneFile {
    path: PathBuf,
    once: bool,
    round: Option<Round>,
    /// The last PNG, and of which file it was decoded.
    png: Option<(Stamp, Vec<u8>, Size)>,
    /// Since when there is nothing to show.
    waiting: Option<Micros>,
}

/// What tells a file from the one that was there before under its name.
type Stamp = (Option<SystemTime>, u64);

enum Round {
    Film(Box<Film>),
    /// The picture in `png`, and whether it was shown in this round.
    Png {
        shown: bool,
    },
}

/// The JPEGs of a file, of any length: no more than one of them is in memory.
struct Film {
    file: File,
    pictures: Pictures,
    chunk: Vec<u8>,
    over: bool,
    any: bool,
    told_broken: u64,
}

impl OneFile {
    /// Looks for the first picture: what it is, and how large.
    pub(super) fn open(path: &Path, once: bool) -> Result<(Self, PixelFormat, Size), SourceError> {
        let mut this = Self { path: path.to_owned(), once, round: None, png: None, waiting: None };
        let mut round = this.begin_round()?;
        let (format, size) = match (&mut round, &this.png) {
            (Round::Film(film), _) => (PixelFormat::Jpeg, film.first_size().map_err(|e| unreadable(path, &e))?),
            (Round::Png { .. }, png) => (PixelFormat::Rgb, png.as_ref().map(|png| png.2)),
        };
        let size = size.ok_or_else(|| this.without_picture())?;
        // From its beginning, when it is shown.
        this.round = Some(this.begin_round()?);
        Ok((this, format, size))
    }

    fn without_picture(&self) -> SourceError {
        let name = self.path.display();
        SourceError::Missing(format!(
            "no JPEG picture in {name}; if it is a film, let ffmpeg play it: \
             ffmpeg -i {name} -f mjpeg - | streamflow-send --source -"
        ))
    }

    /// Opens what is there now under this name.
    fn begin_round(&mut self) -> Result<Round, SourceError> {
        let failed = |e: io::Error| unreadable(&self.path, &e);
        // A pipe would be waited at for ever.
        if !fs::metadata(&self.path).map_err(failed)?.is_file() {
            return Err(SourceError::Lost(format!("{} is no file any more", self.path.display())));
        }
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut head = Vec::new();
        file.by_ref().take(PNG.len() as u64).read_to_end(&mut head).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if head != PNG {
            return Ok(Round::Film(Box::new(Film::new(file))));
        }
        let about = file.metadata().map_err(failed)?;
        let stamp = (about.modified().ok(), about.len());
        if self.png.as_ref().is_none_or(|png| png.0 != stamp) {
            let (pixels, size) = decode_png(&self.path)
                .ok_or_else(|| SourceError::Missing(format!("{} is no PNG that can be read", self.path.display())))?;
            self.png = Some((stamp, pixels, size));
        }
        Ok(Round::Png { shown: false })
    }

    pub(super) fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let deadline = now() + PATIENCE;
        loop {
            let shown = match &mut self.round {
                None => match self.begin_round() {
                    Ok(round) => {
                        self.round = Some(round);
                        continue;
                    }
                    Err(why) => return self.wait(why),
                },
                Some(Round::Png { shown }) => {
                    let before = std::mem::replace(shown, true);
                    if let (false, Some((_, pixels, size))) = (before, &self.png) {
                        put_pixels(frame, pixels, *size);
                        self.waiting = None;
                        return Ok(Next::Frame);
                    }
                    true
                }
                Some(Round::Film(film)) => {
                    if let Some(picture) = film.next_picture() {
                        frame.data.clear();
                        frame.data.extend_from_slice(picture.data);
                        frame.format = PixelFormat::Jpeg;
                        frame.size = picture.size;
                        self.waiting = None;
                        return Ok(Next::Frame);
                    }
                    if film.take_broken() {
                        return Ok(Next::Broken);
                    }
                    if !film.over {
                        film.read().map_err(|e| unreadable(&self.path, &e))?;
                        if now() > deadline {
                            return Ok(Next::Nothing); // much rubbish; it goes on from here
                        }
                        continue;
                    }
                    film.any
                }
            };
            if self.once {
                return Ok(Next::End);
            }
            self.round = None;
            if !shown {
                let why = SourceError::Lost(format!("no JPEG picture in {}", self.path.display()));
                return self.wait(why);
            }
        }
    }

    /// There is nothing to show now: another program may be writing the file, for as long as a source may be silent.
    fn wait(&mut self, why: SourceError) -> Result<Next, SourceError> {
        let since = *self.waiting.get_or_insert_with(now);
        if now().since(since) < STALL { Ok(Next::Nothing) } else { Err(why) }
    }
}

impl Film {
    fn new(file: File) -> Self {
        let (pictures, chunk) = (Pictures::default(), vec![0; CHUNK]);
        Self { file, pictures, chunk, over: false, any: false, told_broken: 0 }
    }

    fn read(&mut self) -> io::Result<usize> {
        let n = loop {
            match self.file.read(&mut self.chunk) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.pictures.feed(self.chunk.get(..n).unwrap_or_default(), Micros(0));
        self.over = n == 0;
        Ok(n)
    }

    /// The next picture in what was read; of a file that is over, also one that has no end.
    fn next_picture(&mut self) -> Option<Jpeg<'_>> {
        let all = &mut |_| true;
        let next = if self.over { self.pictures.last_picture(all) } else { self.pictures.next_picture(all) };
        self.any |= next.is_some();
        next
    }

    fn first_size(&mut self) -> io::Result<Option<Size>> {
        let mut searched = 0;
        loop {
            if let Some(picture) = self.next_picture() {
                return Ok(Some(picture.size));
            }
            if self.over || searched > SEARCHED {
                return Ok(None);
            }
            searched += self.read()?;
        }
    }

    fn take_broken(&mut self) -> bool {
        let more = self.pictures.broken() > self.told_broken;
        self.told_broken += u64::from(more);
        more
    }
}
