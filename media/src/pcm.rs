//! Audio as the inside knows it: mono 16-bit samples at one of three rates, 20 ms at a time.

use base::Duration;

/// How much audio is heard, mixed and said at a time.
pub const TICK: Duration = Duration::from_millis(20);
/// Samples of a tick at the highest rate: what a buffer for any tick must hold.
pub const MAX_PER_TICK: usize = Rate::Full.per_tick();
/// The most audio that one packet may hold (RFC 6716 §3.2.5: 120 ms), in samples at the highest
/// rate.
pub const MAX_PER_PACKET: usize = 6 * MAX_PER_TICK;

/// Sums that are made side by side.
const LANES: usize = 8;

/// Squared samples, added up.
pub(crate) fn energy(samples: &[i16]) -> f32 {
    let square = |sample: i16| f32::from(sample) * f32::from(sample);
    let (parts, rest) = samples.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for part in parts {
        for (lane, sample) in lanes.iter_mut().zip(part) {
            *lane += square(*sample);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|sample| square(*sample)).sum::<f32>()
}

/// Samples a second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rate {
    /// 8 kHz, the telephone's band: G.711.
    Narrow,
    /// 16 kHz: G.722.
    Wide,
    /// 48 kHz: all that Opus carries.
    Full,
}

impl Rate {
    /// Samples a second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    /// Samples of a [`TICK`].
    #[must_use]
    pub const fn per_tick(self) -> usize {
        self.samples(20)
    }

    /// Samples of so many milliseconds.
    #[must_use]
    pub const fn samples(self, milliseconds: usize) -> usize {
        self.hz() as usize / 1000 * milliseconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_the_sum_of_squares_of_any_number_of_samples() {
        assert_eq!(energy(&[]), 0.0);
        assert_eq!(energy(&[i16::MIN; 960]), 960.0 * 32_768.0 * 32_768.0);
        for length in 0..100_i16 {
            let samples: Vec<i16> = (0..length).map(|n| n * 31 - 1000).collect();
            let sum: i64 = samples.iter().map(|s| i64::from(*s).pow(2)).sum();
            assert!((energy(&samples) - sum as f32).abs() <= sum as f32 * 1e-6, "{length}");
        }
    }
}
