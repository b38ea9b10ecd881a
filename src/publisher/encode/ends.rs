//! What the threads share that encode, and the watch over the one whose turn it is.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use mio::Waker;

use super::EncodedFrame;
use crate::frame::Frame;
use crate::jpeg::{Look, TOO_LONG, Watchdog};
use crate::mailbox::{Receiver, Sender};
use crate::publisher::Shared;
use crate::time::Micros;

/// What the threads share that encode: one at a time, and those that were given up go when they come back.
pub(in crate::publisher) struct Ends {
    pub(super) frames: Receiver<Frame>,
    pub(super) spent: crossbeam_channel::Sender<Frame>,
    pub(super) pictures: Sender<EncodedFrame>,
    pub(super) waker: Arc<Waker>,
    /// The number of the last frame.
    pub(super) sequence: AtomicU32,
    pub(super) watch: Watchdog,
}

impl Ends {
    pub(in crate::publisher) fn new(
        frames: Receiver<Frame>,
        spent: crossbeam_channel::Sender<Frame>,
        pictures: Sender<EncodedFrame>,
        waker: Arc<Waker>,
    ) -> Self {
        Self { frames, spent, pictures, waker, sequence: AtomicU32::new(0), watch: Watchdog::new(TOO_LONG) }
    }

    /// Looks at the thread that encodes; the number of the one that is to take its place. Viewers are told why they have no
    /// picture, until one was encoded.
    pub(super) fn look(&self, shared: &Shared, now: Micros) -> Option<u64> {
        let (turn, why) = match self.watch.look(now) {
            Look::Fine => return None,
            Look::Replace(turn) => {
                log::warn!("encoding a frame takes longer than {TOO_LONG:?}: it is left out");
                (Some(turn), format!("encoding a frame takes longer than {TOO_LONG:?}"))
            }
            Look::Hangs => {
                log::error!("encoding hangs: too many frames take longer than {TOO_LONG:?}");
                (None, "encoding hangs: start the sender anew".into())
            }
        };
        let mut state = shared.lock();
        state.counts.broken += u64::from(turn.is_some());
        state.encoder_fault = why;
        state.fresh = true;
        drop(state);
        shared.changed.notify_all();
        // It fails only when the link is gone.
        let _ = self.waker.wake();
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Demand, Encode};
    use super::*;
    use crate::frame::{PixelFormat, Size};
    use crate::mailbox::mailbox;
    use crate::publisher::PublisherConfig;
    use crate::time::now;

    #[test]
    fn viewers_are_told_of_an_encoder_that_hangs_until_another_thread_has_encoded() {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let ((_frames, taken), (pictures, _sent)) = (mailbox(), mailbox());
        let ends = Arc::new(Ends::new(taken, crossbeam_channel::bounded(1).0, pictures, waker));
        let shared = Arc::new(Shared::new(PublisherConfig::default(), None, None));
        let state = || shared.lock().report(&shared.config, now());
        let mut hung = Encode::new(shared.clone(), ends.clone(), 0).unwrap();
        // The call does not return before it was looked at three seconds later.
        let done = hung.codec(|_| {
            let begun = now();
            let looks = [0, 1, 2, 3].map(|n| ends.look(&shared, begun + n * Duration::from_millis(900)));
            assert_eq!(looks, [None, None, None, Some(1)]);
            Ok(())
        });
        assert_eq!((done, hung.given_up), (Err("the encoder took too long".into()), true));
        assert_eq!((state().fault.as_str(), state().broken), ("encoding a frame takes longer than 2s", 1));
        let mut next = Encode::new(shared.clone(), ends, 1).unwrap();
        let size = Size::new(64, 48);
        let data = vec![90; size.area()].into();
        let frame = Frame { data, size, format: PixelFormat::Gray, ..Frame::default() };
        next.frame(&frame, &Demand::default(), now());
        assert_eq!((state().fault.as_str(), state().size.as_str()), ("", "64x48"));
    }
}
