//! What attackers send: messages made to cost much, to be read in two ways, or to leave something
//! behind. Each gets the answer it deserves and holds no memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use bytes::Bytes;
use sip::{Endpoint, EndpointConfig, Event, Flow, Input, Message, Name, Output, Transport};
use support::*;

/// What one message comes to: the status of the answer (100 aside), and how many requests the user
/// hears of.
fn fate(flow: Flow, bytes: impl Into<Bytes>) -> (Option<u16>, usize) {
    let bytes = bytes.into();
    let length = bytes.len();
    let mut endpoint = Endpoint::new(EndpointConfig::default(), base::Rng::from_seed(1));
    endpoint.handle_input(at(0), Input::Received { flow, bytes });
    let (mut status, mut heard, mut sent) = (None, 0, 0);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { .. }) => heard += 1,
            Output::Transmit { bytes, .. } => {
                sent += bytes.len();
                // It repeats Via and CSeq as they came, broken or not: it need not parse.
                let code = std::str::from_utf8(&bytes[8..11]).unwrap().parse().unwrap();
                status = (code != 100).then_some(code).or(status);
            }
            _ => {}
        }
    }
    assert!(sent <= length + 300, "{sent} bytes in answer to {length}");
    if heard == 0 {
        assert_eq!(endpoint.transactions(), (0, 0));
        assert_eq!(endpoint.held(), (0, 0));
    }
    (status, heard)
}

fn options_with(lines: &str) -> String {
    peer_request("OPTIONS", "z9hG4bK1", 1, "").replace("Content-Length: 0\r\n", lines)
}

#[test]
fn bombs_of_header_fields_are_taken_or_refused_by_their_number_and_length() {
    let length = "Content-Length: 0\r\n";
    for (name, lines, status, heard) in [
        ("50 Accept", "Accept: application/sdp\r\n".repeat(50), None, 1),
        ("1,000 Accept", "Accept: a/b\r\n".repeat(1_000), Some(400), 0),
        ("5,000 of no name", "X: y\r\n".repeat(5_000), Some(400), 0),
        ("8 kB of Accept", format!("Accept: {}\r\n", "a/b,".repeat(2_100)), Some(400), 0),
        ("folds", format!("Subject: a{}\r\n", "\r\n b".repeat(1_000)), None, 1),
        ("8 kB of folds", format!("Subject: a{}\r\n", "\r\n b".repeat(2_100)), Some(400), 0),
        ("quotes that open", format!("Warning: {}\r\n", "\"".repeat(8_001)), None, 1),
        ("brackets", format!("Contact: {}\r\n", "<".repeat(8_000)), None, 1),
    ] {
        let got = fate(udp(), options_with(&(lines + length)));
        assert_eq!(got, (status, heard), "{name}");
    }
}

#[test]
fn a_thousand_vias_are_refused_whether_in_lines_or_in_one() {
    let many = |n: usize, separator: &str| {
        let vias = vec!["SIP/2.0/UDP h;branch=z9hG4bK1"; n].join(separator);
        peer_request_via("OPTIONS", &vias, 1, "")
    };
    assert_eq!(fate(udp(), many(1_000, "\r\nVia: ")).0, Some(400));
    // A Via longer than any header field may be is none: there is nowhere to send an answer to.
    assert_eq!(fate(udp(), many(1_000, ",")), (None, 0));
    for separator in ["\r\nVia: ", ","] {
        assert_eq!(fate(udp(), many(sip::MAX_VIAS, separator)), (None, 1));
        assert_eq!(fate(udp(), many(sip::MAX_VIAS + 1, separator)), (Some(400), 0));
    }
}

#[test]
fn numbers_that_are_long_negative_or_none_are_refused() {
    let cseq = |text: &str| options_with("").replace("CSeq: 1 ", &format!("CSeq: {text} "));
    for text in
        ["1".repeat(8_000).as_str(), "-1", "2147483648", "4294967297", "1.5", "0x1", "+1", ""]
    {
        assert_eq!(fate(udp(), cseq(text)), (Some(400), 0), "CSeq: {text:.20}");
    }
    assert_eq!(fate(udp(), cseq(&format!("{}1", "0".repeat(17)))), (None, 1), "leading zeros");
    for text in ["256", "-1", "", "70 70", "x"] {
        let message =
            options_with("").replace("Max-Forwards: 70", &format!("Max-Forwards: {text}"));
        assert_eq!(fate(udp(), message), (Some(400), 0), "Max-Forwards: {text}");
    }
}

