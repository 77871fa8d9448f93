//! Keep-alives of ours over datagrams (RFC 5626 §4.4.2, RFC 6223), and phones' of theirs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::net::SocketAddr;

use base::{Duration, Instant, Rng};
use sip::stun::{self, Answer};
use sip::{
    Endpoint, EndpointConfig, Flow, Input, KeepAlive, KeepAliveOutput, Lost, Message, Method,
    Output, Request, Response, StatusCode, UriBuf,
};

const START: Instant = Instant::from_millis(1000);
const SEEN: &str = "198.51.100.9:5060";

/// The registrar's answer, with that in our Via and those lines.
fn registered(via: &str, lines: &str) -> Message {
    let text = format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1{via}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{lines}\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

fn keep_alive(via: &str, lines: &str) -> KeepAlive {
    KeepAlive::new(START, &registered(via, lines), Rng::from_seed(1))
}

/// Moves to the next deadline; what is sent then, and when.
fn next(kept: &mut KeepAlive) -> (Duration, Vec<KeepAliveOutput>) {
    let due = kept.poll_timeout().expect("a deadline");
    kept.handle_timeout(due);
    (due.since(START), std::iter::from_fn(|| kept.poll_output()).collect())
}

fn sent(outputs: &[KeepAliveOutput]) -> &[u8] {
    match outputs {
        [KeepAliveOutput::Send(bytes)] => bytes,
        other => panic!("{other:?}"),
    }
}

/// The answer to a request, as a server makes it.
fn answer(request: &[u8], seen: &str) -> Answer {
    let seen: SocketAddr = seen.parse().unwrap();
    stun::read_answer(&stun::answer(request, seen).unwrap()).unwrap()
}

#[test]
fn a_registrar_that_says_nothing_of_keep_alives_gets_line_ends_for_ever() {
    for via in ["", ";keep"] {
        let mut kept = keep_alive(via, "");
        assert!(!kept.asks());
        let mut before = Duration::ZERO;
        for _ in 0..20 {
            let (at, outputs) = next(&mut kept);
            assert_eq!(sent(&outputs), b"\r\n\r\n");
            let wait = at.checked_sub(before).unwrap();
            assert!((23_000..29_000).contains(&wait.as_millis()), "{wait:?}");
            before = at;
        }
    }
}

#[test]
fn who_wants_keep_alives_is_asked_as_often_as_it_says() {
    for (via, lines, most) in [
        (";keep=20", "", 20_000),
        (";KEEP=20", "Flow-Timer: 40\r\n", 40_000),
        ("", "Flow-Timer: 120\r\n", 120_000),
        (";keep=1", "", 5_000),
        (";keep=x", "", 29_000),
        (";keep=999999", "", 3_600_000),
    ] {
        let mut kept = keep_alive(via, lines);
        let (at, outputs) = next(&mut kept);
        assert!(stun::is_stun(sent(&outputs)), "{via}");
        assert!((most * 4 / 5..most).contains(&at.as_millis()), "{via} {lines}: {at:?}");
        kept.handle_answer(START + at, &answer(sent(&outputs), SEEN));
        let (again, outputs) = next(&mut kept);
        assert!(stun::is_stun(sent(&outputs)));
        assert!((most * 4 / 5..most).contains(&again.checked_sub(at).unwrap().as_millis()));
    }
}

#[test]
fn seven_requests_without_an_answer_are_a_lost_flow_after_39_and_a_half_seconds() {
    let mut kept = keep_alive(";keep=25", "");
    let (began, first) = next(&mut kept);
    let mut at = Vec::new();
    for _ in 0..6 {
        let (when, again) = next(&mut kept);
        assert_eq!(sent(&again), sent(&first), "the same request");
        at.push(when.checked_sub(began).unwrap().as_millis());
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    let (over, outputs) = next(&mut kept);
    assert_eq!(outputs, [KeepAliveOutput::Lost(Lost::Silent)]);
    assert_eq!(over.checked_sub(began).unwrap().as_millis(), 39_500);
    assert_eq!(kept.poll_timeout(), None);
    kept.handle_answer(START + over, &answer(sent(&first), SEEN));
    assert_eq!((kept.poll_output(), kept.poll_timeout()), (None, None), "too late");
}

#[test]
fn an_answer_to_any_of_the_seven_will_do_and_only_one_to_them() {
    let mut kept = keep_alive(";keep=25", "");
    let (_, first) = next(&mut kept);
    let (at, _) = next(&mut kept);
    let waiting = kept.poll_timeout();
    kept.handle_answer(START + at, &Answer { transaction: [7; 12], mapped: SEEN.parse().ok() });
    assert_eq!(kept.poll_timeout(), waiting, "nobody's answer");
    kept.handle_answer(START + at, &answer(sent(&first), SEEN));
    assert_eq!(kept.poll_output(), None);
    assert!(kept.poll_timeout().unwrap() > START + at + Duration::from_secs(19));
}

#[test]
fn a_flow_that_is_seen_elsewhere_than_before_is_lost_also_after_a_refresh() {
    for refreshed in [false, true] {
        let mut kept = keep_alive(";keep=25", "");
        let (at, first) = next(&mut kept);
        kept.handle_answer(START + at, &answer(sent(&first), SEEN));
        if refreshed {
            kept = kept.renewed(START + at, &registered(";keep=25", ""));
        }
        let (at, second) = next(&mut kept);
        kept.handle_answer(START + at, &answer(sent(&second), "198.51.100.9:1024"));
        assert_eq!(kept.poll_output(), Some(KeepAliveOutput::Lost(Lost::Moved)));
        assert_eq!(kept.poll_timeout(), None);
    }
    let mut kept = keep_alive(";keep=25", "");
    let (at, first) = next(&mut kept);
    let refused = Answer { mapped: None, ..answer(sent(&first), SEEN) };
    kept.handle_answer(START + at, &refused);
    assert_eq!(kept.poll_output(), Some(KeepAliveOutput::Lost(Lost::Moved)), "refused");
}

/// What an endpoint sends.
fn transmitted(endpoint: &mut Endpoint) -> Message {
    let outputs = std::iter::from_fn(|| endpoint.poll_output());
    let bytes = outputs.filter_map(|output| match output {
        Output::Transmit { bytes, .. } => Some(bytes),
        _ => None,
    });
    Message::parse(bytes.last().expect("something")).unwrap()
}

#[test]
fn one_side_offers_keep_alives_in_its_register_and_the_other_says_how_often() {
    let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
    for (keeps, says) in [(true, Some("25")), (false, None)] {
        let config = EndpointConfig { keeps, ..EndpointConfig::default() };
        let mut asks = Endpoint::new(config, Rng::from_seed(1));
        let request = Request::new(Method::Register, UriBuf::sip(None, "b").unwrap());
        asks.request(START, flow, request);
        let request = transmitted(&mut asks);
        let offered = request.via().unwrap().params().get("keep");
        assert_eq!(offered, keeps.then_some(None));

        for status in [StatusCode::OK, StatusCode::FORBIDDEN] {
            let mut answers = Endpoint::new(EndpointConfig::default(), Rng::from_seed(2));
            let bytes = request.bytes().clone();
            answers.handle_input(START, Input::Received { flow, bytes });
            let Some(Output::Event(sip::Event::Request { tx, .. })) = answers.poll_output() else {
                panic!("no request");
            };
            answers.respond(START, tx, Response::new(status));
            let response = transmitted(&mut answers);
            let told = response.via().unwrap().params().value("keep").map(str::to_owned);
            let says = says.filter(|_| status == StatusCode::OK);
            assert_eq!(told.as_deref(), says, "{keeps} {status:?}");
        }
    }
}

#[test]
fn a_call_carries_no_offer_of_keep_alives() {
    let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
    let config = EndpointConfig { keeps: true, ..EndpointConfig::default() };
    let mut endpoint = Endpoint::new(config, Rng::from_seed(1));
    let request = Request::new(Method::Invite, UriBuf::sip(None, "b").unwrap());
    endpoint.request(START, flow, request);
    assert_eq!(transmitted(&mut endpoint).via().unwrap().params().get("keep"), None);
}
