//! A supervisor on the wire: what is whispered reaches the agent and never the caller, until the
//! supervisor barges in; then each of the three hears the other two.

use std::net::{IpAddr, Ipv4Addr};

use crate::baresip::AMPLITUDE;
use crate::net::http;
use crate::parts::LIMIT;
use crate::provisioning::{acme, trunk};
use crate::strowger::{ACME, Folder, Strowger};
use crate::ua::Ua;

const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 68));
const PHONES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 69));
const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;
const SUPERVISOR_HZ: f64 = 1700.0;
/// So much of a tone is less than a packet of it would leave in a window of 100 ms.
const NOTHING: f64 = 0.02;

/// Alice takes the sales, and sue may supervise her.
const STAFFED: &str = r#"
prompts = [{ id = "music", tone = "ringing" }]
agents = [
    { id = "alice", password = "alice-secret", loopback_only = true,
       available_on_register = true },
    { id = "sue", password = "sue-secret", loopback_only = true, supervises = "everything" },
]
queues = [{ id = "sales", music = "music", agents = ["alice"] }]
flows = [{ id = "main", steps = [{ do = "queue", queue = "sales" }] }]
numbers = [{ number = "+15550100", flow = "main" }]
"#;

#[test]
fn a_whisper_reaches_the_agent_and_never_the_caller_until_the_supervisor_barges_in() {
    let folder = Folder::new("supervise");
    let trunk = trunk("callers", CALLERS, "");
    let server = Strowger::provisioned(folder.path(), acme(folder.path(), &trunk, STAFFED));
    let mut alice = Ua::new(PHONES, server.sip, AGENT_HZ);
    alice.registers("alice");
    let mut sue = Ua::new(PHONES, server.sip, SUPERVISOR_HZ);
    sue.registers("sue");
    let mut caller = Ua::new(CALLERS, server.sip, CALLER_HZ);
    let offer = caller.sdp();
    let mut call = caller.calls_in("+15550100", &offer);
    caller.talks(&mut call);
    alice.takes();
    caller.voice.hears(AGENT_HZ, 1.0);
    alice.voice.hears(CALLER_HZ, 1.0);

    server.calls_are(ACME, 1, "connected");
    let calls = server.data("/api/v1/calls", ACME);
    let id = calls[0]["id"].as_str().expect("its id").to_owned();
    let path = format!("/api/v1/calls/{id}/supervise");
    let whisper = serde_json::json!({"agent": "sue", "mode": "whisper"});
    let asked = http(server.http, "POST", &path, ACME, Some(&whisper));
    assert!((200..300).contains(&asked.status), "{}", String::from_utf8_lossy(&asked.body));
    let mut dialog = sue.takes();
    alice.voice.hears(SUPERVISOR_HZ, 2.0);
    alice.voice.hears(CALLER_HZ, 1.0);
    sue.voice.hears(CALLER_HZ, 1.0);
    sue.voice.hears(AGENT_HZ, 1.0);
    caller.voice.hears(AGENT_HZ, 1.0);
    let leaked = caller.voice.heard().loudest(SUPERVISOR_HZ);
    assert!(leaked < NOTHING, "the caller heard {leaked} of the whisper");
    let own = sue.voice.heard().loudest(SUPERVISOR_HZ);
    assert!(own < NOTHING, "the supervisor heard {own} of herself");

    let barge = serde_json::json!({"mode": "barge"});
    let changed = http(server.http, "PATCH", &format!("{path}/sue"), ACME, Some(&barge));
    assert!((200..300).contains(&changed.status), "{}", String::from_utf8_lossy(&changed.body));
    caller.voice.hears(SUPERVISOR_HZ, 1.0);
    caller.voice.hears(AGENT_HZ, 1.0);
    alice.voice.hears(SUPERVISOR_HZ, 1.0);

    sue.hangs_up(&mut dialog);
    alice.voice.hears(CALLER_HZ, 1.0);
    let after = alice.voice.heard().seconds_with_tone(SUPERVISOR_HZ, AMPLITUDE);
    assert!(after < 0.5, "{after} s of a supervisor who has left");
    caller.hangs_up(&mut call);
    alice.hears_bye();
    server.ended_calls(ACME, 1, LIMIT);
    let types = server.event_types(ACME, &id);
    for wanted in ["call.supervised", "call.supervision_changed", "call.supervision_ended"] {
        assert!(types.iter().any(|seen| seen == wanted), "{wanted} in {types:?}");
    }
}
