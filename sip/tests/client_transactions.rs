//! Client transactions: RFC 3261 §17.1 and §9.1, RFC 6026 §8.4, against a clock that is moved.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::{Dialog, Event, Message, Method, Name, Timer, TxRef};
use support::*;

fn outcomes(bench: &Bench) -> Vec<String> {
    bench
        .events
        .iter()
        .map(|(at, event)| {
            let ms = at.as_nanos() / 1_000_000;
            match event {
                Event::Response { response, .. } => {
                    format!("{ms}: {}", response.status().unwrap())
                }
                Event::TimedOut { .. } => format!("{ms}: timed out"),
                Event::TransportFailed { .. } => format!("{ms}: failed"),
                other => format!("{ms}: {other:?}"),
            }
        })
        .collect()
}

fn first(bench: &Bench) -> Message {
    bench.sent[0].2.clone()
}

#[test]
fn unanswered_invite_is_sent_seven_times_then_times_out_at_32_s() {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    bench.run_to(60_000);
    assert_eq!(bench.times("INVITE"), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(outcomes(&bench), ["32000: timed out"]);
    let timers: Vec<_> = bench.fired.iter().map(|(_, timer)| *timer).collect();
    assert_eq!(timers, [[Timer::A; 6].as_slice(), &[Timer::B]].concat());
    assert!(bench.is_idle());
}

#[test]
fn invite_on_a_stream_is_sent_once_and_times_out_at_32_s() {
    let mut bench = Bench::new();
    bench.request(tcp(), invite());
    bench.run_to(60_000);
    assert_eq!(bench.times("INVITE"), [0]);
    assert_eq!(outcomes(&bench), ["32000: timed out"]);
}

#[test]
fn unanswered_options_is_sent_eleven_times_then_times_out_at_32_s() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    bench.run_to(60_000);
    assert_eq!(
        bench.times("OPTIONS"),
        [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    assert_eq!(outcomes(&bench), ["32000: timed out"]);
    assert!(bench.fired.iter().filter(|(_, timer)| *timer == Timer::E).count() == 10);
    assert!(bench.is_idle());
}

#[test]
fn options_slows_down_to_t2_after_a_provisional_response() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    bench.run_to(600);
    bench.receive(udp(), peer_response(&first(&bench), 183, ""));
    bench.run_to(60_000);
    // Timer E runs on to 1500, then every 4 s (§17.1.2.2).
    assert_eq!(bench.times("OPTIONS")[..5], [0, 500, 1500, 5500, 9500]);
    assert_eq!(outcomes(&bench), ["600: 183", "32000: timed out"]);
}

#[test]
fn a_provisional_response_ends_the_retransmission_of_invite_but_not_its_life() {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
    bench.run_to(170_000);
    assert_eq!(bench.times("INVITE"), [0]);
    assert_eq!(outcomes(&bench), ["0: 180"]);
    assert_eq!(bench.endpoint.transactions(), (0, 1), "it may ring for long");
}

#[test]
fn a_100_stops_the_retransmission_and_is_no_event() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite());
    bench.receive(udp(), peer_response(&first(&bench), 100, ""));
    bench.run_to(5_000);
    assert_eq!(bench.times("INVITE"), [0]);
    assert!(bench.events.is_empty());
    assert_eq!(bench.absorbed[0].1, TxRef::Client(tx));
}

#[test]
fn a_refusal_is_acked_each_time_it_comes_for_32_s() {
    let mut bench = Bench::new();
    bench.request(udp(), invite().header(Name::ROUTE, "<sip:p.example.com;lr>"));
    let request = first(&bench);
    let refusal = peer_response(&request, 486, "b");
    for time in [1_000, 1_500, 2_500] {
        bench.run_to(time);
        bench.receive(udp(), refusal.clone());
    }
    assert_eq!(bench.times("ACK"), [1_000, 1_500, 2_500]);
    assert_eq!(outcomes(&bench), ["1000: 486"]);

    let ack = bench.last();
    assert_eq!(ack.uri_text(), request.uri_text());
    assert_eq!(ack.header(Name::VIA), request.header(Name::VIA), "the INVITE's branch");
    assert_eq!(ack.header(Name::ROUTE), Some("<sip:p.example.com;lr>"));
    assert_eq!(ack.to_tag(), Some("b"));
    assert_eq!(ack.from_tag(), request.from_tag());
    assert_eq!(ack.cseq(), request.cseq());

    bench.run_to(33_000);
    assert_eq!(bench.fired.last(), Some(&(at(33_000), Timer::D)));
    assert!(bench.is_idle());
}

#[test]
fn on_a_stream_timers_d_and_k_are_zero() {
    let mut bench = Bench::new();
    bench.request(tcp(), invite());
    bench.receive(tcp(), peer_response(&first(&bench), 486, "b"));
    assert_eq!(bench.times("ACK"), [0]);
    assert!(bench.is_idle());

    let mut bench = Bench::new();
    bench.request(tcp(), options());
    bench.receive(tcp(), peer_response(&first(&bench), 200, "b"));
    assert!(bench.is_idle());
}

