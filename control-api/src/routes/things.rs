//! `/api/v1/provisioning`, one thing at a time: numbers, queues, agents, flows, skills and
//! prompts of a tenant, and the platform's trunks.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::TenantId;
use routing::{Directory, Provisioning, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::{Body, Params};
use crate::provisioned::{Shelf, shown, tenant_of};
use crate::state::{Api, Shared};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThingQuery {
    /// `true`: says whether it would be right, and changes nothing.
    #[serde(default)]
    check: bool,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// What is provisioned.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProvisionedView {
    /// The tenant's part, as the provisioning file says it, without passwords and keys.
    #[schema(value_type = Object)]
    tenant: Value,
    /// The platform's trunks, with a platform key: without passwords and private keys.
    #[schema(value_type = Option<Vec<Object>>)]
    trunks: Option<Value>,
    /// What it may name of the tenants above it.
    inherited: InheritedView,
    /// Whether the key may make and delete numbers and change trunks: a platform key may.
    whole: bool,
}

/// What a tenant may name without having it itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InheritedView {
    /// Prompts, by name.
    prompts: BTreeSet<String>,
    /// Skills, by name.
    skills: BTreeSet<String>,
}

impl InheritedView {
    fn of(directory: &Directory, tenant: &TenantId) -> Self {
        let above: Vec<_> = directory.line(tenant).skip(1).collect();
        let above = || above.iter().filter_map(|(id, _)| directory.tenant(id));
        Self {
            prompts: above().flat_map(|of| &of.prompts).map(|one| one.id.to_string()).collect(),
            skills: above().flat_map(|of| &of.skills).map(|one| one.id.to_string()).collect(),
        }
    }
}

/// What is provisioned for a tenant. Secrets are left out. For the roles `admin` and `platform`.
#[utoipa::path(get, path = "/api/v1/provisioning", tag = "platform",
    responses((status = 200, description = "The tenant's part", body = Answer<ProvisionedView>)))]
pub(crate) async fn read(
    State(api): State<Api>,
    scoped: Scoped,
) -> Result<Answer<ProvisionedView>, Fault> {
    scoped.administers()?;
    let directory = api.directory();
    let tenant = directory.tenant(&scoped.tenant).ok_or_else(|| Fault::not_found("tenant"))?;
    let whole = scoped.caller.role == Role::Platform;
    let trunks = whole.then(|| shown(&directory.provisioning().trunks));
    let inherited = InheritedView::of(&directory, &scoped.tenant);
    let view = ProvisionedView { tenant: shown(tenant), trunks, inherited, whole };
    Ok(Answer::new(view, "what is provisioned"))
}

/// A thing as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ThingView {
    /// As the provisioning file says it, without its secrets; null if it is gone.
    #[schema(value_type = Option<Object>)]
    thing: Option<Value>,
    /// Whether it is live; not after a check.
    live: bool,
}

/// Makes or changes one thing.
///
/// `kind` is `numbers`, `agents`, `queues`, `flows`, `skills`, `prompts` or `trunks`; the body is
/// what the provisioning file says of it. Secrets that are left out stay as they are; a new agent
/// without a password gets one that nobody knows. Numbers are made, and trunks changed, with
/// platform keys alone.
#[utoipa::path(put, path = "/api/v1/provisioning/{kind}/{id}", tag = "platform",
    params(("kind" = String, Path, description = "What it is"),
        ("id" = String, Path, description = "Its name, or the number"), ThingQuery),
    request_body(content = Object),
    responses((status = 200, description = "It is changed", body = Answer<ThingView>),
        (status = 201, description = "It is made", body = Answer<ThingView>),
        (status = 422, description = "It is wrong; details.problems says where, each with a cure",
            body = crate::fault::ErrorBody)))]
pub(crate) async fn put(
    State(api): State<Api>,
    scoped: Scoped,
    Path((kind, id)): Path<(String, String)>,
    Params(query): Params<ThingQuery>,
    Body(wish): Body<Map<String, Value>>,
) -> Result<(StatusCode, Answer<ThingView>), Fault> {
    let mut wish = wish;
    may_change(&scoped, &kind)?;
    complete(&api, &scoped.tenant, (&kind, &id), &mut wish)?;
    let is_platform = scoped.caller.role == Role::Platform;
    let change = |provisioning: &mut Provisioning| {
        let is_new = place(provisioning, &scoped.tenant, &kind, &id, Some(wish))?;
        if is_new && kind == "numbers" && !is_platform {
            return Err(Fault::forbidden());
        }
        Ok((is_new, look(provisioning, &scoped.tenant, &kind, &id)))
    };
    let (is_new, thing) = api.change(query.check, Vec::new(), change).await?;
    let status = if is_new && !query.check { StatusCode::CREATED } else { StatusCode::OK };
    let told = if query.check { "it would be right" } else { "it is live" };
    Ok((status, Answer::new(ThingView { thing, live: !query.check }, told)))
}

