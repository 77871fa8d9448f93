//! What carriers and phones of the field do, named by what they do: odd but legal header fields,
//! addresses and orders, and the answers that they wait for.

use media::{Command, Direction};
use sip::Name;
use switch::{Cause, SecurityKind};

use crate::rig::{ALICE, Call, Phone, Rig, SDP_PCMU, STRANGER, TRUNK, answer, header};

#[test]
fn probes_outside_and_inside_dialogs_hear_all_that_we_can_do() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let mut outside = Call::new(&mut rig, TRUNK, "+15550100");
    for probe in [&mut outside, &mut call] {
        let options = probe.next("OPTIONS", None);
        rig.send(TRUNK, &options);
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        for (name, holds) in [
            ("Allow", "UPDATE"),
            ("Accept", "application/sdp"),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", "100rel, timer, replaces"),
            ("Allow-Events", "dialog"),
        ] {
            assert!(header(&ok, name).contains(holds), "{name}");
        }
    }
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_probe_may_require_what_we_know_and_hears_what_we_do_not() {
    let mut rig = Rig::new();
    let mut probe = Call::new(&mut rig, TRUNK, "+15550100");
    let requiring = |text: String, tags: &str| {
        text.replace("Max-Forwards", &format!("Require: {tags}\r\nMax-Forwards"))
    };
    let options = requiring(probe.next("OPTIONS", None), "100rel, timer");
    rig.send(TRUNK, &options);
    rig.expect(TRUNK, "SIP/2.0 200");
    let options = requiring(probe.next("OPTIONS", None), "timer, precondition, sec-agree");
    rig.send(TRUNK, &options);
    let refused = rig.expect(TRUNK, "SIP/2.0 420");
    assert_eq!(header(&refused, "Unsupported"), "precondition, sec-agree");
    rig.finish();
}