#[test]
fn timer_k_absorbs_late_answers_for_5_s() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    let answer = peer_response(&first(&bench), 200, "b");
    bench.receive(udp(), answer.clone());
    bench.run_to(4_999);
    bench.receive(udp(), answer.clone());
    assert_eq!(outcomes(&bench), ["0: 200"]);
    bench.run_to(5_000);
    assert_eq!(bench.fired, [(at(5_000), Timer::K)]);
    bench.receive(udp(), answer);
    assert_eq!(bench.absorbed.last().unwrap().1, TxRef::None, "now it is a stray");
    assert!(bench.is_idle());
}

fn answered(bench: &mut Bench) -> (sip::ClientTx, Message, sip::Request) {
    let request = invite();
    let tx = bench.request(udp(), request.clone());
    let ok = peer_response(&first(bench), 200, "b");
    bench.receive(udp(), ok.clone());
    let ok = Message::parse(ok.into()).unwrap();
    let dialog = Dialog::uac(&request, &ok).unwrap();
    let ack = dialog.ack(ok.cseq().unwrap());
    (tx, ok, ack)
}

#[test]
fn the_ack_of_a_2xx_goes_again_with_each_retransmitted_2xx() {
    let mut bench = Bench::new();
    let (tx, ok, ack) = answered(&mut bench);
    bench.receive(udp(), ok.bytes().clone());
    assert_eq!(bench.times("ACK"), [0; 0], "the user has not acknowledged yet");
    bench.acknowledge(tx, udp(), ack);
    for time in [500, 1_500, 31_999] {
        bench.run_to(time);
        bench.receive(udp(), ok.bytes().clone());
    }
    assert_eq!(bench.times("ACK"), [0, 500, 1_500, 31_999]);
    assert_eq!(outcomes(&bench), ["0: 200"]);

    let ack = bench.last();
    assert_eq!(ack.uri_text(), "sip:bob@198.51.100.7:5080", "the 2xx's Contact");
    let branch = |message: &Message| message.via().unwrap().branch().unwrap().to_owned();
    assert_ne!(branch(ack), branch(&bench.sent[0].2), "a transaction of its own");
    bench.run_to(32_000);
    assert_eq!(bench.fired, [(at(32_000), Timer::M)]);
    assert!(bench.is_idle());
}

#[test]
fn each_fork_that_answers_is_an_event_and_gets_its_own_ack() {
    let mut bench = Bench::new();
    let (tx, ok, ack) = answered(&mut bench);
    bench.acknowledge(tx, udp(), ack);
    let other = peer_response(&first(&bench), 200, "other");
    bench.receive(udp(), other.clone());
    bench.receive(udp(), other.clone());
    assert_eq!(outcomes(&bench), ["0: 200", "0: 200"]);
    let other = Message::parse(other.into()).unwrap();
    let ack = Dialog::uac(&invite(), &other).unwrap().ack(other.cseq().unwrap());
    bench.acknowledge(tx, udp(), ack);
    bench.receive(udp(), ok.bytes().clone());
    let tags: Vec<_> =
        bench.sent[1..].iter().map(|(_, _, m, _)| m.to_tag().unwrap().to_owned()).collect();
    assert_eq!(tags, ["b", "other", "b"]);
}

#[test]
fn a_flood_of_forks_is_bounded() {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    for n in 0..100 {
        bench.receive(udp(), peer_response(&first(&bench), 200, &format!("t{n}")));
    }
    assert_eq!(bench.events.len(), 8);
}

#[test]
fn a_refusal_after_a_2xx_is_absorbed() {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    bench.receive(udp(), peer_response(&first(&bench), 200, "b"));
    bench.receive(udp(), peer_response(&first(&bench), 486, "c"));
    bench.receive(udp(), peer_response(&first(&bench), 180, "c"));
    assert_eq!(outcomes(&bench), ["0: 200"]);
    assert!(bench.times("ACK").is_empty());
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite().header(Name::ROUTE, "<sip:p.example.com;lr>"));
    bench.cancel(tx);
    assert!(bench.times("CANCEL").is_empty());
    bench.run_to(700);
    bench.receive(udp(), peer_response(&first(&bench), 100, ""));
    assert_eq!(bench.times("CANCEL"), [700]);

    let (invite, cancel) = (first(&bench), bench.last().clone());
    assert_eq!(bench.sent.last().unwrap().3, TxRef::Client(tx), "shown as the INVITE's");
    assert_eq!(cancel.uri_text(), invite.uri_text());
    assert_eq!(cancel.headers(Name::VIA).count(), 1);
    for name in [Name::VIA, Name::FROM, Name::TO, Name::CALL_ID, Name::ROUTE] {
        assert_eq!(cancel.header(name), invite.header(name), "{name}");
    }
    assert_eq!((cancel.cseq(), cancel.method()), (invite.cseq(), Method::Cancel));

    bench.receive(udp(), peer_response(&cancel, 200, "b"));
    assert!(bench.events.is_empty(), "the CANCEL's own answer is nobody's business");
    bench.receive(udp(), peer_response(&invite, 487, "b"));
    assert_eq!(outcomes(&bench), ["700: 487"]);
    bench.run_to(60_000);
    assert!(bench.is_idle());
}

