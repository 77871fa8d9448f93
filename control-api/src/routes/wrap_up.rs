//! What a call came to: `/api/v1/calls/{id}/wrap-up`; and the agent's time to write that down:
//! `/api/v1/agents/{name}/wrap-up/finish` and `/extend`.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use base::{AgentId, CallId, Duration, QueueId, TenantId};
use routing::{Directory, Role, WrapUpCode};
use serde::{Deserialize, Serialize};
use store::{CallRow, WrapUpRow};
use switch::{ApiRequest, WrapUp};
use utoipa::ToSchema;

use super::call_control::Steered;
use super::calling::own;
use super::calls::find;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, path_id};
use crate::state::{Api, Shared};

/// Characters of the notes.
const LONGEST_NOTES: usize = 2000;
/// Seconds by which a wrap-up is made longer at once.
const MOST_MORE_S: u32 = 3600;

/// What a call came to, as one of its agents says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WrapUpView {
    /// The agent who had the call.
    agent: String,
    /// One of the queue's codes.
    #[schema(example = "order")]
    code: Option<String>,
    /// What people call the code now; the code itself if the queue has it no more.
    #[schema(example = "Order taken")]
    name: Option<String>,
    /// What else there is to say.
    notes: Option<String>,
    /// When that was said last.
    at: String,
    /// The name of the key that said so, if it was not the agent's.
    by: Option<String>,
}

/// What may be said of a call, and what has been.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrapUpForm {
    /// The codes of its queue, in their order; none of a call that came from no queue.
    codes: Vec<CodeView>,
    /// What has been said.
    said: Vec<WrapUpView>,
}

/// Something that a call can come to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodeView {
    /// What a record says.
    code: String,
    /// What people call it.
    name: String,
}

/// What a call came to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// One of the queue's `wrap_up_codes`.
    #[schema(example = "order")]
    code: Option<String>,
    /// At most 2000 characters.
    notes: Option<String>,
    /// Whose wrap-up it is; of the agent who had the call if absent. A key with the role `agent`
    /// speaks for its own.
    agent: Option<String>,
}

/// What may be said of a call, and what has been.
#[utoipa::path(get, path = "/api/v1/calls/{id}/wrap-up", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "Codes and wrap-ups", body = Answer<WrapUpForm>)))]
pub(crate) async fn form(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<WrapUpForm>, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let directory = api.directory();
    let codes = codes(&directory, &scoped.tenant, row.queue.as_ref());
    let shown = |one: &WrapUpCode| CodeView { code: one.code.clone(), name: one.shown().into() };
    let codes = codes.iter().map(shown).collect();
    let said = wrap_ups(&api, &scoped.tenant, &[row.id]).await?.remove(&row.id);
    let form = WrapUpForm { codes, said: said.unwrap_or_default() };
    Ok(Answer::new(form, "what may be said, and what has been"))
}

/// Says what a call came to, in place of what its agent had said before.
///
/// While it is up and after it. It stands with the call as soon as the event `call.wrapped_up` is
/// told. A key with the role `agent` speaks of its own agent's calls.
#[utoipa::path(put, path = "/api/v1/calls/{id}/wrap-up", tag = "calls", request_body = Said,
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "It is said", body = Answer<Steered>),
        (status = 409, description = "No agent had the call", body = ErrorBody)))]
pub(crate) async fn say(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(said): Body<Said>,
) -> Result<Answer<Steered>, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let directory = api.directory();
    let agent = speaker(&directory, &scoped, &row, said.agent.as_deref())?;
    let code = said.code.filter(|code| !code.is_empty());
    let known = codes(&directory, &scoped.tenant, row.queue.as_ref());
    if code.as_ref().is_some_and(|code| !known.iter().any(|one| one.code == *code)) {
        return Err(Fault::invalid("code", "must be one of the queue's wrap_up_codes"));
    }
    let wrap_up = WrapUp {
        agent,
        queue: row.queue.filter(|_| code.is_some()),
        code,
        notes: notes(said.notes.as_deref())?,
        by: (scoped.caller.role != Role::Agent).then(|| scoped.caller.name.clone()),
    };
    let asked = ApiRequest::WrappedUp { call: row.id, wrap_up };
    api.engine.ask(&scoped.tenant, "agent", asked).await?;
    Ok(Answer::new(Steered::new(row.id), "it is said"))
}

