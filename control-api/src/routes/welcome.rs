//! `/api/v1/welcome`: how a newcomer to the demo signs in by a link, and has somebody to call with.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::{Scoped, is_loopback, wrong_code};
use crate::fault::Fault;
use crate::params::Body;
use crate::state::Api;
use crate::welcome::{Scene, Stage};

/// An invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invitation {
    /// The code of the link that the demo has printed.
    code: String,
}

/// What it opens.
#[derive(Serialize, ToSchema)]
pub(crate) struct Opened {
    /// The key to sign in with.
    key: String,
}

/// Signs in with the link that the demo has printed, once, from the same machine.
#[utoipa::path(post, path = "/api/v1/welcome/sign-in", tag = "demo", request_body = Invitation,
    responses((status = 200, description = "The key", body = Answer<Opened>)))]
pub(crate) async fn sign_in(
    State(api): State<Api>,
    headers: HeaderMap,
    extensions: Extensions,
    Body(invitation): Body<Invitation>,
) -> Result<Answer<Opened>, Fault> {
    let is_near = is_loopback(&headers, &extensions);
    let key = if is_near { api.welcome.redeem(&invitation.code) } else { None };
    let key = key.ok_or_else(|| wrong_code(&api, &extensions))?;
    Ok(Answer::new(Opened { key }, "welcome"))
}

/// Who is there to have a call with.
#[derive(Serialize, ToSchema)]
pub(crate) struct StageView {
    /// The number that leads to the queue.
    #[schema(example = "+15550100")]
    number: String,
    /// The agent that the newcomer is.
    agent: String,
    /// The agent who takes the newcomer's call.
    colleague: String,
    /// Where a phone of one's own registers.
    sip: String,
}

/// Who is there to have a call with; 404 where no demo runs.
#[utoipa::path(get, path = "/api/v1/welcome", tag = "demo",
    responses((status = 200, description = "They are", body = Answer<StageView>)))]
pub(crate) async fn show(
    State(api): State<Api>,
    scoped: Scoped,
) -> Result<Answer<StageView>, Fault> {
    scoped.sees_all()?;
    let Stage { number, agent, colleague, sip, .. } = stage(&api)?;
    let (agent, colleague) = (agent.to_string(), colleague.to_string());
    Ok(Answer::new(StageView { number, agent, colleague, sip }, "try a call"))
}

fn stage(api: &Api) -> Result<Stage, Fault> {
    api.welcome.stage().ok_or_else(|| Fault::not_found("demo"))
}

/// What is to be played.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SceneWish {
    /// `customer_calls`: the newcomer's page rings; `colleague_answers`: somebody takes the call
    /// that the newcomer makes.
    #[schema(example = "customer_calls")]
    scene: String,
}

/// What is being played.
#[derive(Serialize, ToSchema)]
pub(crate) struct Playing {
    /// As it was asked for.
    scene: String,
}

/// Has the demo's people play a scene with the newcomer; 404 where no demo runs.
#[utoipa::path(post, path = "/api/v1/welcome/scenes", tag = "demo", request_body = SceneWish,
    responses((status = 202, description = "They do", body = Answer<Playing>)))]
pub(crate) async fn play(
    State(api): State<Api>,
    scoped: Scoped,
    Body(wish): Body<SceneWish>,
) -> Result<(StatusCode, Answer<Playing>), Fault> {
    scoped.sees_all()?;
    let scene = match wish.scene.as_str() {
        "customer_calls" => Scene::CustomerCalls,
        "colleague_answers" => Scene::ColleagueAnswers,
        _ => {
            let problem = "must be customer_calls or colleague_answers";
            return Err(Fault::invalid("scene", problem));
        }
    };
    // One at a time is enough for one newcomer; a queue that is full means that it plays.
    stage(&api)?.scenes.try_send(scene).map_err(|_| Fault::busy())?;
    Ok((StatusCode::ACCEPTED, Answer::new(Playing { scene: wish.scene }, "they play")))
}
