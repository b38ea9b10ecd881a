//! Controls as programs set them that were written for mjpg-streamer: `/input.json` has them, `/?action=command` sets one, of the first
//! stream of room `main`. Their numbers are V4L2's.

use serde_json::{Map, Value, json};

use super::controls::{Says, ask};
use super::{Answer, Body, Exchange, Outcome};
use crate::names::StreamKey;
use crate::wire::camera_controls::{CameraControl, ControlKind, SetControls, SetValue};

/// What mjpg-streamer calls the controls of V4L2.
const GROUP: &str = "1";

/// The first stream of room `main`, of those that whoever asks may see.
fn first(exchange: &Exchange<'_>) -> Result<StreamKey, Answer> {
    let shared = exchange.shared;
    let grant = shared.access.watch(&exchange.credentials(), StreamKey::new("main", ""))?;
    if !grant.0.name.is_empty() {
        return Ok(grant.0.clone());
    }
    let first = shared.registry().rooms.first(&grant.0.room);
    first.ok_or_else(|| Answer::unavailable("nobody publishes in room main"))
}

/// What there is.
pub(in crate::hub) fn input(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD")?;
    let key = first(exchange)?;
    let says = Says { answer: Box::new(as_input), refusal: Answer::text };
    Ok(ask(exchange, &key, SetControls::default(), says).into())
}

/// `/?action=command&dest=0&plugin=0&id=ID&group=1&value=V` sets one.
pub(in crate::hub) fn command(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET")?;
    let shared = exchange.shared;
    // Who may operate all of the room need not be let see it.
    let key = shared.registry().rooms.first("main");
    let key = match key {
        Some(key) => key,
        None => {
            shared.access.operate(&exchange.credentials(), StreamKey::new("main", ""))?;
            return Err(Answer::unavailable("nobody publishes in room main"));
        }
    };
    shared.access.operate(&exchange.credentials(), key.clone())?;
    let is = |name: &str, one: &[&str]| exchange.parameter(name).is_none_or(|value| one.contains(&value.as_str()));
    if !is("dest", &["0"]) || !is("plugin", &["0"]) || !is("group", &["0", GROUP]) {
        return Err(Answer::text(400, "here are the controls of one camera alone: dest=0, plugin=0, group=1"));
    }
    let id = exchange.parameter("id").filter(|id| id.parse::<u32>().is_ok());
    let id = id.ok_or_else(|| Answer::text(400, "say which control: id= its number in /input.json"))?;
    let value = exchange.parameter("value").or(Some("0".into()));
    // It says which, and 0 for done.
    let done = format!("{id}: 0");
    let set = SetControls { values: vec![SetValue { name: id, value }], ..SetControls::default() };
    set.check().map_err(|problem| Answer::text(400, &problem.reason))?;
    let answer = move |_: &[CameraControl]| Answer::new(200, "text/plain; charset=utf-8", Body::from(done.clone()));
    Ok(ask(exchange, &key, set, Says { answer: Box::new(answer), refusal: Answer::text }).into())
}

/// All values are texts there.
fn as_input(list: &[CameraControl]) -> Answer {
    let controls: Vec<Value> = list.iter().filter(|control| control.id != 0).map(as_control).collect();
    Answer::json(200, &json!({ "controls": controls, "formats": [] }))
}

fn as_control(control: &CameraControl) -> Value {
    // `V4L2_CTRL_TYPE_…` and `V4L2_CTRL_FLAG_…`.
    let kind = match control.kind {
        ControlKind::Boolean => 2,
        ControlKind::Menu => 3,
        ControlKind::Button => 4,
        _ => 1,
    };
    let flags = if control.read_only { 0x4 } else { 0 } | if control.inactive { 0x10 } else { 0 };
    let text = |number: i64| Value::from(number.to_string());
    let mut value = json!({
        "name": control.label, "id": control.id.to_string(), "type": kind.to_string(), "min": text(control.min),
        "max": text(control.max), "step": text(control.step), "default": text(control.default), "value": text(control.value),
        "dest": "0", "flags": flags.to_string(), "group": GROUP,
    });
    if control.kind == ControlKind::Menu {
        let entry =
            |entry: &crate::wire::camera_controls::MenuEntry| (entry.value.to_string(), entry.label.clone().into());
        value["menu"] = Value::Object(control.menu.iter().map(entry).collect::<Map<_, _>>());
    }
    value
}
