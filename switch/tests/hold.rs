//! Hold: the one who waits hears music, whoever holds; the other leg's signalling is left alone.

use media::Command;
use switch::{ApiError, ApiReply, ApiRequest};

use crate::rig::{ALICE, BOB, Phone, Rig, TRUNK, own_uri, sdp};

/// What the caller's and the agent's stream were told last about music.
fn music(rig: &Rig) -> [bool; 2] {
    let streams = rig.streams();
    [0, 1].map(|side| {
        let told = rig.commands.iter().rev().find_map(|command| match command {
            Command::Play { stream, .. } if *stream == streams[side] => Some(true),
            Command::StopPlaying { stream } if *stream == streams[side] => Some(false),
            _ => None,
        });
        told.unwrap_or(false)
    })
}

#[test]
fn the_caller_hears_music_while_the_agents_phone_holds() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    assert_eq!(music(&rig), [false, false]);
    for (direction, expected) in [("sendonly", true), ("inactive", true), ("sendrecv", false)] {
        let reinvite = phone.next("INVITE", Some(&sdp(direction, phone.cseq)));
        rig.send(ALICE, &reinvite);
        rig.expect(ALICE, "SIP/2.0 200");
        let ack = phone.next("ACK", None);
        let ack =
            ack.replace(&format!("CSeq: {}", phone.cseq), &format!("CSeq: {}", phone.cseq - 1));
        phone.cseq -= 1;
        rig.send(ALICE, &ack);
        assert_eq!(music(&rig), [expected, false], "{direction}");
    }
    rig.expect_silence(TRUNK);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn the_api_holds_the_caller_and_takes_the_caller_back() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let id = rig.last_call();
    let hold = |rig: &mut Rig, holds| rig.request("acme", ApiRequest::Hold { call: id, holds });
    assert!(matches!(hold(&mut rig, false), Err(ApiError::Conflict(_))));
    assert!(matches!(hold(&mut rig, true), Ok(ApiReply::Accepted)));
    assert_eq!(music(&rig), [true, false]);
    assert!(matches!(hold(&mut rig, true), Err(ApiError::Conflict(_))));
    let bridges = |rig: &Rig| {
        let last = rig.commands.iter().rev();
        last.into_iter().find_map(|command| match command {
            Command::Bridge { .. } => Some(true),
            Command::Unbridge { .. } => Some(false),
            _ => None,
        })
    };
    assert_eq!(bridges(&rig), Some(false));
    assert!(matches!(hold(&mut rig, false), Ok(ApiReply::Accepted)));
    assert_eq!((music(&rig), bridges(&rig)), ([false, false], Some(true)));
    assert_eq!(rig.events_of("call.held"), [serde_json::json!({"by": "api"})]);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_caller_who_held_in_the_queue_holds_when_the_agent_comes() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let hold = |rig: &mut Rig, call: &mut crate::rig::Call, direction: &str| {
        let update = call.next("UPDATE", Some(&sdp(direction, call.cseq)));
        rig.send(TRUNK, &update);
        rig.expect(TRUNK, "SIP/2.0 200");
    };
    hold(&mut rig, &mut call, "inactive");
    assert!(rig.events_of("call.held").is_empty(), "nobody is there to be held");
    rig.phone_answers(&phone);
    assert!(music(&rig)[1], "the agent hears that the caller holds");
    assert_eq!(rig.events_of("call.held"), [serde_json::json!({"by": "caller"})]);
    hold(&mut rig, &mut call, "sendrecv");
    assert!(!music(&rig)[1]);
    assert_eq!(rig.events_of("call.resumed"), [serde_json::json!({"by": "caller"})]);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_answer_to_our_offer_that_only_sends_holds_as_an_offer_does() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    for (direction, expected) in [("sendonly", true), ("sendrecv", false)] {
        // A re-INVITE without an offer: ours is in the 200, the answer in the ACK.
        let reinvite = call.next("INVITE", None);
        rig.send(TRUNK, &reinvite);
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        let ack = call.ack(&ok, Some(&sdp(direction, call.cseq)));
        rig.send(TRUNK, &ack);
        assert_eq!(music(&rig), [false, expected], "{direction}");
    }
    assert_eq!(rig.events_of("call.held").len(), 1);
    assert_eq!(rig.events_of("call.resumed").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_agent_who_was_called_and_holds_is_named_as_the_agent() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut bob = rig.agent_dials(BOB, "bob", "alice", "");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    rig.agent_is_answered(&mut bob);
    let reinvite = alice.next("INVITE", Some(&sdp("sendonly", alice.cseq)));
    rig.send(ALICE, &reinvite);
    rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(rig.events_of("call.held"), [serde_json::json!({"by": "agent"})]);
    alice.cseq -= 1;
    let ack = alice.next("ACK", None);
    rig.send(ALICE, &ack);
    bob.uri = own_uri();
    rig.agent_hangs_up(&mut bob, "");
    rig.confirm_bye(ALICE);
    rig.finish();
}

