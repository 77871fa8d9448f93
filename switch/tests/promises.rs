//! What the API is promised to hold from the next packet on is answered, and told, when the media
//! workers have obeyed.

use base::CallId;
use media::{Command, WorkerId};
use routing::Supervision;
use switch::{ApiError, ApiReply, ApiRequest, CaptureWish, Cause, EndedBy, Input, Limits, Side};

use crate::rig::{ALICE, BOB, DEMO, Rig, TRUNK, worker};

fn secure(call: CallId, on: bool) -> ApiRequest {
    ApiRequest::Secure { call, leg: Side::Customer, speech: on.then_some(false) }
}

/// The next worker that was asked to confirm does.
fn confirm(rig: &mut Rig) {
    let (_, order) = rig.confirms.remove(0);
    rig.media(media::Event::Confirmed { order });
}

fn connected() -> (Rig, crate::rig::Call, CallId) {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (live, _) = rig.connect_alice();
    let call = rig.last_call();
    rig.hold_confirms = true;
    (rig, live, call)
}

#[test]
fn a_secured_side_is_answered_and_told_when_its_worker_has_obeyed() {
    let (mut rig, mut live, call) = connected();
    let asked = rig.begin_request("acme", secure(call, true));
    let [.., Command::Mask { .. }, Command::Confirm { .. }] = &rig.commands[..] else {
        panic!("{:?}", rig.commands.last());
    };
    assert!(rig.reply(asked).is_none() && rig.events_of("call.secured").is_empty());
    // One more of the same waits as well, though there is nothing left to order.
    let again = rig.begin_request("acme", secure(call, true));
    assert!(rig.reply(again).is_none());
    confirm(&mut rig);
    assert!(matches!(rig.reply(asked), Some(Ok(ApiReply::Accepted))));
    assert_eq!(rig.events_of("call.secured").len(), 1);
    assert!(rig.reply(again).is_none());
    confirm(&mut rig);
    assert!(matches!(rig.reply(again), Some(Ok(ApiReply::Accepted))));
    assert_eq!(rig.events_of("call.secured").len(), 2);
    rig.caller_hangs_up(&mut live);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_worker_that_does_not_confirm_is_an_error_after_two_seconds_and_told_when_it_does() {
    let (mut rig, mut live, call) = connected();
    let asked = rig.begin_request("acme", secure(call, true));
    rig.advance_ms(1999);
    assert!(rig.reply(asked).is_none());
    rig.advance_ms(1);
    let Some(Err(ApiError::Refused { cause: Cause::Unavailable, .. })) = rig.reply(asked) else {
        panic!("no error");
    };
    assert!(rig.events_of("call.secured").is_empty(), "nothing is said that may not be so");
    confirm(&mut rig);
    assert_eq!(rig.events_of("call.secured").len(), 1);
    assert!(rig.reply(asked).is_none(), "answered once");
    // A call that ends meanwhile leaves nobody waiting.
    let last = rig.begin_request("acme", secure(call, false));
    rig.caller_hangs_up(&mut live);
    rig.confirm_bye(ALICE);
    rig.advance_ms(1000);
    assert!(matches!(rig.reply(last), Some(Err(ApiError::Conflict(_)))));
    assert!(rig.events_of("call.unsecured").is_empty());
    rig.finish();
}

#[test]
fn a_worker_that_ends_breaks_its_promises_and_ends_its_calls_at_once_and_gets_no_more() {
    let media = [0, 1].map(|id| worker(id, 20_000 + id * 1000..=20_099 + id * 1000));
    let mut rig = Rig::with_workers(DEMO, Limits::default(), media.to_vec());
    rig.register(ALICE, "alice");
    rig.connect_alice();
    let (first, gone) = (rig.last_call(), *rig.workers.last().unwrap());
    rig.dial_into_queue();
    let second = rig.last_call();
    assert_ne!(*rig.workers.last().unwrap(), gone, "each call has the idler worker");
    rig.hold_confirms = true;
    // Such as nobody answers any more: neither confirmations nor streams that are closed.
    rig.confirm_closed = false;
    let asked = rig.begin_request("acme", secure(first, true));
    let unharmed = rig.begin_request("acme", secure(second, true));
    rig.input(Input::MediaGone { worker: gone });
    let Some(Err(ApiError::Refused { cause: Cause::Unavailable, .. })) = rig.reply(asked) else {
        panic!("no error");
    };
    assert!(rig.reply(unharmed).is_none(), "the other worker's call is as it was");
    rig.confirm_bye(TRUNK);
    rig.confirm_bye(ALICE);
    let record = rig.records.iter().find(|record| record.call == first).unwrap();
    assert_eq!((record.cause, record.ended_by), (Cause::MediaFailed, EndedBy::Engine));
    rig.confirm_closed = true;
    // Who comes now comes to the worker that is left, though it has more to do.
    rig.dial_into_queue();
    assert_ne!(*rig.workers.last().unwrap(), gone);
    // When that one ends as well, nobody is taken any more.
    let left = *rig.workers.last().unwrap();
    rig.input(Input::MediaGone { worker: left });
    assert!(matches!(rig.reply(unharmed), Some(Err(ApiError::Refused { .. }))));
    rig.confirm_bye(TRUNK);
    rig.confirm_bye(TRUNK);
    let call = crate::rig::Call::new(&mut rig, TRUNK, "+15550100");
    rig.refuses(&call, &call.invite(), "SIP/2.0 503");
    rig.finish();
}

#[test]
fn mute_hold_capture_and_a_supervisors_role_are_answered_when_they_hold() {
    let provisioning = DEMO.replace(
        "agents = [\n",
        "agents = [\n{ id = \"sue\", password = \"sue-secret\", supervises = [\"sales\"] },\n",
    );
    let mut rig = Rig::with(&provisioning);
    rig.register(ALICE, "alice");
    rig.register(BOB, "sue");
    let (mut live, _) = rig.connect_alice();
    let call = rig.last_call();
    let agent: base::AgentId = "sue".parse().unwrap();
    let mode = Supervision::Listen;
    let asked = ApiRequest::Supervise { call, agent: agent.clone(), mode, of: None };
    rig.request("acme", asked).unwrap();
    let sue = crate::rig::Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &sue.respond("200 OK", Some(crate::rig::SDP_PCMU)));
    rig.expect(BOB, "ACK");
    rig.hold_confirms = true;
    let leg = base::LegId(2);
    let wish = CaptureWish {
        capture: media::CaptureId(7),
        leg: None,
        received: true,
        sent: true,
        payload: true,
        by: "ops".to_owned(),
    };
    let all = [
        (ApiRequest::ChangeSupervision { call, agent, mode: Supervision::Barge }, "Mix"),
        (ApiRequest::Mute { call, leg, muted: true }, "Mix"),
        (ApiRequest::HoldParticipant { call, leg, holds: true }, "Mix"),
        (ApiRequest::Capture { call, wish }, "Capture"),
    ];
    for (request, order) in all {
        let name = format!("{request:?}");
        let (events, before) = (rig.events.len(), rig.commands.len());
        let asked = rig.begin_request("acme", request);
        let ordered = &rig.commands[before..];
        assert!(matches!(ordered.last(), Some(Command::Confirm { .. })), "{name}: {ordered:?}");
        let is_it = |command: &Command| format!("{command:?}").starts_with(order);
        assert!(ordered.iter().any(is_it), "{name}: {ordered:?}");
        assert!(rig.reply(asked).is_none(), "{name}");
        let told = |rig: &Rig| {
            let kinds = ["call.supervision_changed", "call.muted", "call.held"];
            rig.events[events..].iter().filter(|e| kinds.contains(&e.kind.type_name())).count()
        };
        assert_eq!(told(&rig), 0, "{name}");
        confirm(&mut rig);
        assert!(matches!(rig.reply(asked), Some(Ok(_))), "{name}");
        assert_eq!(told(&rig), usize::from(order == "Mix"), "{name}");
    }
    rig.hold_confirms = false;
    rig.caller_hangs_up(&mut live);
    rig.confirm_bye(ALICE);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    rig.finish();
}

