//! What an agent's desk shows of whoever calls: the last calls with the same number, and what a
//! program knows about this one.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::CallId;
use serde::{Deserialize, Serialize};
use store::CallRow;
use switch::ApiRequest;
use utoipa::{IntoParams, ToSchema};

use super::call_control::{Steered, steer, steerable};
use super::call_views::{seconds, text};
use super::calls::find;
use super::wrap_up::{WrapUpView, wrap_ups};
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, Params};
use crate::state::Api;

/// Calls that are told at most, and unless told.
const MOST: u32 = 50;
const USUAL: u32 = 10;
/// What a program may say of a call: so many things, each with a name and a text no longer.
const MOST_THINGS: usize = 20;
const LONGEST_NAME: usize = 32;
const LONGEST_TEXT: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// How many calls at most, 1 to 50; 10 if absent.
    most: Option<u32>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// The calls with one number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    /// The number of whoever the agent talks with; null if it is not known.
    number: Option<String>,
    /// The last calls from and to it, newest first, but for this one.
    calls: Vec<PastCall>,
}

/// What is told of a call that was before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PastCall {
    /// Its number.
    id: String,
    /// `inbound`, `outbound` or `internal`.
    direction: String,
    /// `ended`, or where it stands.
    state: String,
    /// When it came in.
    started_at: String,
    /// When it was over.
    ended_at: Option<String>,
    /// The (last) queue it waited in.
    queue: Option<String>,
    /// The agent who talked.
    agent: Option<String>,
    /// Seconds it waited for an agent.
    wait_s: Option<f64>,
    /// Seconds that caller and agent talked.
    talk_s: Option<f64>,
    /// Why it ended.
    cause: Option<String>,
    /// What it came to.
    wrap_ups: Vec<WrapUpView>,
}

/// The last calls with the number of this call's customer.
///
/// In the whole tenant, whoever took them: what came to pass, and what agents wrote down; not their
/// recordings, nor how they were routed. A key with the role `agent` asks about its own calls, so
/// that an agent knows the past of those they talk with and of nobody else.
#[utoipa::path(get, path = "/api/v1/calls/{id}/history", tag = "calls",
    params(("id" = String, Path, description = "The call"), HistoryQuery),
    responses((status = 200, description = "The calls", body = Answer<History>)))]
pub(crate) async fn history(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Params(query): Params<HistoryQuery>,
) -> Result<Answer<History>, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let most = query.most.unwrap_or(USUAL);
    if !(1..=MOST).contains(&most) {
        return Err(Fault::invalid("most", format!("must be 1 to {MOST}")));
    }
    let told = "the last calls with this number";
    let Some(number) = customer(&row) else {
        return Ok(Answer::new(History { number: None, calls: Vec::new() }, told));
    };
    let rows = api.store.calls_with(&scoped.tenant, number, row.id, most).await?;
    let ids: Vec<CallId> = rows.iter().map(|row| row.id).collect();
    let mut said = wrap_ups(&api, &scoped.tenant, &ids).await?;
    let calls = rows.into_iter().map(|row| {
        let wrap_ups = said.remove(&row.id).unwrap_or_default();
        past(row, wrap_ups)
    });
    let history = History { number: Some(number.to_owned()), calls: calls.collect() };
    Ok(Answer::new(history, told))
}

/// The number outside; nobody has the same history with all who hide theirs.
fn customer(row: &CallRow) -> Option<&str> {
    let number = match row.direction.as_ref() {
        "inbound" => row.from.as_str(),
        "outbound" => row.to.as_str(),
        _ => return None,
    };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (digits >= 3).then_some(number)
}

fn past(row: CallRow, wrap_ups: Vec<WrapUpView>) -> PastCall {
    PastCall {
        id: row.id.to_string(),
        direction: row.direction.into_owned(),
        state: row.state.as_str().to_owned(),
        started_at: row.started_at.to_string(),
        ended_at: text(row.ended_at),
        queue: row.queue.map(|queue| queue.to_string()),
        agent: row.agent.map(|agent| agent.to_string()),
        wait_s: row.wait_ms.map(seconds),
        talk_s: row.talk_ms.map(seconds),
        cause: row.cause,
        wrap_ups,
    }
}

/// What a program knows about a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// By name: at most 20, names of at most 32 letters, digits, `_`, `-`, `.` and spaces, texts of
    /// at most 200 characters.
    #[schema(example = json!({"customer": "4711", "tariff": "gold"}))]
    known: BTreeMap<String, String>,
}

/// Tells the agent of a call what a program knows about it.
///
/// The event `call.known` tells it, all of it each time, and the agent's page shows it beside the
/// caller. Not for the role `agent`.
#[utoipa::path(put, path = "/api/v1/calls/{id}/known", tag = "calls", request_body = Known,
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "It is told", body = Answer<Steered>),
        (status = 404, description = "There is no such call any more", body = ErrorBody)))]
pub(crate) async fn tell(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(Known { known }): Body<Known>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let is_name = |name: &str| {
        let is_plain = |one: char| one.is_alphanumeric() || "_-. ".contains(one);
        (1..=LONGEST_NAME).contains(&name.chars().count()) && name.chars().all(is_plain)
    };
    let is_text =
        |text: &str| text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control);
    if known.len() > MOST_THINGS || !known.iter().all(|(name, text)| is_name(name) && is_text(text))
    {
        return Err(Fault::invalid("known", "at most 20 names with short texts"));
    }
    let asked = ApiRequest::Tell { call, known };
    steer(&api, &scoped, call, asked, "it is told").await
}
