//! The messages of RFC 4475: what is well-formed reaches the transaction user, what is not gets
//! the RFC's answer, and broken responses are dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use std::path::Path;

use bytes::Bytes;
use sip::Transport;
use sip::framing::{Frame, Framer};
use sip::{Endpoint, EndpointConfig, Event, Flow, Input, Message, Method, Name, Output, Registrar};
use support::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// A request that the user hears of: the RFC calls it well-formed, or leaves it to the user.
    Taken,
    /// A request that is answered with that status without the user.
    Refused(&'static str),
    /// A well-formed response (to nothing we sent).
    Stray,
    /// No answer, no event.
    Dropped,
}

use Fate::{Dropped, Refused, Stray, Taken};

const MESSAGES: [(&str, Fate); 49] = [
    ("wsinv", Taken),
    ("intmeth", Taken),
    ("esc01", Taken),
    ("escnull", Taken),
    ("esc02", Taken),
    ("lwsdisp", Taken),
    ("longreq", Taken),
    ("dblreq", Taken),
    ("semiuri", Taken),
    ("transports", Taken),
    ("mpart01", Taken),
    ("unreason", Stray),
    ("noreason", Stray),
    ("badinv01", Refused("400")),
    ("clerr", Refused("400")),
    ("ncl", Refused("400")),
    ("scalar02", Refused("400")),
    ("scalarlg", Dropped),
    ("quotbal", Refused("400")),
    ("ltgtruri", Refused("400")),
    ("lwsruri", Refused("400")),
    ("lwsstart", Refused("400")),
    ("trws", Refused("400")),
    ("escruri", Refused("400")),
    ("baddate", Taken),
    ("regbadct", Taken), // the registrar refuses it, see below
    ("badaspec", Refused("400")),
    ("baddn", Refused("400")),
    ("badvers", Refused("505")),
    ("mismatch01", Refused("400")),
    ("mismatch02", Refused("400")),
    ("bigcode", Dropped),
    ("badbranch", Taken),
    ("insuf", Refused("400")),
    ("unkscm", Taken),
    ("novelsc", Taken),
    ("unksm2", Taken),
    ("bext01", Taken),
    ("invut", Taken),
    ("regaut01", Taken),
    ("multi01", Refused("400")),
    ("mcl01", Refused("400")),
    ("bcast", Stray),
    ("zeromf", Taken),
    ("cparam01", Taken),
    ("cparam02", Taken),
    ("regescrt", Taken),
    ("sdp01", Taken),
    ("inv2543", Taken),
];

fn read(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sip/torture");
    std::fs::read(folder.join(name).with_extension("dat")).expect(name).into()
}

fn parse(name: &str) -> Message {
    Message::parse(read(name)).expect(name)
}

/// What a message comes to over a path, framed as that path's driver frames it.
fn fate(flow: Flow, bytes: Bytes) -> Option<Fate> {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), base::Rng::from_seed(1));
    for bytes in framed(flow, bytes) {
        endpoint.handle_input(at(0), Input::Received { flow, bytes });
    }
    let mut fate = Some(Dropped);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { .. }) => fate = Some(Taken),
            Output::Absorbed { .. } => fate = Some(Stray),
            Output::Transmit { bytes, flow: to, .. } if !bytes.starts_with(b"SIP/2.0 100 ") => {
                assert_eq!((to.transport, to.connection), (flow.transport, flow.connection));
                let status = std::str::from_utf8(&bytes[8..11]).ok()?;
                let known = ["400", "505"].into_iter().find(|known| *known == status)?;
                fate = Some(Refused(known));
            }
            _ => {}
        }
    }
    fate
}

fn framed(flow: Flow, bytes: Bytes) -> Vec<Bytes> {
    let message = |frame| match frame {
        Frame::Message(bytes) => Some(bytes),
        Frame::Ping | Frame::Pong => None,
    };
    match flow.transport {
        Transport::Udp => vec![bytes],
        Transport::Ws | Transport::Wss => {
            sip::websocket(bytes).unwrap().and_then(message).into_iter().collect()
        }
        Transport::Tcp | Transport::Tls => {
            let mut framer = Framer::new();
            framer.push(&bytes);
            let frames = std::iter::from_fn(|| framer.poll());
            frames.filter_map(|frame| frame.map_or_else(|error| error.head, message)).collect()
        }
    }
}

/// Where a stream makes a difference: nobody knows where the message ends (§18.3).
const ON_STREAMS: [(&str, Fate); 3] = [
    // The rest of the body is awaited until the connection's end.
    ("clerr", Dropped),
    ("multi01", Dropped),
    // No Content-Length, which datagrams may lack and streams may not.
    ("inv2543", Refused("400")),
];

fn every_message_meets_its_fate(flow: Flow) {
    let streams = matches!(flow.transport, Transport::Tcp | Transport::Tls);
    let mut wrong = Vec::new();
    for (name, usual) in MESSAGES {
        let other = ON_STREAMS.iter().find(|(other, _)| streams && *other == name);
        let expected = other.map_or(usual, |(_, fate)| *fate);
        let got = fate(flow, read(name));
        if got != Some(expected) {
            wrong.push((name, expected, got));
        }
    }
    assert!(wrong.is_empty(), "{flow}: name, expected, got: {wrong:#?}");
}

