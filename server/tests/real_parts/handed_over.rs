//! Calls that change hands on the wire: picked up by dialling the code, taken over by Replaces as
//! an attended transfer between phones does, and a REFER that goes on to a carrier which does
//! transfers itself.

use crate::rfc3665::{
    ACME_MAIN, ALICE_HZ, BOB_HZ, CARRIER_HZ, OUTSIDE, Stage, answers, stage, talk,
};
use crate::strowger::ACME;
use crate::ua::{Dialog, Ua, body, field};

/// Somebody outside calls acme's number, which rings bob; his INVITE, and the caller's dialog.
fn calls_bob(carrier: &mut Ua, bob: &mut Ua) -> (Dialog, String) {
    let to = format!("sip:{ACME_MAIN}@{}", carrier.server);
    let offer = carrier.sdp();
    let call = carrier.invites(&format!("sip:{OUTSIDE}@carrier.example"), &to, &offer);
    let invite = bob.expect("INVITE ");
    bob.respond(&invite, "180 Ringing", "", "");
    (call, invite)
}

/// Bob answers, and they hear each other; his side of the dialog, and the caller's answer.
fn bob_answers(
    carrier: &mut Ua,
    bob: &mut Ua,
    (call, invite): (&mut Dialog, &str),
) -> (Dialog, String) {
    let ok = answers(bob, invite, (carrier, call));
    talk((carrier, &ok, CARRIER_HZ), (bob, invite, BOB_HZ));
    (bob.dialog_of(invite), ok)
}

fn happened(stage: &Stage, kind: &str) -> bool {
    let record = stage.record();
    let id = record["id"].as_str().expect("its id").to_owned();
    stage.server.event_types(ACME, &id).iter().any(|one| one == kind)
}

#[test]
fn a_colleagues_ringing_call_is_picked_up_by_dialling_the_code() {
    for code in ["*8", "*8102"] {
        let stage = stage("pickup-code", &[], "");
        let (mut bob, mut alice) = (stage.phone("bob", BOB_HZ), stage.phone("alice", ALICE_HZ));
        let mut carrier = stage.carrier();
        let (mut call, invite) = calls_bob(&mut carrier, &mut bob);
        let mut taken = alice.dials("alice", code);
        let theirs = alice.is_answered(&mut taken);
        let cancel = bob.expect("CANCEL ");
        bob.respond(&cancel, "200 OK", "", "");
        bob.respond(&invite, "487 Request Terminated", "", "");
        bob.expect("ACK ");
        let ok = carrier.is_answered(&mut call);
        talk((&carrier, &ok, CARRIER_HZ), (&alice, &theirs, ALICE_HZ));
        carrier.hangs_up(&mut call);
        alice.hears_bye();
        bob.saw("< INVITE  > 180  < CANCEL  > 200  > 487  < ACK");
        let mut calls = stage.server.ended_calls(ACME, 2, crate::parts::LIMIT);
        calls.retain(|one| one["direction"] == "inbound" && one["trunk"] == "outside");
        assert_eq!(calls[0]["agent"], "alice", "{calls:#?}");
        let id = calls[0]["id"].as_str().expect("its id").to_owned();
        let events = stage.server.event_types(ACME, &id);
        assert!(events.iter().any(|one| one == "call.picked_up"), "{events:?}");
    }
}

#[test]
fn a_conversation_is_handed_over_by_an_invite_with_replaces() {
    let stage = stage("replaces", &[], "");
    let (mut bob, mut alice) = (stage.phone("bob", BOB_HZ), stage.phone("alice", ALICE_HZ));
    let mut carrier = stage.carrier();
    let (mut call, invite) = calls_bob(&mut carrier, &mut bob);
    let (leg, heard) = bob_answers(&mut carrier, &mut bob, (&mut call, &invite));
    // Bob has told alice's phone to take his place; without his word she may not.
    let tag = |value: &str| value.rsplit_once("tag=").expect("a tag").1.to_owned();
    let (ours, bobs) = (tag(&leg.remote), tag(&leg.local));
    let replaces = format!("Replaces: {};to-tag={ours};from-tag={bobs}\r\n", leg.call_id);
    let offer = alice.sdp();
    let to = "sip:strowger@acme.example";
    let mut unasked = alice.calls("sip:alice@acme.example", to);
    alice.ask_as("alice", &mut unasked, "INVITE", &replaces, &offer);
    let refused = alice.expect("SIP/2.0 486");
    alice.ack_refusal(&unasked, &refused);
    let sent = format!("{replaces}Referred-By: <sip:bob@acme.example>\r\n");
    let mut taken = alice.calls("sip:alice@acme.example", to);
    alice.ask_as("alice", &mut taken, "INVITE", &sent, &offer);
    let theirs = alice.is_answered(&mut taken);
    bob.hears_bye();
    talk((&carrier, &heard, CARRIER_HZ), (&alice, &theirs, ALICE_HZ));
    alice.hangs_up(&mut taken);
    carrier.hears_bye();
}

#[test]
fn a_refer_goes_on_to_a_carrier_whose_trunk_says_that_it_does_transfers() {
    let mut outside = Ua::new(crate::rfc3665::CARRIER, ([127, 0, 0, 1], 9).into(), CARRIER_HZ);
    let stage = stage("refer-passed", &[outside.at], "passes_refer = true");
    outside.server = stage.server.sip;
    let mut bob = stage.phone("bob", BOB_HZ);
    let (mut call, invite) = calls_bob(&mut outside, &mut bob);
    let (mut leg, _) = bob_answers(&mut outside, &mut bob, (&mut call, &invite));
    let to = "Refer-To: <sip:+12125550199@acme.example>\r\n\
              Referred-By: <sip:bob@acme.example>\r\n";
    bob.ask(&mut leg, "REFER", to, "");
    bob.expect("SIP/2.0 202");
    let trying = bob.expect("NOTIFY ");
    bob.respond(&trying, "200 OK", "", "");
    let refer = outside.expect("REFER ");
    assert_eq!(field(&refer, "Call-ID"), call.call_id, "in the caller's dialog: {refer}");
    let target = field(&refer, "Refer-To");
    assert!(target.starts_with("<sip:+12125550199@127.0.0."), "{target}");
    assert!(!refer.contains("acme") && !refer.contains("bob"), "nothing of ours: {refer}");
    outside.respond(&refer, "202 Accepted", "", "");
    for (line, state) in [("180 Ringing", "active;expires=60"), ("200 OK", "terminated")] {
        let extra = format!("Event: refer\r\nSubscription-State: {state}\r\n");
        call.cseq += 1;
        let notify = outside.request(&call, "NOTIFY", &extra, &format!("SIP/2.0 {line}\r\n"));
        let notify = notify.replace("application/sdp", "message/sipfrag;version=2.0");
        outside.send(&notify);
        outside.expect("SIP/2.0 200");
        let told = bob.expect("NOTIFY ");
        assert!(body(&told).starts_with(&format!("SIP/2.0 {line}")), "{told}");
        bob.respond(&told, "200 OK", "", "");
    }
    bob.hears_bye();
    outside.hears_bye();
    assert_eq!(stage.record()["cause"], "transferred");
    assert!(happened(&stage, "call.transferred"));
}
