//! How many new calls the driver has shown that it can take: as many as come while it keeps up, and
//! when it falls behind a rate that is cut until it does not, then raised again step by step
//! (additive increase, multiplicative decrease; in the spirit of RFC 7415). A rate and not a
//! switch: turning all away and then letting all in would swing between idle and overrun.

use base::{Duration, Instant};

use super::load::Level;

/// The driver is as busy as it may be: the rate is kept.
const BUSY: u32 = 80;
/// It does not keep up: the rate is cut.
const BEHIND: u32 = 100;
/// It is far behind: the rate is cut by the most.
const FAR_BEHIND: u32 = 200;
/// What one report can cut at most, and what it adds.
const CUT: f64 = 0.25;
const RAISE: f64 = 0.03;
/// No rate is cut further.
const LEAST: f64 = 1.0;
/// What a report says holds for so long: a driver that says nothing has nothing to do.
const HOLDS: Duration = Duration::from_secs(1);
/// When nobody was turned away for so long, all are let in again.
const CALM: Duration = Duration::from_secs(2);
/// Calls that may come at once, in seconds of their rate.
const BURST: f64 = 0.1;
/// The same for the few that are let in whatever the driver says.
const BURST_OF_FEW: f64 = 5.0;

/// A rate of calls, and what is left of it.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(per_second: f64, burst: f64, at: Instant) -> Self {
        Self { per_second, left: (per_second * burst).max(1.0), at }
    }

    fn take(&mut self, now: Instant, burst: f64) -> bool {
        let most = (self.per_second * burst).max(1.0);
        let elapsed = now.since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + elapsed * self.per_second).min(most), now);
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

/// The rate at which new calls are let in.
#[derive(Debug)]
pub(super) struct Governor {
    /// Calls that a driver is never too busy for: what is slow with so few is not overloaded.
    few: Option<Bucket>,
    few_per_second: f64,
    /// The bound of the moment; none while the driver keeps up.
    bound: Option<Bucket>,
    percent: u32,
    reported: Option<Instant>,
    /// Calls let in since the last report, and how many that is a second, smoothed.
    let_in: u32,
    per_second: f64,
    turned_away: Instant,
}

impl Governor {
    /// `few` calls a second are let in whatever the driver says.
    pub(super) fn new(few: u32) -> Self {
        Self {
            few: None,
            few_per_second: f64::from(few),
            bound: None,
            percent: 0,
            reported: None,
            let_in: 0,
            per_second: 0.0,
            turned_away: Instant::ZERO,
        }
    }

    /// The driver says how busy it is.
    pub(super) fn report(&mut self, now: Instant, percent: u32) {
        let before = self.reported.replace(now);
        self.percent = percent;
        let elapsed = before.map_or(HOLDS, |before| now.since(before)).as_secs_f64().max(0.001);
        let weight = elapsed.min(1.0);
        self.per_second += (f64::from(self.let_in) / elapsed - self.per_second) * weight;
        self.let_in = 0;
        match &mut self.bound {
            None if percent >= BEHIND => {
                let first = self.per_second.max(LEAST);
                self.bound = Some(Bucket { per_second: first, left: 0.0, at: now });
                self.turned_away = now;
            }
            Some(bound) if percent >= BEHIND => {
                let over = f64::from(percent.min(FAR_BEHIND) - BEHIND);
                let cut = CUT * (0.2 + 0.8 * over / f64::from(FAR_BEHIND - BEHIND));
                bound.per_second = (bound.per_second * (1.0 - cut)).max(LEAST);
            }
            Some(_) if now.since(self.turned_away) >= CALM => self.bound = None,
            Some(bound) if percent < BUSY => {
                bound.per_second += (bound.per_second * RAISE).max(1.0);
            }
            _ => {}
        }
    }

    /// What becomes of one more call.
    pub(super) fn level(&mut self, now: Instant) -> Level {
        if self.reported.is_none_or(|at| now.since(at) > HOLDS) {
            (self.percent, self.bound) = (0, None);
        }
        let level = self.rule(now);
        match level {
            Level::Normal => self.let_in = self.let_in.saturating_add(1),
            Level::High | Level::Full => self.turned_away = now,
        }
        level
    }

    fn rule(&mut self, now: Instant) -> Level {
        let (few, rate) = (&mut self.few, self.few_per_second);
        let Some(bound) = &mut self.bound else { return Level::Normal };
        if bound.take(now, BURST) {
            return Level::Normal;
        }
        if rate > 0.0 {
            let few = few.get_or_insert_with(|| Bucket::full(rate, BURST_OF_FEW, now));
            if few.take(now, BURST_OF_FEW) {
                return Level::Normal;
            }
        }
        if self.percent >= FAR_BEHIND { Level::Full } else { Level::High }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// How many of `calls` in that second are let in, while the driver says `percent`.
    fn let_in(governor: &mut Governor, second: u64, calls: u64, percent: u32) -> usize {
        let mut let_in = 0;
        for n in 0..calls {
            let now = second * 1000 + n * 1000 / calls;
            if n % (calls / 10).max(1) == 0 {
                governor.report(at(now), percent);
            }
            let_in += usize::from(governor.level(at(now)) == Level::Normal);
        }
        let_in
    }

    #[test]
    fn all_are_let_in_while_the_driver_keeps_up_however_busy_it_is() {
        let mut governor = Governor::new(20);
        assert_eq!(let_in(&mut governor, 1, 1000, 99), 1000);
    }

    #[test]
    fn a_driver_that_falls_behind_gets_fewer_until_it_keeps_up_then_slowly_more() {
        let mut governor = Governor::new(20);
        assert_eq!(let_in(&mut governor, 1, 1000, 90), 1000);
        let first = let_in(&mut governor, 2, 1000, 130);
        let second = let_in(&mut governor, 3, 1000, 130);
        assert!(first < 900 && second < first, "{first}, {second}");
        let kept = let_in(&mut governor, 4, 1000, 95);
        let kept_on = let_in(&mut governor, 5, 1000, 95);
        assert!(kept.abs_diff(kept_on) < 30, "{kept}, {kept_on}");
        let raised: Vec<usize> =
            (6..30).map(|second| let_in(&mut governor, second, 1000, 50)).collect();
        assert!(raised.is_sorted(), "{raised:?}");
        assert!(raised[0] < 900, "not at once: {raised:?}");
        assert_eq!(raised.last(), Some(&1000));
    }

    #[test]
    fn a_few_calls_are_let_in_whatever_the_driver_says() {
        let mut governor = Governor::new(20);
        for second in 1..60 {
            assert_eq!(let_in(&mut governor, second, 20, 300), 20, "second {second}");
        }
        assert_eq!(let_in(&mut governor, 60, 60, 300), 60, "and a few more at once");
    }

    #[test]
    fn far_behind_it_ends_with_the_few() {
        let mut governor = Governor::new(20);
        for second in 1..12 {
            let_in(&mut governor, second, 1000, 200);
        }
        let last = let_in(&mut governor, 12, 1000, 200);
        assert!((20..=22).contains(&last), "{last}");
    }

    #[test]
    fn what_was_said_does_not_outlive_a_second() {
        let mut governor = Governor::new(1);
        let_in(&mut governor, 1, 100, 200);
        while governor.level(at(2000)) == Level::Normal {}
        assert_eq!(governor.level(at(2000)), Level::Full);
        assert_eq!(governor.level(at(3100)), Level::Normal);
    }
}
