//! Calls made and steered through the API: click-to-call, transfer, hold.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::{AgentId, CallId};
use routing::Role;
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest, First, Originate};
use utoipa::ToSchema;

use super::agents::strange;
use super::answering_machine::MachineWish;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, path_id};
use crate::state::{Api, Shared};

/// How long the first of the two may take to answer, in seconds.
const TIMEOUT_S: std::ops::RangeInclusive<u32> = 5..=180;
/// A longer text is no address that anybody dials.
const LONGEST_TARGET: usize = 255;

/// The call to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCall {
    /// The agent who talks; a key with the role `agent` calls for its own alone.
    #[schema(example = "alice")]
    agent: String,
    /// Whom to call, as the agent would dial it: a number, an extension, another agent.
    #[schema(example = "+15550123")]
    to: String,
    /// `agent` (the default): the agent's phone rings first; `customer`: the other one's.
    first: Option<String>,
    /// The number that the customer is shown: one of the tenant's own.
    caller_id: Option<String>,
    /// How long the first of the two may take to answer, 5 to 180 seconds; 45 if absent.
    timeout_s: Option<u32>,
    /// What is done when a machine answers outside; nobody listens if absent.
    answering_machine: Option<MachineWish>,
}

/// A call that is being steered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Steered {
    /// Its number.
    id: String,
}

impl Steered {
    pub(crate) fn new(call: CallId) -> Self {
        Self { id: call.to_string() }
    }
}

/// Makes a call.
///
/// The first of the two is rung at once; when they have answered, the other one is, and the first
/// hears it ring. The call's events tell how it goes.
#[utoipa::path(post, path = "/api/v1/calls", tag = "calls", request_body = NewCall,
    responses((status = 201, description = "The call has begun", body = Answer<Steered>),
        (status = 403, description = "It may not be made", body = ErrorBody)))]
pub(crate) async fn make(
    State(api): State<Api>,
    scoped: Scoped,
    Body(wish): Body<NewCall>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let agent: AgentId =
        wish.agent.parse().map_err(|_| Fault::invalid("agent", "is no name of an agent"))?;
    if !scoped.may_see(Some(&agent)) {
        return Err(Fault::not_found("agent"));
    }
    let first = match wish.first.as_deref() {
        None | Some("agent") => First::Agent,
        Some("customer") => First::Customer,
        Some(_) => return Err(Fault::invalid("first", "must be agent or customer")),
    };
    if wish.timeout_s.is_some_and(|seconds| !TIMEOUT_S.contains(&seconds)) {
        return Err(Fault::invalid("timeout_s", "must be 5 to 180"));
    }
    let to = target(wish.to)?;
    let (caller_id, timeout_s) = (wish.caller_id, wish.timeout_s);
    let answering_machine = wish.answering_machine.map(MachineWish::checked).transpose()?;
    let asked = Originate { agent, to, first, caller_id, timeout_s, answering_machine };
    let asked = ApiRequest::Originate(asked);
    match api.engine.ask(&scoped.tenant, "agent", asked).await? {
        ApiReply::Originated(call) => {
            let made = Steered { id: call.to_string() };
            Ok((StatusCode::CREATED, Answer::new(made, "the call has begun")))
        }
        reply => Err(strange(&reply)),
    }
}

/// Where a call is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// An agent's name or extension, a queue's extension, a number.
    #[schema(example = "bob")]
    to: String,
}

/// Transfers a call.
///
/// The customer hears music until somebody has taken the call; if nobody does, the conversation
/// goes on. The call's events tell how it goes.
#[utoipa::path(post, path = "/api/v1/calls/{id}/transfer", tag = "calls", request_body = Target,
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "It is on its way", body = Answer<Steered>),
        (status = 403, description = "It may not go there", body = ErrorBody),
        (status = 409, description = "Nobody talks in it", body = ErrorBody)))]
pub(crate) async fn transfer(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(target_of): Body<Target>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let to = target(target_of.to)?;
    steer(&api, &scoped, call, ApiRequest::Transfer { call, to }, "it is being transferred").await
}

/// How a call waits from here on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    /// 255 before 0; calls wait with 0 unless somebody says otherwise.
    #[schema(example = 200)]
    priority: u8,
}

