//! The codecs a stream may be negotiated to: names, numbers and clocks; how they are decoded and
//! encoded is beside it.

mod decoder;
mod encoder;
mod g722;
mod glance;
pub mod opus;

pub use decoder::Decoder;
pub use encoder::{Effort, Encoder};
pub(crate) use glance::Glance;
pub use opus::OpusSettings;

use crate::G711;
use crate::pcm::Rate;

/// A codec as negotiated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0 (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9: 16 kHz audio on a clock of 8 kHz, by a mistake
    /// that became the rule (RFC 3551 §4.5.2).
    G722,
    /// Opus, a dynamic payload type, always `opus/48000/2` (RFC 7587 §4.1).
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The codec of an encoding name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The codec of `a=rtpmap`: name, clock rate and channels (1 when none are named).
    #[must_use]
    pub fn from_rtpmap(name: &str, clock_rate: u32, channels: u8) -> Option<Self> {
        let codec = Self::from_name(name)?;
        (clock_rate == codec.clock_rate() && channels == codec.channels()).then_some(codec)
    }

    /// Ticks a second of its RTP timestamps.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8000,
            Self::Opus => 48_000,
        }
    }

    /// The channels its `a=rtpmap` names; the audio is mono all the same (RFC 7587 §4.1).
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Opus => 2,
            _ => 1,
        }
    }

    /// The rate at which nothing of it is lost.
    #[must_use]
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrow,
            Self::G722 => Rate::Wide,
            Self::Opus => Rate::Full,
        }
    }

    /// The payload type RFC 3551 gives it, if it has one.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    /// The payload type in our own offers: the static one, or one of the dynamic ones.
    #[must_use]
    pub const fn offered_payload_type(self) -> u8 {
        match self.static_payload_type() {
            Some(payload_type) => payload_type,
            None => 111,
        }
    }

    /// The codec of a static payload type.
    #[must_use]
    pub fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type))
    }

    /// The companding law, if that is all there is to it.
    #[must_use]
    pub const fn law(self) -> Option<G711> {
        match self {
            Self::Pcmu => Some(G711::Pcmu),
            Self::Pcma => Some(G711::Pcma),
            Self::G722 | Self::Opus => None,
        }
    }

    /// How long a payload lasts on its RTP clock; 0 of one that is none of this codec's.
    #[must_use]
    pub fn ticks(self, payload: &[u8]) -> u32 {
        match self {
            // A byte is one sample, or two of the doubled rate: one tick of the clock either way.
            Self::Pcmu | Self::Pcma | Self::G722 => {
                u32::try_from(payload.len()).unwrap_or(u32::MAX)
            }
            Self::Opus => opus::ticks(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rtpmap_must_have_the_clock_and_the_channels_of_its_codec() {
        assert_eq!(Codec::from_rtpmap("OPUS", 48_000, 2), Some(Codec::Opus));
        assert_eq!(Codec::from_rtpmap("opus", 48_000, 1), None, "RFC 7587 §7: always 2");
        assert_eq!(Codec::from_rtpmap("opus", 8000, 2), None);
        assert_eq!(Codec::from_rtpmap("G722", 8000, 1), Some(Codec::G722));
        assert_eq!(Codec::from_rtpmap("G722", 16_000, 1), None);
        assert_eq!(Codec::from_rtpmap("pcma", 8000, 1), Some(Codec::Pcma));
    }

    #[test]
    fn a_payload_of_20_ms_is_160_ticks_but_960_of_opus() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            assert_eq!(codec.ticks(&[0; 160]), 160);
        }
        assert_eq!(Codec::Opus.ticks(&[1 << 3, 0, 0]), 960);
    }
}
