//! What a crash leaves behind, and how a stop is polite.

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::lateness::Lateness;
use crate::net::http;
use crate::parts::{
    ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier, speaking_agent, speaking_carrier,
};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};
use crate::subscribers::sse;
use crate::talking::recorded;

#[test]
fn after_kill_9_the_next_start_completes_the_record_the_events_and_the_recording() {
    let folder = Folder::new("kill");
    let server = Strowger::start(folder.path());
    let alice = speaking_agent(folder.path(), &server, "alice", 1000.0);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, 440.0);
    alice.wait_for("Call established", LIMIT);
    alice.hears(440.0, 5.0);
    caller.hears(1000.0, 5.0);
    let lateness = Lateness::watch();
    alice.hears(440.0, 6.0);
    let heard = (alice.seconds_heard(440.0), caller.seconds_heard(1000.0));
    server.kill();
    let late = lateness.worst().as_secs_f64();
    drop(caller);
    drop(alice);

    let server = Strowger::start(folder.path());
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id");
    assert_eq!(call["cause"], "engine_restart", "{call}");
    let types = server.event_types(ACME, id);
    assert!(types.contains(&"call.connected".to_owned()), "{types:?}");
    assert!(types.contains(&"call.ended".to_owned()), "{types:?}");
    let wav = recorded(&server, id);
    let left = Sound::from_wav(&wav, 0).seconds_with_tone(440.0, AMPLITUDE);
    let right = Sound::from_wav(&wav, 1).seconds_with_tone(1000.0, AMPLITUDE);
    // A busy machine writes later, too.
    let missing = (heard.0 - left).max(heard.1 - right);
    println!("{missing} s are missing, on a machine that is up to {late} s late");
    assert!(missing <= 1.0 + 2.0 * late, "{missing} s are missing of {heard:?}");

    // The sequence goes on where it was: a subscriber that resumes misses nothing.
    let events = server.data("/api/v1/calls", ACME);
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_agents_phones_are_set_to_is_there_after_kill_9() {
    let folder = Folder::new("settings");
    let server = Strowger::start(folder.path());
    let (_stream, log) = sse(server.http, None);
    let put = |what: &str, body: Value| {
        let path = format!("/api/v1/agents/alice/{what}");
        let answer = http(server.http, "PUT", &path, ACME, Some(&body));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    };
    put("do-not-disturb", json!({ "on": true }));
    put("forward", json!({ "busy": "102", "no_answer": "bob", "no_answer_s": 25 }));
    put("messages-waiting", json!({ "new": 3, "old": 4 }));
    // Rows are written in order: who has heard this knows that those before it are written.
    put("state", json!({ "state": "break", "reason": "lunch" }));
    log.wait_for("agent.state_changed", 1);
    server.kill();

    let server = Strowger::start(folder.path());
    let agents = server.data("/api/v1/agents", ACME);
    let of = |name: &str| {
        let rows = agents.as_array().unwrap().iter();
        rows.clone().find(|row| row["name"] == name || row["id"] == name).unwrap().clone()
    };
    let alice = of("alice");
    assert_eq!(
        (&alice["do_not_disturb"], &of("bob")["do_not_disturb"]),
        (&true.into(), &false.into())
    );
    let forward = server.data("/api/v1/agents/alice/forward", ACME);
    assert_eq!((&forward["busy"], &forward["no_answer"]), (&"102".into(), &"bob".into()));
    assert_eq!(forward["no_answer_s"], 25);
    assert_eq!(server.stop(), 0);
}

#[test]
fn sigterm_lets_a_live_call_end_refuses_new_ones_and_exits_0() {
    let folder = Folder::new("drain");
    let server = Strowger::start(folder.path());
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");
    server.terminate();
    server.drains();
    let refused = [Step::Invite, Step::MayCome(100), Step::Expect(503), Step::AckRefusal];
    carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &refused).succeed(LIMIT);
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    assert_eq!(server.exit_status(), 0);
}
