//! Reliable provisional responses, both ends (RFC 3262).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::{Duration, Instant, Rng};
use sip::header::{RAck, RSeq};
use sip::reliable::{Provisional, ReliableOutput, ReliableUac, ReliableUas, ReliableWish};
use sip::{Event, Message, Method, Name, Response, StatusCode};
use support::*;

const T1: Duration = Duration::from_millis(500);

fn invite(more: &str) -> Message {
    let text = peer_request("INVITE", "z9hG4bK1", 7, "");
    Message::parse(text.replace("Max-Forwards", &format!("{more}Max-Forwards")).into()).unwrap()
}

fn prack(rack: &str) -> Message {
    let text = peer_request("PRACK", "z9hG4bK2", 8, "t");
    Message::parse(text.replace("Content-L", &format!("RAck: {rack}\r\nContent-L")).into()).unwrap()
}

struct Uas {
    machine: ReliableUas,
    sent: Vec<(u128, Response)>,
    gave_up: Option<Instant>,
}

impl Uas {
    fn new() -> Self {
        let machine = ReliableUas::new(&invite("k: 100rel\r\n"), T1, &mut Rng::from_seed(4));
        Self { machine: machine.unwrap(), sent: Vec::new(), gave_up: None }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                ReliableOutput::Respond(response) => {
                    self.sent.push((now.since(Instant::ZERO).as_millis(), response));
                }
                ReliableOutput::GaveUp => self.gave_up = Some(now),
            }
        }
    }

    fn respond(&mut self, now: Instant, status: StatusCode, body: &'static str) -> bool {
        let mut response = Response::new(status);
        if !body.is_empty() {
            response = response.body("application/sdp", body);
        }
        let taken = self.machine.respond(now, response);
        self.drain(now);
        taken
    }

    fn run_to(&mut self, end: Instant) {
        while let Some(next) = self.machine.poll_timeout().filter(|next| *next <= end) {
            self.machine.handle_timeout(next);
            self.drain(next);
        }
    }

    fn rseq(&self, which: usize) -> u32 {
        self.sent[which].1.get(Name::RSEQ).unwrap().parse().unwrap()
    }
}

#[test]
fn an_unacknowledged_response_is_sent_at_doubling_intervals_and_given_up_after_32_s() {
    let mut uas = Uas::new();
    assert!(uas.respond(at(0), StatusCode::SESSION_PROGRESS, "v=0"));
    uas.run_to(at(60_000));
    let times: Vec<_> = uas.sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert!(uas.sent.iter().all(|(_, r)| r.get(Name::RSEQ) == uas.sent[0].1.get(Name::RSEQ)));
    assert_eq!(uas.sent[0].1.get(Name::REQUIRE), Some("100rel"));
    assert_eq!(uas.gave_up, Some(at(32_000)));
    assert!(!uas.respond(at(40_000), StatusCode::RINGING, ""));
}

#[test]
fn the_next_response_waits_for_the_prack_and_has_the_next_number() {
    let mut uas = Uas::new();
    uas.respond(at(0), StatusCode::SESSION_PROGRESS, "v=0");
    uas.respond(at(10), StatusCode::RINGING, "");
    assert_eq!(uas.sent.len(), 1);
    assert!(!uas.machine.may_succeed(), "its SDP has not been acknowledged");
    let first = uas.rseq(0);
    let good = prack(&format!("{first} 7 INVITE"));
    for wrong in [
        format!("{} 7 INVITE", first + 1),
        format!("{first} 6 INVITE"),
        format!("{first} 7 UPDATE"),
    ] {
        let refused = uas.machine.on_prack(at(20), &prack(&wrong));
        assert_eq!(refused, Err(StatusCode::CALL_DOES_NOT_EXIST), "{wrong}");
    }
    assert_eq!(uas.machine.on_prack(at(20), &prack("x")), Err(StatusCode::BAD_REQUEST));
    assert_eq!(uas.machine.on_prack(at(20), &good), Ok(()));
    uas.drain(at(20));
    assert_eq!((uas.sent.len(), uas.rseq(1)), (2, first + 1));
    assert_eq!(uas.sent[1].1.status(), StatusCode::RINGING);
    assert!(uas.machine.may_succeed(), "a 180 without SDP does not hold a 200 back");
    assert_eq!(uas.machine.on_prack(at(21), &good), Err(StatusCode::CALL_DOES_NOT_EXIST), "again");
    uas.machine.end();
    uas.run_to(at(60_000));
    assert_eq!((uas.sent.len(), uas.gave_up), (2, None), "after the final response silence");
    let late = prack(&format!("{} 7 INVITE", first + 1));
    assert_eq!(uas.machine.on_prack(at(60_000), &late), Ok(()), "a PRACK on the way is answered");
}

