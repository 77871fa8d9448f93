//! What must hold of `sip` whatever comes in: no panic, and the promises named below. The fuzz
//! targets call these functions, and so does the test that replays their corpus.

use std::fmt;

use base::{Duration, Instant, Rng};
use bytes::Bytes;
use sip::framing::{Frame, Framer};
use sip::resolve::Resolver;
use sip::{
    Address, Endpoint, EndpointConfig, Event, Flow, Input, Message, Method, Name, Output, Request,
    Response, StatusCode, Transport, Uri, UriBuf, Via,
};

fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([198, 51, 100, 7], 5080).into(),
        connection: u64::from(transport.is_reliable()),
    }
}

/// One message: everything that can be asked of it, its parts back together, and an endpoint's
/// answer to it, which is never longer than it by more than the answer's own lines.
pub fn message(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(message) = Message::parse(bytes.clone()) {
        read_all(&message);
        assert_eq!(message.bytes(), &bytes);
        assert!(message.body().len() <= data.len());
        assert_eq!(Message::parse(bytes.clone()).as_ref().ok(), Some(&message));
    }
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Rng::from_seed(1));
    endpoint.handle_input(Instant::ZERO, Input::Received { flow: flow(Transport::Udp), bytes });
    while let Some(output) = endpoint.poll_output() {
        if let Output::Transmit { bytes, .. } = output {
            assert!(bytes.starts_with(b"SIP/2.0 ") && bytes.len() < data.len() + 1_000);
        }
    }
    let (servers, clients) = endpoint.transactions();
    assert!(servers <= 1 && clients == 0);
    _ = sip::datagram(data, ([198, 51, 100, 7], 5080).into());
}

fn read_all(message: &Message) {
    _ = (message.via(), message.from(), message.to(), message.contact(), message.cseq());
    _ = (message.uri(), message.expires(), message.max_forwards(), message.call_id());
    for (name, value) in message.all_headers() {
        assert!(!name.contains(['\r', '\n']) && !value.contains(['\r', '\n']));
        assert!(message.headers(Name::new(name)).any(|one| one == value));
        _ = message.list(Name::new(name)).map(Address::parse).count();
    }
    if let Some(peeked) = sip::peek_call_id(message.bytes())
        && message.bytes().is_ascii()
    {
        assert!(peeked.is_empty() || message.call_id().contains(peeked.trim()));
    }
    message.vias().filter_map(Result::ok).for_each(|via| _ = (via.received(), via.ip()));
    if let Ok(body) = sip::Body::of(message) {
        let whole = message.body().len();
        assert!(body.parts().iter().all(|part| part.content().len() <= whole));
    }
    let contact = UriBuf::sip(Some("a"), "b");
    if let Ok(contact) = contact {
        _ = sip::Dialog::uas(message, "t", contact);
    }
    let mut registrar = sip::Registrar::new();
    if let Ok(registered) = registrar.register(Instant::ZERO, "a", flow(Transport::Udp), message) {
        assert!(registered.response().refused().is_none());
        assert!(registered.bindings.len() <= registrar.config().max_bindings);
    }
    _ = sip::stir::verify(message, base::UnixTime::from_micros(0), "+15550100", "+15550199");
    let mut authenticator = sip::digest::Authenticator::new(Rng::from_seed(1));
    let accepted = sip::digest::Accepted::default();
    _ = authenticator.verify(Instant::ZERO, message, "r", accepted, Some("p"));
    _ = sip::digest::Authenticator::claimed_user(message);
}

