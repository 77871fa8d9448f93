//! What a stretch of 32 ms sounds like: its power, and how much of it is one tone or two, at 8 kHz.
//!
//! Two stretches, 10 ms apart, are the real and the imaginary part of one Fourier transform.

use std::f32::consts::TAU;

/// Samples of a stretch, and from one to the next.
const LENGTH: usize = 256;
pub(super) const HOP: usize = 80;
const STEPS: usize = 8;
/// Hertz from one bin to the next.
const BIN: f32 = 8000.0 / LENGTH as f32;
/// The bins that count: 187 to 3,400 Hz.
const LOWEST: usize = 6;
const HIGHEST: usize = 109;
/// Bins to each side of a peak that a tone fills (the main lobe of a Hann window).
const LOBE: usize = 2;
/// Mean square below which nothing is looked at: -57 dB of the full scale.
const SILENT: f32 = 2000.0;

/// What a stretch of 32 ms is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Frame {
    /// Mean square of its last 10 ms.
    pub(super) power: f32,
    /// Of the energy in the telephone's band, the part that its loudest one or two tones have: 0
    /// to 1; 0 where it is silent.
    pub(super) share: f32,
    /// The part of the loudest tone alone.
    pub(super) single: f32,
    /// The mean frequency of those tones, weighted with their energy, in hertz.
    pub(super) centre: f32,
    /// How far they are from it, as a mean square, in hertz squared.
    pub(super) spread: f32,
    /// The frequency of the loudest.
    pub(super) peak: f32,
}

/// How much more of the energy a tone may be taken to have, because the rest is noise.
const MOST_NOISE: f32 = 1.33;

impl Frame {
    /// As it is without the line's noise of that power.
    pub(super) fn without(self, noise: f32) -> Self {
        let rest = (self.power - noise).max(self.power / MOST_NOISE).max(1.0);
        let more = |part: f32| (part * self.power / rest).min(1.0);
        Self { share: more(self.share), single: more(self.single), ..self }
    }
}

/// The last 32 ms of a line.
#[derive(Debug)]
pub(super) struct Spectrum {
    window: [f32; LENGTH],
    turns: [(f32, f32); LENGTH / 2],
    /// The last stretch and the next 10 ms.
    samples: [f32; LENGTH + HOP],
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let angle = |n: usize| TAU * n as f32 / LENGTH as f32;
        Self {
            window: std::array::from_fn(|n| 0.5 - 0.5 * angle(n).cos()),
            turns: std::array::from_fn(|n| (angle(n).cos(), -angle(n).sin())),
            samples: [0.0; LENGTH + HOP],
        }
    }

    /// The next 20 ms: the two stretches that end 10 ms before their end, and at it.
    pub(super) fn hear(&mut self, pcm: &[i16]) -> [Frame; 2] {
        self.samples.copy_within(2 * HOP.., 0);
        let fresh = self.samples.iter_mut().skip(LENGTH - HOP);
        for (place, sample) in fresh.zip(pcm) {
            *place = f32::from(*sample);
        }
        let powers: [f32; 2] = std::array::from_fn(|n| {
            let from = LENGTH - HOP + n * HOP;
            let last = self.samples.get(from..from + HOP).unwrap_or_default();
            last.iter().map(|sample| sample * sample).sum::<f32>() / HOP as f32
        });
        if powers.iter().all(|power| *power < SILENT) {
            return powers.map(|power| Frame { power, ..Frame::default() });
        }
        let mut both: [(f32, f32); LENGTH] = std::array::from_fn(|n| {
            let at = |n: usize| self.samples.get(n).copied().unwrap_or_default();
            let weight = self.window.get(n).copied().unwrap_or_default();
            (at(n) * weight, at(n + HOP) * weight)
        });
        self.transform(&mut both);
        let (mut first, mut second) = ([0.0; HIGHEST + 4], [0.0; HIGHEST + 4]);
        for n in LOWEST - 3..HIGHEST + 4 {
            let (Some(a), Some(b)) = (both.get(n), both.get(LENGTH - n)) else { continue };
            // X(n) = (Z(n) + Z*(-n)) / 2, Y(n) = (Z(n) - Z*(-n)) / 2i.
            let x = ((a.0 + b.0) / 2.0, (a.1 - b.1) / 2.0);
            let y = ((a.1 + b.1) / 2.0, (b.0 - a.0) / 2.0);
            if let (Some(first), Some(second)) = (first.get_mut(n), second.get_mut(n)) {
                (*first, *second) = (x.0 * x.0 + x.1 * x.1, y.0 * y.0 + y.1 * y.1);
            }
        }
        let [one, two] = powers;
        [frame(one, &mut first), frame(two, &mut second)]
    }

    /// The Fourier transform, in place (radix 2, decimation in time).
    fn transform(&self, both: &mut [(f32, f32); LENGTH]) {
        for n in 0..LENGTH {
            let mirrored = n.reverse_bits() >> (usize::BITS as usize - STEPS);
            if mirrored > n {
                both.swap(n, mirrored);
            }
        }
        let mut half = 1;
        while half < LENGTH {
            let stride = LENGTH / (2 * half);
            for part in both.chunks_exact_mut(2 * half) {
                let (low, high) = part.split_at_mut(half);
                let turns = self.turns.iter().step_by(stride);
                for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(turns) {
                    let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                    *b = (a.0 - turned.0, a.1 - turned.1);
                    *a = (a.0 + turned.0, a.1 + turned.1);
                }
            }
            half *= 2;
        }
    }
}

