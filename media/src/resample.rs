//! Between the three rates: a polyphase windowed-sinc filter for the ratios 2, 3 and 6.
//!
//! Of `f`, the lower of the two rates (8 or 16 kHz): up to 0.425 f (3.4 or 6.8 kHz) all passes
//! unchanged; what would be mirrored into that band, everything from 0.575 f, is at least 70 dB
//! down. The delay is 16 samples of the lower rate, 2 or 1 ms.

use std::f64::consts::PI;
use std::sync::OnceLock;

use crate::pcm::Rate;

/// Taps a sample of the lower rate.
const TAPS: usize = 32;
/// Kaiser window parameter: about 75 dB.
const BETA: f64 = 7.2;
/// Samples taken in at a time.
const BLOCK: usize = 480;

/// Brings a stream of samples from one rate to another, in pieces of any length: what comes out
/// does not depend on where the pieces end. All it needs is allocated at its making.
#[derive(Clone)]
pub struct Resampler {
    ratio: usize,
    up: bool,
    taps: &'static [f32],
    /// The last samples taken in, then a block of new ones.
    samples: Box<[f32]>,
    /// Going down: samples that came since the last one that went.
    phase: usize,
}

impl Resampler {
    /// From one rate to another; between equal ones it copies.
    #[must_use]
    pub fn new(from: Rate, to: Rate) -> Self {
        let (low, high) = (from.hz().min(to.hz()), from.hz().max(to.hz()));
        let ratio = (high / low) as usize;
        let up = to > from;
        let history = if up { TAPS - 1 } else { TAPS * ratio - 1 };
        let samples = vec![0.0; history + BLOCK].into_boxed_slice();
        Self { ratio, up, taps: taps(ratio), samples, phase: 0 }
    }

    /// Forgets what came before, as if there had been silence.
    pub fn reset(&mut self) {
        self.samples.fill(0.0);
        self.phase = 0;
    }

    /// How many samples the next `count` give.
    #[must_use]
    pub const fn output_for(&self, count: usize) -> usize {
        if self.up { count * self.ratio } else { (self.phase + count) / self.ratio }
    }

    /// Takes samples in, and writes what they give into the beginning of `out`, which must hold
    /// [`Resampler::output_for`] of them: what does not fit is lost. Gives how many it wrote.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        if self.ratio == 1 {
            let count = input.len().min(out.len());
            out.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
            return count;
        }
        let mut written = 0;
        for block in input.chunks(BLOCK) {
            let history = self.samples.len() - BLOCK;
            let fresh = self.samples.iter_mut().skip(history);
            fresh.zip(block).for_each(|(to, from)| *to = f32::from(*from));
            let into = out.get_mut(written..).unwrap_or_default();
            written += if self.up { self.go_up(block, into) } else { self.go_down(block, into) };
            self.samples.copy_within(block.len()..block.len() + history, 0);
        }
        written
    }

    /// Each sample gives one for each row of taps.
    fn go_up(&self, block: &[i16], out: &mut [i16]) -> usize {
        let windows = self.samples.windows(TAPS).take(block.len());
        for (window, samples) in windows.zip(out.chunks_mut(self.ratio)) {
            for (row, sample) in self.taps.chunks_exact(TAPS).zip(samples) {
                *sample = to_i16(dot(row, window) * self.ratio as f32);
            }
        }
        (block.len() * self.ratio).min(out.len())
    }

    /// Each `ratio` samples give one, by all rows: the window's samples are those of the rows in
    /// turns.
    fn go_down(&mut self, block: &[i16], out: &mut [i16]) -> usize {
        let length = TAPS * self.ratio;
        let first = self.ratio - 1 - self.phase;
        let made = (self.phase + block.len()) / self.ratio;
        self.phase = (self.phase + block.len()) % self.ratio;
        let windows = self.samples.windows(length).skip(first).step_by(self.ratio);
        let whole = self.taps.get(length..).unwrap_or_default();
        for (window, sample) in windows.zip(out.iter_mut().take(made)) {
            *sample = to_i16(dot(whole, window));
        }
        made.min(out.len())
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.up { "up" } else { "down" };
        write!(f, "Resampler({way} by {})", self.ratio)
    }
}

fn dot(taps: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (taps, samples) in taps.chunks_exact(8).zip(samples.chunks_exact(8)) {
        for (sum, (tap, sample)) in sums.iter_mut().zip(taps.iter().zip(samples)) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

fn to_i16(sample: f32) -> i16 {
    // A float-to-integer cast saturates.
    sample.round_ties_even() as i16
}

/// For a ratio: its rows one after the other (for going up), then the whole filter (for going
/// down), each in the order of time.
fn taps(ratio: usize) -> &'static [f32] {
    static TABLES: [OnceLock<Vec<f32>>; 3] = [const { OnceLock::new() }; 3];
    let place = match ratio {
        2 => 0,
        3 => 1,
        6 => 2,
        _ => return &[],
    };
    TABLES.get(place).map_or(&[], |table| table.get_or_init(|| design(ratio)))
}

fn design(ratio: usize) -> Vec<f32> {
    let length = TAPS * ratio;
    let middle = (length as f64 - 1.0) / 2.0;
    let whole: Vec<f64> = (0..length)
        .map(|n| {
            let distance = n as f64 - middle;
            let at = distance / ratio as f64;
            sinc(at) * kaiser(distance / (length as f64 / 2.0)) / ratio as f64
        })
        .collect();
    // Each row lets a constant through as it is: no ripple at the rate of the rows.
    let row = |phase: usize| whole.iter().skip(phase).step_by(ratio);
    let sums: Vec<f64> = (0..ratio).map(|phase| row(phase).sum::<f64>() * ratio as f64).collect();
    let even = whole.iter().enumerate().map(|(n, tap)| tap / sums.get(n % ratio).unwrap_or(&1.0));
    let even: Vec<f64> = even.collect();
    // A row's first tap meets the newest sample, but a window begins with the oldest.
    let rows = (0..ratio).flat_map(|phase| {
        let row: Vec<f64> = even.iter().skip(phase).step_by(ratio).copied().collect();
        row.into_iter().rev()
    });
    rows.chain(even.iter().rev().copied()).map(|tap| tap as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window over -1 to 1.
fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel_i0(BETA * (1.0 - x * x).sqrt()) / bessel_i0(BETA) }
}

/// The modified Bessel function of the first kind and order zero, by its series.
pub(crate) fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..60 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}
