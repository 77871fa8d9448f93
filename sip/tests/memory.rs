//! How much memory one transaction holds, counted by the allocator itself, in each state it stays
//! in: the figures that the most transactions of an endpoint are to be multiplied by.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]
#![allow(unsafe_code, reason = "a counting global allocator needs it")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use base::Rng;
use bytes::Bytes;
use sip::{Endpoint, EndpointConfig, Event, Flow, Input, Message, Name, Output, Registrar};
use sip::{Response, StatusCode, Transport};
use support::*;

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// How often, and how much in all, was asked for.
    static ASKED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(change: impl FnOnce(usize) -> usize) {
    HELD.with(|held| held.set(change(held.get())));
}

// SAFETY: all work is the system allocator's; the counter is a plain thread-local without drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|held| held.wrapping_add(layout.size()));
        ASKED.with(|asked| {
            let (times, bytes) = asked.get();
            asked.set((times + 1, bytes + layout.size()));
        });
        // SAFETY: as called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|held| held.wrapping_sub(layout.size()));
        // SAFETY: as called.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MANY: u64 = 10_000;
const SDP: &str = "v=0\r\no=- 3848 3848 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
    a=ptime:20\r\na=maxptime:40\r\na=sendrecv\r\na=rtcp:20001\r\na=ssrc:3735928559 cname:x\r\n";

/// An INVITE of the size that carriers send.
fn peer_invite(number: u64) -> Bytes {
    let via = format!("SIP/2.0/UDP 198.51.100.7:5080;rport;branch=z9hG4bK-{number}");
    let text = peer_request_via("INVITE", &via, 1, "").replace("c1@", &format!("c{number}@"));
    let allow = format!("Allow: {}INFO\r\n", "INVITE, ACK, BYE, CANCEL, OPTIONS, ".repeat(21));
    let length = format!("{allow}Content-Length: {}", SDP.len());
    Bytes::from(text.replace("Content-Length: 0", &length) + SDP)
}

/// Throws away all that comes out but the last message; answers requests with that status.
fn drain(endpoint: &mut Endpoint, answer: Option<StatusCode>) -> Option<Bytes> {
    let mut last = None;
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { tx, .. }) => {
                let Some(status) = answer else { continue };
                let response = match status {
                    StatusCode::OK => Response::new(status).body("application/sdp", SDP),
                    _ => Response::new(status),
                };
                endpoint.respond(at(0), tx, response);
            }
            Output::Transmit { bytes, .. } => last = Some(bytes),
            _ => {}
        }
    }
    last
}

/// What each of many transactions adds to the memory in use.
fn held_by_each(mut open: impl FnMut(&mut Endpoint, u64)) -> usize {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Rng::from_seed(1));
    let before = HELD.with(Cell::get);
    for number in 0..MANY {
        open(&mut endpoint, number);
    }
    let held = HELD.with(Cell::get) - before;
    let (servers, clients) = endpoint.transactions();
    assert_eq!(servers + clients, usize::try_from(MANY).unwrap());
    // What the endpoint counts itself, for its bounds, is not far off.
    let (counted, _) = endpoint.held();
    assert!((held * 7 / 10..held * 13 / 10).contains(&counted), "{counted} counted of {held}");
    held / usize::try_from(MANY).unwrap()
}

fn served(answer: Option<StatusCode>) -> usize {
    held_by_each(|endpoint, number| {
        let bytes = peer_invite(number);
        endpoint.handle_input(at(0), Input::Received { flow: udp(), bytes });
        drain(endpoint, answer);
    })
}

fn sent(answer: Option<u16>) -> usize {
    held_by_each(|endpoint, number| {
        let request = invite().header(Name::CALL_ID, number).body("application/sdp", SDP);
        endpoint.request(at(0), udp(), request);
        let request = Message::parse(drain(endpoint, None).unwrap()).unwrap();
        if let Some(status) = answer {
            let bytes = peer_response(&request, status, "t").into();
            endpoint.handle_input(at(0), Input::Received { flow: udp(), bytes });
            drain(endpoint, None);
        }
    })
}

#[test]
fn ten_thousand_transactions_hold_no_more_memory_each_than_their_messages_need() {
    let size = peer_invite(0).len();
    assert!((1_250..1_500).contains(&size), "{size}");
    for (state, held, most) in [
        ("server, INVITE of 1.3 kB, 100 sent", served(None), 4_000),
        ("server, 180 sent", served(Some(StatusCode::RINGING)), 4_000),
        ("server, 200 with SDP sent", served(Some(StatusCode::OK)), 1_700),
        ("server, 486 sent", served(Some(StatusCode::BUSY_HERE)), 1_300),
        ("client, INVITE with SDP sent", sent(None), 1_500),
        ("client, 180 came", sent(Some(180)), 1_500),
        ("client, 200 came", sent(Some(200)), 1_700),
    ] {
        println!("{held:>6} bytes: {state}");
        assert!(held <= most, "{held} bytes: {state}");
    }
}