#[test]
fn what_waits_is_bounded_and_a_100_is_never_reliable() {
    let mut uas = Uas::new();
    assert!(!uas.respond(at(0), StatusCode::TRYING, ""));
    let taken = (0..100).filter(|_| uas.respond(at(0), StatusCode::SESSION_PROGRESS, "v=0"));
    assert_eq!(taken.count(), 9);
    assert_eq!(uas.sent.len(), 1);
}

#[test]
fn a_callers_wish_is_read_from_supported_and_require() {
    for (lines, wish) in [
        ("", ReliableWish::Unknown),
        ("Supported: timer, 100REL\r\n", ReliableWish::Supported),
        ("Supported: 100rel\r\nRequire: 100rel\r\n", ReliableWish::Required),
    ] {
        assert_eq!(ReliableWish::of(&invite(lines)), wish);
    }
}

/// A reliable response of a peer.
fn progress(tag: &str, rseq: u32) -> Message {
    let mut bench = Bench::new();
    bench.request(udp(), support::invite().header(Name::CSEQ, "7 INVITE"));
    let text = peer_response(bench.last(), 183, tag);
    let lines = format!("Require: 100rel\r\nRSeq: {rseq}\r\nContent-L");
    Message::parse(text.replace("Content-L", &lines).into()).unwrap()
}

#[test]
fn the_calling_end_acknowledges_each_number_once_and_in_order_fork_by_fork() {
    let mut uac = ReliableUac::new();
    let ack =
        |rseq| Provisional::Acknowledge(RAck { rseq: RSeq(rseq), cseq: 7, method: Method::Invite });
    assert_eq!(uac.on_provisional(&progress("a", 100)), ack(100));
    assert_eq!(uac.on_provisional(&progress("a", 100)), Provisional::Repeated);
    assert_eq!(uac.on_provisional(&progress("a", 102)), Provisional::TooEarly);
    assert_eq!(uac.on_provisional(&progress("b", 5)), ack(5));
    assert_eq!(uac.on_provisional(&progress("a", 101)), ack(101));
    assert_eq!(uac.on_provisional(&progress("a", 102)), ack(102), "it came again");
    assert_eq!(uac.on_provisional(&progress("", 1)), Provisional::Refused);
    for n in 0..100 {
        uac.on_provisional(&progress(&format!("f{n}"), 1));
    }
    assert_eq!(uac.on_provisional(&progress("f99", 1)), Provisional::Refused);
    let plain = peer_response(&progress("a", 1), 180, "");
    let plain = Message::parse(plain.into()).unwrap();
    assert_eq!(uac.on_provisional(&plain), Provisional::Unreliable);
}

#[test]
fn through_the_transaction_layer_every_copy_is_the_same_and_the_prack_finds_its_response() {
    let mut bench = Bench::new();
    let text = peer_request("INVITE", "z9hG4bK9", 7, "");
    bench.receive(udp(), text.replace("Max-F", "Supported: 100rel\r\nMax-F"));
    let Some((_, Event::Request { tx, request, .. })) = bench.events.pop() else { unreachable!() };
    let mut machine = ReliableUas::new(&request, T1, &mut Rng::from_seed(1)).unwrap();
    machine.respond(at(0), Response::new(StatusCode::RINGING).to_tag("ours"));
    for ms in [0, 500, 1_500] {
        machine.handle_timeout(at(ms));
        while let Some(ReliableOutput::Respond(response)) = machine.poll_output() {
            bench.respond_with(tx, response);
        }
    }
    let copies: Vec<_> =
        bench.sent.iter().filter(|(_, _, m, _)| m.status() == Some(StatusCode::RINGING)).collect();
    assert_eq!(copies.len(), 3);
    assert!(copies.iter().all(|(_, _, message, _)| message == &copies[0].2));
    let Provisional::Acknowledge(rack) = ReliableUac::new().on_provisional(&copies[0].2) else {
        unreachable!()
    };
    assert_eq!(machine.on_prack(at(1_600), &prack(&rack.to_string())), Ok(()));
    assert!(!machine.is_waiting() && machine.poll_timeout().is_none());
}
