//! Estimated quality: the E-model (ITU-T G.107, G.107.1, G.107.2) with the parameters of each codec.
//!
//! Each bandwidth has a scale of its own, which ends at 100 (narrow-band), 129 (wide-band) or 148
//! (full-band). Ratings here are per cent of their scale (the Rx of G.107.1 and G.107.2 annex A),
//! and scores those of that: how much less than possible in its bandwidth is heard. So a score
//! tells how a path treats its codec, and not which of two codecs sounds better. What all this was
//! compared with is in `docs/decisions/quality.md`.

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
    /// How long the scale of its bandwidth is, in hundreds.
    scale: f64,
    /// R without any impairment, Ro - Is.
    best: f64,
    /// What loss may cost in all.
    most: f64,
    /// The equipment impairment without loss, Ie.
    alone: f64,
    /// The robustness against loss, Bpl.
    robustness: f64,
}

/// The model of a codec. Where its figures are from:
///
/// * `scale`: G.107.1 and G.107.2 annex A (R / 1.29, R / 1.48); narrow-band needs none.
/// * `best`: G.107 §7.7 (93.2 with all defaults), G.107.1 §7.2 (Ro 129, and Is 0 by §7.3), G.107.2
///   §7.2 (148).
/// * `most`: 95 of G.107 and G.107.1 §7.5 (on the wide-band scale, too), 132 of G.107.2 §7.5.
/// * G.711 with concealment: Ie 0 and Bpl 25.1 of G.113 appendix I, for losses by chance. (Without
///   concealment Bpl is 4.3; whoever hears what we relay conceals, and so do we.)
/// * G.722 at 64 kbit/s: Ie,wb 13 of G.113 appendix IV, which has no robustness of it (of AMR-WB 4.3
///   to 4.9, for both ears). 20 is our own choice, not measured: a little worse than that of G.711,
///   whose concealment is ours of G.722, too, because its predictor is off after a loss.
/// * Opus: Ie 16.82867 and Bpl 10.44 (random loss) that Al-Ahmadi, Počta and Melvin have estimated
///   for super-wide-band at 31 kbit/s, variable (2019, by P.863), as their own `Opus_emodel.js` has
///   them; G.113 has no figures of it (of EVS, its like, Bpl 11.4 in appendix V). For losses in a
///   row theirs is 8.82; ours follows from BurstR.
const fn model(codec: Codec) -> Model {
    let narrow = Model { scale: 1.0, best: 93.2, most: 95.0, alone: 0.0, robustness: 25.1 };
    match codec {
        Codec::Pcmu | Codec::Pcma => narrow,
        Codec::G722 => {
            Model { scale: 1.29, best: 129.0, most: 95.0, alone: 13.0, robustness: 20.0 }
        }
        Codec::Opus => {
            Model { scale: 1.48, best: 148.0, most: 132.0, alone: 16.83, robustness: 10.44 }
        }
    }
}

/// The transmission rating in per cent of the scale of the codec's bandwidth, 0 to 93.2 with G.711,
/// 89.9 with G.722, 88.6 with Opus. Echo is taken as cancelled: Idte and Idle of G.107 §7.4 are 0.
#[must_use]
pub fn rating(codec: Codec, path: &Path) -> f64 {
    let Model { scale, best, most, alone, robustness } = model(codec);
    let delay = scale * delay_impairment(path.delay);
    let equipment = equipment_impairment((alone, most, robustness), path);
    ((best - delay - equipment) / scale).clamp(0.0, 100.0)
}

/// The mean opinion score for a rating (G.107 annex B, equation B-4), 1.0 to 4.5.
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

/// Ie,eff of G.107 §7.5 (equation 7-29), with Ppl in per cent. G.107.1 and G.107.2 have it without
/// BurstR, which is 1 there.
fn equipment_impairment((alone, most, robustness): (f64, f64, f64), path: &Path) -> f64 {
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    // G.107 table 3 knows up to 8, and more than 2 only with little loss.
    let burstiness = path.burstiness.clamp(1.0, 8.0);
    alone + (most - alone) * percent / (percent / burstiness + robustness)
}

