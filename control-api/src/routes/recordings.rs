//! `/api/v1/recordings`: which there are and how far each got.

use axum::extract::{Path, State};
use axum::http::Uri;
use base::RecordingId;
use serde::{Deserialize, Serialize};
use store::{Listed, RecordingFilter, RecordingRow, RecordingState};
use utoipa::{IntoParams, ToSchema};

use super::call_views::{seconds, text};
use crate::answer::{Answer, PageOf, page};
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::{Params, filter_id, path_id};
use crate::state::{Api, Shared};

/// A recording.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordingView {
    /// Its number.
    id: String,
    /// The call it is of.
    call_id: String,
    /// `recording`, `completed`, `failed` or `deleted`.
    #[schema(example = "completed")]
    state: String,
    /// When it began.
    started_at: String,
    /// When it was all in place, or given up.
    completed_at: Option<String>,
    /// Seconds of audio.
    duration_s: Option<f64>,
    /// Size of the encrypted object.
    bytes: Option<u64>,
    /// Milliseconds that are missing and stand as silence.
    gaps_ms: Option<u64>,
    /// Why it failed.
    failure: Option<String>,
    /// Where its audio is, once it is completed.
    audio_url: Option<String>,
}

impl From<RecordingRow> for RecordingView {
    fn from(row: RecordingRow) -> Self {
        let audible = row.state == RecordingState::Completed;
        Self {
            audio_url: audible.then(|| format!("/api/v1/recordings/{}/audio", row.id)),
            id: row.id.to_string(),
            call_id: row.call.to_string(),
            state: row.state.as_str().to_owned(),
            started_at: row.started_at.to_string(),
            completed_at: text(row.completed_at),
            duration_s: row.duration_ms.map(seconds),
            bytes: row.bytes,
            gaps_ms: row.gaps_ms,
            failure: row.failure,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordingsQuery {
    /// Only recordings of this call.
    call: Option<String>,
    /// Only recordings in this state.
    state: Option<String>,
    /// The page, from 1.
    page: Option<u32>,
    /// Rows on a page, 1 to 1000.
    per_page: Option<u32>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// Lists recordings, newest first.
#[utoipa::path(get, path = "/api/v1/recordings", tag = "recordings", params(RecordingsQuery),
    responses((status = 200, description = "A page of recordings", body = PageOf<RecordingView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<RecordingsQuery>,
    uri: Uri,
) -> Result<PageOf<RecordingView>, Fault> {
    scoped.sees_all()?;
    let state = query.state.as_deref().map(|word| {
        let states = "must be recording, completed, failed or deleted";
        RecordingState::parse(word).ok_or_else(|| Fault::invalid("state", states))
    });
    let call = filter_id("call", query.call.as_deref())?;
    let filter = RecordingFilter { call, state: state.transpose()? };
    let page = page(query.page, query.per_page)?;
    let Listed { rows, total } = api.store.recordings(&scoped.tenant, &filter, page).await?;
    let rows = rows.into_iter().map(RecordingView::from).collect();
    Ok(PageOf::new(Listed { rows, total }, page, &uri))
}

/// One recording of the caller's tenant that the caller may see.
pub(crate) async fn find(api: &Shared, scoped: &Scoped, id: &str) -> Result<RecordingRow, Fault> {
    scoped.sees_all()?;
    let id: RecordingId = path_id("recording", id)?;
    let found = api.store.recording(&scoped.tenant, id).await?;
    found.ok_or_else(|| Fault::not_found("recording"))
}

/// One recording.
#[utoipa::path(get, path = "/api/v1/recordings/{id}", tag = "recordings",
    params(("id" = String, Path, description = "The recording")),
    responses((status = 200, description = "The recording", body = Answer<RecordingView>)))]
pub(crate) async fn one(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<RecordingView>, Fault> {
    Ok(Answer::new(find(&api, &scoped, &id).await?.into(), "the recording"))
}
