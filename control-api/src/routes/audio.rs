//! `/api/v1/recordings/{id}/audio`: the WAV file, decrypted piece by piece as it is sent, whole or
//! a range of it (RFC 9110 §14).

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use recorder::ArchiveError;
use recorder::store::OpenRecording;
use store::{RecordingRow, RecordingState};

use super::recordings::find;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::range::{Asked, asked};
use crate::state::Api;

/// Decrypted at once: what one listener costs in memory.
const PIECE: u64 = 256 << 10;

/// The audio of a recording as a WAV file: caller left, agent right.
///
/// Takes a `Range` of bytes. The audio is decrypted while it is sent; if a part of it does not
/// authenticate, the connection breaks off there.
#[utoipa::path(get, path = "/api/v1/recordings/{id}/audio", tag = "recordings",
    params(("id" = String, Path, description = "The recording"),
        ("Range" = Option<String>, Header, description = "Such as `bytes=0-65535`")),
    responses((status = 200, description = "All of it", content_type = "audio/wav"),
        (status = 206, description = "The range", content_type = "audio/wav"),
        (status = 409, description = "Not completed yet", body = crate::fault::ErrorBody),
        (status = 410, description = "It failed", body = crate::fault::ErrorBody),
        (status = 416, description = "No such range", body = crate::fault::ErrorBody)))]
pub(crate) async fn audio(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let row = find(&api, &scoped, &id).await?;
    let location = completed(&row)?;
    let opened = api.archive.open(&scoped.tenant, row.id, location).await;
    let opened = opened.map_err(|error| unreadable(&row, &error))?;
    let length = opened.wav_bytes();
    let etag = format!("\"{}\"", row.id);
    match wanted(&headers, &etag, length) {
        Asked::Whole => respond(StatusCode::OK, opened, 0..length, length, &etag),
        Asked::Part(range) => respond(StatusCode::PARTIAL_CONTENT, opened, range, length, &etag),
        Asked::Unsatisfiable => Ok(unsatisfiable(length)),
    }
}

/// Where it lies, if it is all there.
fn completed(row: &RecordingRow) -> Result<&str, Fault> {
    match (row.state, &row.location) {
        (RecordingState::Completed, Some(location)) => Ok(location),
        (RecordingState::Failed, _) => {
            let why = row.failure.as_deref().unwrap_or("the recording failed");
            Err(Fault::new(StatusCode::GONE, "RECORDING_FAILED", why))
        }
        (RecordingState::Deleted, _) => {
            let why = "the recording was kept as long as its tenant keeps recordings";
            Err(Fault::new(StatusCode::GONE, "RECORDING_DELETED", why))
        }
        _ => Err(Fault::conflict("RECORDING_NOT_READY", "the recording is not completed yet")),
    }
}

fn unreadable(row: &RecordingRow, error: &ArchiveError) -> Fault {
    match error {
        ArchiveError::Store(_) => {
            tracing::warn!(recording = %row.id, %error, "a recording cannot be fetched");
            let error = "the object store does not give the recording now";
            Fault::new(StatusCode::BAD_GATEWAY, "ARCHIVE_UNAVAILABLE", error)
        }
        other => Fault::internal("opening a recording", other),
    }
}

/// A range of another version than the one there is (`If-Range`) is no range.
fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Asked {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match text(header::IF_RANGE) {
        Some(tag) if tag != etag => Asked::Whole,
        _ => asked(text(header::RANGE), length),
    }
}

fn respond(
    status: StatusCode,
    opened: OpenRecording,
    range: Range<u64>,
    length: u64,
    etag: &str,
) -> Result<Response, Fault> {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "audio/wav")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, etag)
        .header(header::CONTENT_LENGTH, range.end - range.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let content = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        response = response.header(header::CONTENT_RANGE, content);
    }
    let body = Body::from_stream(pieces(opened, range));
    response.body(body).map_err(|error| Fault::internal("answering with audio", &error))
}

fn pieces(
    opened: OpenRecording,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, ArchiveError>> {
    stream::try_unfold((opened, range), |(opened, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let until = range.end.min(range.start + PIECE);
        let piece = opened.read(range.start..until).await.inspect_err(|error| {
            tracing::warn!(%error, "a recording breaks off while it is sent");
        })?;
        Ok(Some((piece, (opened, until..range.end))))
    })
}

fn unsatisfiable(length: u64) -> Response {
    let error = format!("the audio has {length} bytes");
    let mut response =
        Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, "NO_SUCH_RANGE", error).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}
