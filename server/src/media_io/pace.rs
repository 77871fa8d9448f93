//! How often a worker wakes up: at once while there is little to do, and for a hundred packets at a
//! time when there is much. Waking up costs as much as relaying five packets, above all as the
//! caches are cold by then.

use base::{Duration, Instant};

/// Packets are counted for so long.
const WINDOW: Duration = Duration::from_millis(20);
/// What one awakening should serve.
const SERVED: u32 = 128;
/// Packets a second below which nobody waits: 50 calls.
const FEW: u32 = 5_000;

/// How long whatever comes may wait while orders come, which wait as well: each ends the rest of a
/// worker that has none, and a call is many.
const IN_A_HURRY: Duration = Duration::from_micros(400);

/// How a worker rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nap {
    /// For as long as that.
    Deep(Duration),
    /// The bell ends it.
    Light(Duration),
}

/// The pace of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    packets: u32,
    nap: Option<Duration>,
    /// The longest a packet may wait for others.
    longest: Duration,
    /// When the bell rang last.
    rung: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant, longest: Duration) -> Self {
        Self { since: now, packets: 0, nap: None, longest, rung: None }
    }

    /// So many packets came in at one awakening, and the bell rang or did not. How long to let
    /// others gather before the next.
    pub(super) fn nap(&mut self, now: Instant, packets: usize, has_rung: bool) -> Option<Nap> {
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        self.packets = self.packets.saturating_add(packets);
        if has_rung {
            self.rung = Some(now);
        }
        let passed = now.since(self.since);
        if passed >= WINDOW {
            self.nap = length(self.packets, passed).map(|nap| nap.min(self.longest));
            (self.since, self.packets) = (now, 0);
        }
        // Enough came by itself, or more than can be served: the next may be there already.
        let nap = self.nap.filter(|nap| packets < SERVED && !nap.is_zero())?;
        let hurries = self.rung.is_some_and(|rung| now.since(rung) < WINDOW);
        Some(if hurries { Nap::Deep(nap.min(IN_A_HURRY)) } else { Nap::Light(nap) })
    }
}

fn length(packets: u32, passed: Duration) -> Option<Duration> {
    let a_second = f64::from(packets) / passed.as_secs_f64();
    let long = Duration::from_secs_f64(f64::from(SERVED) / a_second.max(1.0));
    (a_second >= f64::from(FEW)).then_some(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_micros(1000);

    /// So many packets an awakening, one awakening every so many microseconds, for a while.
    fn after(packets: usize, every_us: u64) -> Option<Duration> {
        gathering(LONGEST, packets, every_us)
    }

    fn gathering(longest: Duration, packets: usize, every_us: u64) -> Option<Duration> {
        let mut pace = Pace::new(Instant::ZERO, longest);
        let mut nap = None;
        for n in 1..=30_000 / every_us {
            nap = pace.nap(Instant::from_nanos(n * every_us * 1000), packets, false);
        }
        nap.map(|nap| match nap {
            Nap::Light(nap) => nap,
            Nap::Deep(_) => panic!("nobody rang"),
        })
    }

    #[test]
    fn orders_wake_who_had_none_and_while_they_come_nobody_rests_for_long() {
        let mut pace = Pace::new(Instant::ZERO, LONGEST);
        let mut nap =
            |at_us: u64, has_rung| pace.nap(Instant::from_nanos(at_us * 1000), 1, has_rung);
        for at_us in (0..30_000).step_by(100) {
            nap(at_us, false);
        }
        assert_eq!(nap(30_000, false), Some(Nap::Light(LONGEST)));
        assert_eq!(nap(30_100, true), Some(Nap::Deep(IN_A_HURRY)));
        for at_us in (30_200..50_000).step_by(100) {
            assert_eq!(nap(at_us, false), Some(Nap::Deep(IN_A_HURRY)));
        }
        assert_eq!(nap(50_100, false), Some(Nap::Light(LONGEST)), "20 ms without an order");
    }

    #[test]
    fn few_packets_are_never_kept_waiting_and_many_gather_for_less_than_a_millisecond() {
        assert_eq!(after(1, 250), None, "40 calls");
        assert_eq!(after(1, 100), Some(LONGEST), "100 calls");
        let many = after(1, 5).unwrap_or_default();
        assert!(
            many >= Duration::from_micros(620) && many <= Duration::from_micros(660),
            "{many:?}"
        );
    }

    #[test]
    fn packets_gather_for_as_long_as_is_configured_and_not_at_all_if_that_is_nothing() {
        assert_eq!(gathering(Duration::from_micros(100), 1, 5), Some(Duration::from_micros(100)));
        assert_eq!(gathering(Duration::ZERO, 1, 5), None);
    }

    #[test]
    fn whoever_has_enough_to_do_does_not_rest() {
        assert_eq!(after(256, 1200), None);
    }
}
