//! Phones over WebSocket: which of them are browsers, and which of an agent's pages takes the calls.

use std::net::SocketAddr;

use media::Command;
use sip::{Message, Name};

use crate::rig::{ALICE, Phone, Rig};

const HERS: (&str, &str, &str) = ("alice", "alice-secret", "acme.example");
/// A second tab of hers, and a third.
const TABS: [SocketAddr; 2] =
    [SocketAddr::new(ALICE.ip(), 6001), SocketAddr::new(ALICE.ip(), 6002)];

/// A phone of hers registers over a WebSocket.
fn registers(rig: &mut Rig, at: SocketAddr, connection: u64, contact: &str) {
    if !rig.pages.contains(&(at, connection)) {
        rig.pages.push((at, connection));
    }
    let contact = format!("Contact: <sip:{contact};transport=ws>;expires=600\r\n");
    assert_eq!(rig.register_as(at, HERS, &contact).status().unwrap().as_u16(), 200);
}

/// What alice's phone is offered when it rings.
fn offered(contact: &str) -> (Rig, String) {
    let mut rig = Rig::with_web();
    registers(&mut rig, ALICE, 7, contact);
    let (_, phone) = rig.ring_alice();
    let offer = String::from_utf8(phone.invite.body().to_vec()).unwrap();
    (rig, offer)
}

#[test]
fn a_page_is_offered_ice_and_dtls_over_the_port_of_all_browsers() {
    for contact in ["k7x2@df7jal23ls0d.invalid", "k7x2@192.0.2.77", "k7x2@page.example"] {
        let (rig, offer) = offered(contact);
        assert!(offer.contains("m=audio 8189 UDP/TLS/RTP/SAVPF "), "{offer}");
        assert!(offer.contains("a=ice-lite") && offer.contains("a=ice-ufrag:AAA"), "{offer}");
        let opens = |command: &Command| matches!(command, Command::OpenShared { .. });
        assert!(rig.commands.iter().any(opens));
    }
}

#[test]
fn a_phone_over_websocket_that_says_its_own_address_is_offered_plain_rtp() {
    for contact in ["alice@10.0.0.7:5060", "alice@[2001:db8::7]", "alice@127.0.0.1:4711"] {
        let (rig, offer) = offered(contact);
        assert!(offer.contains(" RTP/AVP ") && !offer.contains("a=ice"), "{offer}");
        let opens = |command: &Command| matches!(command, Command::OpenShared { .. });
        assert!(!rig.commands.iter().any(opens));
    }
}

#[track_caller]
fn told(rig: &mut Rig, at: SocketAddr, body: &str) {
    let notify = rig.expect(at, "NOTIFY");
    assert_eq!(notify.header(Name::EVENT), Some("strowger-page"));
    assert_eq!(notify.body().as_ref(), body.as_bytes());
    answers(rig, at, &notify);
}

/// Libraries answer by themselves; one that knows nothing of it refuses.
fn answers(rig: &mut Rig, at: SocketAddr, notify: &Message) {
    let ok = Phone::new(at, notify.clone()).respond("489 Bad Event", None);
    rig.send(at, &ok);
}

#[test]
fn a_tab_is_told_that_a_newer_one_takes_the_calls_and_when_that_is_gone() {
    let mut rig = Rig::with_web();
    registers(&mut rig, ALICE, 7, "one@aaa.invalid");
    rig.expect_silence(ALICE);
    registers(&mut rig, TABS[0], 8, "two@bbb.invalid");
    told(&mut rig, ALICE, "{\"rings\":false}");
    rig.expect_silence(TABS[0]);
    // Registering again is nothing new.
    registers(&mut rig, ALICE, 7, "one@aaa.invalid");
    registers(&mut rig, TABS[0], 8, "two@bbb.invalid");
    registers(&mut rig, TABS[1], 9, "three@ccc.invalid");
    told(&mut rig, TABS[0], "{\"rings\":false}");
    for at in [ALICE, TABS[0], TABS[1]] {
        rig.expect_silence(at);
    }
    rig.close_page(TABS[0]);
    rig.expect_silence(ALICE);
    rig.close_page(TABS[1]);
    told(&mut rig, ALICE, "{\"rings\":true}");
    let (_, phone) = rig.ring_alice();
    assert_eq!(phone.at, ALICE);
}

