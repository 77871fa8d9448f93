//! Bodies of one part and of many (RFC 2046, RFC 5621), as carriers send them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::{Body, Message, Part};
use support::*;

const SDP: &str = "application/sdp";

fn with(lines: &str, content: &str) -> Message {
    let length = format!("{lines}Content-Length: {}\r\n\r\n{content}", content.len());
    let text = peer_request("INVITE", "z9hG4bK1", 1, "");
    Message::parse(text.replace("Content-Length: 0\r\n\r\n", &length).into()).unwrap()
}

fn multipart(content: &str) -> Body {
    Body::of(&with("Content-Type: multipart/mixed;boundary=b1\r\n", content)).unwrap()
}

fn kinds(body: &Body) -> Vec<&str> {
    body.parts().iter().map(Part::kind).collect()
}

#[test]
fn a_plain_body_is_one_part_that_counts() {
    let body = Body::of(&with("c: Application/SDP ; charset=utf-8\r\n", "v=0\r\n")).unwrap();
    let part = body.session(SDP).unwrap();
    assert_eq!(&part.content()[..], b"v=0\r\n");
    assert!(part.must_be_understood() && !part.is_encoded());
    assert_eq!(Body::of(&with("", "")).unwrap(), Body::default());
    let unnamed = Body::of(&with("", "v=0\r\n")).unwrap();
    assert_eq!(kinds(&unnamed), [""]);
}

#[test]
fn an_sdp_beside_isup_and_a_location_is_found_and_the_others_may_be_passed_over() {
    let body = multipart(
        "a preamble nobody reads\r\n--b1\r\nContent-Type: application/isup;version=itu-t92+\r\n\
         Content-Disposition: signal;handling=optional\r\n\r\n\x01\x02--b1 no boundary\r\n\
         --b1  \r\nContent-Type: application/sdp\r\nContent-Id: <x@y>\r\n\r\nv=0\r\ns=-\r\n\r\n\
         --b1\r\nContent-Type: application/pidf+xml\r\nContent-Disposition: render;\r\n \
         handling=required\r\n\r\n<presence/>\r\n--b1--\r\nan epilogue",
    );
    assert_eq!(kinds(&body), ["application/isup", SDP, "application/pidf+xml"]);
    let contents: Vec<_> = body.parts().iter().map(|part| part.content().to_vec()).collect();
    assert_eq!(contents[0], b"\x01\x02--b1 no boundary");
    assert_eq!(contents[1], b"v=0\r\ns=-\r\n", "the line end before a boundary is the boundary's");
    assert_eq!(contents[2], b"<presence/>");
    let musts: Vec<_> = body.parts().iter().map(Part::must_be_understood).collect();
    assert_eq!(musts, [false, false, true]);
}

#[test]
fn of_alternatives_the_last_goes_first_and_parts_may_hold_parts() {
    let inner = "--in\r\nContent-Type: text/plain\r\n\r\nworse\r\n\
                 --in\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--in--";
    let body = multipart(&format!(
        "--b1\r\nContent-Type: multipart/alternative;\r\n boundary=\"in\"\r\n\r\n{inner}\r\n\
         --b1\r\n\r\nno header fields\r\n--b1--"
    ));
    assert_eq!(kinds(&body), [SDP, "text/plain", ""]);
    assert_eq!(&body.parts()[2].content()[..], b"no header fields");
}

#[test]
fn an_early_session_is_not_the_session_and_what_is_encoded_says_so() {
    let early =
        with("Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", "v");
    assert!(Body::of(&early).unwrap().session(SDP).is_none());
    let zipped = with("Content-Type: application/sdp\r\ne: gzip\r\n", "v");
    assert!(Body::of(&zipped).unwrap().session(SDP).unwrap().is_encoded());
    let plain = with("Content-Type: application/sdp\r\nContent-Encoding: identity\r\n", "v");
    assert!(!Body::of(&plain).unwrap().parts()[0].is_encoded());
    let body = multipart(
        "--b1\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndg==\r\n\
         --b1\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\nz\r\n--b1--",
    );
    let encoded: Vec<_> = body.parts().iter().map(Part::is_encoded).collect();
    assert_eq!(encoded, [true, false]);
}

#[test]
fn an_end_that_is_missing_or_bare_line_ends_are_forgiven_and_endless_parts_are_not() {
    let cut = multipart("--b1\nContent-Type: application/sdp\n\nv=0\r\n");
    assert_eq!(&cut.session(SDP).unwrap().content()[..], b"v=0\r\n");
    assert_eq!(multipart("no boundary in it").parts(), []);
    assert_eq!(multipart("--b1--\r\n--b1\r\n\r\nbehind the end").parts(), []);
    let many = "--b1\r\n\r\nx\r\n".repeat(17);
    let of = |kind: &str, content: &str| {
        Body::of(&with(&format!("Content-Type: {kind}\r\n"), content))
            .map(|body| body.parts().len())
    };
    assert!(of("multipart/mixed;boundary=b1", &many).is_err());
    assert!(of("multipart/mixed", "--\r\n\r\nx\r\n----").is_err(), "no boundary");
    assert!(of(&format!("multipart/mixed;boundary={}", "b".repeat(71)), "x").is_err());
    let nested = "--b1\r\nContent-Type: multipart/mixed;boundary=b1\r\n\r\n".repeat(8);
    assert!(of("multipart/mixed;boundary=b1", &nested).is_ok_and(|parts| parts < 17));
}
