//! SDP (RFC 8866) as far as audio needs it, and offer/answer (RFC 3264) on typed values.

mod answer;
mod copies;
mod crypto;
mod lines;
mod offer;
mod parse;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::Duration;
use bytes::Bytes;

pub use answer::{accept, answer};
pub use copies::{CopiesAnswer, CopiesOffer, LABELS, answer_copies};
pub use crypto::{Crypto, Encryption, LocalKeys};
pub use offer::offer;
pub use parse::parse;
pub use web::{LocalWeb, Setup, WebTerms};

use crate::srtp::SrtpKeys;
use crate::{CLOCK_RATE, Codec, Direction, OpusSettings, Peer, RemoteMedia, XrWanted};

/// The longest description read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most lines read.
pub const MAX_LINES: usize = 512;
/// The most media sections read.
pub const MAX_MEDIA: usize = 16;
/// The payload type we offer RFC 4733 events with, on a clock of 8 kHz.
pub const TELEPHONE_EVENT_PAYLOAD_TYPE: u8 = 101;
/// The same on Opus's clock of 48 kHz.
pub const TELEPHONE_EVENT_48000_PAYLOAD_TYPE: u8 = 110;
/// Both.
pub(crate) const OFFERED_EVENTS: [u8; 2] =
    [TELEPHONE_EVENT_PAYLOAD_TYPE, TELEPHONE_EVENT_48000_PAYLOAD_TYPE];
/// The static payload type of comfort noise (RFC 3389 §4).
pub const COMFORT_NOISE_PAYLOAD_TYPE: u8 = 13;
/// The clocks that RFC 4733 events may run on here: those of our codecs.
const EVENT_RATES: [u32; 2] = [8000, 48_000];

/// What we can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Codecs, the preferred first.
    pub codecs: Vec<Codec>,
    /// RFC 4733 events 0 to 15.
    pub telephone_event: bool,
    /// Comfort noise (RFC 3389) with G.711 and G.722.
    pub comfort_noise: bool,
    /// What we want of Opus, if it is among the codecs.
    pub opus: OpusSettings,
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
            comfort_noise: false,
            opus: OpusSettings { fec: true, ..OpusSettings::default() },
            ptime: Duration::from_millis(20),
            encryption: Encryption::Off,
        }
    }
}

/// Our end of the description.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// The dynamic payload types of our offers.
    pub numbers: Numbers,
    /// What a browser needs besides. With it nothing but browsers' sections is offered or taken,
    /// and without it none is.
    pub web: Option<LocalWeb>,
}

/// Dynamic payload types as they are used with one far end: what a number means may not change
/// during a dialog (RFC 3264 §8.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbers {
    opus: u8,
    events: u8,
    events_48000: u8,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            opus: Codec::Opus.offered_payload_type(),
            events: TELEPHONE_EVENT_PAYLOAD_TYPE,
            events_48000: TELEPHONE_EVENT_48000_PAYLOAD_TYPE,
        }
    }
}

impl Numbers {
    /// Those in use with a far end, and our own for what is not in use.
    #[must_use]
    pub fn used_with(remote: &RemoteMedia) -> Self {
        let mut numbers = Self::default();
        if remote.codec == Codec::Opus {
            numbers.opus = remote.payload_type;
        }
        match remote.telephone_event {
            Some(number) if remote.events_rate == CLOCK_RATE => numbers.events = number,
            Some(number) => numbers.events_48000 = number,
            None => {}
        }
        let Self { opus, events, events_48000 } = numbers;
        // A far end that gives one of our numbers another meaning keeps its own: ours then begin
        // anew, as in a first offer.
        let are_distinct = opus != events && opus != events_48000 && events != events_48000;
        if are_distinct { numbers } else { Self::default() }
    }
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
    /// `a=rtcp-xr`, its own or the whole description's.
    pub xr: XrWanted,
    /// `a=mid`.
    pub mid: Option<Box<str>>,
    /// What it says for ICE and DTLS, if it is a browser's: `UDP/TLS/RTP/SAVPF`.
    pub web: Option<Box<WebTerms>>,
}

/// A format we know, and its payload type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    /// 0 to 127.
    pub payload_type: u8,
    /// What it means.
    pub format: Format,
    /// What its `a=fmtp` says, if it is Opus.
    pub opus: OpusSettings,
}

/// A format we know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Audio.
    Audio(Codec),
    /// RFC 4733 events.
    TelephoneEvent {
        /// Ticks a second of their timestamps: 8000 or 48000.
        rate: u32,
    },
    /// Comfort noise (RFC 3389) at 8 kHz.
    ComfortNoise,
}

