//! Calls: the list with its filters, one call, its ladder and the decisions about it.

use std::borrow::Cow;

use base::{CallId, TenantId, UnixTime};

use crate::bulk::Bulk;
use crate::db::{Row, Scope, Tx, Value, damaged, values};
use crate::recordings::OF_A_CALL as RECORDINGS_OF_A_CALL;
use crate::rows::{
    CallFilter, CallRow, CallState, DecisionRow, FinalRecord, LadderRow, Listed, Page,
};
use crate::search::{self, numbers};
use crate::{Result, Store, ladder};

pub(crate) const COLUMNS: &str = "tenant_id, call_id, state, direction, trunk_id, caller, \
    dialled, queue_id, agent_id, started_at, answered_at, connected_at, ended_at, duration_ms, \
    wait_ms, talk_ms, cause, sip_status, q850, ended_by, recording_id, legs, caller_name, \
    verstat, attestation, diversions, reason";

impl Store {
    /// The tenant's calls, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
        page: Page,
    ) -> Result<Listed<CallRow>> {
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        search::listed(&mut tx, tenant, filter, page).await
    }

    /// One call of the tenant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call(&self, tenant: &TenantId, call: CallId) -> Result<Option<CallRow>> {
        let sql = format!("SELECT {COLUMNS} FROM calls WHERE tenant_id = $1 AND call_id = $2");
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let found = tx.row(sql, &values![tenant, call]).await?;
        let mut rows = found.iter().map(call_row).collect::<Result<Vec<_>>>()?;
        recordings_of(&mut tx, tenant, &mut rows).await?;
        Ok(rows.pop())
    }

    /// Every SIP message of a call that is over; none while it runs.
    ///
    /// # Errors
    /// When the database fails or the ladder is damaged.
    pub async fn ladder(&self, tenant: &TenantId, call: CallId) -> Result<Option<Vec<LadderRow>>> {
        let sql = "SELECT messages FROM ladders WHERE tenant_id = $1 AND call_id = $2";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let Some(row) = tx.row(sql, &values![tenant, call]).await? else { return Ok(None) };
        ladder::decode(&row.get::<Vec<u8>>("messages")?).map(Some)
    }

    /// Every decision about a call that is over; none while it runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decisions(&self, tenant: &TenantId, call: CallId) -> Result<Vec<DecisionRow>> {
        let sql = "SELECT decisions FROM calls WHERE tenant_id = $1 AND call_id = $2";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let Some(row) = tx.row(sql, &values![tenant, call]).await? else { return Ok(Vec::new()) };
        let text: String = row.get("decisions")?;
        serde_json::from_str(&text).map_err(|_| damaged("decisions", &text))
    }
}