#[test]
fn a_request_in_a_dialog_that_requires_what_we_lack_is_420_but_a_bye_hangs_up() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _phone) = rig.connect_alice();
    let requiring =
        |text: String| text.replace("Max-Forwards", "Require: precondition\r\nMax-Forwards");
    for method in ["UPDATE", "INFO", "INVITE"] {
        let text = requiring(call.next(method, None));
        rig.send(TRUNK, &text);
        let refused = rig.expect_final(TRUNK);
        assert_eq!(refused.status().unwrap().as_u16(), 420, "{method}");
        assert_eq!(header(&refused, "Unsupported"), "precondition");
    }
    let branch = format!("z9hG4bK-INVITE-{}-{}", call.call_id, call.cseq);
    let ack = call.request("ACK", call.cseq, &branch, None);
    rig.send(TRUNK, &ack);
    let bye = requiring(call.next("BYE", None));
    rig.send(TRUNK, &bye);
    rig.expect(TRUNK, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_registration_that_requires_gruu_is_420_and_one_that_requires_path_is_taken() {
    let mut rig = Rig::new();
    let contact = "Contact: <sip:alice@127.0.0.11:5060>\r\nRequire: gruu\r\n";
    let who = ("alice", "alice-secret", "acme.example");
    let refused = rig.register_as(ALICE, who, contact);
    assert_eq!(refused.status().unwrap().as_u16(), 420);
    assert_eq!(header(&refused, "Unsupported"), "gruu");
    let ok = rig.register_as(ALICE, who, &contact.replace("gruu", "path"));
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    rig.finish();
}

#[test]
fn an_ack_by_a_stranger_brings_no_answer_and_takes_no_2xx_back() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").without_sdp();
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let evil = SDP_PCMU.replace("127.0.0.2", "203.0.113.5");
    let forged = call.ack(&ok, Some(&evil));
    rig.send(STRANGER, &forged);
    // Neither does one on the branch of the INVITE, which only a refusal's ACK has.
    let ack_branch = format!("z9hG4bK-ack-{}-{}", call.call_id, call.cseq);
    rig.send(STRANGER, &forged.replace(&ack_branch, &call.branch));
    assert!(!rig.commands.iter().any(|c| matches!(c, Command::SetRemote { .. })));
    assert_eq!(rig.last_play(), None);
    assert!(rig.security.iter().any(|event| event.kind == SecurityKind::DialogHijack));
    rig.advance_ms(600);
    assert_eq!(rig.count(TRUNK, "SIP/2.0 200"), 2, "the 200 goes on");
    let ack = call.ack(&ok, Some(SDP_PCMU));
    rig.send(TRUNK, &ack);
    assert!(rig.last_play().is_some());
    rig.wire.clear();
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_carrier_with_a_contact_that_is_nobodys_address_is_reached_where_it_came_from() {
    for contact in
        ["sip:c@0.0.0.0", "sip:c@255.255.255.255", "sip:c@224.0.1.75", "sip:c@127.0.0.2:0"]
    {
        let mut rig = Rig::new();
        let mut call = Call::new(&mut rig, TRUNK, "+15550101");
        let invite = call.invite();
        let old = format!("Contact: <sip:carrier@{TRUNK}>");
        rig.send(TRUNK, &invite.replace(&old, &format!("Contact: <{contact}>")));
        rig.caller_is_answered(&mut call);
        let id = rig.last_call();
        rig.request("acme", switch::ApiRequest::EndCall { call: id }).unwrap();
        rig.confirm_bye(TRUNK);
        rig.finish();
    }
}

#[test]
fn a_proxy_that_stands_in_the_way_twice_is_passed_twice() {
    // Kamailio between two networks writes two Record-Routes, with `lr=on`.
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550101");
    call.extra = "Record-Route: <sip:127.0.0.2;r2=on;lr=on;ftag=x>\r\n\
                  Record-Route: <sip:10.0.0.9;transport=tcp;r2=on;lr=on>\r\n"
        .to_owned();
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let routes: Vec<_> = ok.headers(Name::RECORD_ROUTE).collect();
    assert_eq!(routes.len(), 2, "both come back, in order");
    assert!(routes[0].contains("127.0.0.2"));
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    let id = rig.last_call();
    rig.request("acme", switch::ApiRequest::EndCall { call: id }).unwrap();
    let bye = rig.expect(TRUNK, "BYE sip:carrier@127.0.0.2:5060");
    let routes: Vec<_> = bye.headers(Name::ROUTE).collect();
    assert_eq!(
        routes,
        ["<sip:127.0.0.2;r2=on;lr=on;ftag=x>", "<sip:10.0.0.9;transport=tcp;r2=on;lr=on>"]
    );
    rig.send(TRUNK, &answer(&bye, TRUNK, "200 OK", "", None));
    rig.finish();
}

#[test]
fn names_in_utf_8_and_long_legal_fields_reach_the_agent_whole_or_do_no_harm() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    call.extra = format!(
        "P-Charging-Vector: icid-value={}\r\nX-Long: {}\r\n",
        "a".repeat(2000),
        "b".repeat(6000)
    );
    let invite = call.invite().replace("\"Carla \\\"C\\\" Caller\"", "\"Zoë Ünal 李\"");
    rig.send(TRUNK, &invite);
    rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    let invite = rig.expect(ALICE, "INVITE");
    assert!(header(&invite, "From").starts_with("\"Zoë Ünal 李\" <sip:+4930123456@"));
    assert!(!String::from_utf8_lossy(invite.bytes()).contains("icid-value"));
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn compact_forms_folds_and_blanks_make_a_call_like_any_other() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    let invite = call
        .invite()
        .replace("Via: SIP/2.0/UDP ", "v:  SIP / 2.0 / UDP  ")
        .replace("From: ", "f: \r\n ")
        .replace("To: ", "t:\t")
        .replace("Call-ID: ", "i : ")
        .replace("Contact: ", "m: ")
        .replace("Content-Type: ", "c: ")
        .replace("Content-Length: ", "l: ");
    rig.send(TRUNK, &invite);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert_eq!(ok.via().unwrap().branch(), Some(&*call.branch));
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_tag_in_another_case_is_another_dialog_and_the_highest_cseq_is_taken() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let mut shouted = call.clone();
    shouted.to_tag = shouted.to_tag.to_uppercase();
    shouted.from_tag = shouted.from_tag.to_uppercase();
    let bye = shouted.next("BYE", None);
    rig.send(TRUNK, &bye);
    rig.expect(TRUNK, "SIP/2.0 481");
    call.cseq = (1 << 31) - 3;
    for method in ["OPTIONS", "UPDATE"] {
        let request = call.next(method, None);
        rig.send(TRUNK, &request);
        rig.expect(TRUNK, "SIP/2.0 200");
    }
    assert_eq!(call.cseq, (1 << 31) - 1);
    let id = rig.last_call();
    rig.request("acme", switch::ApiRequest::EndCall { call: id }).unwrap();
    rig.confirm_bye(TRUNK);
    rig.finish();
}

