//! Why a call ends, carried from one side to the other in CANCEL, BYE and final responses (RFC 3326,
//! RFC 3398), and kept in its record.

use std::net::SocketAddr;

use sip::{Message, Name};
use switch::{Cause, EndedBy};

use crate::rig::{ALICE, BOB, OUT, Phone, Rig, TRUNK, address, answer, calls_out, header};

/// Alice's other phone.
const SOFT: SocketAddr = address([127, 0, 0, 31], 5060);

fn rig() -> Rig {
    let mut rig = Rig::with(&calls_out(""));
    rig.register_both();
    rig
}

fn with(text: &str, reason: &str) -> String {
    text.replacen("Max-Forwards", &format!("Reason: {reason}\r\nMax-Forwards"), 1)
}

fn reasons(message: &Message) -> Vec<String> {
    message.list(Name::REASON).map(str::to_owned).collect()
}

/// Alice rings the carrier, which rings.
fn ringing(rig: &mut Rig) -> (crate::rig::Asked, Phone) {
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &out.respond("180 Ringing", None));
    rig.expect(ALICE, "SIP/2.0 180");
    (alice, out)
}

fn talking(rig: &mut Rig) -> (crate::rig::Asked, Phone) {
    let (mut alice, out) = ringing(rig);
    rig.phone_answers(&out);
    rig.agent_is_answered(&mut alice);
    (alice, out)
}

/// What is sent as a Reason, the Q.850 cause and what of it goes on and is kept.
const GIVEN: [(&str, u8, &[&str]); 6] = [
    ("Q.850;cause=16;text=\"Normal\"", 16, &["Q.850;cause=16"]),
    ("Q.850;cause=31", 31, &["Q.850;cause=31"]),
    ("SIP;cause=200;text=\"Call completed elsewhere\"", 16, &["SIP;cause=200", "Q.850;cause=16"]),
    ("SIP;cause=486, Q.850;cause=17", 17, &["SIP;cause=486", "Q.850;cause=17"]),
    // RFC 8606: where it failed is nobody else's business.
    ("Q.850;cause=27;location=LN;text=\"x\"", 27, &["Q.850;cause=27"]),
    ("preemption;cause=1", 16, &["Q.850;cause=16"]),
];

fn check(reached: &Message, goes_on: &[&str], given: &str) {
    let told = reasons(reached);
    assert_eq!(told.len(), goes_on.len(), "{given} became {told:?}");
    for (one, start) in told.iter().zip(goes_on) {
        assert!(one.starts_with(start) && !one.contains("location"), "{given} became {told:?}");
    }
}

#[test]
fn an_agents_cancel_reaches_the_carrier_with_its_reason() {
    for (given, q850, goes_on) in GIVEN {
        let mut rig = rig();
        let (alice, out) = ringing(&mut rig);
        let mut cancel = alice.clone();
        (cancel.method, cancel.body) = (sip::Method::Cancel, None);
        rig.send(ALICE, &with(&cancel.text(None), given));
        rig.expect(ALICE, "SIP/2.0 200");
        let refused = rig.expect(ALICE, "SIP/2.0 487");
        rig.send(ALICE, &alice.ack(&refused));
        let cancel = rig.expect(OUT, "CANCEL");
        check(&cancel, goes_on, given);
        rig.send(OUT, &answer(&cancel, OUT, "200 OK", &out.tag, None));
        rig.send(OUT, &out.respond("487 Request Terminated", None));
        let record = rig.record();
        assert_eq!((record.q850, record.cause), (q850, Cause::CallerAbandoned), "{given}");
        let kept = record.reason.as_deref().unwrap();
        assert!(given.starts_with(kept.split(';').next().unwrap()) && !kept.contains("location"));
        rig.finish();
    }
}

#[test]
fn an_agents_bye_reaches_the_carrier_with_its_reason() {
    for (given, q850, goes_on) in GIVEN {
        let mut rig = rig();
        let (mut alice, _) = talking(&mut rig);
        rig.agent_hangs_up(&mut alice, &format!("Reason: {given}\r\n"));
        let bye = rig.expect(OUT, "BYE");
        check(&bye, goes_on, given);
        rig.send(OUT, &answer(&bye, OUT, "200 OK", "", None));
        assert_eq!((rig.record().q850, rig.record().cause), (q850, Cause::Normal), "{given}");
        rig.finish();
    }
}

#[test]
fn a_carriers_bye_reaches_the_agent_with_its_reason() {
    for (given, q850, goes_on) in GIVEN {
        let mut rig = rig();
        let (_, mut out) = talking(&mut rig);
        let bye = out.next("BYE", None);
        rig.send(OUT, &with(&bye, given));
        rig.expect(OUT, "SIP/2.0 200");
        let bye = rig.expect(ALICE, "BYE");
        check(&bye, goes_on, given);
        rig.send(ALICE, &answer(&bye, ALICE, "200 OK", "", None));
        let record = rig.record();
        assert_eq!((record.q850, record.ended_by), (q850, EndedBy::Callee), "{given}");
        assert!(record.reason.is_some() && rig.events_of("call.ended")[0]["reason"].is_string());
        rig.finish();
    }
}

