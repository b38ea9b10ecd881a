//! Who asks for the controls of a stream or sets them, and what its publisher answers. The publisher is asked when somebody looks, once
//! a second at most however many do; what it said last is good for that long.

use std::sync::Arc;
use std::time::Duration;

use super::ConnectionId;
use crate::time::Micros;
use crate::wire::camera_controls::{CameraControl, ControlList, MOST, Problem, ProblemCause, SetControls, to_be_shown};

/// How long a publisher may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// So long what it said is good.
const FRESH: Duration = Duration::from_secs(1);
/// Who may wait for one publisher at once.
const WAITING: usize = 16;

/// A viewer's own question: its connection, and the number that it gave.
type Viewer = (ConnectionId, u64);

/// What was asked of the publisher.
#[derive(Debug)]
struct Question {
    number: u64,
    at: Micros,
    reads: bool,
    viewer: Option<Viewer>,
    answered: Option<Option<Problem>>,
}

/// What becomes of a question.
#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    /// The answer is known.
    Known(Arc<Vec<CameraControl>>),
    /// It comes under this number; this is to be told to the publisher, if it is not asked already.
    Waits(u64, Option<(ConnectionId, SetControls)>),
}

/// An answer: the controls as they are, or why something was not done.
pub(crate) type Answer = Result<Arc<Vec<CameraControl>>, Problem>;

/// The questions to one stream's publisher.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    /// Who publishes, if it has controls.
    publisher: Option<ConnectionId>,
    last: u64,
    questions: Vec<Question>,
    /// The parts of an answer that have come.
    parts: Vec<CameraControl>,
    latest: Option<(Micros, Arc<Vec<CameraControl>>)>,
}

impl Steering {
    /// A publisher begins; whether it has controls.
    pub(crate) fn begin(&mut self, publisher: ConnectionId, has_controls: bool) {
        *self = Self { publisher: has_controls.then_some(publisher), last: self.last, ..Self::default() };
    }

    /// Whether this publisher, which is the stream's now, has controls.
    pub(crate) fn has_controls(&self, publisher: ConnectionId) -> bool {
        self.publisher == Some(publisher)
    }

    /// Somebody asks; `publisher` is who publishes the stream now.
    ///
    /// # Errors
    /// It has no controls, or too many ask.
    pub(crate) fn ask(
        &mut self,
        set: SetControls,
        publisher: Option<ConnectionId>,
        viewer: Option<Viewer>,
        now: Micros,
    ) -> Result<Asked, Problem> {
        let none = "it has no controls: its source has none, its publisher is of a version before, or posts pictures";
        let publisher = publisher.filter(|publisher| self.has_controls(*publisher));
        let publisher = publisher.ok_or_else(|| Problem::new(ProblemCause::NoControls, none))?;
        self.questions.retain(|question| now.since(question.at) < PATIENCE + FRESH);
        let reads = set.only_reads();
        if reads {
            if let Some((_, list)) = self.latest.as_ref().filter(|(at, _)| now.since(*at) < FRESH) {
                return Ok(Asked::Known(list.clone()));
            }
            let is_asked = |question: &&Question| {
                question.reads && question.answered.is_none() && now.since(question.at) < PATIENCE
            };
            if let Some(question) = self.questions.iter().find(is_asked).filter(|_| viewer.is_none()) {
                return Ok(Asked::Waits(question.number, None));
            }
        }
        if self.questions.iter().filter(|question| question.answered.is_none()).count() >= WAITING {
            return Err(Problem::new(ProblemCause::Busy, "too many set its controls at once: try again in a second"));
        }
        self.last += 1;
        let number = self.last;
        self.questions.push(Question { number, at: now, reads, viewer, answered: None });
        // What it was is not so any more when this is answered.
        if !reads {
            self.latest = None;
        }
        Ok(Asked::Waits(number, Some((publisher, SetControls { number, ..set }))))
    }

    /// A publisher answers. What is to be told to a viewer that asked; `None` in the outer place: it is not whole yet, or nobody
    /// asked.
    pub(crate) fn answer(
        &mut self,
        publisher: ConnectionId,
        list: ControlList,
        now: Micros,
    ) -> Option<Option<(Viewer, Answer)>> {
        if !self.has_controls(publisher) {
            return None;
        }
        let left = MOST.saturating_sub(self.parts.len());
        self.parts.extend(list.controls.into_iter().take(left));
        if list.more {
            return None;
        }
        let controls = Arc::new(to_be_shown(std::mem::take(&mut self.parts)));
        if !controls.is_empty() {
            self.latest = Some((now, controls.clone()));
        }
        let problem = list.problem.map(Problem::to_be_shown);
        let question = self.questions.iter_mut().find(|question| question.number == list.answers)?;
        question.answered = Some(problem.clone());
        Some(question.viewer.map(|viewer| (viewer, problem.map_or(Ok(controls), Err))))
    }

