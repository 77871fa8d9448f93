//! Two tenants, their keys, and events as a switch would tell them.

use base::CallId;
use routing::Provisioning;
use serde_json::{Value, json};
use store::{
    Append, CallRow, CallState, DecisionRow, FinalRecord, LadderRow, RecordingRow, RecordingState,
};

pub(crate) use crate::told::{at, call, event, recording, tenant};

pub(crate) const ACME: &str = "demo-acme-admin";
pub(crate) const GLOBEX: &str = "demo-globex-admin";
pub(crate) const PLATFORM: &str = "demo-platform";
pub(crate) const SUPERVISOR: &str = "demo-acme-supervisor";
/// Speaks for the agent alice of acme.
pub(crate) const ALICE: &str = "demo-acme-alice";

fn tenant_document(name: &str, number: &str, agent: &str) -> Value {
    let key = |rest: &str, role: &str| {
        json!({"name": rest, "key": format!("demo-{name}-{rest}"), "role": role,
            "loopback_only": true})
    };
    let mut agents_key = key(agent, "agent");
    agents_key["agent"] = json!(agent);
    json!({
        "limits": {"capture_audio": name != "globex"},
        "id": name, "name": name.to_uppercase(), "domain": format!("{name}.example"),
        "agents": [{"id": agent, "name": "The Agent", "password": "secret-of-the-agent",
                    "skills": ["sales"]},
                   {"id": "zoe", "password": "secret-of-zoe"}],
        "prompts": [{"id": "music", "file": "music.wav"}],
        "queues": [{"id": "sales", "needs": ["sales"], "music": "music",
                    "wrap_up_codes": [{"code": "order", "name": "Order taken"}, {"code": "other"}]}],
        "flows": [{"id": "main", "steps": [{"do": "queue", "queue": "sales"}]}],
        "numbers": [{"number": number, "flow": "main"}],
        "api_keys": [key("admin", "admin"), key("supervisor", "supervisor"), agents_key],
    })
}

pub(crate) fn provisioning() -> Value {
    json!({
        "trunks": [{"id": "carrier-a", "sources": ["127.0.0.2"]}],
        "platform_keys": [{"name": "root", "key": PLATFORM, "role": "platform",
                           "loopback_only": true}],
        "tenants": [tenant_document("acme", "+15550100", "alice"),
                    tenant_document("globex", "+15550200", "gina")],
    })
}

pub(crate) fn typed_provisioning() -> Provisioning {
    serde_json::from_value(provisioning()).unwrap()
}

pub(crate) fn ticks(owner: &str, from: u64, to: u64) -> Vec<Append> {
    (from..=to).map(|n| event(owner, n, call(900), "queue.stats", json!({"waiting": n}))).collect()
}

/// A call up to the conversation with alice: events `first` to `first + 4`.
pub(crate) fn conversation(owner: &str, first: u64, of: CallId) -> Vec<Append> {
    let started = json!({"trunk": "carrier-a", "from": "+4930123456", "to": "+15550100"});
    let connected = json!({"queue": "sales", "agent": "alice", "wait_ms": 3000});
    vec![
        event(owner, first, of, "call.started", started),
        event(owner, first + 1, of, "call.answered", json!({})),
        event(owner, first + 2, of, "call.queued", json!({"queue": "sales", "position": 1})),
        event(owner, first + 3, of, "call.offered", json!({"queue": "sales", "agent": "alice"})),
        event(owner, first + 4, of, "call.connected", connected),
    ]
}

pub(crate) fn ladder_row(sent: bool, text: &str) -> LadderRow {
    LadderRow {
        at: at(1),
        sent,
        transport: "udp".into(),
        local: "127.0.0.1:5060".into(),
        remote: "127.0.0.2:5060".into(),
        bytes: format!("{text}\r\nCSeq: 1 INVITE\r\n\r\n").into_bytes(),
    }
}

/// The end of a conversation: event `sequence` and the record.
pub(crate) fn ending(owner: &str, sequence: u64, of: CallId) -> Vec<Append> {
    let ended = json!({"cause": "normal", "ended_by": "caller", "duration_ms": 61_500});
    let row = CallRow {
        tenant: tenant(owner),
        id: of,
        state: CallState::Ended,
        direction: "inbound".into(),
        trunk: Some("carrier-a".parse().unwrap()),
        from: "+4930123456".to_owned(),
        to: "+15550100".to_owned(),
        queue: Some("sales".parse().unwrap()),
        agent: Some("alice".parse().unwrap()),
        started_at: at(1),
        answered_at: Some(at(2)),
        connected_at: Some(at(5)),
        ended_at: Some(at(62)),
        duration_ms: Some(61_500),
        wait_ms: Some(3000),
        talk_ms: Some(57_000),
        cause: Some("normal".to_owned()),
        sip_status: Some(200),
        q850: Some(16),
        ended_by: Some("caller".to_owned()),
        recording: Some(recording(77)),
        from_name: None,
        verstat: None,
        attestation: None,
        diversions: "[]".to_owned(),
        reason: None,
        recordings: vec![recording(77)],
        legs: json!([{"kind": "caller", "codec": "PCMU", "mos": 4.4}]).to_string(),
    };
    let decision = json!({"decided": "agent", "agent": "alice",
        "decision": {"considered": [{"agent": "zoe", "verdict": "missing_skill"}]}});
    vec![
        event(owner, sequence, of, "call.ended", ended),
        Append::Call(Box::new(FinalRecord {
            call: row,
            ladder: vec![
                ladder_row(false, "INVITE sip:+15550100@127.0.0.1 SIP/2.0"),
                ladder_row(true, "SIP/2.0 100 Trying"),
            ],
            decisions: vec![DecisionRow {
                at: at(4),
                summary: "alice rings: longest idle".to_owned(),
                detail: decision.to_string(),
            }],
            codecs: "pcmu".to_owned(),
            lowest_mos: Some(440),
            quality: json!([{"leg": 1, "kind": "caller", "agent": null,
                "samples": [[5000, 440, 0, 1250, 20_000, null, null],
                            [10_000, 0, 0, 0, null, null, null]]},
                {"leg": 3, "kind": "supervisor", "agent": "zoe",
                "samples": [[5000, 430, 1, 900, null, null, null]]}])
            .to_string(),
        })),
    ]
}

pub(crate) fn recording_row(owner: &str, state: RecordingState) -> RecordingRow {
    RecordingRow {
        tenant: tenant(owner),
        id: recording(77),
        call: call(1),
        state,
        started_at: at(5),
        completed_at: None,
        location: None,
        wrapped_key: None,
        duration_ms: None,
        bytes: None,
        gaps_ms: None,
        failure: None,
    }
}
