//! Sound that is switched off and on while a publisher runs: by its user, or from afar as a control of the stream.
//!
//! Whoever may operate a stream may switch its sound off. Nobody opens a microphone from afar, unless its user has allowed that.

use std::sync::Arc;

use mio::Waker;

use super::outbox::Outbox;
use super::{Publisher, Shared};
use crate::wire::camera_controls::{CameraControl, ControlKind, Problem, ProblemCause, SetControls, number_of};

const NAME: &str = "mute";

/// Sound as a control.
pub(super) struct Mute {
    outbox: Arc<Outbox>,
    /// It may be switched on again from afar.
    opens: bool,
}

impl Mute {
    /// That of a publisher, if it has sound.
    pub(super) fn of(shared: &Shared) -> Option<Self> {
        shared.outbox.clone().map(|outbox| Self { outbox, opens: shared.config.remote_unmute })
    }

    /// Puts it before those of the source, so that none of them takes its place.
    pub(super) fn tell(&self, controls: &mut Vec<CameraControl>) {
        let off = self.outbox.is_switched_off();
        controls.retain(|control| control.name != NAME);
        let control = CameraControl {
            name: NAME.into(),
            label: "Mute".into(),
            kind: ControlKind::Boolean,
            max: 1,
            step: 1,
            value: off.into(),
            read_only: off && !self.opens,
            ..CameraControl::default()
        };
        controls.insert(0, control);
    }

    /// Takes out of this what is for the sound: whether it is to be off; nothing, if it stays as it is.
    ///
    /// # Errors
    /// That makes no sense, or it is not to be switched on from afar.
    pub(super) fn take(&self, set: &mut SetControls) -> Result<Option<bool>, Problem> {
        let (own, others) = std::mem::take(&mut set.values).into_iter().partition(|value| value.name.trim() == NAME);
        set.values = others;
        let (own, control): (Vec<_>, _) =
            (own, CameraControl { name: NAME.into(), kind: ControlKind::Boolean, ..CameraControl::default() });
        let Some(last) = own.last() else { return Ok(None) };
        let off = number_of(&control, last.value.as_deref())? == 1;
        match (off, self.outbox.is_switched_off()) {
            (false, true) if !self.opens => {
                let why = "its sound was switched off; from afar it is switched on again only where the sender was started with --remote-unmute";
                Err(Problem::new(ProblemCause::Denied, why))
            }
            // Its user may switch it off at any moment, and that holds.
            (false, _) if !self.opens => Ok(None),
            _ => Ok(Some(off)),
        }
    }

    /// Switches it.
    pub(super) fn set(&self, shared: &Shared, off: bool, waker: &Waker) {
        if shared.switch_sound(&self.outbox, off, waker) {
            log::info!("{}: sound was switched {} from afar", shared.config.stream, if off { "off" } else { "on" });
        }
    }
}

impl Shared {
    /// Switches sound off or on; whether that is anything else.
    fn switch_sound(&self, outbox: &Outbox, off: bool, waker: &Waker) -> bool {
        let is_news = outbox.switch_off(off);
        if is_news {
            // The thread with the sound waits for this, and the link has something to say.
            drop(self.lock());
            self.changed.notify_all();
            // A link that has ended has nobody to wake.
            let _ = waker.wake();
        }
        is_news
    }
}

impl Publisher {
    /// Whether its sound is switched off; `None`: it has none.
    #[must_use]
    pub fn is_muted(&self) -> Option<bool> {
        self.shared.outbox.as_ref().map(|outbox| outbox.is_switched_off())
    }

    /// Switches its sound off, and lets the microphone go; or on again. Viewers are told.
    pub fn mute(&self, muted: bool) {
        if let (Some(outbox), Some(link)) = (&self.shared.outbox, &self.link) {
            self.shared.switch_sound(outbox, muted, &link.waker());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::camera_controls::SetValue;

    fn mute(off: bool, opens: bool) -> Mute {
        Mute { outbox: Arc::new(Outbox::new(off)), opens }
    }

    fn set(values: &[(&str, Option<&str>)]) -> SetControls {
        let values = values.iter().map(|(name, value)| SetValue { name: (*name).into(), value: value.map(Into::into) });
        SetControls { values: values.collect(), ..SetControls::default() }
    }

    #[test]
    fn whoever_operates_a_stream_mutes_it_and_opens_no_microphone() {
        for (off, opens, value, expected) in [
            (false, false, Some("1"), Ok(Some(true))),
            (true, false, Some("on"), Ok(Some(true))),
            (true, false, Some("0"), Err(ProblemCause::Denied)),
            (true, false, None, Err(ProblemCause::Denied)),
            (false, false, Some("0"), Ok(None)),
            (true, true, Some("0"), Ok(Some(false))),
            (true, true, None, Ok(Some(false))),
            (false, true, Some("2"), Err(ProblemCause::Value)),
        ] {
            let taken = mute(off, opens).take(&mut set(&[("mute", value)])).map_err(|problem| problem.cause);
            assert_eq!(taken, expected, "{off} {opens} {value:?}");
        }
    }

    #[test]
    fn it_is_one_of_the_controls_and_not_one_of_the_cameras() {
        let mut all = set(&[("gain", Some("3")), ("mute", Some("0")), (" mute", Some("1"))]);
        assert_eq!(mute(false, false).take(&mut all), Ok(Some(true)), "the last counts");
        assert_eq!(all.values, set(&[("gain", Some("3"))]).values);
        let mut list = vec![CameraControl { name: "gain".into(), ..CameraControl::default() }];
        list.push(CameraControl { name: "mute".into(), max: 9, ..CameraControl::default() });
        mute(true, false).tell(&mut list);
        let told: Vec<_> =
            list.iter().map(|control| (control.name.as_str(), control.value, control.read_only)).collect();
        assert_eq!(told, [("mute", 1, true), ("gain", 0, false)]);
    }
}
