//! `/api/v1/calls/{id}`: one call, its events, its ladder, the reasons, and its end.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base::CallId;
use routing::Role;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use store::{CallRow, CallState, DecisionRow, LadderRow};
use switch::{ApiReply, ApiRequest, LiveCall};
use utoipa::{IntoParams, ToSchema};

use super::call_views::{
    CallView, DecisionView, LadderView, decision, live_decision, live_ladder_row, text,
};
use super::leg_views::{Discretion, LegView};
use super::own::sees;
use super::recording_pause::pauses;
use super::wrap_up::wrap_ups;
use crate::answer::{Answer, PageOf, page};
use crate::auth::Scoped;
use crate::cloud_event::CloudEvent;
use crate::fault::Fault;
use crate::ladder_pcap::capture;
use crate::ladder_text::diagram;
use crate::params::{Params, path_id};
use crate::state::{Api, Shared};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The page, from 1.
    pub(crate) page: Option<u32>,
    /// Rows on a page, 1 to 1000.
    pub(crate) per_page: Option<u32>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LadderQuery {
    /// `text` draws the ladder as a diagram, `pcap` is a capture file; `json` is the default.
    format: Option<String>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// One call of the caller's tenant that the caller may see.
pub(crate) async fn find(api: &Shared, scoped: &Scoped, id: &str) -> Result<CallRow, Fault> {
    let id: CallId = path_id("call", id)?;
    match api.store.call(&scoped.tenant, id).await? {
        Some(row) if sees(api, scoped, &row).await => Ok(row),
        _ => Err(Fault::not_found("call")),
    }
}

/// One call.
#[utoipa::path(get, path = "/api/v1/calls/{id}", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The call", body = Answer<CallView>)))]
pub(crate) async fn one(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<CallView>, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let (call, is_up) = (row.id, row.state != CallState::Ended);
    let discretion = Discretion::of(&api, &scoped);
    let is_recorded = row.recording.is_some();
    let mut view = CallView::from(row);
    let said = wrap_ups(&api, &scoped.tenant, &[call]).await?.remove(&call);
    view.wrap_ups = said.unwrap_or_default();
    if is_recorded {
        view.recording_pauses = Some(pauses(&api, &scoped.tenant, call).await?);
    }
    let live = if is_up { live(&api, &scoped, call).await } else { None };
    match live {
        Some(live) => {
            let legs = live.legs.iter().filter(|leg| discretion.shows(leg)).map(LegView::from);
            let legs: Vec<LegView> = legs.collect();
            view.legs = to_raw_value(&legs).unwrap_or_default();
            view.held = Some(live.held);
            let is_on = live.recording.is_some();
            let state = if live.paused_until.is_some() { "paused" } else { "on" };
            let state = if is_on || live.paused_until.is_some() { state } else { "off" };
            view.recording_state = Some(state);
            view.recording_paused_until = text(live.paused_until);
        }
        None => view.legs = discretion.legs(view.legs),
    }
    Ok(Answer::new(view, "the call"))
}

/// What the engine knows of a call that is up; the row has to do without while it is busy.
async fn live(api: &Shared, scoped: &Scoped, call: CallId) -> Option<Box<LiveCall>> {
    match api.engine.ask(&scoped.tenant, "call", ApiRequest::Call { call }).await {
        Ok(ApiReply::Call(live)) => Some(live),
        _ => None,
    }
}

/// The events of one call, in order.
#[utoipa::path(get, path = "/api/v1/calls/{id}/events", tag = "calls",
    params(("id" = String, Path, description = "The call"), ListQuery),
    responses((status = 200, description = "A page of events", body = PageOf<CloudEvent>)))]
pub(crate) async fn events(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<CloudEvent>, Fault> {
    let call = find(&api, &scoped, &id).await?;
    let page = page(query.page, query.per_page)?;
    let events = api.store.call_events(&scoped.tenant, call.id).await?;
    let discretion = Discretion::of(&api, &scoped);
    let shown = events.iter().filter(|event| discretion.shows_event(event));
    Ok(PageOf::of(shown.map(CloudEvent::from).collect(), page, &uri))
}

/// The SIP messages of one call, in order.
#[utoipa::path(get, path = "/api/v1/calls/{id}/ladder", tag = "calls",
    params(("id" = String, Path, description = "The call"), LadderQuery),
    responses((status = 200, description = "The messages, a diagram or a capture file",
        content((Answer<Vec<LadderView>> = "application/json"), (String = "text/plain"),
            (Vec<u8> = "application/vnd.tcpdump.pcap")))))]
