//! The thread that has the source: opens it, reads it, closes it when nobody watches, and opens it again when it fails.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use mio::Waker;

use super::steering::Order;
use super::{Shared, State};
use crate::error::{Error, without_numbers};
use crate::frame::Frame;
use crate::mailbox::Sender;
use crate::session::in_words;
use crate::source::{Next, Opened, PATIENCE, STALL, Source, SourceError, TRY_AGAIN, Unwatched};
use crate::time::{Micros, now};
use crate::wire::jpeg::Orientation;

/// How often what waits for its first viewer is looked at: it may go meanwhile, or turn out to be nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a source that is over waits for the hub that is to have its last picture.
const REACH: Duration = Duration::from_secs(5);
/// How often the measured rate is compared with the asked one; the first time, this long after the first picture.
const JUDGE_RATE: Duration = Duration::from_secs(5);
/// A source answers within [`PATIENCE`]: when that took so long, somebody was stopped.
const STOOD_STILL: Duration = Duration::from_secs(1);

pub(super) struct Capture {
    pub(super) shared: Arc<Shared>,
    pub(super) frames: Sender<Frame>,
    /// Frames that have been encoded, to be filled again.
    pub(super) spent: Receiver<Frame>,
    pub(super) waker: Arc<Waker>,
}

/// Whether a source gives fewer pictures than it was asked for: said when it begins, and when it is over.
#[derive(Debug, Default)]
struct Slow {
    is: bool,
    look: Option<Micros>,
}

impl Slow {
    /// The source begins to give pictures, or goes on after a pause; it takes its time to come up to its rate.
    fn begins(&mut self) {
        self.look = None;
    }

    /// A picture came so long after the last one; a pause is no slow rate.
    fn follows(&mut self, gap: Duration, asked: f64) {
        if gap > STOOD_STILL && gap.as_secs_f64() * asked > 3.0 {
            self.begins();
        }
    }

    /// A picture came: what to say, if it is time to look. `rate` is pictures a second, as measured.
    fn judge(&mut self, now: Micros, asked: f64, rate: impl FnOnce() -> f64) -> Option<String> {
        let look = *self.look.get_or_insert(now + JUDGE_RATE);
        // A picture every few seconds has no rate that the last seconds would tell.
        if now < look || asked < 1.0 {
            return None;
        }
        self.look = Some(now + JUDGE_RATE);
        let (rate, was) = (rate(), self.is);
        // Between the two it stays as it was, so that a rate on the edge does not fill the log.
        self.is = rate < 0.9 * asked || was && rate < 0.95 * asked;
        match (was, self.is) {
            (false, true) => {
                Some(format!("the source gives {rate:.1} fps, {asked} were asked for (too dark, or a slow bus?)"))
            }
            (true, false) => Some(format!("the source gives {rate:.1} fps again")),
            _ => None,
        }
    }
}

/// Why reading ended.
enum End {
    Stopped,
    /// Nobody watches.
    Idle,
    /// There is no more.
    Over,
    /// Its pictures come from elsewhere now.
    Changed,
    Fault(SourceError),
}

