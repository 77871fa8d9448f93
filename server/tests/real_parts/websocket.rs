//! SIP over WebSocket (RFC 7118), plain and secure: a phone in a page takes a call; who may not.

use std::io::Write as _;
use std::net::TcpStream;

use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{self, WebSocket};

use crate::abuse::memory;
use crate::certificates::Authority;
use crate::net::http;
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, carrier};
use crate::sip_client::{Client, Wire, tcp, tls, websocket};
use crate::strowger::{ACME, Folder, Setup, Strowger};

/// What JsSIP says of itself: no host that anybody could reach.
const CONTACT: &str = "sip:k7x2@df7jal23ls0d.invalid;transport=ws";
pub(crate) const SIP: (&str, &str) = ("sec-websocket-protocol", "sip");

/// The phone here has plain RTP; browsers' media have tests of their own.
const NO_BROWSER: &str = "[webrtc]\nenabled = false\n";

fn takes_a_call<W: Wire>(folder: &Folder, server: &Strowger, mut alice: Client<W>) {
    assert_eq!(alice.register("alice"), [401, 200]);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    let invite = alice.answer_call();
    assert!(invite.contains(&format!("SIP/2.0/{} ", alice.transport)), "{invite}");
    caller.hang_up();
    alice.hear_bye();
    caller.succeed(LIMIT);
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}

#[test]
fn a_phone_in_a_page_takes_a_call_over_websocket() {
    let folder = Folder::new("ws");
    let setup = Setup { config: NO_BROWSER.to_owned(), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let url = format!("ws://{}/sip", server.http);
    let own_page = format!("http://{}", server.http);
    let wire = websocket(tcp(server.http), &url, &[SIP, ("origin", &own_page)]).expect("a socket");
    let alice = Client { wire, transport: "WS", contact: CONTACT.to_owned() };
    takes_a_call(&folder, &server, alice);
}

#[test]
fn with_a_certificate_the_whole_http_port_is_https_and_the_phone_speaks_wss() {
    let folder = Folder::new("wss");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let config = own.table() + NO_BROWSER;
    let setup = Setup { config, https: true, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let stream = tls(server.http, "pbx.example", &authority, None).expect("TLS");
    let url = "wss://pbx.example/sip";
    let page = ("origin", "https://pbx.example");
    let wire = websocket(stream, url, &[SIP, page]).expect("a socket");
    let mut alice = Client { wire, transport: "WSS", contact: CONTACT.to_owned() };
    assert_eq!(alice.register("alice"), [401, 200]);
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    let invite = alice.answer_call();
    assert!(invite.contains("SIP/2.0/WSS "), "{invite}");
    caller.hang_up();
    alice.hear_bye();
    caller.succeed(LIMIT);
}

#[test]
fn who_does_not_ask_for_sip_or_comes_from_another_page_is_refused() {
    let folder = Folder::new("ws-refused");
    let server = Strowger::start(folder.path());
    let url = format!("ws://{}/sip", server.http);
    let refused = |headers: &[(&'static str, &str)]| {
        websocket(tcp(server.http), &url, headers).expect_err("a refusal")
    };
    assert_eq!(refused(&[]), 400);
    assert_eq!(refused(&[("sec-websocket-protocol", "mqtt")]), 400);
    assert_eq!(refused(&[SIP, ("origin", "https://evil.example")]), 403);
    let plain = http(server.http, "GET", "/sip", ACME, None);
    assert!((400..500).contains(&plain.status), "{}", plain.status);
    let wire = websocket(tcp(server.http), &url, &[SIP]).expect("no page at all");
    let mut alice = Client { wire, transport: "WS", contact: CONTACT.to_owned() };
    assert_eq!(alice.register("alice"), [401, 200]);
}

#[test]
fn keep_alives_are_answered_and_a_message_without_an_end_closes_its_own_socket_only() {
    let folder = Folder::new("ws-bounds");
    let server = Strowger::start(folder.path());
    let url = format!("ws://{}/sip", server.http);
    let open = || websocket(tcp(server.http), &url, &[SIP]).expect("a socket");
    let mut wire = open();
    Wire::send(&mut wire, "\r\n\r\n").expect("to send");
    assert_eq!(Wire::receive(&mut wire).expect("the answer"), "\r\n");

    let mut greedy = open();
    let _ = Wire::send(&mut greedy, &"A".repeat(1 << 20));
    assert!(Wire::receive(&mut greedy).is_err(), "longer than any message may be");

    let mut alice = Client { wire, transport: "WS", contact: CONTACT.to_owned() };
    assert_eq!(alice.register("alice"), [401, 200]);
}

/// A part of a message that is not its last one.
fn fragment(wire: &mut WebSocket<TcpStream>, kind: Data, length: usize) -> bool {
    let frame = Frame::message(vec![b'A'; length], OpCode::Data(kind), false);
    wire.write(tungstenite::Message::Frame(frame)).is_ok() && wire.flush().is_ok()
}

/// What is kept of it is twice as much: as it is read, and as it is put together.
#[test]
fn a_stranger_can_begin_64_kb_of_a_message_and_no_more_in_one_frame_or_in_many() {
    const CROWD: usize = 200;
    let folder = Folder::new("ws-memory");
    let config = "[limits]\ntcp_connections_per_source = 500\n".to_owned();
    let setup = Setup { config, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let url = format!("ws://{}/sip", server.http);
    let open = || websocket(tcp(server.http), &url, &[SIP]).expect("a socket");
    let before = memory(&server);
    let mut crowd: Vec<_> = (0..CROWD).map(|_| open()).collect();
    for wire in &mut crowd {
        assert!(fragment(wire, Data::Text, 60_000), "less than a message may have");
    }
    // What they have sent has been read when one who came after them is served.
    let mut last = Client { wire: open(), transport: "WS", contact: CONTACT.to_owned() };
    assert_eq!(last.register("alice"), [401, 200]);
    let each = memory(&server).saturating_sub(before) / CROWD as u64;
    println!("{each} KiB for each of {CROWD} who have begun a message of 60 kB");
    assert!(each < 160, "{each} KiB each");
    for wire in &mut crowd {
        // The server may be faster with its refusal than we with the rest.
        for _ in 0..4 {
            fragment(wire, Data::Continue, 10_000);
        }
        assert!(Wire::receive(wire).is_err(), "more than 64 kB of one message");
    }
    // A frame that says of itself that it will be a gigabyte long.
    let mut boastful = open();
    let mask = [0; 4];
    let head = [&[0x81, 0xff][..], &(1_u64 << 30).to_be_bytes(), &mask].concat();
    boastful.get_mut().write_all(&head).expect("to send");
    assert!(Wire::receive(&mut boastful).is_err(), "not even begun with");
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 160 * CROWD as u64, "{grown} KiB");
    let mut next = Client { wire: open(), transport: "WS", contact: CONTACT.to_owned() };
    assert_eq!(next.register("bob"), [401, 200], "who behaves is served");
}
