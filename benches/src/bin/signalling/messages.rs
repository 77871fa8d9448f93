//! The messages of the generator, written straight into the send queue.

use std::io::Write as _;
use std::net::SocketAddr;

use crate::wire::AUDIO;
use benches::text::{Text, field, uri};

/// Callers' numbers begin so; what follows is the call's number, by which both ends know it.
pub(crate) const CALLERS: &str = "+1212";
/// Marks of our own tags, before the call's number: the caller's and the callee's.
pub(crate) const CALLER_TAG: &str = ";tag=c";
pub(crate) const CALLEE_TAG: &str = ";tag=a";

/// What the session descriptions say of the audio; none is ever sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audio {
    /// Both ends will send; who never does is hung up in time.
    Expected,
    /// Neither end sends, and nobody waits for it.
    OnHold,
}

/// The number that reaches a tenant.
pub(crate) fn tenant_number(tenant: usize) -> String {
    format!("+1555010{tenant:04}")
}

/// What the caller knows of a call that was answered.
pub(crate) struct Answered {
    /// Whom requests within the dialog name: the callee's Contact.
    target: Box<[u8]>,
    /// Route lines, then To.
    fields: Box<[u8]>,
}

impl Answered {
    /// From the 200 (RFC 3261 §12.1.2).
    pub(crate) fn read(ok: &Text<'_>) -> Option<Self> {
        let target = uri(ok.value("Contact")?).into();
        let mut fields = Vec::with_capacity(128);
        let routes: Vec<&[u8]> =
            ok.lines().filter_map(|line| field(line, "Record-Route")).collect();
        for route in routes.iter().rev() {
            fields.extend_from_slice(b"Route: ");
            fields.extend_from_slice(route);
            fields.extend_from_slice(b"\r\n");
        }
        fields.extend_from_slice(b"To: ");
        fields.extend_from_slice(ok.value("To")?);
        fields.extend_from_slice(b"\r\n");
        Some(Self { target, fields: fields.into() })
    }
}

/// Writing into a `Vec` cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => { let _ = write!($out, $($text)*); };
}

/// A carrier's INVITE to a tenant's number.
pub(crate) fn invite(
    own: SocketAddr,
    server: SocketAddr,
    number: &str,
    call: usize,
    audio: Audio,
    out: &mut Vec<u8>,
) {
    put!(
        out,
        "INVITE sip:{number}@{server};user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bK-i{call};rport\r\nMax-Forwards: 70\r\n\
         From: \"Carla Caller\" <sip:{CALLERS}{call:07}@{own}>{CALLER_TAG}{call}\r\n\
         To: <sip:{number}@{server};user=phone>\r\nCall-ID: {call}-load@{ip}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:carrier@{own}>\r\nUser-Agent: Carrier\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\n",
        ip = own.ip()
    );
    offer(own, audio, out);
}

/// The ACK of the 200 (its branch is new) or of a refusal (its branch is the INVITE's).
pub(crate) fn ack(own: SocketAddr, call: usize, answered: &Answered, out: &mut Vec<u8>) {
    in_dialog(own, call, "ACK", 1, answered, out);
}

pub(crate) fn bye(own: SocketAddr, call: usize, answered: &Answered, out: &mut Vec<u8>) {
    in_dialog(own, call, "BYE", 2, answered, out);
}

fn in_dialog(
    own: SocketAddr,
    call: usize,
    method: &str,
    cseq: u32,
    answered: &Answered,
    out: &mut Vec<u8>,
) {
    put!(out, "{method} ");
    out.extend_from_slice(&answered.target);
    put!(
        out,
        " SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{method}{call};rport\r\n\
         Max-Forwards: 70\r\n"
    );
    out.extend_from_slice(&answered.fields);
    put!(
        out,
        "From: \"Carla Caller\" <sip:{CALLERS}{call:07}@{own}>{CALLER_TAG}{call}\r\n\
         Call-ID: {call}-load@{ip}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
        ip = own.ip()
    );
}

/// The ACK of a refusal (RFC 3261 §17.1.1.3).
pub(crate) fn ack_refusal(
    own: SocketAddr,
    server: SocketAddr,
    number: &str,
    call: usize,
    refusal: &Text<'_>,
    out: &mut Vec<u8>,
) {
    put!(
        out,
        "ACK sip:{number}@{server};user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bK-i{call};rport\r\nMax-Forwards: 70\r\n\
         From: \"Carla Caller\" <sip:{CALLERS}{call:07}@{own}>{CALLER_TAG}{call}\r\nTo: "
    );
    out.extend_from_slice(refusal.value("To").unwrap_or_default());
    put!(
        out,
        "\r\nCall-ID: {call}-load@{ip}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
        ip = own.ip()
    );
}