impl Capture {
    pub(super) fn run(self, mut source: Box<dyn Source>) {
        let mut faults: u32 = 0;
        let mut begun = false;
        let mut slow = Slow::default();
        loop {
            let end = match source.open(&self.shared.config.capture) {
                Ok(opened) => {
                    self.opened(&opened, faults);
                    slow.begins();
                    let hindered = if begun { None } else { self.wait_for_viewer(source.as_mut(), &opened) };
                    begun |= hindered.is_none();
                    hindered.unwrap_or_else(|| self.read(source.as_mut(), &opened, &mut faults, &mut slow))
                }
                Err(error) => End::Fault(error),
            };
            source.close();
            self.shared.lock().exposure.closed();
            match end {
                End::Stopped => return,
                End::Over => {
                    let ended = self.reach_hub();
                    self.shared.end(ended);
                    return;
                }
                End::Idle => {
                    log::info!("nobody watches: the source is closed until somebody does");
                    self.asleep(true);
                    if self.shared.wait(Duration::MAX, |s| s.demand.viewers > 0) {
                        return;
                    }
                    self.asleep(false);
                }
                End::Changed => {}
                End::Fault(SourceError::Final(why)) => {
                    self.shared.end(Err(Error::Failed(why)));
                    return;
                }
                End::Fault(error) => {
                    faults += 1;
                    let failed = now();
                    let back = source.may_be_back(Duration::ZERO, Duration::ZERO);
                    let how = if back.is_some() { "opened as soon as it can be" } else { "tried again every second" };
                    self.fault(&error, faults, how);
                    if self.shared.config.exit_on_source_error {
                        self.shared.end(Err(match error {
                            SourceError::Missing(why) => Error::NoSource(why),
                            SourceError::Lost(why) | SourceError::Final(why) => Error::Failed(why),
                        }));
                        return;
                    }
                    if self.wait_until_back(source.as_mut(), failed, back) {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until a source that failed is worth another try; says whether the publisher stops.
    fn wait_until_back(&self, source: &mut dyn Source, failed: Micros, mut back: Option<bool>) -> bool {
        loop {
            match back {
                None => return self.shared.wait(TRY_AGAIN.saturating_sub(now().since(failed)), |_| false),
                Some(true) => return self.shared.lock().stopping,
                Some(false) if self.shared.lock().stopping => return true,
                Some(false) => back = source.may_be_back(now().since(failed), PATIENCE),
            }
        }
    }

    /// What is played once begins when somebody watches. Says what came before that.
    fn wait_for_viewer(&self, source: &mut dyn Source, opened: &Opened) -> Option<End> {
        if opened.unwatched != Unwatched::Wait {
            return None;
        }
        let watched = |state: &State| state.demand.viewers > 0;
        if !watched(&self.shared.lock()) {
            log::info!("plays once, from its beginning, when the first viewer is there");
        }
        loop {
            if self.shared.wait(LOOK_AGAIN, watched) {
                return Some(End::Stopped);
            }
            if watched(&self.shared.lock()) {
                return None;
            }
            source.close();
            if let Err(error) = source.open(&self.shared.config.capture) {
                return Some(End::Fault(error));
            }
        }
    }

    /// The source is over: who ends now would lose the last picture if the hub had not said yet who watches.
    fn reach_hub(&self) -> crate::Result<()> {
        self.shared.wait(REACH, |state| state.heard);
        let state = self.shared.lock();
        if !state.heard && !state.stopping {
            let why = format!("the source is over, and the hub has not had its last picture: {}", state.link);
            return Err(Error::Unreachable(why));
        }
        if state.counts.sent == 0 && state.demand.viewers == 0 {
            log::info!("the source is over, and nobody watched (--once waits for the first viewer)");
        }
        Ok(())
    }

    fn opened(&self, opened: &Opened, faults: u32) {
        // One that fails and comes back as it was is said to fail, and to give pictures again.
        if faults == 0 || self.shared.lock().opened.as_ref() != Some(opened) {
            self.introduce(opened);
        }
        let mut state = self.shared.lock();
        state.opened = Some(opened.clone());
        state.exposure.opened(self.shared.config.warm_up.unwrap_or(opened.warm_up));
        state.rhythm.begins();
        state.counts.reopened += u64::from(faults > 0);
        state.fresh = true;
        drop(state);
        self.shared.order(Order::Opened);
        self.shared.changed.notify_all();
        self.wake();
    }

    /// Says what the source is, and what it lacks.
    fn introduce(&self, opened: &Opened) {
        let capture = &self.shared.config.capture;
        let size = if opened.size.area() == 0 { String::new() } else { format!(" {}", opened.size) };
        let rate = opened.fps.map(|fps| format!(" at {} fps", (fps * 100.0).round() / 100.0));
        let rate = rate.unwrap_or_default();
        log::info!("source: {}, {}{size}{rate}", opened.name, opened.format);
        if let Some(format) = capture.format.filter(|format| *format != opened.format) {
            log::warn!("the source has no {format}: it gives {}", opened.format);
        }
        if opened.size.area() > 0
            && let Ok(plan) =
                self.shared.config.shape.plan(opened.size, Orientation::UPRIGHT, capture.size, opened.scale)
        {
            let (asked, own) = (capture.size, opened.size);
            let is_smaller = own != asked && own.width <= asked.width && own.height <= asked.height;
            match plan.shaping.size {
                scaled if plan.scales() => log::info!("the source has no {asked}: its pictures are scaled to {scaled}"),
                _ if opened.scale && is_smaller => log::info!("the source has no {asked}: it gives {own}"),
                _ => {}
            }
        }
        if let Some(fps) = opened.fps.filter(|fps| *fps < 0.99 * capture.fps) {
            log::info!("the source has no {} fps: it gives {} at most", capture.fps, (fps * 100.0).round() / 100.0);
        }
    }

    fn asleep(&self, asleep: bool) {
        let mut state = self.shared.lock();
        state.asleep = asleep;
        state.fresh = true;
        drop(state);
        self.shared.changed.notify_all();
        self.wake();
    }

    fn fault(&self, error: &SourceError, faults: u32, how: &str) {
        let why = without_numbers(&error.to_string());
        let mut state = self.shared.lock();
        // Said when it changes, and then every tenth time, so that a night without a camera does not fill a disk.
        if state.fault != why || faults.is_multiple_of(10) {
            log::warn!("{why}; {how}");
        }
        state.fault = why;
        state.fresh = true;
        drop(state);
        self.shared.changed.notify_all();
        self.wake();
    }

    fn recovered(&self) {
        let mut state = self.shared.lock();
        if std::mem::take(&mut state.fault).is_empty() {
            return;
        }
        state.fresh = true;
        drop(state);
        // Of the level of what it ends: where that comes back all the time, both are limited alike.
        log::warn!("the source gives pictures again");
        self.shared.changed.notify_all();
        self.wake();
    }

    fn wake(&self) {
        // It fails only when the link is gone, and then nobody is to be told.
        let _ = self.waker.wake();
    }

    fn read(&self, source: &mut dyn Source, opened: &Opened, faults: &mut u32, slow: &mut Slow) -> End {
        let mut frame = Frame::default();
        let mut last_frame = now();
        let mut sequence: Option<u64> = None;
        let mut broken = 0_u64;
        loop {
            if let Some(end) = self.to_end(opened.unwatched, now()) {
                return end;
            }
            frame.arrival = false;
            let asked = now();
            let next = source.next(&mut frame);
            let took = now().since(asked);
            if took > STOOD_STILL {
                log::warn!("this program or its source stood still for {}", in_words(took));
                // The source had no turn to give a picture.
                last_frame = now();
                slow.begins();
                self.shared.lock().rhythm.begins();
            }
            match next {
                Ok(Next::Frame) => broken = 0,
                Ok(next @ (Next::Nothing | Next::Broken)) => {
                    if next == Next::Broken {
                        broken += 1;
                        self.shared.lock().counts.broken += 1;
                        // It had a number of its own, so that it is not counted as lost as well.
                        sequence = sequence.map(|last| last + 1);
                    }
                    // A slow source may well be silent for two of its own intervals.
                    let fps = opened.fps.filter(|fps| (0.01..=1000.0).contains(fps));
                    let own = fps.map(|fps| Duration::from_secs_f64(2.5 / fps));
                    let measured = self.shared.lock().rhythm.longest();
                    // Of one without a rate of its own that gave no two pictures yet nobody knows when the next is due.
                    let known = own.max(measured.map(|measured| 3 * measured));
                    let patience = match known {
                        Some(known) => STALL.max(known),
                        None if broken > 1 => STALL,
                        None => Duration::MAX,
                    };
                    if now().since(last_frame) > patience {
                        let what = if broken > 0 { format!(": {broken} cannot be used") } else { String::new() };
                        return End::Fault(SourceError::Lost(format!("the source gives no picture{what}")));
                    }
                    continue;
                }
                Ok(Next::End) => return End::Over,
                Ok(Next::Changed) => return End::Changed,
                Err(error) => return End::Fault(error),
            }
            let at = now();
            let gap = at.since(std::mem::replace(&mut last_frame, at));
            *faults = 0;
            let mut state = self.shared.lock();
            state.frames_in.add(at, 0.0);
            state.rhythm.came(at);
            state.exposure.came(at);
            if let Some(last) = sequence {
                state.counts.lost += frame.sequence.saturating_sub(last).saturating_sub(1).min(1000);
            }
            let faulty = !state.fault.is_empty();
            let asked = opened.fps.unwrap_or(0.0).min(self.shared.config.capture.fps);
            slow.follows(gap, asked);
            let said = slow.judge(at, asked, || state.frames_in.rate(at));
            drop(state);
            if let Some(said) = said {
                log::log!(if slow.is { log::Level::Warn } else { log::Level::Info }, "{said}");
            }
            if faulty {
                self.recovered();
            }
            sequence = Some(frame.sequence);
            let spare = self.frames.put(std::mem::take(&mut frame));
            if spare.is_some() {
                self.shared.lock().counts.skipped += 1;
            }
            frame = spare.or_else(|| self.spent.try_recv().ok()).unwrap_or_default();
        }
    }

    fn to_end(&self, unwatched: Unwatched, now: Micros) -> Option<End> {
        let state = self.shared.lock();
        if state.stopping || self.frames.is_closed() {
            return Some(End::Stopped);
        }
        if unwatched != Unwatched::Close {
            return None;
        }
        let idle = self.shared.config.idle_after;
        state.demand.unwatched_since.filter(|since| now.since(*since) >= idle).map(|_| End::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Recent;

    #[test]
    fn a_source_that_is_slower_than_asked_is_said_to_be_once_and_so_is_its_recovery() {
        let mut slow = Slow::default();
        slow.begins();
        let mut said = Vec::new();
        // A camera in the evening: 30 pictures a second, then ever fewer, on the edge for a while, and light again.
        for second in 0..120_u32 {
            let rate = match second {
                0..20 => 29.9,
                20..40 => 15.0,
                40..80 => 27.0 + f64::from(second % 2),
                _ => 30.0,
            };
            said.extend(slow.judge(Micros(u64::from(second) * 1_000_000), 30.0, || rate).map(|text| (second, text)));
        }
        let said: Vec<_> = said.iter().map(|(second, text)| (*second, text.as_str())).collect();
        let slow = "the source gives 15.0 fps, 30 were asked for (too dark, or a slow bus?)";
        assert_eq!(said, [(20, slow), (80, "the source gives 30.0 fps again")]);
    }

    #[test]
    fn a_pause_is_no_slow_rate() {
        let (mut slow, mut recent) = (Slow::default(), Recent::default());
        let mut said = Vec::new();
        let mut last = Micros(0);
        // 30 pictures a second, and every 7.1 s none for 4 s: somebody stopped the program, or cut the camera off.
        for at in (0..3600).map(|n| Micros(n * 33_333)).filter(|at| at.0 % 11_100_000 < 7_100_000) {
            slow.follows(at.since(last), 30.0);
            last = at;
            recent.add(at, 0.0);
            said.extend(slow.judge(at, 30.0, || recent.rate(at)));
        }
        assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn a_source_of_unknown_rate_is_never_slow() {
        let mut slow = Slow::default();
        assert!((0..100).all(|second| slow.judge(Micros(second * 1_000_000), 0.0, || 0.1).is_none()));
    }
}