/// One URI: its parts are parts of its text, it is the same as itself, and no host that DNS is
/// asked for is longer than names are.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(uri) = Uri::parse(text) else { return };
    let owned = uri.to_buf();
    assert_eq!(owned.as_uri(), uri);
    assert!(uri.is_equivalent(&uri) && !text.contains(['\r', '\n', ' ', '<', '>', '"']));
    _ = (uri.user_unescaped(), uri.ip(), uri.password(), uri.headers());
    for (name, _) in uri.params().iter() {
        assert!(uri.params().get(name).is_some());
    }
    if let Some(user) = uri.user_unescaped()
        && uri.is_sip()
        && let Ok(built) = UriBuf::sip(Some(&user), "example.com")
    {
        assert_eq!(built.as_uri().user_unescaped(), Some(user));
    }
    if let Ok(more) = owned.with_param("x", Some("y"))
        && uri.is_sip()
        && uri.params().get("x").is_none()
    {
        assert_eq!(more.as_uri().param("x"), Some("y"));
        assert_eq!(more.as_uri().host(), uri.host());
    }
    let mut resolver = Resolver::new(&uri, &Transport::ALL, Rng::from_seed(1));
    while let Some(question) = resolver.poll_output() {
        assert!(question.name().len() < 300 && !question.name().contains(".."));
    }
    resolver.hurry();
    assert!(resolver.hops().is_some());
}

