//! Server transactions: RFC 3261 §17.2, §9.2, §8.2.2.2 and §18.2, RFC 6026 §8.3, RFC 3581.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::{Event, Flow, Message, Name, Response, StatusCode, Timer, TxRef};
use support::*;

const B1: &str = "z9hG4bK-1";

fn invited(flow: Flow) -> Bench {
    let mut bench = Bench::new();
    bench.receive(flow, peer_request("INVITE", B1, 1, ""));
    bench
}

fn ack(branch: &str, tag: &str) -> String {
    peer_request("ACK", branch, 1, tag)
}

fn our_tag(bench: &Bench) -> String {
    bench.last().to_tag().unwrap().to_owned()
}

fn names(bench: &Bench) -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Request { .. } => "request",
        Event::Ack { .. } => "ack",
        Event::AckMissing { .. } => "ack missing",
        Event::Cancelled { .. } => "cancelled",
        Event::Unanswered { .. } => "unanswered",
        _ => "other",
    };
    bench.events.iter().map(|(_, event)| name(event)).collect()
}

#[test]
fn an_invite_is_answered_100_before_the_user_hears_of_it() {
    let bench = invited(udp());
    assert_eq!(bench.times("100"), [0]);
    assert_eq!(bench.last().to_tag(), None, "a 100 makes no dialog");
    assert_eq!(names(&bench), ["request"]);
    assert!(matches!(bench.sent[0].3, TxRef::Server(tx) if tx == bench.server_tx()));
}

#[test]
fn a_retransmitted_invite_gets_the_last_provisional_response_again() {
    let mut bench = invited(udp());
    bench.receive(udp(), peer_request("INVITE", B1, 1, ""));
    assert_eq!(bench.times("100"), [0, 0]);
    bench.respond(bench.server_tx(), StatusCode::RINGING);
    bench.receive(udp(), peer_request("INVITE", B1, 1, ""));
    assert_eq!(bench.times("180"), [0, 0]);
    assert_eq!(bench.requests(), 1);
    assert_eq!(bench.absorbed.len(), 2, "and each copy can be shown");
}

#[test]
fn a_refusal_is_sent_until_timer_h_gives_up_at_32_s() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::BUSY_HERE);
    bench.run_to(60_000);
    assert_eq!(
        bench.times("486"),
        [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert_eq!(bench.fired.last(), Some(&(at(32_000), Timer::H)));
    assert_eq!(names(&bench), ["request"]);
    assert!(bench.is_idle());
}

#[test]
fn the_ack_of_a_refusal_stops_it_and_timer_i_absorbs_5_s() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::BUSY_HERE);
    bench.run_to(700);
    bench.receive(udp(), ack(B1, &our_tag(&bench)));
    bench.receive(udp(), peer_request("INVITE", B1, 1, ""));
    bench.receive(udp(), ack(B1, &our_tag(&bench)));
    bench.run_to(60_000);
    assert_eq!(bench.times("486"), [0, 500]);
    assert_eq!(bench.fired.last(), Some(&(at(5_700), Timer::I)));
    assert_eq!(names(&bench), ["request"], "nobody need hear of that ACK");
    assert!(bench.is_idle());
}

#[test]
fn on_a_stream_a_refusal_goes_once_and_timers_i_and_j_are_zero() {
    let mut bench = invited(tcp());
    bench.respond(bench.server_tx(), StatusCode::BUSY_HERE);
    bench.run_to(10_000);
    assert_eq!(bench.times("486"), [0]);
    bench.receive(tcp(), ack(B1, &our_tag(&bench)));
    assert!(bench.is_idle());

    bench.receive(tcp(), peer_request("OPTIONS", "z9hG4bK-2", 2, ""));
    bench.respond(bench.server_tx(), StatusCode::OK);
    assert!(bench.is_idle());
}