pub(crate) async fn ladder(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Params(query): Params<LadderQuery>,
) -> Result<Response, Fault> {
    let call = find(&api, &scoped, &id).await?;
    let ladder = ladder_of(&api, &scoped, &call).await?;
    let ladder = Discretion::of(&api, &scoped).ladder(ladder);
    match query.format.as_deref() {
        None | Some("json") => {
            let rows: Vec<LadderView> = ladder.into_iter().map(LadderView::from).collect();
            Ok(Answer::new(rows, "the SIP messages of the call").into_response())
        }
        Some("text") => {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            Ok((plain, diagram(&ladder)).into_response())
        }
        Some("pcap") => {
            let name = format!("attachment; filename=\"{}.pcap\"", call.id);
            let fields = [
                (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            Ok((fields, capture(&ladder)).into_response())
        }
        Some(_) => Err(Fault::invalid("format", "must be json, text or pcap")),
    }
}

/// From the store when the call is over, from the engine while it is up.
pub(super) async fn ladder_of(
    api: &Shared,
    scoped: &Scoped,
    call: &CallRow,
) -> Result<Vec<LadderRow>, Fault> {
    if let Some(ladder) = api.store.ladder(&scoped.tenant, call.id).await? {
        return Ok(ladder);
    }
    if call.state == CallState::Ended {
        return Ok(Vec::new());
    }
    let request = ApiRequest::Ladder { call: call.id };
    match api.engine.ask(&scoped.tenant, "call", request).await {
        Ok(ApiReply::Ladder(entries)) => Ok(entries.into_iter().map(live_ladder_row).collect()),
        // It ended a moment ago.
        _ => Ok(api.store.ladder(&scoped.tenant, call.id).await?.unwrap_or_default()),
    }
}

/// Why the call went where it went: every decision with its reasons.
///
/// While the call is up, the engine tells; when it is over, the store.
#[utoipa::path(get, path = "/api/v1/calls/{id}/why", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The decisions, in order",
        body = Answer<Vec<DecisionView>>)))]
pub(crate) async fn why(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<Vec<DecisionView>>, Fault> {
    let call = find(&api, &scoped, &id).await?;
    let decisions = decisions_of(&api, &scoped, &call).await?;
    let discretion = Discretion::of(&api, &scoped);
    let shown = decisions.iter().filter(|one| discretion.shows_decision(one));
    let shown = shown.map(decision).collect();
    Ok(Answer::new(shown, "the decisions about the call"))
}

pub(super) async fn decisions_of(
    api: &Shared,
    scoped: &Scoped,
    call: &CallRow,
) -> Result<Vec<DecisionRow>, Fault> {
    if call.state != CallState::Ended {
        let request = ApiRequest::Why { call: call.id };
        if let Ok(ApiReply::Why(entries)) = api.engine.ask(&scoped.tenant, "call", request).await {
            return Ok(entries.iter().map(live_decision).collect());
        }
    }
    Ok(api.store.decisions(&scoped.tenant, call.id).await?)
}

/// The call that is being ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ending {
    /// Its number.
    id: String,
}

/// Ends a call.
///
/// Both sides are hung up; the call's record follows as soon as they have confirmed.
#[utoipa::path(post, path = "/api/v1/calls/{id}/end", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 202, description = "It is being ended", body = Answer<Ending>),
        (status = 409, description = "It is over already", body = crate::fault::ErrorBody)))]
pub(crate) async fn end(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<(StatusCode, Answer<Ending>), Fault> {
    // An agent hangs up on the phone; the API's keys for agents read.
    if scoped.caller.role == Role::Agent {
        find(&api, &scoped, &id).await?;
        return Err(Fault::forbidden());
    }
    let call: CallId = path_id("call", &id)?;
    let over = || Fault::conflict("CALL_ENDED", "the call is over already");
    match find(&api, &scoped, &id).await {
        Ok(row) if row.state == CallState::Ended => return Err(over()),
        Ok(_) => {}
        // While the database is away, the engine knows the calls that are up.
        Err(fault) if fault.is_unavailable() => {}
        Err(fault) => return Err(fault),
    }
    let asked = api.engine.ask(&scoped.tenant, "call", ApiRequest::EndCall { call }).await;
    // Known to the store and not to the engine: it ended a moment ago.
    asked.map_err(|fault| if fault.is_not_found() { over() } else { fault })?;
    let ending = Ending { id: call.to_string() };
    Ok((StatusCode::ACCEPTED, Answer::new(ending, "the call is being ended")))
}
