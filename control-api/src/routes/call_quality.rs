//! `/api/v1/calls/{id}/quality`: how each leg fared over time; `/export`: all there is of a call.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base::LegId;
use serde::{Deserialize, Serialize};
use store::{CallRow, CallState, RecordingFilter};
use switch::{ApiReply, ApiRequest, LiveLeg, QualitySample};
use utoipa::ToSchema;

use super::call_notes::NoteView;
use super::call_views::{CallView, DecisionView, LadderView, decision};
use super::calls::{decisions_of, find, ladder_of};
use super::leg_views::Discretion;
use super::recordings::RecordingView;
use crate::answer::{Answer, page};
use crate::auth::Scoped;
use crate::cloud_event::CloudEvent;
use crate::fault::Fault;
use crate::state::{Api, Shared};

/// How a leg fared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegQuality {
    /// Its number within the engine.
    leg: u64,
    /// `caller`, `agent`, `trunk` or `supervisor`.
    kind: String,
    /// The agent, on an agent's or supervisor's leg.
    agent: Option<String>,
    /// In the order of time: one every five seconds or so, of a call of more than ten minutes one
    /// of a longer stretch, with the worst that was measured in it.
    samples: Vec<SampleView>,
}

/// What was measured of what came from a leg in one stretch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SampleView {
    /// When the stretch was over, in seconds since the call began.
    at_s: f64,
    /// Estimated quality; null if nothing came.
    mos: Option<f64>,
    /// Lost of what should have come.
    loss_percent: f64,
    /// Interarrival jitter.
    jitter_ms: f64,
    /// To the far end and back, if it reports.
    round_trip_ms: Option<f64>,
    /// What the far end says that it lost of what we sent.
    far_loss_percent: Option<f64>,
    /// The jitter that it has.
    far_jitter_ms: Option<f64>,
}

/// A leg as its record keeps it, and the order of what is in a sample.
#[derive(Deserialize)]
struct Kept {
    leg: LegId,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    agent: Option<String>,
    samples: Vec<KeptSample>,
}

type KeptSample = (u32, u16, u16, u32, Option<u32>, Option<u16>, Option<u32>);

impl From<Kept> for LegQuality {
    fn from(kept: Kept) -> Self {
        let samples = kept.samples.into_iter().map(|of| {
            let (at_ms, mos_centi, loss_permille, jitter_us, round_trip_us, far_loss, far_jitter) =
                of;
            SampleView::from(&QualitySample {
                at_ms,
                mos_centi,
                loss_permille,
                jitter_us,
                round_trip_us,
                far_loss_permille: far_loss,
                far_jitter_us: far_jitter,
            })
        });
        Self { leg: kept.leg.0, kind: kept.kind, agent: kept.agent, samples: samples.collect() }
    }
}

impl From<&LiveLeg> for LegQuality {
    fn from(leg: &LiveLeg) -> Self {
        Self {
            leg: leg.leg.0,
            kind: leg.kind.as_str().to_owned(),
            agent: leg.agent.as_ref().map(ToString::to_string),
            samples: leg.quality.iter().map(SampleView::from).collect(),
        }
    }
}

impl From<&QualitySample> for SampleView {
    fn from(sample: &QualitySample) -> Self {
        let millis = |us: u32| f64::from(us) / 1000.0;
        let percent = |permille: u16| f64::from(permille) / 10.0;
        let mos = f64::from(sample.mos_centi) / 100.0;
        Self {
            at_s: f64::from(sample.at_ms) / 1000.0,
            mos: (sample.mos_centi > 0).then_some(mos),
            loss_percent: percent(sample.loss_permille),
            jitter_ms: millis(sample.jitter_us),
            round_trip_ms: sample.round_trip_us.map(millis),
            far_loss_percent: sample.far_loss_permille.map(percent),
            far_jitter_ms: sample.far_jitter_us.map(millis),
        }
    }
}

/// How each leg of a call fared over time, while it is up and when it is over.
#[utoipa::path(get, path = "/api/v1/calls/{id}/quality", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The legs", body = Answer<Vec<LegQuality>>)))]
pub(crate) async fn quality(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<Vec<LegQuality>>, Fault> {
    let call = find(&api, &scoped, &id).await?;
    let legs = quality_of(&api, &scoped, &call).await?;
    Ok(Answer::new(legs, "how each leg fared"))
}

async fn quality_of(
    api: &Shared,
    scoped: &Scoped,
    call: &CallRow,
) -> Result<Vec<LegQuality>, Fault> {
    let discretion = Discretion::of(api, scoped);
    if call.state != CallState::Ended {
        let request = ApiRequest::Call { call: call.id };
        if let Ok(ApiReply::Call(live)) = api.engine.ask(&scoped.tenant, "call", request).await {
            let shown = live.legs.iter().filter(|leg| discretion.shows(leg));
            return Ok(shown.map(LegQuality::from).collect());
        }
    }
    let kept = api.store.quality(&scoped.tenant, call.id).await?.unwrap_or_default();
    let kept: Vec<Kept> = serde_json::from_str(&kept).unwrap_or_default();
    let legs = kept.into_iter().map(LegQuality::from);
    Ok(legs.filter(|leg| discretion.shows_kind(&leg.kind)).collect())
}

/// All there is of a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholeCall {
    /// The call.
    call: CallView,
    /// Its events.
    events: Vec<CloudEvent>,
    /// Its SIP messages.
    ladder: Vec<LadderView>,
    /// The decisions about it.
    why: Vec<DecisionView>,
    /// How each leg fared.
    quality: Vec<LegQuality>,
    /// What was written about it.
    notes: Vec<NoteView>,
    /// Its recordings; their audio is apart.
    recordings: Vec<RecordingView>,
}

/// Exports all there is of a call as one JSON file, but for the audio of its recordings.
#[utoipa::path(get, path = "/api/v1/calls/{id}/export", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The file", body = WholeCall)))]
pub(crate) async fn export(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let (tenant, call) = (&scoped.tenant, row.id);
    let discretion = Discretion::of(&api, &scoped);
    let events = api.store.call_events(tenant, call).await?;
    let ladder = discretion.ladder(ladder_of(&api, &scoped, &row).await?);
    let decisions = decisions_of(&api, &scoped, &row).await?;
    let shown = decisions.iter().filter(|one| discretion.shows_decision(one));
    let filter = RecordingFilter { call: Some(call), state: None };
    let recordings = api.store.recordings(tenant, &filter, page(None, None)?).await?.rows;
    let notes = api.store.notes(tenant, call).await?;
    let quality = quality_of(&api, &scoped, &row).await?;
    let view = CallView::from(row);
    let whole = WholeCall {
        events: events
            .iter()
            .filter(|event| discretion.shows_event(event))
            .map(CloudEvent::from)
            .collect(),
        ladder: ladder.into_iter().map(LadderView::from).collect(),
        why: shown.map(decision).collect(),
        quality,
        notes: notes.into_iter().map(NoteView::from).collect(),
        recordings: recordings.into_iter().map(RecordingView::from).collect(),
        call: CallView { legs: discretion.legs(view.legs), ..view },
    };
    let name = format!("attachment; filename=\"{call}.json\"");
    let name =
        HeaderValue::from_str(&name).map_err(|error| Fault::internal("naming a file", &error))?;
    Ok(([(header::CONTENT_DISPOSITION, name)], axum::Json(whole)).into_response())
}
