//! What the API may ask: calls that are up, their ladders and reasons, agents, queues; and never
//! another tenant's.

use base::{AgentId, CallId};
use routing::AgentState;
use switch::{ApiError, ApiReply, ApiRequest, LiveState};

use crate::rig::{ALICE, Rig};

fn live(rig: &mut Rig) -> switch::LiveCall {
    match rig.request("acme", ApiRequest::ListLive) {
        Ok(ApiReply::Calls(mut calls)) if calls.len() == 1 => calls.remove(0),
        other => panic!("one call: {other:?}"),
    }
}

#[test]
fn a_live_call_shows_where_it_stands() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial("+15550100");
    assert_eq!(live(&mut rig).state, LiveState::Flow);
    rig.advance_ms(1000);
    rig.finish_prompt();
    let ringing = live(&mut rig);
    assert_eq!(ringing.state, LiveState::Ringing);
    assert_eq!(ringing.queue.unwrap().as_str(), "sales");
    assert_eq!(ringing.agent.unwrap().as_str(), "alice");
    assert_eq!(ringing.duration_ms, 1000);
    rig.caller_hangs_up(&mut call);
    assert_eq!(live(&mut rig).state, LiveState::Ending, "the CANCEL is not answered yet");
    rig.finish();
}

#[test]
fn another_tenants_call_is_not_found() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let id = rig.last_call();
    for request in [
        ApiRequest::Call { call: id },
        ApiRequest::Ladder { call: id },
        ApiRequest::Why { call: id },
        ApiRequest::EndCall { call: id },
    ] {
        assert_eq!(rig.request("globex", request).unwrap_err(), ApiError::NotFound);
    }
    let nobodys = ApiRequest::Call { call: CallId::from_u128(1) };
    assert_eq!(rig.request("acme", nobodys).unwrap_err(), ApiError::NotFound);
    assert!(matches!(rig.request("acme", ApiRequest::Call { call: id }), Ok(ApiReply::Call(_))));
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_live_calls_ladder_and_reasons_can_be_read() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, _) = rig.ring_alice();
    let id = rig.last_call();
    let Ok(ApiReply::Ladder(ladder)) = rig.request("acme", ApiRequest::Ladder { call: id }) else {
        panic!("a ladder");
    };
    assert_eq!(ladder.len(), 6);
    let Ok(ApiReply::Why(decisions)) = rig.request("acme", ApiRequest::Why { call: id }) else {
        panic!("decisions");
    };
    let why = serde_json::to_value(&decisions).unwrap();
    assert_eq!(why[0]["decided"], "route");
    assert_eq!(why[0]["flow"], "main");
    assert_eq!(why[1]["decided"], "agent");
    assert_eq!(why[1]["agent"], "alice");
    let considered = why[1]["decision"]["considered"].to_string();
    assert!(considered.contains("less_idle") && considered.contains("bob"), "{considered}");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_agents_state_can_be_set_but_not_to_what_only_work_brings() {
    let mut rig = Rig::new();
    let set = |agent: &str, state| ApiRequest::SetAgentState {
        agent: AgentId::new(agent).unwrap(),
        state,
        reason: Some("lunch".to_owned()),
    };
    rig.register(ALICE, "alice");
    assert!(rig.request("acme", set("alice", AgentState::Break)).is_ok());
    let changed = rig.events_of("agent.state_changed");
    let last = changed.last().unwrap();
    assert_eq!((&last["state"], &last["reason"]), (&"break".into(), &"lunch".into()));
    assert!(matches!(
        rig.request("acme", set("alice", AgentState::Busy)),
        Err(ApiError::Conflict(_))
    ));
    let unknown = rig.request("acme", set("gina", AgentState::Break));
    assert_eq!(unknown.unwrap_err(), ApiError::NotFound);
    rig.finish();
}

#[test]
fn queues_show_who_waits() {
    let mut rig = Rig::new();
    let mut call = rig.dial_into_queue();
    rig.advance_ms(4000);
    let Ok(ApiReply::Queues(queues)) = rig.request("acme", ApiRequest::Queues) else {
        panic!("queues");
    };
    let sales = queues.iter().find(|queue| queue.id.as_str() == "sales").unwrap();
    assert_eq!((sales.waiting, sales.longest_wait_ms), (1, 4000));
    rig.caller_hangs_up(&mut call);
    rig.finish();
}
