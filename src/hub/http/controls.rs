//! `/api/streams/ROOM/NAME/controls`: what can be set at a stream's camera, as JSON, and setting it.

use std::sync::Arc;

use serde_json::json;

use super::{Answer, BodyWanted, Exchange, Outcome, Reply, Waited};
use crate::access::Right;
use crate::hub::stream::Stream;
use crate::names::StreamKey;
use crate::relay::steering::Asked;
use crate::time::{Micros, now};
use crate::wire::body::Length;
use crate::wire::camera_controls::{CameraControl, Problem, ProblemCause, SetControls};

/// The longest body.
const LONGEST: usize = 16 << 10;

/// Makes an answer of a list.
type AsAnswer = dyn Fn(&[CameraControl]) -> Answer + Send;

/// How one of the ways in says what there is, and why something cannot be.
pub(super) struct Says {
    pub(super) answer: Box<AsAnswer>,
    pub(super) refusal: fn(u16, &str) -> Answer,
}

fn in_json() -> Says {
    Says { answer: Box::new(|list| Answer::json(200, &json!({ "controls": list }))), refusal: refuse }
}

/// The controls of a stream.
pub(in crate::hub) fn read(exchange: &Exchange<'_>, room: &str, name: &str) -> Outcome {
    exchange.takes("GET, HEAD, POST")?;
    let key = StreamKey::parse(room, name).map_err(|why| refuse(404, &why))?;
    exchange.shared.access.watch(&exchange.credentials(), key.clone())?;
    Ok(ask(exchange, &key, SetControls::default(), in_json()).into())
}

/// Sets what the body says, JSON or a form, or where there is none the query.
pub(in crate::hub) fn set(exchange: &Exchange<'_>, room: &str, name: &str) -> Outcome {
    let key = StreamKey::parse(room, name).map_err(|why| refuse(404, &why))?;
    exchange.shared.access.operate(&exchange.credentials(), key.clone())?;
    if matches!(exchange.request.length(), None | Some(Length::Bytes(0))) {
        let set = SetControls::from_form(&exchange.request.query);
        return Ok(act(exchange, &key, set).into());
    }
    let kind = exchange.request.field("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_form = kind.contains("x-www-form-urlencoded");
    let then = Box::new(move |exchange: &Exchange<'_>, body: Vec<u8>| {
        // A link may have ended while the body came.
        if let Err(denied) = exchange.shared.access.ask(&exchange.credentials(), Right::Operate(&key)) {
            return Answer::from(denied).into();
        }
        // curl says that everything is a form.
        let is_json = !is_form || body.trim_ascii_start().starts_with(b"{");
        let set = if is_json {
            SetControls::from_json(&body)
        } else {
            SetControls::from_form(&String::from_utf8_lossy(&body))
        };
        act(exchange, &key, set)
    });
    Ok(Reply::Body(BodyWanted { limit: LONGEST, refuse, then }))
}

fn act(exchange: &Exchange<'_>, key: &StreamKey, set: Result<SetControls, Problem>) -> Waited {
    match set {
        Ok(set) => ask(exchange, key, set, in_json()),
        Err(problem) => refuse(status(problem.cause), &problem.reason).into(),
    }
}

/// Asks the publisher, or says what is known.
pub(super) fn ask(exchange: &Exchange<'_>, key: &StreamKey, set: SetControls, says: Says) -> Waited {
    match exchange.shared.ask_for_controls(key, set, None, now()) {
        Ok((_, Asked::Known(list))) => (says.answer)(&list).into(),
        Ok((stream, Asked::Waits(number, _))) => Waited::Controls(ControlsAsked { stream, number, says }),
        Err(problem) => (says.refusal)(status(problem.cause), &problem.reason).into(),
    }
}

fn refuse(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "error": why }))
}

fn status(cause: ProblemCause) -> u16 {
    match cause {
        ProblemCause::NoControl | ProblemCause::Value | ProblemCause::ReadOnly => 400,
        ProblemCause::Held => 409,
        ProblemCause::NoControls => 404,
        ProblemCause::Denied => 403,
        ProblemCause::Silent => 504,
        ProblemCause::Busy | ProblemCause::Failed => 503,
    }
}

/// Controls that are waited for. The stream tells admission when they come.
pub(in crate::hub) struct ControlsAsked {
    stream: Arc<Stream>,
    number: u64,
    says: Says,
}

impl ControlsAsked {
    /// The number of the stream that they are of.
    pub(in crate::hub) fn stream(&self) -> u64 {
        self.stream.id
    }

    /// The answer, if it is known by now.
    pub(in crate::hub) fn look(&self, now: Micros) -> Option<Answer> {
        Some(match self.stream.steering().look(self.number, now)? {
            Ok(list) => (self.says.answer)(&list),
            Err(problem) => {
                let why = format!("{}: {}", self.stream.key, problem.reason);
                (self.says.refusal)(status(problem.cause), &why)
            }
        })
    }
}
