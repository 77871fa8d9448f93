//! Keys of calls: pressed towards one side, kept from everybody, and read by those who may.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base::LegId;
use routing::Role;
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest, CallDigits, Keys, Side};
use utoipa::ToSchema;

use super::agents::strange;
use super::call_control::{Steered, steer, steerable};
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, path_id};
use crate::state::Api;

/// Keys pressed by one request.
const MOST: usize = 32;
/// How long each may be held, and the pause after it, in milliseconds.
const LENGTHS_MS: std::ops::RangeInclusive<u32> = 40..=5000;

/// Keys to press.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pressed {
    /// Towards which side: `customer` (the default), `agent`, or the number of a leg.
    leg: Option<String>,
    /// 1 to 32 of `0`-`9`, `*`, `#`, `A`-`D`; `,` is a pause of a second.
    #[schema(example = "1,2#")]
    digits: String,
    /// How long each is held, 40 to 5000 ms; 100 if absent.
    each_ms: Option<u32>,
    /// The pause after each, 40 to 5000 ms; 60 if absent.
    gap_ms: Option<u32>,
}

/// What is kept from everybody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// Of which side: `customer` (the default), `agent`, or the number of a leg.
    leg: Option<String>,
    /// Whether it is kept from now on; `false` lets it be heard again.
    on: bool,
    /// Whether what it says is kept as well as what it presses.
    #[serde(default)]
    speech: bool,
}

/// What callers have pressed for the call's own use.
#[derive(Serialize, ToSchema)]
pub(crate) struct Kept {
    /// What flows have collected, by name.
    attributes: BTreeMap<String, String>,
    /// What secured sides have pressed.
    secured: Vec<KeptOfSide>,
}

/// What a secured side has pressed.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptOfSide {
    /// Its leg.
    leg: u64,
    /// Whether it is still secured.
    on: bool,
    /// What it has pressed since it was secured last.
    digits: String,
}

/// Presses keys towards one side of a call.
///
/// They take the place of speech while they are sent, as the far end wants them: RFC 4733 events,
/// tones or INFO.
#[utoipa::path(post, path = "/api/v1/calls/{id}/digits", tag = "calls", request_body = Pressed,
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "They are being pressed", body = Answer<Steered>),
        (status = 409, description = "Nobody is on that side", body = ErrorBody)))]
pub(crate) async fn press(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(pressed): Body<Pressed>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let leg = side(pressed.leg.as_deref())?;
    let is_key = |key: char| "0123456789*#ABCD,".contains(key.to_ascii_uppercase());
    let digits = pressed.digits;
    if digits.is_empty() || digits.len() > MOST || !digits.chars().all(is_key) {
        return Err(Fault::invalid("digits", "must be 1 to 32 of 0-9, *, #, A-D and ,"));
    }
    let each = length("each_ms", pressed.each_ms.unwrap_or(100))?;
    let gap = length("gap_ms", pressed.gap_ms.unwrap_or(60))?;
    let asked = ApiRequest::SendDigits { call, leg, digits: Keys(digits), each, gap };
    steer(&api, &scoped, call, asked, "the keys are being pressed").await
}

/// Keeps what one side of a call presses from everybody, or lets it be heard again.
///
/// From the next packet on its keys, and with `speech` all it says, are heard by nobody: not by the
/// other side, a supervisor, a conference or a recording (where they are silence). They stand in no
/// event and no ladder. `GET /api/v1/calls/{id}/digits` tells them to those who may know.
#[utoipa::path(post, path = "/api/v1/calls/{id}/secure", tag = "calls", request_body = Wish,
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "It is so", body = Answer<Steered>),
        (status = 409, description = "Nobody is on that side", body = ErrorBody)))]
pub(crate) async fn secure(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Answer<Steered>), Fault> {
    let call = steerable(&scoped, &id)?;
    let leg = side(wish.leg.as_deref())?;
    let speech = wish.on.then_some(wish.speech);
    let done = if wish.on { "it is kept from everybody" } else { "it is heard again" };
    steer(&api, &scoped, call, ApiRequest::Secure { call, leg, speech }, done).await
}

/// What has been collected from a call that is up, and kept of a secured side.
///
/// The digits themselves, for keys with the role `admin` or `platform` alone. They are stored
/// nowhere: when the call is over they are gone.
#[utoipa::path(get, path = "/api/v1/calls/{id}/digits", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The digits", body = Answer<Kept>),
        (status = 403, description = "The key may not know them", body = ErrorBody)))]
pub(crate) async fn read(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<Kept>, Fault> {
    if !matches!(scoped.caller.role, Role::Admin | Role::Platform) {
        return Err(Fault::forbidden());
    }
    let call = path_id("call", &id)?;
    match api.engine.ask(&scoped.tenant, "call", ApiRequest::Digits { call }).await? {
        ApiReply::Digits(CallDigits { attributes, secured }) => {
            let secured = secured.into_iter().map(|kept| KeptOfSide {
                leg: kept.leg.0,
                on: kept.is_on,
                digits: kept.digits,
            });
            let attributes = attributes.into_iter().collect();
            Ok(Answer::new(Kept { attributes, secured: secured.collect() }, "what was pressed"))
        }
        reply => Err(strange(&reply)),
    }
}

pub(super) fn side(leg: Option<&str>) -> Result<Side, Fault> {
    match leg {
        None | Some("customer") => Ok(Side::Customer),
        Some("agent") => Ok(Side::Agent),
        Some(number) => match number.parse() {
            Ok(number) => Ok(Side::Leg(LegId(number))),
            Err(_) => Err(Fault::invalid("leg", "must be customer, agent or a leg's number")),
        },
    }
}

fn length(name: &'static str, millis: u32) -> Result<Duration, Fault> {
    if !LENGTHS_MS.contains(&millis) {
        return Err(Fault::invalid(name, "must be 40 to 5000"));
    }
    Ok(Duration::from_millis(u64::from(millis)))
}