/// Whose wrap-up it is.
fn speaker(
    directory: &Directory,
    scoped: &Scoped,
    row: &CallRow,
    named: Option<&str>,
) -> Result<AgentId, Fault> {
    let agent = match named {
        Some(name) => Some(path_id("agent", name)?),
        None => scoped.only_agent().or(row.agent.as_ref()).cloned(),
    };
    let nobody = || Fault::conflict("CONFLICT", "no agent had this call");
    let agent = agent.ok_or_else(nobody)?;
    let known = directory.agent(&scoped.tenant, &agent).is_some();
    if known && scoped.may_see(Some(&agent)) { Ok(agent) } else { Err(Fault::not_found("agent")) }
}

fn notes(said: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(text) = said.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > LONGEST_NOTES {
        return Err(Fault::invalid("notes", format!("at most {LONGEST_NOTES} characters")));
    }
    if text.chars().any(|one| one.is_control() && !"\n\r\t".contains(one)) {
        return Err(Fault::invalid("notes", "control characters are no text"));
    }
    Ok(Some(text.to_owned()))
}

fn codes<'a>(
    directory: &'a Directory,
    tenant: &TenantId,
    queue: Option<&QueueId>,
) -> &'a [WrapUpCode] {
    let queue = queue.and_then(|queue| directory.queue(tenant, queue));
    queue.map_or(&[], |queue| &queue.wrap_up_codes)
}

/// What has been said of these calls.
pub(crate) async fn wrap_ups(
    api: &Shared,
    tenant: &TenantId,
    calls: &[CallId],
) -> Result<BTreeMap<CallId, Vec<WrapUpView>>, Fault> {
    let directory = api.directory();
    let mut found: BTreeMap<CallId, Vec<WrapUpView>> = BTreeMap::new();
    for row in api.store.wrap_ups(tenant, calls).await? {
        let WrapUpRow { call, agent, at, queue, code, notes, by } = row;
        let known = codes(&directory, tenant, queue.as_ref());
        let name = code.as_ref().map(|code| {
            let known = known.iter().find(|one| one.code == *code);
            known.map_or(code.as_str(), WrapUpCode::shown).to_owned()
        });
        let (agent, at) = (agent.to_string(), at.to_string());
        found.entry(call).or_default().push(WrapUpView { agent, code, name, notes, at, by });
    }
    Ok(found)
}

/// Ends an agent's wrap-up before its time.
///
/// The state that was chosen holds then. A key with the role `agent` ends its own agent's.
#[utoipa::path(post, path = "/api/v1/agents/{name}/wrap-up/finish", tag = "agents",
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is over", body = Answer<OfAgent>),
        (status = 409, description = "The agent is not in wrap-up", body = ErrorBody)))]
pub(crate) async fn finish(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
) -> Result<Answer<OfAgent>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    let id = agent.to_string();
    let asked = ApiRequest::WrapUp { agent, more: None };
    api.engine.ask(&scoped.tenant, "agent", asked).await?;
    Ok(Answer::new(OfAgent { id }, "the wrap-up is over"))
}

/// How much more time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct More {
    /// Seconds, 1 to 3600; as much of it as the queue's `wrap_up_extend_s` still permits is given.
    seconds: u32,
}

/// The agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfAgent {
    /// Its name.
    id: String,
}

/// Makes an agent's wrap-up longer, if the queue permits that.
///
/// A key with the role `agent` makes its own agent's longer.
#[utoipa::path(post, path = "/api/v1/agents/{name}/wrap-up/extend", tag = "agents",
    request_body = More, params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is longer", body = Answer<OfAgent>),
        (status = 409, description = "The agent is not in wrap-up, or the queue permits no more",
            body = ErrorBody)))]
pub(crate) async fn extend(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    Body(more): Body<More>,
) -> Result<Answer<OfAgent>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    if !(1..=MOST_MORE_S).contains(&more.seconds) {
        return Err(Fault::invalid("seconds", format!("must be 1 to {MOST_MORE_S}")));
    }
    let id = agent.to_string();
    let more = Some(Duration::from_secs(u64::from(more.seconds)));
    api.engine.ask(&scoped.tenant, "agent", ApiRequest::WrapUp { agent, more }).await?;
    Ok(Answer::new(OfAgent { id }, "the wrap-up is longer"))
}
