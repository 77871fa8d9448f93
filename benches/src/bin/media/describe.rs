//! The session descriptions of the two ends of a call, and where the relay's answers want audio.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use media::srtp::{MASTER_BYTES, MasterKey, Profile};

/// What calls carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    /// PCMU both ways, as it is
    Relay,
    /// The caller's side is encrypted (SDES, `AES_CM_128_HMAC_SHA1_80`), the callee's is not
    Srtp,
    /// The caller has PCMU, the callee has Opus
    Opus,
    /// PCMU both ways, and the relay records both sides
    Recorded,
    /// Ten far ends with PCMU who all talk and all hear each other
    Conference,
    /// The caller is a browser with PCMU, the callee is none
    Webrtc,
    /// The same with Opus both ways
    WebrtcOpus,
    /// The same with Opus on the browser's side and PCMU on the other
    WebrtcTranscode,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Srtp => "srtp",
            Self::Opus => "opus",
            Self::Recorded => "recorded",
            Self::Conference => "conference",
            Self::Webrtc => "webrtc",
            Self::WebrtcOpus => "webrtc-opus",
            Self::WebrtcTranscode => "webrtc-transcode",
        }
    }

    /// Whether its callers are browsers.
    pub(crate) fn is_web(self) -> bool {
        matches!(self, Self::Webrtc | Self::WebrtcOpus | Self::WebrtcTranscode)
    }

    /// Whether a side has Opus.
    pub(crate) fn has_opus(self, side: Side) -> bool {
        match self {
            Self::Opus => side == Side::Callee,
            Self::WebrtcOpus => true,
            Self::WebrtcTranscode => side == Side::Caller,
            _ => false,
        }
    }

    /// Whether what comes out is what went in, so that it tells when it was sent.
    pub(crate) fn keeps_payload(self) -> bool {
        !matches!(self, Self::Opus | Self::Conference | Self::WebrtcTranscode)
    }

    /// Far ends of a call.
    pub(crate) fn far_ends(self) -> usize {
        if self == Self::Conference { 10 } else { 2 }
    }
}

/// Which end of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Caller,
    Callee,
}

/// The number that an offer gives Opus; a caller without one never needs it.
pub(crate) fn opus_number(offer: &str) -> u8 {
    let lines = offer.lines().filter_map(|line| line.strip_prefix("a=rtpmap:"));
    let number = lines.filter_map(|line| line.split_once(' '));
    let number = number.filter(|(_, name)| name.to_ascii_lowercase().starts_with("opus/"));
    number.filter_map(|(number, _)| number.parse().ok()).next().unwrap_or(107)
}

/// The key of all callers: it is the cost that is measured.
pub(crate) fn callers_key() -> Option<MasterKey> {
    let profile = Profile::AesCm128HmacSha1_80;
    let length = profile.key_bytes() + profile.salt_bytes();
    MasterKey::new(profile, [7; MASTER_BYTES].get(..length)?)
}

/// The base64 of [`callers_key`]: thirty bytes of 7.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

/// What one end says of itself; `opus` is the number that Opus has in what it answers.
pub(crate) fn description(kind: Kind, side: Side, at: SocketAddr, opus: u8) -> String {
    let (ip, port) = (at.ip(), at.port());
    let profile = if encrypts(kind, side) { "RTP/SAVP" } else { "RTP/AVP" };
    let mut text = format!("v=0\r\no=- 3848 3848 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
    // Writing into a String cannot fail.
    let _ = if kind.has_opus(side) {
        write!(text, "m=audio {port} {profile} {opus} 101\r\na=rtpmap:{opus} opus/48000/2\r\n")
    } else {
        write!(text, "m=audio {port} {profile} 0 101\r\na=rtpmap:0 PCMU/8000\r\n")
    };
    // Keys as events, of whatever clock: nobody presses any.
    let clock = if kind.has_opus(side) { 48_000 } else { 8000 };
    let _ = write!(text, "a=rtpmap:101 telephone-event/{clock}\r\n");
    if encrypts(kind, side) {
        let _ = write!(text, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    }
    text.push_str("a=ptime:20\r\na=sendrecv\r\n");
    text
}

pub(crate) fn encrypts(kind: Kind, side: Side) -> bool {
    kind == Kind::Srtp && side == Side::Caller
}

/// Where a description wants audio.
pub(crate) fn target(description: &str) -> Option<SocketAddr> {
    let line = |prefix| description.lines().find_map(|line| line.trim_end().strip_prefix(prefix));
    let ip: IpAddr = line("c=IN IP4 ").or_else(|| line("c=IN IP6 "))?.parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_where_it_wants_audio_and_with_which_key() {
        let at = SocketAddr::from(([127, 0, 0, 2], 4000));
        let text = description(Kind::Srtp, Side::Caller, at, 107);
        assert_eq!(target(&text), Some(at));
        let offer = media::sdp::parse(text.as_bytes());
        assert!(offer.is_ok(), "{offer:?}");
        assert!(callers_key().is_some_and(|key| key.key_and_salt() == [7; 30]));
        assert!(!description(Kind::Srtp, Side::Callee, at, 107).contains("crypto"));
    }
}
