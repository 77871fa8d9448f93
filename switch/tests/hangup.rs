//! Ending a call that is up: BYE from either side, from both at once, from the API; the agent's
//! wrap-up; transports that close.

use media::Command;
use switch::{ApiRequest, Cause, EndedBy, Input};

use crate::rig::{ALICE, Asked, Call, Phone, Rig, SDP_PCMU, TRUNK, answer, header};

#[test]
fn the_callers_bye_hangs_up_the_agent() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.advance_ms(3000);
    rig.caller_hangs_up(&mut call);
    let bye = rig.expect(ALICE, "BYE sip:phone@127.0.0.11:5060");
    assert!(header(&bye, "Reason").contains("cause=16"));
    rig.send(ALICE, &answer(&bye, ALICE, "200 OK", "", None));
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Caller));
    assert_eq!(record.talk.unwrap().as_millis(), 3000);
    rig.finish();
}

#[test]
fn both_hanging_up_at_once_is_one_end_and_every_bye_is_answered() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    let crossing = phone.next("BYE", None);
    rig.send(ALICE, &crossing);
    let ours = rig.expect(ALICE, "BYE");
    rig.expect(ALICE, "SIP/2.0 200");
    let gone = answer(&ours, ALICE, "481 Call/Transaction Does Not Exist", "", None);
    rig.send(ALICE, &gone);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Caller));
    rig.finish();
}

#[test]
fn a_phone_that_never_answers_the_bye_holds_the_record_up_for_two_seconds_only() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(1900);
    assert!(rig.records.is_empty());
    rig.advance_ms(200);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.advance_ms(40_000);
    assert!(rig.count(ALICE, "BYE") > 5, "the transaction goes on without the call");
    rig.finish();
}

#[test]
fn a_worker_that_never_says_closed_holds_the_record_up_for_two_seconds_only() {
    let mut rig = Rig::new();
    rig.confirm_closed = false;
    let mut call = rig.dial("+15550100");
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(2100);
    assert_eq!(rig.record().legs[0].stats, None);
    assert_eq!(rig.switch.sizes().streams, 1, "its port is not given to anybody else");
    let stream = rig.streams()[0];
    rig.media(media::Event::Closed { stream, stats: crate::rig::stats() });
    rig.finish();
}

#[test]
fn the_api_ends_a_call_with_a_bye_to_both() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    rig.connect_alice();
    let call = rig.last_call();
    rig.request("acme", ApiRequest::EndCall { call }).unwrap();
    rig.confirm_bye(TRUNK);
    rig.confirm_bye(ALICE);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::ApiRequest, EndedBy::Api));
    rig.finish();
}

#[test]
fn the_api_ends_a_call_whose_ack_is_missing_only_after_that_ack() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let id = rig.last_call();
    rig.request("acme", ApiRequest::EndCall { call: id }).unwrap();
    rig.expect_silence(TRUNK);
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::ApiRequest);
    rig.finish();
}

#[test]
fn the_recording_stops_before_the_streams_close() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let at = |wanted: fn(&Command) -> bool| rig.commands.iter().position(wanted).unwrap();
    let untap = at(|command| matches!(command, Command::Untap { .. }));
    let close = at(|command| matches!(command, Command::Close { .. }));
    assert!(untap < close);
    assert!(rig.record().recording.is_some());
    rig.finish();
}

#[test]
fn a_queue_that_does_not_record_leaves_no_recording() {
    let mut rig = Rig::new();
    rig.register(crate::rig::BOB, "bob");
    let mut call = rig.dial("+15550101");
    let phone = Phone::new(crate::rig::BOB, rig.expect(crate::rig::BOB, "INVITE"));
    rig.phone_answers(&phone);
    assert!(rig.recordings.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(crate::rig::BOB);
    assert_eq!(rig.record().recording, None);
    rig.finish();
}

#[test]
fn a_talking_agent_whose_connection_closes_ends_the_call() {
    let mut rig = Rig::new();
    rig.tcp.push((ALICE, 7));
    rig.register(ALICE, "alice");
    let (_, _) = rig.connect_alice();
    let flow = rig.flow(ALICE);
    rig.input(Input::FlowClosed { flow });
    rig.confirm_bye(TRUNK);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::TransportFailed, EndedBy::Engine));
    assert_eq!(rig.events_of("agent.unregistered").len(), 1);
    rig.finish();
}

#[test]
fn a_ringing_agent_whose_connection_closes_is_left_and_the_caller_waits_on() {
    let mut rig = Rig::new();
    rig.tcp.push((ALICE, 7));
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.ring_alice();
    let flow = rig.flow(ALICE);
    rig.input(Input::FlowClosed { flow });
    let failed = rig.events_of("call.attempt_failed");
    assert_eq!(failed[0]["why"], "unreachable");
    assert!(rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_unknown_stream_or_transaction_is_ignored_and_counted() {
    let mut rig = Rig::new();
    let before = rig.switch.ignored();
    rig.media(media::Event::Opened { stream: media::StreamId(999) });
    rig.send(
        TRUNK,
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nCSeq: 1 BYE\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: stray\r\n\r\n",
    );
    rig.send(TRUNK, "not SIP at all");
    assert!(rig.switch.ignored() >= before + 2);
    rig.finish();
}

#[test]
fn a_call_that_was_refused_is_not_remembered_by_its_connection() {
    let mut rig = Rig::new();
    rig.tcp.push((ALICE, 7));
    rig.register(ALICE, "alice");
    let mut refused = Asked::new(&mut rig, ALICE, sip::Method::Invite, "nobody");
    refused.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    let refusal = rig.ask(&refused);
    assert_eq!(refusal.status().unwrap().as_u16(), 404);
    rig.send(ALICE, &refused.ack(&refusal));
    // And one to her, which her phone refuses; the connection stays.
    let (mut call, phone) = rig.ring_alice();
    rig.send(ALICE, &phone.respond("486 Busy Here", None));
    rig.expect(ALICE, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn the_connection_of_one_of_two_phones_closes_and_the_other_one_rings_on() {
    let second: std::net::SocketAddr = "127.0.0.21:5060".parse().unwrap();
    let mut rig = Rig::new();
    rig.tcp.push((second, 9));
    rig.register(ALICE, "alice");
    rig.register(second, "alice");
    let mut call = rig.dial_into_queue();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.expect(second, "INVITE");
    rig.send(ALICE, &phone.respond("180 Ringing", None));
    let flow = rig.flow(second);
    rig.input(Input::FlowClosed { flow });
    rig.phone_answers(&phone);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_caller_whose_connection_closes_before_the_ack_and_who_cannot_be_reached_leaves_no_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    rig.tcp.push((TRUNK, 7));
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    let invite =
        call.invite().replace("carrier@127.0.0.2:5060", "carrier@127.0.0.2:5060;transport=tcp");
    rig.send(TRUNK, &invite);
    rig.expect(TRUNK, "SIP/2.0 200");
    rig.finish_prompt();
    let flow = rig.flow(TRUNK);
    rig.input(Input::FlowClosed { flow });
    let mut phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&phone);
    rig.send(ALICE, &phone.next("BYE", None));
    rig.expect(ALICE, "SIP/2.0 200");
    // The ACK is waited for, then nobody can be told.
    rig.advance(base::Duration::from_secs(33));
    rig.input(Input::FlowClosed { flow });
    rig.advance(base::Duration::from_secs(5));
    assert_eq!(rig.record().ended_by, EndedBy::Agent);
    rig.finish();
}
