//! SDP (RFC 8866) as far as audio needs it, and offer/answer (RFC 3264) on typed values.

mod answer;
mod copies;
mod crypto;
mod lines;
mod offer;
mod parse;

use std::net::{IpAddr, SocketAddr};

use base::Duration;
use bytes::Bytes;

pub use answer::{accept, answer};
pub use copies::{CopiesAnswer, CopiesOffer, LABELS, answer_copies};
pub use crypto::{Crypto, Encryption, LocalKeys};
pub use offer::offer;
pub use parse::parse;

use crate::srtp::SrtpKeys;
use crate::{CLOCK_RATE, Codec, Direction, OpusSettings, RemoteMedia};

/// The longest description read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most lines read.
pub const MAX_LINES: usize = 512;
/// The most media sections read.
pub const MAX_MEDIA: usize = 16;
/// The payload type we offer RFC 4733 events with.
pub const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;

/// What we can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Codecs, the preferred first.
    pub codecs: Vec<Codec>,
    /// RFC 4733 events 0 to 15.
    pub telephone_event: bool,
    /// How much audio we want in a packet.
    pub ptime: Duration,
    /// Whether it is to be encrypted.
    pub encryption: Encryption,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            telephone_event: true,
            ptime: Duration::from_millis(20),
            encryption: Encryption::Off,
        }
    }
}

/// Our end of the description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// Where we receive.
    pub address: IpAddr,
    /// Our even RTP port.
    pub port: u16,
    /// `sess-id` of `o=`: one for the dialog's life.
    pub origin_id: u64,
    /// `sess-version`: one more for each changed description (RFC 3264 §8).
    pub version: u64,
    /// What we would encrypt with.
    pub keys: LocalKeys,
}

/// A description we have read: an offer or an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// `sess-id` of `o=`, as text.
    pub origin_id: String,
    /// `sess-version` of `o=`: unchanged means an unchanged description.
    pub version: u64,
    /// The media sections, in order.
    pub media: Vec<MediaDescription>,
}

/// One `m=` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaDescription {
    /// `audio`, `video`, ...
    pub kind: String,
    /// 0 when refused or removed.
    pub port: u16,
    /// `RTP/AVP`, ...
    pub proto: String,
    /// The formats as they were written, to be echoed in a refusal.
    pub formats: String,
    /// The connection address that holds for the section.
    pub address: Option<IpAddr>,
    /// `a=rtcp` (RFC 3605), if it was given.
    pub rtcp: Option<SocketAddr>,
    /// RTP formats that are known, in the order of preference.
    pub payloads: Vec<Payload>,
    /// Its own direction, or the one of the whole description.
    pub direction: Direction,
    /// `a=crypto`, those lines that are understood.
    pub crypto: Vec<Crypto>,
    /// `a=ptime`.
    pub ptime: Option<Duration>,
    /// `a=maxptime`.
    pub maxptime: Option<Duration>,
}

/// A format we know, and its payload type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    /// 0 to 127.
    pub payload_type: u8,
    /// What it means.
    pub format: Format,
}

/// A format we know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Audio.
    Audio(Codec),
    /// RFC 4733 events at 8 kHz.
    TelephoneEvent,
}

/// What an offer and its answer settle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The far end.
    pub remote: RemoteMedia,
    /// The keys of its encryption, if it is encrypted.
    pub srtp: Option<Box<SrtpKeys>>,
}

/// What answering an offer gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The answer's text.
    pub body: Bytes,
    /// What it settles.
    pub settled: Settled,
}

/// Why a body is no description: the peer's mistake (488, or 400).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// Over a limit of ours.
    #[error("the description is larger than {0}")]
    TooLarge(&'static str),
    /// Not SDP.
    #[error("not SDP: {0}")]
    Malformed(String),
}

/// Why two descriptions do not meet: 488 Not Acceptable Here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NegotiationError {
    /// No audio section, or only refused ones.
    #[error("no audio that can be taken")]
    NoAudio,
    /// Audio, but none of our codecs.
    #[error("no codec in common")]
    NoCommonCodec,
    /// Audio over something else than RTP.
    #[error("the transport protocol is not RTP/AVP or RTP/SAVP")]
    Protocol,
    /// One end insists on encryption, and the other does none, or none that both know.
    #[error("no encryption that both ends agree to")]
    Encryption,
    /// No usable `c=` for the audio.
    #[error("no usable connection address")]
    NoAddress,
    /// The answer has not as many sections as the offer, or in another order (RFC 3264 §6).
    #[error("the answer does not match the offer")]
    Mismatch,
}

impl MediaDescription {
    /// The direction that is meant: the old `c=0.0.0.0` says "do not send to me" (RFC 3264 §8.4).
    pub(crate) fn meant_direction(&self) -> Direction {
        let reachable = self.address.is_some_and(|address| !address.is_unspecified());
        Direction::new(self.direction.sends(), self.direction.receives() && reachable)
    }

    /// The audio packet length it wants, as far as we serve it.
    pub(crate) fn wanted_ptime(&self) -> Duration {
        let wanted = self.ptime.unwrap_or(Duration::from_millis(20));
        self.maxptime.map_or(wanted, |most| wanted.min(most))
    }

    /// The far end this section describes, with the chosen codec.
    pub(crate) fn remote(&self, audio: Payload, codec: Codec) -> Option<RemoteMedia> {
        let rtp = SocketAddr::new(self.address?, self.port);
        let above = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        let event = self.payloads.iter().find(|known| known.format == Format::TelephoneEvent);
        Some(RemoteMedia {
            rtp,
            rtcp: self.rtcp.unwrap_or(above),
            codec,
            payload_type: audio.payload_type,
            opus: OpusSettings::default(),
            telephone_event: event.map(|known| known.payload_type),
            events_rate: CLOCK_RATE,
            comfort_noise: None,
            ptime: self.wanted_ptime(),
            maxptime: self.maxptime,
            direction: self.meant_direction(),
        })
    }
}