#[test]
fn a_callers_cancel_and_bye_reach_the_agents_phone_with_their_reason() {
    for (given, q850, goes_on) in GIVEN {
        // A caller who waits in a queue has been answered: BYE there, CANCEL to the phone.
        let mut rig = Rig::new();
        rig.register_both();
        let (mut call, phone) = rig.ring_alice();
        let bye = call.next("BYE", None);
        rig.send(TRUNK, &with(&bye, given));
        rig.expect(TRUNK, "SIP/2.0 200");
        let cancel = rig.expect(ALICE, "CANCEL");
        check(&cancel, goes_on, given);
        rig.send(ALICE, &answer(&cancel, ALICE, "200 OK", &phone.tag, None));
        rig.send(ALICE, &phone.respond("487 Request Terminated", None));
        rig.expect(ALICE, "ACK");
        assert_eq!((rig.record().q850, rig.record().cause), (q850, Cause::CallerAbandoned));
        rig.finish();
        let mut rig = Rig::new();
        rig.register_both();
        let (mut call, _) = rig.connect_alice();
        let bye = call.next("BYE", None);
        rig.send(TRUNK, &with(&bye, given));
        rig.expect(TRUNK, "SIP/2.0 200");
        let bye = rig.expect(ALICE, "BYE");
        check(&bye, goes_on, given);
        rig.send(ALICE, &answer(&bye, ALICE, "200 OK", "", None));
        rig.finish();
    }
}

#[test]
fn a_refusal_says_the_same_on_both_sides() {
    for (status, given, q850, shown) in [
        ("486 Busy Here", "", 17, 486),
        ("503 Service Unavailable", "Q.850;cause=17", 17, 486),
        ("480 Temporarily Unavailable", "Q.850;cause=19", 19, 480),
        ("404 Not Found", "Q.850;cause=1", 1, 404),
        ("500 Server Internal Error", "Q.850;cause=28;location=TN", 28, 404),
        ("603 Decline", "", 21, 603),
    ] {
        let mut rig = rig();
        let (alice, out) = ringing(&mut rig);
        let mut refusal = out.respond(status, None);
        if !given.is_empty() {
            refusal = refusal.replacen("Via:", &format!("Reason: {given}\r\nVia:"), 1);
        }
        rig.send(OUT, &refusal);
        rig.expect(OUT, "ACK");
        let refused = rig.expect(ALICE, &format!("SIP/2.0 {shown}"));
        assert!(
            header(&refused, "Reason").starts_with(&format!("Q.850;cause={q850};")),
            "{status}"
        );
        rig.send(ALICE, &alice.ack(&refused));
        assert_eq!(rig.record().q850, q850, "{status}");
        rig.finish();
    }
}

#[test]
fn the_phones_of_one_who_has_answered_on_another_show_no_missed_call() {
    let mut rig = Rig::new();
    let (mut call, desk, soft) = rig.ring_both_of_alice(SOFT);
    for phone in [&desk, &soft] {
        rig.send(phone.at, &phone.respond("180 Ringing", None));
    }
    rig.phone_answers(&desk);
    let cancel = rig.expect(SOFT, "CANCEL");
    assert_eq!(reasons(&cancel), ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    rig.send(SOFT, &answer(&cancel, SOFT, "200 OK", &soft.tag, None));
    rig.send(SOFT, &soft.respond("487 Request Terminated", None));
    rig.expect(SOFT, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn the_phones_of_one_who_has_declined_on_another_are_told_so() {
    let mut rig = Rig::new();
    let (mut call, desk, soft) = rig.ring_both_of_alice(SOFT);
    rig.send(SOFT, &soft.respond("180 Ringing", None));
    rig.send(ALICE, &desk.respond("603 Decline", None));
    rig.expect(ALICE, "ACK");
    let cancel = rig.expect(SOFT, "CANCEL");
    assert_eq!(reasons(&cancel), ["SIP;cause=603;text=\"Decline\""]);
    rig.send(SOFT, &answer(&cancel, SOFT, "200 OK", &soft.tag, None));
    rig.send(SOFT, &soft.respond("487 Request Terminated", None));
    rig.expect(SOFT, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_phone_that_rang_in_vain_is_told_that_nobody_answered() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    rig.advance_ms(15_000);
    let cancel = rig.expect(ALICE, "CANCEL");
    assert!(header(&cancel, "Reason").starts_with("Q.850;cause=19;"));
    rig.send(ALICE, &answer(&cancel, ALICE, "200 OK", &phone.tag, None));
    rig.send(ALICE, &phone.respond("487 Request Terminated", None));
    rig.expect(ALICE, "ACK");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&bob);
    rig.finish();
}

#[test]
fn a_dial_that_failed_on_the_way_has_nothing_to_do_with_the_end() {
    let mut rig = rig();
    let (mut alice, mut out) = talking(&mut rig);
    let refer = "Refer-To: <sip:bob@acme.example>\r\n";
    alice.cseq += 1;
    let mut asked = alice.clone();
    (asked.method, asked.body) = (sip::Method::Refer, None);
    asked.extra = refer.to_owned();
    rig.send(ALICE, &asked.text(None));
    rig.expect(ALICE, "SIP/2.0 202");
    rig.confirm(ALICE, "NOTIFY");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    rig.confirm(ALICE, "NOTIFY");
    // Alice and the callee talk again, and hang up.
    let bye = out.next("BYE", None);
    rig.send(OUT, &bye);
    rig.expect(OUT, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    assert_eq!((rig.record().q850, rig.record().reason.clone()), (16, None));
    rig.finish();
}

#[test]
fn a_reason_longer_than_anyone_reads_is_cut() {
    let mut rig = rig();
    let (_, mut out) = talking(&mut rig);
    let long = format!("Q.850;cause=16;text=\"{}\"", "x".repeat(2000));
    let bye = out.next("BYE", None);
    rig.send(OUT, &with(&bye, &long));
    rig.expect(OUT, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    assert!(rig.record().reason.as_ref().unwrap().len() <= 200);
    rig.finish();
}