#[test]
fn every_worker_of_a_call_confirms() {
    let media = [0, 1].map(|id| worker(id, 20_000 + id * 1000..=20_099 + id * 1000));
    let provisioning = DEMO.replace(
        "password = \"alice-secret\",",
        "password = \"alice-secret\", call_waiting = true,",
    );
    let mut rig = Rig::with_workers(&provisioning, Limits::default(), media.to_vec());
    rig.register_both();
    // Two calls, one on each worker; Alice brings Bob into the first.
    let (mut live, _) = rig.connect_alice();
    let first = rig.last_call();
    let mut second = rig.agent_dials(BOB, "bob", "alice", "");
    let alice = crate::rig::Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("200 OK", Some(crate::rig::SDP_PCMU)));
    rig.expect(ALICE, "ACK");
    let ok = rig.expect_final(BOB);
    rig.agent_acks(&mut second, &ok);
    let other = rig.last_call();
    let merge = ApiRequest::Merge { call: first, other, ends_with_host: None };
    rig.request("acme", merge).unwrap();
    rig.confirm_bye(ALICE);
    rig.hold_confirms = true;
    let asked = rig.begin_request("acme", secure(first, true));
    let mut asked_of: Vec<WorkerId> = rig.confirms.iter().map(|(worker, _)| *worker).collect();
    asked_of.sort();
    assert_eq!(asked_of, [WorkerId(0), WorkerId(1)]);
    confirm(&mut rig);
    assert!(rig.reply(asked).is_none(), "one of two");
    confirm(&mut rig);
    assert!(matches!(rig.reply(asked), Some(Ok(ApiReply::Accepted))));
    rig.hold_confirms = false;
    rig.caller_hangs_up(&mut live);
    rig.advance_ms(200_000);
}
