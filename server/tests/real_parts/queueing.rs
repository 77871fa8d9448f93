//! Who gets the call when an agent does not answer, refuses, is busy, or the caller gives up.

use serde_json::Value;

use crate::parts::{ACME_SALES, ACME_SUPPORT, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};

const NEVER_ANSWER: [Step; 3] = [Step::ExpectInvite, Step::Answer(180), Step::ExpectCancel];

/// Waits until so many callers are in acme's queues.
fn waiting(server: &Strowger, callers: u64) {
    let what = format!("{callers} in the queues");
    server.eventually(&what, "/api/v1/queues", ACME, LIMIT, |queues| {
        let waiting = queues.as_array()?.iter().filter_map(|queue| queue["waiting"].as_u64());
        (waiting.sum::<u64>() == callers).then_some(())
    });
}

/// Alice has been idle longest, so she rings first and does that; bob takes the call. It, once it
/// is over.
fn is_passed_over(folder: &Folder, server: &Strowger, does: &[Step]) -> Value {
    let alice = agent(folder.path(), server, "alice", "acme.example", 1, does);
    server.agent_is(ACME, "alice", "available");
    let bob = agent(folder.path(), server, "bob", "acme.example", 1, &TALK);
    server.agent_is(ACME, "bob", "available");
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    alice.succeed(LIMIT);
    server.agent_is(ACME, "bob", "busy");
    caller.hang_up();
    caller.succeed(LIMIT);
    bob.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["agent"], "bob");
    call
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over_for_the_next() {
    let folder = Folder::new("no-answer");
    let server = Strowger::start(folder.path());
    let call = is_passed_over(&folder, &server, &NEVER_ANSWER);
    let why = server.data(&format!("/api/v1/calls/{}/why", call["id"].as_str().unwrap()), ACME);
    let told = why.to_string();
    assert!(told.contains("alice") && told.contains("bob"), "the reasons name both: {told}");
}

#[test]
fn an_agent_who_rejects_is_passed_over_for_the_next() {
    let folder = Folder::new("reject");
    let server = Strowger::start(folder.path());
    is_passed_over(&folder, &server, &[Step::ExpectInvite, Step::Answer(180), Step::Answer(603)]);
}

#[test]
fn a_caller_waits_while_all_are_busy_and_gets_the_first_free_agent() {
    let folder = Folder::new("busy");
    let server = Strowger::start(folder.path());
    let phone = agent(folder.path(), &server, "alice", "acme.example", 2, &TALK);
    server.agent_is(ACME, "alice", "available");
    let first = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");
    let second = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    waiting(&server, 1);
    first.hang_up();
    first.succeed(LIMIT);
    // She wraps up and is free: the one who waits is hers.
    waiting(&server, 0);
    server.agent_is(ACME, "alice", "busy");
    second.hang_up();
    second.succeed(LIMIT);
    phone.succeed(LIMIT);
    let calls = server.ended_calls(ACME, 2, LIMIT);
    assert!(calls.iter().all(|call| call["agent"] == "alice"), "{calls:?}");
}

#[test]
fn a_caller_who_hangs_up_while_the_agent_rings_stops_the_ringing() {
    let folder = Folder::new("abandon-ringing");
    let server = Strowger::start(folder.path());
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &NEVER_ANSWER);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "ringing");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert!(call["agent"].is_null(), "nobody took it: {call}");
    let types = server.event_types(ACME, call["id"].as_str().unwrap());
    assert!(types.contains(&"call.offered".to_owned()), "{types:?}");
    assert!(!types.contains(&"call.connected".to_owned()), "{types:?}");
    server.agent_is(ACME, "alice", "available");
}

#[test]
fn a_caller_who_hangs_up_while_queued_leaves_the_queue() {
    let folder = Folder::new("abandon-queued");
    let server = Strowger::start(folder.path());
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SUPPORT, 1, &PATIENT);
    server.calls_are(ACME, 1, "queued");
    caller.hang_up();
    caller.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let types = server.event_types(ACME, call["id"].as_str().unwrap());
    assert!(types.contains(&"call.queued".to_owned()), "{types:?}");
    assert!(!types.contains(&"call.offered".to_owned()), "{types:?}");
    waiting(&server, 0);
}

#[test]
fn an_agent_may_hang_up_and_the_caller_is_let_go() {
    let folder = Folder::new("agent-ends");
    let server = Strowger::start(folder.path());
    let talk_and_leave =
        [Step::ExpectInvite, Step::Answer(180), Step::Accept, Step::Pause(1500), Step::AgentBye];
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &talk_and_leave);
    server.agent_is(ACME, "alice", "available");
    let steps = [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::ExpectBye];
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &steps);
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}
