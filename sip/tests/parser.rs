//! The parser's limits, what it refuses so that nobody can smuggle, its round trip, mutations of
//! real messages, and its agreement with `rsip` where that one can follow.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use sip::{Endpoint, EndpointConfig, Input, Message, Method, Name, Problem, Request, Response};
use sip::{StatusCode, framing::Framer};
use support::*;

fn options_with(lines: &str) -> String {
    peer_request("OPTIONS", "z9hG4bK1", 1, "").replace("Content-Length: 0\r\n", lines)
}

fn problem(text: impl Into<Bytes>) -> Option<(Problem, Option<u16>)> {
    let error = Message::parse(text.into()).err()?;
    Some((error.problem, error.status().map(StatusCode::as_u16)))
}

#[test]
fn a_message_at_each_limit_is_taken_and_one_beyond_is_refused() {
    let lines = |n: usize| options_with(&"Accept: a\r\n".repeat(n));
    assert_eq!(problem(lines(sip::MAX_HEADERS - 7)), None);
    assert_eq!(problem(lines(sip::MAX_HEADERS - 6)), Some((Problem::TooManyHeaders, Some(400))));

    let long = |n: usize| options_with(&format!("X: {}\r\n", "a".repeat(n)));
    assert_eq!(problem(long(sip::MAX_HEADER - 3)), None);
    assert_eq!(problem(long(sip::MAX_HEADER - 2)), Some((Problem::HeaderTooLong, Some(400))));

    let line = format!("X: {}\r\n", "a".repeat(8_000));
    assert_eq!(problem(options_with(&line.repeat(5))), Some((Problem::HeadTooLong, Some(400))));

    let body = |n: usize| {
        let head = options_with("");
        let body = n - head.len();
        head + &"b".repeat(body)
    };
    assert_eq!(problem(body(sip::MAX_MESSAGE)), None);
    let too_long = problem(body(sip::MAX_MESSAGE + 1));
    assert_eq!(too_long, Some((Problem::MessageTooLong, Some(513))));
}

fn not_a_number() -> sip::HeaderError {
    sip::HeaderError { header: "Content-Length", problem: "not a number" }
}

/// What a framer leaves of a stream that cannot go on is answered, and never taken for a request.
#[test]
fn a_message_on_a_stream_whose_end_nobody_knows_is_refused() {
    let tls = sip::Flow { transport: sip::Transport::Tls, ..tcp() };
    let secure_websocket = sip::Flow { transport: sip::Transport::Wss, ..tcp() };
    let without = options_with("");
    let huge = options_with("Content-Length: 99999\r\n");
    for (flow, text, status) in [
        (tcp(), &without, Some(400)),
        (tls, &without, Some(400)),
        (secure_websocket, &without, None),
        (udp(), &without, None),
        (tcp(), &huge, Some(513)),
    ] {
        let mut bench = Bench::new();
        if flow.transport == sip::Transport::Tcp {
            let mut framer = Framer::new();
            framer.push(text.as_bytes());
            let head = framer.poll().unwrap().unwrap_err().head.unwrap();
            bench.receive(flow, head);
        } else {
            bench.receive(flow, text.clone());
        }
        let answer =
            bench.sent.first().map(|(_, _, message, _)| message.status().unwrap().as_u16());
        assert_eq!(answer, status, "{flow}: {text}");
        assert_eq!(bench.requests(), usize::from(status.is_none()));
    }
}

#[test]
fn bare_line_ends_nuls_and_lines_without_a_name_are_refused() {
    for (lines, expected) in [
        ("Subject: a\nX: b\r\n", Problem::ControlCharacter),
        ("Subject: a\rX: b\r\n", Problem::ControlCharacter),
        ("Subject: a\0b\r\n", Problem::ControlCharacter),
        ("Subject\r\n", Problem::HeaderSyntax),
        (": a\r\n", Problem::HeaderSyntax),
        ("Sub ject: a\r\n", Problem::HeaderSyntax),
        ("Content-Length: 0\r\nl: 0\r\n", Problem::Repeated("Content-Length")),
        ("Content-Length: 1\r\n", Problem::BodyTooShort),
        ("Content-Length: -1\r\n", Problem::Header(not_a_number())),
        ("Content-Length: +1\r\n", Problem::Header(not_a_number())),
        ("Content-Length: 0x0\r\n", Problem::Header(not_a_number())),
        ("Content-Length: 0, 0\r\n", Problem::Header(not_a_number())),
        ("Content-Length:\r\n", Problem::Header(not_a_number())),
    ] {
        assert_eq!(problem(options_with(lines)), Some((expected, Some(400))), "{lines:?}");
    }
    let folded_start = options_with("").replacen(" SIP/2.0", "\r\n SIP/2.0", 1);
    assert!(problem(folded_start).is_some(), "the request line does not fold");
}