/// A length that two readers read in two ways hides a message behind the one they agree on.
#[test]
fn lengths_that_lie_or_are_given_twice_are_refused_and_hide_nothing() {
    let hidden = options_with("Content-Length: 0\r\n").replace("z9hG4bK1", "z9hG4bK-hidden");
    for lines in [
        "Content-Length: 0\r\nContent-Length: 500\r\n",
        "Content-Length: 0\r\nl: 0\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 4294967296\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 1e3\r\n",
        "Content-Length: 0 0\r\n",
        "Content-Length: 0, 500\r\n",
        "Content-Length: \"0\"\r\n",
    ] {
        for flow in [udp(), tcp()] {
            let (status, heard) = fate(flow, options_with(lines) + &hidden);
            assert!(
                matches!(status, Some(400 | 513)) && heard == 0,
                "{lines:?} {status:?} {heard}"
            );
        }
    }
    let (status, heard) = fate(udp(), options_with("Content-Length: 0\r\n") + &hidden);
    assert_eq!((status, heard), (None, 1), "what follows a datagram's message is noise");
}

#[test]
fn header_fields_in_disguise_are_no_header_fields_or_refused() {
    for lines in [
        "Subject: x\rContent-Length: 99\r\n",
        "Subject: x\nContent-Length: 99\r\n",
        "Subject: x\0\r\n",
        " Content-Length: 99\r\nX: y\r\n",
        "Content-Length\u{a0}: 99\r\n",
        "Content-Length\r\n : 99\r\n",
        "\u{ff1a}Content-Length: 1\r\n",
    ] {
        // A first line that begins with white space is a fold of Contact's, which then holds more.
        let (status, heard) = fate(udp(), options_with(lines));
        let folded = lines.starts_with(' ');
        assert_eq!((status, heard), if folded { (None, 1) } else { (Some(400), 0) }, "{lines:?}");
    }
    let folded = options_with("Subject: x\r\n P-Asserted-Identity: <sip:boss@acme.example>\r\n");
    let message = Message::parse(folded.into()).unwrap();
    assert_eq!(message.header(Name::P_ASSERTED_IDENTITY), None);
}

/// What a dialog is known by stands in our own requests too, which can hold no such character.
#[test]
fn control_characters_in_what_names_a_dialog_are_refused() {
    for (good, bad) in [
        ("Call-ID: c1@", "Call-ID: c1\u{f}@"),
        ("Call-ID: c1@", "Call-ID: c1\u{7f}@"),
        (";tag=f1", ";tag=f\u{1}1"),
        ("To: <sip:bob@192.0.2.1>", "To: <sip:bob@192.0.2.1>;tag=\"a\tb\""),
    ] {
        let text = options_with("Content-Length: 0\r\n").replace(good, bad);
        assert_eq!(fate(udp(), text), (Some(400), 0), "{bad:?}");
    }
}

#[test]
fn broken_responses_and_acks_are_never_answered() {
    for text in [
        "SIP/2.0 200 OK\r\n\r\n".to_owned(),
        "SIP/2.0 99 Too Low\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n".to_owned(),
        peer_request("ACK", "z9hG4bK1", 1, "").replace("CSeq: 1 ", "CSeq: x "),
        peer_request("ACK", "z9hG4bK1", 1, "t"),
        "OPTIONS sip:a SIP/2.0\r\nVia: nonsense\r\n\r\n".to_owned(),
        "\r\n".repeat(20_000),
        "A".repeat(60_000),
    ] {
        assert_eq!(fate(udp(), text.clone()), (None, 0), "{text:.40}");
    }
}

#[test]
fn a_storm_of_retransmissions_is_one_request_and_one_answer_each() {
    let mut bench = Bench::new();
    let invite = peer_request("INVITE", "z9hG4bK1", 1, "");
    for _ in 0..10_000 {
        bench.receive(udp(), invite.clone());
    }
    assert_eq!((bench.requests(), bench.endpoint.transactions().0), (1, 1));
    assert_eq!((bench.sent.len(), bench.absorbed.len()), (10_000, 9_999));
}

#[test]
fn one_source_cannot_fill_the_endpoint_and_its_share_comes_back() {
    let config = EndpointConfig {
        max_bytes: 200_000,
        max_bytes_per_source: 100_000,
        ..EndpointConfig::default()
    };
    let mut bench = Bench::with(config);
    let from = |bench: &mut Bench, flow: Flow, n: usize| {
        let branch = format!("z9hG4bK-{}-{n}", flow.remote.ip());
        let text = peer_request("OPTIONS", &branch, 1, "").replace("c1@", &format!("{branch}@"));
        bench.receive(flow, text);
    };
    let source = |text: &str| Flow { remote: text.parse().unwrap(), ..udp() };
    let greedy = source("198.51.100.7:5080");
    for n in 0..1_000 {
        // From any of its ports: a source is an address.
        from(
            &mut bench,
            Flow { remote: (greedy.remote.ip(), 1_024 + n as u16).into(), ..greedy },
            n,
        );
    }
    let taken = bench.requests();
    assert!((50..100).contains(&taken), "{taken}");
    assert_eq!(bench.times("503").len(), 1_000 - taken);
    assert!(bench.endpoint.held().0 <= 100_000);
    from(&mut bench, source("198.51.100.8:5060"), 0);
    assert_eq!(bench.requests(), taken + 1, "another source is served");

    for n in 0..1_000 {
        // A host has all addresses of its network.
        from(&mut bench, source(&format!("[2001:db8::{n:x}]:5060")), n);
    }
    assert!(bench.endpoint.held().0 <= 200_000);
    assert!(bench.requests() < 2 * taken + 10);
    bench.run_to(200_000);
    assert!(bench.is_idle());
    assert_eq!(bench.endpoint.held(), (0, 0));
    from(&mut bench, greedy, 5_000);
    assert_eq!(bench.endpoint.held().1, 1);
}

