//! Which control is meant, which value, and in which order several are set.

use super::{CameraControl, ControlKind, Problem, ProblemCause, SetControls, SetValue};
use crate::text::Untrusted;

/// So many names are told at most of those that there are.
const TOLD: usize = 16;

/// The control of this name, or with this number in V4L2.
///
/// # Errors
/// There is none; the names that are near.
pub fn find<'a>(controls: &'a [CameraControl], name: &str) -> Result<&'a CameraControl, Problem> {
    let name = name.trim();
    let numbered = |control: &&CameraControl| control.id != 0 && name.parse() == Ok(control.id);
    let found = controls.iter().find(|control| control.name == name).or_else(|| controls.iter().find(numbered));
    found.ok_or_else(|| {
        let there: Vec<&str> = controls.iter().map(|control| control.name.as_str()).collect();
        let near = nearest(name, &there);
        let tail = if near.is_empty() {
            let told: Vec<&str> = there.iter().copied().take(TOLD).collect();
            format!("there are {}{}", told.join(", "), if there.len() > TOLD { " and others" } else { "" })
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Problem::new(ProblemCause::NoControl, format!("there is no control '{:.40}': {tail}", Untrusted(name)))
    })
}

/// Names that somebody may have meant, the nearest first, three at most.
fn nearest<'a>(name: &str, there: &[&'a str]) -> Vec<&'a str> {
    let name = super::spelled(name);
    if name.is_empty() {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str)> = there
        .iter()
        .filter_map(|one| {
            let apart = distance(&name, one);
            let shares = name.split('_').any(|word| word.len() > 2 && one.split('_').any(|other| other == word));
            let is_part = one.contains(&name) || name.contains(one) || shares;
            // Of a part that is all right, others come behind those that are nearly the same.
            let far = if apart <= 1 + name.len() / 4 { apart } else { apart + 64 };
            (is_part || far < 64).then_some((far, *one))
        })
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, one)| one).collect()
}

/// How many letters have to be put in, left out or replaced to make one name of another (Levenshtein); both are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<u8> = b.bytes().take(super::LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.bytes().take(super::LONGEST).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&b) {
            let here = (diagonal + usize::from(letter != *other)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The number that a text stands for; `None` is the default. One between two steps becomes the nearer one.
///
/// # Errors
/// The control cannot be set, or not to this; what it takes.
pub fn number_of(control: &CameraControl, text: Option<&str>) -> Result<i64, Problem> {
    let name = &control.name;
    if control.read_only || control.kind == ControlKind::Unknown {
        return Err(Problem::new(ProblemCause::ReadOnly, format!("{name} cannot be set, only read")));
    }
    let Some(text) = text.map(str::trim) else { return Ok(control.default) };
    let number = text.parse::<i64>().ok();
    let lower = text.to_ascii_lowercase();
    let found = match control.kind {
        ControlKind::Button => Some(1),
        ControlKind::Boolean => match lower.as_str() {
            "1" | "on" | "true" | "yes" => Some(1),
            "0" | "off" | "false" | "no" => Some(0),
            _ => None,
        },
        ControlKind::Menu => {
            let by_number = control.menu.iter().find(|entry| Some(entry.value) == number);
            let is_called = |label: &str| label.eq_ignore_ascii_case(text) || super::spelled(label) == lower;
            let by_label = || control.menu.iter().find(|entry| is_called(&entry.label) && !lower.is_empty());
            by_number.or_else(by_label).map(|entry| entry.value)
        }
        _ => number
            .filter(|number| (control.min..=control.max).contains(number))
            .map(|number| on_a_step(control, number)),
    };
    found.ok_or_else(|| {
        Problem::new(ProblemCause::Value, format!("{name}={:.40}: it takes {}", Untrusted(text), takes(control)))
    })
}

fn on_a_step(control: &CameraControl, number: i64) -> i64 {
    let step = i128::from(control.step.max(1));
    let (min, max) = (i128::from(control.min), i128::from(control.max));
    let steps = (i128::from(number) - min + step / 2) / step;
    let most = (max - min) / step;
    i64::try_from(min + steps.min(most) * step).unwrap_or(number)
}

/// What a control takes, in words.
#[must_use]
pub(super) fn takes(control: &CameraControl) -> String {
    match control.kind {
        ControlKind::Boolean => "0 or 1, on or off".into(),
        ControlKind::Button => "any value, and is pressed by it".into(),
        ControlKind::Menu => {
            let entries = control
                .menu
                .iter()
                .take(TOLD)
                .map(|entry| format!("{} ({:.40})", entry.value, Untrusted(&entry.label)));
            let more = if control.menu.len() > TOLD { " and others" } else { "" };
            format!("{}{more}", entries.collect::<Vec<_>>().join(", "))
        }
        _ if control.step > 1 => format!("{} to {} in steps of {}", control.min, control.max, control.step),
        _ => format!("{} to {}", control.min, control.max),
    }
}

/// That a control is held by another.
#[must_use]
pub fn held(control: &CameraControl, controls: &[CameraControl]) -> Problem {
    let name = &control.name;
    let holder = control.held_by.as_ref().and_then(|holder| controls.iter().find(|other| other.name == *holder));
    let why = match holder {
        Some(holder) => {
            let entry = holder.menu.iter().find(|entry| entry.value == holder.value);
            let is = match (holder.kind, entry) {
                (ControlKind::Boolean, _) => {
                    if holder.value == 0 {
                        "off".into()
                    } else {
                        "on".into()
                    }
                }
                (_, Some(entry)) => format!("{} ({:.40})", holder.value, Untrusted(&entry.label)),
                _ => holder.value.to_string(),
            };
            format!("{name} is held by {}, which is {is}: set that first, or both at once", holder.name)
        }
        None => format!("{name} has no effect now: another control holds it, such as one that is automatic"),
    };
    Problem::new(ProblemCause::Held, why)
}

/// What is to be set, in the order in which it is: switches and menus first, for they let others go, and buttons last.
#[must_use]
pub fn in_order(controls: &[CameraControl], mut values: Vec<SetValue>) -> Vec<SetValue> {
    let rank = |set: &SetValue| match find(controls, &set.name).map(|control| control.kind) {
        Ok(ControlKind::Boolean | ControlKind::Menu) => 0,
        Ok(ControlKind::Button) => 2,
        _ => 1,
    };
    values.sort_by_key(rank);
    values
}

/// Whether all of it can be set, as far as can be told beforehand.
///
/// # Errors
/// The first that cannot.
pub fn check_all(controls: &[CameraControl], set: &SetControls) -> Result<(), Problem> {
    set.check()?;
    for SetValue { name, value } in &set.values {
        let control = find(controls, name)?;
        number_of(control, value.as_deref())?;
        let with = |holder: &String| set.values.iter().any(|other| other.name == *holder);
        if control.inactive && !set.reset && !control.held_by.as_ref().is_some_and(with) {
            return Err(held(control, controls));
        }
    }
    Ok(())
}
