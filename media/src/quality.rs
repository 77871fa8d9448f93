//! Estimated listening quality: the E-model (ITU-T G.107) with the parameters of G.711.

use base::Duration;

/// R with all defaults and no delay or loss: Ro - Is of G.107.
const BASE: f64 = 93.2;
/// Packet-loss robustness of G.711 with concealment (G.113 appendix I).
const BPL_G711_PLC: f64 = 25.1;

/// The transmission rating R, 0 to 93.2, for random loss of `loss` (0 to 1) and a one-way,
/// mouth-to-ear delay. Echo is taken as cancelled.
#[must_use]
pub fn rating(loss: f64, delay: Duration) -> f64 {
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let equipment = 95.0 * percent / (percent + BPL_G711_PLC);
    (BASE - delay_impairment(delay) - equipment).clamp(0.0, BASE)
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
pub fn mos_centi(loss: f64, delay: Duration) -> u16 {
    (mos(rating(loss, delay)) * 100.0).round() as u16
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

    #[test]
    fn a_perfect_path_rates_93_2_and_scores_4_41() {
        assert!((rating(0.0, Duration::from_millis(20)) - 93.2).abs() < 1e-9);
        assert_eq!(mos_centi(0.0, Duration::from_millis(20)), 441);
    }

    #[test]
    fn loss_and_delay_cost_what_the_e_model_says() {
        // Ie,eff = 95 * 1 / (1 + 25.1) = 3.64 at 1 %, 15.79 at 5 %.
        assert!((rating(0.01, Duration::ZERO) - (93.2 - 3.6398)).abs() < 0.001);
        assert!((rating(0.05, Duration::ZERO) - (93.2 - 15.7807)).abs() < 0.001);
        // G.107: Idd at 200 ms is 25 (2^(1/6) - 3 (1 + 3^-6)^(1/6) + 2) = 3.04.
        assert!((93.2 - rating(0.0, Duration::from_millis(200)) - 3.044).abs() < 0.01);
        assert_eq!(mos_centi(1.0, Duration::from_secs(2)), 100);
    }
}
