//! Provisional responses that must arrive (RFC 3262), to callers and from trunks.

use switch::Cause;

use crate::rig::{ALICE, BOB, Phone, Rig, SDP_PCMU, answer, header};

#[test]
fn a_phone_that_requires_100rel_gets_its_ringing_again_until_it_acknowledges() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut alice = rig.agent_dials(ALICE, "alice", "bob", "Require: 100rel\r\n");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    assert_eq!(header(&ringing, "Require"), "100rel");
    rig.advance_ms(1600);
    assert_eq!(rig.count(ALICE, "SIP/2.0 180"), 3, "at 0, 0.5 and 1.5 s");
    let again = rig.expect(ALICE, "SIP/2.0 180");
    assert_eq!(header(&again, "RSeq"), header(&ringing, "RSeq"));
    rig.expect(ALICE, "SIP/2.0 180");

    let invite_cseq = alice.cseq;
    let mut prack = alice.clone();
    prack.method = sip::Method::Prack;
    prack.to_tag = ringing.to_tag().unwrap().to_owned();
    prack.cseq += 1;
    prack.body = None;
    prack.extra = format!("RAck: {} {invite_cseq} INVITE\r\n", header(&ringing, "RSeq"));
    rig.send(ALICE, &prack.text(None));
    rig.expect(ALICE, "SIP/2.0 200");
    rig.advance_ms(5000);
    rig.expect_silence(ALICE);

    rig.phone_answers(&bob);
    rig.agent_is_answered(&mut alice);
    alice.cseq += 1;
    alice.extra.clear();
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(BOB);
    rig.advance_ms(40_000);
    rig.finish();
}

#[test]
fn a_caller_that_never_acknowledges_is_refused_and_the_phone_stops_ringing() {
    let mut rig = Rig::new();
    rig.register_both();
    let alice = rig.agent_dials(ALICE, "alice", "bob", "Require: 100rel\r\n");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    while rig.count(BOB, "CANCEL") == 0 {
        rig.advance_ms(100);
    }
    rig.confirm_cancel(&bob);
    while rig.count(ALICE, "SIP/2.0 4") + rig.count(ALICE, "SIP/2.0 5") == 0 {
        rig.advance_ms(100);
    }
    let refused = loop {
        let message = rig.expect(ALICE, "SIP/2.0 ");
        if message.status().unwrap().as_u16() >= 300 && header(&message, "CSeq").ends_with("INVITE")
        {
            break message;
        }
    };
    rig.send(ALICE, &alice.ack(&refused));
    rig.advance_ms(40_000);
    assert_eq!(rig.record().cause, Cause::Timeout);
    rig.finish();
}

#[test]
fn a_reliable_ringing_of_a_phone_is_acknowledged_once_and_its_call_goes_on_in_that_dialog() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    assert!(header(&alice.invite, "Supported").contains("100rel"));
    let ringing = alice
        .respond("180 Ringing", None)
        .replace("Contact:", "Require: 100rel\r\nRSeq: 4711\r\nContact:");
    rig.send(ALICE, &ringing);
    rig.send(ALICE, &ringing);
    let prack = rig.expect(ALICE, "PRACK");
    assert_eq!(header(&prack, "RAck"), "4711 1 INVITE");
    assert_eq!(header(&prack, "CSeq"), "2 PRACK");
    rig.send(ALICE, &answer(&prack, ALICE, "200 OK", "", None));
    rig.expect_silence(ALICE);
    rig.phone_answers(&alice);
    rig.caller_hangs_up(&mut call);
    let bye = rig.expect(ALICE, "BYE");
    assert_eq!(header(&bye, "CSeq"), "3 BYE");
    rig.send(ALICE, &answer(&bye, ALICE, "200 OK", "", None));
    rig.advance_ms(40_000);
    rig.finish();
}

#[test]
fn a_phone_that_answered_in_its_acknowledged_ringing_need_not_do_so_again() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let progress = alice
        .respond("183 Session Progress", Some(SDP_PCMU))
        .replace("Contact:", "Require: 100rel\r\nRSeq: 1\r\nContact:");
    rig.send(ALICE, &progress);
    rig.confirm(ALICE, "PRACK");
    rig.send(ALICE, &alice.respond("200 OK", None));
    rig.expect(ALICE, "ACK");
    rig.expect_silence(ALICE);
    assert_eq!(rig.events_of("call.connected").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(40_000);
    rig.finish();
}