/// The conditions of a list: the tenant first, then what was asked for.
pub(crate) struct Conditions<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn new(tenant: &'a TenantId) -> Self {
        Self { text: "tenant_id = $1".to_owned(), values: vec![tenant.into()] }
    }

    pub(crate) fn equal(&mut self, column: &'static str, wanted: Option<&'a str>) {
        if let Some(wanted) = wanted {
            self.push(&format!("{column} ="), wanted.into());
        }
    }

    /// A condition without a value.
    pub(crate) fn add(&mut self, condition: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
    }

    /// What a filter of calls asks for, but for their state.
    pub(crate) fn of_filter(&mut self, filter: &'a CallFilter) {
        self.equal("queue_id", filter.queue.as_ref().map(|queue| queue.as_str()));
        self.equal("agent_id", filter.agent.as_ref().map(|agent| agent.as_str()));
        self.equal("direction", filter.direction.as_deref());
        self.equal("cause", filter.cause.as_deref());
        self.compare("started_at >=", filter.started_from);
        self.compare("started_at <", filter.started_until);
        self.compare("duration_ms >=", filter.shortest_ms);
        self.compare("duration_ms <=", filter.longest_ms);
        self.compare("lowest_mos <", filter.mos_below.map(u64::from));
        self.contains("codecs", filter.codec.as_deref());
        self.contains("numbers", filter.number.as_deref());
        match filter.is_recorded {
            Some(true) => self.add("recording_id IS NOT NULL"),
            Some(false) => self.add("recording_id IS NULL"),
            None => {}
        }
    }

    /// The column, which is in small letters, has that in it.
    fn contains(&mut self, column: &'static str, part: Option<&str>) {
        let Some(part) = part else { return };
        let mut pattern = String::from("%");
        for letter in part.to_lowercase().chars() {
            if matches!(letter, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        self.push(&format!("{column} LIKE"), pattern.into());
        self.text.push_str(" ESCAPE '!'");
    }

    /// Before that call, newest first.
    pub(crate) fn older_than(&mut self, at: UnixTime, call: CallId) {
        self.values.extend(values![at, call]);
        let place = self.values.len();
        let condition = format!("(started_at < ${} OR call_id < ${place})", place - 1);
        self.add(&condition);
    }

    /// The text after WHERE and its values.
    pub(crate) fn into_parts(self) -> (String, Vec<Value<'a>>) {
        (self.text, self.values)
    }

    pub(crate) fn compare<T: Into<Value<'a>>>(&mut self, left: &'static str, right: Option<T>) {
        if let Some(right) = right {
            self.push(left, right.into());
        }
    }

    fn push(&mut self, left: &str, right: Value<'a>) {
        self.values.push(right);
        self.text.push_str(&format!(" AND {left} ${}", self.values.len()));
    }

    pub(crate) async fn count(&self, tx: &mut Tx, table: &str) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) AS total FROM {table} WHERE {}", self.text);
        tx.row(sql, &self.values).await?.map_or(Ok(0), |row| row.count("total"))
    }

    /// The same, but no further than to `most`.
    pub(crate) async fn count_to(mut self, tx: &mut Tx, table: &str, most: u64) -> Result<u64> {
        self.values.push(most.into());
        let sql = format!(
            "SELECT COUNT(*) AS total FROM (SELECT 1 FROM {table} WHERE {} LIMIT ${}) AS found",
            self.text,
            self.values.len()
        );
        tx.row(sql, &self.values).await?.map_or(Ok(0), |row| row.count("total"))
    }

    /// The rows in that order: so many are passed over, and so many taken at the most.
    pub(crate) async fn window(
        mut self,
        tx: &mut Tx,
        table: &str,
        columns: &'static str,
        order: &'static str,
        (skipped, limit): (u64, u64),
    ) -> Result<Vec<Row>> {
        let (a, b) = (self.values.len() + 1, self.values.len() + 2);
        self.values.extend(values![limit, skipped]);
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE {} ORDER BY {order} LIMIT ${a} OFFSET ${b}",
            self.text
        );
        tx.rows(sql, &self.values).await
    }
}

/// Names the recordings of calls that have some.
pub(crate) async fn recordings_of(
    tx: &mut Tx,
    tenant: &TenantId,
    rows: &mut [CallRow],
) -> Result<()> {
    let mut recorded: Vec<&mut CallRow> =
        rows.iter_mut().filter(|row| row.recording.is_some()).collect();
    if recorded.is_empty() {
        return Ok(());
    }
    let mut wanted = values![tenant].to_vec();
    wanted.extend(recorded.iter().map(|row| Value::from(row.id)));
    let places: Vec<String> = (2..=wanted.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT call_id, recording_id FROM {} WHERE tenant_id = $1 AND call_id IN ({}) \
         ORDER BY started_at, recording_id LIMIT 10000",
        tx.by_index("recordings", RECORDINGS_OF_A_CALL),
        places.join(", ")
    );
    for row in tx.rows(sql, &wanted).await? {
        let call: CallId = row.id("call_id")?;
        if let Some(of) = recorded.iter_mut().find(|known| known.id == call) {
            of.recordings.push(row.id("recording_id")?);
        }
    }
    Ok(())
}

