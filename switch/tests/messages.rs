//! MESSAGE between agents of a tenant.

use sip::{Message, Method};

use crate::rig::{ALICE, Asked, BOB, Rig, STRANGER, answer, header};

fn message(rig: &mut Rig, to: &str, text: &str) -> Asked {
    let mut asked = Asked::new(rig, ALICE, Method::Message, to);
    asked.body = Some(("text/plain".to_owned(), text.to_owned()));
    asked
}

/// Sends it as alice does; gives an answer if there is one at once.
fn send(rig: &mut Rig, asked: &mut Asked) {
    let text = asked.text(None);
    rig.send(asked.at, &text);
    let challenged = rig.expect(asked.at, "SIP/2.0 407");
    let challenge = challenged.header(sip::Name::PROXY_AUTHENTICATE).unwrap();
    let authorization = asked.authorization(challenge, "alice", "alice-secret");
    asked.cseq += 1;
    let text = asked.text(Some(&authorization));
    rig.send(asked.at, &text);
}

fn status(answer: &Message) -> u16 {
    answer.status().unwrap().as_u16()
}

#[test]
fn a_message_reaches_every_phone_of_the_agent_and_is_answered_by_the_first() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let desk = "127.0.0.13:5060".parse().unwrap();
    rig.register(desk, "bob");
    let mut asked = message(&mut rig, "bob", "Lunch?");
    asked.extra = "From-Nobody: x\r\n".to_owned();
    send(&mut rig, &mut asked);
    let first = rig.expect(BOB, "MESSAGE sip:bob@127.0.0.12:5060");
    let second = rig.expect(desk, "MESSAGE sip:bob@127.0.0.13:5060");
    assert_eq!(&*first.body(), b"Lunch?");
    assert_eq!(header(&first, "Content-Type"), "text/plain");
    assert!(header(&first, "From").starts_with("<sip:alice@acme.example>;tag="));
    assert_eq!(header(&first, "Max-Forwards"), "69");
    assert!(first.header(sip::Name::PROXY_AUTHORIZATION).is_none(), "no password goes on");
    rig.expect_silence(ALICE);
    rig.send(BOB, &answer(&first, BOB, "200 OK", "b", None));
    assert_eq!(status(&rig.expect(ALICE, "SIP/2.0 ")), 200);
    rig.send(desk, &answer(&second, desk, "486 Busy Here", "d", None));
    rig.expect_silence(ALICE);
    rig.finish();
}

#[test]
fn a_message_to_nobody_is_404_and_to_an_agent_without_a_phone_480() {
    let mut rig = Rig::new();
    for (to, expected) in [("nobody", 404), ("gina", 404), ("bob", 480)] {
        let mut asked = message(&mut rig, to, "hello");
        send(&mut rig, &mut asked);
        assert_eq!(status(&rig.expect(ALICE, "SIP/2.0 ")), expected, "{to}");
    }
    rig.register(BOB, "bob");
    for elsewhere in ["sip:gina@globex.example", "sip:bob@globex.example"] {
        let mut asked = message(&mut rig, "gina", "hello");
        asked.uri = elsewhere.to_owned();
        send(&mut rig, &mut asked);
        assert_eq!(status(&rig.expect(ALICE, "SIP/2.0 ")), 404, "another tenant's");
    }
    rig.expect_silence(BOB);
    rig.finish();
}

#[test]
fn a_phone_that_does_not_answer_is_480_after_20_s() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let mut asked = message(&mut rig, "bob", "hello");
    send(&mut rig, &mut asked);
    rig.expect(BOB, "MESSAGE");
    rig.advance_ms(19_000);
    rig.expect_silence(ALICE);
    rig.advance_ms(1_000);
    assert_eq!(status(&rig.expect(ALICE, "SIP/2.0 ")), 480);
    rig.finish();
}

#[test]
fn a_message_of_more_than_1300_bytes_is_413() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let mut asked = message(&mut rig, "bob", &"x".repeat(1_301));
    send(&mut rig, &mut asked);
    assert_eq!(status(&rig.expect(ALICE, "SIP/2.0 ")), 413);
    assert_eq!(rig.count(BOB, "MESSAGE"), 0);
    rig.finish();
}

#[test]
fn nobody_sends_a_message_without_a_password_or_in_anothers_name() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let mut asked = message(&mut rig, "bob", "hello");
    asked.at = STRANGER;
    let refused = rig.ask_as(&mut asked, "alice", "guess");
    assert_eq!(status(&refused), 403);
    let mut asked = message(&mut rig, "alice", "hello");
    asked.from = "<sip:bob@acme.example>".to_owned();
    let refused = rig.ask_as(&mut asked, "alice", "alice-secret");
    assert_eq!(status(&refused), 403);
    assert_eq!(rig.count(BOB, "MESSAGE") + rig.count(ALICE, "MESSAGE"), 0);
    rig.finish();
}
