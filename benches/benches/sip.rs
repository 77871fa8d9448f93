//! SIP: parsing a 1.3 kB INVITE (beside `rsip`, in the same run), and a whole INVITE transaction
//! at both ends, from the request to the ACK and the last timer.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use base::{Instant, Rng};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip::{
    Dialog, Endpoint, EndpointConfig, Event, Flow, Input, Message, Method, Name, Output, Request,
    Response, StatusCode, UriBuf,
};

const SDP: &str = "v=0\r\no=- 3848 3848 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\n\
    t=0 0\r\nm=audio 20000 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
    a=ptime:20\r\na=maxptime:40\r\na=sendrecv\r\na=rtcp:20001\r\na=ssrc:3735928559 cname:x\r\n";

/// As a carrier sends it: three Vias, two Record-Routes, and the usual rest.
fn invite() -> Bytes {
    let length = SDP.len();
    format!(
        "INVITE sip:+15550100@sip.acme.example:5060;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-524287-1---e8a1b5c0d2f34a6b;rport\r\n\
         Via: SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bKa7c3.1b2c3d4e5f60718293a4b5c6d7e8f.0\r\n\
         Record-Route: <sip:203.0.113.10;lr;ftag=8c1f2a>\r\n\
         Record-Route: <sip:203.0.113.20;lr>\r\n\
         Max-Forwards: 68\r\n\
         From: \"Doe, Jane\" <sip:+4930123456@carrier.example;user=phone>;tag=8c1f2a3b4c5d\r\n\
         To: <sip:+15550100@sip.acme.example;user=phone>\r\n\
         Call-ID: 7f3a9b1c-5d2e-4f60-8a71-92b3c4d5e6f7@203.0.113.20\r\n\
         CSeq: 102 INVITE\r\n\
         Contact: <sip:+4930123456@203.0.113.20:5060;transport=udp>\r\n\
         User-Agent: Carrier SBC 9.2.1\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r\n\
         Supported: 100rel, timer, replaces, histinfo, norefersub\r\n\
         Accept: application/sdp, multipart/mixed\r\n\
         Session-Expires: 1800;refresher=uac\r\n\
         P-Asserted-Identity: <sip:+4930123456@carrier.example;user=phone>\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {length}\r\n\r\n{SDP}"
    )
    .into()
}

fn parse(criterion: &mut Criterion) {
    let bytes = invite();
    assert!((1_250..1_500).contains(&bytes.len()), "{}", bytes.len());
    let mut group = criterion.benchmark_group("parse a 1.3 kB INVITE");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("sip", |bench| {
        bench.iter(|| Message::parse(black_box(bytes.clone())).unwrap());
    });
    group.bench_function("sip, and read what routing needs", |bench| {
        bench.iter(|| {
            let message = Message::parse(black_box(bytes.clone())).unwrap();
            let uri = message.uri().unwrap();
            let number = uri.user().map(str::len);
            let tags = (message.from_tag().map(str::len), message.to_tag().map(str::len));
            let contact = message.contact().unwrap().map(|contact| contact.uri().port());
            black_box((number, tags, contact, message.call_id().len(), message.cseq().ok()));
        });
    });
    group.bench_function("rsip", |bench| {
        bench.iter(|| rsip::SipMessage::try_from(black_box(&bytes[..])).unwrap());
    });
    group.finish();
}

/// Two endpoints and what passes between them.
struct Ends {
    caller: Endpoint,
    callee: Endpoint,
    now: Instant,
    flows: [Flow; 2],
}

impl Ends {
    fn new() -> Self {
        let (a, b) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        Self {
            caller: Endpoint::new(EndpointConfig::default(), Rng::from_seed(1)),
            callee: Endpoint::new(EndpointConfig::default(), Rng::from_seed(2)),
            now: Instant::ZERO,
            flows: [Flow::udp(a, b), Flow::udp(b, a)],
        }
    }

    /// INVITE, 100, 180, 200, ACK: five datagrams, parsed at the end they reach.
    fn call(&mut self, request: &Request) {
        self.now += base::Duration::from_millis(20);
        self.caller.request(self.now, self.flows[0], request.clone());
        loop {
            let mut idle = true;
            while let Some(output) = self.caller.poll_output() {
                idle = false;
                match output {
                    Output::Transmit { bytes, .. } => {
                        let flow = self.flows[1];
                        self.callee.handle_input(self.now, Input::Received { flow, bytes });
                    }
                    Output::Event(Event::Response { tx, response, .. })
                        if response.status() == Some(StatusCode::OK) =>
                    {
                        let dialog = Dialog::uac(request, &response).unwrap();
                        let ack = dialog.ack(response.cseq().unwrap());
                        self.caller.acknowledge(self.now, tx, self.flows[0], ack);
                    }
                    _ => {}
                }
            }
            while let Some(output) = self.callee.poll_output() {
                idle = false;
                match output {
                    Output::Transmit { bytes, .. } => {
                        let flow = self.flows[0];
                        self.caller.handle_input(self.now, Input::Received { flow, bytes });
                    }
                    Output::Event(Event::Request { tx, .. }) => {
                        self.callee.respond(self.now, tx, Response::new(StatusCode::RINGING));
                        let ok = Response::new(StatusCode::OK)
                            .header(Name::CONTACT, "<sip:bob@192.0.2.2>")
                            .body("application/sdp", SDP);
                        self.callee.respond(self.now, tx, ok);
                    }
                    _ => {}
                }
            }
            if idle {
                break;
            }
        }
        self.caller.handle_timeout(self.now);
        self.callee.handle_timeout(self.now);
    }
}

fn transaction(criterion: &mut Criterion) {
    let request = Request::new(Method::Invite, UriBuf::parse("sip:bob@192.0.2.2").unwrap())
        .header(Name::CONTACT, "<sip:alice@192.0.2.1>")
        .body("application/sdp", SDP);
    let mut ends = Ends::new();
    // 50 calls a second for 32 s stay open at each end: 1,600 transactions in the tables.
    for _ in 0..2_000 {
        ends.call(&request);
    }
    criterion.bench_function("INVITE transaction, both ends, 1,600 open", |bench| {
        bench.iter(|| ends.call(black_box(&request)));
    });
}

criterion_group!(benches, parse, transaction);
criterion_main!(benches);
