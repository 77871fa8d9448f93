//! Calls that no queue gave: who is on one is busy for queues; and work that moves to another queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{ACME, Rig, agent, queue, tenant};
use routing::{AgentState, Refusal};

#[test]
fn an_agent_who_dials_is_busy_for_queues_until_they_hang_up() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.dials("alice", 70);
    assert_eq!(rig.states(), ["alice busy"]);
    rig.enqueue(1, "sales");
    assert_eq!(
        rig.reasons(),
        ["nobody rings yet: needs sales; alice is on a call; bob is offline"]
    );
    rig.hangs_up("alice", 70);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn an_agent_with_two_calls_of_their_own_is_busy_until_both_are_over() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.dials("alice", 70);
    rig.dials("alice", 71);
    rig.hangs_up("alice", 70);
    rig.hangs_up("alice", 70);
    assert_eq!(rig.state("alice"), AgentState::Busy);
    let presence = rig.router.presence(&tenant("acme"), &agent("alice")).unwrap();
    assert_eq!((presence.calls, presence.rings, presence.reachable), (1, false, true));
    rig.hangs_up("alice", 71);
    assert_eq!(rig.state("alice"), AgentState::Available);
}

#[test]
fn an_agent_who_dials_while_a_queue_rings_them_rings_no_more_and_the_next_one_does() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    assert_eq!(rig.heard(), ["alice rings for 1"]);
    rig.dials("alice", 70);
    assert_eq!(rig.heard(), ["alice stops ringing for 1: went away", "bob rings for 1"]);
    assert_eq!(rig.state("alice"), AgentState::Busy);
}

#[test]
fn a_call_in_wrap_up_shows_busy_and_does_not_lengthen_it() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.finish(1);
    rig.pass(4_000);
    rig.dials("alice", 70);
    rig.pass(1_000);
    rig.hangs_up("alice", 70);
    assert_eq!(
        rig.states(),
        ["alice ringing", "alice busy", "alice wrap_up", "alice busy", "alice wrap_up"]
    );
    rig.pass(5_000);
    assert_eq!(rig.states(), ["alice available"]);
}

#[test]
fn a_removed_agent_on_a_call_of_their_own_leaves_when_it_is_over() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.dials("alice", 70);
    rig.provision(&ACME.replace("id = \"alice\"", "id = \"anna\""));
    assert_eq!(rig.state("alice"), AgentState::Busy);
    rig.hangs_up("alice", 70);
    let left = rig.router.agents(rig.now, &tenant("acme"));
    assert!(left.iter().all(|a| a.id != agent("alice")));
}

#[test]
fn an_agent_who_wants_no_calls_is_passed_over_and_the_reason_says_so() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.disturb("alice", false);
    rig.enqueue(1, "sales");
    assert_eq!(
        rig.reasons(),
        ["nobody rings yet: needs sales; alice wants no calls; bob is offline"]
    );
    assert!(rig.router.presence(&tenant("acme"), &agent("alice")).unwrap().do_not_disturb);
    rig.disturb("alice", true);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
    rig.disturb("alice", false);
    assert_eq!(rig.heard(), ["alice stops ringing for 1: went away", "1 waits at 1"]);
}

#[test]
fn work_that_is_moved_waits_in_the_other_queue_under_its_own_number() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.heard();
    rig.move_to(1, "support");
    assert_eq!(rig.heard(), ["bob rings for 1"]);
    assert_eq!(rig.state("alice"), AgentState::WrapUp);
    rig.accept("bob", 1);
    rig.finish(1);
    let figures = rig.router.queues(rig.now, &tenant("acme"));
    assert_eq!(figures.iter().map(|q| (q.answered, q.abandoned)).collect::<Vec<_>>(), [(1, 0); 2]);
}

#[test]
fn an_agent_who_passed_work_on_is_spared_it_for_a_while() {
    let toml = ACME.replace("wrap_up_s = 10", "wrap_up_s = 0");
    let mut rig = Rig::with(&toml, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.outputs.clear();
    rig.move_to(1, "sales");
    assert_eq!(
        rig.reasons(),
        ["nobody rings yet: needs sales; alice passed it on just now; bob is offline"]
    );
    rig.pass(5_000);
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn work_that_rings_or_waits_is_moved_too_and_nobody_counts_it_as_abandoned() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.heard();
    rig.move_to(1, "support");
    assert_eq!(
        rig.heard(),
        ["bob stops ringing for 1: caller gone", "bob rings for 2", "1 waits at 1"]
    );
    rig.move_to(2, "support");
    rig.accept("bob", 1);
    assert_eq!(rig.router.queues(rig.now, &tenant("acme"))[0].abandoned, 0);
    assert_eq!(rig.router.may_wait(&tenant("acme"), &queue("support")), Ok(()));
}

#[test]
fn work_that_the_other_queue_cannot_have_is_refused_and_its_agent_wraps_up() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.enqueue(2, "support");
    rig.enqueue(3, "support");
    rig.heard();
    let acme = tenant("acme");
    assert_eq!(rig.router.may_wait(&acme, &queue("support")), Err(Refusal::QueueFull));
    assert_eq!(rig.router.may_wait(&acme, &queue("nowhere")), Err(Refusal::UnknownQueue));
    rig.move_to(1, "support");
    assert_eq!(rig.heard(), ["1 refused: full"]);
    assert_eq!(rig.state("alice"), AgentState::WrapUp);
    rig.move_to(9, "sales");
    assert_eq!(rig.heard(), [""; 0], "work that is not here is passed over");
}
