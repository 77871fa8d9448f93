//! Answering an offer (RFC 3264 §6), and taking the answer to ours (§7).

use std::fmt::Write;

use bytes::Bytes;

use super::{
    Answer, Capabilities, Crypto, Description, Encryption, Format, Local, LocalWeb,
    MediaDescription, NegotiationError, Payload, Settled, Setup, offer, parse,
};
use crate::Codec;
use crate::srtp::{MasterKey, SrtpKeys};

/// Answers an offer: the first audio section we can take is taken with one codec, every other
/// section is refused with port 0. Among the offer's codecs `prefer` goes first if it is there
/// (so that two legs of a call need no transcoding), then the offerer's own order; among its keys
/// its order holds (RFC 4568 §5.1.2), and a section with keys goes before one without.
///
/// # Errors
/// When no audio section can be taken: 488.
pub fn answer(
    offer: &Description,
    local: &Local,
    caps: &Capabilities,
    prefer: Option<Codec>,
) -> Result<Answer, NegotiationError> {
    let chosen = choose(offer, caps, prefer, local.web.is_some())?;
    let taken = offer.media.get(chosen.place).ok_or(NegotiationError::NoAudio)?;
    let mut remote = taken.remote(chosen.audio, chosen.codec).ok_or(NegotiationError::NoAddress)?;
    if !caps.telephone_event {
        remote.telephone_event = None;
    }
    if !caps.comfort_noise {
        remote.comfort_noise = None;
    }
    let ours = chosen.crypto.as_ref().and_then(|line| key_for(local, line));
    // Their numbers are kept; of Opus we say what we want ourselves.
    let payload = |payload_type, format| Payload { payload_type, format, opus: caps.opus };
    let rate = remote.events_rate;
    let events = remote.telephone_event.map(|n| payload(n, Format::TelephoneEvent { rate }));
    let noise = remote.comfort_noise.map(|n| payload(n, Format::ComfortNoise));
    let audio = payload(chosen.audio.payload_type, chosen.audio.format);
    let payloads: Vec<Payload> = [Some(audio), noise, events].into_iter().flatten().collect();
    let crypto = chosen.crypto.as_ref().zip(ours);
    let crypto = crypto.map(|(line, key)| Crypto { tag: line.tag, keys: key.into() });
    let direction = remote.direction.reversed();
    let section = offer::Audio {
        proto: &taken.proto,
        payloads: &payloads,
        ptime: caps.ptime,
        direction,
        crypto: crypto.as_slice(),
    };
    let peer = taken.web.as_ref().zip(local.web.as_ref());
    let peer = peer.map(|(theirs, ours)| theirs.peer(ours)).transpose()?;
    let mut body = offer::head(local);
    let mid = taken.mid.as_deref();
    // Of two ends one at least must check.
    let is_lite = taken.web.as_ref().is_some_and(|theirs| theirs.lite);
    let web = local.web.clone().map(|web| LocalWeb { full: web.full || is_lite, ..web });
    if let Some(web) = &web {
        let bundled = taken.web.as_ref().is_some_and(|theirs| theirs.bundled);
        web.write_head(&mut body, mid.filter(|_| bundled));
    }
    for (at, other) in offer.media.iter().enumerate() {
        if at == chosen.place {
            section.write(&mut body, local.port);
            if let (Some(web), Some(peer)) = (&web, &peer) {
                let setup = Setup::answering(peer.role);
                web.write_section(&mut body, mid, setup, direction);
            }
        } else {
            refuse(&mut body, other);
        }
    }
    let srtp = ours.zip(chosen.crypto);
    let srtp = srtp.map(|(ours, line)| Box::new(SrtpKeys { ours, theirs: line.keys }));
    let peer = peer.map(Box::new);
    Ok(Answer { body: Bytes::from(body), settled: Settled { remote, srtp, peer } })
}

/// What the answer to our own offer settled. The offer is the text we sent.
///
/// # Errors
/// When the answer refuses the audio, does not fit the offer, or takes what was not offered.
pub fn accept(our_offer: &[u8], answer: &Description) -> Result<Settled, NegotiationError> {
    let offered = parse(our_offer).map_err(|_| NegotiationError::Mismatch)?;
    if offered.media.len() != answer.media.len() {
        return Err(NegotiationError::Mismatch);
    }
    let caps = Capabilities {
        codecs: offered
            .media
            .iter()
            .flat_map(|section| section.payloads.iter().filter_map(codec))
            .collect(),
        encryption: policy_of(&offered),
        ..Capabilities::default()
    };
    let chosen = choose(answer, &caps, None, offered.is_web())?;
    let ours = offered.media.get(chosen.place).ok_or(NegotiationError::Mismatch)?;
    let theirs = answer.media.get(chosen.place).ok_or(NegotiationError::Mismatch)?;
    let same_security = is_secure(ours) == is_secure(theirs);
    if ours.kind != theirs.kind || !same_security || ours.web.is_some() != theirs.web.is_some() {
        return Err(NegotiationError::Mismatch);
    }
    let mut remote =
        theirs.remote(chosen.audio, chosen.codec).ok_or(NegotiationError::NoAddress)?;
    let has_offered = |format| ours.payloads.iter().any(|known| known.format == format);
    if !has_offered(Format::TelephoneEvent { rate: remote.events_rate }) {
        remote.telephone_event = None;
    }
    if !has_offered(Format::ComfortNoise) {
        remote.comfort_noise = None;
    }
    let srtp = match chosen.crypto {
        None => None,
        Some(line) => Some(Box::new(keys_of(ours, line)?)),
    };
    let both = theirs.web.as_ref().zip(ours.web.as_ref());
    let peer = both.map(|(theirs, ours)| theirs.answering_peer(ours)).transpose()?;
    let peer = peer.map(Box::new);
    Ok(Settled { remote, srtp, peer })
}

