//! What is kept for a time only.

use base::{CallId, RecordingId, TenantId, UnixTime};

use crate::db::{Scope, values};
use crate::recordings::{COLUMNS, recording_row};
use crate::{RecordingRow, Result, Store};

/// Rows deleted in one transaction: events of calls must not wait for long behind it.
const CHUNK: u64 = 200;

impl Store {
    /// Deletes the ladders of the calls of all tenants that began before `before`, whose records
    /// stay. Gives their number.
    ///
    /// # Errors
    /// When the database fails; what was deleted until then stays deleted.
    pub async fn forget_ladders(&self, before: UnixTime) -> Result<u64> {
        // A call's number begins with the time at which the call began.
        let millis = u128::from(u64::try_from(before.as_millis()).unwrap_or(0));
        let first_kept = CallId::from_u128((millis & 0xffff_ffff_ffff) << 80);
        let sql = "DELETE FROM ladders WHERE tenant_id = $1 AND call_id IN \
                   (SELECT call_id FROM ladders WHERE tenant_id = $2 AND call_id < $3 \
                   ORDER BY call_id LIMIT $4)";
        let mut forgotten = 0;
        for (tenant, _) in self.last_sequences().await? {
            loop {
                let mut tx = self.db.write(Scope::Tenant(&tenant)).await?;
                let deleted = tx.run(sql, &values![&tenant, &tenant, first_kept, CHUNK]).await?;
                tx.commit().await?;
                forgotten += deleted;
                if deleted < CHUNK {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    /// The tenant's recordings that began before `before`, are not being made any more and still
    /// have audio: the oldest first, at most `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings_before(
        &self,
        tenant: &TenantId,
        before: UnixTime,
        most: u32,
    ) -> Result<Vec<RecordingRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM recordings WHERE tenant_id = $1 AND started_at < $2 \
             AND state <> 'recording' AND location IS NOT NULL \
             ORDER BY started_at, recording_id LIMIT $3"
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &values![tenant, before, u64::from(most)]).await?;
        rows.iter().map(recording_row).collect()
    }

    /// The recording's audio is gone: its row stays, without location and key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording_deleted(&self, tenant: &TenantId, recording: RecordingId) -> Result<()> {
        let sql = "UPDATE recordings SET state = 'deleted', location = NULL, wrapped_key = NULL, \
                   bytes = NULL WHERE tenant_id = $1 AND recording_id = $2";
        let mut tx = self.db.write(Scope::Tenant(tenant)).await?;
        tx.run(sql, &values![tenant, recording]).await?;
        tx.commit().await
    }
}
