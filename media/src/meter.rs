//! How loud speech is, in dBov (RFC 6464 §3): 0 is a full-scale square wave, speech about -26.
//!
//! Codes of G.711 are measured as they are, by table; every fourth packet is enough.

use crate::G711;
use crate::pcm::energy;

/// Power over a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// Squared samples, added up.
    sum: f32,
    samples: u32,
}

/// Whether a packet of codes is one of those that are measured.
pub(crate) const fn measures(sequence: u16) -> bool {
    sequence.is_multiple_of(4)
}

impl Meter {
    /// A packet of G.711, if it is one of those that are measured: its mean square then.
    pub(crate) fn note_codes(&mut self, law: G711, sequence: u16, codes: &[u8]) -> Option<f32> {
        if !measures(sequence) {
            return None;
        }
        let square = |code: &u8| {
            let sample = i32::from(law.decode(*code));
            u64::from((sample * sample).cast_unsigned())
        };
        let sum = codes.iter().map(square).sum::<u64>() as f32;
        self.sum += sum;
        self.samples = self.samples.saturating_add(codes.len() as u32);
        Some(sum / codes.len().max(1) as f32)
    }

    /// Decoded speech. Gives its mean square.
    pub(crate) fn note_samples(&mut self, pcm: &[i16]) -> f32 {
        let sum = energy(pcm);
        self.sum += sum;
        self.samples = self.samples.saturating_add(pcm.len() as u32);
        sum / pcm.len().max(1) as f32
    }

    /// A stretch of so many milliseconds whose mean square is known.
    pub(crate) fn note_power(&mut self, power: f32, lasts_ms: u32) {
        let samples = lasts_ms.saturating_mul(8);
        self.sum += power * samples as f32;
        self.samples = self.samples.saturating_add(samples);
    }

    /// The level since it was last taken, -127 to 0 dBov; `None` if nothing was measured.
    pub(crate) fn take(&mut self) -> Option<i8> {
        let Self { sum, samples } = std::mem::take(self);
        if samples == 0 {
            return None;
        }
        let mean = f64::from(sum) / f64::from(samples) / (32_768.0 * 32_768.0);
        Some((10.0 * mean.log10()).round().clamp(-127.0, 0.0) as i8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sine_is_at_minus_3_dbov_and_one_a_tenth_as_high_at_minus_23() {
        for (amplitude, level) in [(32_000.0, -3), (3200.0, -23)] {
            let sample = |n: i32| (amplitude * (f64::from(n) * 0.7).sin()) as i16;
            let pcm: Vec<i16> = (0..8000).map(sample).collect();
            let mut meter = Meter::default();
            meter.note_samples(&pcm);
            assert_eq!(meter.take(), Some(level));
            for law in [G711::Pcmu, G711::Pcma] {
                let codes: Vec<u8> = pcm.iter().map(|s| law.encode(*s)).collect();
                for (n, packet) in codes.chunks(160).enumerate() {
                    meter.note_codes(law, n as u16, packet);
                }
                assert_eq!(meter.take(), Some(level));
            }
            assert_eq!(meter.take(), None, "what was taken is gone");
        }
    }

    #[test]
    fn silence_is_the_lowest_level_there_is() {
        let mut meter = Meter::default();
        meter.note_codes(G711::Pcmu, 0, &[0xff; 160]);
        assert_eq!(meter.take(), Some(-127));
    }
}
