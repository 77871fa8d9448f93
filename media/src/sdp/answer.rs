//! Answering an offer (RFC 3264 §6), and taking the answer to ours (§7).

use std::fmt::Write;

use bytes::Bytes;

use super::{
    Answer, Capabilities, Description, Format, Local, MediaDescription, NegotiationError, Payload,
    offer, parse,
};
use crate::{Codec, RemoteMedia};

/// Answers an offer: the first audio section we can take is taken with one codec, every other
/// section is refused with port 0. Among the offer's codecs `prefer` goes first if it is there
/// (so that two legs of a call need no transcoding), then the offerer's own order.
///
/// # Errors
/// When no audio section can be taken: 488.
pub fn answer(
    offer: &Description,
    local: &Local,
    caps: &Capabilities,
    prefer: Option<Codec>,
) -> Result<Answer, NegotiationError> {
    let (place, audio, codec) = choose(offer, &caps.codecs, prefer)?;
    let taken = offer.media.get(place).ok_or(NegotiationError::NoAudio)?;
    let mut remote = taken.remote(audio, codec).ok_or(NegotiationError::NoAddress)?;
    if !caps.telephone_event {
        remote.telephone_event = None;
    }
    let mut body = offer::head(local);
    for (at, section) in offer.media.iter().enumerate() {
        if at == place {
            let mut payloads = vec![audio];
            payloads.extend(
                remote
                    .telephone_event
                    .map(|payload_type| Payload { payload_type, format: Format::TelephoneEvent }),
            );
            let direction = remote.direction.reversed();
            offer::audio(&mut body, local.port, &payloads, caps.ptime, direction);
        } else {
            refuse(&mut body, section);
        }
    }
    Ok(Answer { body: Bytes::from(body), remote })
}

/// What the answer to our own offer settled. The offer is the text we sent.
///
/// # Errors
/// When the answer refuses the audio, does not fit the offer, or takes what was not offered.
pub fn accept(our_offer: &[u8], answer: &Description) -> Result<RemoteMedia, NegotiationError> {
    let offered = parse(our_offer).map_err(|_| NegotiationError::Mismatch)?;
    if offered.media.len() != answer.media.len() {
        return Err(NegotiationError::Mismatch);
    }
    let codecs: Vec<Codec> = offered
        .media
        .iter()
        .flat_map(|section| section.payloads.iter().filter_map(codec))
        .collect();
    let (place, audio, chosen) = choose(answer, &codecs, None)?;
    let ours = offered.media.get(place).ok_or(NegotiationError::Mismatch)?;
    let theirs = answer.media.get(place).ok_or(NegotiationError::Mismatch)?;
    if ours.kind != theirs.kind {
        return Err(NegotiationError::Mismatch);
    }
    let mut remote = theirs.remote(audio, chosen).ok_or(NegotiationError::NoAddress)?;
    if !ours.payloads.iter().any(|known| known.format == Format::TelephoneEvent) {
        remote.telephone_event = None;
    }
    Ok(remote)
}

/// The section and the codec to use.
fn choose(
    theirs: &Description,
    codecs: &[Codec],
    prefer: Option<Codec>,
) -> Result<(usize, Payload, Codec), NegotiationError> {
    let mut why_not = NegotiationError::NoAudio;
    for (place, section) in theirs.media.iter().enumerate() {
        if section.kind != "audio" || section.port == 0 {
            continue;
        }
        if section.proto != "RTP/AVP" {
            why_not = NegotiationError::Protocol;
            continue;
        }
        if section.address.is_none() {
            why_not = NegotiationError::NoAddress;
            continue;
        }
        let common = || {
            let both = section.payloads.iter().filter_map(|p| Some((*p, codec(p)?)));
            both.filter(|(_, codec)| codecs.contains(codec))
        };
        let preferred = common().find(|(_, codec)| Some(*codec) == prefer);
        match preferred.or_else(|| common().next()) {
            Some((payload, codec)) => return Ok((place, payload, codec)),
            None => why_not = NegotiationError::NoCommonCodec,
        }
    }
    Err(why_not)
}

fn codec(payload: &Payload) -> Option<Codec> {
    match payload.format {
        Format::Audio(codec) => Some(codec),
        Format::TelephoneEvent => None,
    }
}

/// A refused section: the same kind, protocol and formats, port 0.
fn refuse(body: &mut String, section: &MediaDescription) {
    let MediaDescription { kind, proto, formats, .. } = section;
    let _ = write!(body, "m={kind} 0 {proto} {formats}\r\n");
}
