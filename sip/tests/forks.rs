//! Several early dialogs of one INVITE (RFC 3261 §13.2.2).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::{Dialog, Forks, Message, Method, Name};
use support::*;

fn response(status: u16, tag: &str, route: &str, contact: &str) -> Message {
    let mut bench = Bench::new();
    bench.request(udp(), invite().header(Name::CSEQ, "7 INVITE").header(Name::CALL_ID, "c"));
    let text = peer_response(bench.last(), status, tag)
        .replace("Contact: <sip:bob@198.51.100.7:5080>\r\n", &format!("{route}{contact}"));
    Message::parse(text.into()).unwrap()
}

const A: &str = "Contact: <sip:a@192.0.2.11>\r\n";
const B: &str = "Contact: <sip:b@192.0.2.12>\r\n";

#[test]
fn each_fork_is_a_dialog_with_a_cseq_and_a_way_of_its_own() {
    let mut forks = Forks::new();
    let invite = invite();
    let route = "Record-Route: <sip:p1;lr>\r\n";
    let first = forks.on_provisional(&invite, &response(183, "a", route, A)).unwrap().unwrap();
    assert_eq!(first.request(Method::Prack).get(Name::CSEQ), Some("8 PRACK"));
    let second = forks.on_provisional(&invite, &response(180, "b", "", B)).unwrap().unwrap();
    assert_eq!(second.request(Method::Prack).get(Name::CSEQ), Some("8 PRACK"));
    assert_eq!(second.remote_target().as_str(), "sip:b@192.0.2.12");
    assert!(forks.on_provisional(&invite, &response(180, "", "", A)).unwrap().is_none());
    let moved = response(183, "a", "", "Contact: <sip:a2@192.0.2.13>\r\n");
    let first = forks.on_provisional(&invite, &moved).unwrap().unwrap();
    assert_eq!(first.remote_target().as_str(), "sip:a2@192.0.2.13");
    let id = first.id();
    assert_eq!(forks.get_mut(&id).map(|dialog| dialog.local_cseq()), Some(8));
    assert_eq!(forks.ids().count(), 2);
}

#[test]
fn a_2xx_confirms_its_fork_with_a_new_way_and_the_cseq_going_on() {
    let mut forks = Forks::new();
    let invite = invite();
    let early = response(183, "a", "Record-Route: <sip:p1;lr>\r\n", A);
    forks.on_provisional(&invite, &early).unwrap().unwrap().request(Method::Prack);
    let ok = response(200, "a", "Record-Route: <sip:p2;lr>, <sip:p3;lr>\r\n", A);
    let mut dialog = forks.confirm(&invite, &ok).unwrap();
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.get(Name::CSEQ), Some("9 BYE"), "8 was the PRACK's");
    assert_eq!(bye.get(Name::ROUTE), Some("<sip:p3;lr>"));
    assert_eq!(dialog.ack(7).get(Name::CSEQ), Some("7 ACK"));
    assert!(forks.is_empty());
    let bare = forks.confirm(&invite, &response(200, "z", "", B)).unwrap();
    assert_eq!(bare.remote_target().as_str(), "sip:b@192.0.2.12", "one without an early dialog");
    assert!(forks.confirm(&invite, &response(200, "y", "", "")).is_err(), "and without a Contact");
    forks.on_provisional(&invite, &response(180, "b", "", B)).unwrap();
    let kept = forks.confirm(&invite, &response(200, "b", "", "")).unwrap();
    assert_eq!(kept.remote_target().as_str(), "sip:b@192.0.2.12", "the 180 gave one");
}

#[test]
fn a_storm_of_forks_is_not_followed() {
    let mut forks = Forks::new();
    let followed = (0..100).filter(|n| {
        forks.on_provisional(&invite(), &response(180, &format!("f{n}"), "", A)).is_ok()
    });
    assert_eq!(followed.count(), 8);
}

#[test]
fn a_contact_with_header_fields_or_a_method_gives_a_plain_request_uri() {
    let contact = "Contact: <sip:a@192.0.2.11;method=BYE;x=y?Route=%3Csip:evil%3E>\r\n";
    let mut dialog = Dialog::uac(&invite(), &response(200, "a", "", contact)).unwrap();
    assert_eq!(dialog.request(Method::Bye).uri().as_str(), "sip:a@192.0.2.11;x=y");
    let mut again = dialog.request(Method::Invite);
    dialog.again(&mut again);
    assert_eq!(again.get(Name::CSEQ), Some("10 INVITE"));
    assert_eq!(dialog.local_cseq(), 10);
}
