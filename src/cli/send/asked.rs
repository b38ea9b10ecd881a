//! What somebody asked for that a source does not do: it is said, for the picture is another one than they think.

use crate::frame::{Frame, Size};
use crate::source::{CaptureRequest, ControlPanel, Next, Opened, Source, SourceError};

/// A source, and the size that was asked for in words.
pub(super) struct Asked {
    source: Box<dyn Source>,
    size: Option<Size>,
}

impl Asked {
    pub(super) fn new(source: Box<dyn Source>, size: Option<Size>) -> Self {
        Self { source, size }
    }
}

/// What there is to say of a source that was opened, once.
fn unlike(opened: &Opened, size: Size) -> Option<String> {
    let passes = !opened.scale && opened.size != size;
    passes.then(|| format!("--size {size} is for cameras: the pictures of {} pass in their own size", opened.name))
}

impl Source for Asked {
    fn open(&mut self, request: &CaptureRequest) -> Result<Opened, SourceError> {
        let opened = self.source.open(request)?;
        if let Some(why) = self.size.take().and_then(|size| unlike(&opened, size)) {
            log::warn!("{why}");
        }
        Ok(opened)
    }

    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        self.source.next(frame)
    }

    fn close(&mut self) {
        self.source.close();
    }

    fn controls(&self) -> Option<Box<dyn ControlPanel>> {
        self.source.controls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_a_source_does_not_take_is_said() {
        let size = Size::new(320, 240);
        let mut opened = Opened { name: "film.mjpg".into(), ..Opened::default() };
        assert!(unlike(&opened, size).unwrap().contains("film.mjpg"));
        opened.scale = true;
        assert_eq!(unlike(&opened, size), None);
        (opened.scale, opened.size) = (false, size);
        assert_eq!(unlike(&opened, size), None);
    }
}
