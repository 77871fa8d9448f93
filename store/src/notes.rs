//! What people write about a call. A call has [`MOST_NOTES`] at most, and none is ever changed.

use base::{CallId, TenantId, UnixTime};

use crate::db::{Row, Scope, values};
use crate::rows::NoteRow;
use crate::{Result, Store};

/// Notes of one call; there is no room for more.
pub const MOST_NOTES: u64 = 100;

impl Store {
    /// The notes of a call of the tenant, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notes(&self, tenant: &TenantId, call: CallId) -> Result<Vec<NoteRow>> {
        let sql = "SELECT position, at, author, text FROM call_notes \
                   WHERE tenant_id = $1 AND call_id = $2 ORDER BY position";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        tx.rows(sql, &values![tenant, call]).await?.iter().map(note_row).collect()
    }

    /// Adds a note to a call that is there, up or over; `None` if the call has all it may have.
    ///
    /// # Errors
    /// When the database fails, or there is no such call.
    pub async fn add_note(
        &self,
        tenant: &TenantId,
        call: CallId,
        (at, author, text): (UnixTime, &str, &str),
    ) -> Result<Option<NoteRow>> {
        let mut tx = self.db.write(Scope::Tenant(tenant)).await?;
        // Two writers of one call wait for each other at its row.
        let sql = "UPDATE calls SET state = state WHERE tenant_id = $1 AND call_id = $2";
        tx.run(sql, &values![tenant, call]).await?;
        let sql = "SELECT COUNT(*) AS total FROM call_notes WHERE tenant_id = $1 AND call_id = $2";
        let there = tx.row(sql, &values![tenant, call]).await?;
        let position = there.map_or(Ok(0), |row| row.count("total"))? + 1;
        if position > MOST_NOTES {
            return Ok(None);
        }
        let sql = "INSERT INTO call_notes (tenant_id, call_id, position, at, author, text) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        tx.run(sql, &values![tenant, call, position, at, author, text]).await?;
        tx.commit().await?;
        let (author, text) = (author.to_owned(), text.to_owned());
        Ok(Some(NoteRow { position, at, author, text }))
    }
}

fn note_row(row: &Row) -> Result<NoteRow> {
    Ok(NoteRow {
        position: row.count("position")?,
        at: row.time("at")?,
        author: row.get("author")?,
        text: row.get("text")?,
    })
}