/// A REGISTER as a browser's phone sends it, which says the most about itself.
fn register(number: u64) -> Message {
    let text = format!(
        "REGISTER sip:acme.example SIP/2.0\r\n\
         Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks{number}\r\n\
         Max-Forwards: 69\r\nTo: <sip:agent{number}@acme.example>\r\n\
         From: \"Agent\" <sip:agent{number}@acme.example>;tag=65bnmj.34asd\r\n\
         Call-ID: aiuy7k9njasd{number:08}ab\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:q{number:08}@df7jal23ls0d.invalid;transport=ws>;reg-id=1;\
         +sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-{number:012}>\";expires=600\r\n\
         Supported: path, gruu, outbound\r\nUser-Agent: JsSIP 3.10.0\r\n\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

#[test]
fn fifty_thousand_bindings_hold_less_than_a_kilobyte_each() {
    const BINDINGS: u64 = 50_000;
    let mut registrar = Registrar::new();
    let before = HELD.with(Cell::get);
    for number in 0..BINDINGS {
        let flow = Flow { transport: Transport::Wss, connection: 1 + number, ..tcp() };
        let aor = format!("acme/agent{number}");
        registrar.register(at(number), &aor, flow, &register(number)).unwrap();
        while registrar.poll_output().is_some() {}
    }
    let held = HELD.with(Cell::get) - before;
    let each = held / usize::try_from(BINDINGS).unwrap();
    println!("{each:>6} bytes: binding of a browser's phone");
    assert!(each < 1_024, "{each}");
    for number in 0..BINDINGS {
        registrar.flow_closed(Flow { connection: 1 + number, ..tcp() });
        while registrar.poll_output().is_some() {}
    }
    let left = HELD.with(Cell::get).wrapping_sub(before);
    assert!(left < 4_096, "{left} bytes stay behind");
}

/// What a connection can make us hold before anybody is known: one message, whatever it says of
/// its length, in whatever pieces it comes.
#[test]
fn a_connection_holds_no_more_than_64_kb_of_what_is_no_message_yet() {
    let head = |length: usize| options_text(&format!("Content-Length: {length}\r\n\r\n"));
    let endless = "A".repeat(100_000);
    let large = head(60_000) + &endless[..59_000];
    let pipelined = head(10) + &endless[..10] + &large;
    for text in [&endless, &large, &pipelined] {
        for piece in [1, 700, 13_000, 16_384] {
            let mut framer = sip::framing::Framer::new();
            let before = HELD.with(Cell::get);
            for bytes in text.as_bytes().chunks(piece) {
                framer.push(bytes);
                while framer.poll().is_some() {}
                let held = HELD.with(Cell::get).wrapping_sub(before);
                assert!(held <= 65_536 + 1_024, "{held} bytes in pieces of {piece}");
            }
        }
    }
    let before = HELD.with(Cell::get);
    let mut framer = sip::framing::Framer::new();
    framer.push(head(60_000).as_bytes());
    assert!(HELD.with(Cell::get) - before < 2_048, "nothing for what is only announced");
}

/// The head of a request up to its length.
fn options_text(length: &str) -> String {
    peer_request("OPTIONS", "z9hG4bK1", 1, "").replace("Content-Length: 0\r\n\r\n", length)
}

/// A name that does not exist is worked for as hard as one that does: no step of the check is left
/// out, which the allocations of its steps show.
#[test]
fn a_user_who_does_not_exist_takes_the_same_work_as_a_wrong_password() {
    use sip::digest::{Accepted, Answer, Authenticator, Verdict, answer};
    let mut authenticator = Authenticator::new(Rng::from_seed(1));
    let accepted = Accepted::Md5AndSha256;
    let challenges = authenticator.challenges(at(0), "acme.example", accepted);
    for challenge in &challenges {
        let terms = Answer {
            method: &sip::Method::Register,
            uri: "sip:bob@192.0.2.1",
            user: "alice",
            password: "a guess",
            cnonce: "0a4f113b",
            nc: 1,
        };
        let value = answer(challenge, &terms).unwrap();
        let text = peer_request("REGISTER", "z9hG4bK1", 1, "")
            .replace("Contact", &format!("Authorization: {value}\r\nContact"));
        let register = Message::parse(text.into()).unwrap();
        let mut work = |password: Option<&str>| {
            let before = ASKED.with(Cell::get);
            let verdict =
                authenticator.verify(at(1), &register, "acme.example", accepted, password);
            assert_eq!(verdict, Verdict::Wrong);
            let after = ASKED.with(Cell::get);
            (after.0 - before.0, after.1 - before.1)
        };
        // As long as what stands in for the password of nobody.
        assert_eq!(work(Some("no such pass")), work(None));
    }
}
