//! Alarms of queues: raised when a figure comes to its threshold, cleared when it is in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use base::Instant;
use rig::{ACME, Rig, queue, tenant};
use routing::{Output, QueueAlarm};

/// What was raised (`+`) and cleared (`-`) since the last time.
fn alarms(rig: &mut Rig) -> Vec<String> {
    let told = rig.outputs.drain(..).filter_map(|output| match output {
        Output::QueueAlarm { queue, alarm, is_raised, limit, .. } => {
            let sign = if is_raised { "+" } else { "-" };
            Some(format!("{sign} {queue} {alarm:?} {}", limit.unwrap_or(0)))
        }
        _ => None,
    });
    told.collect()
}

fn shown(rig: &Rig, name: &str) -> Vec<(QueueAlarm, u64)> {
    let queues = rig.router.queues(rig.now, &tenant("acme"));
    let queue = queues.into_iter().find(|one| one.id == queue(name)).unwrap();
    queue.alarms.into_iter().map(|one| (one.alarm, one.raised_ms)).collect()
}

#[test]
fn a_caller_for_whom_nobody_is_there_is_an_alarm_until_an_agent_has_been_there_for_a_while() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "sales");
    rig.pass(0);
    assert_eq!(alarms(&mut rig), ["+ sales NoAgent 0"]);
    rig.pass(4000);
    assert_eq!(shown(&rig, "sales"), [(QueueAlarm::NoAgent, 4000)]);
    // She comes and rings: it is in order, but for how long?
    rig.register("alice", true);
    rig.pass(4999);
    assert_eq!(alarms(&mut rig), [""; 0]);
    rig.pass(2);
    assert_eq!(alarms(&mut rig), ["- sales NoAgent 0"]);
    assert_eq!(shown(&rig, "sales"), []);
}

#[test]
fn who_rings_an_agent_in_vain_has_waited_all_the_same_and_is_one_alarm() {
    let mut rig = Rig::with(ACME, &["alice"]);
    let begun = rig.now;
    rig.enqueue(1, "sales");
    // She rings for 15 seconds, the caller waits for five, she rings again ...
    rig.pass(119_999);
    assert_eq!(alarms(&mut rig), [""; 0]);
    rig.pass(60_000);
    assert_eq!(alarms(&mut rig), ["+ sales LongestWait 120"]);
    assert_eq!(shown(&rig, "sales")[0].1, rig.now.since(begun).as_millis() as u64 - 120_000);
    rig.withdraw(1);
    rig.pass(10_000);
    assert_eq!(alarms(&mut rig), ["- sales LongestWait 120"]);
    assert_eq!(rig.router.poll_timeout().map(|(at, _)| at), None::<Instant>);
}

#[test]
fn other_thresholds_hold_at_once_for_those_who_wait() {
    let mut rig = Rig::new(ACME);
    rig.enqueue(1, "sales");
    rig.enqueue(2, "sales");
    rig.pass(2000);
    alarms(&mut rig);
    let limits = "alarms = { waiting = 2, no_agent = false }";
    rig.provision(&ACME.replace("wrap_up_s = 10", &format!("wrap_up_s = 10, {limits}")));
    rig.pass(1);
    assert_eq!(alarms(&mut rig), ["+ sales Waiting 2"]);
    rig.pass(5000);
    assert_eq!(alarms(&mut rig), ["- sales NoAgent 0"]);
}
