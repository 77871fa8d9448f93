//! What remains of attacks on signalling: loops, races, numbers written to look like others, what
//! our answers give away. Each beside a call that must not notice.

use sip::Name;
use switch::{ApiReply, ApiRequest, Cause, EndedBy, SecurityKind};

use crate::rig::{
    ALICE, Asked, BOB, Call, DEMO, Phone, Rig, SDP_PCMU, STRANGER, TRUNK, answer, header,
};

#[test]
fn a_call_that_comes_back_with_its_own_call_id_is_482_and_one_event() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    for n in 0..5 {
        let mut looped = call.clone();
        looped.to_tag = String::new();
        looped.branch = format!("z9hG4bK-loop-{n}");
        looped.from_tag = format!("other-{n}");
        looped.cseq = 1;
        let invite = looped.invite();
        rig.send(TRUNK, &invite);
        let refused = rig.expect(TRUNK, "SIP/2.0 482");
        rig.send(TRUNK, &looped.ack_refusal(&refused));
    }
    let loops = rig.security.iter().filter(|event| event.kind == SecurityKind::Loop).count();
    assert_eq!(loops, 1);
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.records.len(), 1, "one call, one record");
    rig.finish();
}

#[test]
fn a_copy_of_an_invite_by_another_way_is_482_and_no_second_call() {
    let mut rig = Rig::new();
    rig.hold_streams = true;
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let copy = call.invite().replace(&call.branch, "z9hG4bK-another-way");
    rig.send(TRUNK, &copy);
    rig.expect(TRUNK, "SIP/2.0 482");
    let stream = rig.streams()[0];
    rig.hold_streams = false;
    rig.media(media::Event::Opened { stream });
    rig.caller_is_answered(&mut call);
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn a_cancel_that_crosses_our_200_leaves_the_call_up_until_it_is_hung_up() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    assert!(rig.records.is_empty(), "a CANCEL after the final response does nothing");
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.caller_hangs_up(&mut call);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::CallerAbandoned, EndedBy::Caller));
    rig.finish();
}

#[test]
fn a_bye_that_crosses_a_reinvite_ends_the_call_once() {
    for bye_first in [true, false] {
        let mut rig = Rig::new();
        rig.register(ALICE, "alice");
        let (mut call, _phone) = rig.connect_alice();
        let reinvite = call.next("INVITE", Some(SDP_PCMU));
        let bye = call.next("BYE", None);
        let texts = if bye_first { [&bye, &reinvite] } else { [&reinvite, &bye] };
        for text in texts {
            rig.send(TRUNK, text);
        }
        rig.confirm_bye(ALICE);
        rig.advance_ms(33_000);
        assert_eq!(rig.records.len(), 1, "bye first: {bye_first}");
        assert_eq!(rig.record().cause, Cause::Normal);
        rig.finish();
    }
}

#[test]
fn both_sides_hanging_up_at_once_is_one_end() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    let bye = call.next("BYE", None);
    rig.send(TRUNK, &bye);
    let bye = phone.next("BYE", None);
    rig.send(ALICE, &bye);
    rig.advance_ms(33_000);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn however_a_number_is_written_it_is_one_number_and_one_policy() {
    let mut rig = Rig::new();
    for written in ["+15550100", "%2b15550100", "%2B1%35550100", "+1-555-0100", "+1(555)0100"] {
        let mut call = rig.dial(written);
        rig.caller_hangs_up(&mut call);
    }
    assert!(rig.records.iter().all(|record| record.number.as_deref() == Some("+15550100")));
    let reached = rig.records.len();
    // What is none of ours reaches nobody, whatever it is dressed as.
    for written in
        ["+1900555000", "%2b1900555000", "00%31900555000", "+15550100%00", "1;x=+15550100"]
    {
        let call = Call::new(&mut rig, TRUNK, written);
        rig.send(TRUNK, &call.invite());
        let refused = rig.expect_final(TRUNK);
        let status = refused.status().unwrap().as_u16();
        assert!((400..500).contains(&status), "{written}: {status}");
        rig.send(TRUNK, &call.ack_refusal(&refused));
    }
    assert_eq!(rig.records.len(), reached);
    assert!(rig.sent.iter().all(|(to, _)| *to == TRUNK), "nobody was called");
    rig.finish();
}

#[test]
fn our_challenges_and_ladders_hold_no_password_and_no_answer_that_could_be_used_again() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut asked = Asked::new(&mut rig, ALICE, sip::Method::Message, "bob");
    rig.ask_as(&mut asked, "alice", "alice-secret");
    for (_, message) in &rig.sent {
        let text = String::from_utf8_lossy(message.bytes()).into_owned();
        assert!(!text.contains("secret") && !text.contains("response="), "{text}");
    }
    rig.finish();
}