/// What an offer and its answer settle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The far end.
    pub remote: RemoteMedia,
    /// The keys of its encryption, if it is encrypted.
    pub srtp: Option<Box<SrtpKeys>>,
    /// Who it is, if it is a browser: then the keys come by DTLS.
    pub peer: Option<Box<Peer>>,
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
    /// A browser without what we need of it: ICE, DTLS, RTP and RTCP on one port; or one that checks
    /// nothing itself, and does not say where it is.
    #[error("no ICE, no DTLS or no rtcp-mux")]
    Web,
    /// No usable `c=` for the audio.
    #[error("no usable connection address")]
    NoAddress,
    /// The answer has not as many sections as the offer, or in another order (RFC 3264 §6).
    #[error("the answer does not match the offer")]
    Mismatch,
}

impl Description {
    /// The codecs of its audio that are known, in its order.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> {
        let payloads = self.audio().flat_map(|section| &section.payloads);
        payloads.filter_map(|payload| match payload.format {
            Format::Audio(codec) => Some(codec),
            Format::TelephoneEvent { .. } | Format::ComfortNoise => None,
        })
    }

    /// Whether its audio goes by `RTP/SAVP`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.audio().any(answer::is_secure)
    }

    fn audio(&self) -> impl Iterator<Item = &MediaDescription> {
        self.media.iter().filter(|section| section.kind == "audio" && section.port != 0)
    }

    /// Whether its audio is a browser's.
    #[must_use]
    pub fn is_web(&self) -> bool {
        self.media.iter().any(|section| section.kind == "audio" && section.web.is_some())
    }
}

impl MediaDescription {
    /// The direction that is meant: the old `c=0.0.0.0` says "do not send to me" (RFC 3264 §8.4).
    pub(crate) fn meant_direction(&self) -> Direction {
        // A browser is where it checks from; what `c=` says means nothing.
        let reachable =
            self.web.is_some() || self.address.is_some_and(|address| !address.is_unspecified());
        Direction::new(self.direction.sends(), self.direction.receives() && reachable)
    }

    /// The audio packet length it wants, as far as we serve it: 10 to 60 ms in steps of 10, of
    /// Opus only what a packet of one frame can be (RFC 6716 §2.1.4).
    pub(crate) fn wanted_ptime(&self, codec: Codec) -> Duration {
        let wanted = self.ptime.unwrap_or(Duration::from_millis(20));
        let wanted = self.maxptime.map_or(wanted, |most| wanted.min(most));
        let tens = (wanted.as_millis() / 10).clamp(1, 6) as u64;
        let tens = match (codec, tens) {
            (Codec::Opus, 3 | 5) => tens - 1,
            _ => tens,
        };
        Duration::from_millis(10 * tens)
    }

    /// RFC 4733 events: on the clock of the codec if there are such, else on the other one.
    fn events(&self, codec: Codec) -> Option<(u8, u32)> {
        let events = || {
            self.payloads.iter().filter_map(|known| match known.format {
                Format::TelephoneEvent { rate } => Some((known.payload_type, rate)),
                _ => None,
            })
        };
        events().find(|(_, rate)| *rate == codec.clock_rate()).or_else(|| events().next())
    }

    /// Comfort noise, which Opus has within itself.
    fn comfort_noise(&self, codec: Codec) -> Option<u8> {
        let noise = self.payloads.iter().find(|known| known.format == Format::ComfortNoise)?;
        (codec != Codec::Opus).then_some(noise.payload_type)
    }

    /// The far end this section describes, with the chosen codec.
    pub(crate) fn remote(&self, audio: Payload, codec: Codec) -> Option<RemoteMedia> {
        let nowhere = self.web.as_ref().map(|_| IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let rtp = SocketAddr::new(self.address.or(nowhere)?, self.port);
        let above = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
        let events = self.events(codec);
        Some(RemoteMedia {
            rtp,
            rtcp: self.rtcp.unwrap_or(above),
            codec,
            payload_type: audio.payload_type,
            opus: audio.opus,
            telephone_event: events.map(|(payload_type, _)| payload_type),
            events_rate: events.map_or(codec.clock_rate(), |(_, rate)| rate),
            comfort_noise: self.comfort_noise(codec),
            ptime: self.wanted_ptime(codec),
            maxptime: self.maxptime,
            xr: self.xr,
            direction: self.meant_direction(),
        })
    }
}
