//! Estimated listening quality: the E-model (ITU-T G.107) with the parameters of each codec.
//!
//! All is on the narrow-band scale, so that calls of any codec compare: the best is 93.2.

use base::Duration;

use crate::Codec;

/// R with all defaults and no delay or loss: Ro - Is of G.107.
const BASE: f64 = 93.2;

/// What a path does to speech.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Path {
    /// Part of the packets that were not there in time, 0 to 1.
    pub loss: f64,
    /// How much longer losses in a row are than chance makes them (G.107's BurstR); 1 or less is
    /// chance.
    pub burstiness: f64,
    /// One way, mouth to ear.
    pub delay: Duration,
}

/// Equipment impairment without loss, and robustness against loss (G.107 §7.5).
///
/// G.711 with concealment is in G.113 appendix I. Of G.722 and Opus that appendix says nothing on
/// this scale: neither impairs narrow-band speech, and their robustness here is our own choice, not
/// measured: G.722 a little worse than G.711, because its predictor is off after a loss; Opus, whose
/// in-band FEC we ask for, the same.
const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G722 => (0.0, 20.0),
        Codec::Opus => (0.0, 25.1),
    }
}

/// The transmission rating R, 0 to 93.2. Echo is taken as cancelled.
#[must_use]
pub fn rating(codec: Codec, path: &Path) -> f64 {
    let (codec_alone, robustness) = impairment(codec);
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    let burstiness = path.burstiness.clamp(1.0, 10.0);
    let lost = percent / (percent / burstiness + robustness);
    let equipment = codec_alone + (95.0 - codec_alone) * lost;
    (BASE - delay_impairment(path.delay) - equipment).clamp(0.0, BASE)
}

/// The mean opinion score for a rating (G.107 annex B), 1.0 to 4.41.
#[must_use]
pub fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

/// [`mos`] of [`rating`] in hundredths.
#[must_use]
pub fn mos_centi(codec: Codec, path: &Path) -> u16 {
    (mos(rating(codec, path)) * 100.0).round() as u16
}

/// Idd of G.107 §7.4: too long a pause, even without echo.
fn delay_impairment(delay: Duration) -> f64 {
    let ms = delay.as_secs_f64() * 1000.0;
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    let sixth = 1.0 / 6.0;
    25.0 * ((1.0 + x.powi(6)).powf(sixth) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(sixth) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(loss: f64, ms: u64) -> Path {
        Path { loss, burstiness: 1.0, delay: Duration::from_millis(ms) }
    }

    #[test]
    fn a_perfect_path_rates_93_2_and_scores_4_41() {
        for codec in Codec::ALL {
            assert!((rating(codec, &path(0.0, 20)) - 93.2).abs() < 1e-9);
            assert_eq!(mos_centi(codec, &path(0.0, 20)), 441);
        }
    }

    #[test]
    fn loss_and_delay_cost_what_the_e_model_says() {
        // Ie,eff = 95 * 1 / (1 + 25.1) = 3.64 at 1 %, 15.78 at 5 %.
        let rating = |loss, ms| rating(Codec::Pcma, &path(loss, ms));
        assert!((rating(0.01, 0) - (93.2 - 3.6398)).abs() < 0.001);
        assert!((rating(0.05, 0) - (93.2 - 15.7807)).abs() < 0.001);
        // G.107: Idd at 200 ms is 25 (2^(1/6) - 3 (1 + 3^-6)^(1/6) + 2) = 3.04.
        assert!((93.2 - rating(0.0, 200) - 3.044).abs() < 0.01);
        assert_eq!(mos_centi(Codec::Pcmu, &path(1.0, 2000)), 100);
    }

    #[test]
    fn losses_in_a_row_cost_more_than_as_many_by_chance() {
        // 5 % with BurstR 2: 95 * 5 / (2.5 + 25.1) = 17.21.
        let bursty = Path { burstiness: 2.0, ..path(0.05, 0) };
        assert!((rating(Codec::Pcmu, &bursty) - (93.2 - 17.2101)).abs() < 0.001);
        assert!(rating(Codec::G722, &path(0.05, 0)) < rating(Codec::Pcmu, &path(0.05, 0)));
    }
}
