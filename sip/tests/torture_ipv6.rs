//! The messages of RFC 5118, and what the RFC says of each, over every transport.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;
use sip::framing::{Frame, Framer};
use sip::{
    Endpoint, EndpointConfig, Event, Flow, Input, Message, Output, Registrar, Transport, Uri,
};
use support::*;

const MESSAGES: [&str; 12] = [
    "ipv6-good",
    "ipv6-bad",
    "port-ambiguous",
    "port-unambiguous",
    "via-received-param-with-delim",
    "via-received-param-no-delim",
    "ipv6-in-sdp",
    "mult-ip-in-header",
    "mult-ip-in-sdp",
    "ipv4-mapped-ipv6",
    "ipv6-bug-abnf-3-colons",
    "ipv6-correct-abnf-2-colons",
];

fn read(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sip/torture-ipv6");
    std::fs::read(folder.join(name).with_extension("dat")).expect(name).into()
}

fn parse(name: &str) -> Message {
    Message::parse(read(name)).expect(name)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn flow(transport: Transport) -> Flow {
    let connection = u64::from(transport.is_reliable());
    let (local, remote) = ("[2001:db8::10]:5060", "[2001:db8::9:1]:40123");
    Flow { transport, local: local.parse().unwrap(), remote: remote.parse().unwrap(), connection }
}

/// The statuses sent over a path and how many requests the user heard of.
fn fate(transport: Transport, name: &str) -> (Vec<u16>, usize) {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), base::Rng::from_seed(1));
    let mut messages = vec![read(name)];
    if matches!(transport, Transport::Tcp | Transport::Tls) {
        let mut framer = Framer::new();
        framer.push(&messages[0]);
        let frames = std::iter::from_fn(|| framer.poll());
        messages = frames
            .map(|frame| match frame {
                Ok(Frame::Message(bytes)) => bytes,
                other => panic!("{other:?}"),
            })
            .collect();
    }
    for bytes in messages {
        endpoint.handle_input(at(0), Input::Received { flow: flow(transport), bytes });
    }
    let (mut statuses, mut heard) = (Vec::new(), 0);
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { .. }) => heard += 1,
            Output::Transmit { flow: to, bytes, .. } => {
                assert_eq!(to.remote.ip(), flow(transport).remote.ip());
                statuses.push(Message::parse(bytes).unwrap().status().unwrap().as_u16());
            }
            _ => {}
        }
    }
    (statuses, heard)
}

#[test]
fn all_but_the_one_that_is_wrong_reach_the_user_over_every_transport() {
    for transport in Transport::ALL {
        for name in MESSAGES {
            let expected = match name {
                "ipv6-bad" => (vec![400], 0),
                "ipv6-in-sdp" | "mult-ip-in-sdp" | "ipv4-mapped-ipv6" => (vec![100], 1),
                _ => (vec![], 1),
            };
            assert_eq!(fate(transport, name), expected, "{name} over {transport}");
        }
    }
}

#[test]
fn a_port_inside_the_brackets_is_a_part_of_the_address() {
    let good = parse("ipv6-good");
    assert_eq!((good.uri().unwrap().ip(), good.uri().unwrap().port()), (ip("2001:db8::10"), None));
    assert_eq!(good.via().unwrap().ip(), ip("2001:db8::9:1"));
    assert_eq!(good.contact().unwrap().unwrap().uri().ip(), ip("2001:db8::1"));
    let ambiguous = parse("port-ambiguous");
    let uri = ambiguous.uri().unwrap();
    assert_eq!((uri.ip(), uri.port()), (ip("2001:db8::10:5070"), None));
    let unambiguous = parse("port-unambiguous");
    let uri = unambiguous.uri().unwrap();
    assert_eq!((uri.ip(), uri.port()), (ip("2001:db8::10"), Some(5070)));
    let mut registrar = Registrar::new();
    let registered = registrar.register(at(0), "a", flow(Transport::Udp), &good).unwrap();
    assert_eq!(registered.bindings[0].contact.as_str(), "sip:caller@[2001:db8::1]");
}

#[test]
fn a_received_address_is_read_with_and_without_brackets() {
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let message = parse(name);
        assert_eq!(message.via().unwrap().received(), ip("2001:db8::9:255"), "{name}");
    }
}

#[test]
fn addresses_of_both_families_and_mapped_ones_stand_side_by_side() {
    let message = parse("mult-ip-in-header");
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    let addresses: Vec<_> = vias.iter().map(|via| (via.ip(), via.port())).collect();
    let expected =
        [(ip("2001:db8::9:1"), Some(6050)), (ip("192.0.2.1"), None), (ip("2001:db8::9:255"), None)];
    assert_eq!(addresses, expected);
    assert_eq!(vias[2].received(), ip("192.0.2.200"));
    let mapped = parse("ipv4-mapped-ipv6");
    assert_eq!(mapped.via().unwrap().ip(), ip("::ffff:192.0.2.10"));
    assert_eq!(mapped.contact().unwrap().unwrap().uri().ip(), ip("::ffff:192.0.2.2"));
    for (name, body) in [("ipv6-in-sdp", 251), ("mult-ip-in-sdp", 189), ("ipv4-mapped-ipv6", 245)] {
        assert_eq!(parse(name).body().len(), body, "{name}");
    }
}

/// RFC 3261's own grammar makes peers write three; an implementation must tolerate both.
#[test]
fn three_colons_before_an_ipv4_address_are_two() {
    for name in ["ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons"] {
        let message = parse(name);
        assert_eq!(message.uri().unwrap().ip(), ip("2001:db8::192.0.2.1"), "{name}");
        assert_eq!(message.to().unwrap().uri().ip(), ip("2001:db8::192.0.2.1"), "{name}");
    }
    for uri in [
        "sip:[2001:db8:::10]",
        "sip:[2001:db8::::192.0.2.1]",
        "sip:[2001:db8:::192.0.2.256]",
        "sip:[1::2:::192.0.2.1]",
        "sip:[192.0.2.1]",
        "sip:[::1%eth0]",
        "sip:[]",
    ] {
        assert!(Uri::parse(uri).is_err(), "{uri}");
    }
}
