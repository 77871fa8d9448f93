//! `/api/v1/calls/{id}/recording/pause` and `/resume`: nothing of a conversation is recorded for a
//! while; and the pauses of a call, as its events tell them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::{CallId, Duration, TenantId};
use serde::{Deserialize, Serialize};
use store::EventRow;
use switch::ApiRequest;
use utoipa::{IntoParams, ToSchema};

use super::call_control::{Steered, steer};
use super::call_views::seconds;
use super::own::acting;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Params, path_id};
use crate::state::{Api, Shared};

/// For how long a recording is paused at most, in seconds; and unless told.
const LONGEST_S: u32 = 3600;
const USUAL_S: u32 = 300;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PauseQuery {
    /// After how many seconds it goes on by itself, 1 to 3600; 300 if absent.
    seconds: Option<u32>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// A stretch in which nothing was recorded: silence of its exact length.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseView {
    /// The recording; null where a recording server alone has a copy.
    recording_id: Option<String>,
    /// When it began.
    at: String,
    /// How long it was; null while it lasts.
    duration_s: Option<f64>,
    /// Who wanted it: the name of a key.
    by: Option<String>,
    /// Why it is over: `request`, `limit`, or `ended` with the conversation; null while it lasts.
    ended: Option<String>,
}

/// Pauses a call's recording.
///
/// From the next packet on nothing is recorded: the recording is silent for exactly that time, and
/// recording servers (SIPREC) get nothing. It goes on when it is told to, by itself after `seconds`,
/// and with the next conversation of the call. Asked again, the time begins anew. A key with the
/// role `agent` does so in its own agent's conversations.
#[utoipa::path(post, path = "/api/v1/calls/{id}/recording/pause", tag = "calls",
    params(("id" = String, Path, description = "The call"), PauseQuery),
    responses((status = 202, description = "Nothing is recorded", body = Answer<Steered>),
        (status = 409, description = "Nobody talks, or nothing is recorded", body = ErrorBody)))]
pub(crate) async fn pause(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Params(query): Params<PauseQuery>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call: CallId = path_id("call", &id)?;
    let lasts = query.seconds.unwrap_or(USUAL_S);
    if !(1..=LONGEST_S).contains(&lasts) {
        return Err(Fault::invalid("seconds", format!("must be 1 to {LONGEST_S}")));
    }
    let (agent, by) = (acting(&scoped), scoped.caller.name.clone());
    let lasts = Duration::from_secs(u64::from(lasts));
    let asked = ApiRequest::PauseRecording { call, agent, by, lasts };
    steer(&api, &scoped, call, asked, "nothing is recorded").await
}

/// Records a call again.
#[utoipa::path(post, path = "/api/v1/calls/{id}/recording/resume", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "It is recorded again", body = Answer<Steered>),
        (status = 409, description = "It is not paused", body = ErrorBody)))]
pub(crate) async fn resume(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call: CallId = path_id("call", &id)?;
    let (agent, by) = (acting(&scoped), scoped.caller.name.clone());
    let asked = ApiRequest::ResumeRecording { call, agent, by };
    steer(&api, &scoped, call, asked, "it is recorded again").await
}

/// What the events of a pause say.
#[derive(Deserialize)]
struct Told {
    recording: Option<String>,
    by: Option<String>,
    why: Option<String>,
    paused_ms: Option<u64>,
}

/// The pauses of a call, in order.
pub(crate) async fn pauses(
    api: &Shared,
    tenant: &TenantId,
    call: CallId,
) -> Result<Vec<PauseView>, Fault> {
    Ok(pauses_of(&api.store.call_events(tenant, call).await?))
}

fn pauses_of(events: &[EventRow]) -> Vec<PauseView> {
    let mut pauses: Vec<PauseView> = Vec::new();
    for event in events {
        let (begins, ends) = (event.kind == "recording.paused", event.kind == "recording.resumed");
        let Some(told) =
            (begins || ends).then(|| serde_json::from_str::<Told>(&event.data).ok()).flatten()
        else {
            continue;
        };
        if begins {
            pauses.push(PauseView {
                recording_id: told.recording,
                at: event.at.to_string(),
                duration_s: None,
                by: told.by,
                ended: None,
            });
        } else if let Some(last) = pauses.last_mut() {
            (last.duration_s, last.ended) = (told.paused_ms.map(seconds), told.why);
        }
    }
    pauses
}
