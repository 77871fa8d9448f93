//! Requests in early dialogs (RFC 3311): of callers who hear us ring, and of those who ring for us.

use media::Command;
use switch::{Cause, EndedBy, SecurityKind};

use crate::rig::{
    ALICE, Asked, BOB, OUT, Phone, Rig, SDP_PCMU, SDP_VIDEO, STRANGER, calls_out, header, sdp,
};

/// Alice's call to a number outside, at the carrier.
fn ringing_outside() -> (Rig, Asked, Phone) {
    let mut rig = Rig::with(&calls_out("early_media = true"));
    rig.register_both();
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "Supported: 100rel\r\n");
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    (rig, alice, carrier)
}

fn ports(rig: &Rig) -> Vec<u16> {
    let port = |command: &Command| match command {
        Command::SetRemote { remote, .. } => Some(remote.rtp.port()),
        _ => None,
    };
    rig.commands.iter().filter_map(port).collect()
}

/// A request of Alice's in the dialog that our provisional response made.
fn early(alice: &mut Asked, method: sip::Method, tag: &str, sdp: Option<&str>) -> String {
    alice.cseq += 1;
    let mut next = alice.clone();
    next.method = method;
    next.to_tag = tag.to_owned();
    next.body = sdp.map(|sdp| ("application/sdp".to_owned(), sdp.to_owned()));
    next.extra = String::new();
    next.text(None)
}

fn refuse_and_finish(mut rig: Rig, alice: &Asked, invite_cseq: u32, carrier: &Phone) {
    rig.send(OUT, &carrier.respond("486 Busy Here", None));
    let refused = rig.expect_final(ALICE);
    let mut invite = alice.clone();
    invite.cseq = invite_cseq;
    rig.send(ALICE, &invite.ack(&refused));
    rig.finish();
}

