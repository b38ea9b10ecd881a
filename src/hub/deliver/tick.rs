//! What a delivery loop does by the clock: heartbeats, deadlines, sums, and a look at its own load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Loop;
use crate::adapt::HUB_BUSY;
use crate::net::layout::unix_time;
use crate::time::{Micros, now};
use crate::wire::control::Control;

/// How often heartbeats, deadlines and metrics are looked at.
const TICK: Duration = Duration::from_millis(100);
/// A loop whose look is so late was kept from working: less than any stream may be silent for.
const STOOD_STILL: Duration = Duration::from_secs(2);
/// How often it is looked whether there is a place for what is not shown for want of one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often sums are logged.
pub(super) const SUMMARY: Duration = Duration::from_secs(30);

/// When a loop looks.
pub(super) struct Ticks {
    next: Micros,
}

impl Ticks {
    pub(super) fn new(first: Micros) -> Self {
        Self { next: first }
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Micros {
        self.next
    }

    /// Whether to look now. Who stood still itself may not have read yet what came meanwhile, and judges nobody: it has a turn
    /// first.
    fn is_due(&mut self, now: Micros) -> bool {
        if now < self.next {
            return false;
        }
        let stood_still = now.since(self.next) >= STOOD_STILL;
        self.next = now + TICK;
        !stood_still
    }
}

impl Loop {
    pub(super) fn tick(&mut self) {
        let at = now();
        if !self.ticks.is_due(at) {
            return;
        }
        self.judge_load(at);
        let busy = self.busy;
        self.shared.access.set_time(unix_time().as_secs());
        let mut denied = Vec::new();
        let mut over = Vec::new();
        for (token, peer) in &mut self.peers {
            peer.sum_up(&self.shared.totals);
            let ticked = peer.tick(at, self.shared.config.stuck_after);
            let told = ticked.and_then(|()| peer.loop_is_busy(busy)).and_then(|()| peer.tell_owed(&self.shared, at));
            if let Err(why) = told {
                over.push((token, why));
            }
            if let Err(why) = peer.still_may(&self.shared.access, at) {
                denied.push((peer.id, why));
            }
            if let Some(stream) = peer.published() {
                self.shared.judge_silence(peer.id, stream, at);
            }
        }
        for (token, why) in over {
            self.remove(token, &why);
        }
        for (id, why) in denied {
            let bye = Control::Bye { cause: why.cause(), reason: why.to_string() };
            self.with(id, |peer| {
                log::info!("{}: ended: {why}", peer.address);
                peer.say_bye(&bye)
            });
        }
        self.judge_claims(at);
        if at >= self.next_look {
            self.next_look = at + LOOK_AGAIN;
            self.shared.show_what_was_left_out(self.index);
            if self.index == 0 {
                self.shared.forget_pictures(at);
                self.shared.change_rooms(|open, now| open.sweep(now));
            }
        }
        if self.index == 0 {
            self.shared.sweep_posted(at);
            self.shared.judge_posted(at);
            self.shared.sweep_pollers(at);
            self.shared.tell_changed_people();
        }
        if self.index == 0 && at >= self.next_summary {
            self.next_summary = at + SUMMARY;
            self.summary();
        }
    }

    /// Once a second: is there so much to do that pictures wait for it?
    fn judge_load(&mut self, now: Micros) {
        let since = now.since(self.judged);
        if since < Duration::from_secs(1) {
            return;
        }
        let percent = (100.0 * self.worked.as_secs_f64() / since.as_secs_f64()).clamp(0.0, 100.0) as u8;
        (self.worked, self.judged) = (Duration::ZERO, now);
        // A step of five at least, for every viewer is told of it, and that is work as well.
        self.busy = match self.busy {
            Some(told) if percent >= HUB_BUSY => Some(if told.abs_diff(percent) < 5 { told } else { percent }),
            None if percent >= HUB_BUSY => Some(percent),
            _ => None,
        };
    }

    fn summary(&mut self) {
        let totals = &self.shared.totals;
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (publishers, viewers) = self.shared.counts();
        let line = format!(
            "hub: {}, {}; {} pictures sent, {} MB, {} skipped, {} refused, {} errors",
            counted(publishers, "publisher"),
            counted(viewers, "viewer"),
            get(&totals.pictures),
            get(&totals.bytes) / 1_000_000,
            get(&totals.skipped),
            get(&totals.refused),
            get(&totals.errors),
        );
        if line != self.summed_up {
            log::info!("{line}");
            self.summed_up = line;
        }
    }
}

/// `1 viewer`, `2 viewers`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stood_still_has_a_turn_before_it_judges() {
        let at = |ms: u64| Micros(1_000_000 + ms * 1000);
        let mut ticks = Ticks::new(at(0));
        let mut due = |ms| ticks.is_due(at(ms));
        assert_eq!([due(0), due(99), due(100), due(1500)], [true, false, true, true]);
        // Stopped for five seconds.
        assert_eq!([due(6500), due(6501), due(6599), due(6600)], [false, false, false, true]);
    }
}
