//! The start after a crash: calls that were up get their end.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base::{CallId, TenantId, UnixTime};

use crate::append::append_events;
use crate::db::{Row, Scope, values};
use crate::projection::{Change, put_changes};
use crate::rows::EventRow;
use crate::search::{UP, table_of};
use crate::{Result, Store};

/// The SIP status and Q.850 cause of a call whose engine stopped: 503, temporary failure.
const SIP_STATUS: u64 = 503;
const Q850: u64 = 41;

struct OpenCall {
    call: CallId,
    started_at: UnixTime,
    connected_at: Option<UnixTime>,
    agent: Option<String>,
    recording: Option<String>,
}

impl Store {
    /// Ends every call that is still up in the database: its record, and a `call.ended` event
    /// with the cause `engine_restart`, which is returned too. To be called once, before the
    /// engine takes its first call and asks for [`Store::last_sequences`].
    ///
    /// Nobody measured when such a call ended: its durations run until `now` and are marked
    /// `"estimated": true` in the event.
    ///
    /// # Errors
    /// When the database fails; tenants that were done stay done.
    pub async fn recover_open_calls(&self, now: UnixTime) -> Result<Vec<EventRow>> {
        let mut ended = Vec::new();
        for (tenant, last) in self.last_sequences().await? {
            ended.extend(self.recover_tenant(&tenant, last, now).await?);
        }
        Ok(ended)
    }

    async fn recover_tenant(
        &self,
        tenant: &TenantId,
        last: u64,
        now: UnixTime,
    ) -> Result<Vec<EventRow>> {
        let mut tx = self.db.write(Scope::Tenant(tenant)).await?;
        let calls = table_of(&tx, UP);
        let sql = format!(
            "SELECT call_id, started_at, connected_at, agent_id, recording_id FROM {calls} \
             WHERE tenant_id = $1 AND {UP} ORDER BY started_at, call_id"
        );
        let rows = tx.rows(sql, &values![tenant]).await?;
        let open = rows.iter().map(open_call).collect::<Result<Vec<_>>>()?;
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let events: Vec<EventRow> = (last + 1..)
            .zip(&open)
            .map(|(sequence, call)| call.end(tenant, sequence, now))
            .collect();
        let appended: Vec<&EventRow> = events.iter().collect();
        let numbers = (last + 1, last + events.len() as u64);
        append_events(&mut tx, tenant, numbers, &appended).await?;
        let changes = Change::fold(&appended, &BTreeSet::new());
        put_changes(&mut tx, tenant, &changes).await?;
        for call in changes.into_keys() {
            let sql = "UPDATE calls SET sip_status = $3, q850 = $4, \
                       wait_ms = COALESCE(wait_ms, duration_ms) \
                       WHERE tenant_id = $1 AND call_id = $2";
            tx.run(sql, &values![tenant, call, SIP_STATUS, Q850]).await?;
        }
        tx.commit().await?;
        Ok(events)
    }
}

fn open_call(row: &Row) -> Result<OpenCall> {
    Ok(OpenCall {
        call: row.id("call_id")?,
        started_at: row.time("started_at")?,
        connected_at: row.optional_time("connected_at")?,
        agent: row.get("agent_id")?,
        recording: row.get("recording_id")?,
    })
}

impl OpenCall {
    fn end(&self, tenant: &TenantId, sequence: u64, now: UnixTime) -> EventRow {
        let data = serde_json::json!({
            "cause": "engine_restart",
            "ended_by": "engine",
            "duration_ms": millis_between(self.started_at, now),
            "talk_ms": self.connected_at.map(|at| millis_between(at, now)),
            "agent": self.agent,
            "recording": self.recording,
            "estimated": true,
        });
        EventRow {
            tenant: tenant.clone(),
            sequence,
            call: Some(self.call),
            at: now,
            kind: Cow::Borrowed("call.ended"),
            data: data.to_string(),
        }
    }
}

/// Zero when the wall's clock was set back.
fn millis_between(from: UnixTime, to: UnixTime) -> u64 {
    u64::try_from(to.as_millis() - from.as_millis()).unwrap_or(0)
}
