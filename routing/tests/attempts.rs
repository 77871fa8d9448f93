//! Attempts: the agent takes the work, or does not, or it is taken back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{ACME, Rig};
use routing::{AgentState, AttemptFailure};

#[test]
fn an_agent_who_does_not_answer_in_time_makes_way_for_the_next() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.pass(14_999);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
    rig.pass(1);
    assert_eq!(rig.heard(), ["alice stops ringing for 1: rang too long", "bob rings for 1"]);
    assert_eq!(rig.state("alice"), AgentState::Available);
}

#[test]
fn an_agent_who_did_not_answer_goes_to_the_end_of_the_idle_ones() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.pass(15_000);
    rig.withdraw(1);
    rig.pass(60_000);
    rig.heard();
    rig.enqueue(2, "sales");
    assert_eq!(rig.heard(), ["bob rings for 2"]);
}

#[test]
fn rejected_busy_and_unreachable_attempts_go_to_the_next_agent_at_once() {
    use AttemptFailure::{Busy, Error, Rejected, Unreachable};
    for why in [Rejected, Busy, Unreachable, Error] {
        let mut rig = Rig::with(ACME, &["alice", "bob"]);
        rig.enqueue(1, "sales");
        rig.fail("alice", 1, why);
        assert_eq!(rig.heard(), ["alice rings for 1", "bob rings for 1"], "{why:?}");
    }
}

#[test]
fn when_everyone_was_tried_they_are_tried_again_after_the_pause() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.fail("alice", 1, AttemptFailure::Rejected);
    assert_eq!(rig.heard(), ["alice rings for 1", "1 waits at 1"]);
    rig.pass(4_999);
    assert_eq!(rig.heard(), [""; 0]);
    rig.pass(1);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn an_agent_who_refused_one_caller_is_rung_for_the_next_after_two_seconds() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.fail("alice", 1, AttemptFailure::Busy);
    rig.heard();
    rig.pass(1_999);
    assert_eq!(rig.heard(), [""; 0]);
    rig.pass(1);
    assert_eq!(rig.heard(), ["alice rings for 2"]);
}

#[test]
fn a_phone_that_always_refuses_is_rung_every_two_seconds_however_many_wait() {
    let toml = ACME.replace("wrap_up_s = 10", "max_waiting = 5000");
    let mut rig = Rig::with(&toml, &["alice"]);
    for work in 0..300 {
        rig.enqueue(work, "sales");
    }
    rig.heard();
    rig.fail("alice", 0, AttemptFailure::Busy);
    let mut rung = 0;
    for _ in 0..30 {
        rig.pass(2000);
        for line in rig.heard() {
            let Some(work) = line.strip_prefix("alice rings for ") else { continue };
            rung += 1;
            rig.fail("alice", work.parse().unwrap(), AttemptFailure::Busy);
        }
    }
    assert!((29..=31).contains(&rung), "rung {rung} times in a minute");
}

#[test]
fn a_caller_who_leaves_while_an_agent_rings_stops_the_ringing() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.pass(5000);
    rig.withdraw(1);
    assert_eq!(rig.heard(), ["alice rings for 1", "alice stops ringing for 1: caller gone"]);
    rig.enqueue(2, "sales");
    assert_eq!(rig.heard(), ["alice rings for 2"], "she keeps her place");
}

#[test]
fn an_agent_whose_caller_left_rings_for_who_waits_next() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.withdraw(1);
    assert_eq!(rig.heard()[2..], ["alice stops ringing for 1: caller gone", "alice rings for 2"]);
}

#[test]
fn an_agent_whose_phone_unregisters_stops_ringing_and_the_next_one_rings() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.register("alice", false);
    assert_eq!(
        rig.heard(),
        ["alice rings for 1", "alice stops ringing for 1: phone gone", "bob rings for 1"]
    );
    assert_eq!(rig.state("alice"), AgentState::Offline);
}

#[test]
fn an_agent_whose_page_reloads_rings_again_after_the_pause() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.register("alice", false);
    rig.pass(2000);
    rig.register("alice", true);
    rig.heard();
    rig.pass(3000);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn an_agent_who_goes_on_a_break_while_ringing_stops_ringing() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.choose("alice", AgentState::Break, Some("coffee"));
    assert_eq!(rig.heard()[1..], ["alice stops ringing for 1: went away", "bob rings for 1"]);
    assert_eq!(rig.state("alice"), AgentState::Break);
}

#[test]
fn an_accept_that_comes_too_late_is_told_to_hang_up() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.pass(15_000);
    rig.heard();
    rig.accept("alice", 1);
    assert_eq!(rig.heard(), ["alice stops ringing for 1: too late"]);
    rig.accept("bob", 1);
    rig.accept("bob", 1);
    rig.accept("bob", 99);
    assert_eq!(rig.heard(), ["bob stops ringing for 99: too late"]);
    assert_eq!(rig.state("bob"), AgentState::Busy);
}

#[test]
fn a_late_word_about_an_attempt_that_is_over_changes_nothing() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.pass(15_000);
    rig.heard();
    rig.fail("alice", 1, AttemptFailure::Rejected);
    rig.fail("bob", 2, AttemptFailure::Rejected);
    assert_eq!(rig.heard(), [""; 0]);
    assert_eq!(rig.state("bob"), AgentState::Ringing);
}
