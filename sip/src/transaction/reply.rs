//! What a response takes from its request, and where it goes (RFC 3261 §8.2.6, §18.2, RFC 3581).

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::message::{Digits, split_list, trim};
use crate::{Flow, Message, Method, Name, StatusCode, Transport, Via};

/// The path of a response: back over the connection, or on datagrams to the request's source
/// address, its port with `rport`, the port of Via without.
///
/// `maddr` is not followed: it would let anyone aim our responses at a third party.
pub(super) fn path(request: &Message, flow: Flow) -> Flow {
    if flow.transport != Transport::Udp {
        return flow;
    }
    match request.via() {
        Ok(via) if !via.wants_rport() && via.port() != Some(0) => {
            let port = via.port().unwrap_or(5060);
            Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
        }
        _ => flow,
    }
}

/// The lines a response copies: every Via, From, To with `tag`, Call-ID, CSeq; Record-Route and
/// Timestamp where they belong.
pub(super) fn copied(
    request: &Message,
    flow: Flow,
    tag: Option<&str>,
    status: StatusCode,
) -> String {
    let mut out = String::with_capacity(512);
    let mut first = true;
    let is_bound = *request.method_ref() == Method::Register && status.is_success();
    let keep = is_bound.then(|| flow.transport.flow_timer().as_secs());
    for line in request.headers(Name::VIA) {
        if first {
            first = false;
            for (at, one) in split_list(line).enumerate() {
                out.push_str(if at == 0 { "Via: " } else { "," });
                match Via::parse(one) {
                    Ok(via) if at == 0 => stamp(&mut out, &via, flow, keep),
                    _ => out.push_str(one),
                }
            }
            out.push_str("\r\n");
        } else {
            push(&mut out, &["Via: ", line, "\r\n"]);
        }
    }
    // A request that is refused as broken may lack some of them.
    for name in [Name::FROM, Name::TO, Name::CALL_ID, Name::CSEQ] {
        let Some(value) = request.header(name) else { continue };
        push(&mut out, &[name.as_str(), ": ", value]);
        if let Some(tag) = tag.filter(|_| name == Name::TO && request.to_tag().is_none()) {
            push(&mut out, &[";tag=", tag]);
        }
        out.push_str("\r\n");
    }
    let number = status.as_u16();
    let may_make_a_dialog = (101..300).contains(&number)
        && matches!(request.method_ref(), Method::Invite | Method::Subscribe | Method::Refer);
    if may_make_a_dialog {
        for line in request.headers(Name::RECORD_ROUTE) {
            push(&mut out, &["Record-Route: ", line, "\r\n"]);
        }
    }
    if number == 100
        && let Some(stamp) = request.header(Name::TIMESTAMP)
    {
        push(&mut out, &["Timestamp: ", stamp, "\r\n"]);
    }
    out
}

/// Writes the topmost Via with where the request really came from. What the sender wrote there
/// itself is not kept. A phone that would send keep-alives is told how often they are wanted
/// (`keep`, RFC 6223 §4.4).
fn stamp(out: &mut String, via: &Via<'_>, flow: Flow, keep: Option<u64>) {
    let text = via.as_str();
    out.push_str(trim(&text[..text.len() - via.params().as_str().len()]));
    let mut wants_rport = false;
    for (name, value) in via.params().iter() {
        let rport = name.eq_ignore_ascii_case("rport");
        wants_rport |= rport;
        if rport || name.eq_ignore_ascii_case("received") {
            continue;
        }
        push(out, &[";", name]);
        if let Some(value) = value {
            push(out, &["=", value]);
        } else if let Some(seconds) = keep.filter(|_| name.eq_ignore_ascii_case("keep")) {
            _ = write!(out, "={seconds}");
        }
    }
    let source = flow.remote;
    if wants_rport {
        push(out, &[";rport=", Digits::of(source.port().into()).as_str()]);
    }
    if wants_rport || via.ip() != Some(source.ip()) {
        out.push_str(";received=");
        push_ip(out, source.ip());
    }
}

fn push(out: &mut String, pieces: &[&str]) {
    pieces.iter().for_each(|piece| out.push_str(piece));
}

fn push_ip(out: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                push(out, &[if at == 0 { "" } else { "." }, Digits::of(octet.into()).as_str()]);
            }
        }
        IpAddr::V6(v6) => _ = write!(out, "{v6}"),
    }
}
