//! `/api/v1/prompts`: the audio of a tenant's prompts, to be heard and replaced.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use base::PromptId;
use serde::Serialize;
use store::PromptRow;
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::path_id;
use crate::provisioned::tenant_of;
use crate::state::Api;

/// The audio of a prompt, a WAV file as it was given.
#[utoipa::path(get, path = "/api/v1/prompts/{id}/audio", tag = "platform",
    params(("id" = String, Path, description = "The prompt")),
    responses((status = 200, description = "The file", body = Vec<u8>,
        content_type = "audio/wav")))]
pub(crate) async fn hear(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 2], Vec<u8>), Fault> {
    scoped.sees_all()?;
    let id: PromptId = path_id("prompt", &id)?;
    let wav = api.store.prompt(&scoped.tenant, &id).await?;
    let wav = wav.ok_or_else(|| Fault::not_found("prompt"))?;
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("audio/wav")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((fields, wav))
}

/// The audio that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    /// The prompt.
    id: String,
    /// Its size.
    bytes: usize,
}

/// Replaces the audio of a prompt that is provisioned: the body is a WAV file. For the roles `admin`
/// and `platform`.
#[utoipa::path(put, path = "/api/v1/prompts/{id}/audio", tag = "platform",
    params(("id" = String, Path, description = "The prompt")),
    request_body(content = Vec<u8>, content_type = "audio/wav"),
    responses((status = 200, description = "It is live", body = Answer<Taken>)))]
pub(crate) async fn replace(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    wav: Bytes,
) -> Result<Answer<Taken>, Fault> {
    scoped.administers()?;
    let id: PromptId = path_id("prompt", &id)?;
    let taken = Taken { id: id.to_string(), bytes: wav.len() };
    let row = PromptRow { tenant: scoped.tenant.clone(), id: id.clone(), wav: wav.to_vec() };
    api.change(false, vec![row], |provisioning| {
        let tenant = tenant_of(provisioning, &scoped.tenant)?;
        let is_known = tenant.prompts.iter().any(|prompt| prompt.id == id);
        if is_known { Ok(()) } else { Err(Fault::not_found("prompt")) }
    })
    .await?;
    Ok(Answer::new(taken, "it is live"))
}
