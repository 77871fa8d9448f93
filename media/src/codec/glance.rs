//! What packets sound like that nobody decodes: a few in a row are decoded at 8 kHz now and then,
//! without any knowledge of what came before them.
//!
//! Opus tells the level of speech within 1 dB by the third packet (CELT codes how loud it is by how
//! that changes); of G.722 the lower band is enough, within 2 dB by the fifth.
//!
//! Between two streams a decoder is to forget the one before. libopus' own reset asks the processor
//! what it can each time, which takes longer than the decoding where that leaves a virtual machine
//! (37 us, and 11 to 50). So it is given a packet of ours that makes it forget: SILK begins anew
//! wherever the rate of its samples changes, and a CELT frame that is coded by itself leaves nothing
//! of how loud it was.

use super::opus::is_celt;
use super::{Codec, Decoder, g722};
use crate::pcm::{MAX_PER_PACKET, Rate};

/// Room for the longest packet at 8 kHz.
const ROOM: usize = MAX_PER_PACKET / 6;

/// 10 ms of silence in SILK, for 8 and 16 kHz, as libopus codes them.
const STILL_NARROW: &[u8] = &[0x00, 0x0b, 0xe5, 0xf3, 0xb1, 0xc0];
const STILL_WIDE: &[u8] = &[0x40, 0x0b, 0xe6, 0x59, 0x30, 0xdc, 0x06];
/// 2.5 ms of noise in CELT, coded without prediction, about as loud as what calls sound like.
const NOISE: &[u8] = &[0x80, 0x71, 0xae, 0xcd, 0x73, 0x9b, 0xe8, 0x29, 0x9f];

/// Decoders for all of a worker's streams in turns.
pub(crate) struct Glance {
    /// For SILK, alone and with CELT above it.
    voice: Decoder,
    /// For CELT alone. One that decoded both would begin SILK anew from one to the other.
    music: Decoder,
    samples: [i16; ROOM],
}

impl Glance {
    /// All it needs is allocated here.
    pub(crate) fn new() -> Box<Self> {
        let [voice, music] = [(); 2].map(|()| Decoder::new(Codec::Opus, Rate::Narrow));
        Box::new(Self { voice, music, samples: [0; ROOM] })
    }

    /// Packets that are to come before one that is to be heard.
    pub(crate) const fn before(codec: Codec) -> usize {
        match codec {
            Codec::Opus => 2,
            _ => 4,
        }
    }

