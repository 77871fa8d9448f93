//! An agent's states: registering, breaks, calls and wrap-up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::time::Duration;

use rig::{ACME, Rig, agent, tenant};
use routing::AgentState::{Available, Break, Busy, Offline, Ringing, WrapUp};
use routing::{Input, WorkId};

#[test]
fn a_call_takes_an_agent_through_ringing_busy_and_wrap_up_back_to_available() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.finish(1);
    rig.pass(9_999);
    assert_eq!(rig.states(), ["alice ringing", "alice busy", "alice wrap_up"]);
    rig.pass(1);
    assert_eq!(rig.states(), ["alice available"]);
}

#[test]
fn whoever_waits_gets_the_agent_when_wrap_up_ends() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.enqueue(2, "sales");
    rig.finish(1);
    rig.heard();
    rig.pass(9_999);
    assert_eq!(rig.heard(), [""; 0]);
    rig.pass(1);
    assert_eq!(rig.heard(), ["alice rings for 2"]);
}

#[test]
fn an_agents_own_wrap_up_goes_before_the_queues() {
    let toml = ACME.replace("skills = [\"sales\"],", "skills = [\"sales\"], wrap_up_s = 0,");
    let mut rig = Rig::with(&toml, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.finish(1);
    assert_eq!(rig.states(), ["alice ringing", "alice busy", "alice available"]);
}

#[test]
fn a_break_chosen_on_a_call_begins_after_wrap_up() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.choose("alice", Break, Some("lunch"));
    assert_eq!(rig.state("alice"), Busy);
    rig.finish(1);
    assert_eq!(rig.state("alice"), WrapUp);
    rig.outputs.clear();
    rig.pass(10_000);
    assert_eq!(rig.states(), ["alice break (lunch)"]);
}

#[test]
fn an_agent_ends_wrap_up_by_choosing_a_state() {
    for (state, shown) in [(Available, Available), (Break, Break), (Offline, Offline)] {
        let mut rig = Rig::with(ACME, &["alice"]);
        rig.enqueue(1, "sales");
        rig.accept("alice", 1);
        rig.finish(1);
        rig.choose("alice", state, None);
        assert_eq!(rig.state("alice"), shown);
    }
}

/// How long alice's wrap-up of work 1 lasts yet, and by how much she may make it longer.
fn wrap_up(rig: &Rig) -> Option<(u64, u64)> {
    let found = rig.router.wrap_up(rig.now, &tenant("acme"), &agent("alice"))?;
    assert_eq!(found.work, WorkId(1));
    Some((found.left_ms, found.may_extend_ms))
}

#[test]
fn an_agent_makes_wrap_up_longer_only_by_as_much_as_the_queue_permits() {
    let toml = ACME.replace("wrap_up_s = 10", "wrap_up_s = 10, wrap_up_extend_s = 30");
    let mut rig = Rig::with(&toml, &["alice"]);
    let extend = |rig: &mut Rig, seconds| {
        let by = Duration::from_secs(seconds);
        rig.input(Input::ExtendWrapUp { tenant: tenant("acme"), agent: agent("alice"), by });
    };
    extend(&mut rig, 20);
    assert_eq!((rig.state("alice"), wrap_up(&rig)), (Available, None), "there is none");
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.enqueue(2, "sales");
    rig.finish(1);
    rig.pass(4_000);
    assert_eq!(wrap_up(&rig), Some((6_000, 30_000)));
    extend(&mut rig, 20);
    assert_eq!(wrap_up(&rig), Some((26_000, 10_000)));
    extend(&mut rig, 20);
    assert_eq!(wrap_up(&rig), Some((36_000, 0)), "30 s more, and no more than that");
    extend(&mut rig, 20);
    rig.heard();
    rig.pass(35_999);
    assert_eq!((rig.state("alice"), rig.heard()), (WrapUp, vec![]));
    rig.pass(1);
    assert_eq!(rig.heard(), ["alice rings for 2"]);
}

#[test]
fn an_agent_who_is_done_early_goes_where_she_wanted_to() {
    for (chosen, shown) in [(None, Available), (Some(Break), Break)] {
        let mut rig = Rig::with(ACME, &["alice"]);
        rig.enqueue(1, "sales");
        rig.accept("alice", 1);
        if let Some(state) = chosen {
            rig.choose("alice", state, Some("lunch"));
        }
        rig.finish(1);
        assert_eq!(rig.state("alice"), WrapUp);
        let done = || Input::FinishWrapUp { tenant: tenant("acme"), agent: agent("alice") };
        rig.input(done());
        assert_eq!((rig.state("alice"), wrap_up(&rig)), (shown, None));
        rig.input(done());
        assert_eq!(rig.state("alice"), shown, "once is enough");
    }
}

#[test]
fn the_reason_of_a_break_can_change_during_it() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.choose("alice", Break, Some("coffee"));
    rig.choose("alice", Break, Some("training"));
    rig.choose("alice", Break, Some("training"));
    rig.choose("alice", Available, Some("no reason is kept here"));
    assert_eq!(rig.states(), ["alice break (coffee)", "alice break (training)", "alice available"]);
}

#[test]
fn registering_makes_available_only_whom_it_should() {
    let toml = ACME.replacen("available_on_register = true", "available_on_register = false", 1);
    let mut rig = Rig::with(&toml, &["alice", "bob"]);
    assert_eq!((rig.state("alice"), rig.state("bob")), (Offline, Available));
    rig.choose("alice", Available, None);
    assert_eq!(rig.state("alice"), Available);
}

#[test]
fn a_break_outlasts_the_phone_and_so_does_being_available() {
    let toml = ACME.replacen("available_on_register = true", "available_on_register = false", 1);
    let mut rig = Rig::with(&toml, &["alice", "bob"]);
    rig.choose("alice", Available, None);
    rig.choose("bob", Break, Some("lunch"));
    for name in ["alice", "bob"] {
        rig.register(name, false);
    }
    assert_eq!((rig.state("alice"), rig.state("bob")), (Offline, Break));
    for name in ["alice", "bob"] {
        rig.register(name, true);
    }
    assert_eq!((rig.state("alice"), rig.state("bob")), (Available, Break));
}

#[test]
fn an_agent_without_a_phone_is_offline_and_does_not_ring() {
    let mut rig = Rig::new(ACME);
    rig.choose("alice", Available, None);
    rig.enqueue(1, "sales");
    assert_eq!(rig.state("alice"), Offline);
    assert_eq!(
        rig.reasons(),
        ["nobody rings yet: needs sales; alice is not registered; bob is offline"]
    );
}

#[test]
fn a_call_goes_on_when_the_phones_registration_is_lost() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.register("alice", false);
    assert_eq!(rig.state("alice"), Busy);
    rig.finish(1);
    rig.pass(10_000);
    assert_eq!(rig.state("alice"), Offline);
}

#[test]
fn states_that_only_work_brings_cannot_be_chosen() {
    let mut rig = Rig::with(ACME, &["alice"]);
    for state in [Ringing, Busy, WrapUp] {
        rig.choose("alice", state, None);
        assert_eq!(rig.state("alice"), Available);
    }
}

#[test]
fn words_about_strangers_are_passed_over() {
    let mut rig = Rig::new(ACME);
    rig.register("nobody", true);
    rig.choose("nobody", Available, None);
    rig.withdraw(9);
    rig.finish(9);
    rig.enqueue_first("nowhere", 1, "sales", 0);
    assert_eq!(rig.heard(), ["1 refused: unknown queue"]);
}