/// Idd of G.107 §7.4 (equations 7-27 and 7-28, with the defaults sT 1 and mT 100 ms): too long a
/// pause, even without echo. The same times `scale` in G.107.1 (equation 7-13) and G.107.2 §7.4.
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
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn path(loss: f64, ms: u64) -> Path {
        Path { loss, burstiness: 1.0, delay: Duration::from_millis(ms) }
    }

    /// Loss in per cent, BurstR, the delay in milliseconds, and what comes of them: the rating and
    /// the score in hundredths. Reckoned apart from this code, with the formulas as G.107, G.107.1
    /// and G.107.2 print them.
    type Case = (f64, f64, u64, f64, u16);

    const G711: [Case; 12] = [
        (0.0, 1.0, 20, 93.20, 441),
        (0.0, 1.0, 150, 93.04, 441),
        (0.0, 1.0, 200, 90.16, 434),
        (0.0, 1.0, 400, 69.13, 356),
        (1.0, 1.0, 50, 89.56, 433),
        (3.0, 1.0, 50, 83.06, 413),
        (5.0, 1.0, 50, 77.42, 392),
        (10.0, 1.0, 50, 66.13, 341),
        (20.0, 1.0, 50, 51.07, 263),
        (5.0, 2.0, 50, 75.99, 386),
        (2.0, 1.0, 250, 77.27, 392),
        (100.0, 1.0, 0, 17.26, 118),
    ];

    const G722: [Case; 12] = [
        (0.0, 1.0, 20, 89.92, 434),
        (0.0, 1.0, 150, 89.76, 433),
        (0.0, 1.0, 200, 86.88, 426),
        (0.0, 1.0, 400, 65.85, 340),
        (1.0, 1.0, 50, 86.90, 426),
        (3.0, 1.0, 50, 81.63, 408),
        (5.0, 1.0, 50, 77.21, 391),
        (10.0, 1.0, 50, 68.73, 354),
        (20.0, 1.0, 50, 58.14, 300),
        (5.0, 2.0, 50, 75.80, 386),
        (2.0, 1.0, 250, 75.23, 383),
        (100.0, 1.0, 0, 36.95, 192),
    ];

    const OPUS: [Case; 12] = [
        (0.0, 1.0, 20, 88.63, 430),
        (0.0, 1.0, 150, 88.46, 430),
        (0.0, 1.0, 200, 85.58, 422),
        (0.0, 1.0, 400, 64.56, 333),
        (1.0, 1.0, 50, 81.83, 409),
        (3.0, 1.0, 50, 71.26, 366),
        (5.0, 1.0, 50, 63.43, 328),
        (10.0, 1.0, 50, 50.56, 260),
        (20.0, 1.0, 50, 37.50, 194),
        (5.0, 2.0, 50, 58.56, 303),
        (2.0, 1.0, 250, 67.20, 346),
        (100.0, 1.0, 0, 18.17, 120),
    ];

    #[test]
    fn each_codec_rates_what_the_recommendations_say() {
        for (codec, cases) in
            [(Codec::Pcmu, G711), (Codec::Pcma, G711), (Codec::G722, G722), (Codec::Opus, OPUS)]
        {
            for (percent, burstiness, ms, rated, score) in cases {
                let path = Path { burstiness, ..path(percent / 100.0, ms) };
                let name = format!("{codec:?} {percent} % {burstiness} {ms} ms");
                assert!((rating(codec, &path) - rated).abs() < 0.006, "{name}");
                assert!(mos_centi(codec, &path).abs_diff(score) <= 1, "{name}");
            }
        }
    }

    #[test]
    fn more_loss_more_of_it_in_a_row_and_more_delay_never_sound_better() {
        for codec in Codec::ALL {
            let mut steps: Vec<Path> = vec![path(0.0, 0)];
            steps.extend((1..=100).map(|n| path(f64::from(n) / 100.0, 0)));
            steps
                .extend((1..=80).map(|n| Path { burstiness: f64::from(n) / 10.0, ..path(1.0, 0) }));
            steps.extend((0..300).map(|n| Path { burstiness: 8.0, ..path(1.0, 10 * n) }));
            let rated: Vec<f64> = steps.iter().map(|path| rating(codec, path)).collect();
            assert!(rated.is_sorted_by(|a, b| a >= b), "{codec:?}");
            assert_eq!(mos(*rated.last().unwrap()), 1.0);
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
