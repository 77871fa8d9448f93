//! Writing descriptions: our offer (RFC 3264 §5), and the section that offer and answer share.

use std::fmt::Write;
use std::net::IpAddr;

use base::Duration;
use bytes::Bytes;

use super::{
    Capabilities, Crypto, Encryption, Format, Local, Payload, TELEPHONE_EVENT_PAYLOAD_TYPE, crypto,
};
use crate::{CLOCK_RATE, Codec, Direction};

/// An offer of one audio section, `sendrecv`, with `prefer` before our other codecs.
#[must_use]
pub fn offer(local: &Local, caps: &Capabilities, prefer: Option<Codec>) -> Bytes {
    let preferred = prefer.into_iter().filter(|codec| caps.codecs.contains(codec));
    let others = caps.codecs.iter().copied().filter(|codec| Some(*codec) != prefer);
    let mut payloads: Vec<Payload> = preferred
        .chain(others)
        .map(|codec| Payload {
            payload_type: codec.offered_payload_type(),
            format: Format::Audio(codec),
        })
        .collect();
    if caps.telephone_event {
        payloads.push(Payload {
            payload_type: TELEPHONE_EVENT_PAYLOAD_TYPE,
            format: Format::TelephoneEvent,
        });
    }
    let mut text = head(local);
    let (proto, crypto) = match caps.encryption {
        Encryption::Off | Encryption::Accepted => ("RTP/AVP", Vec::new()),
        Encryption::Preferred => ("RTP/AVP", local.keys.offered()),
        Encryption::Required => ("RTP/SAVP", local.keys.offered()),
    };
    let direction = Direction::SendRecv;
    let section =
        Audio { proto, payloads: &payloads, ptime: caps.ptime, direction, crypto: &crypto };
    section.write(&mut text, local.port);
    Bytes::from(text)
}

/// The lines before the first `m=`.
pub(super) fn head(local: &Local) -> String {
    let family = match local.address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let Local { address, origin_id, version, .. } = local;
    format!(
        "v=0\r\no=- {origin_id} {version} IN {family} {address}\r\ns=-\r\n\
         c=IN {family} {address}\r\nt=0 0\r\n"
    )
}

/// An audio section of ours.
pub(super) struct Audio<'a> {
    pub(super) proto: &'a str,
    pub(super) payloads: &'a [Payload],
    pub(super) ptime: Duration,
    pub(super) direction: Direction,
    pub(super) crypto: &'a [Crypto],
}

impl Audio<'_> {
    /// Appends it.
    pub(super) fn write(&self, text: &mut String, port: u16) {
        // Writing to a String cannot fail.
        let _ = write!(text, "m=audio {port} {}", self.proto);
        for payload in self.payloads {
            let _ = write!(text, " {}", payload.payload_type);
        }
        text.push_str("\r\n");
        for Payload { payload_type, format } in self.payloads {
            let name = match format {
                Format::Audio(codec) => codec.name(),
                Format::TelephoneEvent => "telephone-event",
            };
            let _ = write!(text, "a=rtpmap:{payload_type} {name}/{CLOCK_RATE}\r\n");
            if *format == Format::TelephoneEvent {
                let _ = write!(text, "a=fmtp:{payload_type} 0-15\r\n");
            }
        }
        self.crypto.iter().for_each(|line| crypto::write(text, line));
        let (ptime, direction) = (self.ptime.as_millis(), self.direction.name());
        let _ = write!(text, "a=ptime:{ptime}\r\na={direction}\r\n");
    }
}
