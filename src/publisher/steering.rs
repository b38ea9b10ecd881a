//! The thread that has the panel of the source's controls, and the one for its sound: sets what the hub passes on, tells how things are, and sets again what was
//! set whenever the source was opened anew. A setting may hang; then nothing else does.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use mio::Waker;

use super::Shared;
use super::mute::Mute;
use crate::error::{Error, Result};
use crate::source::ControlPanel;
use crate::source::controls::{read, set_all};
use crate::text::Untrusted;
use crate::time::{Micros, now};
use crate::wire::camera_controls::{
    CameraControl, Problem, ProblemCause, SetControls, SetValue, check_all, find, in_order, in_parts, number_of,
};
use crate::wire::control::Control;

/// What waits for the thread at most; what comes beyond it is not answered.
const WAITING: usize = 16;
/// So long what was read is good enough to know what can be set.
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// A hub takes so many packets of controls a second; a list may have several.
const BETWEEN: Duration = Duration::from_millis(10);

/// What the thread is asked.
pub(super) enum Order {
    /// The source was opened.
    Opened,
    Set(SetControls),
    /// The publisher ends.
    Stop,
}

/// How others reach the thread.
pub(super) struct Orders(Sender<Order>);

impl Orders {
    pub(super) fn new() -> (Self, Receiver<Order>) {
        let (sender, receiver) = crossbeam_channel::bounded(WAITING);
        (Self(sender), receiver)
    }

    /// Asks it, unless it has too much to do.
    pub(super) fn give(&self, order: Order) {
        if let Err(TrySendError::Full(Order::Opened)) = self.0.try_send(order) {
            log::warn!("controls are not set again: the camera does not answer");
        }
    }
}

/// Whether what is to be set from the beginning can be, as far as can be told now.
///
/// # Errors
/// There is no such control, or not such a value.
pub(super) fn check(panel: Option<&mut Box<dyn ControlPanel>>, wanted: &[SetValue]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let usage = |why: String| Error::Usage(format!("--control: {why}"));
    let names = || wanted.iter().map(|set| format!("{:.40}", Untrusted(&set.name))).collect::<Vec<_>>().join(", ");
    let none = || usage(format!("{}: this source has no controls", names()));
    let panel = panel.ok_or_else(none)?;
    // One that cannot be asked now is asked when it is opened.
    let Ok(known) = read(panel.as_mut()) else { return Ok(()) };
    if known.is_empty() {
        return Err(none());
    }
    let wanted = SetControls { values: wanted.to_vec(), ..SetControls::default() };
    check_all(&known, &wanted).map_err(|problem| usage(problem.reason))
}

pub(super) struct Steering {
    shared: Arc<Shared>,
    /// That of the source, if it has any.
    panel: Option<Box<dyn ControlPanel>>,
    mute: Option<Mute>,
    orders: Receiver<Order>,
    waker: Arc<Waker>,
    /// What is set whenever the source was opened.
    kept: Vec<SetValue>,
    /// What was read last, and when.
    known: Option<(Micros, Vec<CameraControl>)>,
}

impl Steering {
    pub(super) fn new(
        shared: Arc<Shared>,
        panel: Option<Box<dyn ControlPanel>>,
        orders: Receiver<Order>,
        waker: Arc<Waker>,
    ) -> Self {
        let (kept, mute) = (shared.config.controls.clone(), Mute::of(&shared));
        Self { shared, panel, mute, orders, waker, kept, known: None }
    }

    pub(super) fn run(mut self) {
        while let Ok(order) = self.orders.recv() {
            if self.shared.lock().stopping {
                return;
            }
            match order {
                Order::Opened => self.set_again(),
                Order::Set(set) => self.serve(&set),
                Order::Stop => return,
            }
        }
    }

    fn serve(&mut self, set: &SetControls) {
        let problem = if set.only_reads() { None } else { self.set(set).err() };
        let read = self.panel.as_mut().map_or(Ok(Vec::new()), |panel| read(panel.as_mut()));
        let (mut list, mut problem) = match read {
            Ok(list) => (list, problem),
            Err(why) => (Vec::new(), problem.or(Some(why))),
        };
        self.known = (!list.is_empty()).then(|| (now(), list.clone()));
        self.mute.iter().for_each(|mute| mute.tell(&mut list));
        if list.is_empty() && problem.is_none() {
            problem = Some(Problem::new(ProblemCause::NoControls, "its source has no controls"));
        }
        if let Some(problem) = &problem {
            log::debug!("controls: {}", Untrusted(&problem.reason));
        }
        let parts = in_parts(set.number, list, problem);
        let pause = BETWEEN * u32::try_from(parts.len()).unwrap_or(1);
        self.shared.lock().answers.extend(parts.into_iter().map(Control::Controls));
        // It fails only when the link is gone, and then nobody is to be told.
        let _ = self.waker.wake();
        std::thread::sleep(pause);
    }

    /// Sets all of it, or nothing.
    fn set(&mut self, set: &SetControls) -> std::result::Result<(), Problem> {
        let mut of_source = set.clone();
        let mute = self.mute.as_ref().map_or(Ok(None), |mute| mute.take(&mut of_source))?;
        if !of_source.only_reads() {
            self.set_source(&of_source)?;
        }
        if let (Some(off), Some(mute)) = (mute, &self.mute) {
            mute.set(&self.shared, off, &self.waker);
        }
        Ok(())
    }

    fn set_source(&mut self, set: &SetControls) -> std::result::Result<(), Problem> {
        let Some(panel) = &mut self.panel else {
            let mut own = Vec::new();
            self.mute.iter().for_each(|mute| mute.tell(&mut own));
            return check_all(&own, set);
        };
        let known = self.known.take().filter(|(at, _)| now().since(*at) < KNOWN_FOR);
        let known = match known {
            Some((_, known)) => known,
            None => read(panel.as_mut())?,
        };
        let mut done = Vec::new();
        let result = set_all(panel.as_mut(), known, set, &mut done);
        if set.reset && result.is_ok() && !panel.stands_in() {
            self.kept.clear();
        }
        for set in done {
            log::debug!("{} is {} now", set.name, set.value.as_deref().unwrap_or("at its default"));
            if panel.stands_in() {
                continue;
            }
            self.kept.retain(|kept| kept.name != set.name);
            self.kept.push(set);
        }
        result
    }

    /// Sets what was set before. What a camera lacks that came in the place of another one is told.
    fn set_again(&mut self) {
        self.known = None;
        let Some(panel) = self.panel.as_mut().filter(|panel| !panel.stands_in()) else { return };
        if self.kept.is_empty() {
            return;
        }
        let mut known = match read(panel.as_mut()) {
            Ok(known) => known,
            Err(problem) => return log::warn!("controls are not set: {}", Untrusted(&problem.reason)),
        };
        for set in in_order(&known, self.kept.clone()) {
            let is_so = |control: &CameraControl| number_of(control, set.value.as_deref()).ok() == Some(control.value);
            if find(&known, &set.name).is_ok_and(is_so) {
                continue;
            }
            let one = SetControls { values: vec![set], ..SetControls::default() };
            if let Err(problem) = set_all(panel.as_mut(), known.clone(), &one, &mut Vec::new()) {
                log::warn!("--control: {}", Untrusted(&problem.reason));
            }
            match read(panel.as_mut()) {
                Ok(now) => known = now,
                Err(problem) => return log::warn!("controls are not set: {}", Untrusted(&problem.reason)),
            }
        }
    }
}
