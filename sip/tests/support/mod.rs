//! What the tests share: a wire for one endpoint, and messages as peers write them.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

use base::{Duration, Instant, Rng};
use bytes::Bytes;
use sip::{
    Endpoint, EndpointConfig, Event, Flow, Input, Message, Method, Output, Request, Response,
    ServerTx, StatusCode, Timer, TxRef, UriBuf,
};

pub fn udp() -> Flow {
    Flow::udp("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:5080".parse().unwrap())
}

pub fn tcp() -> Flow {
    Flow::tcp("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:40123".parse().unwrap(), 9)
}

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub fn uri(text: &str) -> UriBuf {
    UriBuf::parse(text).unwrap()
}

/// One endpoint, everything it did, and a clock that tests move.
pub struct Bench {
    pub endpoint: Endpoint,
    pub now: Instant,
    pub sent: Vec<(Instant, Flow, Message, TxRef)>,
    pub events: Vec<(Instant, Event)>,
    pub absorbed: Vec<(Message, TxRef)>,
    pub rejected: usize,
    pub fired: Vec<(Instant, Timer)>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(EndpointConfig::default())
    }

    pub fn with(config: EndpointConfig) -> Self {
        Self {
            endpoint: Endpoint::new(config, Rng::from_seed(1)),
            now: Instant::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            absorbed: Vec::new(),
            rejected: 0,
            fired: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { flow, bytes, of } => {
                    let message = Message::parse(bytes).expect("we only send what parses");
                    self.sent.push((self.now, flow, message, of));
                }
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Absorbed { message, of, .. } => self.absorbed.push((message, of)),
                Output::Rejected { .. } => self.rejected += 1,
            }
        }
    }

    pub fn receive(&mut self, flow: Flow, text: impl Into<Bytes>) {
        let bytes = text.into();
        self.endpoint.handle_input(self.now, Input::Received { flow, bytes });
        self.drain();
    }

    pub fn fail(&mut self, flow: Flow) {
        self.endpoint.handle_input(self.now, Input::FlowFailed { flow });
        self.drain();
    }

    pub fn request(&mut self, flow: Flow, request: Request) -> sip::ClientTx {
        let tx = self.endpoint.request(self.now, flow, request);
        self.drain();
        tx
    }

    pub fn respond(&mut self, tx: ServerTx, status: StatusCode) {
        self.respond_with(tx, Response::new(status));
    }

    pub fn respond_with(&mut self, tx: ServerTx, response: Response) {
        self.endpoint.respond(self.now, tx, response);
        self.drain();
    }

    pub fn cancel_because(&mut self, tx: sip::ClientTx, reason: &str) {
        self.endpoint.cancel_because(self.now, tx, reason);
        self.drain();
    }

    pub fn cancel(&mut self, tx: sip::ClientTx) {
        self.endpoint.cancel(self.now, tx);
        self.drain();
    }

    pub fn acknowledge(&mut self, tx: sip::ClientTx, flow: Flow, ack: Request) {
        self.endpoint.acknowledge(self.now, tx, flow, ack);
        self.drain();
    }

    /// Moves the clock to that many milliseconds, stopping at each deadline on the way.
    pub fn run_to(&mut self, millis: u64) {
        let end = at(millis);
        while let Some((next, timer)) = self.endpoint.poll_timeout() {
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.fired.push((next, timer));
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// When messages with that first word (a method, or a status number) went out, in ms.
    pub fn times(&self, word: &str) -> Vec<u64> {
        let matches = |message: &Message| match message.status() {
            Some(status) => status.to_string() == word,
            None => message.method().as_str() == word,
        };
        let hits = self.sent.iter().filter(|(_, _, message, _)| matches(message));
        hits.map(|(at, ..)| at.as_nanos() / 1_000_000).collect()
    }

    pub fn last(&self) -> &Message {
        &self.sent.last().expect("something was sent").2
    }

    pub fn server_tx(&self) -> ServerTx {
        let found = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Request { tx, .. } => Some(*tx),
            _ => None,
        });
        found.expect("a request came in")
    }

    pub fn requests(&self) -> usize {
        self.events.iter().filter(|(_, e)| matches!(e, Event::Request { .. })).count()
    }

    pub fn is_idle(&self) -> bool {
        self.endpoint.transactions() == (0, 0) && self.endpoint.deadlines() == 0
    }
}

pub fn invite() -> Request {
    Request::new(Method::Invite, uri("sip:bob@example.com"))
        .header(sip::Name::FROM, "<sip:alice@example.org>;tag=a1")
        .header(sip::Name::CONTACT, "<sip:alice@192.0.2.1>")
}

pub fn options() -> Request {
    Request::new(Method::Options, uri("sip:bob@example.com"))
}

/// A request as a peer sends it.
pub fn peer_request(method: &str, branch: &str, cseq: u32, to_tag: &str) -> String {
    let via = format!("SIP/2.0/UDP 198.51.100.7:5080;rport;branch={branch}");
    peer_request_via(method, &via, cseq, to_tag)
}

pub fn peer_request_via(method: &str, via: &str, cseq: u32, to_tag: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} sip:bob@192.0.2.1 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
         From: \"A, B\" <sip:alice@example.org>;tag=f1\r\nTo: <sip:bob@192.0.2.1>{tag}\r\n\
         Call-ID: c1@198.51.100.7\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@198.51.100.7:5080>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A peer's response to a request of ours.
pub fn peer_response(request: &Message, status: u16, to_tag: &str) -> String {
    let value = |name| request.header(name).unwrap_or("").to_owned();
    let (via, from, to) = (value(sip::Name::VIA), value(sip::Name::FROM), value(sip::Name::TO));
    let (call_id, cseq) = (request.call_id(), value(sip::Name::CSEQ));
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}{tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq}\r\nContact: <sip:bob@198.51.100.7:5080>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// One change to some bytes: where (modulo their length), with which byte, and which change.
pub type Edit = (u16, u8, u8);

/// Bends bytes at random: a byte is replaced, put in, taken out, or is one that means something;
/// a piece comes twice; the end is cut off.
pub fn bend(bytes: &mut Vec<u8>, edits: Vec<Edit>) {
    for (at, byte, kind) in edits {
        let at = usize::from(at) % bytes.len();
        match kind % 6 {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 if bytes.len() > 1 => _ = bytes.remove(at),
            3 => {
                let again: Vec<u8> = bytes[at..(at + 40).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
            4 => bytes[at] = b"<>\";,=@:%\t"[usize::from(byte) % 10],
            _ => bytes.truncate(at.max(1)),
        }
    }
}

/// The torture messages of RFC 4475, in the order of their names.
pub fn torture() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sip/torture");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}
