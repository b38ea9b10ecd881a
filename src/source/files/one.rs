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
    /// What is under way of the JPEGs of a file, of any length: no more than one of them is in memory.
    pictures: Pictures,
    told_broken: u64,
    chunk: Vec<u8>,
    /// The last PNG, and of which file it was decoded.
    png: Option<(Stamp, Vec<u8>, Size)>,
    /// Since when there is nothing to show.
    waiting: Option<Micros>,
}

/// What tells a file from the one that was there before under its name.
type Stamp = (Option<SystemTime>, u64);

/// From the beginning of a file to its end.
enum Round {
    /// JPEGs one after the other: whether all was read, and whether any came.
    Film { file: File, over: bool, any: bool },
    /// The picture in `png`, and whether it was shown.
    Png { shown: bool },
}

impl OneFile {
    /// Looks for the first picture: what it is, and how large.
    pub(super) fn open(path: &Path, once: bool) -> Result<(Self, PixelFormat, Size), SourceError> {
        let (pictures, chunk) = (Pictures::default(), vec![0; CHUNK]);
        let path = path.to_owned();
        let mut this = Self { path, once, round: None, pictures, told_broken: 0, chunk, png: None, waiting: None };
        let (format, size) = match (this.begin_round()?, &this.png) {
            (Round::Film { mut file, .. }, _) => (PixelFormat::Jpeg, this.first_size(&mut file)?),
            (Round::Png { .. }, png) => (PixelFormat::Rgb, png.as_ref().map(|png| png.2)),
        };
        let size = size.ok_or_else(|| this.without_picture())?;
        // It begins again when it is shown.
        this.told_broken = this.pictures.broken();
        Ok((this, format, size))
    }

    fn first_size(&mut self, file: &mut File) -> Result<Option<Size>, SourceError> {
        let mut searched = 0;
        loop {
            let n = self.read(file)?;
            searched += n;
            if let Some(picture) = self.picture(n == 0) {
                return Ok(Some(picture.size));
            }
            if n == 0 || searched > SEARCHED {
                return Ok(None);
            }
        }
    }

    /// Reads more of the file; how much.
    fn read(&mut self, file: &mut File) -> Result<usize, SourceError> {
        let n = loop {
            match file.read(&mut self.chunk) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|e| unreadable(&self.path, &e))?,
            }
        };
        self.pictures.feed(self.chunk.get(..n).unwrap_or_default(), Micros(0));
        Ok(n)
    }

    /// The next picture in what was read; of a file that is over, also one that has no end.
    fn picture(&mut self, over: bool) -> Option<Jpeg<'_>> {
        let all = &mut |_| true;
        if over { self.pictures.last_picture(all) } else { self.pictures.next_picture(all) }
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
            self.pictures.reset();
            return Ok(Round::Film { file, over: false, any: false });
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
            let shown = match self.round.take() {
                None => match self.begin_round() {
                    Ok(round) => {
                        self.round = Some(round);
                        continue;
                    }
                    Err(why) => return self.wait(why),
                },
                Some(Round::Png { shown }) => {
                    if let (false, Some((_, pixels, size))) = (shown, &self.png) {
                        put_pixels(frame, pixels, *size);
                        self.waiting = None;
                        self.round = Some(Round::Png { shown: true });
                        return Ok(Next::Frame);
                    }
                    true
                }
                Some(Round::Film { mut file, over, any }) => {
                    if let Some(picture) = self.picture(over) {
                        frame.data.clear();
                        frame.data.extend_from_slice(picture.data);
                        frame.format = PixelFormat::Jpeg;
                        frame.size = picture.size;
                        self.waiting = None;
                        self.round = Some(Round::Film { file, over, any: true });
                        return Ok(Next::Frame);
                    }
                    if self.pictures.broken() > self.told_broken {
                        self.told_broken += 1;
                        self.round = Some(Round::Film { file, over, any });
                        return Ok(Next::Broken);
                    }
                    if !over {
                        let over = self.read(&mut file)? == 0;
                        self.round = Some(Round::Film { file, over, any });
                        if now() > deadline {
                            return Ok(Next::Nothing); // much rubbish; it goes on from here
                        }
                        continue;
                    }
                    any
                }
            };
            if self.once {
                // It stays over.
                self.round = Some(Round::Png { shown: true });
                return Ok(Next::End);
            }
            if !shown {
                return self.wait(SourceError::Lost(format!("no JPEG picture in {}", self.path.display())));
            }
        }
    }

    /// There is nothing to show now: another program may be writing the file, for as long as a source may be silent.
    fn wait(&mut self, why: SourceError) -> Result<Next, SourceError> {
        let since = *self.waiting.get_or_insert_with(now);
        if now().since(since) < STALL { Ok(Next::Nothing) } else { Err(why) }
    }
}
