//! What an event changes in the rows of its call and its recording. The events of a batch are
//! folded first, so that a call is written once a batch.

use std::collections::BTreeMap;

use base::{CallId, TenantId, UnixTime};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::db::{Step, values};
use crate::rows::{CallState, EventRow, RecordingState};

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

/// All that a batch's events change about one call.
#[derive(Default)]
pub(crate) struct Change {
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
    /// Folds a tenant's events, call by call.
    pub(crate) fn fold(events: &[&EventRow]) -> BTreeMap<CallId, Self> {
        let mut changes: BTreeMap<CallId, Self> = BTreeMap::new();
        for event in events {
            let Some(call) = event.call else { continue };
            // A payload without the fields we follow changes nothing; the log has it anyway.
            let payload: Payload = serde_json::from_str(&event.data).unwrap_or_default();
            changes.entry(call).or_default().add(event, payload);
        }
        changes
    }

    fn add(&mut self, event: &EventRow, payload: Payload) {
        match event.kind.as_ref() {
            "call.started" => {
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
                (self.verstat, self.attestation) = (payload.verdict, payload.attestation);
            }
            "call.answered" => {
                self.state = Some(CallState::Flow);
                self.answered_at = Some(event.at);
            }
            "call.queued" => {
                self.state = Some(CallState::Queued);
                self.queue = payload.queue.or(self.queue.take());
            }
            "call.offered" => {
                self.state = Some(CallState::Ringing);
                self.agent = Some(payload.agent);
            }
            "call.attempt_failed" => {
                self.state = Some(CallState::Queued);
                self.agent = Some(None);
            }
            "call.connected" => {
                self.state = Some(CallState::Connected);
                self.connected_at = Some(event.at);
                self.agent = Some(payload.agent);
                self.wait_ms = payload.wait_ms;
            }
            "call.ended" => self.end(event.at, payload),
            "recording.started" => self.record(event.at, RecordingState::Recording, payload),
            "recording.completed" => self.record(event.at, RecordingState::Completed, payload),
            "recording.failed" => self.record(event.at, RecordingState::Failed, payload),
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

    fn record(&mut self, at: UnixTime, state: RecordingState, payload: Payload) {
        if payload.recording.is_some() {
            self.recording.clone_from(&payload.recording);
            self.recordings.push(RecordingChange { at, state, payload });
        }
    }

    /// What writes the change. With the call's record in the same batch (`finished`) its row needs
    /// no change from here.
    pub(crate) fn steps<'a>(
        &'a self,
        tenant: &'a TenantId,
        call: CallId,
        finished: bool,
    ) -> Vec<Step<'a>> {
        let mut steps = Vec::with_capacity(4);
        if !finished {
            steps.extend(self.started.as_ref().map(|started| started.insert(tenant, call)));
            steps.push(self.update_call(tenant, call));
        }
        for change in &self.recordings {
            steps.push(change.insert(tenant, call));
            steps.extend(change.update(tenant));
        }
        steps
    }

    fn update_call<'a>(&'a self, tenant: &'a TenantId, call: CallId) -> Step<'a> {
        let sql = "UPDATE calls SET \
                   state = CASE WHEN state = 'ended' THEN state ELSE COALESCE($3, state) END, \
                   queue_id = COALESCE($4, queue_id), \
                   agent_id = CASE WHEN $5 THEN $6 ELSE agent_id END, \
                   answered_at = COALESCE(answered_at, $7), \
                   connected_at = COALESCE(connected_at, $8), \
                   ended_at = COALESCE(ended_at, $9), \
                   duration_ms = COALESCE(duration_ms, $10), \
                   wait_ms = COALESCE(wait_ms, $11), \
                   talk_ms = COALESCE(talk_ms, $12), \
                   cause = COALESCE(cause, $13), \
                   ended_by = COALESCE(ended_by, $14), \
                   recording_id = COALESCE($15, recording_id), \
                   verstat = COALESCE($16, verstat), \
                   attestation = COALESCE($17, attestation) \
                   WHERE tenant_id = $1 AND call_id = $2";
        let state = self.state.map(CallState::as_str);
        let agent = self.agent.as_ref().and_then(Option::as_deref);
        let row = values![
            tenant,
            call,
            state,
            self.queue.as_deref(),
            self.agent.is_some(),
            agent,
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
        ];
        Step::new(sql, row.to_vec())
    }
}

impl Started {
    fn insert<'a>(&'a self, tenant: &'a TenantId, call: CallId) -> Step<'a> {
        let sql = "INSERT INTO calls (tenant_id, call_id, state, direction, trunk_id, caller, \
                   dialled, started_at, legs, caller_name, diversions) \
                   VALUES ($1, $2, 'setup', $3, $4, $5, $6, $7, '[]', $8, $9) \
                   ON CONFLICT (tenant_id, call_id) DO NOTHING";
        let trunk = self.trunk.as_deref();
        let (name, to) = (self.from_name.as_deref(), &self.to);
        let diversions = self.diversions.as_ref().map_or("[]", |all| all.get());
        let row = values![
            tenant,
            call,
            &self.direction,
            trunk,
            &self.from,
            to,
            self.at,
            name,
            diversions
        ];
        Step::new(sql, row.to_vec())
    }
}

impl RecordingChange {
    fn insert<'a>(&'a self, tenant: &'a TenantId, call: CallId) -> Step<'a> {
        let sql = "INSERT INTO recordings (tenant_id, recording_id, call_id, state, started_at) \
                   VALUES ($1, $2, $3, 'recording', $4) \
                   ON CONFLICT (tenant_id, recording_id) DO NOTHING";
        let recording = self.payload.recording.as_deref();
        Step::new(sql, values![tenant, recording, call, self.at].to_vec())
    }

    /// Nothing when it only began.
    fn update<'a>(&'a self, tenant: &'a TenantId) -> Option<Step<'a>> {
        if self.state == RecordingState::Recording {
            return None;
        }
        let payload = &self.payload;
        let sql = "UPDATE recordings SET state = $3, completed_at = $4, \
                   location = COALESCE($5, location), \
                   duration_ms = COALESCE($6, duration_ms), \
                   bytes = COALESCE($7, bytes), \
                   gaps_ms = COALESCE($8, gaps_ms), \
                   failure = COALESCE($9, failure) \
                   WHERE tenant_id = $1 AND recording_id = $2";
        let row = values![
            tenant,
            payload.recording.as_deref(),
            self.state.as_str(),
            self.at,
            payload.location.as_deref(),
            payload.duration_ms,
            payload.bytes,
            payload.gaps_ms,
            payload.why.as_deref(),
        ];
        Some(Step::new(sql, row.to_vec()))
    }
}