#[test]
fn empty_lines_before_a_message_are_skipped_and_do_not_let_its_start_line_fold() {
    let after = |text: String| problem("\r\n\r\n".to_owned() + &text);
    assert_eq!(after(options_with("")), None);
    assert!(after(options_with("").replacen(" SIP/2.0", "\r\n SIP/2.0", 1)).is_some());
    for length in [sip::MAX_HEAD, sip::MAX_HEAD + 2, sip::MAX_MESSAGE - 1] {
        assert!(problem("\r\n".repeat(length / 2)).is_some(), "{length} bytes of line ends");
    }
}

#[test]
fn white_space_in_a_name_is_no_blank_unless_it_is_space_or_tab() {
    assert_eq!(problem(options_with("Content-Length \t: 0\r\n")), None);
    for lines in ["Content-Length\u{c}: 0\r\n", "\u{b}Content-Length: 0\r\n"] {
        let expected = Some((Problem::HeaderSyntax, Some(400)));
        assert_eq!(problem(options_with(lines)), expected, "{lines:?}");
    }
}

#[test]
fn a_content_length_cannot_hide_a_second_message_behind_a_fold() {
    let message = Message::parse(options_with("Content-Length:\r\n 0\r\n").into()).unwrap();
    assert!(message.body().is_empty());
    let hidden = options_with("Subject: x\r\n Content-Length: 5\r\n") + "hello";
    assert_eq!(Message::parse(hidden.into()).unwrap().header(Name::CONTENT_LENGTH), None);
}

#[test]
fn a_latin_1_name_is_read_with_question_marks_and_kept_on_the_wire() {
    let mut bytes = options_with("").into_bytes();
    let at = bytes.windows(4).position(|w| w == b"A, B").unwrap();
    bytes[at] = 0xe4;
    let message = Message::parse(bytes.clone().into()).unwrap();
    assert_eq!(message.from().unwrap().display_name().unwrap(), "?, B");
    assert_eq!(message.bytes(), &bytes);
}

#[test]
fn compact_forms_ipv6_tel_and_urn_are_read() {
    let text = "INVITE urn:service:sos SIP/2.0\r\n\
         v: SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKx\r\n\
         f: tel:+15550100;tag=1\r\nt: <urn:service:sos>\r\ni: x\r\nCSeq: 1 INVITE\r\n\
         m: <sip:a@[2001:db8::9]:5070>\r\nl: 0\r\n\r\n";
    let message = Message::parse(text.into()).unwrap();
    assert_eq!(message.via().unwrap().port(), Some(5070));
    assert_eq!(message.from().unwrap().uri().user(), Some("+15550100"));
    assert_eq!(message.contact().unwrap().unwrap().uri().port(), Some(5070));
    assert_eq!(message.uri().unwrap().scheme(), "urn");
}

#[test]
fn the_builders_refuse_what_would_smuggle_a_header() {
    for value in ["a\r\nX: b", "a\nX: b", "a\rb", "a\0b"] {
        let request = Request::new(Method::Options, uri("sip:a@b"));
        assert!(request.clone().try_header(Name::SUBJECT, value).is_err());
        let request = request.header(Name::SUBJECT, value);
        assert!(request.refused().is_some() && request.get(Name::SUBJECT).is_none());
        let response = Response::new(StatusCode::OK).header(Name::new("X-A"), value).to_tag(value);
        assert!(response.refused().is_some());
    }
    let request = Request::new(Method::Options, uri("sip:a@b"));
    assert!(request.clone().try_header(Name::new("X: y\r\nZ"), "v").is_err());
    assert!(request.try_header(Name::new(""), "v").is_err());
}

