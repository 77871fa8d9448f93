//! The one way in for what happens: a batch of events, records and recordings in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base::{CallId, TenantId};

use crate::db::{Scope, Tx, Value, values};
use crate::projection::Change;
use crate::rows::{Append, EventRow, FinalRecord, RecordingRow};
use crate::{Result, Store, StoreError, ladder};

/// Rows of one INSERT; few sizes, so that few statements are prepared.
const EVENT_CHUNKS: [usize; 4] = [64, 16, 4, 1];
const EVENT_COLUMNS: usize = 6;

/// What a batch holds of one tenant, in its order.
#[derive(Default)]
struct TenantPart<'a> {
    events: Vec<&'a EventRow>,
    records: Vec<&'a FinalRecord>,
    recordings: Vec<&'a RecordingRow>,
}

impl Store {
    /// Stores the whole batch or nothing, on disk when it returns.
    ///
    /// Events must follow the tenant's last one without a gap. An event about a call moves the
    /// call's row along, one about a recording the recording's; a record replaces the call's row.
    /// Put a call's `call.ended` and its record into one batch, and nobody sees the one without
    /// the other.
    ///
    /// # Errors
    /// [`StoreError::Gap`] and [`StoreError::UnknownTenant`] are the caller's fault;
    /// [`StoreError::Database`] may pass, and the same batch can be tried again.
    pub async fn append(&self, batch: &[Append]) -> Result<()> {
        let mut parts: BTreeMap<&TenantId, TenantPart<'_>> = BTreeMap::new();
        for item in batch {
            match item {
                Append::Event(row) => parts.entry(&row.tenant).or_default().events.push(row),
                Append::Call(row) => parts.entry(&row.call.tenant).or_default().records.push(row),
                Append::Recording(row) => {
                    parts.entry(&row.tenant).or_default().recordings.push(row);
                }
            }
        }
        // Tenants in their order: two writers can wait for each other, but never in a circle.
        let Some(first) = parts.keys().next() else { return Ok(()) };
        let mut tx = self.db.write(Scope::Tenant(first)).await?;
        for (tenant, part) in &parts {
            tx.enter(Scope::Tenant(tenant)).await?;
            part.store(&mut tx, tenant).await?;
        }
        tx.commit().await
    }
}

impl TenantPart<'_> {
    async fn store(&self, tx: &mut Tx, tenant: &TenantId) -> Result<()> {
        if let Some((first, last)) = self.check_density(tenant)? {
            move_sequence(tx, tenant, first, last).await?;
            insert_events(tx, &self.events).await?;
        }
        let finished: BTreeSet<CallId> = self.records.iter().map(|record| record.call.id).collect();
        for (call, change) in Change::fold(&self.events) {
            change.apply(tx, tenant, call, finished.contains(&call)).await?;
        }
        for record in &self.records {
            store_record(tx, record).await?;
        }
        for recording in &self.recordings {
            crate::recordings::upsert(tx, recording).await?;
        }
        Ok(())
    }

    /// The batch's own events have no gap among them; returns the first and last sequence.
    fn check_density(&self, tenant: &TenantId) -> Result<Option<(u64, u64)>> {
        for pair in self.events.windows(2) {
            if pair[1].sequence != pair[0].sequence + 1 {
                let (last, found) = (pair[0].sequence, pair[1].sequence);
                return Err(StoreError::Gap { tenant: tenant.clone(), last, found });
            }
        }
        Ok(self.events.first().zip(self.events.last()).map(|(a, b)| (a.sequence, b.sequence)))
    }
}

/// Compare and swap: the row's lock also keeps a second writer waiting.
pub(crate) async fn move_sequence(
    tx: &mut Tx,
    tenant: &TenantId,
    first: u64,
    last: u64,
) -> Result<()> {
    let sql = "UPDATE sequences SET last_sequence = $2 WHERE tenant_id = $1 \
               AND last_sequence = $3";
    if tx.run(sql, &values![tenant, last, first.saturating_sub(1)]).await? == 1 && first > 0 {
        return Ok(());
    }
    let sql = "SELECT last_sequence FROM sequences WHERE tenant_id = $1";
    match tx.row(sql, &values![tenant]).await? {
        None => Err(StoreError::UnknownTenant(tenant.clone())),
        Some(row) => Err(StoreError::Gap {
            tenant: tenant.clone(),
            last: row.count("last_sequence")?,
            found: first,
        }),
    }
}

pub(crate) async fn insert_events(tx: &mut Tx, events: &[&EventRow]) -> Result<()> {
    let mut rest = events;
    while !rest.is_empty() {
        let size = EVENT_CHUNKS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (chunk, after) = rest.split_at(size);
        rest = after;
        let mut row_values: Vec<Value<'_>> = Vec::with_capacity(size * EVENT_COLUMNS);
        for event in chunk {
            row_values.extend(values![
                &event.tenant,
                event.sequence,
                event.call,
                event.at,
                event.kind.as_ref(),
                &event.data,
            ]);
        }
        tx.run(insert_events_sql(size), &row_values).await?;
    }
    Ok(())
}

fn insert_events_sql(rows: usize) -> String {
    let mut sql =
        String::from("INSERT INTO events (tenant_id, sequence, call_id, at, kind, data) VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=EVENT_COLUMNS {
            let comma = if column == 1 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}${}", row * EVENT_COLUMNS + column);
        }
        sql.push(')');
    }
    sql
}

async fn store_record(tx: &mut Tx, record: &FinalRecord) -> Result<()> {
    let call = &record.call;
    crate::calls::upsert(tx, call).await?;
    if !record.ladder.is_empty() {
        let sql = "INSERT INTO ladders (tenant_id, call_id, messages) VALUES ($1, $2, $3) \
                   ON CONFLICT (tenant_id, call_id) DO UPDATE SET messages = excluded.messages";
        let blob = ladder::encode(&record.ladder);
        tx.run(sql, &values![&call.tenant, call.id, blob.as_slice()]).await?;
    }
    let sql = "DELETE FROM decisions WHERE tenant_id = $1 AND call_id = $2";
    tx.run(sql, &values![&call.tenant, call.id]).await?;
    for (position, decision) in (1_u64..).zip(&record.decisions) {
        let sql = "INSERT INTO decisions (tenant_id, call_id, position, at, summary, detail) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let (summary, detail) = (&decision.summary, &decision.detail);
        let id = call.id;
        tx.run(sql, &values![&call.tenant, id, position, decision.at, summary, detail]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_of_two_events_numbers_its_values_through() {
        let sql = insert_events_sql(2);
        assert!(sql.ends_with("VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12)"));
    }
}