/// One header field's value. The first byte says whose.
pub fn header(data: &[u8]) {
    use sip::header as typed;
    let Some((&kind, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains(|c: char| c.is_ascii_control() && c != '\t') {
        return; // no header field's value holds any
    }
    match kind % 16 {
        0 => {
            if let Ok(via) = Via::parse(text) {
                _ = (via.received(), via.rport(), via.ip(), via.branch());
                assert_eq!(Via::parse(via.as_str()), Ok(via));
            }
        }
        1 => {
            if let Ok(address) = Address::parse(text) {
                _ = (address.display_name(), address.tag());
                _ = address.uri().to_buf();
                address.params().iter().for_each(drop);
            }
        }
        2 => round(text, typed::Replaces::parse),
        3 => round(text, typed::ReferTo::parse),
        4 => round(text, typed::Diversion::parse),
        5 => round(text, typed::Event::parse),
        6 => round(text, typed::SessionExpires::parse),
        7 => round(text, typed::RAck::parse),
        8 => round(text, typed::Reason::parse),
        9 => round(text, typed::SubscriptionState::parse),
        10 => round(text, typed::NameAddr::parse),
        11 => round(text, |text| Ok::<_, ()>(typed::Privacy::parse(text))),
        12 => in_message(text, Name::WWW_AUTHENTICATE),
        13 => in_message(text, Name::AUTHORIZATION),
        14 => in_message(text, Name::HISTORY_INFO),
        _ => in_message(text, Name::CONTACT),
    }
}

/// What is read and written is read again as the same, and can be sent.
fn round<T: fmt::Display + fmt::Debug + PartialEq, E>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) {
    if text.contains(char::is_control) {
        return; // a tab may come back as a blank, and U+0080 to U+009F not at all
    }
    let Ok(value) = parse(text) else { return };
    let written = value.to_string();
    match parse(&written) {
        Ok(again) => assert_eq!(again, value, "{written:?}"),
        Err(_) => panic!("{written:?} of {text:?} is not read again"),
    }
    let Ok(uri) = UriBuf::sip(None, "a") else { return };
    let sent = Request::new(Method::Options, uri).try_header(Name::SUBJECT, &written);
    assert!(sent.is_ok(), "{written:?}");
}

/// As a part of a message, where what reads it takes messages.
fn in_message(text: &str, name: Name<'_>) {
    let bytes = format!(
        "REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{name}: {text}\r\n\r\n"
    );
    let Ok(message) = Message::parse(bytes.into()) else { return };
    read_all(&message);
    let history = sip::header::HistoryInfo::of(&message);
    let written = history.to_string();
    if !history.0.is_empty() {
        assert!(written.len() < 40_000);
    }
    let answer = sip::digest::Answer {
        method: &Method::Register,
        uri: "sip:a",
        user: "u",
        password: "p",
        cnonce: "c",
        nc: 1,
    };
    if let Ok(value) = sip::digest::answer(text, &answer) {
        let Ok(uri) = UriBuf::sip(None, "a") else { return };
        let request = Request::new(Method::Register, uri);
        assert!(request.try_header(Name::AUTHORIZATION, value).is_ok());
    }
}

/// A stream: however it is cut, the same comes out, and no more than went in. The first byte says
/// how it is cut.
pub fn framing(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let messages = |size: usize| {
        let mut framer = Framer::new();
        let mut frames = Vec::new();
        for piece in data.chunks(size) {
            framer.push(piece);
            while let Some(frame) = framer.poll() {
                frames.push(frame);
            }
        }
        // How many pings stand together depends on the cuts; messages and errors do not.
        frames.retain(|frame| !matches!(frame, Ok(Frame::Ping | Frame::Pong)));
        frames
    };
    let (whole, cut) = (messages(data.len().max(1)), messages(usize::from(size) % 64 + 1));
    assert_eq!(whole, cut);
    let total: usize = whole
        .iter()
        .map(|frame| match frame {
            Ok(Frame::Message(bytes)) => bytes.len(),
            _ => 0,
        })
        .sum();
    assert!(total <= data.len());
    for frame in whole {
        if let Ok(Frame::Message(bytes)) = frame
            && let Ok(message) = Message::parse(bytes.clone())
        {
            // What the framer took for one message is one: nothing is left behind its body.
            let body = message.body();
            assert!(bytes.ends_with(&body), "a body that ends elsewhere than the frame");
        }
    }
    _ = sip::websocket(Bytes::copy_from_slice(data));
}

/// Messages in a row, split at `0xff`, to an endpoint that answers, sends and waits. In the end it
/// holds nothing.
pub fn endpoint(data: &[u8]) {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Rng::from_seed(1));
    let mut now = Instant::ZERO;
    for part in data.split(|&byte| byte == 0xff).take(16) {
        let Some((&step, rest)) = part.split_first() else { continue };
        let transport = Transport::ALL[usize::from(step & 7) % 5];
        match step >> 5 {
            0..=4 => {
                let bytes = Bytes::copy_from_slice(rest);
                endpoint.handle_input(now, Input::Received { flow: flow(transport), bytes });
            }
            5 => {
                if let Ok(uri) = UriBuf::sip(Some("b"), "example.com") {
                    let request = Request::new(Method::Invite, uri);
                    let tx = endpoint.request(now, flow(transport), request);
                    if step & 8 != 0 {
                        endpoint.cancel(now, tx);
                    }
                }
            }
            6 => endpoint.handle_input(now, Input::FlowFailed { flow: flow(transport) }),
            _ => {
                now += Duration::from_millis(100 * u64::from(step & 31));
                endpoint.handle_timeout(now);
            }
        }
        drain(&mut endpoint, now, step);
    }
    for _ in 0..10_000 {
        let Some((next, _)) = endpoint.poll_timeout() else { break };
        now = now.max(next);
        endpoint.handle_timeout(now);
        drain(&mut endpoint, now, 0);
    }
    assert_eq!((endpoint.transactions(), endpoint.deadlines()), ((0, 0), 0));
    assert_eq!(endpoint.held(), (0, 0));
}

fn drain(endpoint: &mut Endpoint, now: Instant, step: u8) {
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Request { tx, .. }) if step & 16 != 0 => {
                let status = [StatusCode::OK, StatusCode::BUSY_HERE][usize::from(step >> 3 & 1)];
                endpoint.respond(now, tx, Response::new(status));
            }
            Output::Event(Event::Cancelled { tx, .. }) => {
                endpoint.respond(now, tx, Response::new(StatusCode::REQUEST_TERMINATED));
            }
            Output::Transmit { bytes, .. } => assert!(bytes.ends_with(b"\r\n\r\n")),
            _ => {}
        }
    }
}
