//! `/api/v1/calls/{id}/capture`: a call's RTP and RTCP as a capture file, for keys that may know
//! what is said.

use axum::body::Body as Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::CallId;
use futures_util::stream;
use routing::Role;
use serde::{Deserialize, Serialize};
use switch::{ApiReply, ApiRequest, CaptureEnd, CaptureWish};
use utoipa::{IntoParams, ToSchema};

use super::agents::strange;
use super::digits::side;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::captures::{Bounds, CaptureFile, End, NoRoom, State as Known};
use crate::fault::{ErrorBody, Fault};
use crate::params::{Body, Params, path_id};
use crate::state::{Api, Shared};

const SECONDS: (u32, u32) = (60, 600);
const BYTES: (u32, u32) = (8 << 20, 32 << 20);
const PACKETS: (u32, u32) = (60_000, 500_000);

/// What is to be captured.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// One side alone: `customer`, `agent`, or the number of a leg. Every leg if absent, also
    /// those that come later.
    leg: Option<String>,
    /// `both` (the default), `received`: what far ends send us, or `sent`: what we send them.
    direction: Option<String>,
    /// `audio`: whole packets, the default where the tenant's limits let captures hold audio;
    /// `headers`: of RTP the headers alone.
    payload: Option<String>,
    /// It ends after so long, 1 to 600 s; 60 if absent.
    #[schema(example = 60)]
    seconds: Option<u32>,
    /// It ends when the file is so large, 1 to 33554432 bytes; 8388608 if absent.
    bytes: Option<u32>,
    /// It ends after so many packets, 1 to 500000; 60000 if absent.
    packets: Option<u32>,
}

/// How a capture is to be told.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Form {
    /// `pcap` (the default): the file so far; `json`: what is known of it.
    format: Option<String>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// A capture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaptureView {
    /// Its number, as events tell it.
    capture: u64,
    /// The call.
    call: String,
    /// When it began.
    started_at: String,
    /// Whether it runs.
    running: bool,
    /// Why it ended: `stopped`, `seconds`, `bytes`, `packets` or `call_ended`.
    ended: Option<&'static str>,
    /// Packets in the file.
    packets: u64,
    /// The file's size.
    bytes: usize,
    /// Packets that are not in it: they found no room, or came when it had enough.
    dropped: u64,
    /// Its bounds.
    bounds: BoundsView,
    /// The packets by their addresses.
    ends: Vec<EndsView>,
    /// The legs so far and our address towards each; told when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    legs: Option<Vec<LegEnd>>,
}

/// The bounds of a capture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BoundsView {
    seconds: u32,
    bytes: usize,
    packets: u64,
}

/// Packets from one address to another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndsView {
    from: String,
    to: String,
    packets: u64,
}

/// A leg that is captured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegEnd {
    leg: u64,
    kind: &'static str,
    /// Our RTP address towards it; RTCP has the port above.
    local: String,
}

/// Captures a call's RTP and RTCP.
///
/// For keys with the role `admin` or `platform` alone. Both directions of each leg are in it, with
/// their addresses and times, encrypted legs in the clear. What is kept from everybody (a secured
/// side) is silence in it, and so are the keys that the engine presses itself. It is held in memory
/// for ten minutes after its end, or until it is deleted, and never written to a disk.
#[utoipa::path(post, path = "/api/v1/calls/{id}/capture", tag = "calls", request_body = Wish,
    params(("id" = String, Path, description = "The call")),
    responses((status = 201, description = "It runs", body = Answer<CaptureView>),
        (status = 403, description = "The key may not, or the tenant forbids audio in captures",
            body = ErrorBody),
        (status = 409, description = "The call is over, or is being captured", body = ErrorBody),
        (status = 429, description = "The tenant has as many as it may", body = ErrorBody),
        (status = 503, description = "There is no memory left for captures", body = ErrorBody)))]