    /// The answer to a question, once it is known. The last word is that the publisher is silent.
    pub(crate) fn look(&self, number: u64, now: Micros) -> Option<Answer> {
        let silent = |why: &str| Some(Err(Problem::new(ProblemCause::Silent, why)));
        let Some(question) = self.questions.iter().find(|question| question.number == number) else {
            return silent("its publisher is gone, or another one");
        };
        match &question.answered {
            Some(Some(problem)) => Some(Err(problem.clone())),
            Some(None) => match &self.latest {
                Some((_, list)) => Some(Ok(list.clone())),
                // Somebody else has set something meanwhile; its answer has the list.
                None if now.since(question.at) < PATIENCE => None,
                None => silent("its publisher does not say how its controls are"),
            },
            None if now.since(question.at) < PATIENCE => None,
            None => silent("its publisher has not answered within 2 s: the camera may hang"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHER: ConnectionId = 7;
    const START: Micros = Micros(1_000_000);

    fn after(ms: u64) -> Micros {
        START + Duration::from_millis(ms)
    }

    fn steering() -> Steering {
        let mut steering = Steering::default();
        steering.begin(PUBLISHER, true);
        steering
    }

    fn list(answers: u64, names: &[&str]) -> ControlList {
        let control = |name: &&str| CameraControl { name: (*name).into(), max: 9, ..CameraControl::default() };
        ControlList { answers, controls: names.iter().map(control).collect(), ..ControlList::default() }
    }

    fn read() -> SetControls {
        SetControls::default()
    }

    fn reset() -> SetControls {
        SetControls { reset: true, ..SetControls::default() }
    }

    #[test]
    fn however_many_look_the_publisher_is_asked_once_a_second_at_most() {
        let mut steering = steering();
        let mut told = 0;
        for ms in 0..3000 {
            for _ in 0..5 {
                if let Asked::Waits(number, Some(_)) = steering.ask(read(), Some(PUBLISHER), None, after(ms)).unwrap() {
                    told += 1;
                    steering.answer(PUBLISHER, list(number, &["gain"]), after(ms));
                }
            }
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn a_publisher_that_does_not_answer_is_told_of_after_two_seconds() {
        let mut steering = steering();
        let Asked::Waits(number, Some(_)) = steering.ask(reset(), Some(PUBLISHER), None, START).unwrap() else {
            panic!()
        };
        assert_eq!(steering.look(number, after(1999)), None);
        let Some(Err(problem)) = steering.look(number, after(2000)) else { panic!() };
        assert_eq!(problem.cause, ProblemCause::Silent);
        // Another connection of it is asked nothing that is answered there.
        steering.begin(PUBLISHER + 1, true);
        assert!(matches!(steering.look(number, after(1)), Some(Err(_))));
    }

    #[test]
    fn a_list_in_parts_is_put_together_and_what_nobody_asked_for_is_no_answer() {
        let mut steering = steering();
        let Asked::Waits(number, _) = steering.ask(read(), Some(PUBLISHER), None, START).unwrap() else { panic!() };
        assert_eq!(steering.answer(PUBLISHER, ControlList { more: true, ..list(number, &["a"]) }, START), None);
        assert_eq!(steering.look(number, START), None);
        assert_eq!(steering.answer(PUBLISHER + 1, list(number, &["evil"]), START), None, "of another connection");
        assert_eq!(steering.answer(PUBLISHER, list(number, &["b", "B!"]), START), Some(None));
        let names: Vec<_> = steering.look(number, START).unwrap().unwrap().iter().map(|c| c.name.clone()).collect();
        assert_eq!(names, ["a", "b"], "what is no name is left out");
        assert_eq!(steering.answer(PUBLISHER, list(99, &["c"]), START), None);
    }

    #[test]
    fn a_publisher_without_controls_is_asked_nothing_and_nobody_waits_without_bound() {
        let mut steering = Steering::default();
        steering.begin(PUBLISHER, false);
        assert_eq!(steering.ask(read(), Some(PUBLISHER), None, START).unwrap_err().cause, ProblemCause::NoControls);
        steering.begin(PUBLISHER, true);
        assert_eq!(steering.ask(read(), None, None, START).unwrap_err().cause, ProblemCause::NoControls);
        for _ in 0..WAITING {
            steering.ask(reset(), Some(PUBLISHER), None, START).unwrap();
        }
        assert_eq!(steering.ask(reset(), Some(PUBLISHER), None, START).unwrap_err().cause, ProblemCause::Busy);
        assert!(steering.ask(reset(), Some(PUBLISHER), None, after(3000)).is_ok());
    }

    #[test]
    fn a_viewer_gets_the_answer_to_its_own_question() {
        let mut steering = steering();
        let viewer = Some((9, 3));
        let Asked::Waits(number, Some((to, set))) = steering.ask(reset(), Some(PUBLISHER), viewer, START).unwrap()
        else {
            panic!()
        };
        assert_eq!((to, set.number, set.reset), (PUBLISHER, number, true));
        let problem = Problem::new(ProblemCause::Held, "held\x1b");
        let answered =
            steering.answer(PUBLISHER, ControlList { problem: Some(problem), ..list(number, &["a"]) }, START);
        let Some(Some((told, Err(problem)))) = answered else { panic!("{answered:?}") };
        assert_eq!((told, problem.reason.as_str()), ((9, 3), r"held\u{1b}"));
    }
}