#[test]
fn a_2xx_is_sent_until_its_ack_even_on_a_stream() {
    for flow in [udp(), tcp()] {
        let mut bench = invited(flow);
        bench.respond(bench.server_tx(), StatusCode::OK);
        bench.run_to(4_000);
        assert_eq!(bench.times("200"), [0, 500, 1500, 3500]);
        // The ACK of a 2xx has a branch of its own.
        bench.receive(flow, ack("z9hG4bK-other", &our_tag(&bench)));
        bench.receive(flow, ack("z9hG4bK-other", &our_tag(&bench)));
        bench.run_to(60_000);
        assert_eq!(bench.times("200").len(), 4);
        assert_eq!(names(&bench), ["request", "ack"], "once");
        assert_eq!(bench.fired.last(), Some(&(at(32_000), Timer::L)));
        assert!(bench.is_idle());
    }
}

#[test]
fn a_2xx_without_an_ack_is_reported_at_32_s() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::OK);
    bench.run_to(60_000);
    assert_eq!(
        bench.times("200"),
        [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert_eq!(names(&bench), ["request", "ack missing"]);
    assert_eq!(bench.events[1].0, at(32_000));
    assert!(bench.is_idle());
}

/// RFC 6026 §7.1: the transaction stays, so that a late copy makes no second call.
#[test]
fn an_invite_that_comes_again_after_its_2xx_is_absorbed() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::OK);
    bench.receive(udp(), ack("z9hG4bK-other", &our_tag(&bench)));
    bench.run_to(31_000);
    bench.receive(udp(), peer_request("INVITE", B1, 1, ""));
    assert_eq!(bench.requests(), 1);
    assert_eq!(bench.times("200"), [0], "and not answered again");
}

#[test]
fn an_ack_with_another_tag_or_cseq_is_not_for_our_2xx() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::OK);
    let tag = our_tag(&bench);
    bench.receive(udp(), ack("z9hG4bK-x", "forged"));
    bench.receive(udp(), peer_request("ACK", "z9hG4bK-y", 2, &tag));
    assert_eq!(names(&bench), ["request"]);
}

#[test]
fn nothing_goes_out_after_the_final_response() {
    let mut bench = invited(udp());
    let tx = bench.server_tx();
    bench.respond(tx, StatusCode::BUSY_HERE);
    bench.respond(tx, StatusCode::OK);
    bench.respond(tx, StatusCode::RINGING);
    assert_eq!(bench.sent.len(), 2);
}

#[test]
fn another_request_is_answered_again_for_32_s_then_forgotten() {
    let mut bench = Bench::new();
    let request = peer_request("OPTIONS", B1, 1, "");
    bench.receive(udp(), request.clone());
    bench.receive(udp(), request.clone());
    assert!(bench.sent.is_empty(), "no 100 for these; a copy in Trying is dropped");
    bench.respond(bench.server_tx(), StatusCode::OK);
    bench.run_to(31_999);
    bench.receive(udp(), request.clone());
    assert_eq!(bench.times("200"), [0, 31_999]);
    bench.run_to(32_000);
    assert_eq!(bench.fired, [(at(32_000), Timer::J)]);
    assert!(bench.is_idle());
    bench.receive(udp(), request);
    assert_eq!(bench.requests(), 2, "a new request now");
}

#[test]
fn cancel_is_answered_200_with_the_invites_tag_and_told_once() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::RINGING);
    let tag = our_tag(&bench);
    bench.receive(udp(), peer_request("CANCEL", B1, 1, ""));
    assert_eq!(our_tag(&bench), tag);
    bench.receive(udp(), peer_request("CANCEL", B1, 1, ""));
    assert_eq!(bench.times("200"), [0, 0]);
    assert_eq!(names(&bench), ["request", "cancelled"]);
    bench.respond(bench.server_tx(), StatusCode::REQUEST_TERMINATED);
    assert_eq!(our_tag(&bench), tag);
    bench.receive(udp(), ack(B1, &tag));
    bench.run_to(60_000);
    assert!(bench.is_idle());
}

