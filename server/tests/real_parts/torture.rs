//! The messages of RFC 4475 and RFC 5118 against the running server, over every transport it
//! speaks: each gets the reply that the RFC asks for, and a call beside them does not notice.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::certificates::Authority;
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier};
use crate::provisioning::demo;
use crate::sip_client::{tcp, tls, websocket};
use crate::strowger::{ACME, Folder, Setup, Strowger, repository};
use crate::websocket::SIP;
use crate::wire::{Heard, Stream, Way};

/// What a message comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// One of these final responses.
    Answered(&'static [u16]),
    /// These over UDP and WebSocket; over a stream these others, because it frames differently.
    Framed(&'static [u16], &'static [u16]),
    /// These over UDP and WebSocket; a stream waits for the rest, in vain.
    EndlessOverStreams(&'static [u16]),
    /// No answer: it is a response.
    Silence,
}

use Fate::{Answered, EndlessOverStreams, Framed, Silence};

const BAD: Fate = Answered(&[400]);
/// A call to nobody we know.
const NOBODY: Fate = Answered(&[404]);
/// A registration that proves nothing yet.
const CHALLENGED: Fate = Answered(&[401]);
const CAPABLE: Fate = Answered(&[200]);

const MESSAGES: [(&str, Fate); 49] = [
    // In a dialog that we do not have.
    ("wsinv", Answered(&[481])),
    ("intmeth", Answered(&[405, 501])),
    ("esc01", NOBODY),
    ("escnull", CHALLENGED),
    ("esc02", Answered(&[405, 501])),
    ("lwsdisp", CAPABLE),
    ("longreq", NOBODY),
    ("dblreq", CHALLENGED),
    ("semiuri", CAPABLE),
    ("transports", CAPABLE),
    // A stranger's MESSAGE, for nobody of ours.
    ("mpart01", Answered(&[403, 404, 405, 415])),
    ("unreason", Silence),
    ("noreason", Silence),
    ("badinv01", BAD),
    ("clerr", EndlessOverStreams(&[400])),
    ("ncl", BAD),
    ("scalar02", BAD),
    ("scalarlg", Silence),
    ("quotbal", BAD),
    ("ltgtruri", BAD),
    ("lwsruri", BAD),
    ("lwsstart", BAD),
    ("trws", BAD),
    ("escruri", BAD),
    ("baddate", NOBODY),
    ("regbadct", Answered(&[400, 401])),
    ("badaspec", BAD),
    ("baddn", BAD),
    ("badvers", Answered(&[505])),
    ("mismatch01", BAD),
    ("mismatch02", BAD),
    ("bigcode", Silence),
    ("badbranch", CAPABLE),
    ("insuf", BAD),
    ("unkscm", Answered(&[416])),
    ("novelsc", Answered(&[416])),
    ("unksm2", Answered(&[400, 401, 404])),
    ("bext01", Answered(&[420])),
    ("invut", Answered(&[404, 415])),
    ("regaut01", CHALLENGED),
    // It says that it is longer than it is.
    ("multi01", EndlessOverStreams(&[400])),
    ("mcl01", BAD),
    ("bcast", Silence),
    ("zeromf", Answered(&[200, 483])),
    ("cparam01", CHALLENGED),
    ("cparam02", CHALLENGED),
    ("regescrt", CHALLENGED),
    ("sdp01", NOBODY),
    // It has no Content-Length, which a stream cannot do without.
    ("inv2543", Framed(&[404], &[400])),
];

const IPV6: [(&str, Fate); 12] = [
    ("ipv6-good", CHALLENGED),
    ("ipv6-bad", BAD),
    ("port-ambiguous", CHALLENGED),
    ("port-unambiguous", CHALLENGED),
    ("via-received-param-with-delim", Answered(&[481])),
    ("via-received-param-no-delim", CAPABLE),
    ("ipv6-in-sdp", NOBODY),
    ("mult-ip-in-header", Answered(&[481])),
    ("mult-ip-in-sdp", NOBODY),
    ("ipv4-mapped-ipv6", NOBODY),
    ("ipv6-bug-abnf-3-colons", CAPABLE),
    ("ipv6-correct-abnf-2-colons", CAPABLE),
];

/// What many of the RFCs' messages share; each gets its own, or they would be retransmissions of
/// each other.
const SHARED: [&str; 4] = ["z9hG4bKkdjuw", "z9hG4bKas3", "hlau_4100", "lau_4100"];

/// The message with a branch and a Call-ID of its own, and that Call-ID.
fn read(folder: &str, name: &str) -> (Vec<u8>, String) {
    let path = repository().join("fixtures/sip").join(folder).join(format!("{name}.dat"));
    let mut rest = &fs::read(path).expect(name)[..];
    let mut message = Vec::with_capacity(rest.len() + 64);
    while !rest.is_empty() {
        let shared = SHARED.iter().find(|shared| rest.starts_with(shared.as_bytes()));
        let length = shared.map_or(1, |shared| shared.len());
        message.extend_from_slice(&rest[..length]);
        if shared.is_some() {
            message.extend_from_slice(name.as_bytes());
        }
        rest = &rest[length..];
    }
    let text = String::from_utf8_lossy(&message).into_owned();
    let is_call_id = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        name == "call-id" || name == "i"
    };
    let line = text.lines().find(is_call_id);
    let call_id = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    let call_id = call_id.unwrap_or_default().to_owned();
    (message, call_id)
}

