//! Dialogs: RFC 3261 §12.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::{Dialog, DialogError, DialogId, Message, Method, Name, Request};
use support::*;

fn parse(text: String) -> Message {
    Message::parse(text.into()).unwrap()
}

fn with_routes(text: &str, routes: &str) -> Message {
    parse(text.replace("Max-Forwards", &format!("{routes}Max-Forwards")))
}

fn routes(request: &Request) -> Vec<String> {
    // A request's lines can be seen once it is sent.
    let mut bench = Bench::new();
    bench.request(udp(), request.clone());
    bench.last().list(Name::ROUTE).map(str::to_owned).collect()
}

fn uas() -> Dialog {
    let request = with_routes(
        &peer_request("INVITE", "z9hG4bK1", 10, ""),
        "Record-Route: <sip:near;lr>, <sip:far;lr>\r\n",
    );
    Dialog::uas(&request, "mine", uri("sip:us@192.0.2.1")).unwrap()
}

#[test]
fn the_answering_end_keeps_the_route_in_order_and_starts_a_cseq_of_its_own() {
    let mut dialog = uas();
    assert_eq!(
        dialog.id(),
        DialogId {
            call_id: "c1@198.51.100.7".to_owned(),
            local_tag: "mine".to_owned(),
            remote_tag: "f1".to_owned(),
        }
    );
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().as_str(), "sip:alice@198.51.100.7:5080");
    assert_eq!(bye.get(Name::FROM), Some("<sip:bob@192.0.2.1>;tag=mine"));
    assert_eq!(bye.get(Name::TO), Some("\"A, B\" <sip:alice@example.org>;tag=f1"));
    assert_eq!(bye.get(Name::CSEQ), Some("1 BYE"));
    assert_eq!(bye.get(Name::CONTACT), None);
    assert_eq!(routes(&bye), ["<sip:near;lr>", "<sip:far;lr>"]);
    assert_eq!(dialog.next_hop(), uri("sip:near;lr"));
    let again = dialog.request(Method::Invite);
    assert_eq!(again.get(Name::CSEQ), Some("2 INVITE"));
    assert_eq!(again.get(Name::CONTACT), Some("<sip:us@192.0.2.1>"));
}

fn uac(routes: &str) -> (Dialog, Message) {
    let mut bench = Bench::new();
    bench.request(udp(), invite().header(Name::CSEQ, "7 INVITE"));
    let text = peer_response(&bench.sent[0].2, 200, "theirs");
    let ok = parse(text.replace("Contact:", &format!("{routes}Contact:")));
    (Dialog::uac(&invite(), &ok).unwrap(), ok)
}

#[test]
fn the_calling_end_turns_the_route_around_and_acks_with_the_invites_cseq() {
    let (mut dialog, ok) = uac("Record-Route: <sip:far;lr>\r\nRecord-Route: <sip:near;lr>\r\n");
    let ack = dialog.ack(ok.cseq().unwrap());
    assert_eq!(ack.get(Name::CSEQ), Some("7 ACK"));
    assert_eq!(ack.uri().as_str(), "sip:bob@198.51.100.7:5080");
    assert_eq!(ack.get(Name::ROUTE), Some("<sip:near;lr>"));
    assert_eq!(dialog.request(Method::Bye).get(Name::CSEQ), Some("8 BYE"));
    assert_eq!(dialog.id(), DialogId::of_response(&ok).unwrap());
}

#[test]
fn a_strict_router_gets_itself_as_the_request_uri_and_the_target_last() {
    let (mut dialog, _) = uac("Record-Route: <sip:far;lr>, <sip:strict>\r\n");
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().as_str(), "sip:strict");
    assert_eq!(routes(&bye), ["<sip:far;lr>", "<sip:bob@198.51.100.7:5080>"]);
}

fn in_dialog(method: &str, cseq: u32) -> String {
    peer_request(method, "z9hG4bK2", cseq, "mine")
}

#[test]
fn requests_of_the_peer_are_taken_in_order_only() {
    let mut dialog = uas();
    assert_eq!(dialog.accept(&parse(in_dialog("INFO", 11))), Ok(()));
    let late = dialog.accept(&parse(in_dialog("BYE", 9)));
    assert_eq!(late, Err(DialogError::OutOfOrder { seen: 11, got: 9 }));
    assert_eq!(late.unwrap_err().status().as_u16(), 500);
    assert_eq!(dialog.accept(&parse(in_dialog("ACK", 10))), Ok(()), "the INVITE's number");
    assert_eq!(dialog.accept(&parse(in_dialog("BYE", 12))), Ok(()));
}

#[test]
fn a_request_with_a_forged_tag_is_not_in_the_dialog() {
    let mut dialog = uas();
    for forged in [
        in_dialog("BYE", 11).replace("tag=mine", "tag=guess"),
        in_dialog("BYE", 11).replace("tag=f1", "tag=guess"),
        in_dialog("BYE", 11).replace("Call-ID: c1", "Call-ID: c2"),
        peer_request("BYE", "z9hG4bK2", 11, ""),
    ] {
        let refused = dialog.accept(&parse(forged));
        assert_eq!(refused.unwrap_err().status().as_u16(), 481);
    }
}

#[test]
fn a_re_invite_moves_the_target_and_a_bye_does_not() {
    let mut dialog = uas();
    let moved = |method, cseq| {
        parse(in_dialog(method, cseq).replace("alice@198.51.100.7", "alice@203.0.113.1"))
    };
    let bye = parse(in_dialog("INFO", 11).replace("alice@198.51.100.7", "evil@203.0.113.66"));
    dialog.accept(&bye).unwrap();
    assert_eq!(dialog.remote_target().as_str(), "sip:alice@198.51.100.7:5080");
    dialog.accept(&moved("INVITE", 12)).unwrap();
    assert_eq!(dialog.remote_target().as_str(), "sip:alice@203.0.113.1:5080");
}

#[test]
fn an_invite_without_a_contact_or_with_endless_routes_makes_no_dialog() {
    let text = peer_request("INVITE", "z9hG4bK1", 1, "");
    let without = parse(text.replace("Contact: <sip:alice@198.51.100.7:5080>\r\n", ""));
    assert!(Dialog::uas(&without, "t", uri("sip:us")).is_err());
    let route = "Record-Route: <sip:p;lr>, <sip:p;lr>, <sip:p;lr>, <sip:p;lr>\r\n";
    let endless = with_routes(&text, &route.repeat(20));
    assert!(Dialog::uas(&endless, "t", uri("sip:us")).is_err());
}
