//! Admission under load: new calls are turned away cheaply, each tenant keeps its share, and what
//! is up goes on.

use base::Duration;
use switch::{Input, Limits, SecurityKind};

use crate::rig::{ALICE, Call, DEMO, Rig, TRUNK, TRUNK_B, header};

fn shed(rig: &mut Rig, from: std::net::SocketAddr, number: &str) -> Option<String> {
    let call = Call::new(rig, from, number);
    rig.send(from, &call.invite());
    let text = rig.expect_final(from);
    let status = text.status().unwrap().as_u16();
    if status != 503 {
        let mut call = call;
        let ack = call.ack(&text, None);
        rig.send(from, &ack);
        rig.caller_hangs_up(&mut call);
        return None;
    }
    let retry = header(&text, "Retry-After");
    rig.send(from, &call.ack_refusal(&text));
    Some(retry)
}

#[test]
fn a_driver_that_falls_behind_has_new_calls_turned_away_without_keeping_anything() {
    let limits = Limits { few_calls_per_second: 0, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    rig.input(Input::Load { percent: 250 });
    let before = rig.switch.sizes();
    let waits: std::collections::BTreeSet<String> =
        (0..100).filter_map(|_| shed(&mut rig, TRUNK, "+15550100")).collect();
    assert!(waits.len() > 4, "not all at the same time again: {waits:?}");
    assert_eq!(rig.switch.sizes().server_transactions, before.server_transactions);
    assert_eq!(rig.switch.sizes().calls, 1);
    let told: Vec<_> = rig.security.iter().map(|event| (event.kind, event.count)).collect();
    assert_eq!(told, [(SecurityKind::Overload, 1)]);
    // What is up goes on as if nothing were.
    let info = phone.next("INFO", None);
    rig.send(ALICE, &info);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.input(Input::Load { percent: 20 });
    assert_eq!(shed(&mut rig, TRUNK, "+15550100"), None);
    rig.finish();
}

#[test]
fn under_load_one_tenants_flood_takes_nothing_of_anothers_share() {
    let limits = Limits { share_calls_per_second: 5, few_calls_per_second: 0, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    rig.input(Input::Load { percent: 120 });
    let let_in = (0..200).filter(|_| shed(&mut rig, TRUNK, "+15550100").is_none()).count();
    assert_eq!(let_in, 5);
    assert_eq!(shed(&mut rig, TRUNK_B, "+15550200"), None, "globex by its own trunk");
    assert_eq!(shed(&mut rig, TRUNK, "+15550200"), None, "and by the flooded one");
    rig.advance(Duration::from_secs(1));
    assert_eq!(shed(&mut rig, TRUNK, "+15550100"), None);
    rig.finish();
}

#[test]
fn more_calls_a_second_than_the_engine_takes_are_shared_fairly() {
    let limits =
        Limits { calls_per_second: Some(20), share_calls_per_second: 2, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    let let_in = (0..100).filter(|_| shed(&mut rig, TRUNK, "+15550100").is_none()).count();
    assert_eq!(let_in, 22, "the engine's second, then the tenant's share");
    assert_eq!(shed(&mut rig, TRUNK_B, "+15550200"), None);
    rig.finish();
}

#[test]
fn a_tenant_at_ten_times_its_limit_moves_nobody_elses_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    for _ in 0..30 {
        let call = Call::new(&mut rig, TRUNK, "+15550200");
        rig.send(TRUNK, &call.invite());
        let answer = rig.expect_final(TRUNK);
        if answer.status().unwrap().is_success() {
            let mut call = call;
            let ack = call.ack(&answer, None);
            rig.send(TRUNK, &ack);
            rig.caller_hangs_up(&mut call);
        } else {
            rig.send(TRUNK, &call.ack_refusal(&answer));
        }
    }
    assert_eq!(rig.records.len(), 30, "every one has its record");
    let told = rig.security.iter().filter(|event| event.kind == SecurityKind::OverLimit).count();
    assert_eq!(told, 1, "and there is one event");
    let (mut call, _phone) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_call_for_help_gets_through_when_no_other_does() {
    let limits = Limits { few_calls_per_second: 0, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    rig.register(ALICE, "alice");
    rig.input(Input::Load { percent: 250 });
    while shed(&mut rig, TRUNK, "+15550100").is_none() {}
    let asked = rig.agent_dials(ALICE, "alice", "bob", "");
    let refusal = rig.expect(ALICE, "SIP/2.0 503");
    assert!(!header(&refusal, "Retry-After").is_empty());
    let ack = asked.ack(&refusal);
    rig.send(ALICE, &ack);
    rig.agent_dials(ALICE, "alice", "911", "");
    let trying = rig.expect(ALICE, "SIP/2.0 100");
    assert_eq!(trying.status().unwrap().as_u16(), 100);
}

#[test]
fn a_few_calls_get_through_however_busy_the_driver_says_it_is() {
    let limits = Limits { few_calls_per_second: 3, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    for _ in 0..10 {
        rig.input(Input::Load { percent: 250 });
        for _ in 0..3 {
            assert_eq!(shed(&mut rig, TRUNK, "+15550100"), None);
        }
        rig.advance(Duration::from_secs(1));
    }
    rig.finish();
}
