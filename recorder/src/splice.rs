//! Shortens or lengthens what was heard where nobody hears it: one period of the voice is left out
//! or said twice, and what stands on both sides of the seam is faded into one another
//! (overlap-add at the best match, as WSOLA does: Verhelst and Roelands, ICASSP 1993).

use std::ops::RangeInclusive;

/// Lengths of a splice, in samples of 8 kHz: 2.5 ms to 15 ms, a period of 400 Hz to 67 Hz.
pub(crate) const LENGTHS: RangeInclusive<usize> = 20..=120;
/// How alike both sides must be at first (1 is the same), and by how much less each packet that
/// had no such place: after a second and a half any is taken.
const ALIKE: f32 = 0.9;
const PATIENCE: f32 = 0.012;
/// Mean square of samples that nobody hears (-50 dBov).
const QUIET: f32 = 10_000.0;

/// How long a splice may be best where `before` (the latest samples heard) meets `next`: a length
/// at which the end of one is like the beginning of the other, no longer than `most`. `None` if
/// there is none that good after so many packets of `waiting`.
pub(crate) fn length(before: &[i16], next: &[i16], most: usize, waiting: u32) -> Option<usize> {
    let longest = most.min(before.len()).min(next.len()).min(*LENGTHS.end());
    let needed = ALIKE - PATIENCE * waiting as f32;
    let mut best: Option<(usize, f32)> = None;
    for length in *LENGTHS.start()..=longest {
        let likeness = likeness(&before[before.len() - length..], &next[..length]);
        // Of equals the longer: the fewer seams the better.
        if best.is_none_or(|(_, known)| likeness >= known) {
            best = Some((length, likeness));
        }
    }
    best.filter(|(_, likeness)| *likeness >= needed).map(|(length, _)| length)
}

/// The samples that lead from `from` to `to`, of one length: the first as in `from`, the last
/// nearly as in `to`.
pub(crate) fn fade(from: &[i16], to: &[i16]) -> Vec<i16> {
    let length = from.len().max(1) as f32;
    let mixed = from.iter().zip(to).enumerate().map(|(at, (from, to))| {
        let share = at as f32 / length;
        (f32::from(*from) * (1.0 - share) + f32::from(*to) * share) as i16
    });
    mixed.collect()
}

/// The normalised correlation of two stretches; 1 if there is nothing to hear in both.
fn likeness(one: &[i16], other: &[i16]) -> f32 {
    let (mut product, mut power, mut other_power) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (f32::from(*one), f32::from(*other));
        product += one * other;
        power += one * one;
        other_power += other * other;
    }
    let inaudible = QUIET * one.len() as f32;
    if power < inaudible && other_power < inaudible {
        return 1.0;
    }
    product / (power * other_power).sqrt().max(1.0)
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    fn tone(period: f32, from: usize) -> Vec<i16> {
        let angle = |at: usize| at as f32 / period * std::f32::consts::TAU;
        (from..from + 160).map(|at| (angle(at).sin() * 9000.0) as i16).collect()
    }

    #[test]
    fn a_tone_is_spliced_by_whole_periods_and_goes_on_as_if_nothing_was() {
        let (before, next) = (tone(25.0, 0), tone(25.0, 160));
        assert_eq!(length(&before, &next, 160, 0), Some(100));
        assert_eq!(length(&before, &next, 80, 0), Some(75));
        let seam = fade(&before[60..], &next[..100]);
        for (at, sample) in seam.iter().enumerate() {
            assert!((sample - before[60 + at]).abs() < 20, "{at}");
        }
    }

    #[test]
    fn silence_is_spliced_at_once_and_noise_only_when_nothing_better_comes() {
        assert_eq!(length(&[3; 160], &[-3; 160], 160, 0), Some(120));
        let mut rng = Rng::from_seed(1);
        let mut noise = || -> Vec<i16> { (0..160).map(|_| rng.next_u32() as i16).collect() };
        let (before, next) = (noise(), noise());
        assert_eq!(length(&before, &next, 160, 10), None);
        assert!(length(&before, &next, 160, 90).is_some());
        assert_eq!(length(&before, &next, 19, 90), None, "too short to be a period");
    }
}
