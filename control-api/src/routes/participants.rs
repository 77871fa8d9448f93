//! `/api/v1/calls/{id}/participants`: further parties of a conversation.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::{CallId, LegId};
use serde::Deserialize;
use switch::{ApiReply, ApiRequest};
use utoipa::ToSchema;

use super::agents::strange;
use super::call_control::{Steered, steer, steerable, target};
use super::leg_views::{Discretion, LegView};
use super::own::own_call;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, path_id};
use crate::state::{Api, Shared};

/// Who is to come in: either of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Participant {
    /// An agent's name or extension, or a number, which is called.
    #[schema(example = "bob")]
    to: Option<String>,
    /// Another call of the same agent's: whoever the agent talks with there comes in here.
    call: Option<String>,
    /// Whether the call ends when the agent who has it leaves, however many are left; as it was if
    /// absent, and at first it does not.
    ends_with_host: Option<bool>,
}

/// Who is in a conversation, with figures: the parties, supervisors, and who rings.
#[utoipa::path(get, path = "/api/v1/calls/{id}/participants", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The legs", body = Answer<Vec<LegView>>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<Vec<LegView>>, Fault> {
    let call = own_call(&api, &scoped, &id).await?;
    match api.engine.ask(&scoped.tenant, "call", ApiRequest::Call { call }).await? {
        ApiReply::Call(live) => {
            let discretion = Discretion::of(&api, &scoped);
            let shown = live.legs.iter().filter(|leg| discretion.shows(leg));
            let legs = shown.map(LegView::from).collect();
            Ok(Answer::new(legs, "those in the call"))
        }
        reply => Err(strange(&reply)),
    }
}

/// Brings somebody into a conversation.
///
/// With `to` somebody is called, while the others talk on. With `call` two calls of one agent's
/// become one: the other one ends. A key with the role `agent` does so in its own agent's calls.
#[utoipa::path(post, path = "/api/v1/calls/{id}/participants", tag = "calls",
    request_body = Participant, params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "They are called, or there", body = Answer<Steered>),
        (status = 403, description = "They may not be called", body = ErrorBody),
        (status = 409, description = "Nobody talks in it, or somebody is being called already",
            body = ErrorBody)))]
pub(crate) async fn add(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(wish): Body<Participant>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = own_call(&api, &scoped, &id).await?;
    let ends_with_host = wish.ends_with_host;
    let asked = match (wish.to, wish.call) {
        (Some(to), None) => ApiRequest::AddParticipant { call, to: target(to)?, ends_with_host },
        (None, Some(other)) => {
            let other = own_call(&api, &scoped, &other).await?;
            ApiRequest::Merge { call, other, ends_with_host }
        }
        _ => return Err(Fault::invalid("to", "give either to or call")),
    };
    steer(&api, &scoped, call, asked, "they are brought in").await
}

/// Takes somebody out of a conversation, or no longer calls them.
#[utoipa::path(delete, path = "/api/v1/calls/{id}/participants/{leg}", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("leg" = u64, Path, description = "The leg")),
    responses((status = 200, description = "They are hung up", body = Answer<Steered>),
        (status = 409, description = "Only two are left", body = ErrorBody)))]
pub(crate) async fn remove(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, leg)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let call = own_call(&api, &scoped, &id).await?;
    let leg = LegId(path_id("participant", &leg)?);
    let asked = ApiRequest::RemoveParticipant { call, leg };
    api.engine.ask(&scoped.tenant, "participant", asked).await?;
    Ok(Answer::new(Steered::new(call), "they are hung up"))
}

/// Mutes somebody: what they say is heard by nobody, and not recorded.
#[utoipa::path(post, path = "/api/v1/calls/{id}/participants/{leg}/mute", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("leg" = u64, Path, description = "The leg")),
    responses((status = 200, description = "It is so", body = Answer<Steered>)))]
pub(crate) async fn mute(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, leg)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let asked = |call, leg| ApiRequest::Mute { call, leg, muted: true };
    change(&api, &scoped, (&id, &leg), asked, "it is so").await
}

/// Lets a muted one be heard again.
#[utoipa::path(post, path = "/api/v1/calls/{id}/participants/{leg}/unmute", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("leg" = u64, Path, description = "The leg")),
    responses((status = 200, description = "It is so", body = Answer<Steered>)))]
pub(crate) async fn unmute(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, leg)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let asked = |call, leg| ApiRequest::Mute { call, leg, muted: false };
    change(&api, &scoped, (&id, &leg), asked, "it is so").await
}

/// Holds one party, who hears music while the others talk.
#[utoipa::path(post, path = "/api/v1/calls/{id}/participants/{leg}/hold", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("leg" = u64, Path, description = "The leg")),
    responses((status = 200, description = "They are held", body = Answer<Steered>),
        (status = 409, description = "They are held already", body = ErrorBody)))]
pub(crate) async fn hold(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, leg)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let asked = |call, leg| ApiRequest::HoldParticipant { call, leg, holds: true };
    change(&api, &scoped, (&id, &leg), asked, "they are held").await
}

/// Takes a held party back.
#[utoipa::path(post, path = "/api/v1/calls/{id}/participants/{leg}/resume", tag = "calls",
    params(("id" = String, Path, description = "The call"),
        ("leg" = u64, Path, description = "The leg")),
    responses((status = 200, description = "They talk again", body = Answer<Steered>),
        (status = 409, description = "They are not held", body = ErrorBody)))]
pub(crate) async fn resume(
    State(api): State<Api>,
    scoped: Scoped,
    Path((id, leg)): Path<(String, String)>,
) -> Result<Answer<Steered>, Fault> {
    let asked = |call, leg| ApiRequest::HoldParticipant { call, leg, holds: false };
    change(&api, &scoped, (&id, &leg), asked, "they talk again").await
}

/// Asks that of one party, whose call the key may steer.
async fn change(
    api: &Shared,
    scoped: &Scoped,
    (id, leg): (&str, &str),
    asked: impl FnOnce(CallId, LegId) -> ApiRequest,
    done: &'static str,
) -> Result<Answer<Steered>, Fault> {
    let call = steerable(scoped, id)?;
    let leg = LegId(path_id("participant", leg)?);
    api.engine.ask(&scoped.tenant, "participant", asked(call, leg)).await?;
    Ok(Answer::new(Steered::new(call), done))
}
