//! Taking over what is another's: dialogs, bindings, calls in setup. Call-ID and tags are known to
//! the attacker here; what is not his is the path, and the password.

use sip::Name;
use switch::{Input, SecurityKind};

use crate::rig::{ALICE, BOB, Call, Rig, SDP_PCMU, STRANGER, TRUNK, answer, own_uri, sdp};

#[test]
fn a_bye_or_reinvite_from_a_stranger_who_knows_the_trunks_dialog_is_481() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _phone) = rig.connect_alice();
    for (method, body) in [("INVITE", Some(sdp("sendrecv", 7))), ("UPDATE", None), ("BYE", None)] {
        let mut forged = call.clone();
        forged.cseq = 50;
        let text = forged.next(method, body.as_deref());
        rig.send(STRANGER, &text);
        rig.expect(STRANGER, "SIP/2.0 481");
    }
    assert!(rig.records.is_empty());
    let told: Vec<_> = rig.security.iter().map(|event| event.kind).collect();
    assert_eq!(told, [SecurityKind::DialogHijack], "told once");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn another_host_of_the_same_trunk_may_speak_in_its_dialog() {
    let text = crate::rig::DEMO.replace("\"127.0.0.2\"", "\"127.0.0.2\", \"127.0.0.22\"");
    let mut rig = Rig::with(&text);
    let mut call = rig.dial("+15550100");
    let other = "127.0.0.22:5060".parse().unwrap();
    let options = call.next("OPTIONS", None);
    rig.send(other, &options);
    rig.expect(other, "SIP/2.0 200");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_agents_dialog_takes_the_password_from_another_address_and_follows_the_phone_then() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (_call, mut phone) = rig.connect_alice();
    let moved = "127.0.0.33:5060".parse().unwrap();
    let bye = phone.next("BYE", None);
    rig.send(moved, &bye);
    let challenged = rig.expect(moved, "SIP/2.0 407");
    assert!(rig.records.is_empty());
    assert_eq!(rig.security[0].kind, SecurityKind::DialogHijack);
    let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
    let uri = own_uri();
    let terms = |user: &'static str, password: &'static str| sip::digest::Answer {
        method: &sip::Method::Info,
        uri: &uri,
        user,
        password,
        cnonce: "0a4f113b",
        nc: 1,
    };
    // Another agent's password is not enough.
    let bobs = sip::digest::answer(challenge, &terms("bob", "bob-secret")).unwrap();
    let with = |text: String, answer: &str| {
        text.replacen("Max-Forwards", &format!("Proxy-Authorization: {answer}\r\nMax-Forwards"), 1)
    };
    let info = with(phone.next("INFO", None), &bobs);
    rig.send(moved, &info);
    rig.expect(moved, "SIP/2.0 403");
    let again = phone.next("INFO", None);
    rig.send(moved, &again);
    let challenged = rig.expect(moved, "SIP/2.0 407");
    let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
    let hers = sip::digest::answer(challenge, &terms("alice", "alice-secret")).unwrap();
    let info = with(phone.next("INFO", None), &hers);
    rig.send(moved, &info);
    rig.expect(moved, "SIP/2.0 200");
    rig.input(Input::EndCalls);
    rig.confirm_bye(moved);
    rig.confirm_bye(TRUNK);
    rig.finish();
}

#[test]
fn a_cancel_by_a_stranger_leaves_the_call_alone() {
    let mut rig = Rig::new();
    rig.hold_streams = true;
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    rig.send(STRANGER, &call.cancel());
    rig.expect(STRANGER, "SIP/2.0 481");
    rig.expect_silence(TRUNK);
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    rig.expect(TRUNK, "SIP/2.0 487");
    rig.hold_streams = false;
    let stream = rig.streams()[0];
    rig.media(media::Event::Opened { stream });
    rig.finish();
}

#[test]
fn a_binding_with_a_strangers_contact_rings_the_phone_that_registered_it() {
    let mut rig = Rig::new();
    let foreign = "Contact: <sip:victim@203.0.113.5:5060>;expires=3600\r\n";
    let ok = rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), foreign);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    let mut call = rig.dial_into_queue();
    let invite = rig.expect(ALICE, "INVITE sip:victim@203.0.113.5:5060");
    assert!(rig.sent.iter().all(|(to, _)| to.ip().is_loopback()), "nobody else hears of it");
    rig.send(ALICE, &answer(&invite, ALICE, "486 Busy Here", "x", None));
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_302_or_a_contact_elsewhere_sends_us_nowhere() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let invite = rig.expect(ALICE, "INVITE");
    let moved = answer(&invite, ALICE, "302 Moved Temporarily", "x", None)
        .replace("sip:phone@127.0.0.11:5060", "sip:+1900555000@203.0.113.5");
    rig.send(ALICE, &moved);
    rig.expect(ALICE, "ACK");
    assert!(rig.sent.iter().all(|(to, _)| to.ip().is_loopback()));
    assert_eq!(rig.events_of("call.attempt_failed").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_refer_or_replaces_from_outside_a_dialog_moves_nobody() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _phone) = rig.connect_alice();
    let mut refer = Call::new(&mut rig, TRUNK, "+15550100");
    let text = refer
        .next("REFER", None)
        .replace("Max-Forwards", "Refer-To: <sip:+1900555000@203.0.113.5>\r\nMax-Forwards");
    rig.send(TRUNK, &text);
    rig.expect(TRUNK, "SIP/2.0 405");
    let mut thief = Call::new(&mut rig, STRANGER, "+15550100");
    thief.extra = format!(
        "Replaces: {};to-tag={};from-tag={}\r\nRequire: replaces\r\n",
        call.call_id, call.to_tag, call.from_tag
    );
    rig.send(STRANGER, &thief.invite());
    rig.expect(STRANGER, "SIP/2.0 403");
    assert!(rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_answer_by_a_stranger_to_a_ringing_phones_call_is_nothing() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let mut call = rig.dial_into_queue();
    let invite = rig.expect(BOB, "INVITE");
    // The branch is the secret: whoever does not see it cannot answer.
    let forged = answer(&invite, STRANGER, "200 OK", "x", Some(SDP_PCMU))
        .replace("branch=z9hG4bK", "branch=z9hG4bKx");
    rig.send(STRANGER, &forged);
    assert_eq!(rig.events_of("call.connected").len(), 0);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}