/// Changes the priority of a call that waits.
///
/// It waits behind those that have the same priority and came before it. Its events and reasons say
/// who did it.
#[utoipa::path(patch, path = "/api/v1/calls/{id}", tag = "calls", request_body = Changes,
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "It waits there", body = Answer<Steered>),
        (status = 409, description = "It does not wait in a queue", body = ErrorBody)))]
pub(crate) async fn set_priority(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(Changes { priority }): Body<Changes>,
) -> Result<Answer<Steered>, Fault> {
    let call = steerable(&scoped, &id)?;
    let by = scoped.caller.name.clone();
    api.engine.ask(&scoped.tenant, "call", ApiRequest::SetPriority { call, priority, by }).await?;
    Ok(Answer::new(Steered::new(call), "it waits with this priority"))
}

/// Holds the customer of a call.
///
/// The customer hears music, and neither side hears the other.
#[utoipa::path(post, path = "/api/v1/calls/{id}/hold", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "The customer is held", body = Answer<Steered>),
        (status = 409, description = "Nobody talks in it, or it is held", body = ErrorBody)))]
pub(crate) async fn hold(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let asked = ApiRequest::Hold { call, holds: true };
    steer(&api, &scoped, call, asked, "the customer is held").await
}

/// Takes a held customer back.
#[utoipa::path(post, path = "/api/v1/calls/{id}/resume", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "They hear each other", body = Answer<Steered>),
        (status = 409, description = "It is not held", body = ErrorBody)))]
pub(crate) async fn resume(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let asked = ApiRequest::Hold { call, holds: false };
    steer(&api, &scoped, call, asked, "they hear each other").await
}

/// Who takes a ringing call over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Taker {
    /// The agent; a key with the role `agent` names its own alone.
    #[schema(example = "bob")]
    agent: String,
}

/// Picks a ringing call up.
///
/// The agent's phones ring; who answers has the call, and the phone that rang is silent. A key with
/// the role `agent` picks up within the agent's pickup groups only.
#[utoipa::path(post, path = "/api/v1/calls/{id}/pickup", tag = "calls", request_body = Taker,
    params(("id" = String, Path, description = "The call that rings somebody else")),
    responses((status = 202, description = "The agent is rung, in this call",
            body = Answer<Steered>),
        (status = 403, description = "The agent may not", body = ErrorBody),
        (status = 409, description = "Nobody rings in it", body = ErrorBody)))]
pub(crate) async fn pickup(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(taker): Body<Taker>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call: CallId = path_id("call", &id)?;
    let agent: AgentId =
        taker.agent.parse().map_err(|_| Fault::invalid("agent", "is no name of an agent"))?;
    if !scoped.may_see(Some(&agent)) {
        return Err(Fault::not_found("agent"));
    }
    let own_wish = scoped.caller.role == Role::Agent;
    let asked = ApiRequest::PickUp { call, agent, own_wish };
    match api.engine.ask(&scoped.tenant, "call", asked).await? {
        ApiReply::Originated(call) => {
            let rung = Steered { id: call.to_string() };
            Ok((StatusCode::ACCEPTED, Answer::new(rung, "the agent is rung")))
        }
        reply => Err(strange(&reply)),
    }
}

/// The call's number, if this caller may steer calls. An agent does that on the phone.
pub(crate) fn steerable(scoped: &Scoped, id: &str) -> Result<CallId, Fault> {
    if scoped.caller.role == Role::Agent {
        return Err(Fault::forbidden());
    }
    path_id("call", id)
}

pub(crate) async fn steer(
    api: &Shared,
    scoped: &Scoped,
    call: CallId,
    asked: ApiRequest,
    done: &'static str,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    api.engine.ask(&scoped.tenant, "call", asked).await?;
    Ok((StatusCode::ACCEPTED, Answer::new(Steered { id: call.to_string() }, done)))
}

pub(crate) fn target(to: String) -> Result<String, Fault> {
    let text = to.trim();
    if text.is_empty() || text.len() > LONGEST_TARGET || text.chars().any(char::is_control) {
        return Err(Fault::invalid("to", "must be an agent, an extension or a number"));
    }
    Ok(text.to_owned())
}
