//! Recordings: where each lies, under which wrapped key, and how far it got.

use base::{RecordingId, TenantId};

use crate::bulk::Bulk;
use crate::calls::Conditions;
use crate::db::{Row, Scope, Tx, Value, damaged, values};
use crate::rows::{Listed, Page, RecordingFilter, RecordingRow, RecordingState};
use crate::{Result, Store};

pub(crate) const COLUMNS: &str = "tenant_id, recording_id, call_id, state, started_at, \
    completed_at, location, wrapped_key, duration_ms, bytes, gaps_ms, failure";

/// The index by which those of a call are found.
pub(crate) const OF_A_CALL: &str = "recordings_of_a_call";

impl Store {
    /// The tenant's recordings, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings(
        &self,
        tenant: &TenantId,
        filter: &RecordingFilter,
        page: Page,
    ) -> Result<Listed<RecordingRow>> {
        let mut wanted = Conditions::new(tenant);
        wanted.compare("call_id =", filter.call.map(|call| call.to_string()));
        wanted.equal("state", filter.state.map(RecordingState::as_str));
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let of_a_call = filter.call.map(|_| tx.by_index("recordings", OF_A_CALL));
        let table = of_a_call.as_deref().unwrap_or("recordings");
        let total = wanted.count(&mut tx, table).await?;
        let order = "started_at DESC, recording_id DESC";
        let rows = wanted.window(&mut tx, table, COLUMNS, order, page.window()).await?;
        Ok(Listed { rows: rows.iter().map(recording_row).collect::<Result<_>>()?, total })
    }

    /// One recording of the tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<Option<RecordingRow>> {
        let sql =
            format!("SELECT {COLUMNS} FROM recordings WHERE tenant_id = $1 AND recording_id = $2");
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        tx.row(sql, &values![tenant, recording]).await?.as_ref().map(recording_row).transpose()
    }
}

/// The columns of a recording, read.
pub(crate) fn recording_row(row: &Row) -> Result<RecordingRow> {
    let state: String = row.get("state")?;
    Ok(RecordingRow {
        tenant: row.id("tenant_id")?,
        id: row.id("recording_id")?,
        call: row.id("call_id")?,
        state: RecordingState::parse(&state).ok_or_else(|| damaged("state", &state))?,
        started_at: row.time("started_at")?,
        completed_at: row.optional_time("completed_at")?,
        location: row.get("location")?,
        wrapped_key: row.get("wrapped_key")?,
        duration_ms: row.optional_count("duration_ms")?,
        bytes: row.optional_count("bytes")?,
        gaps_ms: row.optional_count("gaps_ms")?,
        failure: row.get("failure")?,
    })
}

static RECORDINGS: Bulk = Bulk::new(
    "INSERT INTO recordings (tenant_id, recording_id, call_id, state, started_at, completed_at, \
     location, wrapped_key, duration_ms, bytes, gaps_ms, failure)",
    12,
    " ON CONFLICT (tenant_id, recording_id) DO UPDATE SET \
     state = CASE WHEN excluded.state = 'recording' OR recordings.state = 'deleted' \
             THEN recordings.state ELSE excluded.state END, \
     completed_at = COALESCE(excluded.completed_at, recordings.completed_at), \
     location = COALESCE(excluded.location, recordings.location), \
     wrapped_key = COALESCE(excluded.wrapped_key, recordings.wrapped_key), \
     duration_ms = COALESCE(excluded.duration_ms, recordings.duration_ms), \
     bytes = COALESCE(excluded.bytes, recordings.bytes), \
     gaps_ms = COALESCE(excluded.gaps_ms, recordings.gaps_ms), \
     failure = COALESCE(excluded.failure, recordings.failure)",
);

/// Takes what each row knows and keeps what it does not; a finished recording never becomes a
/// running one again, and a deleted one stays deleted, whatever order reports and events come in.
pub(crate) async fn put_recordings(tx: &mut Tx, recordings: &[&RecordingRow]) -> Result<()> {
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(recordings.len() * 12);
    for recording in recordings {
        rows.extend(values![
            &recording.tenant,
            recording.id,
            recording.call,
            recording.state.as_str(),
            recording.started_at,
            recording.completed_at,
            recording.location.as_deref(),
            recording.wrapped_key.as_deref(),
            recording.duration_ms,
            recording.bytes,
            recording.gaps_ms,
            recording.failure.as_deref(),
        ]);
    }
    RECORDINGS.run(tx, &rows).await
}
