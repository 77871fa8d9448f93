//! Reading a description: limits first, then `sdp-types`, then our typed values.

use std::net::{IpAddr, SocketAddr};

use base::Duration;

use super::{
    Description, Format, MAX_BYTES, MAX_LINES, MAX_MEDIA, MediaDescription, Payload, SdpError,
    crypto,
};
use crate::{CLOCK_RATE, Codec, Direction};

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
    let parsed = sdp_types::Session::parse(body).map_err(|e| SdpError::Malformed(e.to_string()))?;
    if parsed.medias.len() > MAX_MEDIA {
        return Err(SdpError::TooLarge("16 media sections"));
    }
    let address = parsed.connection.as_ref().and_then(connection_address);
    let direction = direction_of(&parsed.attributes);
    Ok(Description {
        origin_id: parsed.origin.sess_id.clone(),
        version: parsed.origin.sess_version,
        media: parsed.medias.iter().map(|media| section(media, address, direction)).collect(),
    })
}

fn section(
    media: &sdp_types::Media,
    outer_address: Option<IpAddr>,
    outer_direction: Option<Direction>,
) -> MediaDescription {
    let address = media.connections.first().map_or(outer_address, connection_address);
    let milliseconds = |name: &str| {
        let value: u64 = attribute(&media.attributes, name)?.trim().parse().ok()?;
        (1..=1000).contains(&value).then(|| Duration::from_millis(value))
    };
    MediaDescription {
        kind: media.media.clone(),
        port: media.port,
        proto: media.proto.clone(),
        formats: media.fmt.clone(),
        address,
        rtcp: attribute(&media.attributes, "rtcp").and_then(|value| rtcp(value, address)),
        payloads: payloads(media),
        direction: direction_of(&media.attributes).or(outer_direction).unwrap_or_default(),
        crypto: crypto::lines(values(&media.attributes, "crypto")),
        ptime: milliseconds("ptime"),
        maxptime: milliseconds("maxptime"),
    }
}

/// A unicast address in figures: names are not resolved, multicast is not served.
fn connection_address(connection: &sdp_types::Connection) -> Option<IpAddr> {
    let text = connection.connection_address.split('/').next()?;
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

fn payloads(media: &sdp_types::Media) -> Vec<Payload> {
    let mut known: Vec<Payload> = Vec::new();
    for word in media.fmt.split_ascii_whitespace().take(MAX_FORMATS) {
        let Some(payload_type) = word.parse::<u8>().ok().filter(|number| *number < 128) else {
            continue;
        };
        let format = match rtpmap(media, payload_type) {
            Some(map) => format_of(map),
            None => Codec::from_static_payload_type(payload_type).map(Format::Audio),
        };
        if let Some(format) = format {
            known.push(Payload { payload_type, format });
        }
    }
    known
}

/// The encoding part of the payload type's `a=rtpmap`.
fn rtpmap(media: &sdp_types::Media, payload_type: u8) -> Option<&str> {
    media.attributes.iter().filter(|a| a.attribute == "rtpmap").find_map(|attribute| {
        let (number, encoding) = attribute.value.as_deref()?.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(encoding.trim())
    })
}

/// `PCMU/8000`, `PCMA/8000/1`, `telephone-event/8000`.
fn format_of(encoding: &str) -> Option<Format> {
    let mut parts = encoding.split('/');
    let name = parts.next()?;
    let rate: u32 = parts.next()?.trim().parse().ok()?;
    let mono = parts.next().is_none_or(|channels| channels.trim() == "1");
    if rate != CLOCK_RATE || !mono {
        return None;
    }
    if name.eq_ignore_ascii_case("telephone-event") {
        return Some(Format::TelephoneEvent);
    }
    Codec::from_name(name).map(Format::Audio)
}

/// The values of all attributes of a name.
fn values<'a>(attributes: &'a [sdp_types::Attribute], name: &str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |a| a.attribute == name).filter_map(|a| a.value.as_deref())
}

fn attribute<'a>(attributes: &'a [sdp_types::Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.attribute == name)?.value.as_deref()
}

fn direction_of(attributes: &[sdp_types::Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| Direction::from_name(&attribute.attribute))
}