/// What an offer of ours insisted on.
fn policy_of(offer: &Description) -> Encryption {
    let mut sections = offer.media.iter();
    if sections.clone().any(is_secure) {
        Encryption::Required
    } else if sections.any(|section| !section.crypto.is_empty()) {
        Encryption::Preferred
    } else {
        Encryption::Off
    }
}

/// The keys of an answer that takes one of our lines: by its number, and with its profile.
fn keys_of(ours: &MediaDescription, line: Crypto) -> Result<SrtpKeys, NegotiationError> {
    let offered = ours.crypto.iter().find(|offered| offered.tag == line.tag);
    let offered = offered.filter(|offered| offered.keys.profile() == line.keys.profile());
    let ours = *offered.ok_or(NegotiationError::Mismatch)?.keys.first();
    Ok(SrtpKeys { ours, theirs: line.keys })
}

/// Our key towards who offers this line. Who names its keys in each packet has ours named in the
/// same way.
fn key_for(local: &Local, line: &Crypto) -> Option<MasterKey> {
    Some(local.keys.key(line.keys.profile())?.with_mki(line.keys.first().mki()))
}

/// Whether a section says that its audio is encrypted.
pub(super) fn is_secure(section: &MediaDescription) -> bool {
    section.web.is_none() && matches!(&*section.proto, "RTP/SAVP" | "RTP/SAVPF")
}

/// What is taken of a description.
struct Chosen {
    place: usize,
    audio: Payload,
    codec: Codec,
    crypto: Option<Crypto>,
}

/// The section, the codec and the keys to use.
fn choose(
    theirs: &Description,
    caps: &Capabilities,
    prefer: Option<Codec>,
    is_web: bool,
) -> Result<Chosen, NegotiationError> {
    let mut why_not = NegotiationError::NoAudio;
    let mut plain = None;
    for (place, section) in theirs.media.iter().enumerate() {
        match choose_in(section, caps, prefer, is_web) {
            Ok(None) => {}
            Ok(Some((audio, codec, crypto))) => {
                let chosen = Chosen { place, audio, codec, crypto };
                if chosen.crypto.is_some() || is_web || caps.encryption == Encryption::Off {
                    return Ok(chosen);
                }
                plain = plain.or(Some(chosen));
            }
            Err(error) => why_not = error,
        }
    }
    plain.ok_or(why_not)
}

/// What can be taken of a section; nothing of one that is no audio or is refused already.
fn choose_in(
    section: &MediaDescription,
    caps: &Capabilities,
    prefer: Option<Codec>,
    is_web: bool,
) -> Result<Option<(Payload, Codec, Option<Crypto>)>, NegotiationError> {
    if section.kind != "audio" || section.port == 0 {
        return Ok(None);
    }
    let crypto = if is_web { usable_web(section)? } else { crypto_of(section, caps)? };
    let common = || {
        let both = section.payloads.iter().filter_map(|p| Some((*p, codec(p)?)));
        both.filter(|(_, codec)| caps.codecs.contains(codec))
    };
    let preferred = common().find(|(_, codec)| Some(*codec) == prefer);
    let (payload, codec) =
        preferred.or_else(|| common().next()).ok_or(NegotiationError::NoCommonCodec)?;
    Ok(Some((payload, codec, crypto)))
}

/// Whether a browser can be talked to; its keys come by DTLS.
fn usable_web(section: &MediaDescription) -> Result<Option<Crypto>, NegotiationError> {
    let web = section.web.as_ref().ok_or(NegotiationError::Protocol)?;
    web.is_usable().then_some(None).ok_or(NegotiationError::Web)
}

/// The keys of another section, if it is to be encrypted.
fn crypto_of(
    section: &MediaDescription,
    caps: &Capabilities,
) -> Result<Option<Crypto>, NegotiationError> {
    let secure = is_secure(section);
    if !secure && !matches!(&*section.proto, "RTP/AVP" | "RTP/AVPF") {
        return Err(NegotiationError::Protocol);
    }
    if section.address.is_none() {
        return Err(NegotiationError::NoAddress);
    }
    let crypto = match caps.encryption {
        Encryption::Off if secure => return Err(NegotiationError::Encryption),
        Encryption::Off => None,
        _ => section.crypto.first().cloned(),
    };
    if crypto.is_none() && (secure || caps.encryption == Encryption::Required) {
        return Err(NegotiationError::Encryption);
    }
    Ok(crypto)
}

fn codec(payload: &Payload) -> Option<Codec> {
    match payload.format {
        Format::Audio(codec) => Some(codec),
        Format::TelephoneEvent { .. } | Format::ComfortNoise => None,
    }
}

/// A refused section: the same kind, protocol and formats, port 0.
pub(super) fn refuse(body: &mut String, section: &MediaDescription) {
    let MediaDescription { kind, proto, formats, mid, .. } = section;
    let _ = write!(body, "m={kind} 0 {proto} {formats}\r\n");
    if let Some(mid) = mid {
        let _ = write!(body, "a=mid:{mid}\r\na=inactive\r\n");
    }
}
