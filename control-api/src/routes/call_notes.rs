//! `/api/v1/calls/{id}/notes`: what people write about a call.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use store::{MOST_NOTES, NoteRow};
use utoipa::ToSchema;

use super::calls::find;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::clock;
use crate::fault::Fault;
use crate::params::Body;
use crate::state::Api;

const LONGEST: usize = 2000;

/// A note.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteView {
    /// Its number within the call, from 1.
    pub(crate) id: u64,
    /// When it was written.
    pub(crate) at: String,
    /// Who wrote it: the name of the key, or the agent it speaks for.
    pub(crate) author: String,
    /// What.
    pub(crate) text: String,
}

impl From<NoteRow> for NoteView {
    fn from(row: NoteRow) -> Self {
        Self { id: row.position, at: row.at.to_string(), author: row.author, text: row.text }
    }
}

/// A note that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteWish {
    /// 1 to 2000 characters.
    #[schema(example = "wants to be called back on Monday")]
    text: String,
}

/// The notes about a call, in their order.
#[utoipa::path(get, path = "/api/v1/calls/{id}/notes", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = 200, description = "The notes", body = Answer<Vec<NoteView>>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
) -> Result<Answer<Vec<NoteView>>, Fault> {
    let call = find(&api, &scoped, &id).await?;
    let notes = api.store.notes(&scoped.tenant, call.id).await?;
    Ok(Answer::new(notes.into_iter().map(NoteView::from).collect(), "the notes about the call"))
}

/// Writes a note about a call, up or over.
///
/// A call has 100 notes at most; none is changed or deleted.
#[utoipa::path(post, path = "/api/v1/calls/{id}/notes", tag = "calls", request_body = NoteWish,
    params(("id" = String, Path, description = "The call")),
    responses((status = 201, description = "It is kept", body = Answer<NoteView>)))]
pub(crate) async fn add(
    State(api): State<Api>,
    scoped: Scoped,
    Path(id): Path<String>,
    Body(wish): Body<NoteWish>,
) -> Result<(StatusCode, Answer<NoteView>), Fault> {
    let call = find(&api, &scoped, &id).await?;
    let text = wish.text.trim();
    if !(1..=LONGEST).contains(&text.chars().count()) {
        return Err(Fault::invalid("text", format!("must have 1 to {LONGEST} characters")));
    }
    let author = match scoped.only_agent() {
        Some(agent) => agent.as_str(),
        None => scoped.caller.name.as_str(),
    };
    let note = (clock::now(), author, text);
    let added = api.store.add_note(&scoped.tenant, call.id, note).await?;
    let full = || Fault::conflict("NOTES_FULL", format!("a call has {MOST_NOTES} notes at most"));
    let view = NoteView::from(added.ok_or_else(full)?);
    Ok((StatusCode::CREATED, Answer::new(view, "the note is kept")))
}
