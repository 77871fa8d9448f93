//! What an event changes in the rows of its call and its recording. The events of a batch are
//! folded first, so that a call is written once a batch, and all calls of a batch together.

use std::collections::{BTreeMap, BTreeSet};

use base::{CallId, TenantId, UnixTime};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bulk::{Bulk, without_repeats};
use crate::db::{Tx, Value, values};
use crate::rows::{CallState, EventRow, RecordingState};
use crate::search::numbers;
use crate::{Result, number_pages};

/// The fields of event payloads that the rows follow; an event has those that fit it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Payload {
    direction: Option<String>,
    trunk: Option<String>,
    from: Option<String>,
    from_name: Option<String>,
    to: Option<String>,
    diversions: Option<Box<RawValue>>,
    verdict: Option<String>,
    attestation: Option<String>,
    queue: Option<String>,
    agent: Option<String>,
    recording: Option<String>,
    cause: Option<String>,
    ended_by: Option<String>,
    duration_ms: Option<u64>,
    wait_ms: Option<u64>,
    talk_ms: Option<u64>,
    bytes: Option<u64>,
    gaps_ms: Option<u64>,
    location: Option<String>,
    why: Option<String>,
}

impl Payload {
    /// A payload without the fields we follow changes nothing; the log has it anyway.
    fn of(event: &EventRow) -> Self {
        serde_json::from_str(&event.data).unwrap_or_default()
    }
}

/// All that a batch's events change about one call.
#[derive(Default)]
pub(crate) struct Change {
    /// Its record says the rest.
    is_finished: bool,
    started: Option<Started>,
    state: Option<CallState>,
    queue: Option<String>,
    /// `Some(None)`: nobody rings any more.
    agent: Option<Option<String>>,
    answered_at: Option<UnixTime>,
    connected_at: Option<UnixTime>,
    ended_at: Option<UnixTime>,
    duration_ms: Option<u64>,
    wait_ms: Option<u64>,
    talk_ms: Option<u64>,
    cause: Option<String>,
    ended_by: Option<String>,
    verstat: Option<String>,
    attestation: Option<String>,
    recording: Option<String>,
    recordings: Vec<RecordingChange>,
}

struct Started {
    at: UnixTime,
    direction: String,
    trunk: Option<String>,
    from: String,
    from_name: Option<String>,
    to: String,
    diversions: Option<Box<RawValue>>,
}

struct RecordingChange {
    at: UnixTime,
    state: RecordingState,
    payload: Payload,
}

impl Change {
    /// Folds a tenant's events, call by call. A call whose record is in the same batch
    /// (`finished`) needs no change of its row from here; its recordings do.
    pub(crate) fn fold(
        events: &[&EventRow],
        finished: &BTreeSet<CallId>,
    ) -> BTreeMap<CallId, Self> {
        let mut changes: BTreeMap<CallId, Self> = BTreeMap::new();
        for event in events {
            let Some(call) = event.call else { continue };
            let is_finished = finished.contains(&call);
            if !is_finished || event.kind.starts_with("recording.") {
                let change = changes.entry(call).or_default();
                change.is_finished = is_finished;
                change.add(event);
            }
        }
        changes
    }

    fn add(&mut self, event: &EventRow) {
        match event.kind.as_ref() {
            "call.started" => {
                let payload = Payload::of(event);
                self.state = Some(CallState::Setup);
                self.agent = payload.agent.map(Some);
                self.started = Some(Started {
                    at: event.at,
                    direction: payload.direction.unwrap_or_else(|| "inbound".to_owned()),
                    trunk: payload.trunk,
                    from: payload.from.unwrap_or_default(),
                    from_name: payload.from_name,
                    to: payload.to.unwrap_or_default(),
                    diversions: payload.diversions,
                });
            }
            "call.caller_verified" => {
                let payload = Payload::of(event);
                (self.verstat, self.attestation) = (payload.verdict, payload.attestation);
            }
            "call.answered" => {
                self.state = Some(CallState::Flow);
                self.answered_at = Some(event.at);
            }
            "call.queued" => {
                self.state = Some(CallState::Queued);
                self.queue = Payload::of(event).queue.or(self.queue.take());
            }
            "call.offered" => {
                self.state = Some(CallState::Ringing);
                self.agent = Some(Payload::of(event).agent);
            }
            "call.attempt_failed" => {
                self.state = Some(CallState::Queued);
                self.agent = Some(None);
            }
            "call.connected" => {
                self.state = Some(CallState::Connected);
                let payload = Payload::of(event);
                self.connected_at = Some(event.at);
                self.agent = Some(payload.agent);
                self.wait_ms = payload.wait_ms;
            }
            "call.ended" => self.end(event.at, Payload::of(event)),
            "recording.started" => self.record(event, RecordingState::Recording),
            "recording.completed" => self.record(event, RecordingState::Completed),
            "recording.failed" => self.record(event, RecordingState::Failed),
            _ => {}
        }
    }

