//! New provisioning while work waits, rings and talks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{ACME, Rig, tenant};
use routing::AgentState;

fn without_alice() -> String {
    let from = ACME.find("    { id = \"alice\"").unwrap();
    let to = ACME.find("    { id = \"bob\"").unwrap();
    format!("{}{}", &ACME[..from], &ACME[to..])
}

#[test]
fn the_same_provisioning_again_changes_nothing() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.heard();
    rig.provision(ACME);
    assert_eq!(rig.heard(), [""; 0]);
    assert_eq!(rig.state("alice"), AgentState::Ringing);
}

#[test]
fn work_in_a_removed_queue_is_refused() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "support");
    rig.enqueue(2, "sales");
    rig.heard();
    rig.provision(&ACME.replace("id = \"support\"", "id = \"billing\""));
    assert_eq!(rig.heard(), ["1 refused: queue removed"]);
}

#[test]
fn an_agent_rung_for_a_removed_queue_may_take_the_work() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "support");
    rig.provision(&ACME.replace("id = \"support\"", "id = \"billing\""));
    rig.accept("bob", 1);
    assert_eq!(rig.state("bob"), AgentState::Busy);
    rig.finish(1);
    assert_eq!(rig.state("bob"), AgentState::Available);
}

#[test]
fn an_agent_rung_for_a_removed_queue_who_does_not_answer_ends_the_wait() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "support");
    rig.provision(&ACME.replace("id = \"support\"", "id = \"billing\""));
    rig.heard();
    rig.pass(15_000);
    assert_eq!(rig.heard(), ["bob stops ringing for 1: rang too long", "1 refused: queue removed"]);
}

#[test]
fn a_removed_agent_who_rings_is_rung_no_more_and_the_next_one_rings() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.heard();
    rig.provision(&without_alice());
    assert_eq!(rig.heard(), ["alice stops ringing for 1: removed", "bob rings for 1"]);
    assert_eq!(rig.router.agents(rig.now, &tenant("acme")).len(), 1);
}

#[test]
fn a_removed_agent_who_talks_leaves_after_the_call() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "sales");
    rig.accept("alice", 1);
    rig.provision(&without_alice());
    assert_eq!(rig.state("alice"), AgentState::Busy);
    rig.outputs.clear();
    rig.finish(1);
    assert_eq!(rig.states(), ["alice offline"]);
    assert_eq!(rig.router.agents(rig.now, &tenant("acme")).len(), 1);
}

#[test]
fn an_agent_who_gains_a_skill_rings_for_work_that_waits() {
    let mut rig = Rig::with(ACME, &["alice"]);
    rig.enqueue(1, "support");
    rig.heard();
    rig.provision(&ACME.replace("skills = [\"sales\"],", "skills = [\"sales\", \"billing\"],"));
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn a_removed_tenant_ends_its_waits_and_leaves_nothing_behind() {
    let globex = ACME.replace("acme", "globex");
    let mut rig = Rig::with(&format!("{ACME}{globex}"), &["alice", "bob"]);
    for work in 1..=4 {
        rig.enqueue(work, "sales");
    }
    rig.accept("alice", 1);
    rig.heard();
    rig.provision(&globex);
    assert_eq!(
        rig.heard(),
        [
            "3 refused: queue removed",
            "4 refused: queue removed",
            "bob stops ringing for 2: removed",
            "2 refused: queue removed",
        ]
    );
    assert_eq!(rig.state("alice"), AgentState::Busy);
    rig.finish(1);
    assert!(rig.router.agents(rig.now, &tenant("acme")).is_empty());
    rig.pass(60_000);
    assert_eq!(rig.router.poll_timeout(), None);
}

#[test]
fn a_queue_that_goes_and_comes_back_counts_the_agents_it_rings() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "support");
    rig.provision(&ACME.replace("id = \"support\"", "id = \"billing\""));
    rig.provision(ACME);
    let queues = rig.router.queues(rig.now, &tenant("acme"));
    assert_eq!(queues.iter().map(|q| q.ringing).collect::<Vec<_>>(), [0, 1]);
    rig.withdraw(1);
}