#[test]
fn a_cancel_after_the_final_response_changes_nothing() {
    let mut bench = invited(udp());
    bench.respond(bench.server_tx(), StatusCode::OK);
    bench.receive(udp(), peer_request("CANCEL", B1, 1, ""));
    assert_eq!(names(&bench), ["request"]);
    assert_eq!(bench.last().method().as_str(), "CANCEL");
    assert_eq!(bench.last().status(), Some(StatusCode::OK));
}

#[test]
fn a_cancel_for_nothing_is_answered_481() {
    let mut bench = Bench::new();
    bench.receive(udp(), peer_request("CANCEL", B1, 1, ""));
    assert_eq!(bench.times("481"), [0]);
    assert!(bench.events.is_empty() && bench.is_idle());
}

#[test]
fn a_stray_ack_is_never_answered() {
    let mut bench = Bench::new();
    bench.receive(udp(), ack(B1, "x"));
    bench.receive(udp(), ack(B1, "x").replace("CSeq: 1", "CSeq: x"));
    assert!(bench.sent.is_empty() && bench.events.is_empty());
}

#[test]
fn the_same_request_on_another_branch_is_a_loop_482() {
    let mut bench = invited(udp());
    bench.receive(udp(), peer_request("INVITE", "z9hG4bK-2", 1, ""));
    assert_eq!(bench.times("482"), [0]);
    assert_eq!(bench.requests(), 1);
    // The next CSeq is another request: one that answers a challenge, say.
    bench.receive(udp(), peer_request("INVITE", "z9hG4bK-3", 2, ""));
    assert_eq!(bench.requests(), 2);
    // And inside a dialog there is no such thing.
    bench.receive(udp(), peer_request("INVITE", "z9hG4bK-4", 1, "t"));
    assert_eq!(bench.requests(), 3);
}

#[test]
fn rfc_2543_requests_without_a_magic_branch_are_matched_by_the_rest() {
    let mut bench = Bench::new();
    let via = "SIP/2.0/UDP 198.51.100.7:5080";
    let invite = peer_request_via("INVITE", via, 1, "");
    bench.receive(udp(), invite.clone());
    bench.receive(udp(), invite.clone());
    assert_eq!(bench.requests(), 1);
    bench.respond(bench.server_tx(), StatusCode::BUSY_HERE);
    let tag = our_tag(&bench);
    bench.receive(udp(), peer_request_via("ACK", via, 1, &tag));
    bench.run_to(60_000);
    assert_eq!(bench.times("486"), [0], "the ACK was matched");

    let mut bench = Bench::new();
    bench.receive(udp(), invite);
    bench.receive(udp(), peer_request_via("CANCEL", via, 1, ""));
    assert_eq!(names(&bench), ["request", "cancelled"]);
}

#[test]
fn the_same_branch_from_another_host_is_another_transaction() {
    let mut bench = invited(udp());
    let other = peer_request("INVITE", B1, 1, "")
        .replace("UDP 198.51.100.7:5080", "UDP 203.0.113.9:5080")
        .replace("c1@", "c2@");
    bench.receive(udp(), other);
    assert_eq!(bench.requests(), 2);
}

fn reply_to(via: &str, flow: Flow) -> (Flow, Message) {
    let mut bench = Bench::new();
    bench.receive(flow, peer_request_via("OPTIONS", via, 1, ""));
    bench.respond(bench.server_tx(), StatusCode::OK);
    (bench.sent[0].1, bench.sent[0].2.clone())
}

#[test]
fn with_rport_the_response_goes_to_the_source_and_says_so() {
    let (flow, response) = reply_to("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bK1;rport", udp());
    assert_eq!(flow.remote.to_string(), "198.51.100.7:5080");
    let via = response.via().unwrap();
    assert_eq!(via.rport(), Some(5080));
    assert_eq!(via.received(), Some("198.51.100.7".parse().unwrap()));
    assert_eq!((via.host(), via.port(), via.branch()), ("10.0.0.5", Some(5062), Some("z9hG4bK1")));
}

