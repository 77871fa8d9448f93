//! Packet-loss concealment for codecs that have none of their own: the last pitch periods go on,
//! ever more of them and ever softer, after the manner of ITU-T G.711 appendix I.

use crate::pcm::Rate;

/// Shortest and longest pitch period looked for: 400 to 66 Hz.
const SHORTEST_US: usize = 2500;
const LONGEST_MS: usize = 15;
/// How much of the past is compared with what was a period before.
const WINDOW_MS: usize = 20;
/// After this the sound begins to fade...
const HOLD_MS: usize = 10;
/// ... and after this it is gone.
const GONE_MS: usize = 50;
/// Samples of periods that are kept: three of the longest, and a quarter to overlap.
const KEPT_MS: usize = 50;
/// Samples compared side by side.
const LANES: usize = 8;
/// Up to this step it costs less to compare all samples side by side.
const DENSE: usize = 2;

/// One stretch of lost sound under way.
pub(crate) struct Concealer {
    rate: Rate,
    /// The end of what was heard last, its last quarter period bent towards its beginning.
    kept: Box<[i16]>,
    /// Length of `kept` in use: always to its end.
    period: usize,
    /// Periods that are played in turn: one, then two, then three.
    periods: usize,
    /// Where in the turn the next sample is.
    phase: usize,
    /// Samples made since the loss began; `None` while nothing is lost.
    made: Option<usize>,
}

impl Concealer {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            kept: vec![0; rate.samples(KEPT_MS)].into_boxed_slice(),
            period: rate.samples(LONGEST_MS),
            periods: 1,
            phase: 0,
            made: None,
        }
    }

    /// Whether a loss is under way.
    pub(crate) fn is_active(&self) -> bool {
        self.made.is_some()
    }

    /// How long it has been, in samples.
    pub(crate) fn made(&self) -> usize {
        self.made.unwrap_or(0)
    }

    /// Sound ends here: `past` is what was heard, at least 50 ms of it.
    pub(crate) fn begin(&mut self, past: &[i16]) {
        let length = self.kept.len();
        let Some(from) = past.len().checked_sub(length) else { return };
        self.kept.copy_from_slice(past.get(from..).unwrap_or_default());
        self.period = period(&self.kept, self.rate).period;
        self.made = Some(0);
        self.periods = 1;
        self.phase = 0;
        self.bend();
    }

    /// There is sound again.
    pub(crate) fn end(&mut self) {
        self.made = None;
    }

    /// Makes up what goes on from what was heard.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        let Some(mut made) = self.made else { return out.fill(0) };
        let step = self.rate.samples(10);
        let (hold, gone) = (self.rate.samples(HOLD_MS), self.rate.samples(GONE_MS));
        for sample in out {
            if made > 0 && made.is_multiple_of(step) && self.periods < 3 {
                self.lengthen();
            }
            let turn = self.period * self.periods;
            let from = self.kept.len().saturating_sub(turn) + self.phase;
            let raw = i32::from(self.kept.get(from).copied().unwrap_or(0));
            let left = gone.saturating_sub(made).min(gone - hold);
            *sample = (raw * left as i32 / (gone - hold) as i32) as i16;
            self.phase = if self.phase + 1 >= turn { 0 } else { self.phase + 1 };
            made += 1;
        }
        self.made = Some(made);
    }

    /// One period more in the turn, at the same place of a period.
    fn lengthen(&mut self) {
        if (self.periods + 1) * self.period + self.period / 4 > self.kept.len() {
            return;
        }
        self.periods += 1;
        self.bend();
    }

    /// Lets the last quarter period of the turn flow into its beginning.
    fn bend(&mut self) {
        let quarter = self.period / 4;
        let turn = self.period * self.periods;
        let length = self.kept.len();
        if quarter == 0 || turn + quarter > length {
            return;
        }
        for n in 0..quarter {
            let before = i32::from(self.kept[length - turn - quarter + n]);
            let here = i32::from(self.kept[length - quarter + n]);
            let part = (n + 1) as i32;
            let whole = (quarter + 1) as i32;
            self.kept[length - quarter + n] =
                ((here * (whole - part) + before * part) / whole) as i16;
        }
    }
}

/// What a pitch search found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Pitch {
    /// In samples.
    pub(crate) period: usize,
    /// How alike what follows on each other is: 1.0 is the same.
    pub(crate) likeness: f32,
}

/// The pitch period at the end of `past`, by normalised correlation: first over every other (or
/// every eighth, at 48 kHz) sample, then around the best.
pub(crate) fn period(past: &[i16], rate: Rate) -> Pitch {
    let shortest = rate.hz() as usize * SHORTEST_US / 1_000_000;
    let longest = rate.samples(LONGEST_MS);
    let window = rate.samples(WINDOW_MS);
    let step = match rate {
        Rate::Narrow => 2,
        Rate::Wide => 4,
        Rate::Full => 8,
    };
    let coarse = best(past, window, (shortest..=longest).step_by(step), step);
    let from = coarse.period.saturating_sub(step - 1).max(shortest);
    best(past, window, from..=(coarse.period + step - 1).min(longest), 1)
}

fn best(past: &[i16], window: usize, lags: impl Iterator<Item = usize>, step: usize) -> Pitch {
    let mut found = Pitch { period: 0, likeness: f32::MIN };
    let end = past.len();
    for lag in lags {
        if found.period == 0 {
            found.period = lag;
        }
        let (Some(from), Some(before)) = (end.checked_sub(window), end.checked_sub(window + lag))
        else {
            break;
        };
        let here = past.get(from..).unwrap_or_default();
        let earlier = past.get(before..before + window).unwrap_or_default();
        let likeness = likeness(here, earlier, step);
        if likeness > found.likeness {
            found = Pitch { period: lag, likeness };
        }
    }
    found
}

/// The normalised correlation of two stretches of one length, over every `step`th sample or more.
pub(crate) fn likeness(one: &[i16], other: &[i16], step: usize) -> f32 {
    let [product, first, second] =
        if step <= DENSE { sums_of_all(one, other) } else { sums(one, other, step) };
    product / ((first + 1.0) * (second + 1.0)).sqrt()
}

/// Of two stretches: the sum of their products, and of the squares of each.
fn sums(one: &[i16], other: &[i16], step: usize) -> [f32; 3] {
    let [mut product, mut first, mut second] = [0.0; 3];
    for (a, b) in one.iter().zip(other).step_by(step) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        product += a * b;
        first += a * a;
        second += b * b;
    }
    [product, first, second]
}

/// The same of all samples, some side by side.
fn sums_of_all(one: &[i16], other: &[i16]) -> [f32; 3] {
    let length = one.len().min(other.len());
    let (ones, rest) = one.get(..length).unwrap_or_default().as_chunks::<LANES>();
    let (others, other_rest) = other.get(..length).unwrap_or_default().as_chunks::<LANES>();
    let [mut products, mut firsts, mut seconds] = [[0.0_f32; LANES]; 3];
    for (ones, others) in ones.iter().zip(others) {
        for n in 0..LANES {
            let (a, b) = (f32::from(ones[n]), f32::from(others[n]));
            products[n] += a * b;
            firsts[n] += a * a;
            seconds[n] += b * b;
        }
    }
    let mut sums = sums(rest, other_rest, 1);
    for (sum, lanes) in sums.iter_mut().zip([products, firsts, seconds]) {
        *sum += lanes.iter().sum::<f32>();
    }
    sums
}
