//! Whether a camera that was opened has found its exposure: its first pictures may be too dark.

use std::time::Duration;

use crate::time::Micros;

/// The rule. Who opened nothing yet has a source that needs no time, as far as anybody knows.
#[derive(Debug, Default)]
pub(super) struct Exposure {
    /// What the source takes, and when its first picture came since it was opened.
    warm_up: Duration,
    first: Option<Micros>,
}

impl Exposure {
    /// The source was opened, and takes so long.
    pub(super) fn opened(&mut self, warm_up: Duration) {
        (self.warm_up, self.first) = (warm_up, None);
    }

    /// The source is closed. Its next picture is a first one, and whoever wants it must know that before it comes.
    pub(super) fn closed(&mut self) {
        self.first = None;
    }

    /// A picture came.
    pub(super) fn came(&mut self, now: Micros) {
        self.first.get_or_insert(now);
    }

    /// Whether a picture that comes now may be too dark.
    pub(super) fn is_settling(&self, now: Micros) -> bool {
        !self.warm_up.is_zero() && self.first.is_none_or(|first| now < first + self.warm_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_may_be_dark_for_a_while_after_each_opening_and_from_before_the_first_one_on() {
        let (at, mut exposure) = (|ms: u64| Micros(1_000_000 + ms * 1000), Exposure::default());
        assert!(!exposure.is_settling(at(0)), "nothing is known of the source");
        exposure.opened(Duration::from_millis(800));
        assert!(exposure.is_settling(at(5000)), "the first picture is still to come");
        (5000..6000).step_by(33).for_each(|ms| exposure.came(at(ms)));
        assert!(exposure.is_settling(at(5799)) && !exposure.is_settling(at(5800)));
        exposure.closed();
        assert!(exposure.is_settling(at(9000)), "who wakes it is told before its first picture comes");
        exposure.opened(Duration::ZERO);
        assert!(!exposure.is_settling(at(9000)), "a source that needs no time");
    }
}