pub(crate) async fn start(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Answer<CaptureView>), Fault> {
    let call = capturable(&scoped, &id)?;
    let bounds = Bounds {
        seconds: bound("seconds", wish.seconds, SECONDS)?,
        bytes: bound("bytes", wish.bytes, BYTES)? as usize,
        packets: bound("packets", wish.packets, PACKETS)?.into(),
    };
    let (received, sent) = match wish.direction.as_deref() {
        None | Some("both") => (true, true),
        Some("received") => (true, false),
        Some("sent") => (false, true),
        Some(_) => return Err(Fault::invalid("direction", "must be both, received or sent")),
    };
    let payload = payload(&api, &scoped, wish.payload.as_deref())?;
    let leg = wish.leg.as_deref().map(|leg| side(Some(leg))).transpose()?;
    let capture = api.captures.begin(&scoped.tenant, call, bounds).map_err(no_room)?;
    let by = scoped.caller.name.clone();
    let wish = CaptureWish { capture, leg, received, sent, payload, by };
    let asked = api.engine.ask(&scoped.tenant, "call", ApiRequest::Capture { call, wish }).await;
    let legs = match asked {
        Ok(ApiReply::Capturing(legs)) => legs,
        other => {
            api.captures.forget(capture);
            let fault = other.map_or_else(|fault| fault, |reply| strange(&reply));
            return Err(if fault.is_not_found() { over(&api, &scoped, call).await } else { fault });
        }
    };
    let known = api.captures.state(&scoped.tenant, call).ok_or_else(gone)?;
    let legs = legs.into_iter().map(|leg| LegEnd {
        leg: leg.leg.0,
        kind: leg.kind.as_str(),
        local: leg.local.to_string(),
    });
    let view = CaptureView { legs: Some(legs.collect()), ..CaptureView::of(call, known) };
    Ok((StatusCode::CREATED, Answer::new(view, "the call is being captured")))
}

/// A call's capture, while it runs and after.
#[utoipa::path(get, path = "/api/v1/calls/{id}/capture", tag = "calls",
    params(("id" = String, Path, description = "The call"), Form),
    responses((status = 200, description = "The file, or what is known of it",
        content((Vec<u8> = "application/vnd.tcpdump.pcap"),
            (Answer<CaptureView> = "application/json"))),
        (status = 404, description = "There is none, or no longer", body = ErrorBody)))]
pub(crate) async fn fetch(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Params(form): Params<Form>,
) -> Result<Response, Fault> {
    let call = capturable(&scoped, &id)?;
    match form.format.as_deref() {
        Some("json") => {
            let known = api.captures.state(&scoped.tenant, call).ok_or_else(gone)?;
            let view = CaptureView::of(call, known);
            Ok(Answer::new(view, "the capture").into_response())
        }
        None | Some("pcap") => {
            let file = api.captures.file(&scoped.tenant, call).ok_or_else(gone)?;
            let (tenant, by) = (&scoped.tenant, &scoped.caller.name);
            tracing::info!(%tenant, %call, by, "a capture is fetched");
            Ok(download(call, file))
        }
        Some(_) => Err(Fault::invalid("format", "must be pcap or json")),
    }
}

/// Ends a capture, which is kept.
#[utoipa::path(post, path = "/api/v1/calls/{id}/capture/stop", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "It is over", body = Answer<CaptureView>),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn stop(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<CaptureView>, Fault> {
    let (call, known) = ended(&api, &scoped, &id).await?;
    Ok(Answer::new(CaptureView::of(call, known), "it is over"))
}

/// Ends a capture and forgets it.
#[utoipa::path(delete, path = "/api/v1/calls/{id}/capture", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "It is forgotten", body = Answer<CaptureView>),
        (status = 404, description = "There is none", body = ErrorBody)))]
