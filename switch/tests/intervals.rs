//! A peer that takes our INVITE with longer session intervals only: 422, and the INVITE again (RFC
//! 4028 §7.3).

use std::net::SocketAddr;

use sip::{Message, Name};
use switch::Cause;

use crate::rig::{ALICE, OUT, Phone, Rig, address, calls_out, header};

const SOFT: SocketAddr = address([127, 0, 0, 31], 5060);

fn rig() -> Rig {
    let login = r#"authenticate = { user = "acme", password = "trunk-secret-of-acme" }"#;
    let mut rig = Rig::with(&calls_out(login));
    rig.register_both();
    rig
}

/// A 422 of a phone that takes so many seconds at least.
fn too_small(phone: &Phone, least: u32) -> String {
    let refusal = phone.respond("422 Session Interval Too Small", None);
    refusal.replacen("Via:", &format!("Min-SE: {least}\r\nVia:"), 1)
}

fn intervals(invite: &Message) -> (String, Option<&str>, usize) {
    let count = invite.headers(Name::SESSION_EXPIRES).count();
    (header(invite, "Session-Expires"), invite.header(Name::MIN_SE), count)
}

#[test]
fn a_trunk_gets_the_same_invite_again_with_its_own_least_interval() {
    let mut rig = rig();
    let mut alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let first = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(intervals(&first.invite).1, None);
    rig.send(OUT, &too_small(&first, 4000));
    rig.expect(OUT, "ACK");
    let again = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(intervals(&again.invite), ("4000".to_owned(), Some("4000"), 1));
    assert_eq!(again.invite.call_id(), first.invite.call_id());
    assert_eq!(again.invite.cseq().unwrap(), first.invite.cseq().unwrap() + 1);
    // Once more: another element on the way wants even more.
    rig.send(OUT, &too_small(&again, 7200));
    rig.expect(OUT, "ACK");
    let last = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(intervals(&last.invite), ("7200".to_owned(), Some("7200"), 1));
    rig.phone_answers(&last);
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(OUT);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_password_and_a_longer_interval_go_together_and_no_answer_is_shown_twice() {
    let mut rig = rig();
    let mut alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let challenge = |phone: &Phone, nonce: &str| {
        let text = phone.respond("407 Proxy Authentication Required", None);
        let field = format!(
            "Proxy-Authenticate: Digest realm=\"out\", nonce=\"{nonce}\", qop=\"auth\"\r\nVia:"
        );
        text.replacen("Via:", &field, 1)
    };
    let first = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &challenge(&first, "one"));
    rig.expect(OUT, "ACK");
    let proven = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert!(header(&proven.invite, "Proxy-Authorization").contains("nonce=\"one\""));
    rig.send(OUT, &too_small(&proven, 4000));
    rig.expect(OUT, "ACK");
    let longer = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(longer.invite.header(Name::PROXY_AUTHORIZATION), None, "a count is used once");
    assert_eq!(intervals(&longer.invite).0, "4000");
    rig.send(OUT, &challenge(&longer, "two"));
    rig.expect(OUT, "ACK");
    let last = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let shown = header(&last.invite, "Proxy-Authorization");
    assert!(shown.contains("nonce=\"two\"") && shown.contains("nc=00000001"), "{shown}");
    rig.phone_answers(&last);
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(OUT);
    rig.finish();
}

#[test]
fn a_422_that_asks_for_nothing_more_is_a_refusal() {
    for least in [None, Some(90), Some(4000)] {
        let mut rig = rig();
        let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
        let mut out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        // The third one says the same again.
        if let Some(4000) = least {
            rig.send(OUT, &too_small(&out, 4000));
            rig.expect(OUT, "ACK");
            out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        }
        let refusal = match least {
            Some(least) => too_small(&out, least),
            None => out.respond("422 Session Interval Too Small", None),
        };
        rig.send(OUT, &refusal);
        rig.expect(OUT, "ACK");
        let refused = rig.expect(ALICE, "SIP/2.0 503");
        rig.send(ALICE, &alice.ack(&refused));
        assert_eq!(rig.count(OUT, "INVITE"), if least == Some(4000) { 2 } else { 1 });
        rig.finish();
    }
}

#[test]
fn one_who_asks_for_ever_longer_intervals_is_given_up() {
    let mut rig = rig();
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    for round in 1..=5 {
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        rig.send(OUT, &too_small(&out, 10_000 * round));
        rig.expect(OUT, "ACK");
    }
    let refused = rig.expect(ALICE, "SIP/2.0 503");
    rig.send(ALICE, &alice.ack(&refused));
    assert_eq!(rig.count(OUT, "INVITE"), 5);
    rig.finish();
}

#[test]
fn of_two_phones_only_the_one_that_asked_gets_it_again() {
    let mut rig = Rig::new();
    let (mut call, desk, soft) = rig.ring_both_of_alice(SOFT);
    rig.send(ALICE, &desk.respond("180 Ringing", None));
    rig.send(SOFT, &too_small(&soft, 4000));
    rig.expect(SOFT, "ACK");
    let again = Phone::new(SOFT, rig.expect(SOFT, "INVITE"));
    assert_eq!(intervals(&again.invite), ("4000".to_owned(), Some("4000"), 1));
    rig.phone_answers(&again);
    rig.confirm_cancel(&desk);
    assert_eq!((rig.count(ALICE, "INVITE"), rig.count(SOFT, "INVITE")), (1, 2));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(SOFT);
    rig.finish();
}
