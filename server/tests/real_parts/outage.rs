//! The database goes away under a running server and comes back: calls do not notice, and the log
//! is whole afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::baresip::AMPLITUDE;
use crate::parts::{
    ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier, speaking_agent, speaking_carrier,
};
use crate::postgres::Postgres;
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::subscribers::sse;

fn journal(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("data/journal.jsonl")).map_or(0, |file| file.len())
}

#[track_caller]
fn within(limit: Duration, what: &str, mut happened: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

#[test]
fn while_the_database_is_away_calls_go_on_and_afterwards_the_log_is_whole() {
    let folder = Folder::new("outage");
    let Some(mut database) = Postgres::start(folder.path()) else { return };
    let config = format!("[database]\nurl = \"{}\"\n", database.url());
    let server = Strowger::start_with(folder.path(), &Setup { config, ..Setup::default() });
    let alice = speaking_agent(folder.path(), &server, "alice", 1000.0);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, 440.0);
    alice.wait_for("Call established", LIMIT);
    let bob = agent(folder.path(), &server, "bob", "acme.example", 1, &TALK);
    server.agent_is(ACME, "bob", "available");
    let (_stream, live) = sse(server.http, Some(0));
    live.wait_for("call.connected", 1);
    assert_eq!(journal(folder.path()), 0);

    let away = Instant::now();
    database.stop();
    // A call that begins, is answered and ends while nothing can be stored.
    let other = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "bob", "busy");
    other.hang_up();
    other.succeed(LIMIT);
    bob.succeed(LIMIT);
    within(LIMIT, "events in the journal", || journal(folder.path()) > 0);
    let heard_before = live.sequences();
    let alive = server.get("/healthz", "").status;
    let away = away.elapsed();
    database.resume();
    let drained = within(LIMIT, "the journal is drained", || journal(folder.path()) == 0);
    let answered =
        within(LIMIT, "the API answers", || server.get("/api/v1/calls", ACME).status == 200);
    println!("away {away:?}, drained {drained:?} after it was back, the API {answered:?} later");

    let at_caller = caller.hang_up_and_listen();
    drop(alice);
    let calls = server.ended_calls(ACME, 2, LIMIT);
    assert_eq!(alive, 200, "the process is well without its database");
    let mut agents: Vec<_> = calls.iter().map(|call| call["agent"].as_str()).collect();
    agents.sort_unstable();
    assert_eq!(agents, [Some("alice"), Some("bob")], "{calls:#?}");
    assert!(calls.iter().all(|call| call["cause"] == "normal"), "{calls:#?}");
    let seconds = at_caller.seconds_with_tone(1000.0, AMPLITUDE);
    assert!(seconds >= 0.9 * away.as_secs_f64(), "heard without a break: {seconds} s of {away:?}");

    let (_stream, log) = sse(server.http, Some(0));
    log.wait_for("recording.completed", 2);
    log.wait_for("call.ended", 2);
    let all = log.sequences();
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>(), "once, in order, no gap");
    assert!(all.starts_with(&heard_before), "nobody had heard what was not stored");
    within(LIMIT, "the old subscriber hears the rest", || live.sequences().starts_with(&all));
    assert!(!log.has("event.missing", 1));
    assert!(!folder.path().join("data/rejected.jsonl").exists());
    assert_eq!(server.stop(), 0);
}
