//! Where our requests in a trunk's dialog go: its Contact or Route may be a name, another transport,
//! or an address that nobody but itself can reach.

use std::net::SocketAddr;

use sip::Transport;
use switch::Input;

use crate::rig::{BOB, Call, Phone, Rig, SDP_PCMU, TRUNK, address, answer};

/// Another server of the carrier.
const ELSEWHERE: SocketAddr = address([127, 0, 0, 22], 5062);

/// A call from that address whose INVITE has this Contact, answered and confirmed.
fn call_with_contact(rig: &mut Rig, from: SocketAddr, contact: &str, lines: &str) -> Call {
    let mut call = Call::new(rig, from, "+15550101");
    let old = format!("Contact: <sip:carrier@{from}>\r\n");
    let invite = call.invite();
    assert!(invite.contains(&old));
    rig.send(from, &invite.replace(&old, &format!("{lines}Contact: <{contact}>\r\n")));
    rig.caller_is_answered(&mut call);
    call
}

fn end(rig: &mut Rig) {
    let id = rig.last_call();
    rig.request("acme", switch::ApiRequest::EndCall { call: id }).unwrap();
}

#[test]
fn a_contact_that_is_a_name_is_resolved_and_our_bye_goes_there() {
    let mut rig = Rig::new();
    rig.world.host("sbc.carrier.example", &[ELSEWHERE]);
    call_with_contact(&mut rig, TRUNK, "sip:c@sbc.carrier.example:5062", "");
    end(&mut rig);
    rig.expect_silence(TRUNK);
    rig.confirm(ELSEWHERE, "BYE sip:c@sbc.carrier.example:5062 SIP/2.0");
    rig.finish();
}

#[test]
fn a_record_route_that_is_a_name_is_resolved_and_our_bye_goes_there() {
    let mut rig = Rig::new();
    rig.world.host("edge.carrier.example", &[ELSEWHERE]);
    let route = "Record-Route: <sip:edge.carrier.example:5062;lr>\r\n";
    call_with_contact(&mut rig, TRUNK, "sip:c@10.9.9.9", route);
    end(&mut rig);
    rig.confirm(ELSEWHERE, "BYE sip:c@10.9.9.9 SIP/2.0");
    rig.finish();
}

#[test]
fn a_name_that_leads_nowhere_leaves_the_flow_that_the_call_came_over() {
    let mut rig = Rig::new();
    call_with_contact(&mut rig, TRUNK, "sip:c@nowhere.carrier.example", "");
    end(&mut rig);
    rig.confirm_bye(TRUNK);
    rig.finish();
}

#[test]
fn a_name_that_says_itself_that_it_is_none_is_not_asked_for() {
    let mut rig = Rig::new();
    call_with_contact(&mut rig, TRUNK, "sip:c@xyz.invalid;transport=ws", "");
    assert!(rig.questions.is_empty());
    end(&mut rig);
    rig.confirm_bye(TRUNK);
    rig.finish();
}

#[test]
fn a_contact_over_tcp_is_connected_to() {
    let mut rig = Rig::new();
    rig.world.listens(Transport::Tcp, ELSEWHERE);
    call_with_contact(&mut rig, TRUNK, "sip:c@127.0.0.22:5062;transport=tcp", "");
    end(&mut rig);
    let (flow, bye) = rig.wire.pop_back().expect("a BYE");
    assert_eq!((flow.transport, flow.remote), (Transport::Tcp, ELSEWHERE));
    rig.input(Input::Received { flow, bytes: answer(&bye, ELSEWHERE, "200 OK", "x", None).into() });
    rig.finish();
}

#[test]
fn a_carrier_behind_an_address_translator_is_reached_where_it_came_from() {
    let outside: SocketAddr = "198.51.100.7:1024".parse().unwrap();
    let trunk = "[[trunks]]\nid = \"natted\"\nsources = [\"198.51.100.7\"]\n";
    let mut rig = Rig::with(&format!("{trunk}{}", crate::rig::DEMO));
    call_with_contact(&mut rig, outside, "sip:c@192.168.1.20:5060", "");
    end(&mut rig);
    rig.confirm_bye(outside);
    rig.finish();
}

