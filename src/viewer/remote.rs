//! Setting the controls of a stream's camera from afar: a connection of a viewer that asks once and ends.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ViewerConfig;
use crate::error::{Error, Result};
use crate::frame::Picture;
use crate::hub::PROGRAM;
use crate::locate::{HubLocation, HubLocator};
use crate::names::check_name;
use crate::net::address::HubAddress;
use crate::net::link::{Link, LinkConfig, LinkState, LinkUser};
use crate::time::{Micros, now};
use crate::wire::camera_controls::{CameraControl, MOST, Problem, ProblemCause, SetControls, to_be_shown};
use crate::wire::control::{Ability, Control, Hello, Role, ViewRequest};

/// How long the answer may take once the hub has let us in: what the hub gives the publisher, and a moment.
const PATIENCE: Duration = Duration::from_secs(3);

/// The number of the only question.
const NUMBER: u64 = 1;

/// Sets controls of a stream's camera, or with nothing to set asks for them, and gives what they are then.
///
/// # Errors
/// The hub, the stream or its camera cannot be reached, or says no.
pub fn set_controls(
    config: &ViewerConfig,
    set: SetControls,
    given_up: &dyn Fn() -> bool,
) -> Result<Vec<CameraControl>> {
    check_name(&config.room).map_err(Error::Usage)?;
    if let Some(name) = &config.name {
        check_name(name).map_err(Error::Usage)?;
    }
    set.check().map_err(|problem| Error::Usage(problem.reason))?;
    let shared = Arc::new(Shared::default());
    let user = Asker {
        shared: shared.clone(),
        locator: HubLocator::new(HubLocation::Join(config.location.to_ask()))?,
        room: config.room.clone(),
        name: config.name.clone().unwrap_or_default(),
        set: SetControls { number: NUMBER, ..set },
        parts: Vec::new(),
        instance: fastrand::u64(1..),
    };
    // Who waits for an answer does not try for ever unless that is asked for.
    let retries = config.retries.or(Some(0));
    let _link = Link::start(LinkConfig { retries, trust: config.trust.clone() }, user)?;
    let mut state = shared.lock();
    loop {
        if let Some(answer) = state.answer.take() {
            return answer;
        }
        if given_up() {
            return Err(Error::Failed("interrupted".into()));
        }
        if state.asked.is_some_and(|at| now().since(at) >= PATIENCE) {
            return Err(Error::Unreachable("the stream's publisher does not answer: its camera may hang".into()));
        }
        let waited = shared.changed.wait_timeout(state, Duration::from_millis(50));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answer: Option<Result<Vec<CameraControl>>>,
    /// When the question was sent.
    asked: Option<Micros>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, answer: Result<Vec<CameraControl>>) {
        self.lock().answer.get_or_insert(answer);
        self.changed.notify_all();
    }
}

struct Asker {
    shared: Arc<Shared>,
    locator: HubLocator,
    room: String,
    name: String,
    set: SetControls,
    parts: Vec<CameraControl>,
    instance: u64,
}

fn error_of(problem: Problem) -> Error {
    let problem = problem.to_be_shown();
    match problem.cause {
        ProblemCause::NoControl | ProblemCause::Value | ProblemCause::ReadOnly => Error::Usage(problem.reason),
        ProblemCause::NoControls => Error::NoSource(problem.reason),
        ProblemCause::Denied | ProblemCause::Held => Error::Refused(problem.reason),
        ProblemCause::Silent => Error::Unreachable(problem.reason),
        ProblemCause::Busy | ProblemCause::Failed => Error::Failed(problem.reason),
    }
}

impl LinkUser for Asker {
    fn hub(&mut self) -> Result<HubAddress> {
        self.locator.find()
    }

    fn hello(&mut self) -> Hello {
        let request = ViewRequest::default();
        let hello = Hello::to_view(&self.room, &self.name, PROGRAM, request);
        Hello { role: Role::View, instance: self.instance, can: vec![Ability::Ack], ..hello }
    }

    fn state(&mut self, link: &LinkState) {
        let connected = *link == LinkState::Connected;
        self.parts.clear();
        self.shared.lock().asked = connected.then(now);
    }

    fn control(&mut self, control: Control) -> Vec<Control> {
        match control {
            Control::Welcome { can, .. } if can.contains(&Ability::Controls) => {
                return vec![Control::Set(self.set.clone())];
            }
            Control::Welcome { .. } => {
                let why = "this hub is of a version that sets no controls: take a newer one";
                self.shared.is(Err(Error::Refused(why.into())));
            }
            Control::Controls(list) if list.answers == NUMBER => {
                let left = MOST.saturating_sub(self.parts.len());
                self.parts.extend(list.controls.into_iter().take(left));
                if !list.more {
                    let controls = to_be_shown(std::mem::take(&mut self.parts));
                    self.shared.is(list.problem.map_or(Ok(controls), |problem| Err(error_of(problem))));
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn picture(&mut self, picture: Picture, _received: Micros) -> Option<Control> {
        Some(Control::Ack { sequence: picture.sequence, backlog: 0, waited: 0 })
    }

    fn over(&mut self, error: Error) {
        self.shared.is(Err(error));
    }
}
