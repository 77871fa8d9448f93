//! When a worker lets packets gather: a wake-up costs more than a packet, and with enough of them a
//! moment's wait saves most wake-ups, ours and those of whoever receives what we send.

use base::{Duration, Instant};

/// What a packet waits at most for others.
const MOMENT: Duration = Duration::from_millis(1);
/// How long packets are counted before the pace is judged anew.
const WINDOW: Duration = Duration::from_millis(20);
/// From as many packets in a window on, some four a moment, it pays to wait.
const MANY: usize = 80;
/// So many in one round: we are behind, and wait for nobody.
const BEHIND: usize = 128;

/// The pace of a worker's packets.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    packets: usize,
    brisk: bool,
    behind: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, packets: 0, brisk: false, behind: false }
    }

    /// Counts the packets of one round.
    pub(super) fn count(&mut self, now: Instant, packets: usize) {
        self.packets += packets;
        self.behind = packets >= BEHIND;
        if now.since(self.began) >= WINDOW {
            // A window that a long sleep stretched holds fewer than that, and nothing is brisk.
            let stretched = now.since(self.began) >= 2 * WINDOW;
            self.brisk = self.packets >= MANY && !stretched;
            (self.began, self.packets) = (now, 0);
        }
    }

    /// How long to let packets gather before the next look, `deadline` permitting.
    pub(super) fn pause(&self, now: Instant, deadline: Option<Instant>) -> Option<Duration> {
        if !self.brisk || self.behind {
            return None;
        }
        let pause = deadline.map_or(MOMENT, |at| at.since(now).min(MOMENT));
        (!pause.is_zero()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn brisk() -> Pace {
        let mut pace = Pace::new(at(0));
        (0..=20).for_each(|ms| pace.count(at(ms), 25));
        pace
    }

    #[test]
    fn a_few_calls_wait_for_nobody_and_many_let_packets_gather_for_a_moment() {
        let mut pace = Pace::new(at(0));
        (0..100).for_each(|ms| pace.count(at(ms), 1));
        assert_eq!(pace.pause(at(100), None), None);
        assert_eq!(brisk().pause(at(20), None), Some(MOMENT));
    }

    #[test]
    fn a_pause_ends_at_the_next_deadline() {
        let soon = at(20) + Duration::from_micros(300);
        assert_eq!(brisk().pause(at(20), Some(soon)), Some(Duration::from_micros(300)));
        assert_eq!(brisk().pause(at(20), Some(at(19))), None);
    }

    #[test]
    fn a_worker_that_is_behind_does_not_pause() {
        let mut pace = brisk();
        pace.count(at(21), BEHIND);
        assert_eq!(pace.pause(at(21), None), None);
        pace.count(at(22), 5);
        assert_eq!(pace.pause(at(22), None), Some(MOMENT));
    }

    #[test]
    fn silence_ends_the_pauses() {
        let mut pace = brisk();
        pace.count(at(500), 1);
        assert_eq!(pace.pause(at(500), None), None);
    }
}
