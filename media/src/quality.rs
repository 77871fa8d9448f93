//! Estimated listening quality: the E-model (ITU-T G.107, G.107.1, G.107.2) with the parameters of
//! each codec.
//!
//! Ratings are on the one scale that G.107.1 and G.107.2 have extended: 93.2 is the best that
//! narrow-band speech can be, 129 wide-band, 148 full-band. Scores are those of G.107 annex B, where
//! nothing is better than 4.5, a rating of 100.

use base::Duration;

use crate::Codec;

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

/// What a codec does to speech.
struct Model {
    /// R without any impairment: Ro - Is of its bandwidth.
    best: f64,
    /// What loss may cost in all (G.107 §7.5: 95; G.107.2 §7.5: 132).
    most: f64,
    /// The equipment impairment without loss, Ie.
    alone: f64,
    /// The robustness against loss, Bpl.
    robustness: f64,
}

/// The model of a codec. Where its figures are from:
///
/// * `best`: G.107 §7.7 (93.2 with all defaults), G.107.1 §6.2 (129), G.107.2 §6.2 (148).
/// * G.711 with concealment: Ie 0 and Bpl 25.1 of G.113 appendix I.
/// * G.722 at 64 kbit/s: Ie,wb 13 of G.113 appendix IV. Its robustness is our own choice, not
///   measured: a little worse than that of G.711, because its predictor is off after a loss.
/// * Opus: Ie 16.82867 and Bpl 10.44 (random loss) that Al-Ahmadi, Počta and Melvin have estimated
///   for super-wide-band at 31 kbit/s, variable (2019, by P.863), as their own `Opus_emodel.js` has
///   them; G.113 has no figures of it. For losses in a row theirs is 8.82; ours follows from BurstR.
const fn model(codec: Codec) -> Model {
    match codec {
        Codec::Pcmu | Codec::Pcma => Model { best: 93.2, most: 95.0, alone: 0.0, robustness: 25.1 },
        Codec::G722 => Model { best: 129.0, most: 95.0, alone: 13.0, robustness: 20.0 },
        Codec::Opus => Model { best: 148.0, most: 132.0, alone: 16.83, robustness: 10.44 },
    }
}

/// The transmission rating R, 0 to 148 by the codec's bandwidth. Echo is taken as cancelled.
#[must_use]
pub fn rating(codec: Codec, path: &Path) -> f64 {
    let Model { best, most, alone, robustness } = model(codec);
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    let burstiness = path.burstiness.clamp(1.0, 10.0);
    let lost = percent / (percent / burstiness + robustness);
    let equipment = alone + (most - alone) * lost;
    (best - delay_impairment(path.delay) - equipment).clamp(0.0, best)
}

/// The mean opinion score for a rating (G.107 annex B), 1.0 to 4.5.
#[must_use]
pub fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    let rating = rating.min(100.0);
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
    fn a_perfect_path_rates_what_the_codecs_bandwidth_allows() {
        let best = |codec| rating(codec, &path(0.0, 20));
        assert!((best(Codec::Pcmu) - 93.2).abs() < 1e-9);
        assert!((best(Codec::G722) - 116.0).abs() < 1e-9);
        assert!((best(Codec::Opus) - 131.17).abs() < 1e-9);
        let score = |codec| mos_centi(codec, &path(0.0, 20));
        assert_eq!(Codec::ALL.map(score), [441, 441, 450, 450]);
    }

    #[test]
    fn loss_costs_each_codec_what_its_robustness_says() {
        // Opus at 5 %: 16.83 + 115.17 * 5 / 15.44 = 54.13; at 10 %: 73.17.
        assert!((rating(Codec::Opus, &path(0.05, 0)) - (148.0 - 54.126)).abs() < 0.01);
        // G.722 at 5 %: 13 + 82 * 5 / 25 = 29.4.
        assert!((rating(Codec::G722, &path(0.05, 0)) - (129.0 - 29.4)).abs() < 0.001);
        let score = |codec| mos_centi(codec, &path(0.1, 100));
        let [mu, a, g722, opus] = Codec::ALL.map(score);
        assert!(mu == a && a < opus && opus < g722, "{mu} {a} {g722} {opus}");
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
    fn scores_are_those_of_g_107_annex_b() {
        // Table B.1: the lower limits of its categories.
        let table = [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)];
        for (rating, score) in table {
            assert!((mos(rating) - score).abs() < 0.01, "{rating}");
        }
        let ends = [-5.0, 0.0, 6.5, 100.0, 148.0].map(|rating| (mos(rating) * 10.0).round());
        assert_eq!(ends, [10.0, 10.0, 10.0, 45.0, 45.0]);
    }

    #[test]
    fn delay_costs_nothing_up_to_100_ms_and_then_what_g_107_says() {
        // Its formula of Idd with X = lg(Ta / 100) / lg 2: 1 at 200 ms, 2 at 400 ms.
        for (ms, lost) in [(0, 0.0), (100, 0.0), (101, 0.0), (200, 3.044), (400, 24.070)] {
            let rated = 93.2 - rating(Codec::Pcmu, &path(0.0, ms));
            assert!((rated - lost).abs() < 0.01, "{ms} ms: {rated}");
        }
    }

    #[test]
    fn losses_in_a_row_cost_more_than_as_many_by_chance() {
        // 5 % with BurstR 2: 95 * 5 / (2.5 + 25.1) = 17.21.
        let bursty = Path { burstiness: 2.0, ..path(0.05, 0) };
        assert!((rating(Codec::Pcmu, &bursty) - (93.2 - 17.2101)).abs() < 0.001);
    }
}
