//! What became of the packets of one window.

use benches::clock::{MILLISECOND, Nanos};

/// Width of a place of a histogram.
const STEP: Nanos = 10_000;
/// Places: 100 ms; what is later counts as that.
const PLACES: usize = 10_000;
const PTIME: Nanos = 20 * MILLISECOND;

/// A histogram of times.
#[derive(Clone)]
pub(crate) struct Times(Box<[u32]>);

impl Default for Times {
    fn default() -> Self {
        Self(vec![0; PLACES].into_boxed_slice())
    }
}

impl Times {
    pub(crate) fn add(&mut self, time: Nanos) {
        let place = usize::try_from(time / STEP).unwrap_or(PLACES).min(PLACES - 1);
        self.0[place] += 1;
    }

    /// The time that this share of all does not exceed, in milliseconds.
    pub(crate) fn at(&self, share: f64) -> Option<f64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let place = self.0.iter().position(|count| {
            seen += u64::from(*count);
            all > 0 && seen >= wanted
        })?;
        Some((place as f64 + 1.0) * STEP as f64 / MILLISECOND as f64)
    }
}

/// All that is counted.
#[derive(Clone, Default)]
pub(crate) struct Figures {
    pub(crate) sent: u64,
    pub(crate) unsent: u64,
    pub(crate) received: u64,
    /// From sending to coming back.
    pub(crate) delays: Times,
    /// What a packet came later than 20 ms after the one before it.
    pub(crate) gaps: Times,
    /// What the generator itself was late by.
    pub(crate) lateness: Times,
}

impl Figures {
    pub(crate) fn delay(&mut self, time: Nanos) {
        self.delays.add(time);
    }

    pub(crate) fn gap(&mut self, time: Nanos) {
        self.gaps.add(time.saturating_sub(PTIME));
    }

    pub(crate) fn late(&mut self, time: Nanos) {
        self.lateness.add(time);
    }

    /// The share that did not come back; what is under way at the window's ends evens out.
    pub(crate) fn lost(&self) -> f64 {
        1.0 - (self.received as f64 / self.sent.max(1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_times_is_under_the_time_that_is_told() {
        let mut times = Times::default();
        assert_eq!(times.at(0.99), None);
        (1..=100).for_each(|n| times.add(n * MILLISECOND - 1));
        assert_eq!((times.at(0.5), times.at(0.99)), (Some(50.0), Some(99.0)));
    }
}
