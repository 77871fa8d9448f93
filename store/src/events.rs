//! The tenants' logs of events, read in order from any point.

use std::borrow::Cow;

use base::{CallId, TenantId, UnixTime};

use crate::db::{Row, Scope, Value, values};
use crate::rows::EventRow;
use crate::{Result, Store};

const COLUMNS: &str = "tenant_id, sequence, call_id, at, kind, data";
/// No call has more events than this; a list of one call's events needs no pages.
const EVENTS_OF_A_CALL: u64 = 10_000;

impl Store {
    /// At most `limit` events of the tenant after the sequence `after` (0: from the first kept),
    /// in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(
        &self,
        tenant: &TenantId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE tenant_id = $1 AND sequence > $2 \
             ORDER BY sequence LIMIT $3"
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &values![tenant, after, u64::from(limit)]).await?;
        rows.iter().map(event_row).collect()
    }

    /// At most `limit` events of those kinds (a few) after the sequence `range.0` and not after
    /// `range.1`, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_of_kinds(
        &self,
        tenant: &TenantId,
        range: (u64, u64),
        kinds: &[&str],
        limit: u32,
    ) -> Result<Vec<EventRow>> {
        let mut wanted = values![tenant, range.0, range.1, u64::from(limit)].to_vec();
        wanted.extend(kinds.iter().map(|kind| Value::from(*kind)));
        let places: Vec<String> = (5..=wanted.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE tenant_id = $1 AND sequence > $2 \
             AND sequence <= $3 AND kind IN ({}) ORDER BY sequence LIMIT $4",
            places.join(", ")
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &wanted).await?;
        rows.iter().map(event_row).collect()
    }

    /// The last events about trunks that the tenant uses, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_trunk_events(&self, tenant: &TenantId, limit: u32) -> Result<Vec<EventRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE tenant_id = $1 AND kind = 'trunk.state_changed' \
             ORDER BY sequence DESC LIMIT $2"
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &values![tenant, u64::from(limit)]).await?;
        rows.iter().map(event_row).collect()
    }

    /// The sequence of the tenant's last event before `at`; 0 if there is none. Events are in the
    /// order of time, so a few looks at the log are enough.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_sequence_before(&self, tenant: &TenantId, at: UnixTime) -> Result<u64> {
        let sql = "SELECT sequence, at FROM events WHERE tenant_id = $1 AND sequence >= $2 \
                   ORDER BY sequence LIMIT 1";
        let (mut before, mut after) = (0, self.last_sequence(tenant).await? + 1);
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        while before + 1 < after {
            let middle = before + (after - before) / 2;
            match tx.row(sql, &values![tenant, middle]).await? {
                Some(row) if row.time("at")? < at => before = middle.max(row.count("sequence")?),
                _ => after = middle,
            }
        }
        Ok(before)
    }

    /// The events of one call, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_events(&self, tenant: &TenantId, call: CallId) -> Result<Vec<EventRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE tenant_id = $1 AND call_id = $2 \
             ORDER BY sequence LIMIT $3"
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &values![tenant, call, EVENTS_OF_A_CALL]).await?;
        rows.iter().map(event_row).collect()
    }

    /// The sequence of every tenant's last event, by tenant: where the engine goes on counting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_sequences(&self) -> Result<Vec<(TenantId, u64)>> {
        let sql = "SELECT tenant_id, last_sequence FROM sequences ORDER BY tenant_id";
        let mut tx = self.db.read(Scope::Engine).await?;
        let rows = tx.rows(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.id("tenant_id")?, row.count("last_sequence")?))).collect()
    }

    /// The sequence of the tenant's last event; 0 before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_sequence(&self, tenant: &TenantId) -> Result<u64> {
        let sql = "SELECT last_sequence FROM sequences WHERE tenant_id = $1";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        tx.row(sql, &values![tenant]).await?.map_or(Ok(0), |row| row.count("last_sequence"))
    }
}

fn event_row(row: &Row) -> Result<EventRow> {
    Ok(EventRow {
        tenant: row.id("tenant_id")?,
        sequence: row.count("sequence")?,
        call: row.optional_id("call_id")?,
        at: row.time("at")?,
        kind: Cow::Owned(row.get("kind")?),
        data: row.get("data")?,
    })
}
