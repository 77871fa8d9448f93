//! `/api/v1/agents`: who is there, in which state, and setting it.

use axum::extract::{Path, State};
use axum::http::Uri;
use base::{AgentId, CallId, UnixTime};
use routing::{AgentSnapshot, AgentState, Supervises};
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest};
use utoipa::ToSchema;

use super::call_views::seconds;
use super::calling::own;
use super::calls::ListQuery;
use crate::answer::{Answer, PageOf, page};
use crate::auth::Scoped;
use crate::clock;
use crate::fault::Fault;
use crate::params::{Body, Params, path_id};
use crate::state::Api;

const LONGEST_REASON: usize = 200;

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentView {
    /// The agent, as in the provisioning.
    #[schema(example = "alice")]
    id: String,
    /// What people call the agent.
    name: String,
    /// `offline`, `available`, `ringing`, `busy`, `wrap_up` or `break`.
    #[schema(example = "available")]
    state: String,
    /// Why, when somebody said so.
    reason: Option<String>,
    /// Since when.
    since: String,
    /// For how many seconds.
    state_s: f64,
    /// Whether a phone of the agent is registered.
    reachable: bool,
    /// The state that follows the call or the wrap-up.
    next: String,
    /// The call that rings or talks.
    call_id: Option<String>,
    /// The calls that no queue gave: dialled, or dialled to the agent.
    direct_call_ids: Vec<String>,
    /// The wrap-up that the agent is in.
    wrap_up: Option<WrapUpTime>,
    /// Whether the agent wants no calls.
    do_not_disturb: bool,
    /// Whether the agent may supervise any conversations.
    supervises: bool,
    /// What the agent can do.
    skills: Vec<String>,
    /// The queues whose calls the agent may take.
    queues: Vec<String>,
}

/// An agent's time to write a call up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrapUpTime {
    /// The call.
    call_id: String,
    /// When it is over.
    until: String,
    /// How long it lasts yet.
    left_s: f64,
    /// By how much it may still be made longer.
    may_extend_s: f64,
}

/// Lists agents, by name.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", params(ListQuery),
    responses((status = 200, description = "A page of agents", body = PageOf<AgentView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<AgentView>, Fault> {
    let page = page(query.page, query.per_page)?;
    let reply = api.engine.ask(&scoped.tenant, "tenant", ApiRequest::Agents).await?;
    let ApiReply::Agents(rows) = reply else { return Err(strange(&reply)) };
    let now = clock::now();
    let directory = api.directory();
    let may = |agent: &AgentId| {
        let known = directory.agent(&scoped.tenant, agent);
        known.is_some_and(|agent| agent.supervises != Supervises::Nothing)
    };
    let seen = rows.into_iter().filter(|row| scoped.may_see(Some(&row.id)));
    let views = seen.map(|row| {
        let supervises = may(&row.id);
        view(row, now, supervises)
    });
    Ok(PageOf::of(views.collect(), page, &uri))
}

/// One agent.
///
/// A key with the role `agent` sees its own.
#[utoipa::path(get, path = "/api/v1/agents/{name}", tag = "agents",
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "The agent", body = Answer<AgentView>)))]
pub(crate) async fn one(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
) -> Result<Answer<AgentView>, Fault> {
    let agent = own(&api, &scoped, &name)?;
    let reply = api.engine.ask(&scoped.tenant, "tenant", ApiRequest::Agents).await?;
    let ApiReply::Agents(rows) = reply else { return Err(strange(&reply)) };
    let row = rows.into_iter().find(|row| row.id == agent);
    let row = row.ok_or_else(|| Fault::not_found("agent"))?;
    let directory = api.directory();
    let known = directory.agent(&scoped.tenant, &agent);
    let supervises = known.is_some_and(|agent| agent.supervises != Supervises::Nothing);
    Ok(Answer::new(view(row, clock::now(), supervises), "the agent"))
}

/// A reply to another question than ours.
pub(crate) fn strange(reply: &ApiReply) -> Fault {
    Fault::internal("asking the engine", &format!("unexpected {reply:?}"))
}

fn view(row: AgentSnapshot, now: UnixTime, supervises: bool) -> AgentView {
    let since = now.as_micros() - i64::try_from(row.state_ms).unwrap_or(0).saturating_mul(1000);
    AgentView {
        name: if row.name.is_empty() { row.id.to_string() } else { row.name },
        id: row.id.to_string(),
        state: row.state.as_str().to_owned(),
        reason: row.reason,
        since: UnixTime::from_micros(since).to_string(),
        state_s: seconds(row.state_ms),
        reachable: row.reachable,
        next: row.next.as_str().to_owned(),
        call_id: row.work.map(call_id),
        direct_call_ids: row.direct_calls.iter().map(|call| call_id(*call)).collect(),
        wrap_up: row.wrap_up.map(|wrap_up| WrapUpTime {
            call_id: call_id(wrap_up.work),
            until: ahead(now, wrap_up.left_ms).to_string(),
            left_s: seconds(wrap_up.left_ms),
            may_extend_s: seconds(wrap_up.may_extend_ms),
        }),
        do_not_disturb: row.do_not_disturb,
        supervises,
        skills: row.skills.iter().map(ToString::to_string).collect(),
        queues: row.queues.iter().map(ToString::to_string).collect(),
    }
}

fn ahead(now: UnixTime, millis: u64) -> UnixTime {
    let micros = i64::try_from(millis).unwrap_or(0).saturating_mul(1000);
    UnixTime::from_micros(now.as_micros().saturating_add(micros))
}

fn call_id(work: routing::WorkId) -> String {
    CallId::from_u128(work.0).to_string()
}

/// The state an agent is to be in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// `available`, `break` or `offline`; the others come from the work.
    #[schema(example = "break")]
    state: String,
    /// Why, for reports; at most 200 characters.
    #[schema(example = "lunch")]
    reason: Option<String>,
}

/// The state that was set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Wished {
    /// The agent.
    id: String,
    /// The state; an agent who talks goes there after the call.
    state: String,
    /// Why.
    reason: Option<String>,
}

/// Puts an agent into a state.
///
/// A key with the role `agent` sets its own agent's alone.
#[utoipa::path(put, path = "/api/v1/agents/{name}/state", tag = "agents", request_body = Wish,
    params(("name" = String, Path, description = "The agent")),
    responses((status = 200, description = "It is set", body = Answer<Wished>)))]
pub(crate) async fn set_state(
    State(api): State<Api>,
    scoped: Scoped,
    Path(name): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<Answer<Wished>, Fault> {
    let agent: AgentId = path_id("agent", &name)?;
    let known = api.directory().agent(&scoped.tenant, &agent).is_some();
    if !known || !scoped.may_see(Some(&agent)) {
        return Err(Fault::not_found("agent"));
    }
    let state = choice(&wish.state)?;
    let reason = wish.reason.filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        return Err(Fault::invalid("reason", format!("at most {LONGEST_REASON} characters")));
    }
    let wished =
        Wished { id: agent.to_string(), state: state.as_str().to_owned(), reason: reason.clone() };
    let request = ApiRequest::SetAgentState { agent, state, reason };
    api.engine.ask(&scoped.tenant, "agent", request).await?;
    Ok(Answer::new(wished, "the state is set"))
}

fn choice(word: &str) -> Result<AgentState, Fault> {
    [AgentState::Available, AgentState::Break, AgentState::Offline]
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| Fault::invalid("state", "must be available, break or offline"))
}