    /// What the last of these packets sounds like; nothing of what cannot be read.
    pub(crate) fn hear<'a>(
        &mut self,
        codec: Codec,
        packets: impl Iterator<Item = &'a [u8]>,
    ) -> &[i16] {
        let Self { voice, music, samples } = self;
        let mut packets = packets.filter(|packet| !packet.is_empty()).peekable();
        let mut low = g722::LowDecoder::new();
        // By the first byte: CELT alone, SILK at 8 kHz, SILK at others (RFC 6716 §3.1, table 2).
        let (opus, forget) = match packets.peek().and_then(|first| first.first()) {
            Some(toc) if is_celt(*toc) => (music, NOISE),
            Some(toc) if toc >> 3 < 4 => (voice, STILL_WIDE),
            _ => (voice, STILL_NARROW),
        };
        if codec == Codec::Opus {
            opus.decode(forget, samples);
        }
        let mut made = 0;
        for packet in packets {
            made = match codec {
                Codec::Opus => opus.decode(packet, samples),
                _ => {
                    let pairs = samples.iter_mut().zip(packet);
                    pairs.map(|(sample, code)| *sample = low.decode(*code)).count()
                }
            };
        }
        self.samples.get(..made).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{Encoder, OpusSettings, Resampler};

    /// A caller's speech at that rate.
    fn speech(rate: Rate) -> Vec<i16> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/audio/caller-speech.wav");
        let bytes = std::fs::read(path).unwrap();
        let pcm = bytes[44..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        let narrow: Vec<i16> = pcm.take(64_000).collect();
        if rate == Rate::Narrow {
            return narrow;
        }
        let mut resampler = Resampler::new(Rate::Narrow, rate);
        let mut out = vec![0; resampler.output_for(narrow.len())];
        let made = resampler.process(&narrow, &mut out);
        out.truncate(made);
        out
    }

    fn dbov(power: f64) -> f64 {
        10.0 * (power / 32_768_f64.powi(2)).max(1e-13).log10()
    }

    fn power(samples: &[i16]) -> f64 {
        samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len().max(1) as f64
    }

    #[test]
    fn the_level_of_speech_is_told_within_3_db() {
        for (codec, rate, settings) in [
            (Codec::Opus, Rate::Narrow, OpusSettings::default()),
            (Codec::Opus, Rate::Full, OpusSettings::default()),
            (
                Codec::Opus,
                Rate::Full,
                OpusSettings { max_bitrate: Some(16_000), ..Default::default() },
            ),
            (Codec::Opus, Rate::Wide, OpusSettings { cbr: true, ..OpusSettings::default() }),
            (Codec::G722, Rate::Wide, OpusSettings::default()),
        ] {
            let said = speech(rate);
            for part in [1, 10] {
                let said: Vec<i16> = said.iter().map(|sample| sample / part).collect();
                let mut encoder = Encoder::new(codec, rate, settings);
                let encode = |pcm: &[i16]| {
                    let mut payload = Vec::new();
                    encoder.encode(pcm, &mut payload);
                    payload
                };
                let packets: Vec<Vec<u8>> =
                    said.chunks_exact(rate.per_tick()).map(encode).collect();
                let mut glance = Glance::new();
                let looks = packets.windows(Glance::before(codec) + 1);
                let looks =
                    looks.map(|row| power(glance.hear(codec, row.iter().map(Vec::as_slice))));
                let told = dbov(looks.sum::<f64>() / packets.len() as f64);
                let said = dbov(power(&said));
                assert!((said - told).abs() < 3.0, "{codec:?} {rate:?}: {told} for {said}");
            }
        }
    }

    #[test]
    fn nothing_is_left_of_the_stream_before() {
        use opus::Application::{LowDelay, Voip};
        // The codes of all kinds: SILK at 8 and 16 kHz, both together, CELT.
        let kinds = [
            (Rate::Narrow, Voip, 12_000),
            (Rate::Wide, Voip, 18_000),
            (Rate::Full, Voip, 28_000),
            (Rate::Full, Voip, 48_000),
            (Rate::Full, LowDelay, 64_000),
        ];
        let coded = |(rate, application, bitrate): (Rate, _, i32), part| -> Vec<Vec<u8>> {
            let channels = opus::Channels::Mono;
            let mut encoder = opus::Encoder::new(rate.hz(), channels, application).unwrap();
            encoder.set_bitrate(opus::Bitrate::Bits(bitrate)).unwrap();
            let said: Vec<i16> = speech(rate).iter().map(|sample| sample / part).collect();
            let packets = said.chunks_exact(rate.per_tick()).take(150);
            packets.map(|pcm| encoder.encode_vec(pcm, 400).unwrap()).collect()
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut glance = Glance::new();
        for quiet in kinds {
            for loud in kinds {
                let (quiet, loud) = (coded(quiet, 30), coded(loud, 1));
                seen.extend(quiet.iter().chain(&loud).map(|packet| packet[0] >> 3));
                let (mut alone, mut after, mut apart) = (0.0, 0.0, 0.0);
                for (quiet, loud) in quiet.windows(3).zip(loud.windows(3)).step_by(5) {
                    let packets = || quiet.iter().map(Vec::as_slice);
                    let first = power(Glance::new().hear(Codec::Opus, packets()));
                    glance.hear(Codec::Opus, loud.iter().map(Vec::as_slice));
                    let then = power(glance.hear(Codec::Opus, packets()));
                    (alone, after) = (alone + first, after + then);
                    let is_silk = quiet.iter().all(|packet| !is_celt(packet[0]));
                    apart += if is_silk { (first - then).abs() } else { 0.0 };
                }
                assert_eq!(apart, 0.0, "of SILK not a sample differs");
                let more = 10.0 * (after / alone).log10();
                // The overlap of two CELT frames, 30 dB louder, is what is left.
                assert!(more.abs() < 2.0, "{more} dB");
            }
        }
        let has = |range: std::ops::Range<u8>| seen.range(range).next().is_some();
        assert!(has(0..4) && has(8..12) && has(12..16) && has(16..32), "{seen:?}");
    }

    #[test]
    fn no_bytes_make_it_fall() {
        let mut glance = Glance::new();
        for codec in [Codec::Opus, Codec::G722] {
            for byte in 0..=255 {
                for length in [0, 1, 2, 3, 60, 1275, 1500] {
                    let packet = vec![byte; length];
                    glance.hear(codec, [packet.as_slice(), &[], &packet].into_iter());
                }
            }
        }
    }
}
