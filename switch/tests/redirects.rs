//! Agents' phones that send calls on by themselves (3xx), as the agent may dial.

use std::net::SocketAddr;

use switch::{AttemptEnd, Cause, Diverter};

use crate::rig::{ALICE, BOB, OUT, Phone, Rig, address, answer, calls_out, header};

const SOFT: SocketAddr = address([127, 0, 0, 32], 5060);

fn rig(bob: &str) -> Rig {
    let password = r#"password = "bob-secret","#;
    let demo = calls_out("trusts_identity = true");
    let mut rig = Rig::with(&demo.replacen(password, &format!("{password} {bob}"), 1));
    rig.register_both();
    rig
}

/// Bob's phone is called by Alice's, and sends the call on.
fn redirect(rig: &mut Rig, contacts: &str) -> crate::rig::Asked {
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let moved = bob.respond("302 Moved Temporarily", None);
    let own = format!("Contact: <sip:phone@{BOB}>");
    rig.send(BOB, &moved.replacen(&own, &format!("Contact: {contacts}"), 1));
    rig.expect(BOB, "ACK");
    alice
}

#[test]
fn a_phone_sends_a_direct_call_on_to_a_number_as_its_agent_may_dial() {
    let mut rig = rig("");
    // The most wanted first; a host that only the phone names is passed over.
    let contacts = "<sip:fraud@203.0.113.9.evil.example>;q=1.0, <sip:102@acme.example>;q=0.1, \
                    <sip:+12125550123@acme.example>;q=0.9";
    let mut alice = redirect(&mut rig, contacts);
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE sip:+12125550123@127.0.0.51"));
    assert!(header(&out.invite, "Diversion").contains("reason=deflection"));
    rig.phone_answers(&out);
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(OUT);
    let told = &rig.events_of("call.forwarded")[0];
    assert_eq!((&told["agent"], &told["reason"]), (&"bob".into(), &"deflection".into()));
    let by = Diverter { by: "bob".to_owned(), reason: "deflection".to_owned() };
    assert_eq!(rig.record().diversions, [by]);
    rig.finish();
}

#[test]
fn what_the_agent_may_not_dial_a_phone_cannot_reach_either() {
    for (may_dial, contacts, status) in [
        ("may_dial = \"internal\",", "<sip:+12125550123@acme.example>", 480),
        ("", "<sip:+4930123456@acme.example>", 480),
        ("", "<sip:carla@elsewhere.example>", 603),
        ("", "<sip:127.0.0.9>", 603),
    ] {
        let mut rig = rig(may_dial);
        let alice = redirect(&mut rig, contacts);
        let refused = rig.expect(ALICE, &format!("SIP/2.0 {status}"));
        rig.send(ALICE, &alice.ack(&refused));
        assert_eq!(rig.count(OUT, "INVITE"), 0, "{contacts}");
        rig.finish();
    }
}

#[test]
fn the_other_phones_of_the_agent_ring_no_more() {
    let mut rig = rig("");
    let contact = format!("Contact: <sip:bob@{SOFT}>;expires=3600\r\n");
    rig.register_as(SOFT, ("bob", "bob-secret", "acme.example"), &contact);
    let alice = redirect(&mut rig, "<sip:+12125550123@acme.example>");
    let soft = Phone::new(SOFT, rig.expect(SOFT, "INVITE"));
    rig.send(SOFT, &soft.respond("180 Ringing", None));
    let cancel = rig.expect(SOFT, "CANCEL");
    assert!(header(&cancel, "Reason").starts_with("SIP;cause=302;"));
    rig.send(SOFT, &answer(&cancel, SOFT, "200 OK", &soft.tag, None));
    rig.send(SOFT, &soft.respond("487 Request Terminated", None));
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &out.respond("486 Busy Here", None));
    rig.expect(OUT, "ACK");
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn phones_that_send_calls_to_each_other_do_not_do_so_for_ever() {
    let mut rig = rig("");
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    for _ in 0..6 {
        let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
        let moved = bob.respond("302 Moved Temporarily", None);
        let own = format!("Contact: <sip:phone@{BOB}>");
        rig.send(BOB, &moved.replacen(&own, "Contact: <sip:bob@acme.example>", 1));
        rig.expect(BOB, "ACK");
    }
    let refused = rig.expect(ALICE, "SIP/2.0 480");
    rig.send(ALICE, &alice.ack(&refused));
    assert_eq!(rig.count(BOB, "INVITE"), 6);
    rig.finish();
}

#[test]
fn a_queues_call_does_not_leave_the_queue_by_a_phones_word() {
    let mut rig = rig("");
    let mut call = rig.dial_into_queue();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let moved = alice.respond("302 Moved Temporarily", None);
    let own = format!("Contact: <sip:phone@{ALICE}>");
    rig.send(ALICE, &moved.replacen(&own, "Contact: <sip:+12125550123@acme.example>", 1));
    rig.expect(ALICE, "ACK");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    assert_eq!(rig.count(OUT, "INVITE"), 0);
    let failed = rig.events_of("call.attempt_failed");
    assert_eq!(failed[0]["why"], serde_json::to_value(AttemptEnd::Rejected).unwrap());
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&bob);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}
