//! `/snapshot`: a picture of the full size, or of what the query asks for, captured after it was asked for where the source gives one in time. Who asks
//! watches for a while, so that a publisher that sleeps wakes up, and one that polls finds it awake.
//!
//! Of a slow stream it is the last picture, with its age; of a lost one there is none but the reason, unless the hub allows old
//! ones (`--stale-after`).

use std::sync::Arc;
use std::time::Duration;

use super::wanted::Wanted;
use super::{Answer, Body, Exchange, Outcome, Reply};
use crate::access::{Credentials, Grant, Right, Watch};
use crate::adapt::Target;
use crate::frame::{Codec, Picture};
use crate::hub::Shared;
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::time::{Micros, calendar, millis, now};
use crate::wire::control::Control;

/// A picture of a stream, or of the first there is in room `main`.
pub(in crate::hub) fn serve(exchange: &Exchange<'_>, which: Option<(&str, &str)>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let shared = exchange.shared;
    let key = which.map(|(room, name)| StreamKey::parse(room, name)).transpose();
    let key = key.map_err(|why| Answer::text(404, &why))?.unwrap_or_else(|| StreamKey::new("main", ""));
    let target = Wanted::of(exchange)?.target();
    let who = exchange.credentials();
    let mut grant = shared.access.watch(&who, key)?;
    // Only whoever may watch the room is told what is in it.
    if grant.0.name.is_empty() {
        let first = shared.registry().rooms.first(&grant.0.room);
        let first = first.ok_or_else(|| Answer::unavailable("nobody publishes in room main"))?;
        grant = shared.access.watch(&who, first)?;
    }
    Snapshot::begin(shared, grant, who, target, now())
}

/// The picture that there was of a lost stream, if the hub allows one so old; otherwise why there is none.
fn lost(shared: &Shared, key: &StreamKey, why: &str, now: Micros) -> Answer {
    let last = shared.last_pictures.get(key, now);
    last.map_or_else(|| Answer::unavailable(&format!("{key}: {why}")), |picture| open(picture, now))
}

/// A picture that is waited for. While it is, the stream tells admission of each new one.
pub(in crate::hub) struct Snapshot {
    shared: Arc<Shared>,
    grant: Grant<Watch>,
    who: Credentials,
    stream: Arc<Stream>,
    target: Target,
    asked: Micros,
    until: Micros,
}

impl Snapshot {
    /// Asks for a picture of this stream, or says why there is none.
    fn begin(shared: &Arc<Shared>, grant: Grant<Watch>, who: Credentials, target: Target, asked: Micros) -> Outcome {
        let key = &grant.0;
        if let Err(why) = is_live(shared, key, asked) {
            // One that was silent when it was asked last is asked again, as by any viewer, unless somebody is just asking.
            if shared.is_free(key) || !shared.stream(key).pictures().may_be_asked_anew() {
                return Err(lost(shared, key, &why, asked));
            }
            if let Some(last) = shared.last_pictures.get(key, asked) {
                shared.poll(&grant, target)?;
                return Ok(open(last, asked).into());
            }
        }
        let stream = shared.stream(key);
        let until = asked + stream.pictures().still(target, asked).1;
        stream.add_viewer(shared.admission_index());
        Ok(Reply::Snapshot(Self { shared: shared.clone(), grant, who, stream, target, asked, until }))
    }

    /// The number of the stream that it is of.
    pub(in crate::hub) fn stream(&self) -> u64 {
        self.stream.id
    }

    /// The answer, if it is known by now. To be asked when a picture has come, and now and then while none does.
    pub(in crate::hub) fn look(&self, now: Micros) -> Option<Answer> {
        // A link may end while it waits.
        if let Err(denied) = self.shared.access.ask(&self.who, Right::Watch(&self.grant.0)) {
            return Some(denied.into());
        }
        if now < self.until {
            // Whoever waits still wants it: a camera that takes seconds to open must not be sent to sleep meanwhile.
            if let Err(refusal) = self.shared.poll(&self.grant, self.target) {
                return Some(Answer::unavailable(&refusal.to_string()));
            }
            self.stream.has_looked(self.shared.admission_index());
            let found = self.stream.pictures().snapshot(self.target, self.asked);
            if let Some(picture) = found {
                return answer(&self.shared, picture, now);
            }
            // A camera that cannot be opened says so soon. That it was silent before is what is just being asked anew.
            let why = is_live(&self.shared, &self.grant.0, now).err()?;
            let was_silent = || self.stream.pictures().silence.silent().is_some_and(|silent| silent.since < self.asked);
            let may_come = !self.shared.is_free(&self.grant.0) && was_silent();
            return (!may_come).then(|| lost(&self.shared, &self.grant.0, &why, now));
        }
        // None came; there may be one from before, which says how old it is.
        let (picture, _) = self.stream.pictures().still(self.target, self.asked);
        let none = || format!("no picture came within {} s", self.until.since(self.asked).as_secs());
        match is_live(&self.shared, &self.grant.0, now).and_then(|()| picture.ok_or_else(none)) {
            Ok(picture) => answer(&self.shared, picture, now),
            Err(why) => Some(lost(&self.shared, &self.grant.0, &why, now)),
        }
    }
}

/// Whether pictures of a stream come when somebody asks; if not, why.
fn is_live(shared: &Shared, key: &StreamKey, now: Micros) -> Result<(), String> {
    match shared.registry().rooms.state(key, now) {
        Some(Control::State(state)) if state.live => Ok(()),
        Some(Control::State(state)) if !state.reason.is_empty() => Err(state.reason),
        // A person may have switched the camera off.
        Some(Control::State(state)) if state.published => Err("no picture comes".into()),
        _ => Err("nobody publishes this".into()),
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.stream.remove_viewer(self.shared.admission_index());
    }
}

/// The answer with this picture. In the place of a sealed one, which nobody opens who asks so, comes the placeholder, with a
/// status by which programs do not take it for the camera's; `None` as long as that is not painted.
fn answer(shared: &Shared, picture: Arc<Picture>, now: Micros) -> Option<Answer> {
    if picture.codec == Codec::Sealed {
        let stand_in = shared.placeholders.sealed(picture.sequence)?;
        return Some(Answer::new(403, "image/jpeg", Body::Picture(stand_in)));
    }
    Some(open(picture, now))
}

fn open(picture: Arc<Picture>, now: Micros) -> Answer {
    let age = now.since(picture.captured);
    let taken = crate::net::layout::unix_time().saturating_sub(age);
    let fields = format!(
        "Age: {}\r\nLast-Modified: {}\r\nX-Timestamp: {}.{:06}\r\nX-Age-Ms: {:.3}\r\nX-Sequence: {}\r\n",
        // Never younger than it is.
        age.as_micros().div_ceil(1_000_000),
        calendar(Duration::from_secs(taken.as_secs())).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        taken.as_secs(),
        taken.subsec_micros(),
        millis(age),
        picture.sequence
    );
    // Nobody told when it was taken, or by a clock that is not known well.
    let estimated = if picture.estimated || picture.arrival { "X-Age-Estimated: 1\r\n" } else { "" };
    Answer::new(200, "image/jpeg", Body::Picture(picture)).with(fields + estimated)
}