#[test]
fn cancel_is_sent_at_once_while_ringing_and_only_once() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite());
    bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
    bench.cancel(tx);
    bench.cancel(tx);
    let cancel = bench.last().clone();
    bench.receive(udp(), peer_response(&cancel, 200, "b"));
    bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
    assert_eq!(bench.times("CANCEL"), [0]);
}

#[test]
fn a_cancel_says_why_also_when_it_had_to_wait() {
    for held in [false, true] {
        let mut bench = Bench::new();
        let tx = bench.request(udp(), invite());
        if !held {
            bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
        }
        let why = "SIP;cause=200;text=\"Call completed elsewhere\"";
        bench.cancel_because(tx, why);
        if held {
            bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
        }
        assert_eq!(bench.last().header(Name::REASON), Some(why));
        let mut hostile = Bench::new();
        let tx = hostile.request(udp(), invite());
        hostile.receive(udp(), peer_response(&first(&hostile), 180, "b"));
        hostile.cancel_because(tx, "SIP\r\nVia: y");
        let cancel = hostile.last();
        assert_eq!((cancel.header(Name::REASON), cancel.headers(Name::VIA).count()), (None, 1));
    }
}

#[test]
fn a_cancelled_invite_without_a_final_response_is_given_up_after_32_s() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite());
    bench.receive(udp(), peer_response(&first(&bench), 180, "b"));
    bench.run_to(10_000);
    bench.cancel(tx);
    bench.run_to(60_000);
    assert_eq!(outcomes(&bench), ["0: 180", "42000: timed out"]);
    assert_eq!(bench.times("CANCEL").len(), 11, "retransmitted as any other request");
    assert!(bench.is_idle());
}

#[test]
fn a_cancel_that_crosses_a_2xx_leaves_the_call_to_the_user() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite());
    bench.cancel(tx);
    bench.receive(udp(), peer_response(&first(&bench), 200, "b"));
    bench.cancel(tx);
    assert!(bench.times("CANCEL").is_empty());
    assert_eq!(outcomes(&bench), ["0: 200"]);
}

#[test]
fn a_closed_connection_fails_what_waits_on_it_and_nothing_else() {
    let mut bench = Bench::new();
    bench.request(tcp(), invite());
    bench.request(tcp(), options());
    bench.request(udp(), options());
    bench.fail(tcp());
    assert_eq!(outcomes(&bench), ["0: failed", "0: failed"]);
    assert_eq!(bench.endpoint.transactions(), (0, 1));
}

#[test]
fn a_response_with_another_branch_or_method_is_a_stray() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    let answer = peer_response(&first(&bench), 200, "b");
    bench.receive(udp(), answer.replace("z9hG4bK", "z9hG4bKx"));
    bench.receive(udp(), answer.replace("OPTIONS", "INVITE"));
    assert!(bench.events.is_empty());
    assert!(bench.absorbed.iter().all(|(_, of)| *of == TxRef::None));
}

#[test]
fn requests_get_via_with_rport_and_what_else_was_missing() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    let request = first(&bench);
    let via = request.via().unwrap();
    assert_eq!((via.transport(), via.host(), via.port()), ("UDP", "192.0.2.1", Some(5060)));
    assert!(via.wants_rport());
    assert!(via.branch().unwrap().starts_with("z9hG4bK"));
    assert_eq!(via.branch().unwrap().len(), 7 + 32);
    assert_eq!(request.max_forwards(), Some(70));
    assert!(request.from_tag().is_some() && request.to_tag().is_none());
    assert_eq!(request.header(Name::CONTENT_LENGTH), Some("0"));
    assert_eq!(sip::peek_call_id(request.bytes()), Some(request.call_id()));
}

#[test]
fn a_full_table_fails_the_request_at_once() {
    let config = sip::EndpointConfig { max_transactions: 1, ..Default::default() };
    let mut bench = Bench::with(config);
    bench.request(udp(), options());
    bench.request(udp(), options());
    assert_eq!(outcomes(&bench), ["0: failed"]);
    assert_eq!(bench.times("OPTIONS"), [0]);
}

#[test]
fn a_late_wake_up_sends_once_not_in_a_burst() {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    bench.now = at(20_000);
    bench.endpoint.handle_timeout(bench.now);
    bench.run_to(20_000);
    assert!(bench.times("INVITE").len() <= 2);
}
