//! Writing descriptions: our offer (RFC 3264 §5), and the section that offer and answer share.

use std::fmt::Write;
use std::net::IpAddr;

use base::Duration;
use bytes::Bytes;

use super::{
    COMFORT_NOISE_PAYLOAD_TYPE, Capabilities, Crypto, Encryption, Format, Local, Numbers, Payload,
    Setup, crypto, web,
};
use crate::{CLOCK_RATE, Codec, Direction};

/// `a=mid` of our offer's one section.
const MID: &str = "0";

/// An offer of one audio section, `sendrecv`, with `prefer` before our other codecs.
#[must_use]
pub fn offer(local: &Local, caps: &Capabilities, prefer: Option<Codec>) -> Bytes {
    let payloads = payloads(local.numbers, caps, prefer);
    let mut text = head(local);
    if let Some(web) = &local.web {
        web.write_head(&mut text, Some(MID));
    }
    let (proto, crypto) = match caps.encryption {
        _ if local.web.is_some() => (web::PROTO, Vec::new()),
        Encryption::Off | Encryption::Accepted => ("RTP/AVP", Vec::new()),
        Encryption::Preferred => ("RTP/AVP", local.keys.offered()),
        Encryption::Required => ("RTP/SAVP", local.keys.offered()),
    };
    let direction = Direction::SendRecv;
    let section =
        Audio { proto, payloads: &payloads, ptime: caps.ptime, direction, crypto: &crypto };
    section.write(&mut text, local.port);
    if let Some(web) = &local.web {
        web.write_section(&mut text, Some(MID), Setup::ActPass, direction);
    }
    Bytes::from(text)
}

/// What we offer: codecs, events on the clocks of those codecs, comfort noise.
fn payloads(numbers: Numbers, caps: &Capabilities, prefer: Option<Codec>) -> Vec<Payload> {
    let preferred = prefer.into_iter().filter(|codec| caps.codecs.contains(codec));
    let others = caps.codecs.iter().copied().filter(|codec| Some(*codec) != prefer);
    let codecs = preferred.chain(others).map(|codec| {
        let payload_type = codec.static_payload_type().unwrap_or(numbers.opus);
        (payload_type, Format::Audio(codec))
    });
    let mut payloads: Vec<(u8, Format)> = codecs.collect();
    let has_clock = |rate: u32| caps.codecs.iter().any(|codec| codec.clock_rate() == rate);
    if caps.comfort_noise && has_clock(CLOCK_RATE) {
        payloads.push((COMFORT_NOISE_PAYLOAD_TYPE, Format::ComfortNoise));
    }
    for (payload_type, rate) in [(numbers.events, 8000), (numbers.events_48000, 48_000)] {
        if caps.telephone_event && has_clock(rate) {
            payloads.push((payload_type, Format::TelephoneEvent { rate }));
        }
    }
    let with_settings = |(payload_type, format)| Payload { payload_type, format, opus: caps.opus };
    payloads.into_iter().map(with_settings).collect()
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
        self.payloads.iter().for_each(|payload| write_map(text, payload));
        self.crypto.iter().for_each(|line| crypto::write(text, line));
        let (ptime, direction) = (self.ptime.as_millis(), self.direction.name());
        let _ = write!(text, "a=ptime:{ptime}\r\na={direction}\r\n");
    }
}

/// What a payload type means.
fn write_map(text: &mut String, payload: &Payload) {
    let Payload { payload_type, format, opus } = payload;
    let _ = match format {
        Format::Audio(codec) if codec.channels() > 1 => {
            let (name, rate, channels) = (codec.name(), codec.clock_rate(), codec.channels());
            write!(text, "a=rtpmap:{payload_type} {name}/{rate}/{channels}\r\n")
        }
        Format::Audio(codec) => {
            write!(text, "a=rtpmap:{payload_type} {}/{}\r\n", codec.name(), codec.clock_rate())
        }
        Format::TelephoneEvent { rate } => write!(
            text,
            "a=rtpmap:{payload_type} telephone-event/{rate}\r\na=fmtp:{payload_type} 0-15\r\n"
        ),
        Format::ComfortNoise => write!(text, "a=rtpmap:{payload_type} CN/{CLOCK_RATE}\r\n"),
    };
    let fmtp = if *format == Format::Audio(Codec::Opus) { opus.to_fmtp() } else { String::new() };
    if !fmtp.is_empty() {
        let _ = write!(text, "a=fmtp:{payload_type} {fmtp}\r\n");
    }
}
