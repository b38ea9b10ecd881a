//! Whether a hub lives: each thread that pictures or newcomers wait for is asked, and answers when its turn comes.
//!
//! A thread of its own that says "alive" would go on while a loop hangs. A question in the inbox of a loop is answered by nothing but
//! that loop, between two rounds of its work, and costs nothing while nobody asks.

use super::answers::Answers;
use super::{Hub, admission, deliver};

/// A question to all threads of a hub that serve somebody.
#[derive(Debug)]
pub(crate) struct RollCall {
    answers: Answers,
    asked: usize,
}

impl RollCall {
    /// Whether all have answered.
    pub(crate) fn is_complete(&self) -> bool {
        self.answers.count() >= self.asked
    }
}

impl Hub {
    /// Asks all threads that serve somebody for a sign of life. To be asked again when all have answered, for a question waits in the
    /// inbox of who does not.
    pub(crate) fn roll_call(&self) -> RollCall {
        let answers = Answers::default();
        for handle in &self.shared.loops {
            handle.command(deliver::Command::Answer(answers.clone()));
        }
        self.shared.admission.command(admission::Command::Answer(answers.clone()));
        RollCall { answers, asked: self.shared.loops.len() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::hub::HubConfig;

    /// How long anything may take that is to happen at all.
    const LONG: Duration = Duration::from_secs(30);

    fn completes(call: &RollCall) -> bool {
        let until = Instant::now() + LONG;
        while !call.is_complete() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        call.is_complete()
    }

    #[test]
    fn a_hub_with_a_loop_that_hangs_is_not_taken_for_alive() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let hub = Hub::start(HubConfig { listen, threads: 2, ..HubConfig::default() }).unwrap();
        assert!(completes(&hub.roll_call()));
        let (go_on, waits) = crossbeam_channel::bounded::<()>(0);
        hub.shared.loops[1].command(deliver::Command::Hang(waits));
        let call = hub.roll_call();
        // All others have answered by the time that they answer a second question.
        let others = Answers::default();
        hub.shared.loops[0].command(deliver::Command::Answer(others.clone()));
        hub.shared.admission.command(admission::Command::Answer(others.clone()));
        assert!(completes(&RollCall { answers: others, asked: 2 }));
        assert_eq!(call.answers.count(), 2, "one of three is missing");
        assert!(!call.is_complete());
        drop(go_on);
        assert!(completes(&call), "it goes on");
    }

    #[test]
    fn a_loop_that_panicked_and_began_anew_answers() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let hub = Hub::start(HubConfig { listen, threads: 1, ..HubConfig::default() }).unwrap();
        hub.shared.loops[0].command(deliver::Command::Panic);
        assert!(completes(&hub.roll_call()));
    }
}
