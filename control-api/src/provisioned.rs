//! What is provisioned, one thing at a time: read without its secrets, changed as a whole under one
//! lock, so that two changes never undo each other.

use axum::http::StatusCode;
use base::TenantId;
use routing::{Directory, Provisioning, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use store::PromptRow;

use crate::fault::Fault;
use crate::flow_faults;
use crate::state::Shared;

/// What is never shown, wherever it stands.
const SECRETS: [&str; 2] = ["password", "private_key"];

/// A value as the provisioning file says it, without its secrets.
pub(crate) fn shown(thing: &impl Serialize) -> Value {
    // Our own plain types into memory: it cannot fail.
    let mut value = serde_json::to_value(thing).unwrap_or_default();
    hide(&mut value);
    value
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !SECRETS.contains(&name.as_str()) && name != "api_keys");
            fields.values_mut().for_each(hide);
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Whoever changes what is shown leaves its secrets out: those stay.
fn keep_secrets(wish: &mut Map<String, Value>, before: &Map<String, Value>) {
    for (name, old) in before {
        if SECRETS.contains(&name.as_str()) {
            if wish.get(name).is_none_or(Value::is_null) {
                wish.insert(name.clone(), old.clone());
            }
        } else if let (Some(Value::Object(new)), Value::Object(old)) = (wish.get_mut(name), old) {
            keep_secrets(new, old);
        }
    }
}

/// A list of things with names, such as a tenant's queues.
pub(crate) struct Shelf<'a, T> {
    /// As the provisioning calls it: `queues`.
    pub(crate) kind: &'static str,
    pub(crate) things: &'a mut Vec<T>,
    pub(crate) name: fn(&T) -> String,
}

impl<T: Serialize + DeserializeOwned> Shelf<'_, T> {
    /// Puts a thing in place of the one with that name, or behind the others; true if it is new.
    pub(crate) fn put(&mut self, name: &str, mut wish: Map<String, Value>) -> Result<bool, Fault> {
        let place = self.things.iter().position(|thing| (self.name)(thing) == name);
        if let Some(Ok(Value::Object(before))) =
            place.map(|at| serde_json::to_value(&self.things[at]))
        {
            keep_secrets(&mut wish, &before);
        }
        let thing: T = T::deserialize(&Value::Object(wish.clone()))
            .map_err(|error| unreadable(self.kind, name, &wish, &error.to_string()))?;
        let own = (self.name)(&thing);
        if own != name {
            let problem = format!("it is called {own:?} in the body");
            return Err(problems(vec![problem_at(
                &format!("{}.{name}.id", self.kind),
                &problem,
                "write the same name in both places; make a new one to rename it",
            )]));
        }
        match place {
            Some(at) => self.things[at] = thing,
            None => self.things.push(thing),
        }
        Ok(place.is_none())
    }

    /// Takes it away; false if there is none.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.things.len();
        self.things.retain(|thing| (self.name)(thing) != name);
        self.things.len() != before
    }
}

/// What serde says, with the key that it names as the place; of a flow with the step.
fn unreadable(kind: &str, name: &str, wish: &Map<String, Value>, why: &str) -> Fault {
    if kind == "flows" {
        let found = flow_faults::of(wish);
        if !found.is_empty() {
            let path = |place: &str| format!("{kind}.{name}{place}");
            let each = |(place, why): &(String, String)| problem_at(&path(place), why, CURE);
            return problems(found.iter().map(each).collect());
        }
    }
    let path = format!("{kind}.{name}{}", flow_faults::named(why));
    problems(vec![problem_at(&path, why, CURE)])
}

const CURE: &str = "docs/provisioning.md has the keys and their values";

fn problem_at(path: &str, problem: &str, cure: &str) -> Value {
    json!({"path": path, "problem": problem, "cure": cure})
}

/// A provisioning that is not taken.
pub(crate) fn problems(problems: Vec<Value>) -> Fault {
    let error = "the provisioning is wrong; nothing was changed";
    Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_PROVISIONING", error)
        .with_details(json!({"problems": problems}))
}

/// Every rule that a provisioning breaks, each with its place and a cure.
pub(crate) fn check(provisioning: &Provisioning) -> Result<Directory, Fault> {
    Directory::build(provisioning.clone()).map_err(|errors| {
        let each = |error: &routing::ProvisioningError| {
            problem_at(&error.path, &error.problem, &error.cure)
        };
        problems(errors.iter().map(each).collect())
    })
}

/// The tenant of a provisioning that is being changed.
pub(crate) fn tenant_of<'a>(
    provisioning: &'a mut Provisioning,
    id: &TenantId,
) -> Result<&'a mut Tenant, Fault> {
    let tenant = provisioning.tenants.iter_mut().find(|tenant| tenant.id == *id);
    tenant.ok_or_else(|| Fault::not_found("tenant"))
}

impl Shared {
    /// Changes what is live: `change` gets all of it, and what it makes of it is checked and goes
    /// live, unless it is a trial.
    pub(crate) async fn change<T>(
        &self,
        is_trial: bool,
        prompts: Vec<PromptRow>,
        change: impl FnOnce(&mut Provisioning) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _turn = self.changing.lock().await;
        let mut provisioning = self.directory().provisioning().clone();
        let made = change(&mut provisioning)?;
        check(&provisioning)?;
        if is_trial {
            return Ok(made);
        }
        self.go_live(provisioning, prompts).await?;
        Ok(made)
    }

    /// Takes a whole provisioning live.
    pub(crate) async fn replace(
        &self,
        provisioning: Provisioning,
        prompts: Vec<PromptRow>,
    ) -> Result<(), Fault> {
        let _turn = self.changing.lock().await;
        self.go_live(provisioning, prompts).await
    }

    async fn go_live(
        &self,
        provisioning: Provisioning,
        prompts: Vec<PromptRow>,
    ) -> Result<(), Fault> {
        let applied = self.engine.provision(provisioning, prompts).await?;
        applied.map_err(|why| problems(why.lines().map(|line| json!({"problem": line})).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand_and_stay_when_they_are_left_out() {
        let trunk = json!({"id": "a", "credentials": {"user": "u", "password": "p"},
            "stir": {"sign": {"certificate_url": "c", "private_key": "k"}}, "api_keys": [1]});
        let mut seen = shown(&trunk);
        let text = seen.to_string();
        assert!(!text.contains("\"p\"") && !text.contains("\"k\"") && !text.contains("api_keys"));
        seen["credentials"]["user"] = json!("other");
        let (Value::Object(mut wish), Value::Object(before)) = (seen, trunk) else { panic!() };
        keep_secrets(&mut wish, &before);
        assert_eq!(wish["credentials"], json!({"user": "other", "password": "p"}));
        assert_eq!(wish["stir"]["sign"]["private_key"], "k");
        let mut without = json!({"id": "a"}).as_object().cloned().unwrap_or_default();
        keep_secrets(&mut without, &before);
        assert_eq!(without.len(), 1, "what is taken away takes its secret along");
    }
}
