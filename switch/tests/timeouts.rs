//! What does not come: the ACK, audio, an agent in time.

use switch::{Cause, EndedBy};

use crate::rig::{ALICE, BOB, Call, Phone, Rig, TRUNK};

#[test]
fn our_200_is_repeated_until_its_ack_comes() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    rig.advance_ms(3600);
    assert_eq!(rig.count(TRUNK, "SIP/2.0 200"), 4, "at 0, 0.5, 1.5 and 3.5 s");
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.advance_ms(20_000);
    assert_eq!(rig.count(TRUNK, "SIP/2.0 200"), 4);
    rig.wire.clear();
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_caller_who_never_acknowledges_is_hung_up_after_32_seconds() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    rig.advance_ms(31_900);
    assert_eq!(rig.count(TRUNK, "BYE"), 0);
    rig.advance_ms(200);
    rig.wire.retain(|(_, message)| message.is_request());
    rig.confirm_bye(TRUNK);
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::Timeout, EndedBy::Engine));
    rig.finish();
}

#[test]
fn a_side_that_sends_no_audio_for_a_minute_ends_the_call() {
    for side in [0, 1] {
        let mut rig = Rig::new();
        rig.register(ALICE, "alice");
        rig.connect_alice();
        let stream = rig.streams()[side];
        rig.media(media::Event::RtpTimeout { stream });
        rig.confirm_bye(TRUNK);
        rig.confirm_bye(ALICE);
        assert_eq!(rig.record().cause, Cause::MediaTimeout);
        rig.finish();
    }
}

#[test]
fn an_answer_that_comes_with_the_ring_timeout_is_too_late() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.ring_alice();
    // The clock moves past the ring timeout, and nobody tells the switch before the answer does.
    rig.now += base::Duration::from_secs(16);
    let ok = phone.respond("200 OK", Some(crate::rig::SDP_PCMU));
    rig.send(ALICE, &ok);
    rig.expect(ALICE, "CANCEL");
    rig.expect(ALICE, "ACK");
    rig.confirm_bye(ALICE);
    assert!(rig.events_of("call.connected").is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_invite_that_says_how_long_it_is_good_for_is_refused_then() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    rig.register(BOB, "bob");
    let bob = rig.agent_dials(BOB, "bob", "alice", "Expires: 7\r\n");
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    rig.expect(BOB, "SIP/2.0 180");
    rig.advance_ms(6900);
    rig.expect_silence(BOB);
    rig.advance_ms(200);
    let refused = rig.expect(BOB, "SIP/2.0 487");
    rig.send(BOB, &bob.ack(&refused));
    rig.confirm_cancel(&alice);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::NoAnswer);
    rig.finish();
}

#[test]
fn an_answered_call_outlives_its_invites_time() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    rig.register(BOB, "bob");
    let mut bob = rig.agent_dials(BOB, "bob", "alice", "Expires: 7\r\n");
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    rig.agent_is_answered(&mut bob);
    rig.advance_ms(20_000);
    bob.extra.clear();
    rig.agent_hangs_up(&mut bob, "");
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}
