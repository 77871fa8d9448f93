//! Limits: calls at once and calls a second of a tenant and of a trunk, ports, the shard, drain.

use switch::{ApiReply, ApiRequest, Cause, Input, Limits, SecurityKind};

use crate::rig::{ALICE, Call, DEMO, Rig, TRUNK, header};

fn refused(rig: &mut Rig, number: &str, status: &str) -> sip::Message {
    let call = Call::new(rig, TRUNK, number);
    rig.send(TRUNK, &call.invite());
    let response = rig.expect(TRUNK, status);
    rig.send(TRUNK, &call.ack_refusal(&response));
    response
}

#[test]
fn one_call_more_than_a_tenant_may_have_is_486_until_one_ends() {
    let mut rig = Rig::new();
    let mut first = rig.dial("+15550200");
    rig.advance_ms(1000);
    let mut second = rig.dial("+15550200");
    rig.advance_ms(1000);
    let response = refused(&mut rig, "+15550200", "SIP/2.0 486");
    assert_eq!(header(&response, "Retry-After"), "5");
    assert_eq!(rig.record().cause, Cause::TenantLimit);
    assert_eq!(rig.security[0].kind, SecurityKind::OverLimit);
    let mut other = rig.dial("+15550100");
    rig.caller_hangs_up(&mut first);
    rig.advance_ms(1000);
    let mut third = rig.dial("+15550200");
    for call in [&mut second, &mut third, &mut other] {
        rig.caller_hangs_up(call);
    }
    rig.finish();
}

#[test]
fn a_subtenants_calls_count_as_its_parents_and_a_refused_one_counts_nowhere() {
    let agency = r#"
[[tenants]]
id = "agency"
domain = "agency.example"
parent = "globex"
flows = [{ id = "main", steps = [{ do = "play", prompt = "music" }] }]
numbers = [{ number = "+15550300", flow = "main" }]
"#;
    let mut rig = Rig::with(&format!("{DEMO}{agency}"));
    let mut agencys = rig.dial("+15550300");
    rig.advance_ms(400);
    let mut parents = rig.dial("+15550200");
    rig.advance_ms(400);
    refused(&mut rig, "+15550300", "SIP/2.0 486");
    assert_eq!(rig.record().cause, Cause::TenantLimit);
    rig.caller_hangs_up(&mut parents);
    rig.advance_ms(400);
    let mut again = rig.dial("+15550200");
    for call in [&mut agencys, &mut again] {
        rig.caller_hangs_up(call);
    }
    rig.finish();
}

#[test]
fn more_calls_in_a_second_than_a_tenant_may_start_are_503() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        let mut call = rig.dial("+15550200");
        rig.caller_hangs_up(&mut call);
    }
    let response = refused(&mut rig, "+15550200", "SIP/2.0 503");
    assert_eq!(header(&response, "Retry-After"), "1");
    rig.advance_ms(400);
    let mut call = rig.dial("+15550200");
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.records.len(), 5);
    rig.finish();
}

#[test]
fn a_trunk_has_limits_of_its_own_and_a_refused_call_uses_none_of_them_up() {
    let text = DEMO
        .replace("sources = [\"127.0.0.2\"]", "sources = [\"127.0.0.2\"]\nconcurrent_calls = 1");
    let mut rig = Rig::with(&text);
    let mut first = rig.dial("+15550100");
    refused(&mut rig, "+15550200", "SIP/2.0 503");
    rig.caller_hangs_up(&mut first);
    let mut second = rig.dial("+15550200");
    rig.caller_hangs_up(&mut second);
    rig.finish();
}

#[test]
fn when_no_port_is_left_a_call_is_503_and_a_used_port_rests() {
    let mut rig = Rig::with_limits(DEMO, Limits::default(), 20_000..=20_001);
    let mut first = rig.dial("+15550100");
    refused(&mut rig, "+15550100", "SIP/2.0 503");
    rig.caller_hangs_up(&mut first);
    refused(&mut rig, "+15550100", "SIP/2.0 503");
    rig.advance_ms(120_000);
    let mut second = rig.dial("+15550100");
    rig.caller_hangs_up(&mut second);
    assert_eq!(rig.records.len(), 4);
    rig.finish();
}

#[test]
fn an_agent_for_whom_no_port_is_left_fails_the_attempt_and_the_caller_waits() {
    let mut rig = Rig::with_limits(DEMO, Limits::default(), 20_000..=20_001);
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    rig.expect_silence(ALICE);
    assert_eq!(rig.events_of("call.attempt_failed")[0]["why"], "error");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_full_shard_is_503() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    let mut first = rig.dial("+15550100");
    refused(&mut rig, "+15550100", "SIP/2.0 503");
    rig.caller_hangs_up(&mut first);
    let mut second = rig.dial("+15550100");
    rig.caller_hangs_up(&mut second);
    rig.finish();
}

#[test]
fn draining_refuses_new_calls_and_lets_live_ones_go_on() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial("+15550100");
    rig.input(Input::Drain);
    let response = refused(&mut rig, "+15550100", "SIP/2.0 503");
    assert!(response.header(sip::Name::RETRY_AFTER).is_some());
    rig.finish_prompt();
    rig.expect(ALICE, "INVITE");
    assert!(!rig.switch.is_drained());
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(3000);
    assert!(rig.switch.is_drained());
    rig.finish();
}

#[test]
fn a_ladder_keeps_its_first_messages_and_says_how_many_it_left_out() {
    let limits = Limits { ladder_messages: 6, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    let mut call = rig.dial("+15550100");
    for _ in 0..5 {
        let options = call.next("OPTIONS", None);
        rig.send(TRUNK, &options);
        rig.expect(TRUNK, "SIP/2.0 200");
    }
    rig.caller_hangs_up(&mut call);
    let record = rig.record();
    assert_eq!((record.ladder.len(), record.ladder_cut), (6, 10));
    rig.finish();
}

#[test]
fn a_hundred_calls_at_once_each_get_their_own_record() {
    let mut rig = Rig::new();
    let mut calls: Vec<Call> = (0..100).map(|_| rig.dial("+15550100")).collect();
    let Ok(ApiReply::Calls(live)) = rig.request("acme", ApiRequest::ListLive) else {
        panic!("calls");
    };
    assert_eq!(live.len(), 100);
    for call in &mut calls {
        rig.caller_hangs_up(call);
    }
    assert_eq!(rig.records.len(), 100);
    rig.finish();
}