/// What the powers of the bins come to. The lobes of the tones are taken out of them.
fn frame(power: f32, bins: &mut [f32; HIGHEST + 4]) -> Frame {
    let whole: f32 = bins.iter().sum();
    if power < SILENT || whole <= 0.0 {
        return Frame { power, ..Frame::default() };
    }
    let (mut energy, mut first, mut second, mut peak, mut single) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for turn in 0..2 {
        let audible = bins.iter().enumerate().take(HIGHEST + 1).skip(LOWEST);
        let Some((top, _)) = audible.max_by(|(_, a), (_, b)| a.total_cmp(b)) else { break };
        if turn == 0 {
            peak = exact(top, bins);
        }
        for n in top - LOBE..=top + LOBE {
            let Some(bin) = bins.get_mut(n) else { continue };
            let (own, hertz) = (std::mem::take(bin), n as f32 * BIN);
            energy += own;
            first += own * hertz;
            second += own * hertz * hertz;
        }
        if turn == 0 {
            single = energy / whole;
        }
    }
    let centre = first / energy.max(1.0);
    let spread = (second / energy.max(1.0) - centre * centre).max(0.0);
    Frame { power, share: energy / whole, single, centre, spread, peak }
}

/// Where a peak lies between its bins, in hertz: what a Hann window makes of one tone.
fn exact(top: usize, bins: &[f32]) -> f32 {
    let root = |n: usize| bins.get(n).copied().unwrap_or_default().sqrt();
    let (before, at, after) = (root(top - 1), root(top), root(top + 1));
    let (beside, sign) = if after > before { (after, 1.0) } else { (before, -1.0) };
    let ratio = beside / at.max(1.0);
    let off = ((2.0 * ratio - 1.0) / (1.0 + ratio)).clamp(-0.5, 0.5);
    (top as f32 + sign * off) * BIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sines(tones: &[(f64, f64)], from: usize) -> Vec<i16> {
        let sample = |n: usize| {
            let wave = |(hertz, level): &(f64, f64)| {
                level * (std::f64::consts::TAU * hertz * n as f64 / 8000.0).sin()
            };
            (tones.iter().map(wave).sum::<f64>() * 32_767.0) as i16
        };
        (from..from + 160).map(sample).collect()
    }

    fn heard(tones: &[(f64, f64)]) -> Frame {
        let mut spectrum = Spectrum::new();
        (0..4).map(|n| spectrum.hear(&sines(tones, n * 160))).last().unwrap_or_default()[1]
    }

    #[test]
    fn one_tone_is_known_to_a_hertz_and_has_all_the_energy() {
        for hertz in [301.0, 425.0, 950.0, 1400.0, 1777.0, 2100.0, 2790.0] {
            let frame = heard(&[(hertz, 0.1)]);
            assert!((f64::from(frame.peak) - hertz).abs() < 1.0, "{hertz}: {frame:?}");
            assert!(frame.single > 0.995, "{frame:?}");
            assert!((frame.power / 5.37e6 - 1.0).abs() < 0.1, "{frame:?}");
        }
    }

    #[test]
    fn two_tones_have_their_middle_and_their_spread_whether_or_not_they_can_be_told_apart() {
        for (low, high) in [(440.0, 480.0), (480.0, 620.0), (400.0, 450.0), (350.0, 440.0)] {
            let mut spectrum = Spectrum::new();
            let (mut energy, mut centre) = (0.0, 0.0);
            for n in 0..50 {
                for frame in spectrum.hear(&sines(&[(low, 0.06), (high, 0.06)], n * 160)) {
                    if n > 2 {
                        assert!(frame.share > 0.97, "{low} {frame:?}");
                        energy += frame.power;
                        centre += frame.power * frame.centre;
                    }
                }
            }
            let off = f64::from(centre / energy) - (low + high) / 2.0;
            assert!(off.abs() < 6.0, "{low}: {off}");
        }
    }

    #[test]
    fn silence_and_noise_are_no_tone() {
        let mut spectrum = Spectrum::new();
        assert_eq!(spectrum.hear(&[3; 160])[1].share, 0.0);
        let mut rng = base::Rng::from_seed(1);
        for _ in 0..50 {
            let noise: Vec<i16> = (0..160).map(|_| rng.next_u32() as i16 / 8).collect();
            for frame in spectrum.hear(&noise) {
                assert!(frame.share < 0.5, "{frame:?}");
            }
        }
    }
}
