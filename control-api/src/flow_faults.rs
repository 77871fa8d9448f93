//! Where in a flow something stands that cannot be read: serde names the key, but not the step.

use base::FlowId;
use routing::{Choice, Step};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Each place (`.steps[2].choices[0].queue`) with what serde says; none if all can be read.
pub(crate) fn of(wish: &Map<String, Value>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(why) = wish.get("id").and_then(why::<FlowId>) {
        found.push((".id".to_owned(), why));
    }
    let steps = wish.get("steps").and_then(Value::as_array);
    for (at, step) in steps.into_iter().flatten().enumerate() {
        let Some(why_step) = why::<Step>(step) else { continue };
        let place = format!(".steps[{at}]");
        let choices = step.get("choices").and_then(Value::as_array);
        let mut wrong: Vec<_> = (choices.into_iter().flatten().enumerate())
            .filter_map(|(nth, choice)| Some((nth, choice, why::<Choice>(choice)?)))
            .map(|(nth, choice, why)| {
                let inner = format!("{place}.choices[{nth}]");
                (format!("{inner}{}", blamed(choice, &why, without::<Choice>)), why)
            })
            .collect();
        if wrong.is_empty() {
            let blamed = blamed(step, &why_step, without::<Step>);
            wrong.push((format!("{place}{blamed}"), why_step));
        }
        found.extend(wrong);
    }
    found
}

/// The key that serde names, as the end of a path.
pub(crate) fn named(why: &str) -> String {
    why.split('`').nth(1).map(|field| format!(".{field}")).unwrap_or_default()
}

/// The key to blame: the one that is missing or unknown, else the one whose value cannot be read.
fn blamed(thing: &Value, why: &str, without: fn(&Value, &str) -> Option<String>) -> String {
    if why.starts_with("missing field") || why.starts_with("unknown field") {
        return named(why);
    }
    let fields = thing.as_object().into_iter().flat_map(Map::keys);
    // Without it the complaint is another one, or none.
    let culprit = fields
        .filter(|field| *field != "do")
        .find(|field| without(thing, field).is_none_or(|rest| rest != why));
    culprit.map(|field| format!(".{field}")).unwrap_or_default()
}

fn without<T: DeserializeOwned>(thing: &Value, field: &str) -> Option<String> {
    let mut thing = thing.clone();
    thing.as_object_mut()?.remove(field);
    why::<T>(&thing)
}

fn why<T: DeserializeOwned>(value: &Value) -> Option<String> {
    T::deserialize(value).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_with_its_step_its_choice_and_its_key() {
        let wish = json!({"id": "Main Menu", "steps": [
            {"do": "play"},
            {"do": "menu", "choices": [{"digits": "1", "queue": ""}, {"digits": 2}]},
            {"do": "queue", "queue": "sales"},
            {"do": "dial", "to": "alice", "ring_s": "ten"},
            {"do": "hangup", "cause": "tired"},
        ]});
        let places: Vec<String> =
            of(wish.as_object().unwrap()).into_iter().map(|(place, _)| place).collect();
        let expected = [
            ".id",
            ".steps[0].prompt",
            ".steps[1].choices[0].queue",
            ".steps[1].choices[1].digits",
            ".steps[3].ring_s",
            ".steps[4].cause",
        ];
        assert_eq!(places, expected);
        let right = json!({"id": "main", "steps": [{"do": "hangup"}]});
        assert_eq!(of(right.as_object().unwrap()), []);
    }
}