/// Two tabs connect at once, and the one whose connection is older registers last.
#[test]
fn a_tab_that_registers_after_a_newer_one_is_told_that_the_newer_one_takes_the_calls() {
    let mut rig = Rig::with_web();
    registers(&mut rig, TABS[0], 8, "two@bbb.invalid");
    registers(&mut rig, ALICE, 7, "one@aaa.invalid");
    told(&mut rig, ALICE, "{\"rings\":false}");
    registers(&mut rig, ALICE, 7, "one@aaa.invalid");
    rig.expect_silence(ALICE);
    rig.expect_silence(TABS[0]);
    rig.close_page(TABS[0]);
    told(&mut rig, ALICE, "{\"rings\":true}");
}

#[test]
fn a_desk_phone_beside_a_page_is_told_nothing_and_tells_it_nothing() {
    let mut rig = Rig::with_web();
    registers(&mut rig, ALICE, 7, "one@aaa.invalid");
    registers(&mut rig, TABS[0], 8, "alice@10.0.0.7:5060");
    rig.expect_silence(ALICE);
    rig.expect_silence(TABS[0]);
    rig.close_page(TABS[0]);
    rig.expect_silence(ALICE);
    rig.advance_ms(700_000);
    rig.expect_silence(ALICE);
}

/// A page that says how long it has wanted the calls registers.
fn registers_aged(rig: &mut Rig, at: SocketAddr, connection: u64, (name, age): (&str, &str)) {
    rig.pages.push((at, connection));
    let contact = format!("Contact: <sip:{name};transport=ws>;expires=600\r\n");
    let lines = format!("{contact}X-Strowger-Page-Age: {age}\r\n");
    assert_eq!(rig.register_as(at, HERS, &lines).status().unwrap().as_u16(), 200);
}

/// After a restart of the server the connections tell nothing of whose page is the newest.
#[test]
fn tabs_that_all_connect_again_keep_their_order_when_they_say_how_old_they_are() {
    let mut rig = Rig::with_web();
    rig.advance_ms(2_000);
    registers_aged(&mut rig, TABS[0], 7, ("two@bbb.invalid", "60000"));
    rig.expect_silence(TABS[0]);
    rig.advance_ms(500);
    registers_aged(&mut rig, ALICE, 8, ("one@aaa.invalid", "3600000"));
    told(&mut rig, ALICE, "{\"rings\":false}");
    rig.expect_silence(TABS[0]);
    rig.dial_into_queue();
    let phone = Phone::new(TABS[0], rig.expect(TABS[0], "INVITE"));
    rig.send(TABS[0], &phone.respond("486 Busy Here", None));
    rig.expect(TABS[0], "ACK");
    // The older one takes the calls: it wants them since now.
    rig.close_page(ALICE);
    registers_aged(&mut rig, ALICE, 9, ("one@aaa.invalid", "0"));
    told(&mut rig, TABS[0], "{\"rings\":false}");
    rig.expect_silence(ALICE);
    // What it says later, over the same connection, changes nothing.
    registers(&mut rig, TABS[0], 7, "two@bbb.invalid");
    rig.expect_silence(TABS[0]);
    rig.close_page(ALICE);
    told(&mut rig, TABS[0], "{\"rings\":true}");
}

/// One that says nothing, or nonsense, has come when it registers; no age is from before the last
/// month.
#[test]
fn a_tab_that_says_no_age_or_nonsense_has_just_come() {
    for nonsense in ["soon", "-5", "", "99999999999999999999999"] {
        let mut rig = Rig::with_web();
        registers_aged(&mut rig, ALICE, 8, ("one@aaa.invalid", "1000"));
        registers_aged(&mut rig, TABS[0], 7, ("two@bbb.invalid", nonsense));
        told(&mut rig, ALICE, "{\"rings\":false}");
        rig.expect_silence(TABS[0]);
    }
    let mut rig = Rig::with_web();
    registers_aged(&mut rig, ALICE, 8, ("one@aaa.invalid", &u64::MAX.to_string()));
    registers_aged(&mut rig, TABS[0], 7, ("two@bbb.invalid", "2678400000"));
    told(&mut rig, TABS[0], "{\"rings\":false}");
}
