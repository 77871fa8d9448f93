//! Callers and agents who talk: the happy path checked by what each end heard, many at once,
//! over TCP, and through lost packets.

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::parts::{
    ACME_SALES, CARRIER_A, CARRIER_B, GLOBEX_SALES, LIMIT, PATIENT, TALK, agent, carrier,
    carrier_over_tcp, speaking_agent, speaking_carrier,
};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, GLOBEX, Strowger};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

#[test]
fn caller_and_agent_hear_each_other_and_the_recording_holds_both() {
    let folder = Folder::new("happy");
    let server = Strowger::start(folder.path());
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    caller.hears(AGENT_HZ, 5.0);
    alice.hears(CALLER_HZ, 5.0);
    let at_caller = caller.hang_up_and_listen();
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let at_agent = alice.hang_up_and_listen();

    let id = call["id"].as_str().expect("its id");
    assert_eq!(call["to"], ACME_SALES);
    assert_eq!(call["agent"], "alice");
    assert!(at_caller.seconds_of_tone(AGENT_HZ, AMPLITUDE) >= 2.0, "the agent at her level");
    let own = at_caller.loudest_during(CALLER_HZ, AGENT_HZ, AMPLITUDE);
    assert!(own < 0.02, "the caller did not hear himself: {own}");
    assert!(at_agent.seconds_of_tone(CALLER_HZ, AMPLITUDE) >= 2.0, "the caller at his level");
    let own = at_agent.loudest_during(AGENT_HZ, CALLER_HZ, AMPLITUDE);
    assert!(own < 0.02, "the agent did not hear herself: {own}");
    let greeting = Sound {
        samples: at_caller.samples[..(at_caller.rate as usize * 2)].to_vec(),
        rate: at_caller.rate,
    };
    assert!(greeting.rms() > 0.01, "the caller was greeted");

    let recording = recorded(&server, id);
    let (left, right) = (Sound::from_wav(&recording, 0), Sound::from_wav(&recording, 1));
    for (voice, hertz) in [(&left, CALLER_HZ), (&right, AGENT_HZ)] {
        assert!(voice.seconds_with_tone(hertz, AMPLITUDE) >= 4.5, "{hertz} Hz in its channel");
        assert!(voice.seconds_of_tone(hertz, AMPLITUDE) >= 2.0, "{hertz} Hz at its level");
    }
    assert!(left.loudest(AGENT_HZ) < 0.02, "the agent is not on the left");
    assert!(right.loudest(CALLER_HZ) < 0.02, "the caller is not on the right");

    let types = server.event_types(ACME, id);
    let order = ["call.started", "call.queued", "call.offered", "call.connected", "call.ended"];
    let places: Vec<_> =
        order.iter().map(|kind| types.iter().position(|seen| seen == kind)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{types:?}");
    server.told(ACME, id, "recording.completed", 1);
}

/// The recording of a call of acme's as the API gives it.
pub(crate) fn recorded(server: &Strowger, call: &str) -> Vec<u8> {
    recorded_of(server, ACME, call)
}

/// The same of whoever's call.
pub(crate) fn recorded_of(server: &Strowger, key: &str, call: &str) -> Vec<u8> {
    let path = format!("/api/v1/calls/{call}");
    let recording = server.eventually("a recording", &path, key, LIMIT, |row| {
        row["recording_id"].as_str().map(str::to_owned)
    });
    let path = format!("/api/v1/recordings/{recording}");
    server.eventually("a completed recording", &path, key, LIMIT, |row| {
        (row["state"] == "completed").then_some(())
    });
    let answer = server.get(&format!("{path}/audio"), key);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.body
}

#[test]
fn a_hundred_calls_in_parallel_all_reach_an_agent() {
    let folder = Folder::new("hundred");
    let provisioning = crate::parts::many_agents(folder.path(), 100);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let phones = crate::parts::agents_phone(folder.path(), &server, 100, &TALK);
    let callers = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 100, &PATIENT);
    server.calls_are(ACME, 100, "connected");
    callers.hang_up();
    callers.succeed(LIMIT);
    phones.succeed(LIMIT);
    let calls = server.ended_calls(ACME, 100, LIMIT);
    let mut agents: Vec<_> = calls.iter().map(|call| call["agent"].to_string()).collect();
    agents.sort();
    agents.dedup();
    assert_eq!(agents.len(), 100, "each call had an agent of its own");
}

#[test]
fn a_call_survives_lost_and_repeated_messages() {
    let folder = Folder::new("lossy");
    let server = Strowger::start(folder.path());
    // Almost a third of these is thrown away, so that both ends repeat.
    let phone = agent(
        folder.path(),
        &server,
        "alice",
        "acme.example",
        1,
        &[
            Step::ExpectInvite,
            Step::Lossy(30),
            Step::Answer(180),
            Step::Lossy(30),
            Step::Accept,
            Step::Lossy(30),
            Step::ExpectBye,
        ],
    );
    let steps = [
        Step::Lossy(30),
        Step::Invite,
        Step::MayCome(100),
        Step::Expect(200),
        Step::Lossy(30),
        Step::Ack,
        Step::Told,
        Step::Lossy(30),
        Step::Bye,
    ];
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &steps);
    server.calls_are(ACME, 1, "connected");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let calls = server.ended_calls(ACME, 1, LIMIT);
    assert_eq!(calls[0]["agent"], "alice", "one call, one record: {calls:?}");
}

#[test]
fn a_carrier_may_call_over_tcp() {
    let folder = Folder::new("tcp");
    let server = Strowger::start(folder.path());
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    // Long enough to be with alice by then, whatever else this machine does.
    let [invite, trying, ringing, accepted, ack, _, bye] = PATIENT;
    let steps = [invite, trying, ringing, accepted, ack, Step::Pause(20_000), bye];
    carrier_over_tcp(folder.path(), &server, ACME_SALES, &steps).succeed(LIMIT);
    phone.succeed(LIMIT);
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}

#[test]
fn each_tenants_calls_go_to_its_own_agents_whatever_the_queues_are_called() {
    let folder = Folder::new("two-tenants");
    let server = Strowger::start(folder.path());
    let alice = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    let gina = agent(folder.path(), &server, "gina", "globex.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    server.agent_is(GLOBEX, "gina", "available");
    let to_globex = carrier(folder.path(), &server, CARRIER_B, GLOBEX_SALES, 1, &PATIENT);
    let to_acme = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");
    server.agent_is(GLOBEX, "gina", "busy");
    to_globex.hang_up();
    to_acme.hang_up();
    for part in [to_globex, to_acme, alice, gina] {
        part.succeed(LIMIT);
    }
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
    assert_eq!(server.ended_calls(GLOBEX, 1, LIMIT)[0]["agent"], "gina");
}