/// The demo's provisioning, where the senders of these messages are a carrier's.
fn provisioning(folder: &Folder) -> PathBuf {
    let all = "[\"127.0.0.2\", \"127.0.5.0/24\", \"127.0.0.1\", \"::1\"]";
    demo(folder.path(), "", &[("[\"127.0.0.2\"]", all)])
}

/// An address of the carrier's.
fn sender(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 5, number))
}

/// Sends them all, each over a way of its own, beside a call that goes on.
fn every_message(name: &str, is_stream: bool, open: impl Fn(&Strowger, &Authority) -> Way) {
    let (folder, setup, authority) = stage(name);
    let server = Strowger::start_with(folder.path(), &setup);
    send_every_message(&folder, &server, is_stream, &|| open(&server, &authority));
    assert_eq!(server.stop(), 0);
}

/// What they need: a carrier that they come from, and certificates.
fn stage(name: &str) -> (Folder, Setup, Authority) {
    let folder = Folder::new(name);
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let (provisioning, config) = (Some(provisioning(&folder)), own.table());
    (folder, Setup { provisioning, config, tls: true, ..Setup::default() }, authority)
}

fn send_every_message(folder: &Folder, server: &Strowger, is_stream: bool, open: &dyn Fn() -> Way) {
    let phone = agent(folder.path(), server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");

    let mut wrong = Vec::new();
    let all = MESSAGES.iter().map(|row| ("torture", row));
    for (folder, &(message, fate)) in all.chain(IPV6.iter().map(|row| ("torture-ipv6", row))) {
        let (bytes, call_id) = read(folder, message);
        let due = match fate {
            Answered(statuses) => Some(statuses),
            Framed(_, statuses) if is_stream => Some(statuses),
            EndlessOverStreams(_) if is_stream => None,
            Framed(statuses, _) | EndlessOverStreams(statuses) => Some(statuses),
            Silence => None,
        };
        let heard = open().ask(&bytes, &call_id, due.is_some());
        let is_right = match (due, heard) {
            (Some(due), Heard::Status(status)) => due.contains(&status),
            (None, Heard::Nothing) => true,
            _ => false,
        };
        if !is_right {
            wrong.push((message, due, heard));
        }
    }
    assert!(wrong.is_empty(), "message, due, heard: {wrong:#?}\n{}", server.log());

    server.agent_is(ACME, "alice", "busy");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let calls = server.data("/api/v1/calls?per_page=200", ACME);
    let calls = calls.as_array().expect("calls");
    assert!(calls.iter().any(|call| call["agent"] == "alice"), "{calls:#?}");
}

#[test]
fn rfc_4475_and_rfc_5118_over_udp() {
    every_message("torture-udp", false, |server, _| Way::udp(sender(1), server.sip));
}

#[test]
fn rfc_4475_and_rfc_5118_over_tcp() {
    every_message("torture-tcp", true, |server, _| Way::tcp(sender(2), server.sip_tcp));
}

#[test]
fn rfc_4475_and_rfc_5118_over_tls() {
    every_message("torture-tls", true, |server, authority| {
        let at = server.sip_tls.expect("a TLS listener");
        Way::Stream(Box::new(tls(at, "pbx.example", authority, None).expect("TLS")))
    });
}

#[test]
fn rfc_4475_and_rfc_5118_over_websocket() {
    every_message("torture-ws", false, |server, _| {
        let (stream, url) = (Box::new(tcp(server.http)), format!("ws://{}/sip", server.http));
        let socket = websocket(stream as Box<dyn Stream>, &url, &[SIP]).expect("a socket");
        Way::Socket(Box::new(socket))
    });
}

#[test]
fn rfc_4475_and_rfc_5118_over_secure_websocket() {
    let (folder, setup, authority) = stage("torture-wss");
    let setup = Setup { https: true, ..setup };
    let server = Strowger::start_trusted(folder.path(), &setup, "pbx.example", &authority);
    send_every_message(&folder, &server, false, &|| {
        let stream = tls(server.http, "pbx.example", &authority, None).expect("TLS");
        let socket =
            websocket(Box::new(stream) as Box<dyn Stream>, "wss://pbx.example/sip", &[SIP]);
        Way::Socket(Box::new(socket.expect("a socket")))
    });
    assert_eq!(server.stop(), 0);
}
