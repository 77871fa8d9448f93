//! How busy a worker is: the part of the time in which it did not rest.

use base::{Duration, Instant};
use media::{Effort, WorkerId};
use metrics::Gauge;

/// It is looked at so often.
const EVERY: Duration = Duration::from_millis(500);

/// What a worker knows of its own work.
pub(super) struct Load {
    since: Instant,
    rested: Duration,
    percent: Gauge,
    effort: Gauge,
}

impl Load {
    pub(super) fn new(now: Instant, id: WorkerId) -> Self {
        let gauge = |name: &'static str| metrics::gauge!(name, "worker" => id.0.to_string());
        let [percent, effort] =
            ["strowger_media_load_percent", "strowger_media_full_effort"].map(gauge);
        effort.set(1.0);
        Self { since: now, rested: Duration::ZERO, percent, effort }
    }

    /// It rested from then until now. For which part of the time it was busy, if it is time to tell.
    pub(super) fn rested(&mut self, from: Instant, now: Instant) -> Option<f32> {
        self.rested += now.since(from);
        let passed = now.since(self.since);
        if passed < EVERY {
            return None;
        }
        let rested = self.rested.as_secs_f32() / passed.as_secs_f32();
        (self.since, self.rested) = (now, Duration::ZERO);
        let busy = (1.0 - rested).clamp(0.0, 1.0);
        self.percent.set(f64::from(busy * 100.0).round());
        Some(busy)
    }

    /// How hard its encoders try now.
    pub(super) fn tell(&self, effort: Effort) {
        self.effort.set(if effort == Effort::Full { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_rests_for_a_quarter_of_the_time_is_busy_for_three() {
        let mut load = Load::new(Instant::ZERO, WorkerId(0));
        let mut told = Vec::new();
        for n in 0..1000 {
            let from = Instant::from_nanos((n * 4000 + 3000) * 1000);
            told.extend(load.rested(from, from + Duration::from_millis(1)));
        }
        assert_eq!(told.len(), 8);
        assert!(told.iter().all(|busy| (busy - 0.75).abs() < 0.01), "{told:?}");
        // One that slept for long had nothing to do.
        let after = Instant::from_millis(4000);
        let busy = load.rested(after, after + Duration::from_secs(60));
        assert_eq!(busy, Some(0.0));
    }
}