pub(crate) fn call_row(row: &Row) -> Result<CallRow> {
    let state: String = row.get("state")?;
    let direction: String = row.get("direction")?;
    Ok(CallRow {
        tenant: row.id("tenant_id")?,
        id: row.id("call_id")?,
        state: CallState::parse(&state).ok_or_else(|| damaged("state", &state))?,
        direction: Cow::Owned(direction),
        trunk: row.optional_id("trunk_id")?,
        from: row.get("caller")?,
        from_name: row.get("caller_name")?,
        to: row.get("dialled")?,
        verstat: row.get("verstat")?,
        attestation: row.get("attestation")?,
        diversions: row.get("diversions")?,
        queue: row.optional_id("queue_id")?,
        agent: row.optional_id("agent_id")?,
        started_at: row.time("started_at")?,
        answered_at: row.optional_time("answered_at")?,
        connected_at: row.optional_time("connected_at")?,
        ended_at: row.optional_time("ended_at")?,
        duration_ms: row.optional_count("duration_ms")?,
        wait_ms: row.optional_count("wait_ms")?,
        talk_ms: row.optional_count("talk_ms")?,
        cause: row.get("cause")?,
        sip_status: row.optional_count("sip_status")?.and_then(|status| status.try_into().ok()),
        q850: row.optional_count("q850")?.and_then(|cause| cause.try_into().ok()),
        ended_by: row.get("ended_by")?,
        reason: row.get("reason")?,
        recording: row.optional_id("recording_id")?,
        recordings: Vec::new(),
        legs: row.get("legs")?,
    })
}

const RECORD_COLUMNS: usize = 31;
static RECORDS: Bulk = Bulk::new(
    "INSERT INTO calls (tenant_id, call_id, state, direction, trunk_id, caller, dialled, \
     queue_id, agent_id, started_at, answered_at, connected_at, ended_at, duration_ms, wait_ms, \
     talk_ms, cause, sip_status, q850, ended_by, recording_id, legs, caller_name, verstat, \
     attestation, diversions, reason, decisions, numbers, codecs, lowest_mos)",
    RECORD_COLUMNS,
    " ON CONFLICT (tenant_id, call_id) DO UPDATE SET state = excluded.state, \
     direction = excluded.direction, trunk_id = excluded.trunk_id, caller = excluded.caller, \
     dialled = excluded.dialled, queue_id = excluded.queue_id, agent_id = excluded.agent_id, \
     started_at = excluded.started_at, answered_at = excluded.answered_at, \
     connected_at = excluded.connected_at, ended_at = excluded.ended_at, \
     duration_ms = excluded.duration_ms, wait_ms = excluded.wait_ms, \
     talk_ms = excluded.talk_ms, cause = excluded.cause, sip_status = excluded.sip_status, \
     q850 = excluded.q850, ended_by = excluded.ended_by, \
     recording_id = excluded.recording_id, legs = excluded.legs, \
     caller_name = excluded.caller_name, verstat = excluded.verstat, \
     attestation = excluded.attestation, diversions = excluded.diversions, \
     reason = excluded.reason, decisions = excluded.decisions, \
     numbers = excluded.numbers, codecs = excluded.codecs, lowest_mos = excluded.lowest_mos",
);

/// The records of calls, each of another: all of a record replaces what the events had projected.
pub(crate) async fn put_records(tx: &mut Tx, records: &[&FinalRecord]) -> Result<()> {
    let rows: Vec<Value<'_>> = records.iter().flat_map(|record| row_of(record)).collect();
    RECORDS.run(tx, &rows).await
}

fn row_of(record: &FinalRecord) -> [Value<'_>; RECORD_COLUMNS] {
    let call = &record.call;
    // Serialising our own plain types into memory cannot fail.
    let decisions = serde_json::to_string(&record.decisions).unwrap_or_else(|_| "[]".to_owned());
    values![
        &call.tenant,
        call.id,
        call.state.as_str(),
        call.direction.as_ref(),
        call.trunk.as_ref().map(|trunk| trunk.as_str()),
        &call.from,
        &call.to,
        call.queue.as_ref().map(|queue| queue.as_str()),
        call.agent.as_ref().map(|agent| agent.as_str()),
        call.started_at,
        call.answered_at,
        call.connected_at,
        call.ended_at,
        call.duration_ms,
        call.wait_ms,
        call.talk_ms,
        call.cause.as_deref(),
        call.sip_status.map(u64::from),
        call.q850.map(u64::from),
        call.ended_by.as_deref(),
        call.recording,
        &call.legs,
        call.from_name.as_deref(),
        call.verstat.as_deref(),
        call.attestation.as_deref(),
        &call.diversions,
        call.reason.as_deref(),
        decisions,
        numbers(&call.from, &call.to),
        &record.codecs,
        record.lowest_mos.map(u64::from),
    ]
}