#[test]
fn every_message_of_rfc_4475_meets_its_fate_over_udp() {
    every_message_meets_its_fate(udp());
}

#[test]
fn every_message_of_rfc_4475_meets_its_fate_over_tcp_and_tls() {
    every_message_meets_its_fate(tcp());
    every_message_meets_its_fate(Flow { transport: Transport::Tls, ..tcp() });
}

#[test]
fn every_message_of_rfc_4475_meets_its_fate_over_websocket() {
    every_message_meets_its_fate(Flow { transport: Transport::Ws, ..tcp() });
    every_message_meets_its_fate(Flow { transport: Transport::Wss, ..tcp() });
}

#[test]
fn on_a_stream_the_request_behind_another_is_one_of_its_own() {
    assert_eq!(framed(tcp(), read("dblreq")).len(), 2);
    assert_eq!(framed(udp(), read("dblreq")).len(), 1);
}

#[test]
fn the_tortuous_invite_reads_as_the_rfc_says() {
    let message = parse("wsinv");
    assert_eq!(message.uri_text(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    assert_eq!(message.to_tag(), Some("1918181833n"));
    let from = message.from().unwrap();
    assert_eq!(
        (from.display_name().unwrap().as_ref(), from.tag()),
        ("J Rosenberg \\\"", Some("98asjd8"))
    );
    assert_eq!((message.max_forwards(), message.cseq()), (Some(68), Ok(9)));
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    let hosts: Vec<_> = vias.iter().map(|via| (via.transport(), via.host())).collect();
    let spindle = ("TCP", "spindle.example.com");
    assert_eq!(hosts, [("UDP", "192.0.2.2"), spindle, ("UDP", "192.168.255.111")]);
    assert_eq!(vias[2].branch(), Some("z9hG4bK30239"));
    assert_eq!(message.header(Name::SUBJECT), Some(""));
    let contact = message.contact().unwrap().unwrap();
    assert_eq!(contact.display_name().unwrap(), "Quoted string \"\"");
    assert_eq!(contact.params().value("newparam"), Some("newvalue"));
    assert_eq!(contact.params().value("q"), Some("0.33"));
    assert_eq!(
        message.header(Name::new("newfangledheader")).unwrap().split_whitespace().count(),
        5
    );
    assert_eq!(message.body().len(), 150);
    assert_eq!(message.bytes(), &read("wsinv"), "the wire's bytes stay as they were");
}

#[test]
fn unusual_characters_and_escapes_read_as_the_rfc_says() {
    let message = parse("intmeth");
    assert_eq!(message.method(), Method::new("!interesting-Method0123456789_*+`.%indeed'~"));
    assert_eq!(message.uri().unwrap().host(), "example.com");
    assert_eq!(message.to().unwrap().display_name().unwrap(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(message.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");

    let message = parse("esc01");
    let uri = message.uri().unwrap();
    assert_eq!(uri.user_unescaped().unwrap(), "sips:user@example.com");
    assert_eq!(message.to().unwrap().uri().user_unescaped().unwrap(), "user");
    assert_eq!(parse("esc02").method(), Method::new("RE%47IST%45R"));
    assert_eq!(parse("esc02").contacts().count(), 2);
    assert_eq!(parse("esc02").to().unwrap().display_name().unwrap(), "%Z%45");
    assert_eq!(parse("semiuri").uri().unwrap().user_unescaped().unwrap(), "user;par=u@example.net");
    assert!(parse("unreason").reason().starts_with("= 2**3 * 5**2 но"));
    assert_eq!(parse("noreason").reason(), "");
}

#[test]
fn lengths_read_as_the_rfc_says() {
    assert!(parse("dblreq").body().is_empty(), "octets after the body are noise");
    assert_eq!(parse("mpart01").body().len(), 553);
    assert!(parse("mpart01").body().contains(&0));
    assert_eq!(parse("longreq").vias().count(), 34);
    assert_eq!(parse("inv2543").body().len(), 105, "no Content-Length: the whole datagram");
    assert_eq!(parse("escnull").contacts().count(), 2);
}

#[test]
fn the_registrar_binds_what_the_rfc_says() {
    let bound = |name: &str| {
        let mut registrar = Registrar::new();
        let infos = registrar.register(at(0), "aor", udp(), &parse(name));
        infos.map(|r| r.bindings.iter().map(|i| i.contact.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(bound("regbadct").unwrap_err().0.as_u16(), 400);
    assert_eq!(bound("cparam01").unwrap(), ["sip:+19725552222@gw1.example.net"]);
    assert_eq!(bound("cparam02").unwrap(), ["sip:+19725552222@gw1.example.net;unknownparam"]);
    assert_eq!(
        bound("regescrt").unwrap(),
        ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"]
    );
    assert_eq!(bound("escnull").unwrap().len(), 2, "two users, neither cut short");
}
