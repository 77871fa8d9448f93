//! Who rings: skills, idleness, priority, order, and the reasons that are given for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{ACME, Rig, tenant};
use routing::{AttemptFailure, Decision, Input, Output, Verdict, WorkId};

#[test]
fn the_agent_idle_longest_rings() {
    let mut rig = Rig::with(ACME, &["bob", "alice"]);
    rig.enqueue(1, "sales");
    assert_eq!(rig.heard(), ["bob rings for 1"]);
}

#[test]
fn agents_idle_since_the_same_moment_ring_in_the_order_of_their_names() {
    let mut rig = Rig::new(ACME);
    rig.register("bob", true);
    rig.register("alice", true);
    rig.enqueue(1, "sales");
    assert_eq!(rig.heard(), ["alice rings for 1"]);
}

#[test]
fn an_agent_who_lacks_a_skill_does_not_ring_and_the_reason_says_so() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.pass(189_000);
    rig.enqueue(1, "support");
    assert_eq!(
        rig.reasons(),
        ["bob rings: needs billing; idle longest (3 m 10 s); alice lacks billing"]
    );
}

#[test]
fn work_waits_when_nobody_is_free_and_the_reason_says_why() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "support");
    rig.accept("bob", 1);
    rig.reasons();
    rig.enqueue(2, "sales");
    assert_eq!(
        rig.reasons(),
        ["nobody rings yet: needs sales; alice is offline; bob is on a call"]
    );
}

#[test]
fn the_first_to_come_is_the_first_to_be_served() {
    let mut rig = Rig::new(ACME);
    for work in [7, 3, 5] {
        rig.enqueue(work, "sales");
    }
    assert_eq!(rig.heard(), ["7 waits at 1", "3 waits at 2", "5 waits at 3"]);
    rig.register("alice", true);
    rig.register("bob", true);
    assert_eq!(rig.heard(), ["alice rings for 7", "bob rings for 3"]);
    assert_eq!(rig.router.position(&tenant("acme"), WorkId(5)), Some(1));
}

#[test]
fn higher_priority_is_served_before_lower() {
    let mut rig = Rig::new(ACME);
    rig.enqueue_first("acme", 1, "sales", 0);
    rig.enqueue_first("acme", 2, "sales", 9);
    rig.enqueue_first("acme", 3, "sales", 9);
    assert_eq!(rig.heard(), ["1 waits at 1", "2 waits at 1", "3 waits at 2"]);
    rig.register("alice", true);
    rig.register("bob", true);
    assert_eq!(rig.heard(), ["alice rings for 2", "bob rings for 3"]);
}

#[test]
fn an_agent_of_two_queues_takes_the_work_that_came_first_to_either() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "support");
    rig.enqueue(2, "sales");
    rig.enqueue(3, "support");
    rig.heard();
    rig.register("bob", true);
    rig.accept("bob", 1);
    rig.finish(1);
    assert_eq!(rig.heard(), ["bob rings for 1", "bob rings for 2"]);
}

#[test]
fn a_queue_with_a_list_of_agents_rings_nobody_else() {
    let toml = ACME.replace("wrap_up_s = 10", "agents = [\"bob\"]");
    let mut rig = Rig::with(&toml, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    assert_eq!(
        rig.reasons(),
        ["bob rings: needs sales; idle longest (1 s); alice is not in the queue"]
    );
}

#[test]
fn an_agent_who_was_tried_is_named_with_what_happened() {
    let mut rig = Rig::with(ACME, &["alice", "bob"]);
    rig.enqueue(1, "sales");
    rig.fail("alice", 1, AttemptFailure::Rejected);
    assert_eq!(
        rig.reasons()[1],
        "bob rings: needs sales; idle longest (1 s); alice declined just now"
    );
}

#[test]
fn work_of_the_same_name_in_two_tenants_does_not_meet() {
    let globex = ACME.replace("acme", "globex").replace("alice", "gina");
    let mut rig = Rig::with(&format!("{ACME}{globex}"), &["alice"]);
    rig.enqueue_first("globex", 1, "sales", 0);
    rig.enqueue_first("acme", 1, "sales", 0);
    assert_eq!(rig.heard(), ["1 waits at 1", "alice rings for 1"]);
    rig.input(Input::Withdraw { tenant: tenant("globex"), work: WorkId(1) });
    rig.accept("alice", 1);
    assert_eq!(rig.heard(), [""; 0]);
}

#[test]
fn a_decision_among_a_thousand_agents_lists_twenty_and_counts_the_rest() {
    let mut toml = ACME.replace("agents = [", "agents = [\n@");
    let many: String = (0..1000)
        .map(|n| {
            format!(
                "{{ id = \"a{n:04}\", password = \"s3\", skills = [\"sales\"], \
                 available_on_register = true }},\n"
            )
        })
        .collect();
    toml = toml.replace('@', &many);
    let mut rig = Rig::new(&toml);
    for n in 0..1000 {
        rig.register(&format!("a{n:04}"), true);
    }
    rig.outputs.clear();
    rig.enqueue(1, "sales");
    let Some(Output::Attempt { decision, .. }) =
        rig.outputs.iter().find(|o| matches!(o, Output::Attempt { .. }))
    else {
        panic!("nobody rings");
    };
    assert_eq!(decision.considered.len(), Decision::MAX_CONSIDERED);
    assert_eq!(decision.not_listed, 982);
    assert!(matches!(decision.considered[0].verdict, Verdict::Chosen { .. }));
    assert!(matches!(decision.considered[1].verdict, Verdict::LessIdle { .. }));
}

#[test]
fn a_decision_is_plain_json() {
    let mut rig = Rig::with(ACME, &["bob"]);
    rig.enqueue(1, "support");
    let Output::Attempt { decision, .. } = &rig.outputs[0] else { panic!("nobody rings") };
    assert_eq!(
        serde_json::to_value(decision).unwrap(),
        serde_json::json!({
            "chosen": "bob",
            "considered": [
                { "agent": "bob", "verdict": { "verdict": "chosen", "idle_ms": 1000 } },
                { "agent": "alice",
                  "verdict": { "verdict": "missing_skill", "skill": "billing" } },
            ],
            "not_listed": 0,
            "needs": ["billing"],
            "rule": Decision::LONGEST_IDLE,
        })
    );
}
