//! Who talks: a tick's power against the noise of its line, with patience before silence.

/// Power (mean square) below which nothing is speech: -50 dB of the full scale.
const QUIET: u32 = 10_737;
/// Power above which a line's noise is never taken to be: -38 dB of the full scale.
const MAX_NOISE: u32 = 170_000;
/// What a line's first tick is at most taken for: -45 dB.
const FIRST_NOISE: u32 = 34_000;
/// Speech has so many times the power of the noise: 6 dB.
const ABOVE_NOISE: u32 = 4;
/// The noise is taken to be louder by a 64th of itself a tick: 3.4 dB a second.
const RISE: u32 = 64;
/// Ticks of speech after which one is said to talk.
const ONSET: u8 = 2;
/// Ticks of pause after which one is said to talk no more: 400 ms.
const HANGOVER: u8 = 20;

/// What a tick of a member is to the mix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Presence {
    /// Not to be heard.
    #[default]
    Away,
    /// The first tick of speech.
    Begins,
    /// Speech, or a short pause in it.
    Talks,
    /// The last tick: fading away.
    Ends,
}

/// One line's detector.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Talker {
    /// The power of the line's noise, once it was heard.
    noise: Option<u32>,
    /// Ticks left until it is away.
    patience: u8,
    onset: u8,
    told: bool,
}

impl Talker {
    /// Takes a tick's power in. What it is, and what is to be told about it if that changed.
    pub(super) fn hear(&mut self, power: u32) -> (Presence, Option<bool>) {
        let noise = self.noise.unwrap_or_else(|| power.min(FIRST_NOISE));
        let speaks = power > (noise * ABOVE_NOISE).max(QUIET);
        self.noise = Some((noise + noise / RISE + 1).min(power).min(MAX_NOISE));
        self.count(speaks)
    }

    /// The same of noise that a far end sends in place of a silence: however loud, nobody talks,
    /// and it is what the line's noise is.
    pub(super) fn hear_noise(&mut self, power: u32) -> (Presence, Option<bool>) {
        self.noise = Some(power.min(MAX_NOISE));
        self.count(false)
    }

    fn count(&mut self, speaks: bool) -> (Presence, Option<bool>) {
        let was_there = self.patience > 0;
        self.patience = if speaks { HANGOVER } else { self.patience.saturating_sub(1) };
        self.onset = if speaks { (self.onset + 1).min(ONSET) } else { 0 };
        let presence = match (was_there, self.patience > 0) {
            (false, false) => Presence::Away,
            (false, true) => Presence::Begins,
            (true, true) => Presence::Talks,
            (true, false) => Presence::Ends,
        };
        let talks = self.patience > 0 && (self.told || self.onset >= ONSET);
        let change = (talks != self.told).then_some(talks);
        self.told = talks;
        (presence, change)
    }

    /// It is not listened to any more. Whether that is to be told.
    pub(super) fn hush(&mut self) -> bool {
        let told = self.told;
        *self = Self { noise: self.noise, ..Self::default() };
        told
    }
}

/// The mean square of samples.
pub(super) fn power(samples: &[i16]) -> u32 {
    let sum: u64 = samples
        .chunks(16)
        .map(|part| part.iter().map(|s| i32::from(*s).pow(2).unsigned_abs() >> 4).sum::<u32>())
        .map(u64::from)
        .sum();
    let mean = (sum << 4) / (samples.len().max(1) as u64);
    u32::try_from(mean).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(talker: &mut Talker, power: u32, ticks: usize) -> Vec<(usize, bool)> {
        (0..ticks).filter_map(|n| Some((n, talker.hear(power).1?))).collect()
    }

    #[test]
    fn speech_is_present_at_once_told_after_40_ms_and_ended_after_400_ms_of_pause() {
        let mut talker = Talker::default();
        assert_eq!(told(&mut talker, 2000, 100), []);
        assert_eq!(talker.hear(1_000_000), (Presence::Begins, None));
        assert_eq!(talker.hear(1_000_000), (Presence::Talks, Some(true)));
        assert_eq!(told(&mut talker, 2000, 10), [], "a pause between words");
        assert_eq!(told(&mut talker, 1_000_000, 10), []);
        assert_eq!(told(&mut talker, 2000, 30), [(19, false)]);
        assert_eq!(talker.hear(1_000_000).0, Presence::Begins);
        for _ in 0..19 {
            assert_eq!(talker.hear(0), (Presence::Talks, None), "a click is heard and not told");
        }
        assert_eq!(talker.hear(0), (Presence::Ends, None));
    }

    #[test]
    fn a_noisy_line_is_no_talker_and_a_long_tone_stays_one() {
        let mut talker = Talker::default();
        talker.hear(30_000);
        assert_eq!(told(&mut talker, 30_000, 500), [], "-45 dB of hum from the start");
        let mut talker = Talker::default();
        assert_eq!(told(&mut talker, 1_100_000, 6000), [(1, true)], "two minutes at -30 dB");
    }

    #[test]
    fn noise_that_is_told_as_such_is_no_talker_however_loud_and_speech_above_it_is() {
        let mut talker = Talker::default();
        talker.hear(1_000_000);
        talker.hear(1_000_000);
        let told: Vec<_> =
            (0..500).filter_map(|n| Some((n, talker.hear_noise(150_000).1?))).collect();
        assert_eq!(told, [(19, false)], "a talker who pauses, and no new one");
        assert_eq!(talker.hear(500_000), (Presence::Away, None), "not 6 dB above its noise");
        assert_eq!(talker.hear(1_000_000), (Presence::Begins, None));
    }

    #[test]
    fn power_is_the_mean_square_and_never_overflows() {
        assert_eq!(power(&[i16::MIN; 960]), 1 << 30);
        assert_eq!(power(&[100; 160]), 10_000);
        assert_eq!(power(&[]), 0);
    }
}
