//! Callers who wait are moved by the API: within their queue, to another one, to an agent.

use base::CallId;
use routing::AgentState;
use switch::{ApiError, ApiReply, ApiRequest};

use crate::rig::{ALICE, BOB, Phone, Rig};

fn raise(rig: &mut Rig, call: CallId, priority: u8) -> Result<ApiReply, ApiError> {
    rig.request("acme", ApiRequest::SetPriority { call, priority, by: "sue".to_owned() })
}

fn send_on(rig: &mut Rig, call: CallId, to: &str) -> Result<ApiReply, ApiError> {
    rig.request("acme", ApiRequest::Transfer { call, to: to.to_owned() })
}

#[test]
fn a_caller_who_is_raised_is_next_and_the_reasons_say_who_did_it() {
    let mut rig = Rig::new();
    let mut first = rig.dial_into_queue();
    let mut second = rig.dial_into_queue();
    let id = rig.last_call();
    assert!(matches!(raise(&mut rig, id, 200), Ok(ApiReply::Accepted)));
    let changed = &rig.events_of("call.priority_changed")[0];
    let expected = serde_json::json!({"queue": "sales", "priority": 200, "was": 0, "position": 1,
        "by": "sue"});
    assert_eq!(changed, &expected);
    assert!(matches!(raise(&mut rig, id, 200), Ok(ApiReply::Accepted)));
    assert_eq!(rig.events_of("call.priority_changed").len(), 1, "nothing has changed");
    let Ok(ApiReply::Why(why)) = rig.request("acme", ApiRequest::Why { call: id }) else {
        panic!("why")
    };
    let told = why.iter().map(|entry| entry.decided.to_string()).collect::<Vec<_>>().join("\n");
    assert!(told.contains("sue changed its priority in queue sales from 0 to 200"), "{told}");

    rig.register(ALICE, "alice");
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let offered = rig.events.iter().rfind(|event| event.kind.type_name() == "call.offered");
    assert_eq!(offered.unwrap().call, Some(id), "the second one came last and is next");
    rig.phone_answers(&alice);
    assert!(matches!(raise(&mut rig, id, 1), Err(ApiError::Conflict(_))), "who talks waits not");
    rig.caller_hangs_up(&mut second);
    rig.confirm_bye(ALICE);
    rig.caller_hangs_up(&mut first);
    rig.finish();
}

#[test]
fn a_caller_who_waits_is_moved_to_another_queue_and_waits_there() {
    let mut rig = Rig::new();
    let mut call = rig.dial_into_queue();
    let id = rig.last_call();
    assert!(matches!(send_on(&mut rig, id, "nowhere"), Err(ApiError::Refused { .. })));
    assert!(matches!(send_on(&mut rig, id, "sales"), Err(ApiError::Conflict(_))), "it is there");
    assert!(matches!(send_on(&mut rig, id, "support"), Ok(ApiReply::Accepted)));
    let left = serde_json::json!({"queue": "sales", "why": "moved"});
    assert_eq!(rig.events_of("call.left_queue"), [left]);
    assert_eq!(rig.events_of("call.queued")[1]["queue"], "support");
    assert_eq!(rig.events_of("call.transferred")[0]["to"], "support");
    rig.register(BOB, "bob");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.finish();
}

#[test]
fn a_caller_for_whom_an_agent_rings_is_moved_and_the_agent_is_let_go() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, alice) = rig.ring_alice();
    let id = rig.last_call();
    assert!(matches!(send_on(&mut rig, id, "support"), Ok(ApiReply::Accepted)));
    rig.confirm_cancel(&alice);
    rig.register(BOB, "bob");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.finish();
}

#[test]
fn a_caller_moved_to_an_agent_who_declines_is_next_in_the_queue_again() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let (state, reason) = (AgentState::Break, None);
    let asked = ApiRequest::SetAgentState { agent: "bob".parse().unwrap(), state, reason };
    rig.request("acme", asked).unwrap();
    let mut other = rig.dial_into_queue();
    let mut call = rig.dial_into_queue();
    let id = rig.last_call();
    assert!(matches!(send_on(&mut rig, id, "bob"), Ok(ApiReply::Accepted)));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    let queued = rig.events_of("call.queued");
    assert_eq!((queued.len(), &queued[2]["position"]), (3, &serde_json::json!(1)), "before all");
    rig.caller_hangs_up(&mut call);
    rig.caller_hangs_up(&mut other);
    rig.finish();
}
