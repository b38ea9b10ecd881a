//! `--skip-same`: a picture that has not changed is not sent again.

use std::time::Duration;

use crate::adapt::Rung;
use crate::frame::Frame;
use crate::time::Micros;

/// How long a still picture is not sent again at most: viewers see that the stream lives, and a hub takes a picture for
/// fresh so long.
pub(super) const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// The last frame that was sent, to compare the next one with.
///
/// Compared byte by byte, which costs nothing where the first line differs and 30 µs for 640x480 where none does. A
/// camera's noise makes every frame another one; grabbed screens, slides, and cameras that repeat themselves are what
/// this is for. Taking nearly the same for the same was rejected: what it would leave out may be what somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Unchanged {
    last: Option<(Frame, Micros, Vec<Rung>)>,
}

impl Unchanged {
    /// Whether this frame need not be sent: viewers have it, at the rungs they want, since less than a second.
    /// `interval` is the time until the next frame.
    pub(super) fn is(&self, frame: &Frame, rungs: &[Rung], interval: Duration, now: Micros) -> bool {
        self.last.as_ref().is_some_and(|(last, sent, had)| {
            now.since(*sent) + interval <= AT_LEAST_EVERY
                && had == rungs
                && (last.format, last.size, last.range) == (frame.format, frame.size, frame.range)
                && last.metadata == frame.metadata
                && last.data[..] == frame.data[..]
        })
    }

    /// This frame was sent; gives the one before back, to be filled again.
    pub(super) fn sent(&mut self, frame: Frame, rungs: &[Rung], now: Micros) -> Option<Frame> {
        self.last.replace((frame, now, rungs.to_vec())).map(|(frame, ..)| frame)
    }

    /// Nobody has it any more.
    pub(super) fn forget(&mut self) -> Option<Frame> {
        self.last.take().map(|(frame, ..)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    fn frame(byte: u8) -> Frame {
        let mut frame = Frame::default();
        frame.data.resize(100, byte);
        frame
    }

    fn at(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1000)
    }

    #[test]
    fn a_still_picture_is_sent_once_a_second_and_a_change_at_once() {
        let mut unchanged = Unchanged::default();
        let mut sent = Vec::new();
        for i in 0..90_u64 {
            let picture = frame(u8::from(i >= 50));
            if !unchanged.is(&picture, &[], INTERVAL, at(i * 33)) {
                unchanged.sent(picture, &[], at(i * 33));
                sent.push(i);
            }
        }
        assert_eq!(sent, [0, 30, 50, 80]);
    }

    #[test]
    fn who_wants_another_rung_has_it_at_once_however_still_the_picture() {
        let mut unchanged = Unchanged::default();
        unchanged.sent(frame(0), &[Rung::default()], at(0));
        assert!(unchanged.is(&frame(0), &[Rung::default()], INTERVAL, at(33)));
        let small = Rung { bytes: 4_000, ..Rung::default() };
        assert!(!unchanged.is(&frame(0), &[Rung::default(), small], INTERVAL, at(33)));
        unchanged.forget();
        assert!(!unchanged.is(&frame(0), &[Rung::default()], INTERVAL, at(33)));
    }

    #[test]
    fn the_same_pixels_with_other_metadata_are_another_picture() {
        let mut unchanged = Unchanged::default();
        unchanged.sent(frame(0), &[], at(0));
        assert!(!unchanged.is(&Frame { metadata: Some("{}".into()), ..frame(0) }, &[], INTERVAL, at(33)));
    }
}