    fn end(&mut self, at: UnixTime, payload: Payload) {
        self.state = Some(CallState::Ended);
        self.ended_at = Some(at);
        self.agent = Some(payload.agent);
        self.duration_ms = payload.duration_ms;
        self.talk_ms = payload.talk_ms;
        self.cause = payload.cause;
        self.ended_by = payload.ended_by;
    }

    fn record(&mut self, event: &EventRow, state: RecordingState) {
        let payload = Payload::of(event);
        if payload.recording.is_some() {
            self.recording.clone_from(&payload.recording);
            self.recordings.push(RecordingChange { at: event.at, state, payload });
        }
    }

    /// The call's row as a first event makes it.
    fn begun<'a>(
        &'a self,
        tenant: &'a TenantId,
        call: CallId,
    ) -> Option<[Value<'a>; STARTED_COLUMNS]> {
        let started = self.started.as_ref()?;
        Some(values![
            tenant,
            call,
            self.state.unwrap_or(CallState::Setup).as_str(),
            &started.direction,
            started.trunk.as_deref(),
            &started.from,
            &started.to,
            self.queue.as_deref(),
            self.agent.as_ref().and_then(Option::as_deref),
            started.at,
            self.answered_at,
            self.connected_at,
            self.ended_at,
            self.duration_ms,
            self.wait_ms,
            self.talk_ms,
            self.cause.as_deref(),
            self.ended_by.as_deref(),
            self.recording.as_deref(),
            "[]",
            started.from_name.as_deref(),
            self.verstat.as_deref(),
            self.attestation.as_deref(),
            started.diversions.as_ref().map_or("[]", |all| all.get()),
            numbers(&started.from, &started.to),
        ])
    }

    /// What moves a row along that is there.
    fn moved<'a>(&'a self, tenant: &'a TenantId, call: CallId) -> [Value<'a>; CHANGE_COLUMNS] {
        values![
            tenant,
            call,
            self.state.map(CallState::as_str),
            self.queue.as_deref(),
            self.agent.is_some(),
            self.agent.as_ref().and_then(Option::as_deref),
            self.answered_at,
            self.connected_at,
            self.ended_at,
            self.duration_ms,
            self.wait_ms,
            self.talk_ms,
            self.cause.as_deref(),
            self.ended_by.as_deref(),
            self.recording.as_deref(),
            self.verstat.as_deref(),
            self.attestation.as_deref(),
        ]
    }
}

const STARTED_COLUMNS: usize = 25;
/// A row that is there already is a record, which knows more.
static STARTED: Bulk = Bulk::new(
    "INSERT INTO calls (tenant_id, call_id, state, direction, trunk_id, caller, dialled, \
     queue_id, agent_id, started_at, answered_at, connected_at, ended_at, duration_ms, wait_ms, \
     talk_ms, cause, ended_by, recording_id, legs, caller_name, verstat, attestation, \
     diversions, numbers)",
    STARTED_COLUMNS,
    " ON CONFLICT (tenant_id, call_id) DO NOTHING",
);

const CHANGE_COLUMNS: usize = 17;
static CHANGES: Bulk = Bulk::new(
    "WITH change (tenant_id, call_id, state, queue_id, is_about_agent, agent_id, answered_at, \
     connected_at, ended_at, duration_ms, wait_ms, talk_ms, cause, ended_by, recording_id, \
     verstat, attestation) AS (",
    CHANGE_COLUMNS,
    ") UPDATE calls SET \
     state = CASE WHEN calls.state = 'ended' THEN calls.state \
             ELSE COALESCE(change.state, calls.state) END, \
     queue_id = COALESCE(change.queue_id, calls.queue_id), \
     agent_id = CASE WHEN change.is_about_agent THEN change.agent_id ELSE calls.agent_id END, \
     answered_at = COALESCE(calls.answered_at, change.answered_at), \
     connected_at = COALESCE(calls.connected_at, change.connected_at), \
     ended_at = COALESCE(calls.ended_at, change.ended_at), \
     duration_ms = COALESCE(calls.duration_ms, change.duration_ms), \
     wait_ms = COALESCE(calls.wait_ms, change.wait_ms), \
     talk_ms = COALESCE(calls.talk_ms, change.talk_ms), \
     cause = COALESCE(calls.cause, change.cause), \
     ended_by = COALESCE(calls.ended_by, change.ended_by), \
     recording_id = COALESCE(change.recording_id, calls.recording_id), \
     verstat = COALESCE(change.verstat, calls.verstat), \
     attestation = COALESCE(change.attestation, calls.attestation) \
     FROM change WHERE calls.tenant_id = change.tenant_id AND calls.call_id = change.call_id",
);

