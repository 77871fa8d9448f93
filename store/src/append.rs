//! The one way in for what happens: a batch of events, records and recordings in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use base::{CallId, TenantId};

use crate::bulk::{Bulk, without_repeats};
use crate::calls::put_records;
use crate::db::{Scope, Tx, Value, values};
use crate::projection::{Change, put_changes};
use crate::quality::put_quality;
use crate::recordings::put_recordings;
use crate::rows::{AgentSettingsRow, Append, EventRow, FinalRecord, RecordingRow};
use crate::search::numbers;
use crate::settings::put_settings;
use crate::wrap_ups::put_wrap_ups;
use crate::{Result, Store, StoreError, ladder, number_pages};

const EVENT_COLUMNS: usize = 6;
static EVENTS: Bulk = Bulk::new(
    "INSERT INTO events (tenant_id, sequence, call_id, at, kind, data)",
    EVENT_COLUMNS,
    "",
);
static LADDERS: Bulk = Bulk::new(
    "INSERT INTO ladders (tenant_id, call_id, messages)",
    3,
    " ON CONFLICT (tenant_id, call_id) DO UPDATE SET messages = excluded.messages",
);

/// What a batch holds of one tenant, in its order.
#[derive(Default)]
struct TenantPart<'a> {
    events: Vec<&'a EventRow>,
    records: Vec<&'a FinalRecord>,
    recordings: Vec<&'a RecordingRow>,
    settings: Vec<&'a AgentSettingsRow>,
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
                Append::Settings(row) => {
                    parts.entry(&row.tenant).or_default().settings.push(row);
                }
            }
        }
        // Tenants in their order: two writers can wait for each other, but never in a circle.
        let Some(first) = parts.keys().next() else { return Ok(()) };
        let mut tx = self.db.write_in_place(Scope::Tenant(first)).await?;
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
            append_events(tx, tenant, (first, last), &self.events).await?;
        }
        let finished: BTreeSet<CallId> = self.records.iter().map(|record| record.call.id).collect();
        put_wrap_ups(tx, tenant, &self.events).await?;
        put_changes(tx, tenant, &Change::fold(&self.events, &finished)).await?;
        for records in without_repeats(&self.records, |record| record.call.id) {
            put_records(tx, records).await?;
            number_pages::put(tx, tenant, &records.iter().map(entry).collect::<Vec<_>>()).await?;
            put_ladders(tx, records).await?;
            put_quality(tx, records).await?;
        }
        for recordings in without_repeats(&self.recordings, |recording| recording.id) {
            put_recordings(tx, recordings).await?;
        }
        for settings in without_repeats(&self.settings, |settings| &settings.agent) {
            put_settings(tx, settings).await?;
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

/// Moves the tenant's last sequence from before `first` to `last`, and inserts the events between.
/// Compare and swap: the sequence's row lock also keeps a second writer waiting.
pub(crate) async fn append_events(
    tx: &mut Tx,
    tenant: &TenantId,
    (first, last): (u64, u64),
    events: &[&EventRow],
) -> Result<()> {
    let sql = "UPDATE sequences SET last_sequence = $2 WHERE tenant_id = $1 \
               AND last_sequence = $3";
    let before = first.checked_sub(1).unwrap_or(u64::MAX);
    if tx.run(sql, &values![tenant, last, before]).await? != 1 {
        return Err(misplaced(tx, tenant, first).await?);
    }
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(events.len() * EVENT_COLUMNS);
    for event in events {
        rows.extend(values![
            &event.tenant,
            event.sequence,
            event.call,
            event.at,
            event.kind.as_ref(),
            &event.data,
        ]);
    }
    EVENTS.run(tx, &rows).await
}

/// Why events from `first` on could not be appended.
async fn misplaced(tx: &mut Tx, tenant: &TenantId, first: u64) -> Result<StoreError> {
    let sql = "SELECT last_sequence FROM sequences WHERE tenant_id = $1";
    Ok(match tx.row(sql, &values![tenant]).await? {
        None => StoreError::UnknownTenant(tenant.clone()),
        Some(row) => StoreError::Gap {
            tenant: tenant.clone(),
            last: row.count("last_sequence")?,
            found: first,
        },
    })
}

/// What a search for numbers finds of a record.
fn entry(record: &&FinalRecord) -> number_pages::Entry {
    let call = &record.call;
    ((call.started_at, call.id), numbers(&call.from, &call.to))
}

async fn put_ladders(tx: &mut Tx, records: &[&FinalRecord]) -> Result<()> {
    let blobs: Vec<(&FinalRecord, Vec<u8>)> = records
        .iter()
        .filter(|record| !record.ladder.is_empty())
        .map(|record| (*record, ladder::encode(&record.ladder)))
        .collect();
    let rows: Vec<Value<'_>> = blobs
        .iter()
        .flat_map(|(record, blob)| values![&record.call.tenant, record.call.id, blob.as_slice()])
        .collect();
    LADDERS.run(tx, &rows).await
}
