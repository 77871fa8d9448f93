//! Two tenants with everything, and events as a switch would tell them.

use base::CallId;
use routing::Provisioning;
use serde_json::{Value, json};
use store::{Append, PromptRow};

pub(crate) use crate::told::{at, call, event, recording, tenant};

fn tenant_document(name: &str, number: &str, agent: &str) -> Value {
    json!({
        "id": name, "name": name.to_uppercase(), "domain": format!("{name}.example"),
        "skills": [{"id": "sales"}],
        "agents": [{"id": agent, "password": format!("{agent}-secret"), "skills": ["sales"]},
                   {"id": "zoe", "password": "zoe-secret"}],
        "prompts": [{"id": "music", "file": "music.wav"}, {"id": "hello", "file": "hello.wav"}],
        "queues": [{"id": "sales", "needs": ["sales"], "music": "music"}],
        "flows": [{"id": "main", "steps": [{"do": "play", "prompt": "hello"},
                                           {"do": "queue", "queue": "sales"}]}],
        "numbers": [{"number": number, "flow": "main"}],
        "api_keys": [{"name": "ops", "key": format!("demo-{name}-admin"), "role": "admin",
                      "loopback_only": true}],
    })
}

pub(crate) fn provisioning() -> Provisioning {
    serde_json::from_value(json!({
        "trunks": [{"id": "carrier-b", "sources": ["127.0.0.3"]},
                   {"id": "carrier-a", "sources": ["127.0.0.2"]}],
        "platform_keys": [{"name": "root", "key": "demo-platform", "role": "platform"}],
        "tenants": [tenant_document("globex", "+15550200", "gina"),
                    tenant_document("acme", "+15550100", "alice")],
    }))
    .unwrap()
}

pub(crate) fn prompts() -> Vec<PromptRow> {
    let prompt = |owner: &str, id: &str| PromptRow {
        tenant: tenant(owner),
        id: id.parse().unwrap(),
        wav: format!("RIFF {owner} {id} \0\u{1}").into_bytes(),
    };
    vec![prompt("acme", "music"), prompt("acme", "hello"), prompt("globex", "music")]
}

/// A call up to the conversation: events `first` to `first + 5`.
pub(crate) fn conversation(owner: &str, first: u64, of: CallId) -> Vec<Append> {
    let from_to = json!({"trunk": "carrier-a", "from": "+4930123456", "to": "+15550100"});
    let offered = json!({"queue": "sales", "agent": "alice", "decision": {}});
    let connected = json!({"queue": "sales", "agent": "alice", "wait_ms": 4000});
    vec![
        event(owner, first, of, "call.started", from_to),
        event(owner, first + 1, of, "call.answered", json!({})),
        event(owner, first + 2, of, "call.queued", json!({"queue": "sales", "position": 1})),
        event(owner, first + 3, of, "call.offered", offered),
        event(owner, first + 4, of, "call.connected", connected),
        event(owner, first + 5, of, "recording.started", json!({"recording": recording(77)})),
    ]
}
