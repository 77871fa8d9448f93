//! Reading a description: limits first, then its lines, then our typed values.

use std::net::{IpAddr, SocketAddr};

use base::Duration;

use super::lines::{Attribute, Media, Written};
use super::{
    COMFORT_NOISE_PAYLOAD_TYPE, Description, EVENT_RATES, Format, MAX_BYTES, MAX_LINES, MAX_MEDIA,
    MediaDescription, Payload, SdpError, WebTerms, crypto, web,
};
use crate::{CLOCK_RATE, Codec, Direction, OpusSettings, XrWanted};

/// The most formats of one section that are looked at.
const MAX_FORMATS: usize = 64;

/// Reads a body of type `application/sdp`.
///
/// # Errors
/// When it is over a limit or not SDP. What we do not know in it is no error.
pub fn parse(body: &[u8]) -> Result<Description, SdpError> {
    if body.len() > MAX_BYTES {
        return Err(SdpError::TooLarge("16 kB"));
    }
    if body.iter().filter(|byte| **byte == b'\n').count() > MAX_LINES {
        return Err(SdpError::TooLarge("512 lines"));
    }
    let parsed = Written::read(body)?;
    if parsed.medias.len() > MAX_MEDIA {
        return Err(SdpError::TooLarge("16 media sections"));
    }
    let address = parsed.connection.and_then(connection_address);
    let direction = direction_of(&parsed.attributes);
    let whole = Whole {
        address,
        direction,
        xr: attribute(&parsed.attributes, "rtcp-xr"),
        attributes: &parsed.attributes,
    };
    Ok(Description {
        origin_id: parsed.origin.map_or("0", |origin| origin.sess_id).to_owned(),
        version: parsed.origin.map_or(0, |origin| origin.sess_version),
        media: parsed.medias.iter().map(|media| section(media, &whole)).collect(),
    })
}

/// What holds for all sections that do not say otherwise.
struct Whole<'a> {
    address: Option<IpAddr>,
    direction: Option<Direction>,
    xr: Option<&'a str>,
    attributes: &'a [Attribute<'a>],
}

fn section(media: &Media<'_>, whole: &Whole<'_>) -> MediaDescription {
    let address = media.connection.map_or(whole.address, connection_address);
    let milliseconds = |name: &str| {
        let value: u64 = attribute(&media.attributes, name)?.trim().parse().ok()?;
        (1..=1000).contains(&value).then(|| Duration::from_millis(value))
    };
    MediaDescription {
        kind: media.media.to_owned(),
        port: media.port,
        proto: media.proto.to_owned(),
        formats: media.fmt.to_owned(),
        address,
        rtcp: attribute(&media.attributes, "rtcp").and_then(|value| rtcp(value, address)),
        payloads: payloads(media),
        direction: direction_of(&media.attributes).or(whole.direction).unwrap_or_default(),
        crypto: crypto::lines(values(&media.attributes, "crypto")),
        ptime: milliseconds("ptime"),
        maxptime: milliseconds("maxptime"),
        xr: attribute(&media.attributes, "rtcp-xr")
            .or(whole.xr)
            .map_or_else(XrWanted::default, XrWanted::parse),
        mid: attribute(&media.attributes, "mid").map(Into::into),
        web: web::is_web(media.proto, &media.attributes, whole.attributes)
            .then(|| Box::new(WebTerms::read(&media.attributes, whole.attributes))),
    }
}

/// A unicast address in figures: names are not resolved, multicast is not served.
fn connection_address(connection: &str) -> Option<IpAddr> {
    let text = connection.split('/').next()?;
    let address: IpAddr = text.trim().parse().ok()?;
    (!address.is_multicast()).then_some(address)
}

/// `a=rtcp:53020` or `a=rtcp:53020 IN IP4 192.0.2.1` (RFC 3605 §2.1).
fn rtcp(value: &str, address: Option<IpAddr>) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace();
    let port: u16 = words.next()?.parse().ok().filter(|port| *port != 0)?;
    match words.nth(2) {
        Some(other) => Some(SocketAddr::new(other.parse().ok()?, port)),
        None => Some(SocketAddr::new(address?, port)),
    }
}

fn payloads(media: &Media<'_>) -> Vec<Payload> {
    let mut known: Vec<Payload> = Vec::new();
    for word in media.fmt.split_ascii_whitespace().take(MAX_FORMATS) {
        let Some(payload_type) = word.parse::<u8>().ok().filter(|number| *number < 128) else {
            continue;
        };
        let format = match rtpmap(media, payload_type) {
            Some(map) => format_of(map),
            None => static_format(payload_type),
        };
        if let Some(format) = format {
            known.push(Payload { payload_type, format, opus: opus(media, payload_type, format) });
        }
    }
    known
}

/// What a payload type without `a=rtpmap` means.
fn static_format(payload_type: u8) -> Option<Format> {
    if payload_type == COMFORT_NOISE_PAYLOAD_TYPE {
        return Some(Format::ComfortNoise);
    }
    Codec::from_static_payload_type(payload_type).map(Format::Audio)
}

/// What the payload type's `a=fmtp` says, if it is Opus.
fn opus(media: &Media<'_>, payload_type: u8, format: Format) -> OpusSettings {
    let is_opus = format == Format::Audio(Codec::Opus);
    let fmtp = is_opus.then(|| of_payload_type(media, "fmtp", payload_type)).flatten();
    fmtp.map(OpusSettings::from_fmtp).unwrap_or_default()
}

/// The encoding part of the payload type's `a=rtpmap`.
fn rtpmap<'a>(media: &Media<'a>, payload_type: u8) -> Option<&'a str> {
    of_payload_type(media, "rtpmap", payload_type)
}

/// The value of an attribute that begins with a payload type, after it.
fn of_payload_type<'a>(media: &Media<'a>, name: &str, payload_type: u8) -> Option<&'a str> {
    values(&media.attributes, name).find_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(rest.trim())
    })
}

/// `PCMU/8000`, `PCMA/8000/1`, `opus/48000/2`, `telephone-event/8000`, `CN/8000`.
fn format_of(encoding: &str) -> Option<Format> {
    let mut parts = encoding.split('/');
    let name = parts.next()?;
    let rate: u32 = parts.next()?.trim().parse().ok()?;
    let channels = parts.next().map_or(Some(1), |channels| channels.trim().parse().ok())?;
    if name.eq_ignore_ascii_case("telephone-event") {
        return EVENT_RATES.contains(&rate).then_some(Format::TelephoneEvent { rate });
    }
    if name.eq_ignore_ascii_case("CN") {
        return (rate == CLOCK_RATE).then_some(Format::ComfortNoise);
    }
    Codec::from_rtpmap(name, rate, channels).map(Format::Audio)
}

/// The values of all attributes of a name.
pub(super) fn values<'a>(
    attributes: &[Attribute<'a>],
    name: &str,
) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |a| a.attribute == name).filter_map(|a| a.value)
}

pub(super) fn attribute<'a>(attributes: &[Attribute<'a>], name: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.attribute == name)?.value
}

fn direction_of(attributes: &[Attribute<'_>]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| Direction::from_name(attribute.attribute))
}
