//! Hold: the one who waits hears music, whoever holds; the other leg's signalling is left alone.

use media::Command;
use switch::{ApiError, ApiReply, ApiRequest};

use crate::rig::{ALICE, BOB, Phone, Rig, SDP_PCMU, TRUNK, own_uri, sdp};

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
    rig.send(ALICE, &phone.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK");
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
fn who_holds_after_a_transfer_is_named_as_what_they_are() {
    let mut rig = Rig::new();
    rig.register_both();
    // Bob calls Alice, and the API sends whoever is no customer's side on: the two change places.
    let mut bob = rig.agent_dials(BOB, "bob", "alice", "");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK");
    let ok = rig.expect(BOB, "SIP/2.0 200");
    rig.agent_acks(&mut bob, &ok);
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
