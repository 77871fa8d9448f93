//! Session timers (RFC 4028): refreshed in time by whoever was to do it, or the call is over.

use crate::rig::{ALICE, Call, Phone, Rig, SDP_PCMU, TRUNK, answer, header};

/// A caller that asks for a timer of `seconds`, refreshed by `refresher`.
fn timed_call(rig: &mut Rig, terms: &str) -> Call {
    let mut call = Call::new(rig, TRUNK, "+15550100");
    call.extra = format!("Supported: timer\r\nSession-Expires: {terms}\r\n");
    rig.send(TRUNK, &call.invite());
    call
}

fn answered(rig: &mut Rig, call: &mut Call) -> sip::Message {
    let ok = rig.caller_is_answered(call);
    rig.finish_prompt();
    ok
}

#[test]
fn a_caller_that_does_not_refresh_in_time_is_hung_up() {
    let mut rig = Rig::new();
    let mut call = timed_call(&mut rig, "90;refresher=uac");
    let ok = answered(&mut rig, &mut call);
    assert_eq!(header(&ok, "Session-Expires"), "90;refresher=uac");
    assert_eq!(header(&ok, "Require"), "timer");
    rig.advance_ms(50_000);
    let update = call.next("UPDATE", None).replace(
        "Content-Length: 0",
        "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nContent-Length: 0",
    );
    rig.send(TRUNK, &update);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert_eq!(header(&ok, "Session-Expires"), "90;refresher=uac");
    rig.advance_ms(55_000);
    rig.expect_silence(TRUNK);
    rig.advance_ms(10_000);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause.as_str(), "timeout");
    rig.finish();
}

#[test]
fn we_refresh_when_the_caller_wants_us_to_and_a_caller_that_is_gone_ends_the_call() {
    let mut rig = Rig::new();
    let mut call = timed_call(&mut rig, "100;refresher=uas");
    call.extra.push_str("Allow: INVITE, UPDATE\r\n");
    answered(&mut rig, &mut call);
    rig.advance_ms(50_000);
    // It did not say that it takes UPDATE.
    let reinvite = rig.expect(TRUNK, "INVITE");
    assert!(header(&reinvite, "Session-Expires").starts_with("100;refresher=uac"));
    let ok = answer(&reinvite, TRUNK, "200 OK", "", Some(SDP_PCMU)).replace(
        "Contact:",
        "Allow: INVITE, UPDATE\r\nSession-Expires: 100;refresher=uac\r\nContact:",
    );
    rig.send(TRUNK, &ok);
    rig.expect(TRUNK, "ACK");
    rig.advance_ms(50_000);
    let update = rig.expect(TRUNK, "UPDATE");
    assert!(update.body().is_empty());
    let gone = answer(&update, TRUNK, "481 Call/Transaction Does Not Exist", "", None);
    rig.send(TRUNK, &gone);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause.as_str(), "timeout");
    rig.finish();
}

#[test]
fn an_interval_below_90_s_is_refused_with_ours() {
    let mut rig = Rig::new();
    let mut call = timed_call(&mut rig, "20");
    let refused = rig.expect(TRUNK, "SIP/2.0 422");
    assert_eq!(header(&refused, "Min-SE"), "90");
    let ack = call.ack_refusal(&refused);
    rig.send(TRUNK, &ack);
    call.cseq += 1;
    rig.advance_ms(40_000);
    rig.finish();
}

#[test]
fn a_phone_is_asked_for_a_timer_and_our_re_invite_beside_its_own_is_glare() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let mut phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    assert_eq!(header(&phone.invite, "Session-Expires"), "1800");
    let ok = phone
        .respond("200 OK", Some(SDP_PCMU))
        .replace("Contact:", "Require: timer\r\nSession-Expires: 90;refresher=uac\r\nContact:");
    rig.send(ALICE, &ok);
    rig.expect(ALICE, "ACK");
    rig.advance_ms(45_000);
    let ours = rig.expect(ALICE, "INVITE");
    let theirs = phone.next("INVITE", Some(SDP_PCMU));
    rig.send(ALICE, &theirs);
    rig.expect(ALICE, "SIP/2.0 491");
    rig.send(ALICE, &theirs.replace("INVITE sip", "ACK sip").replace(" INVITE\r\n", " ACK\r\n"));
    let glare = answer(&ours, ALICE, "491 Request Pending", "", None);
    rig.send(ALICE, &glare);
    rig.expect(ALICE, "ACK");
    let before = rig.count(ALICE, "INVITE");
    let pause = (1..).find(|_| {
        rig.advance_ms(50);
        rig.count(ALICE, "INVITE") > before
    });
    // RFC 3261 §14.1: 2.1 to 4 s for the end that made the Call-ID.
    assert!((42..=81).contains(&pause.unwrap()), "{pause:?}");
    let again = rig.expect(ALICE, "INVITE");
    let ok = answer(&again, ALICE, "200 OK", "", Some(SDP_PCMU));
    rig.send(ALICE, &ok);
    rig.expect(ALICE, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(40_000);
    rig.finish();
}