/// Everything that can be asked of a message.
fn read_all(message: &Message) {
    _ = (message.via(), message.from(), message.to(), message.contact(), message.cseq());
    _ = (message.uri(), message.expires(), message.max_forwards(), message.body());
    for (name, value) in message.all_headers() {
        assert!(!name.contains(['\r', '\n']) && !value.contains(['\r', '\n']));
        _ = message.list(Name::new(name)).map(sip::Address::parse).count();
    }
    message.vias().filter_map(Result::ok).for_each(|via| _ = via.received());
    _ = sip::Dialog::uas(message, "t", uri("sip:a@b"));
    _ = sip::Registrar::new().register(at(0), "a", udp(), message);
    let mut authenticator = sip::digest::Authenticator::new(base::Rng::from_seed(1));
    _ = authenticator.verify(at(0), message, "r", sip::digest::Accepted::default(), Some("p"));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mutated_messages_never_panic_and_what_is_sent_in_answer_parses(
        which in 0_usize..49,
        edits in prop::collection::vec((any::<u16>(), any::<u8>(), 0_u8..6), 1..8),
    ) {
        let mut bytes = torture().swap_remove(which);
        bend(&mut bytes, edits);
        if let Ok(message) = Message::parse(bytes.clone().into()) {
            read_all(&message);
        }
        let mut framer = Framer::new();
        framer.push(&bytes);
        while framer.poll().is_some() {}
        let mut endpoint = Endpoint::new(EndpointConfig::default(), base::Rng::from_seed(1));
        endpoint.handle_input(at(0), Input::Received { flow: udp(), bytes: bytes.into() });
        while let Some(output) = endpoint.poll_output() {
            if let sip::Output::Transmit { bytes, .. } = output {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(text.starts_with("SIP/2.0 ") && text.ends_with("\r\n\r\n"));
            }
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        _ = Message::parse(bytes.clone().into());
        let mut framer = Framer::new();
        framer.push(&bytes);
        while framer.poll().is_some() {}
    }

    #[test]
    fn what_is_built_comes_back_as_it_was(
        user in "[a-zA-Z0-9.@ %;?ä-]{1,12}",
        name in "[A-Za-z][A-Za-z0-9-]{0,12}",
        value in "[ -~äöü€]{0,60}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let name = format!("X-{name}");
        let target = sip::UriBuf::sip(Some(&user), "example.com").unwrap();
        let request = Request::new(Method::Message, target.clone())
            .header(Name::new(&name), &value)
            .body("application/octet-stream", body.clone());
        let mut bench = Bench::new();
        bench.request(udp(), request);
        let message = bench.last();
        prop_assert_eq!(message.uri_text(), target.as_str());
        let uri = message.uri().unwrap();
        prop_assert_eq!(uri.user_unescaped().unwrap(), user.as_str());
        prop_assert_eq!(message.header(Name::new(&name)), Some(value.trim_matches(' ')));
        prop_assert_eq!(message.body(), body);
    }
}

/// What `rsip` reads the same way must read the same way here; it refuses much that is valid, so
/// only what it takes is compared.
#[test]
fn we_agree_with_rsip_wherever_it_can_follow() {
    use rsip::prelude::{HasHeaders as _, HeadersExt as _, UntypedHeader as _};
    let mut compared = 0;
    let mut all = torture();
    for folder in ["fixtures/sip/torture-ipv6", "fuzz/corpus/message"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let files = std::fs::read_dir(folder).unwrap();
        all.extend(files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()));
    }
    for (n, method) in ["INVITE", "BYE", "REGISTER", "OPTIONS", "MESSAGE"].into_iter().enumerate() {
        let text = peer_request(method, "z9hG4bK1", 7, if n == 1 { "tag" } else { "" });
        let request = Message::parse(text.clone().into()).unwrap();
        all.push(text.into_bytes());
        all.extend(
            [100, 180, 200, 302, 486, 603]
                .map(|status| peer_response(&request, status, "t").into_bytes()),
        );
    }
    for bytes in all {
        let Ok(message) = Message::parse(bytes.clone().into()) else { continue };
        let Ok(theirs) = rsip::SipMessage::try_from(bytes.as_slice()) else { continue };
        match &theirs {
            rsip::SipMessage::Request(request) => {
                assert_eq!(message.method().as_str(), request.method.to_string());
                assert_eq!(message.uri_text(), request.uri.to_string());
            }
            rsip::SipMessage::Response(response) => {
                let status = response.status_code.code();
                assert_eq!(message.status().map(StatusCode::as_u16), Some(status));
            }
        }
        if let Ok(call_id) = theirs.call_id_header() {
            assert_eq!(message.call_id(), call_id.value());
        }
        if let (Ok(from), Ok(to)) = (theirs.from_header(), theirs.to_header()) {
            assert_eq!(message.header(Name::FROM), Some(from.value().trim()));
            assert_eq!(message.header(Name::TO), Some(to.value().trim()));
        }
        if let Ok(cseq) = theirs.cseq_header().and_then(|c| c.seq()) {
            assert_eq!(message.cseq(), Ok(cseq));
        }
        if let Ok(via) = theirs.via_header() {
            assert_eq!(message.header(Name::VIA), Some(via.value().trim()));
        }
        if let Some(contact) =
            theirs.contact_header().ok().filter(|_| message.contacts().count() == 1)
        {
            assert_eq!(message.header(Name::CONTACT), Some(contact.value().trim()));
        }
        assert_eq!(message.all_headers().count(), theirs.headers().iter().count());
        compared += 1;
    }
    assert!(compared >= 50, "only {compared} messages compared");
}
