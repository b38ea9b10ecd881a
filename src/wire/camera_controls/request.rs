//! What somebody writes who wants to set controls: JSON, the fields of a form, or `NAME=VALUE`.

use serde_json::Value;

use super::{Problem, ProblemCause, SetControls, SetValue};
use crate::wire::encoding;

fn wrong(why: impl Into<String>) -> Problem {
    Problem::new(ProblemCause::Value, why)
}

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "true")
}

impl SetControls {
    /// From JSON: `{"brightness": 140, "auto_exposure": "Manual Mode"}`; `null` is the default. `{"name": …, "value": …}` and
    /// `{"name": …, "default": true}` are of one control, `{"reset": true}` of all.
    ///
    /// # Errors
    /// It is no such text.
    pub fn from_json(json: &[u8]) -> Result<Self, Problem> {
        let example = r#"write {"brightness": 140}"#;
        let value: Value =
            serde_json::from_slice(json).map_err(|why| wrong(format!("this is no JSON ({why}): {example}")))?;
        let Value::Object(members) = value else { return Err(wrong(format!("this is no JSON object: {example}"))) };
        let mut this = Self::default();
        if let Some(Value::String(name)) = members.get("name") {
            let value = match (members.get("value"), members.get("default")) {
                (Some(value), None) => text_of(name, value)?,
                (None, Some(Value::Bool(true))) => None,
                _ => {
                    return Err(wrong(format!(
                        r#"say {{"name": …, "value": …}} or {{"name": …, "default": true}}; or {example}"#
                    )));
                }
            };
            this.values.push(SetValue { name: name.clone(), value });
        } else {
            for (name, value) in &members {
                if name == "reset" {
                    this.reset = *value == Value::Bool(true);
                } else {
                    this.values.push(SetValue { name: name.clone(), value: text_of(name, value)? });
                }
            }
        }
        this.whole(example)
    }

    /// From the fields of a form, or a query: `brightness=140&auto_exposure=1`, `reset=1`; an empty value is the default.
    ///
    /// # Errors
    /// It is no such text.
    pub fn from_form(text: &str) -> Result<Self, Problem> {
        let example = "write brightness=140";
        let mut this = Self::default();
        for pair in text.trim().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode =
                |text: &str| encoding::decode(&text.replace('+', " ")).ok_or_else(|| wrong("this is no UTF-8"));
            let (name, value) = (decode(name)?, decode(value)?);
            if name == "reset" {
                this.reset = is_on(&value);
            } else {
                this.values.push(SetValue { name, value: Some(value).filter(|value| !value.is_empty()) });
            }
        }
        this.whole(example)
    }

    fn whole(self, example: &str) -> Result<Self, Problem> {
        if self.only_reads() {
            return Err(wrong(format!("nothing is to be set: {example}")));
        }
        self.check()?;
        Ok(self)
    }
}

impl std::str::FromStr for SetValue {
    type Err = String;

    /// `NAME=VALUE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as brightness=140")?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err("write NAME=VALUE, such as brightness=140".into());
        }
        let set = Self { name: name.into(), value: Some(value.into()).filter(|value| value != "default") };
        SetControls { values: vec![set.clone()], ..SetControls::default() }
            .check()
            .map_err(|problem| problem.reason)?;
        Ok(set)
    }
}

fn text_of(name: &str, value: &Value) -> Result<Option<String>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(on) => Ok(Some(if *on { "1" } else { "0" }.into())),
        // A page's slider may say 140.0.
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| number.as_i64().is_none() && n.fract() == 0.0 && n.abs() < 9e15);
            Ok(Some(whole.map_or_else(|| number.to_string(), |n| format!("{n:.0}"))))
        }
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong(format!(
            "{name:.40}: a number, a text, true or false is wanted",
            name = crate::text::Untrusted(name)
        ))),
    }
}