#[test]
fn an_old_style_hold_by_an_address_of_zeros_plays_music_and_ends() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    let hold = SDP_PCMU.replace("c=IN IP4 127.0.0.2", "c=IN IP4 0.0.0.0");
    for (body, event) in [(hold.as_str(), "call.held"), (SDP_PCMU, "call.resumed")] {
        let update = phone.next("UPDATE", Some(body));
        rig.send(ALICE, &update);
        rig.expect(ALICE, "SIP/2.0 200");
        assert_eq!(rig.events_of(event).len(), 1);
    }
    let sends = rig.commands.iter().filter_map(|command| match command {
        Command::SetRemote { remote, .. } => Some(remote.direction),
        _ => None,
    });
    assert!(sends.collect::<Vec<_>>().contains(&Direction::SendOnly));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_phone_whose_host_has_a_zone_is_400_and_does_no_harm() {
    let mut rig = Rig::new();
    let who = ("alice", "alice-secret", "acme.example");
    for contact in ["sip:alice@[fe80::1%25eth0]:5060", "sip:alice@[fe80::1%eth0]"] {
        let answer = rig.register_as(ALICE, who, &format!("Contact: <{contact}>\r\n"));
        assert_eq!(answer.status().unwrap().as_u16(), 400, "{contact}");
    }
    rig.finish();
}

#[test]
fn a_phone_of_globally_routable_user_agents_is_rung_at_what_it_wrote() {
    // `ob` and `gr` in a Contact are the phone's own affair (RFC 5626 §4.3, RFC 5627).
    let mut rig = Rig::new();
    let contact = "Contact: <sip:alice@127.0.0.11:5060;ob;gr=urn:uuid:1>;expires=600;\
                   +sip.instance=\"<urn:uuid:1>\";reg-id=1\r\nSupported: outbound, path, gruu\r\n";
    let ok = rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), contact);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    let mut call = rig.dial_into_queue();
    let invite = rig.expect(ALICE, "INVITE sip:alice@127.0.0.11:5060;ob;gr=urn:uuid:1 SIP/2.0");
    let phone = Phone::new(ALICE, invite);
    rig.send(ALICE, &phone.respond("486 Busy Here", None));
    rig.expect(ALICE, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_invite_without_a_contact_or_with_a_star_is_400_and_leaves_a_record() {
    for contact in ["", "Contact: *\r\n"] {
        let mut rig = Rig::new();
        let call = Call::new(&mut rig, TRUNK, "+15550100");
        let old = format!("Contact: <sip:carrier@{TRUNK}>\r\n");
        let text = call.invite().replace(&old, contact);
        rig.refuses(&call, &text, "SIP/2.0 400");
        assert_eq!(rig.record().cause, Cause::BadRequest);
        rig.finish();
    }
}

#[test]
fn a_keep_alive_by_notify_and_a_probe_of_no_more_hops_are_answered_and_keep_nothing() {
    // Some phones keep their address translator awake by NOTIFYs of an event of their own.
    let mut rig = Rig::new();
    let mut probe = Call::new(&mut rig, STRANGER, "alice");
    let notify = probe.next("NOTIFY", None).replace("Max-F", "Event: keep-alive\r\nMax-F");
    rig.send(STRANGER, &notify);
    rig.expect(STRANGER, "SIP/2.0 481");
    let options = probe.next("OPTIONS", None).replace("Max-Forwards: 70", "Max-Forwards: 0");
    rig.send(STRANGER, &options);
    rig.expect(STRANGER, "SIP/2.0 200");
    assert_eq!(rig.switch.sizes().server_transactions, 0);
    rig.finish();
}

#[test]
fn a_secure_uri_and_a_telephone_uri_are_the_number_they_name() {
    for uri in ["sips:+15550100@127.0.0.1", "tel:+1-555-0100", "TEL:+15550100;isub=1"] {
        let mut rig = Rig::new();
        let mut call = Call::new(&mut rig, TRUNK, "+15550100");
        let own = format!("sip:+15550100@{} SIP/2.0", crate::rig::SWITCH);
        let invite = call.invite();
        assert!(invite.contains(&own));
        rig.send(TRUNK, &invite.replacen(&own, &format!("{uri} SIP/2.0"), 1));
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        assert!(header(&ok, "Contact").starts_with("<sip:"), "our Contact asks for no more TLS");
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        rig.caller_hangs_up(&mut call);
        assert_eq!(rig.record().number.as_deref(), Some("+15550100"), "{uri}");
        rig.finish();
    }
}

#[test]
fn a_200_that_is_lost_comes_again_and_a_second_ack_changes_nothing() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550101");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    rig.advance_ms(1600);
    let again = rig.expect(TRUNK, "SIP/2.0 200");
    assert_eq!(again.bytes(), ok.bytes());
    let ack = call.ack(&ok, None);
    for _ in 0..3 {
        rig.send(TRUNK, &ack);
    }
    rig.wire.clear();
    rig.advance_ms(20_000);
    assert!(rig.records.is_empty());
    rig.expect_silence(TRUNK);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}
