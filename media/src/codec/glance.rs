//! What packets sound like that nobody decodes: a few in a row are decoded at 8 kHz now and then,
//! without any knowledge of what came before them.
//!
//! Opus tells the level of speech within 1 dB by the third packet (CELT codes how loud it is by how
//! that changes); of G.722 the lower band is enough, within 2 dB by the fifth.

use super::{Codec, Decoder, g722};
use crate::pcm::{MAX_PER_PACKET, Rate};

/// Room for the longest packet at 8 kHz.
const ROOM: usize = MAX_PER_PACKET / 6;

/// A decoder for all of a worker's streams in turns.
pub(crate) struct Glance {
    opus: Decoder,
    samples: [i16; ROOM],
}

impl Glance {
    /// All it needs is allocated here.
    pub(crate) fn new() -> Box<Self> {
        let opus = Decoder::new(Codec::Opus, Rate::Narrow);
        Box::new(Self { opus, samples: [0; ROOM] })
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
        let mut made = 0;
        let mut low = g722::LowDecoder::new();
        self.opus.reset();
        for packet in packets.filter(|packet| !packet.is_empty()) {
            made = match codec {
                Codec::Opus => self.opus.decode(packet, &mut self.samples),
                _ => {
                    let pairs = self.samples.iter_mut().zip(packet);
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