pub(crate) async fn forget(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<CaptureView>, Fault> {
    let (call, known) = ended(&api, &scoped, &id).await?;
    api.captures.forget(known.capture);
    Ok(Answer::new(CaptureView::of(call, known), "it is forgotten"))
}

/// The call's number, if this caller may hear it.
fn capturable(scoped: &Scoped, id: &str) -> Result<CallId, Fault> {
    if !matches!(scoped.caller.role, Role::Admin | Role::Platform) {
        return Err(Fault::forbidden());
    }
    path_id("call", id)
}

/// Ends a call's capture, if it runs yet, and gives what is known of it then.
async fn ended(api: &Shared, scoped: &Scoped, id: &str) -> Result<(CallId, Known), Fault> {
    let call = capturable(scoped, id)?;
    let known = api.captures.state(&scoped.tenant, call).ok_or_else(gone)?;
    if known.ended.is_none() {
        let (capture, why) = (known.capture, CaptureEnd::Stopped);
        let request = ApiRequest::EndCapture { call, capture, why };
        match api.engine.ask(&scoped.tenant, "call", request).await {
            Err(fault) if !fault.is_not_found() => return Err(fault),
            // It ended with its call, a moment ago.
            _ => api.captures.ended(capture, why),
        }
    }
    let known = api.captures.state(&scoped.tenant, call).ok_or_else(gone)?;
    Ok((call, known))
}

fn bound(name: &str, wish: Option<u32>, (usual, most): (u32, u32)) -> Result<u32, Fault> {
    let value = wish.unwrap_or(usual);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(Fault::invalid(name, format!("must be 1 to {most}")))
}

/// Whether packets are captured whole.
fn payload(api: &Shared, scoped: &Scoped, wish: Option<&str>) -> Result<bool, Fault> {
    let directory = api.directory();
    let allowed = directory.limits(&scoped.tenant).is_some_and(|limits| limits.capture_audio);
    match wish {
        None => Ok(allowed),
        Some("headers") => Ok(false),
        Some("audio") if allowed => Ok(true),
        Some("audio") => {
            let error = "the tenant's limits let no capture hold audio (limits.capture_audio)";
            Err(Fault::new(StatusCode::FORBIDDEN, "CAPTURE_AUDIO_FORBIDDEN", error))
        }
        Some(_) => Err(Fault::invalid("payload", "must be audio or headers")),
    }
}

fn no_room(why: NoRoom) -> Fault {
    match why {
        NoRoom::Running => Fault::conflict("CAPTURE_RUNNING", "the call is being captured"),
        NoRoom::Tenant => {
            let error = "the tenant has as many captures as it may: delete some, or wait";
            Fault::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_CAPTURES", error)
        }
        NoRoom::Node => {
            let error = "no memory is left for captures (captures.memory_mib)";
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "NO_ROOM_FOR_CAPTURES", error)
        }
    }
}

/// A call that the engine does not have: over, or nobody's.
async fn over(api: &Shared, scoped: &Scoped, call: CallId) -> Fault {
    match api.store.call(&scoped.tenant, call).await {
        Ok(Some(_)) => Fault::conflict("CALL_ENDED", "the call is over already"),
        _ => Fault::not_found("call"),
    }
}

fn gone() -> Fault {
    Fault::not_found("capture")
}

fn download(call: CallId, file: CaptureFile) -> Response {
    let CaptureFile { blocks, state } = file;
    let name = format!("attachment; filename=\"{call}-rtp.pcap\"");
    let length = blocks.iter().map(|block| block.len()).sum::<usize>();
    let fields = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let told = [
        ("x-capture-packets", state.packets.to_string()),
        ("x-capture-dropped", state.dropped.to_string()),
        ("x-capture-ended", state.ended.map_or("running", CaptureEnd::as_str).to_owned()),
    ];
    let blocks = blocks.into_iter().map(Ok::<_, std::io::Error>);
    (fields, told, Bytes::from_stream(stream::iter(blocks))).into_response()
}

impl CaptureView {
    fn of(call: CallId, known: Known) -> Self {
        let Bounds { seconds, bytes, packets } = known.bounds;
        let ends = known.ends.into_iter().map(|End { from, to, packets }| EndsView {
            from: from.to_string(),
            to: to.to_string(),
            packets,
        });
        Self {
            capture: known.capture.0,
            call: call.to_string(),
            started_at: known.started_at.to_string(),
            running: known.ended.is_none(),
            ended: known.ended.map(CaptureEnd::as_str),
            packets: known.packets,
            bytes: known.bytes,
            dropped: known.dropped,
            bounds: BoundsView { seconds, bytes, packets },
            ends: ends.collect(),
            legs: None,
        }
    }
}
