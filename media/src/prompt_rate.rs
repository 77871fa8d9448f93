//! Prompt files of any rate to that of the telephone: rational resampling by a polyphase
//! windowed-sinc filter, offline.
//!
//! Passband to 3.4 kHz, everything from 4.1 kHz (or what the file has above half its rate) at
//! least 70 dB down. Runs once per file, so it is written for quality, not for speed.

use std::f64::consts::PI;

use crate::pcm::Rate;
use crate::resample::bessel_i0;

/// Zero crossings of the sinc on each side, at the lower of the two rates.
const CROSSINGS: f64 = 32.0;
/// Kaiser window parameter: about 80 dB.
const BETA: f64 = 8.0;
/// Middle of the transition band as a part of half the lower rate.
const CUTOFF: f64 = 0.95;

/// Samples of -1 to 1 at `rate` Hz as 16-bit samples at a rate of ours, rounded and saturated.
pub(crate) fn resampled(input: &[f32], rate: u32, to: Rate) -> Vec<i16> {
    let wanted = to.hz();
    if rate == wanted {
        return input.iter().map(|sample| to_i16(f64::from(*sample))).collect();
    }
    let common = gcd(rate, wanted);
    let filter = Filter::new((wanted / common) as usize, (rate / common) as usize);
    let count = (input.len() as u64 * u64::from(wanted)).div_ceil(u64::from(rate));
    (0..count as usize).map(|n| to_i16(filter.output(input, n))).collect()
}

/// One row of taps for each of the `up` positions an output sample can have between two inputs.
struct Filter {
    up: usize,
    down: usize,
    reach: usize,
    rows: Vec<f32>,
}

impl Filter {
    fn new(up: usize, down: usize) -> Self {
        let ratio = up as f64 / down as f64;
        // In cycles per input sample, doubled: 1.0 is half the input rate.
        let band = ratio.min(1.0) * CUTOFF;
        let width = CROSSINGS / ratio.min(1.0);
        let reach = width.ceil() as usize;
        let mut rows = Vec::with_capacity(up * 2 * reach);
        for phase in 0..up {
            let fraction = phase as f64 / up as f64;
            let row = (0..2 * reach).map(|tap| {
                let distance = tap as f64 - (reach as f64 - 1.0) - fraction;
                band * sinc(distance * band) * kaiser(distance / width)
            });
            let start = rows.len();
            rows.extend(row.map(|tap| tap as f32));
            let gain: f64 = rows.iter().skip(start).map(|tap| f64::from(*tap)).sum();
            for tap in rows.iter_mut().skip(start) {
                *tap = (f64::from(*tap) / gain) as f32;
            }
        }
        Self { up, down, reach, rows }
    }

    fn output(&self, input: &[f32], n: usize) -> f64 {
        let position = n * self.down;
        let (base, phase) = (position / self.up, position % self.up);
        let row = self.rows.iter().skip(phase * 2 * self.reach).take(2 * self.reach);
        // The first tap lies reach - 1 samples before `base`; before the file there is silence.
        let before = (self.reach - 1).saturating_sub(base);
        let from = (base + before).saturating_sub(self.reach - 1);
        let samples = input.iter().skip(from);
        row.skip(before).zip(samples).map(|(tap, x)| f64::from(*tap) * f64::from(*x)).sum()
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window over -1 to 1.
fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel_i0(BETA * (1.0 - x * x).sqrt()) / bessel_i0(BETA) }
}

fn to_i16(sample: f64) -> i16 {
    // A float-to-integer cast saturates.
    (sample * 32_768.0).round() as i16
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