const RECORDING_STARTED_COLUMNS: usize = 5;
static RECORDINGS_STARTED: Bulk = Bulk::new(
    "INSERT INTO recordings (tenant_id, recording_id, call_id, started_at, state)",
    RECORDING_STARTED_COLUMNS,
    " ON CONFLICT (tenant_id, recording_id) DO NOTHING",
);

const RECORDING_CHANGE_COLUMNS: usize = 9;
static RECORDING_CHANGES: Bulk = Bulk::new(
    "WITH change (tenant_id, recording_id, state, completed_at, location, duration_ms, bytes, \
     gaps_ms, failure) AS (",
    RECORDING_CHANGE_COLUMNS,
    ") UPDATE recordings SET state = change.state, completed_at = change.completed_at, \
     location = COALESCE(change.location, recordings.location), \
     duration_ms = COALESCE(change.duration_ms, recordings.duration_ms), \
     bytes = COALESCE(change.bytes, recordings.bytes), \
     gaps_ms = COALESCE(change.gaps_ms, recordings.gaps_ms), \
     failure = COALESCE(change.failure, recordings.failure) \
     FROM change WHERE recordings.tenant_id = change.tenant_id \
     AND recordings.recording_id = change.recording_id",
);

/// Writes the changes of a tenant's calls and recordings.
pub(crate) async fn put_changes(
    tx: &mut Tx,
    tenant: &TenantId,
    changes: &BTreeMap<CallId, Change>,
) -> Result<()> {
    let (mut started, mut moved) = (Vec::new(), Vec::new());
    for (call, change) in changes.iter().filter(|(_, change)| !change.is_finished) {
        match change.begun(tenant, *call) {
            Some(row) => started.extend(row),
            None => moved.extend(change.moved(tenant, *call)),
        }
    }
    STARTED.run(tx, &started).await?;
    CHANGES.run(tx, &moved).await?;
    let over = |change: &Change| !change.is_finished && change.ended_at.is_some();
    for (call, _) in changes.iter().filter(|(_, change)| over(change)) {
        number_pages::put_stored(tx, tenant, *call).await?;
    }
    let recordings: Vec<(CallId, &RecordingChange)> = changes
        .iter()
        .flat_map(|(call, change)| change.recordings.iter().map(|recording| (*call, recording)))
        .collect();
    put_recording_changes(tx, tenant, &recordings).await
}

async fn put_recording_changes(
    tx: &mut Tx,
    tenant: &TenantId,
    changes: &[(CallId, &RecordingChange)],
) -> Result<()> {
    let mut started = Vec::new();
    for (call, change) in changes {
        started.extend(change.begun(tenant, *call));
    }
    RECORDINGS_STARTED.run(tx, &started).await?;
    let over: Vec<&RecordingChange> =
        changes.iter().map(|(_, change)| *change).filter(|change| change.is_over()).collect();
    for part in without_repeats(&over, |change| change.payload.recording.as_deref()) {
        let rows: Vec<Value<'_>> = part.iter().flat_map(|change| change.moved(tenant)).collect();
        RECORDING_CHANGES.run(tx, &rows).await?;
    }
    Ok(())
}

impl RecordingChange {
    fn is_over(&self) -> bool {
        self.state != RecordingState::Recording
    }

    fn begun<'a>(
        &'a self,
        tenant: &'a TenantId,
        call: CallId,
    ) -> [Value<'a>; RECORDING_STARTED_COLUMNS] {
        let recording = self.payload.recording.as_deref();
        values![tenant, recording, call, self.at, RecordingState::Recording.as_str()]
    }

    fn moved<'a>(&'a self, tenant: &'a TenantId) -> [Value<'a>; RECORDING_CHANGE_COLUMNS] {
        let payload = &self.payload;
        values![
            tenant,
            payload.recording.as_deref(),
            self.state.as_str(),
            self.at,
            payload.location.as_deref(),
            payload.duration_ms,
            payload.bytes,
            payload.gaps_ms,
            payload.why.as_deref(),
        ]
    }
}
