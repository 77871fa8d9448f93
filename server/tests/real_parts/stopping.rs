//! How a server stops: by which signal, how long it waits, and what it says with its exit status.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, TALK, agent, carrier};
use crate::scenario::Step;
use crate::sipp::Sipp;
use crate::strowger::{ACME, Folder, Setup, Strowger, repository};

/// A caller who would never hang up, connected to alice.
fn endless_call(folder: &Folder, server: &Strowger) -> (Sipp, Sipp) {
    let phone = agent(folder.path(), server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let stay = [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::ExpectBye];
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &stay);
    server.agent_is(ACME, "alice", "busy");
    (caller, phone)
}

/// Much shorter than the drain of [`patient_server`], long enough for a busy machine.
const A_WHILE: Duration = Duration::from_secs(60);

/// One that gives its calls ten minutes when it is told to stop.
fn patient_server(folder: &Folder) -> Strowger {
    let setup = Setup { drain_s: Some(600), ..Setup::default() };
    Strowger::start_with(folder.path(), &setup)
}

fn ended(server: &Strowger) -> Value {
    server.ended_calls(ACME, 1, LIMIT).remove(0)
}

#[test]
fn a_call_that_outlives_the_drain_is_ended_at_the_deadline_with_its_record_and_exit_0() {
    let folder = Folder::new("deadline");
    let server = Strowger::start(folder.path());
    let (caller, phone) = endless_call(&folder, &server);
    let began = Instant::now();
    server.terminate();
    // Both get a BYE, and the call its record, before the process ends.
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    assert_eq!(server.exit_status(), 0);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(5), "the deadline was waited for: {took:?}");
    assert!(took < Duration::from_secs(40), "and not for ever: {took:?}");
    let server = Strowger::start(folder.path());
    let call = ended(&server);
    assert_eq!(call["cause"], "drained", "it was ended in order: {call}");
    assert_eq!(call["ended_by"], "engine", "{call}");
    assert!(call["sip_status"].is_null(), "an answered call was refused with nothing: {call}");
    assert_eq!(call["agent"], "alice");
    let id = call["id"].as_str().expect("its id");
    server.told(ACME, id, "recording.completed", 1);
}

#[test]
fn a_second_signal_ends_at_once_with_1_and_the_next_start_closes_the_call() {
    let folder = Folder::new("twice");
    let server = patient_server(&folder);
    let call = endless_call(&folder, &server);
    server.terminate();
    server.drains();
    let began = Instant::now();
    server.signal("INT");
    assert_eq!(server.exit_status(), 1);
    let took = began.elapsed();
    assert!(took < A_WHILE, "at once: {took:?}");
    drop(call);
    let server = Strowger::start(folder.path());
    let call = ended(&server);
    assert_eq!(call["cause"], "engine_restart", "{call}");
}

#[test]
fn sigint_drains_like_sigterm_and_an_idle_server_ends_at_once_with_0() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new("idle");
        let server = patient_server(&folder);
        let began = Instant::now();
        server.signal(signal);
        assert_eq!(server.exit_status(), 0, "{signal}");
        let took = began.elapsed();
        assert!(took < A_WHILE, "nothing to wait for: {took:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_one_clear_error_and_exit_1() {
    let folder = Folder::new("taken");
    let server = Strowger::start(folder.path());
    let config = folder.path().join("second.toml");
    let text = format!(
        "data_dir = \"{}\"\n[sip]\nudp = [\"{}\"]\ntcp = []\n[http]\nlisten = \"127.0.0.1:0\"\n",
        folder.path().join("second").display(),
        server.sip,
    );
    std::fs::write(&config, text).expect("the configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_strowger"))
        .args(["serve", "--config"])
        .arg(&config)
        .arg("--apply")
        .arg(repository().join("fixtures/demo.toml"))
        .output()
        .expect("the binary");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&server.sip.to_string()), "{told}");
    assert_eq!(server.stop(), 0);
}