#[test]
fn what_transactions_hold_is_given_back_to_the_byte_whatever_becomes_of_them() {
    let mut bench = Bench::new();
    for n in 0..200_u32 {
        let text = peer_request("INVITE", &format!("z9hG4bK{n}"), n, "");
        let flow = if n % 2 == 0 { udp() } else { tcp() };
        bench.receive(flow, text.replace("c1@", &format!("c{n}@")));
        let status = [200, 486, 180, 404][n as usize % 4];
        bench.respond(bench.server_tx(), sip::StatusCode::new(status).unwrap());
        let tx = bench.request(flow, invite());
        if n % 3 == 0 {
            let request = bench.last().clone();
            bench.receive(flow, peer_response(&request, 183, "t"));
            bench.cancel(tx);
        }
    }
    bench.fail(tcp());
    assert!(bench.endpoint.held().0 > 100_000);
    bench.run_to(600_000);
    assert!(bench.is_idle());
    assert_eq!(bench.endpoint.held(), (0, 0));
}

#[test]
fn a_thousand_forks_of_one_invite_leave_one_transaction_and_a_few_acks() {
    let mut bench = Bench::new();
    let tx = bench.request(udp(), invite());
    let request = bench.last().clone();
    for n in 0..1_000 {
        bench.receive(udp(), peer_response(&request, 180, &format!("early{n}")));
        bench.receive(udp(), peer_response(&request, 200, &format!("fork{n}")));
    }
    assert_eq!(bench.endpoint.transactions(), (0, 1));
    let most = EndpointConfig::default().max_forks;
    let successes = bench.events.iter().filter(|(_, event)| match event {
        Event::Response { tx: of, response, .. } => {
            *of == tx && response.status().unwrap().is_success()
        }
        _ => false,
    });
    assert_eq!(successes.count(), most);
    bench.run_to(100_000);
    assert!(bench.is_idle());
}

#[test]
fn responses_go_only_to_where_the_request_came_from() {
    for (via, to) in [
        ("SIP/2.0/UDP 203.0.113.66:7777;branch=z9hG4bK1", "198.51.100.7:7777"),
        ("SIP/2.0/UDP 203.0.113.66;maddr=203.0.113.67;branch=z9hG4bK1", "198.51.100.7:5060"),
        ("SIP/2.0/UDP h;received=203.0.113.66;rport=9;branch=z9hG4bK1", "198.51.100.7:5080"),
        ("SIP/2.0/UDP h:0;branch=z9hG4bK1", "198.51.100.7:5080"),
        ("SIP/2.0/TCP 203.0.113.66;branch=z9hG4bK1", "198.51.100.7:5060"),
    ] {
        let mut bench = Bench::new();
        bench.receive(udp(), peer_request_via("INVITE", via, 1, ""));
        assert_eq!(bench.sent[0].1.remote, to.parse().unwrap(), "{via}");
        let mut bench = Bench::new();
        let wss = Flow { transport: Transport::Wss, ..tcp() };
        bench.receive(wss, peer_request_via("INVITE", via, 1, ""));
        assert_eq!(bench.sent[0].1, wss, "{via}");
    }
}

#[test]
fn a_response_that_answers_nothing_of_ours_is_absorbed() {
    let mut bench = Bench::new();
    bench.request(udp(), options());
    let request = bench.last().clone();
    let forged = peer_response(&request, 200, "t").replace("branch=z9hG4bK", "branch=z9hG4bK0");
    bench.receive(udp(), forged);
    let other = peer_response(&request, 200, "t").replace("OPTIONS", "INVITE");
    bench.receive(udp(), other);
    assert_eq!((bench.events.len(), bench.absorbed.len()), (0, 2));
    assert!(bench.absorbed.iter().all(|(_, of)| *of == sip::TxRef::None));
}

#[test]
fn a_request_knows_about_how_long_it_will_be_before_it_is_sent() {
    for body in [0, 500, 1_000, 1_500] {
        let request = invite().body("application/sdp", vec![b'x'; body]);
        let estimate = request.size();
        let mut bench = Bench::new();
        bench.request(udp(), request);
        let sent = bench.last().bytes().len();
        assert!((sent..sent + 180).contains(&estimate), "{estimate} for {sent}");
    }
    assert!(!sip::wants_stream(sip::MTU_LIMIT) && sip::wants_stream(sip::MTU_LIMIT + 1));
}