/// The one who answered holds, and takes back, by an offer of theirs.
fn holds_and_resumes(rig: &mut Rig, phone: &mut Phone) {
    for direction in ["sendonly", "sendrecv"] {
        let reinvite = phone.next("INVITE", Some(&sdp(direction, phone.cseq)));
        rig.send(phone.at, &reinvite);
        rig.expect(phone.at, "SIP/2.0 200");
        phone.cseq -= 1;
        let ack = phone.next("ACK", None);
        rig.send(phone.at, &ack);
    }
}

/// The calling side holds, and takes back.
fn caller_holds_and_resumes(rig: &mut Rig, call: &mut crate::rig::Call) {
    for direction in ["sendonly", "sendrecv"] {
        let update = call.next("UPDATE", Some(&sdp(direction, call.cseq)));
        rig.send(call.at, &update);
        rig.expect(call.at, "SIP/2.0 200");
    }
}

fn sides(rig: &Rig, event: &str) -> Vec<String> {
    let all = rig.events_of(event).into_iter();
    all.map(|told| told["by"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_holds_after_a_transfer_is_named_as_what_they_are_then() {
    // A customer talks with Alice, who sends them on to Bob.
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, mut alice) = rig.connect_alice();
    rig.send(ALICE, &alice.refer("<sip:bob@acme.example>"));
    rig.expect(ALICE, "SIP/2.0 202");
    rig.confirm(ALICE, "NOTIFY");
    let mut bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    holds_and_resumes(&mut rig, &mut bob);
    caller_holds_and_resumes(&mut rig, &mut call);
    assert_eq!(sides(&rig, "call.held"), ["agent", "caller"]);
    assert_eq!(sides(&rig, "call.resumed"), ["agent", "caller"]);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
}

#[test]
fn the_caller_who_is_left_when_the_called_one_is_sent_on_is_named_by_what_they_are() {
    // Bob calls Alice and sends her on to a number: she is the one who calls now.
    let mut rig = crate::outbound::rig();
    let mut bob = rig.agent_dials(BOB, "bob", "alice", "");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    rig.agent_is_answered(&mut bob);
    bob.uri = own_uri();
    bob.cseq += 1;
    let mut refer = bob.clone();
    (refer.method, refer.body) = (sip::Method::Refer, None);
    refer.extra = "Refer-To: <sip:+12125550123@acme.example>\r\n".to_owned();
    rig.send(BOB, &refer.text(None));
    rig.expect(BOB, "SIP/2.0 202");
    let mut out = Phone::new(
        crate::outbound::ONE,
        rig.expect(crate::outbound::ONE, "INVITE sip:+12125550123@"),
    );
    rig.phone_answers(&out);
    holds_and_resumes(&mut rig, &mut alice);
    holds_and_resumes(&mut rig, &mut out);
    assert_eq!(sides(&rig, "call.held"), ["agent", "callee"]);
    assert_eq!(sides(&rig, "call.resumed"), ["agent", "callee"]);
}
