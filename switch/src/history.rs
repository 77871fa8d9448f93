//! How a leg fared, from its first figures to its last: bounded, whatever the length of its call.
//! When there is no room, two neighbours become one, which says what was worse of each.

use base::Duration;
use media::StreamStats;

/// Samples kept of one leg: ten minutes of one every five seconds, an hour of one every half minute.
const MOST: usize = 120;

/// What was measured at a leg in one stretch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QualitySample {
    /// When the stretch was over, in milliseconds since the call began.
    pub at_ms: u32,
    /// Estimated quality of what came, in hundredths; 0 if nothing came.
    pub mos_centi: u16,
    /// Lost of what should have come, in thousandths.
    pub loss_permille: u16,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// Round trip in microseconds, if the far end reports.
    pub round_trip_us: Option<u32>,
    /// What the far end says it lost, in thousandths.
    pub far_loss_permille: Option<u16>,
    /// The jitter that the far end has, in microseconds.
    pub far_jitter_us: Option<u32>,
}

impl QualitySample {
    pub(crate) fn new(since_start: Duration, stats: &StreamStats) -> Self {
        Self {
            at_ms: u32::try_from(since_start.as_millis()).unwrap_or(u32::MAX),
            mos_centi: stats.mos_centi,
            loss_permille: stats.loss_permille,
            jitter_us: stats.jitter_us,
            round_trip_us: stats.round_trip_us,
            far_loss_permille: stats.far.loss_permille,
            far_jitter_us: stats.far.jitter_us,
        }
    }

    /// Two stretches as one.
    fn with(self, later: Self) -> Self {
        let lower = |a: u16, b: u16| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        Self {
            at_ms: later.at_ms,
            mos_centi: lower(self.mos_centi, later.mos_centi),
            loss_permille: self.loss_permille.max(later.loss_permille),
            jitter_us: self.jitter_us.max(later.jitter_us),
            round_trip_us: self.round_trip_us.max(later.round_trip_us),
            far_loss_permille: self.far_loss_permille.max(later.far_loss_permille),
            far_jitter_us: self.far_jitter_us.max(later.far_jitter_us),
        }
    }
}

/// The samples of one leg.
#[derive(Clone, Debug)]
pub(crate) struct QualityHistory {
    samples: Vec<QualitySample>,
    /// How many stretches make a sample, and those of the one that is being made.
    each: u32,
    next: Option<(QualitySample, u32)>,
}

impl Default for QualityHistory {
    fn default() -> Self {
        Self { samples: Vec::new(), each: 1, next: None }
    }
}

impl QualityHistory {
    /// A stretch is over.
    pub(crate) fn add(&mut self, sample: QualitySample) {
        let (sum, count) = match self.next.take() {
            Some((before, count)) => (before.with(sample), count + 1),
            None => (sample, 1),
        };
        if count < self.each {
            self.next = Some((sum, count));
            return;
        }
        self.samples.push(sum);
        if self.samples.len() >= MOST {
            let pairs = self.samples.chunks(2).map(|pair| match *pair {
                [one, other] => one.with(other),
                [one, ..] => one,
                [] => QualitySample::default(),
            });
            self.samples = pairs.collect();
            self.each *= 2;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.next.is_none()
    }

    /// All there is, in the order of time.
    pub(crate) fn samples(&self) -> Vec<QualitySample> {
        let last = self.next.map(|(sample, _)| sample);
        self.samples.iter().copied().chain(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: u32) -> QualitySample {
        let mos_centi = if number == 777 { 180 } else { 440 };
        QualitySample { at_ms: number * 5000, mos_centi, ..QualitySample::default() }
    }

    #[test]
    fn a_call_of_a_day_has_no_more_samples_than_one_of_ten_minutes_and_keeps_its_worst() {
        let mut history = QualityHistory::default();
        for number in 1..=17_280 {
            history.add(sample(number));
        }
        let samples = history.samples();
        assert!((MOST / 2..=MOST).contains(&samples.len()), "{}", samples.len());
        assert_eq!(samples.last().map(|last| last.at_ms), Some(17_280 * 5000));
        assert!(samples.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        assert_eq!(samples.iter().filter(|sample| sample.mos_centi == 180).count(), 1);
    }

    #[test]
    fn a_stretch_in_which_nothing_came_takes_no_quality_from_its_neighbour() {
        let none = QualitySample { mos_centi: 0, loss_permille: 3, ..QualitySample::default() };
        assert_eq!(none.with(sample(2)).mos_centi, 440);
        assert_eq!(sample(2).with(none).loss_permille, 3);
    }
}