/// A response. `tag` is given where the request has none yet; `audio` where an answer is in it.
pub(crate) fn response(
    own: SocketAddr,
    request: &Text<'_>,
    status: &str,
    tag: Option<usize>,
    audio: Option<Audio>,
    out: &mut Vec<u8>,
) {
    put!(out, "SIP/2.0 {status}\r\n");
    const COPIED: [&str; 6] = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"];
    for line in request.lines().skip(1) {
        if !COPIED.iter().any(|name| field(line, name).is_some()) {
            continue;
        }
        out.extend_from_slice(line);
        if let Some(tag) = tag
            && field(line, "To").is_some()
        {
            put!(out, "{CALLEE_TAG}{tag}");
        }
        out.extend_from_slice(b"\r\n");
    }
    put!(out, "Contact: <sip:phone@{own}>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\n");
    if let Some(audio) = audio {
        offer(own, audio, out);
    } else {
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
}

/// A REGISTER of an hour; `authorization` is a whole line or nothing.
pub(crate) fn register(
    own: SocketAddr,
    agent: &Agent<'_>,
    cseq: u32,
    authorization: &str,
    out: &mut Vec<u8>,
) {
    let Agent { number, user, domain } = agent;
    put!(
        out,
        "REGISTER sip:{domain} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bK-r{number}-{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{domain}>;tag=r{number}\r\nTo: <sip:{user}@{domain}>\r\n\
         Call-ID: {number}-register@{ip}\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:{user}@{own}>\r\nExpires: 3600\r\nUser-Agent: Phone\r\n{authorization}\
         Content-Length: 0\r\n\r\n",
        ip = own.ip()
    );
}

/// Who registers.
pub(crate) struct Agent<'a> {
    pub(crate) number: usize,
    pub(crate) user: &'a str,
    pub(crate) domain: &'a str,
}

/// What carriers and phones offer, and its length.
fn offer(own: SocketAddr, audio: Audio, out: &mut Vec<u8>) {
    let ip = own.ip();
    let direction = match audio {
        Audio::Expected => "sendrecv",
        Audio::OnHold => "inactive",
    };
    let sdp = format!(
        "v=0\r\no=- 3848 3848 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {AUDIO} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na={direction}\r\n"
    );
    put!(out, "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use benches::text::{Start, number_after};

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 2], port).into()
    }

    #[test]
    fn an_answer_carries_what_the_request_had_and_our_tag() {
        let mut request = Vec::new();
        invite(at(1), at(2), &tenant_number(3), 17, Audio::Expected, &mut request);
        let mut answer = Vec::new();
        response(at(3), &Text(&request), "200 OK", Some(17), Some(Audio::OnHold), &mut answer);
        let text = Text(&answer);
        assert_eq!(text.start(), Some(Start::Response(200)));
        assert_eq!(text.value("Via"), Text(&request).value("Via"));
        assert_eq!(number_after(text.value("To").unwrap(), CALLEE_TAG), Some(17));
        assert_eq!(number_after(text.value("From").unwrap(), CALLERS), Some(17));
        assert!(
            sip::Message::parse(answer.into()).is_ok()
                && sip::Message::parse(request.into()).is_ok()
        );
    }

    #[test]
    fn requests_within_the_dialog_go_the_recorded_route_backwards() {
        let ok = Text(
            b"SIP/2.0 200 OK\r\nRecord-Route: <sip:b;lr>\r\nRecord-Route: <sip:a;lr>\r\n\
              To: <sip:x>;tag=a1\r\nContact: <sip:phone@127.0.0.3:9>\r\n\r\n",
        );
        let mut out = Vec::new();
        bye(at(1), 1, &Answered::read(&ok).unwrap(), &mut out);
        let routes: Vec<_> = Text(&out).lines().filter_map(|line| field(line, "Route")).collect();
        assert_eq!(routes, [b"<sip:a;lr>", b"<sip:b;lr>"]);
        assert!(out.starts_with(b"BYE sip:phone@127.0.0.3:9 SIP/2.0\r\n"));
    }
}
