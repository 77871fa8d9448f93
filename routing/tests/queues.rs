//! Queues: their bounds and their figures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use rig::{ACME, Rig, queue, tenant};
use routing::{Output, QueueSnapshot};

fn figures(rig: &Rig, name: &str) -> QueueSnapshot {
    let queues = rig.router.queues(rig.now, &tenant("acme"));
    queues.into_iter().find(|q| q.id == queue(name)).unwrap()
}

#[test]
fn work_gives_up_after_the_longest_wait() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "support");
    rig.pass(59_999);
    assert_eq!(rig.heard(), ["1 waits at 1"]);
    rig.pass(1);
    assert_eq!(rig.heard(), ["1 waited too long"]);
    rig.enqueue(1, "support");
    assert_eq!(rig.heard(), ["1 waits at 1"], "it may come again");
}

#[test]
fn an_agent_who_rings_at_the_end_of_the_longest_wait_may_still_answer() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "support");
    rig.pass(55_000);
    rig.register("bob", true);
    rig.heard();
    rig.pass(10_000);
    assert_eq!(rig.heard(), [""; 0]);
    rig.pass(5_000);
    assert_eq!(rig.heard(), ["bob stops ringing for 1: rang too long", "1 waited too long"]);
}

#[test]
fn a_full_queue_refuses_unless_somebody_is_free() {
    let mut rig = Rig::new(ACME);
    for work in 1..=3 {
        rig.enqueue(work, "support");
    }
    assert_eq!(rig.heard(), ["1 waits at 1", "2 waits at 2", "3 refused: full"]);
    let toml = ACME.replace("max_waiting = 2", "max_waiting = 0");
    let mut rig = Rig::with(&toml, &["bob"]);
    rig.enqueue(1, "support");
    rig.enqueue(2, "support");
    assert_eq!(rig.heard(), ["bob rings for 1", "2 refused: full"]);
}

#[test]
fn the_same_work_cannot_wait_twice() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "sales");
    rig.enqueue(1, "support");
    rig.enqueue(2, "nowhere");
    assert_eq!(
        rig.heard(),
        ["1 waits at 1", "1 refused: already here", "2 refused: unknown queue"]
    );
}

#[test]
fn figures_count_what_became_of_the_work() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.enqueue(3, "sales");
    rig.pass(10_000);
    rig.register("alice", true);
    rig.accept("alice", 1);
    rig.withdraw(2);
    rig.pass(20_000);
    let now = figures(&rig, "sales");
    assert_eq!((now.waiting, now.longest_wait_ms), (1, 30_000));
    assert_eq!((now.answered, now.abandoned, now.average_wait_ms), (1, 1, 10_000));
    assert_eq!(now.service_level_percent, Some(50));
    assert_eq!((now.agents, now.agents_free), (2, 0));
    rig.register("bob", true);
    rig.accept("bob", 3);
    let now = figures(&rig, "sales");
    assert_eq!((now.answered, now.service_level_percent), (2, Some(33)));
    assert_eq!((now.waiting, now.ringing, now.longest_wait_ms), (0, 0, 0));
}

#[test]
fn figures_are_told_at_once_and_then_at_most_once_a_second() {
    let mut rig = Rig::new(ACME);
    for work in 0..50 {
        rig.enqueue(work, "sales");
        rig.pass(100);
    }
    let told = |o: &Output| match o {
        Output::QueueStats { stats, .. } => Some(stats.waiting),
        _ => None,
    };
    let waiting: Vec<u32> = rig.outputs.iter().filter_map(told).collect();
    assert_eq!(waiting, [1, 10, 20, 30, 40, 50]);
    rig.outputs.clear();
    rig.pass(10_000);
    assert_eq!(rig.outputs.iter().filter_map(told).count(), 0, "nothing changed");
}

#[test]
fn who_waits_is_listed_in_the_order_of_service() {
    let mut rig = Rig::new(ACME);
    rig.enqueue_first("acme", 1, "sales", 0);
    rig.pass(1000);
    rig.enqueue_first("acme", 2, "sales", 5);
    let waiting = rig.router.waiting(rig.now, &tenant("acme"), &queue("sales"), 10);
    let listed: Vec<_> = waiting.iter().map(|w| (w.work.0, w.waited_ms)).collect();
    assert_eq!(listed, [(2, 0), (1, 1000)]);
    assert_eq!(rig.router.waiting(rig.now, &tenant("acme"), &queue("sales"), 1).len(), 1);
}

#[test]
fn raised_work_goes_before_all_others_and_lowered_work_behind_what_came_before_it() {
    let mut rig = Rig::new(ACME);
    for work in 1..=4 {
        rig.enqueue(work, "sales");
    }
    let standing = |rig: &Rig, work| rig.router.standing(&tenant("acme"), routing::WorkId(work));
    let place = |rig: &Rig, work| rig.router.position(&tenant("acme"), routing::WorkId(work));
    assert_eq!(standing(&rig, 4), Some((queue("sales"), 0)));
    rig.prioritise(4, 200);
    assert_eq!((place(&rig, 4), place(&rig, 1)), (Some(1), Some(2)));
    assert_eq!(standing(&rig, 4), Some((queue("sales"), 200)));
    rig.prioritise(2, 200);
    assert_eq!((place(&rig, 2), place(&rig, 4)), (Some(1), Some(2)), "it came before");
    rig.prioritise(2, 0);
    assert_eq!((place(&rig, 4), place(&rig, 2)), (Some(1), Some(3)));
    rig.heard();
    rig.register("alice", true);
    assert_eq!(rig.heard(), ["alice rings for 4"]);
    rig.accept("alice", 4);
    rig.prioritise(4, 9);
    rig.prioritise(77, 9);
    assert_eq!(standing(&rig, 4), None, "who talks does not wait");
    assert_eq!(standing(&rig, 77), None);
}

#[test]
fn work_that_is_taken_out_counts_neither_as_answered_nor_as_abandoned() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "sales");
    rig.take_out(1);
    rig.register("alice", true);
    rig.enqueue(2, "sales");
    rig.heard();
    rig.take_out(2);
    assert_eq!(rig.heard(), ["alice stops ringing for 2: caller gone"]);
    let sales = figures(&rig, "sales");
    assert_eq!((sales.waiting, sales.ringing, sales.agents_free), (0, 0, 1));
    assert_eq!((sales.answered, sales.abandoned, sales.expired), (0, 0, 0));
    rig.enqueue(2, "sales");
    assert_eq!(rig.heard(), ["alice rings for 2"], "it may come again");
}
