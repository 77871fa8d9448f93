//! What calls came to, as their agents say; and the calls with one number. Both are what an agent's
//! desk asks about whoever calls.

use std::cmp::Reverse;

use base::{CallId, TenantId};
use serde::Deserialize;

use crate::bulk::{Bulk, without_repeats};
use crate::calls::{COLUMNS as CALL_COLUMNS, call_row};
use crate::db::{Row, Scope, Tx, Value, values};
use crate::rows::{CallRow, EventRow, WrapUpRow};
use crate::{Result, Store};

/// The event that a row follows from.
pub(crate) const WRAPPED_UP: &str = "call.wrapped_up";

impl Store {
    /// What has been said of these calls of the tenant, call by call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wrap_ups(&self, tenant: &TenantId, calls: &[CallId]) -> Result<Vec<WrapUpRow>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted = values![tenant].to_vec();
        wanted.extend(calls.iter().map(|call| Value::from(*call)));
        let places: Vec<String> = (2..=wanted.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT call_id, agent_id, at, queue_id, code, notes, said_by FROM wrap_ups \
             WHERE tenant_id = $1 AND call_id IN ({}) ORDER BY call_id, at, agent_id",
            places.join(", ")
        );
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        tx.rows(sql, &wanted).await?.iter().map(wrap_up_row).collect()
    }

    /// The tenant's calls from or to that number as it came, but for one of them: newest first, at
    /// most `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_with(
        &self,
        tenant: &TenantId,
        number: &str,
        besides: CallId,
        most: u32,
    ) -> Result<Vec<CallRow>> {
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let mut calls: Vec<CallRow> = Vec::new();
        // Asked for both sides at once SQLite reads all of the tenant's calls.
        for (side, index) in [("caller", "calls_of_a_caller"), ("dialled", "calls_to_a_number")] {
            let table = tx.by_index("calls", index);
            let sql = format!(
                "SELECT {CALL_COLUMNS} FROM {table} WHERE tenant_id = $1 \
                 AND {side} = $2 AND call_id <> $3 ORDER BY started_at DESC, call_id DESC LIMIT $4"
            );
            let rows = tx.rows(sql, &values![tenant, number, besides, u64::from(most)]).await?;
            for row in &rows {
                calls.push(call_row(row)?);
            }
        }
        calls.sort_unstable_by_key(|call| Reverse((call.started_at, call.id)));
        calls.dedup_by_key(|call| call.id);
        calls.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(calls)
    }
}

fn wrap_up_row(row: &Row) -> Result<WrapUpRow> {
    Ok(WrapUpRow {
        call: row.id("call_id")?,
        agent: row.id("agent_id")?,
        at: row.time("at")?,
        queue: row.optional_id("queue_id")?,
        code: row.get("code")?,
        notes: row.get("notes")?,
        by: row.get("said_by")?,
    })
}

/// What the event says.
#[derive(Deserialize)]
struct Said {
    agent: String,
    queue: Option<String>,
    code: Option<String>,
    notes: Option<String>,
    by: Option<String>,
}

static WRAP_UPS: Bulk = Bulk::new(
    "INSERT INTO wrap_ups (tenant_id, call_id, agent_id, at, queue_id, code, notes, said_by)",
    8,
    " ON CONFLICT (tenant_id, call_id, agent_id) DO UPDATE SET at = excluded.at, \
     queue_id = excluded.queue_id, code = excluded.code, notes = excluded.notes, \
     said_by = excluded.said_by",
);

/// What a tenant's events say calls came to: the last word of each agent holds.
pub(crate) async fn put_wrap_ups(
    tx: &mut Tx,
    tenant: &TenantId,
    events: &[&EventRow],
) -> Result<()> {
    let told = events.iter().filter(|event| event.kind == WRAPPED_UP).filter_map(|event| {
        // One that we cannot read changes nothing; the log has it anyway.
        let said: Said = serde_json::from_str(&event.data).ok()?;
        Some((event.call?, event.at, said))
    });
    let told: Vec<(CallId, base::UnixTime, Said)> = told.collect();
    for part in without_repeats(&told, |(call, _, said)| (*call, said.agent.clone())) {
        let rows: Vec<Value<'_>> = part
            .iter()
            .flat_map(|(call, at, said)| {
                values![
                    tenant,
                    *call,
                    &said.agent,
                    *at,
                    said.queue.as_deref(),
                    said.code.as_deref(),
                    said.notes.as_deref(),
                    said.by.as_deref(),
                ]
            })
            .collect();
        WRAP_UPS.run(tx, &rows).await?;
    }
    Ok(())
}
