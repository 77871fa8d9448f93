//! Trunks that begin and say no more: after 100, after 180, after the call was up.

use switch::{Cause, EndedBy};

use crate::outbound::{ONE, TWO, dial, rig};
use crate::rig::{ALICE, Phone, Rig, header};

/// Nothing more comes; alice is told in the end, and the carrier's INVITE is given up.
fn given_up(rig: &mut Rig, begun: &str) -> (crate::rig::Asked, Phone) {
    let (alice, carrier) = dial(rig);
    rig.send(ONE, &carrier.respond(begun, None));
    rig.advance_ms(149_000);
    rig.wire.retain(|(_, message)| !message.bytes().starts_with(b"SIP/2.0 18"));
    rig.expect_silence(ONE);
    rig.expect_silence(TWO);
    rig.expect_silence(ALICE);
    rig.advance_ms(1_000);
    let refused = rig.expect(ALICE, "SIP/2.0 480");
    assert!(header(&refused, "Reason").starts_with("Q.850;cause=19"), "no answer");
    rig.send(ALICE, &alice.ack(&refused));
    rig.expect_silence(TWO);
    (alice, carrier)
}

fn is_over_unanswered(rig: Rig) {
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::NoAnswer, EndedBy::Engine));
    rig.finish();
}

#[test]
fn a_trunk_that_answers_100_and_nothing_more_is_given_up_after_150_s_and_leaves_nothing() {
    let mut rig = rig();
    given_up(&mut rig, "100 Trying");
    // The CANCEL is not answered either.
    rig.expect(ONE, "CANCEL");
    rig.advance_ms(60_000);
    assert!(rig.count(ONE, "CANCEL") > 5, "it is sent until its time is over");
    is_over_unanswered(rig);
}

#[test]
fn a_trunk_that_rings_and_rings_is_cancelled_after_150_s() {
    let mut rig = rig();
    let (_, carrier) = given_up(&mut rig, "180 Ringing");
    rig.confirm_cancel(&carrier);
    is_over_unanswered(rig);
}

#[test]
fn a_trunk_that_answers_at_the_last_moment_is_hung_up() {
    let mut rig = rig();
    let (_, mut carrier) = given_up(&mut rig, "180 Ringing");
    rig.expect(ONE, "CANCEL");
    rig.phone_answers(&carrier);
    rig.confirm_bye(ONE);
    let _ = carrier.next("OPTIONS", None);
    is_over_unanswered(rig);
}

#[test]
fn a_trunk_that_is_gone_when_the_call_ends_holds_nothing_up() {
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    rig.phone_answers(&carrier);
    rig.agent_is_answered(&mut alice);
    rig.advance_ms(5_000);
    rig.agent_hangs_up(&mut alice, "");
    rig.expect(ONE, "BYE");
    rig.advance_ms(33_000);
    assert!(rig.count(ONE, "BYE") > 5, "it is sent until its time is over");
    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Caller));
    rig.finish();
}