#[test]
fn a_carriers_update_before_the_answer_is_200_and_moves_the_early_media() {
    let (mut rig, alice, mut carrier) = ringing_outside();
    rig.send(OUT, &carrier.respond("180 Ringing", None));
    let update = carrier.next("UPDATE", None);
    rig.send(OUT, &update);
    let ok = rig.expect(OUT, "SIP/2.0 200");
    assert!(header(&ok, "Contact").contains("127.0.0.1:5060"));
    // Our offer has no answer yet: no other one beside it.
    let update = carrier.next("UPDATE", Some(SDP_PCMU));
    rig.send(OUT, &update);
    rig.expect(OUT, "SIP/2.0 491");
    rig.send(OUT, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    let moved = sdp("sendrecv", 2).replace("m=audio 40000", "m=audio 45000");
    let update = carrier.next("UPDATE", Some(&moved));
    rig.send(OUT, &update);
    let ok = rig.expect(OUT, "SIP/2.0 200");
    assert!(String::from_utf8_lossy(&ok.body()).contains("m=audio "));
    assert_eq!(ports(&rig).last(), Some(&45_000));
    let update = carrier.next("UPDATE", Some(SDP_VIDEO));
    rig.send(OUT, &update);
    let refused = rig.expect(OUT, "SIP/2.0 488");
    assert!(header(&refused, "Warning").starts_with("305 "));
    assert_eq!(ports(&rig).last(), Some(&45_000));
    // An old number, another dialog, and what nobody who is called may do.
    let mut old = carrier.clone();
    old.cseq = 90;
    let update = old.next("UPDATE", None);
    rig.send(OUT, &update);
    rig.expect(OUT, "SIP/2.0 500");
    for method in ["OPTIONS", "INFO"] {
        let request = carrier.next(method, None);
        rig.send(OUT, &request);
        rig.expect(OUT, "SIP/2.0 200");
    }
    let bye = carrier.next("BYE", None);
    rig.send(OUT, &bye);
    rig.expect(OUT, "SIP/2.0 481");
    rig.wire.clear();
    refuse_and_finish(rig, &alice, alice.cseq, &carrier);
}

#[test]
fn an_update_by_a_stranger_in_an_early_dialog_is_481_and_moves_nothing() {
    let (mut rig, alice, mut carrier) = ringing_outside();
    rig.send(OUT, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    let before = ports(&rig);
    let update = carrier.next("UPDATE", Some(&SDP_PCMU.replace("40000", "46000")));
    rig.send(STRANGER, &update);
    rig.expect(STRANGER, "SIP/2.0 481");
    assert_eq!(ports(&rig), before);
    assert!(rig.security.iter().any(|event| event.kind == SecurityKind::DialogHijack));
    rig.wire.clear();
    refuse_and_finish(rig, &alice, alice.cseq, &carrier);
}

#[test]
fn after_the_refusal_or_the_answer_the_other_early_dialogs_are_gone() {
    let (mut rig, mut alice, carrier) = ringing_outside();
    let mut other = carrier.clone();
    other.tag = "other-branch".to_owned();
    for branch in [&carrier, &other] {
        rig.send(OUT, &branch.respond("180 Ringing", None));
    }
    let update = other.next("UPDATE", None);
    rig.send(OUT, &update);
    rig.expect(OUT, "SIP/2.0 200");
    rig.phone_answers(&carrier);
    let update = other.next("UPDATE", None);
    rig.send(OUT, &update);
    rig.expect(OUT, "SIP/2.0 481");
    rig.wire.retain(|(flow, _)| flow.remote == ALICE);
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut alice, &ok);
    alice.extra.clear();
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(OUT);
    rig.finish();
}

#[test]
fn a_callers_update_before_the_answer_is_taken_when_its_offer_has_been_answered() {
    let (mut rig, mut alice, carrier) = ringing_outside();
    let invite_cseq = alice.cseq;
    rig.send(OUT, &carrier.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    let tag = ringing.to_tag().unwrap().to_owned();
    let text = early(&mut alice, sip::Method::Update, &tag, None);
    rig.send(ALICE, &text);
    assert!(header(&rig.expect(ALICE, "SIP/2.0 200"), "Contact").contains("strowger"));
    let text = early(&mut alice, sip::Method::Update, &tag, Some(SDP_PCMU));
    rig.send(ALICE, &text);
    let early_yet = rig.expect(ALICE, "SIP/2.0 500");
    assert!(header(&early_yet, "Retry-After").parse::<u32>().unwrap() <= 10);
    rig.send(OUT, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    rig.expect(ALICE, "SIP/2.0 183");
    let moved = sdp("sendrecv", 2).replace("m=audio 40000", "m=audio 47000");
    let text = early(&mut alice, sip::Method::Update, &tag, Some(&moved));
    rig.send(ALICE, &text);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(ports(&rig).last(), Some(&47_000));
    assert!(!ok.body().is_empty());
    let mut old = alice.clone();
    old.cseq -= 2;
    let text = early(&mut old, sip::Method::Options, &tag, None);
    rig.send(ALICE, &text);
    rig.expect(ALICE, "SIP/2.0 500");
    let text = early(&mut alice, sip::Method::Invite, &tag, Some(SDP_PCMU));
    rig.send(ALICE, &text);
    let refused = rig.expect_final(ALICE);
    assert_eq!(refused.status().unwrap().as_u16(), 500, "one INVITE at a time");
    let mut second = alice.clone();
    second.to_tag = tag;
    rig.send(ALICE, &second.ack(&refused));
    rig.wire.clear();
    refuse_and_finish(rig, &alice, invite_cseq, &carrier);
}

#[test]
fn a_callers_bye_before_the_answer_gives_the_call_up() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let invite = alice.clone();
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    let tag = ringing.to_tag().unwrap().to_owned();
    let bye = early(&mut alice, sip::Method::Bye, &tag, None);
    rig.send(ALICE, &bye);
    rig.expect(ALICE, "SIP/2.0 200");
    let refused = rig.expect(ALICE, "SIP/2.0 487");
    rig.send(ALICE, &invite.ack(&refused));
    rig.confirm_cancel(&bob);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::CallerAbandoned, EndedBy::Caller));
    rig.finish();
}

#[test]
fn a_phone_that_rings_may_say_something_in_its_early_dialog_and_a_stranger_takes_the_password() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let mut phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &phone.respond("180 Ringing", None));
    let update = phone.next("UPDATE", None);
    rig.send(ALICE, &update);
    rig.expect(ALICE, "SIP/2.0 200");
    let update = phone.next("UPDATE", None);
    rig.send(STRANGER, &update);
    rig.expect(STRANGER, "SIP/2.0 407");
    rig.send(ALICE, &phone.respond("486 Busy Here", None));
    rig.expect(ALICE, "ACK");
    let update = phone.next("UPDATE", None);
    rig.send(ALICE, &update);
    rig.expect(ALICE, "SIP/2.0 481");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_answer_of_a_phone_in_its_early_dialog_goes_on_with_its_numbers() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.ring_alice();
    let update = phone.next("UPDATE", None);
    rig.send(ALICE, &update);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.phone_answers(&phone);
    let mut old = phone.clone();
    old.cseq -= 1;
    rig.send(ALICE, &old.next("INFO", None).replace("z9hG4bK-", "z9hG4bK-again-"));
    rig.expect(ALICE, "SIP/2.0 200");
    old.cseq -= 2;
    rig.send(ALICE, &old.next("INFO", None).replace("z9hG4bK-", "z9hG4bK-old-"));
    rig.expect(ALICE, "SIP/2.0 500");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}
