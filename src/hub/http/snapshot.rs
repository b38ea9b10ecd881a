//! `/snapshot`: a picture of the full size, captured after it was asked for where the source gives one in time. Who asks
//! watches for a while, so that a publisher that sleeps wakes up, and one that polls finds it awake.

use std::sync::Arc;

use super::{Answer, Body, Exchange, Outcome, Reply};
use crate::access::{Grant, Watch};
use crate::frame::Picture;
use crate::hub::Shared;
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::time::{Micros, millis, now};
use crate::wire::control::Control;

/// A picture of a stream, or of the first there is in room `main`.
pub(in crate::hub) fn serve(exchange: &Exchange<'_>, which: Option<(&str, &str)>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let shared = exchange.shared;
    let key = which.map(|(room, name)| StreamKey::parse(room, name)).transpose();
    let key = key.map_err(|why| Answer::text(404, &why))?.or_else(|| shared.registry().rooms.first("main"));
    let key = key.ok_or_else(|| Answer::unavailable("nobody publishes in room main"))?;
    let grant = shared.access.watch(&exchange.credentials(), key)?;
    Snapshot::begin(shared, grant, now()).map(Reply::Snapshot).map_err(|why| Answer::unavailable(&why))
}

/// A picture that is waited for. While it is, the stream tells admission of each new one.
pub(in crate::hub) struct Snapshot {
    shared: Arc<Shared>,
    grant: Grant<Watch>,
    stream: Arc<Stream>,
    asked: Micros,
    until: Micros,
}

impl Snapshot {
    /// Asks for a picture of this stream, or says why there is none.
    fn begin(shared: &Arc<Shared>, grant: Grant<Watch>, asked: Micros) -> Result<Self, String> {
        let key = &grant.0;
        let state = shared.registry().rooms.state(key, asked);
        match state {
            // One that was silent when it was asked last is asked again, as by any viewer, unless somebody is just asking.
            Some(Control::State(state))
                if state.live || state.published && shared.stream(key).pictures().was_silent() => {}
            Some(Control::State(state)) if !state.reason.is_empty() => return Err(format!("{key}: {}", state.reason)),
            _ => return Err(format!("{key}: nobody publishes this")),
        }
        let stream = shared.stream(key);
        let until = asked + stream.pictures().still(asked).1;
        stream.add_viewer(shared.admission_index());
        Ok(Self { shared: shared.clone(), grant, stream, asked, until })
    }

    /// The number of the stream that it is of.
    pub(in crate::hub) fn stream(&self) -> u64 {
        self.stream.id
    }

    /// The answer, if it is known by now. To be asked when a picture has come, and now and then while none does.
    pub(in crate::hub) fn look(&self, now: Micros) -> Option<Answer> {
        if now < self.until {
            // Whoever waits still wants it: a camera that takes seconds to open must not be sent to sleep meanwhile.
            if let Err(refusal) = self.shared.poll(&self.grant) {
                return Some(Answer::unavailable(&refusal.to_string()));
            }
            self.stream.has_looked(self.shared.admission_index());
            let found = self.stream.pictures().snapshot(self.asked);
            return found.map(|picture| answer(picture, now));
        }
        // None came; there may be one from before, which says how old it is.
        let none = || {
            let seconds = self.until.since(self.asked).as_secs();
            Answer::unavailable(&format!("{}: no picture came within {seconds} s", self.grant.0))
        };
        let (picture, _) = self.stream.pictures().still(self.asked);
        Some(picture.map_or_else(none, |picture| answer(picture, now)))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.stream.remove_viewer(self.shared.admission_index());
    }
}

fn answer(picture: Arc<Picture>, now: Micros) -> Answer {
    let age = now.since(picture.captured);
    let taken = crate::net::layout::unix_time().saturating_sub(age);
    let fields = format!(
        "X-Timestamp: {}.{:06}\r\nX-Age-Ms: {:.3}\r\nX-Sequence: {}\r\n",
        taken.as_secs(),
        taken.subsec_micros(),
        millis(age),
        picture.sequence
    );
    Answer::new(200, "image/jpeg", Body::Picture(picture)).with(fields)
}
