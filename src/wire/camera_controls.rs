//! What can be set at a camera while it runs: its controls as they are told, and what somebody wants of them. Names are spelled as
//! `v4l2-ctl` spells them.

mod choose;
mod request;

use serde::{Deserialize, Serialize};

pub use self::choose::{check_all, find, held, in_order, number_of};
use crate::error::without_numbers;
use crate::text::Untrusted;

/// Controls of one camera, and entries of one menu, at most.
pub const MOST: usize = 64;
/// Characters of a name or a label at most.
pub const LONGEST: usize = 64;
/// Bytes of one packet's list at most, so that it fits what a hub takes, with the words of a problem beside it.
const PART: usize = 6 * 1024;
/// Bytes of all packets of one list at most.
const ALL_PARTS: usize = 48 * 1024;

/// What sort of value a control has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ControlKind {
    /// A number in a range.
    #[default]
    Integer,
    /// 0 or 1.
    Boolean,
    /// The number of one of its entries.
    Menu,
    /// It is pressed, and has no value.
    Button,
    /// Anything a later version brings: it is shown and cannot be set.
    #[serde(other)]
    Unknown,
}

/// An entry of a menu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuEntry {
    /// The value that chooses it.
    pub value: i64,
    /// What it is called, for people.
    #[serde(default)]
    pub label: String,
}

/// Something that can be set at a source while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraControl {
    /// What names it: lower-case letters, digits and underscores.
    pub name: String,
    /// What it is called, for people.
    #[serde(default)]
    pub label: String,
    /// What sort of value it has.
    #[serde(rename = "type", default)]
    pub kind: ControlKind,
    /// The least value.
    #[serde(default)]
    pub min: i64,
    /// The greatest.
    #[serde(default)]
    pub max: i64,
    /// From one value to the next.
    #[serde(default)]
    pub step: i64,
    /// The value that it has unless it is set.
    #[serde(default)]
    pub default: i64,
    /// The value of now.
    #[serde(default)]
    pub value: i64,
    /// The entries of a menu; there may be gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub menu: Vec<MenuEntry>,
    /// It has no effect now, because of another one.
    #[serde(default)]
    pub inactive: bool,
    /// Which one that is, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// It can be read alone.
    #[serde(default)]
    pub read_only: bool,
    /// Its number in V4L2; 0: it has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub id: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(id: &u32) -> bool {
    *id == 0
}

/// What somebody wants of one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetValue {
    /// Its name, or its number in V4L2.
    pub name: String,
    /// The value as it was written; absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Sets controls, or asks for them alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetControls {
    /// Comes back in the answer.
    #[serde(default)]
    pub number: u64,
    /// What is to be set, all or nothing of what can be told beforehand; none: nothing is set, and the answer is the list.
    #[serde(default)]
    pub values: Vec<SetValue>,
    /// First sets all to their defaults.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

impl SetControls {
    /// Whether it changes nothing.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.values.is_empty() && !self.reset
    }

    /// Whether it is as short as it has to be.
    ///
    /// # Errors
    /// What is too long.
    pub fn check(&self) -> Result<(), Problem> {
        let is_long = |text: &str| text.chars().count() > LONGEST;
        if self.values.len() > MOST {
            return Err(Problem::new(ProblemCause::Value, format!("{MOST} controls at most are set at once")));
        }
        let long = |set: &&SetValue| is_long(&set.name) || set.value.as_deref().is_some_and(is_long);
        match self.values.iter().find(long) {
            Some(set) => {
                let name = Untrusted(&set.name);
                let why = format!("{name:.40}: names and values of controls have {LONGEST} characters at most");
                Err(Problem::new(ProblemCause::Value, why))
            }
            None => Ok(()),
        }
    }
}

/// Why something cannot be set, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemCause {
    /// There is no such control.
    NoControl,
    /// It does not take this value.
    Value,
    /// Another control holds it.
    Held,
    /// It can be read alone.
    ReadOnly,
    /// The stream has no controls.
    NoControls,
    /// Whoever asks may not.
    Denied,
    /// The publisher does not answer.
    Silent,
    /// Too many ask at once.
    Busy,
    /// The camera says no, or is not there.
    #[serde(other)]
    Failed,
}

/// Why something cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Problem {
    /// For programs.
    pub cause: ProblemCause,
    /// For people.
    #[serde(default)]
    pub reason: String,
}

impl Problem {
    /// For this cause, in these words.
    pub fn new(cause: ProblemCause, reason: impl Into<String>) -> Self {
        Self { cause, reason: without_numbers(&reason.into()) }
    }

    /// The same with words that can be shown.
    #[must_use]
    pub fn to_be_shown(self) -> Self {
        Self { reason: format!("{:.400}", Untrusted(self.reason)), ..self }
    }
}

/// Controls with their values: an answer to a [`SetControls`], or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlList {
    /// The number of what it answers.
    #[serde(default)]
    pub answers: u64,
    /// The controls, [`MOST`] at most of all parts together.
    #[serde(default)]
    pub controls: Vec<CameraControl>,
    /// Another part follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Why something was not set; the list is of how things are all the same, and may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// A name as `v4l2-ctl` spells it: `White Balance, Auto` is `white_balance_auto`.
#[must_use]
pub fn spelled(label: &str) -> String {
    let mut name = String::new();
    let mut gap = false;
    for c in label.chars() {
        if !c.is_ascii_alphanumeric() {
            gap = !name.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name.truncate(LONGEST);
    name
}

fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(fits)
}

/// Controls as they may be kept and shown, whoever told them: no more than there may be, with names that are names, each once, and
/// words without anything that acts.
#[must_use]
pub fn to_be_shown(controls: Vec<CameraControl>) -> Vec<CameraControl> {
    let plain = |text: &str| format!("{text:.LONGEST$}", text = Untrusted(text));
    let mut shown: Vec<CameraControl> = Vec::new();
    for mut control in controls {
        let known = shown.iter().any(|other| other.name == control.name);
        if shown.len() >= MOST || known || !is_name(&control.name) || control.min > control.max {
            continue;
        }
        control.label = plain(&control.label);
        control.step = control.step.max(1);
        control.held_by = control.held_by.filter(|holder| is_name(holder));
        control.menu.truncate(MOST);
        control.menu.iter_mut().for_each(|entry| entry.label = plain(&entry.label));
        shown.push(control);
    }
    shown
}

/// A list in as many packets as it takes. Of a menu that does not fit into one the last entries are left out, and of a list that is
/// longer than any the last controls.
#[must_use]
pub fn in_parts(answers: u64, controls: Vec<CameraControl>, problem: Option<Problem>) -> Vec<ControlList> {
    let length = |control: &CameraControl| serde_json::to_vec(control).map_or(usize::MAX, |json| json.len() + 1);
    let mut parts = vec![Vec::new()];
    let problem = problem.map(Problem::to_be_shown);
    let (mut held, mut all) = (0, 0_usize);
    for mut control in controls {
        while length(&control) > PART && control.menu.pop().is_some() {}
        let takes = length(&control);
        all = all.saturating_add(takes);
        if takes > PART || all > ALL_PARTS {
            continue;
        }
        if held + takes > PART {
            parts.push(Vec::new());
            held = 0;
        }
        held += takes;
        if let Some(part) = parts.last_mut() {
            part.push(control);
        }
    }
    let last = parts.len() - 1;
    let part = |(at, controls)| {
        let problem = problem.clone().filter(|_| at == last);
        ControlList { answers, controls, more: at < last, problem }
    };
    parts.into_iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests;