#[test]
fn without_rport_it_goes_to_the_source_address_and_the_port_of_via() {
    let (flow, response) = reply_to("SIP/2.0/UDP pc.example.com:5062;branch=z9hG4bK1", udp());
    assert_eq!(flow.remote.to_string(), "198.51.100.7:5062");
    assert_eq!(response.via().unwrap().received(), Some("198.51.100.7".parse().unwrap()));
    let (flow, response) = reply_to("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1", udp());
    assert_eq!(flow.remote.to_string(), "198.51.100.7:5060");
    assert_eq!(response.via().unwrap().received(), None, "the address in Via was right");
}

#[test]
fn what_a_peer_writes_into_received_or_maddr_aims_no_response() {
    let via = "SIP/2.0/UDP h:5062;received=203.0.113.1;maddr=203.0.113.2;branch=z9hG4bK1";
    let (flow, response) = reply_to(via, udp());
    assert_eq!(flow.remote.to_string(), "198.51.100.7:5062");
    assert_eq!(response.via().unwrap().received(), Some("198.51.100.7".parse().unwrap()));
}

#[test]
fn on_a_stream_the_response_goes_back_over_the_connection() {
    let (flow, _) = reply_to("SIP/2.0/TCP h:5062;branch=z9hG4bK1", tcp());
    assert_eq!(flow, tcp());
}

