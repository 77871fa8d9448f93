//! The one way in for what happens: a batch of events, records and recordings in one transaction.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;

use base::{CallId, TenantId};

use crate::db::{Scope, Step, Tx, Value, values};
use crate::projection::Change;
use crate::rows::{
    AgentSettingsRow, Append, CallRow, DecisionRow, EventRow, FinalRecord, RecordingRow,
};
use crate::{Result, Store, StoreError, ladder};

/// Rows of one INSERT at most: each number of rows is a statement that stays prepared.
const CHUNK: usize = 16;
const EVENT_COLUMNS: usize = 6;
const DECISION_COLUMNS: usize = 6;
static EVENT_INSERTS: Inserts = Inserts::new(
    "INSERT INTO events (tenant_id, sequence, call_id, at, kind, data) VALUES ",
    EVENT_COLUMNS,
);
static DECISION_INSERTS: Inserts = Inserts::new(
    "INSERT INTO decisions (tenant_id, call_id, position, at, summary, detail) VALUES ",
    DECISION_COLUMNS,
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
            append_events(tx, tenant, (first, last), &self.events).await?;
        }
        let finished: BTreeSet<CallId> = self.records.iter().map(|record| record.call.id).collect();
        for (call, change) in Change::fold(&self.events) {
            let steps = change.steps(tenant, call, finished.contains(&call));
            tx.run_all(&steps).await?;
        }
        for record in &self.records {
            store_record(tx, record).await?;
        }
        for recording in &self.recordings {
            crate::recordings::upsert(tx, recording).await?;
        }
        let steps: Vec<_> = self.settings.iter().map(|row| crate::settings::upsert(row)).collect();
        if !steps.is_empty() {
            tx.run_all(&steps).await?;
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
    let values = values![tenant, last, first.checked_sub(1).unwrap_or(u64::MAX)];
    let mut steps = vec![Step::guard(sql, values.to_vec())];
    for chunk in events.chunks(CHUNK) {
        steps.push(insert_events(chunk));
        if !tx.run_all(&steps).await? {
            return Err(misplaced(tx, tenant, first).await?);
        }
        steps.clear();
    }
    Ok(())
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

fn insert_events<'a>(events: &[&'a EventRow]) -> Step<'a> {
    let mut row_values: Vec<Value<'_>> = Vec::with_capacity(events.len() * EVENT_COLUMNS);
    for event in events {
        row_values.extend(values![
            &event.tenant,
            event.sequence,
            event.call,
            event.at,
            event.kind.as_ref(),
            &event.data,
        ]);
    }
    Step::new(EVENT_INSERTS.of(events.len()), row_values)
}

/// An INSERT of 1 to [`CHUNK`] rows: each number of rows has its text, made once.
struct Inserts {
    head: &'static str,
    columns: usize,
    texts: [OnceLock<String>; CHUNK],
}

impl Inserts {
    const fn new(head: &'static str, columns: usize) -> Self {
        Self { head, columns, texts: [const { OnceLock::new() }; CHUNK] }
    }

    /// The statement for so many rows.
    fn of(&'static self, rows: usize) -> Cow<'static, str> {
        let text = || with_places(self.head, rows, self.columns);
        match self.texts.get(rows.wrapping_sub(1)) {
            Some(known) => Cow::Borrowed(known.get_or_init(text)),
            None => Cow::Owned(text()),
        }
    }
}

/// A statement with the places for the values of many rows at its end.
fn with_places(sql: &str, rows: usize, columns: usize) -> String {
    let mut sql = String::from(sql);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}${}", row * columns + column);
        }
        sql.push(')');
    }
    sql
}

async fn store_record(tx: &mut Tx, record: &FinalRecord) -> Result<()> {
    let call = &record.call;
    let blob = ladder::encode(&record.ladder);
    let mut steps = vec![crate::calls::upsert(call)];
    if !record.ladder.is_empty() {
        let sql = "INSERT INTO ladders (tenant_id, call_id, messages) VALUES ($1, $2, $3) \
                   ON CONFLICT (tenant_id, call_id) DO UPDATE SET messages = excluded.messages";
        steps.push(Step::new(sql, values![&call.tenant, call.id, blob.as_slice()].to_vec()));
    }
    let sql = "DELETE FROM decisions WHERE tenant_id = $1 AND call_id = $2";
    steps.push(Step::new(sql, values![&call.tenant, call.id].to_vec()));
    for (chunk, first) in record.decisions.chunks(CHUNK).zip((1_u64..).step_by(CHUNK)) {
        steps.push(insert_decisions(call, first, chunk));
        tx.run_all(&steps).await?;
        steps.clear();
    }
    tx.run_all(&steps).await?;
    Ok(())
}

fn insert_decisions<'a>(call: &'a CallRow, first: u64, decisions: &'a [DecisionRow]) -> Step<'a> {
    let mut row_values: Vec<Value<'_>> = Vec::with_capacity(decisions.len() * DECISION_COLUMNS);
    for (position, decision) in (first..).zip(decisions) {
        let (summary, detail) = (&decision.summary, &decision.detail);
        let id = call.id;
        row_values.extend(values![&call.tenant, id, position, decision.at, summary, detail]);
    }
    Step::new(DECISION_INSERTS.of(decisions.len()), row_values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_of_two_events_numbers_its_values_through() {
        let sql = with_places("INSERT INTO events VALUES ", 2, 6);
        assert!(sql.ends_with("VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12)"));
    }
}
