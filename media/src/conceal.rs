//! Packet-loss concealment for codecs that have none of their own: the last pitch periods go on,
//! ever more of them and ever softer, after the manner of ITU-T G.711 appendix I.

use crate::pcm::Rate;
use crate::pitch;

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
        self.period = period(&self.kept, self.rate);
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
        if made >= gone {
            // For as long as nothing comes.
            self.made = Some(made + out.len());
            return out.fill(0);
        }
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

/// The pitch period at the end of `past`: first over every other (or every eighth, at 48 kHz)
/// sample, then around the best.
fn period(past: &[i16], rate: Rate) -> usize {
    let shortest = rate.hz() as usize * SHORTEST_US / 1_000_000;
    let longest = rate.samples(LONGEST_MS);
    let step = match rate {
        Rate::Narrow => 2,
        Rate::Wide => 4,
        Rate::Full => 8,
    };
    let found = pitch::search(rate, past, (rate.samples(WINDOW_MS), true), &|piece| {
        let coarse = piece.best((shortest..=longest).step_by(step), step)?.period;
        let from = coarse.saturating_sub(step - 1).max(shortest);
        piece.best(from..=(coarse + step - 1).min(longest), 1)
    });
    found.map_or(shortest, |found| found.period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_is_the_same_in_any_pieces_and_nothing_after_50_ms() {
        for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
            let tone = |n: usize| (n as f64 * 2.0 * std::f64::consts::PI * 110.0) as f32;
            let past: Vec<i16> = (0..rate.samples(60))
                .map(|n| (9000.0 * (tone(n) / rate.hz() as f32).sin()) as i16)
                .collect();
            let made = |piece: usize| {
                let mut concealer = Concealer::new(rate);
                concealer.begin(&past);
                let mut all = vec![1; rate.samples(200)];
                all.chunks_mut(piece).for_each(|part| concealer.fill(part));
                assert_eq!(concealer.made(), all.len());
                all
            };
            let whole = made(usize::MAX);
            let (sounds, silence) = whole.split_at(rate.samples(GONE_MS));
            assert!(sounds.iter().any(|sample| *sample > 8000));
            assert!(silence.iter().all(|sample| *sample == 0));
            for piece in [1, 7, rate.per_tick()] {
                assert_eq!(made(piece), whole, "{rate:?} in pieces of {piece}");
            }
        }
    }
}
