//! Persistence: one repository over SQLite (embedded default) and PostgreSQL.
//!
//! Every table has `tenant_id` as its leading key and every query takes a [`base::TenantId`]; on
//! PostgreSQL row-level security stands behind that as a second wall. The events are the truth
//! about calls: `calls` is a projection that each appended event moves along, so a live call is
//! visible at once and a crash leaves an open row that [`Store::recover_open_calls`] closes.

mod append;
mod bulk;
mod calls;
mod claim;
mod db;
mod error;
mod events;
mod in_place;
mod ladder;
mod notes;
mod number_pages;
mod open;
mod projection;
mod provision;
mod quality;
mod recordings;
mod recover;
mod retention;
mod rows;
mod search;
mod settings;
mod wrap_ups;

pub use claim::Claim;
pub use error::{Result, StoreError};
pub use notes::MOST_NOTES;
pub use provision::{key_digest, provisioned_key_digest};
pub use rows::{
    AgentSettingsRow, Append, CallFilter, CallRow, CallState, DecisionRow, EventRow, FinalRecord,
    Found, KeyRow, LadderRow, Listed, NoteRow, Page, PromptRow, RecordingFilter, RecordingRow,
    RecordingState, TenantRow, WrapUpRow,
};

/// The repository. Cloning it shares the open database.
///
/// Its methods stand in the files of what they are about: `append`, `calls`, `events`,
/// `recordings`, `provision`, `recover`, `settings`, `search`, `notes`, `quality`, `wrap_ups`.
#[derive(Clone)]
pub struct Store {
    db: db::Db,
}

impl Store {
    /// Opens the database and brings its schema to this version.
    ///
    /// `url` is `sqlite:PATH` (the file is made if there is none, its folder is not) or
    /// `postgres://USER@HOST/DATABASE`. On PostgreSQL the user must not be a superuser, or
    /// row-level security does not hold for it.
    ///
    /// # Errors
    /// When the address is of no kind we know, the database cannot be reached, or its schema is
    /// of a later version.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self { db: open::open(url).await? })
    }

    /// True when a query gets its answer: what readiness asks.
    pub async fn is_reachable(&self) -> bool {
        let Ok(mut tx) = self.db.read(db::Scope::Engine).await else { return false };
        tx.row("SELECT 1 AS one", &[]).await.is_ok()
    }

    /// Waits for what is under way and closes the database.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