#[test]
fn a_challenge_by_a_phone_is_never_answered() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let invite = rig.expect(ALICE, "INVITE");
    let challenge = answer(&invite, ALICE, "407 Proxy Authentication Required", "x", None).replace(
        "Contact:",
        "Proxy-Authenticate: Digest realm=\"acme.example\", nonce=\"1\"\r\nContact:",
    );
    rig.send(ALICE, &challenge);
    rig.expect(ALICE, "ACK");
    assert!(rig.sent.iter().all(|(_, m)| m.header(Name::PROXY_AUTHORIZATION).is_none()));
    assert_eq!(rig.count(ALICE, "INVITE"), 1);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn what_anybody_may_ask_is_answered_to_anybody_alike() {
    let mut answers = Vec::new();
    for at in [STRANGER, ALICE, "203.0.113.8:5060".parse().unwrap()] {
        let mut rig = Rig::new();
        let mut probe = Call::new(&mut rig, at, "alice");
        let options = probe.next("OPTIONS", None);
        rig.send(at, &options);
        let ok = rig.expect(at, "SIP/2.0 200");
        answers.push((header(&ok, "Allow"), header(&ok, "Accept"), header(&ok, "Allow-Events")));
        assert_eq!(rig.switch.sizes().server_transactions, 0);
        rig.finish();
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn while_it_drains_probes_hear_that_somebody_else_should_be_asked() {
    let mut rig = Rig::new();
    rig.input(switch::Input::Drain);
    let mut probe = Call::new(&mut rig, TRUNK, "");
    let options = probe.next("OPTIONS", None).replace("sip:@", "sip:");
    rig.send(TRUNK, &options);
    let busy = rig.expect(TRUNK, "SIP/2.0 503");
    assert_eq!(header(&busy, "Retry-After"), "30");
    rig.finish();
}

#[test]
fn after_a_flood_of_every_kind_everything_is_gone_at_32_s_and_the_canary_has_its_record() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut canary, _phone) = rig.connect_alice();
    let before = rig.switch.sizes();
    for n in 0..5_000_usize {
        let at = if n % 3 == 0 { TRUNK } else { STRANGER };
        let mut flood = Call::new(&mut rig, at, if n % 2 == 0 { "+15559999" } else { "alice" });
        if n % 7 == 0 {
            flood.to_tag = "guess".to_owned();
        }
        let method = ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "BYE", "CANCEL", "ACK"][n % 7];
        let text = flood.next(method, None);
        rig.send(at, &text);
    }
    rig.advance_ms(35_000);
    let after = rig.switch.sizes();
    assert_eq!(
        after.server_transactions,
        before.server_transactions.min(after.server_transactions)
    );
    assert_eq!(
        (after.calls, after.index, after.streams),
        (before.calls, before.index, before.streams)
    );
    let Ok(ApiReply::Calls(live)) = rig.request("acme", ApiRequest::ListLive) else {
        panic!("calls");
    };
    assert_eq!(live.len(), 1, "the canary");
    rig.wire.clear();
    rig.caller_hangs_up(&mut canary);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    assert!(rig.security.len() < 12, "events, not a log flood: {}", rig.security.len());
    rig.finish();
}

#[test]
fn a_forward_over_the_api_goes_nowhere_the_agent_may_not_dial() {
    let text =
        DEMO.replacen("available_on_register", "may_dial = \"internal\", available_on_register", 1);
    let mut rig = Rig::with(&text);
    let alice = base::AgentId::new("alice").unwrap();
    let set = |to: &str| {
        let forward = routing::Forward { always: Some(to.to_owned()), ..Default::default() };
        ApiRequest::SetForward { agent: alice.clone(), forward }
    };
    for to in ["+1900555000", "001900555000", "sip:x@203.0.113.5"] {
        assert!(rig.request("acme", set(to)).is_err(), "{to}");
    }
    rig.request("acme", set("bob")).unwrap();
    assert!(rig.request("globex", set("gina")).is_err(), "another tenant's agent");
    let Ok(ApiReply::Forward(forward)) =
        rig.request("acme", ApiRequest::Forward { agent: alice.clone() })
    else {
        panic!("a forward");
    };
    assert_eq!(forward.always.as_deref(), Some("bob"));
    rig.finish();
}

#[test]
fn an_agent_who_wants_no_calls_is_rung_by_no_queue() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let agent = base::AgentId::new("alice").unwrap();
    let set = |on| ApiRequest::SetDoNotDisturb { agent: agent.clone(), on };
    rig.request("acme", set(true)).unwrap();
    let mut call = rig.dial_into_queue();
    rig.expect_silence(ALICE);
    rig.request("acme", set(false)).unwrap();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let busy = phone.respond("486 Busy Here", None);
    rig.send(ALICE, &busy);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_forward_that_was_set_over_the_api_is_followed() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let forward = routing::Forward { always: Some("+15550102".to_owned()), ..Default::default() };
    let bob = base::AgentId::new("bob").unwrap();
    rig.request("acme", ApiRequest::SetForward { agent: bob, forward }).unwrap();
    let mut asked = Asked::new(&mut rig, ALICE, sip::Method::Invite, "bob");
    asked.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    let answered = rig.ask_as(&mut asked, "alice", "alice-secret");
    assert_eq!(answered.status().unwrap().as_u16(), 200, "by the number's flow");
    let ack = asked.ack(&answered);
    rig.send(ALICE, &ack);
    assert_eq!(rig.count(BOB, "INVITE"), 0);
    rig.input(switch::Input::EndCalls);
    rig.wire.clear();
    rig.finish();
}
