//! Callers who give up: before the answer, in the greeting, in the queue, while an agent rings.

use switch::{Cause, EndedBy};

use crate::rig::{ALICE, BOB, Call, Rig, SDP_PCMU, TRUNK};

#[test]
fn a_cancel_before_the_answer_is_a_487_and_an_abandoned_call() {
    let mut rig = Rig::new();
    rig.hold_streams = true;
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    let refused = rig.expect(TRUNK, "SIP/2.0 487");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::CallerAbandoned, EndedBy::Caller));
    assert_eq!(record.answered_at, None);
    assert_eq!(rig.story(record.call), ["call.started", "call.routed", "call.ended"]);
    rig.finish();
}

#[test]
fn a_stream_that_opens_after_the_cancel_does_not_answer_the_call() {
    let mut rig = Rig::new();
    rig.hold_streams = true;
    rig.confirm_closed = false;
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    rig.send(TRUNK, &call.cancel());
    let stream = rig.streams()[0];
    rig.media(media::Event::Opened { stream });
    assert_eq!(rig.count(TRUNK, "SIP/2.0 200 OK"), 1, "the CANCEL's own 200 only");
    rig.media(media::Event::Closed { stream, stats: crate::rig::stats() });
    assert_eq!(rig.events_of("call.answered").len(), 0);
    rig.finish();
}

#[test]
fn a_cancel_that_comes_after_the_200_changes_nothing() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    assert!(rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn hanging_up_in_the_greeting_ends_the_call() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    rig.caller_hangs_up(&mut call);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::CallerAbandoned, EndedBy::Caller));
    assert_eq!((record.queue.clone(), record.agent.clone()), (None, None));
    rig.finish();
}

#[test]
fn hanging_up_in_the_queue_takes_the_call_out_of_it() {
    let mut rig = Rig::new();
    let mut call = rig.dial_into_queue();
    rig.advance_ms(7000);
    rig.caller_hangs_up(&mut call);
    let record = rig.record();
    assert_eq!((record.cause, record.talk), (Cause::CallerAbandoned, None));
    assert_eq!(record.wait.as_millis(), 7000);
    rig.register(ALICE, "alice");
    rig.expect_silence(ALICE);
    rig.finish();
}

#[test]
fn hanging_up_while_an_agent_rings_cancels_the_agent_who_is_free_again() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.ring_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&phone);
    let record = rig.record();
    assert_eq!(record.cause, Cause::CallerAbandoned);
    let why = serde_json::to_string(&record.decisions).unwrap();
    assert!(why.contains(r#""outcome":"withdrawn""#), "{why}");
    let mut again = rig.dial_into_queue();
    rig.expect(ALICE, "INVITE");
    rig.caller_hangs_up(&mut again);
    rig.finish();
}

#[test]
fn a_caller_who_hangs_up_as_the_agent_answers_leaves_no_connected_call() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    let bye = call.next("BYE", None);
    rig.send(TRUNK, &bye);
    rig.send(ALICE, &phone.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(TRUNK, "SIP/2.0 200");
    rig.expect(ALICE, "CANCEL");
    rig.expect(ALICE, "ACK");
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.expect_silence(BOB);
    rig.finish();
}

#[test]
fn a_bye_before_the_ack_ends_the_call() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    call.to_tag = ok.to_tag().unwrap().to_owned();
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}
