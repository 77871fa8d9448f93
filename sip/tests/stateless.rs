//! Answering without a transaction (RFC 3261 §8.2.7), and knowing which requests have one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use sip::{Flow, Message, Response, StatusCode};
use support::*;

fn parsed(text: String) -> Message {
    Message::parse(text.into()).unwrap()
}

#[test]
fn a_request_refused_without_a_transaction_leaves_nothing_and_keeps_its_tag() {
    let mut bench = Bench::new();
    let invite = parsed(peer_request("INVITE", "z9hG4bK-1", 1, ""));
    assert!(!bench.endpoint.knows(&invite));
    let mut tags = Vec::new();
    for _ in 0..2 {
        let refusal = Response::new(StatusCode::FORBIDDEN);
        bench.endpoint.refuse(udp(), &invite, &refusal);
        let Some(sip::Output::Transmit { bytes, .. }) = bench.endpoint.poll_output() else {
            panic!("a refusal");
        };
        tags.push(Message::parse(bytes).unwrap().to_tag().unwrap().to_owned());
    }
    assert_eq!(tags[0], tags[1], "a retransmission gets the same dialog identifier");
    assert!(bench.is_idle());
    bench.receive(udp(), peer_request("ACK", "z9hG4bK-1", 1, &tags[0]));
    assert_eq!(bench.absorbed.len(), 1, "its ACK is nobody's event");
}

#[test]
fn a_retransmission_an_ack_and_a_cancel_are_known_while_their_transaction_is_open() {
    let mut bench = Bench::new();
    let invite = parsed(peer_request("INVITE", "z9hG4bK-1", 1, ""));
    bench.endpoint.handle_message(bench.now, udp(), invite.clone());
    assert!(bench.endpoint.knows(&invite));
    for method in ["ACK", "CANCEL"] {
        assert!(bench.endpoint.knows(&parsed(peer_request(method, "z9hG4bK-1", 1, ""))));
        assert!(!bench.endpoint.knows(&parsed(peer_request(method, "z9hG4bK-2", 1, ""))));
    }
}

#[test]
fn a_cancel_from_another_address_is_481_and_the_call_goes_on() {
    let mut bench = Bench::new();
    bench.receive(udp(), peer_request("INVITE", "z9hG4bK-1", 1, ""));
    let elsewhere = Flow { remote: "203.0.113.66:5060".parse().unwrap(), ..udp() };
    bench.receive(elsewhere, peer_request("CANCEL", "z9hG4bK-1", 1, ""));
    assert_eq!(bench.times("481"), [0]);
    assert_eq!(bench.events.len(), 1, "the INVITE's, and no Cancelled");
    bench.receive(udp(), peer_request("CANCEL", "z9hG4bK-1", 1, ""));
    assert_eq!(bench.times("200"), [0]);
    assert_eq!(bench.events.len(), 2);
}