#[test]
fn every_via_and_record_route_comes_back_in_order() {
    let mut bench = Bench::new();
    let request = peer_request("INVITE", B1, 1, "").replace(
        "Max-Forwards",
        "Via: SIP/2.0/UDP b;branch=z9hG4bKb, SIP/2.0/TCP c;branch=z9hG4bKc\r\n\
         Record-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\nMax-Forwards",
    );
    bench.receive(udp(), request);
    let ok = Response::new(StatusCode::OK)
        .to_tag("mine")
        .header(Name::CONTACT, "<sip:us@192.0.2.1>")
        .body("application/sdp", "v=0\r\n");
    bench.respond_with(bench.server_tx(), ok);
    let ok = bench.last();
    let hosts: Vec<_> = ok.vias().map(|via| via.unwrap().host().to_owned()).collect();
    assert_eq!(hosts, ["198.51.100.7", "b", "c"]);
    assert_eq!(ok.list(Name::RECORD_ROUTE).collect::<Vec<_>>(), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    assert_eq!(ok.to_tag(), Some("mine"));
    assert_eq!(ok.header(Name::FROM), Some("\"A, B\" <sip:alice@example.org>;tag=f1"));
    assert_eq!((ok.content_type(), &ok.body()[..]), (Some("application/sdp"), &b"v=0\r\n"[..]));
}

#[test]
fn a_full_table_answers_503_with_retry_after_and_keeps_nothing() {
    let config = sip::EndpointConfig { max_transactions: 1, ..Default::default() };
    let mut bench = Bench::with(config);
    bench.receive(udp(), peer_request("INVITE", B1, 1, ""));
    bench.receive(udp(), peer_request("INVITE", "z9hG4bK-2", 1, "t"));
    assert_eq!(bench.times("503"), [0]);
    assert_eq!(bench.last().header(Name::RETRY_AFTER), Some("5"));
    assert_eq!(bench.endpoint.transactions(), (1, 0));
}

#[test]
fn a_broken_request_is_refused_statelessly_with_the_same_tag_each_time() {
    let mut bench = Bench::new();
    let broken = peer_request("INVITE", B1, 1, "").replace("Max-Forwards: 70", "Max-Forwards: x");
    bench.receive(udp(), broken.clone());
    bench.receive(udp(), broken);
    assert_eq!(bench.times("400"), [0, 0]);
    assert_eq!(bench.sent[0].2.bytes(), bench.sent[1].2.bytes());
    assert!(bench.sent[0].2.reason().contains("Max-Forwards"));
    assert_eq!(bench.rejected, 2);
    bench.receive(
        udp(),
        peer_request("INVITE", B1, 1, "").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
    );
    assert_eq!(bench.times("505"), [0]);
    assert!(bench.is_idle());
}

#[test]
fn bytes_that_are_no_message_are_dropped() {
    let mut bench = Bench::new();
    for junk in ["", "\r\n\r\n", "hello", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"] {
        bench.receive(udp(), junk);
    }
    assert!(bench.sent.is_empty() && bench.events.is_empty());
    assert_eq!(bench.rejected, 5);
}

#[test]
fn a_closed_connection_takes_the_waiting_for_an_ack_along() {
    let mut bench = invited(tcp());
    bench.respond(bench.server_tx(), StatusCode::BUSY_HERE);
    bench.fail(tcp());
    assert!(bench.is_idle());
}

#[test]
fn deadlines_of_a_hundred_thousand_transactions_stay_in_order() {
    let mut bench = Bench::new();
    for n in 0..100_000_u64 {
        bench.now = base::Instant::from_nanos(n);
        let text = peer_request("OPTIONS", &format!("z9hG4bK-{n}"), 1, "t");
        bench.receive(udp(), text);
        bench.respond(bench.server_tx(), StatusCode::OK);
        bench.events.clear();
        bench.sent.clear();
    }
    assert_eq!(bench.endpoint.deadlines(), 100_000);
    assert_eq!(bench.endpoint.poll_timeout(), Some((at(32_000), Timer::J)));
    bench.run_to(32_001);
    assert!(bench.is_idle());
}

#[test]
fn an_invite_that_the_user_forgets_is_refused_with_408_after_three_minutes_and_leaves_nothing() {
    for flow in [udp(), tcp()] {
        let mut bench = invited(flow);
        bench.run_to(179_999);
        assert_eq!(names(&bench), ["request"]);
        bench.run_to(180_000);
        assert_eq!(bench.times("408"), [180_000]);
        assert_eq!(bench.fired.last(), Some(&(at(180_000), Timer::C)));
        assert_eq!(names(&bench), ["request", "unanswered"]);
        // The user wakes up too late.
        bench.respond(bench.server_tx(), StatusCode::OK);
        assert!(bench.times("200").is_empty());
        bench.receive(flow, ack(B1, &our_tag(&bench)));
        bench.run_to(300_000);
        assert_eq!(names(&bench).len(), 2);
        assert!(bench.is_idle());
    }
}

#[test]
fn each_provisional_response_gives_the_user_three_more_minutes() {
    let mut bench = invited(udp());
    for minute in 1..=10 {
        bench.run_to(minute * 60_000);
        bench.respond(bench.server_tx(), StatusCode::QUEUED);
    }
    bench.run_to(779_999);
    assert!(bench.times("408").is_empty());
    bench.run_to(900_000);
    assert_eq!(bench.times("408")[0], 780_000);
    assert!(bench.is_idle());
}

#[test]
fn a_path_that_is_gone_leaves_no_unanswered_invite_behind() {
    let mut bench = invited(tcp());
    bench.fail(tcp());
    bench.run_to(300_000);
    assert_eq!(names(&bench), ["request", "unanswered"]);
    assert!(bench.is_idle());
}

#[test]
fn another_request_that_the_user_forgets_is_dropped_at_32_s_without_a_word() {
    for provisional in [false, true] {
        let mut bench = Bench::new();
        bench.receive(udp(), peer_request("MESSAGE", B1, 1, ""));
        if provisional {
            bench.respond(bench.server_tx(), StatusCode::TRYING);
        }
        let sent = bench.sent.len();
        bench.run_to(31_999);
        assert!(!bench.is_idle());
        bench.run_to(60_000);
        bench.respond(bench.server_tx(), StatusCode::OK);
        assert_eq!((bench.sent.len(), names(&bench).len()), (sent, 1));
        assert_eq!(bench.fired, [(at(32_000), Timer::C)]);
        assert!(bench.is_idle());
    }
}
