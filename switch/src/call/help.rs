//! Calls for help: where the caller is goes with them (RFC 6442), by reference and in the body, and
//! how urgent it is (RFC 3261 §20.26).

use bytes::{BufMut, Bytes, BytesMut};
use sip::{Body, Message, Name, Part, Request};

use super::Call;
use super::leg::Signalling;
use super::negotiation::SDP;

/// What goes on from the INVITE of whoever calls for help.
const FIELDS: [&str; 3] = ["Geolocation", "Geolocation-Routing", "Priority"];

impl Call {
    /// The INVITE of a call for help, with our offer.
    pub(super) fn with_location(&self, invite: Request, offer: Bytes) -> Request {
        let Signalling::Invited { invite: theirs, .. } = &self.caller.signalling else {
            return invite.body(SDP, offer);
        };
        let mut invite = invite;
        for name in FIELDS {
            for value in theirs.headers(Name::new(name)) {
                let with = invite.clone().header(Name::new(name), value);
                if with.refused().is_none() {
                    invite = with;
                }
            }
        }
        let places = locations(theirs);
        if places.is_empty() {
            return invite.body(SDP, offer);
        }
        let (content_type, body) = joined(&offer, &places);
        invite.body(&content_type, body)
    }

    /// How much longer that makes it.
    pub(super) fn location_size(&self) -> usize {
        let Signalling::Invited { invite, .. } = &self.caller.signalling else { return 0 };
        let fields = FIELDS.iter().flat_map(|name| invite.headers(Name::new(name)));
        let fields: usize = fields.map(|value| value.len() + 24).sum();
        fields + locations(invite).iter().map(|place| place.content.len() + 160).sum::<usize>()
    }
}

/// A part of a body that says where the caller is.
struct Location {
    kind: String,
    id: String,
    content: Bytes,
}

/// The parts of the body that Geolocation names by their Content-ID (RFC 6442 §4.1, RFC 2392).
fn locations(invite: &Message) -> Vec<Location> {
    let named: Vec<&str> = invite.list(Name::new("Geolocation")).filter_map(content_id).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let Ok(body) = Body::of(invite) else { return Vec::new() };
    let is_plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    let location = |part: &Part| {
        let id = part.id().filter(|id| named.contains(id) && is_plain(id))?.to_owned();
        let kind =
            Some(part.kind()).filter(|kind| is_plain(kind) && !part.is_encoded())?.to_owned();
        Some(Location { kind, id, content: part.content().clone() })
    };
    body.parts().iter().filter_map(location).collect()
}

/// `<cid:...>` without what is around it.
fn content_id(value: &str) -> Option<&str> {
    let inside = value.trim().strip_prefix('<')?.split('>').next()?;
    let (scheme, id) = inside.split_once(':')?;
    scheme.eq_ignore_ascii_case("cid").then_some(id)
}

/// Offer and places in one body (RFC 2046 §5.1), and its Content-Type.
fn joined(offer: &Bytes, places: &[Location]) -> (String, Bytes) {
    let mut boundary = "strowger".to_owned();
    let holds = |content: &Bytes, text: &str| {
        content.windows(text.len()).any(|window| window == text.as_bytes())
    };
    while holds(offer, &boundary) || places.iter().any(|place| holds(&place.content, &boundary)) {
        boundary.push('-');
    }
    let mut body = BytesMut::new();
    body.put_slice(format!("--{boundary}\r\nContent-Type: {SDP}\r\n\r\n").as_bytes());
    body.put_slice(offer);
    for Location { kind, id, content } in places {
        let head =
            format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-ID: <{id}>\r\n\r\n");
        body.put_slice(head.as_bytes());
        body.put_slice(content);
    }
    body.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/mixed;boundary={boundary}"), body.freeze())
}