#[test]
fn a_trunks_call_outlives_its_connection_and_goes_on_over_another() {
    let mut rig = Rig::new();
    rig.tcp.push((TRUNK, 7));
    rig.world.listens(Transport::Tcp, TRUNK);
    call_with_contact(&mut rig, TRUNK, &format!("sip:c@{TRUNK};transport=tcp"), "");
    let flow = rig.flow(TRUNK);
    rig.input(Input::FlowClosed { flow });
    assert!(rig.records.is_empty(), "the call is up");
    end(&mut rig);
    let (flow, bye) = rig.wire.pop_back().expect("a BYE");
    assert_eq!((flow.transport, flow.connection), (Transport::Tcp, 1001));
    assert!(bye.bytes().starts_with(b"BYE"));
    rig.input(Input::Received { flow, bytes: answer(&bye, TRUNK, "200 OK", "x", None).into() });
    rig.finish();
}

#[test]
fn a_bye_that_is_lost_with_its_connection_is_sent_again_over_another() {
    let mut rig = Rig::new();
    rig.tcp.push((TRUNK, 7));
    rig.world.listens(Transport::Tcp, TRUNK);
    call_with_contact(&mut rig, TRUNK, &format!("sip:c@{TRUNK};transport=tcp"), "");
    end(&mut rig);
    let (flow, lost) = rig.wire.pop_back().expect("a BYE");
    assert_eq!(flow.connection, 7);
    rig.input(Input::FlowClosed { flow });
    let (flow, bye) = rig.wire.pop_back().expect("another BYE");
    assert_eq!((flow.transport, flow.connection), (Transport::Tcp, 1001));
    assert_eq!(bye.cseq().unwrap(), lost.cseq().unwrap() + 1);
    assert_eq!(bye.header(sip::Name::REASON), lost.header(sip::Name::REASON));
    rig.input(Input::Received { flow, bytes: answer(&bye, TRUNK, "200 OK", "x", None).into() });
    rig.finish();
}

#[test]
fn a_bye_that_no_connection_takes_ends_with_the_call() {
    let mut rig = Rig::new();
    rig.tcp.push((TRUNK, 7));
    call_with_contact(&mut rig, TRUNK, &format!("sip:c@{TRUNK};transport=tcp"), "");
    end(&mut rig);
    let (flow, _) = rig.wire.pop_back().expect("a BYE");
    rig.input(Input::FlowClosed { flow });
    rig.advance_ms(3000);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn a_caller_who_vanished_before_the_ack_leaves_nothing_when_no_connection_takes_the_bye() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    rig.tcp.push((TRUNK, 7));
    let call = Call::new(&mut rig, TRUNK, "+15550103");
    let old = format!("Contact: <sip:carrier@{TRUNK}>");
    let own = format!("Contact: <sip:c@{TRUNK};transport=tcp>");
    rig.send(TRUNK, &call.invite().replace(&old, &own));
    rig.expect(TRUNK, "SIP/2.0 200");
    let flow = rig.flow(TRUNK);
    rig.input(Input::FlowClosed { flow });
    let mut bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    let bye = bob.next("BYE", None);
    rig.send(BOB, &bye);
    // Our BYE waits for the ACK, for 32 s: longer than the record does.
    rig.advance_ms(33_000);
    assert_eq!(rig.count(TRUNK, "BYE"), 1);
    rig.input(Input::FlowClosed { flow });
    rig.finish();
}

#[test]
fn a_re_invite_may_move_the_dialog_to_a_name() {
    let mut rig = Rig::new();
    rig.world.host("sbc.carrier.example", &[ELSEWHERE]);
    let mut call = call_with_contact(&mut rig, TRUNK, &format!("sip:carrier@{TRUNK}"), "");
    let again = call.next("INVITE", Some(SDP_PCMU));
    let old = format!("Contact: <sip:carrier@{TRUNK}>");
    rig.send(TRUNK, &again.replace(&old, "Contact: <sip:c@sbc.carrier.example:5062>"));
    rig.caller_is_answered(&mut call);
    end(&mut rig);
    rig.expect(ELSEWHERE, "BYE sip:c@sbc.carrier.example:5062");
}