/// Deletes one thing that nothing needs any more.
#[utoipa::path(delete, path = "/api/v1/provisioning/{kind}/{id}", tag = "platform",
    params(("kind" = String, Path, description = "What it is"),
        ("id" = String, Path, description = "Its name, or the number"), ThingQuery),
    responses((status = 200, description = "It is gone", body = Answer<ThingView>),
        (status = 422, description = "Something needs it; details.problems says what",
            body = crate::fault::ErrorBody)))]
pub(crate) async fn delete(
    State(api): State<Api>,
    scoped: Scoped,
    Path((kind, id)): Path<(String, String)>,
    Params(query): Params<ThingQuery>,
) -> Result<Answer<ThingView>, Fault> {
    may_change(&scoped, &kind)?;
    if kind == "numbers" && scoped.caller.role != Role::Platform {
        return Err(Fault::forbidden());
    }
    let change = |provisioning: &mut Provisioning| {
        place(provisioning, &scoped.tenant, &kind, &id, None).map(drop)
    };
    api.change(query.check, Vec::new(), change).await?;
    let told = if query.check { "it would be right" } else { "it is gone" };
    Ok(Answer::new(ThingView { thing: None, live: !query.check }, told))
}

fn may_change(scoped: &Scoped, kind: &str) -> Result<(), Fault> {
    scoped.administers()?;
    if kind == "trunks" { scoped.caller.platform() } else { Ok(()) }
}

/// A new agent without a password is one that registers with tokens alone.
fn complete(
    api: &Shared,
    tenant: &TenantId,
    (kind, id): (&str, &str),
    wish: &mut Map<String, Value>,
) -> Result<(), Fault> {
    let is_known = || {
        let directory = api.directory();
        directory.tenant(tenant).is_some_and(|of| of.agents.iter().any(|a| a.id.as_str() == id))
    };
    if kind == "agents" && wish.get("password").is_none_or(Value::is_null) && !is_known() {
        wish.insert("password".to_owned(), json!(api.random_hex::<24>()?));
    }
    Ok(())
}

/// Puts or takes away; true if it is new.
fn place(
    provisioning: &mut Provisioning,
    tenant: &TenantId,
    kind: &str,
    id: &str,
    wish: Option<Map<String, Value>>,
) -> Result<bool, Fault> {
    macro_rules! on {
        ($kind:literal, $things:expr, $name:expr) => {{
            let mut shelf = Shelf { kind: $kind, things: $things, name: $name };
            match wish {
                Some(wish) => shelf.put(id, wish),
                None if shelf.remove(id) => Ok(false),
                None => Err(Fault::not_found("thing")),
            }
        }};
    }
    if kind == "trunks" {
        return on!("trunks", &mut provisioning.trunks, |trunk| trunk.id.to_string());
    }
    let tenant = tenant_of(provisioning, tenant)?;
    match kind {
        "numbers" => on!("numbers", &mut tenant.numbers, |number| bare(&number.number)),
        "agents" => on!("agents", &mut tenant.agents, |agent| agent.id.to_string()),
        "queues" => on!("queues", &mut tenant.queues, |queue| queue.id.to_string()),
        "flows" => on!("flows", &mut tenant.flows, |flow| flow.id.to_string()),
        "skills" => on!("skills", &mut tenant.skills, |skill| skill.id.to_string()),
        "prompts" => on!("prompts", &mut tenant.prompts, |prompt| prompt.id.to_string()),
        _ => Err(Fault::not_found("path")),
    }
}

/// As it is shown now.
fn look(provisioning: &mut Provisioning, tenant: &TenantId, kind: &str, id: &str) -> Option<Value> {
    let all = match kind {
        "trunks" => shown(&provisioning.trunks),
        _ => shown(tenant_of(provisioning, tenant).ok()?).get(kind)?.clone(),
    };
    let is_it = |thing: &&Value| {
        let name = thing.get("id").and_then(Value::as_str);
        let number = thing.get("number").and_then(Value::as_str).map(bare);
        name == Some(id) || number.as_deref() == Some(id)
    };
    all.as_array()?.iter().find(is_it).cloned()
}

/// A number without what stands in it for people.
fn bare(number: &str) -> String {
    number.chars().filter(|letter| *letter == '+' || letter.is_ascii_alphanumeric()).collect()
}
