//! The sound of a stream in words, for its statistics.

use super::numbers::milliseconds;
use crate::stats::SoundReport;

/// How it is doing, in the order of worth: whether it is heard, or why not; and of one that is heard, how.
pub(super) fn in_words(sound: &SoundReport) -> Vec<String> {
    let why_not = match sound {
        SoundReport { no_device: true, .. } => "no device plays it here",
        SoundReport { muted: true, .. } => "off, A switches it on",
        SoundReport { muted_there: true, .. } => "muted at the sender",
        _ => "",
    };
    if !why_not.is_empty() {
        return vec![why_not.into()];
    }
    let age = match sound.age_ms {
        Some(age) => format!("on, {} mouth to ear", milliseconds(Some(age))),
        // In silence nothing is sent.
        None => "on, nothing is heard now".into(),
    };
    let wait = milliseconds(Some(sound.wait_ms));
    vec![age, format!("waits {wait}, concealed {}, lost {}", sound.concealed, sound.lost)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_sound_is_whether_it_is_heard_and_how_or_why_not() {
        let on = SoundReport { age_ms: Some(84.2), wait_ms: 40.0, concealed: 3, lost: 1, ..SoundReport::default() };
        assert_eq!(in_words(&on), ["on, 84.2 ms mouth to ear", "waits 40.0 ms, concealed 3, lost 1"]);
        assert_eq!(in_words(&SoundReport { age_ms: None, ..on.clone() })[0], "on, nothing is heard now");
        let there = SoundReport { muted_there: true, ..on };
        assert_eq!(in_words(&there), ["muted at the sender"]);
        let here = SoundReport { muted: true, ..there };
        assert_eq!(in_words(&here), ["off, A switches it on"]);
        let nowhere = SoundReport { no_device: true, ..here };
        assert_eq!(in_words(&nowhere), ["no device plays it here"]);
    }
}
