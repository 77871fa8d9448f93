//! `/api/v1/calls/{id}/supervise`: a supervisor listens to a conversation, whispers to its agent or
//! joins it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::{AgentId, CallId};
use routing::{Role, Supervision};
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest};
use utoipa::ToSchema;

use super::agents::strange;
use super::call_control::Steered;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, path_id};
use crate::state::{Api, Shared};

/// Who is to supervise, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Supervisor {
    /// The supervisor: an agent with the right to. A key with the role `agent` names its own, or
    /// nobody.
    #[schema(example = "sue")]
    agent: Option<String>,
    /// `listen`, `whisper` (heard by the agent alone) or `barge` (heard by everybody).
    #[schema(example = "listen")]
    mode: String,
    /// The agent whose part of it is meant, if there are several; the one who has the call if
    /// absent.
    of: Option<String>,
}

/// How a supervisor takes part from here on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mode {
    /// `listen`, `whisper` or `barge`.
    #[schema(example = "whisper")]
    mode: String,
}

/// A supervisor's leg that rings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ringing {
    /// The call.
    id: String,
    /// The leg.
    leg: u64,
}

/// Supervises a conversation.
///
/// The supervisor's phones ring for 45 seconds; whoever answers is in the conversation in that mode
/// from the first packet on. The call's events tell how it goes.
#[utoipa::path(post, path = "/api/v1/calls/{id}/supervise", tag = "calls",
    request_body = Supervisor, params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "The phones ring", body = Answer<Ringing>),
        (status = 403, description = "The agent does not supervise it", body = ErrorBody),
        (status = 409, description = "No agent talks in it, or the supervisor is there already",
            body = ErrorBody)))]
pub(crate) async fn supervise(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(wish): Body<Supervisor>,
) -> Result<(StatusCode, Answer<Ringing>), Fault> {
    let call: CallId = path_id("call", &id)?;
    let mode = mode_of(&wish.mode)?;
    let named = wish.agent.as_deref().or(scoped.only_agent().map(AgentId::as_str));
    let named = named.ok_or_else(|| Fault::invalid("agent", "says who is to supervise"))?;
    let agent = supervisor(&api, &scoped, named)?;
    let no_name = |_| Fault::invalid("of", "is no name of an agent");
    let of = wish.of.as_deref().map(|of| of.parse().map_err(no_name)).transpose()?;
    let request = ApiRequest::Supervise { call, agent, mode, of };
    match ask(&api, &scoped, request).await? {
        ApiReply::Rings(leg) => {
            let ringing = Ringing { id: call.to_string(), leg: leg.0 };
            Ok((StatusCode::ACCEPTED, Answer::new(ringing, "the supervisor's phones ring")))
        }
        reply => Err(strange(&reply)),
    }
}

/// Changes how a supervisor takes part.
#[utoipa::path(patch, path = "/api/v1/calls/{id}/supervise/{agent}", tag = "calls",
    request_body = Mode,
    params(("id" = String, Path, description = "The call"),
        ("agent" = String, Path, description = "The supervisor")),
    responses((status = 200, description = "It is so", body = Answer<Steered>),
        (status = 404, description = "No such supervisor is in it", body = ErrorBody)))]
pub(crate) async fn change(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, agent)): Path<(String, String)>,
    Body(wish): Body<Mode>,
) -> Result<Answer<Steered>, Fault> {
    let call: CallId = path_id("call", &id)?;
    let mode = mode_of(&wish.mode)?;
    let agent = supervisor(&api, &scoped, &agent)?;
    ask(&api, &scoped, ApiRequest::ChangeSupervision { call, agent, mode }).await?;
    Ok(Answer::new(Steered::new(call), "it is so"))
}

/// Lets a supervisor go. The conversation goes on.
#[utoipa::path(delete, path = "/api/v1/calls/{id}/supervise/{agent}", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("agent" = String, Path, description = "The supervisor")),
    responses((status = 200, description = "The supervisor is hung up", body = Answer<Steered>),
        (status = 404, description = "No such supervisor is in it", body = ErrorBody)))]
pub(crate) async fn end(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, agent)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let call: CallId = path_id("call", &id)?;
    let agent = supervisor(&api, &scoped, &agent)?;
    ask(&api, &scoped, ApiRequest::EndSupervision { call, agent }).await?;
    Ok(Answer::new(Steered::new(call), "the supervisor is hung up"))
}

/// Another's call is not there for an agent's key: not even as one that it may not supervise.
async fn ask(api: &Shared, scoped: &Scoped, request: ApiRequest) -> Result<ApiReply, Fault> {
    let what = if matches!(request, ApiRequest::Supervise { .. }) { "call" } else { "supervisor" };
    let reply = api.engine.ask(&scoped.tenant, what, request).await;
    let is_hidden = scoped.caller.role == Role::Agent;
    reply.map_err(
        |fault| {
            if is_hidden && fault.is_forbidden() { Fault::not_found("call") } else { fault }
        },
    )
}

fn supervisor(api: &Shared, scoped: &Scoped, name: &str) -> Result<AgentId, Fault> {
    let agent: AgentId = path_id("agent", name)?;
    let known = api.directory().agent(&scoped.tenant, &agent).is_some();
    if known && scoped.may_see(Some(&agent)) { Ok(agent) } else { Err(Fault::not_found("agent")) }
}

fn mode_of(word: &str) -> Result<Supervision, Fault> {
    let all = [Supervision::Listen, Supervision::Whisper, Supervision::Barge];
    let found = all.into_iter().find(|mode| mode.as_str() == word);
    found.ok_or_else(|| Fault::invalid("mode", "must be listen, whisper or barge"))
}
