//! `/api/v1/agents/{name}/...`: what an agent sets for their own phone: whether calls may disturb,
//! where they go instead, and how many messages wait.

use axum::extract::{Path, State};
use base::AgentId;
use routing::Forward;
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest, Waiting};
use utoipa::ToSchema;

use super::agents::strange;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::{Body, path_id};
use crate::state::{Api, Shared};

/// The agent that a path names, if it is there for the caller.
pub(super) fn own(api: &Shared, scoped: &Scoped, name: &str) -> Result<AgentId, Fault> {
    let agent: AgentId = path_id("agent", name)?;
    let known = api.directory().agent(&scoped.tenant, &agent).is_some();
    if known && scoped.may_see(Some(&agent)) { Ok(agent) } else { Err(Fault::not_found("agent")) }
}

/// Whether an agent wants no calls.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoNotDisturb {
    /// True: direct calls are busy or forwarded, and no queue rings the agent.
    on: bool,
}

/// Whether calls may disturb an agent.
///
/// Until it is set again, or the engine starts anew. A key with the role `agent` sets its own
/// agent's alone.
#[utoipa::path(put, path = "/api/v1/agents/{name}/do-not-disturb", tag = "agents",
    request_body = DoNotDisturb, params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is set", body = Answer<DoNotDisturb>)))]
pub(crate) async fn set_do_not_disturb(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    Body(wish): Body<DoNotDisturb>,
) -> Result<Answer<DoNotDisturb>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    let request = ApiRequest::SetDoNotDisturb { agent, on: wish.on };
    api.engine.ask(&scoped.tenant, "agent", request).await?;
    Ok(Answer::new(wish, "it is set"))
}

/// Where an agent's calls go instead: a number, an extension, an agent or a queue, as the agent
/// would dial it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forwarding {
    /// Every call.
    #[serde(default)]
    #[schema(example = "+4930123456")]
    always: Option<String>,
    /// Calls that come while the agent is busy or does not want to be disturbed.
    #[serde(default)]
    busy: Option<String>,
    /// Calls that are not answered, or come while no phone is registered.
    #[serde(default)]
    no_answer: Option<String>,
    /// How many seconds the phones ring before that, 5 to 120.
    #[serde(default = "twenty")]
    no_answer_s: u32,
}

fn twenty() -> u32 {
    20
}

impl From<Forward> for Forwarding {
    fn from(forward: Forward) -> Self {
        let Forward { always, busy, no_answer, no_answer_s } = forward;
        Self { always, busy, no_answer, no_answer_s }
    }
}

/// Where an agent's calls go instead.
#[utoipa::path(get, path = "/api/v1/agents/{name}/forward", tag = "agents",
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "Where to", body = Answer<Forwarding>)))]
pub(crate) async fn forward(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
) -> Result<Answer<Forwarding>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    let reply = api.engine.ask(&scoped.tenant, "agent", ApiRequest::Forward { agent }).await?;
    let ApiReply::Forward(forward) = reply else { return Err(strange(&reply)) };
    Ok(Answer::new(forward.into(), "where the calls go instead"))
}

/// Says where an agent's direct calls go instead.
///
/// In place of what is provisioned, until a provisioning changes that agent or the engine starts
/// anew. Only what the agent may dial is taken. A key with the role `agent` sets its own agent's
/// alone.
#[utoipa::path(put, path = "/api/v1/agents/{name}/forward", tag = "agents",
    request_body = Forwarding, params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is set", body = Answer<Forwarding>),
        (status = 409, description = "The agent may not dial that",
            body = crate::fault::ErrorBody)))]
pub(crate) async fn set_forward(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    Body(wish): Body<Forwarding>,
) -> Result<Answer<Forwarding>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    if !(5..=120).contains(&wish.no_answer_s) {
        return Err(Fault::invalid("no_answer_s", "5 to 120"));
    }
    let Forwarding { always, busy, no_answer, no_answer_s } = wish.clone();
    let forward = Forward { always, busy, no_answer, no_answer_s };
    let request = ApiRequest::SetForward { agent, forward };
    api.engine.ask(&scoped.tenant, "agent", request).await?;
    Ok(Answer::new(wish, "it is set"))
}

/// How many messages wait for an agent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessagesWaiting {
    /// Not heard yet: the lamp is on.
    new: u32,
    /// Heard, and kept.
    #[serde(default)]
    old: u32,
}

/// Says how many messages wait for an agent.
///
/// The agent's phones that subscribed to it (message-summary, RFC 3842) show it at once. Not for
/// the role `agent`.
#[utoipa::path(put, path = "/api/v1/agents/{name}/messages-waiting", tag = "agents",
    request_body = MessagesWaiting, params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is told", body = Answer<MessagesWaiting>)))]
pub(crate) async fn set_messages_waiting(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    Body(wish): Body<MessagesWaiting>,
) -> Result<Answer<MessagesWaiting>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    scoped.sees_all()?;
    let waiting = Waiting { new: wish.new, old: wish.old };
    let request = ApiRequest::SetMessagesWaiting { agent, waiting };
    api.engine.ask(&scoped.tenant, "agent", request).await?;
    Ok(Answer::new(wish, "it is told"))
}
