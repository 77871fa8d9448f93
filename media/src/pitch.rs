//! At which distance a sound is most like itself, by normalised correlation: its pitch period, if it
//! has one.

use crate::pcm::Rate;

/// The most sound that is searched at once.
const MOST_MS: usize = 35;
/// Samples compared side by side.
const LANES: usize = 8;
/// Up to this step it costs less to compare all samples side by side.
const DENSE: usize = 2;

/// What a search found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Pitch {
    /// In samples.
    pub(crate) period: usize,
    /// How alike what follows on each other is: 1.0 is the same.
    pub(crate) likeness: f32,
}

/// A piece of sound, and where the others of its length are that it is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// All of them, in floating point.
    sound: &'a [f32],
    /// Where the piece begins.
    here: usize,
    window: usize,
    /// The others lie before it, or behind.
    earlier: bool,
}

/// Searches sound whose last `window` samples are compared with earlier ones, or whose first with
/// later ones. It is converted once for all distances; at most 35 ms of it are looked at.
pub(crate) fn search<T>(
    rate: Rate,
    sound: &[i16],
    (window, earlier): (usize, bool),
    by: &dyn Fn(&Piece<'_>) -> T,
) -> T {
    let most = rate.samples(MOST_MS).min(sound.len());
    let from = if earlier { sound.len() - most } else { 0 };
    let sound = sound.get(from..from + most).unwrap_or_default();
    let here = if earlier { most.saturating_sub(window) } else { 0 };
    let by = |sound: &[f32]| by(&Piece { sound, here, window, earlier });
    match rate {
        Rate::Narrow => by(&floats::<{ Rate::Narrow.samples(MOST_MS) }>(sound)[..most]),
        Rate::Wide => by(&floats::<{ Rate::Wide.samples(MOST_MS) }>(sound)[..most]),
        Rate::Full => by(&floats::<{ Rate::Full.samples(MOST_MS) }>(sound)[..most]),
    }
}

impl Piece<'_> {
    /// The one of these distances at which it is most alike, the first of equals, looking at every
    /// `step`th sample or more. It ends at the first distance for which there is not enough sound.
    pub(crate) fn best(&self, lags: impl Iterator<Item = usize>, step: usize) -> Option<Pitch> {
        let here = self.at(self.here)?;
        let own = product(here, here, step) + 1.0;
        let mut found: Option<Pitch> = None;
        for lag in lags {
            let from =
                if self.earlier { self.here.checked_sub(lag) } else { Some(self.here + lag) };
            let Some(other) = from.and_then(|from| self.at(from)) else { break };
            let both = product(here, other, step);
            if both <= 0.0 && found.is_some_and(|found| found.likeness >= 0.0) {
                // However loud the other is.
                continue;
            }
            let likeness = both / (own * (product(other, other, step) + 1.0)).sqrt();
            if found.is_none_or(|found| likeness > found.likeness) {
                found = Some(Pitch { period: lag, likeness });
            }
        }
        found
    }

    fn at(&self, from: usize) -> Option<&[f32]> {
        self.sound.get(from..from + self.window)
    }
}

fn floats<const N: usize>(sound: &[i16]) -> [f32; N] {
    let mut floats = [0.0; N];
    floats.iter_mut().zip(sound).for_each(|(float, sample)| *float = f32::from(*sample));
    floats
}

/// The sum of the products of two stretches of one length.
fn product(one: &[f32], other: &[f32], step: usize) -> f32 {
    if step > DENSE {
        return one.iter().zip(other).step_by(step).map(|(a, b)| a * b).sum();
    }
    let (ones, rest) = one.as_chunks::<LANES>();
    let (others, other_rest) = other.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (ones, others) in ones.iter().zip(others) {
        for (lane, (a, b)) in lanes.iter_mut().zip(ones.iter().zip(others)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().zip(other_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    /// The same as it is written down: each distance by itself.
    fn plainly(sound: &[i16], window: usize, earlier: bool, lag: usize) -> f64 {
        let here = if earlier { sound.len() - window } else { 0 };
        let there = if earlier { here - lag } else { here + lag };
        let sums = (0..window).fold([0.0; 3], |[product, first, second], n| {
            let (a, b) = (f64::from(sound[here + n]), f64::from(sound[there + n]));
            [product + a * b, first + a * a, second + b * b]
        });
        sums[0] / ((sums[1] + 1.0) * (sums[2] + 1.0)).sqrt()
    }

    #[test]
    fn the_best_of_all_distances_is_found_whatever_lies_between() {
        let mut rng = Rng::from_seed(5);
        for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
            let (window, longest) = (rate.samples(20), rate.samples(15));
            for round in 0..20 {
                let loud = if round % 4 == 0 { 3 } else { 12_000 };
                let mut sound: Vec<i16> = (0..window + longest)
                    .map(|_| (rng.below(2 * loud) as i64 - loud as i64) as i16)
                    .collect();
                if round % 2 == 0 {
                    let period = 100 + round;
                    (period..sound.len()).for_each(|n| sound[n] = sound[n - period]);
                }
                for earlier in [true, false] {
                    let lags = || 20..=longest;
                    let found =
                        search(rate, &sound, (window, earlier), &|piece| piece.best(lags(), 1));
                    let Some(found) = found else { panic!("nothing at {rate:?}") };
                    let likeness = |lag| plainly(&sound, window, earlier, lag);
                    assert!((f64::from(found.likeness) - likeness(found.period)).abs() < 1e-4);
                    let best = lags().map(likeness).fold(f64::MIN, f64::max);
                    assert!(likeness(found.period) > best - 1e-5, "{rate:?} {round}");
                }
            }
        }
    }

    #[test]
    fn where_there_is_not_enough_sound_the_search_ends() {
        let sound = [1000; 300];
        let best = |window, lags: std::ops::RangeInclusive<usize>| {
            search(Rate::Narrow, &sound, (window, false), &|piece| piece.best(lags.clone(), 1))
        };
        assert_eq!(best(100, 200..=210), None, "no more than 280 samples are looked at");
        assert_eq!(best(100, 180..=210).map(|found| found.period), Some(180));
        assert_eq!(best(400, 20..=30), None);
        let nothing = search(Rate::Narrow, &[], (80, true), &|piece| piece.best(20..=30, 1));
        assert_eq!(nothing, None);
    }
}
