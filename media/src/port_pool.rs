//! The RTP ports of a worker: handed out in turn, and rested after use.
//!
//! A port that was given back is left alone for a while, so that the late packets of one call are
//! never heard in the next, and the system's queues for it are empty.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use base::{Duration, Instant};

/// How long a used port rests.
const QUARANTINE: Duration = Duration::from_secs(10);
/// How long a port that could not be bound rests: somebody else has it.
const BAD_PORT_REST: Duration = Duration::from_secs(60);

/// Even ports for RTP; the odd one above each is its RTCP port (RFC 3550 §11).
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    /// Given back, the earliest first.
    resting: VecDeque<(Instant, u16)>,
    /// Could not be bound, the earliest first.
    bad: VecDeque<(Instant, u16)>,
    taken: Vec<u16>,
}

impl PortPool {
    /// The even ports whose odd neighbour is also in the range.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let last = *range.end();
        let free = range.filter(|port| port % 2 == 0 && *port != 0 && *port < last).collect();
        Self { free, resting: VecDeque::new(), bad: VecDeque::new(), taken: Vec::new() }
    }

    /// The port that rested longest; `None` when all are in use or resting.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        for queue in [&mut self.resting, &mut self.bad] {
            while let Some((ready, port)) = queue.front().copied()
                && ready <= now
            {
                queue.pop_front();
                self.free.push_back(port);
            }
        }
        let port = self.free.pop_front()?;
        let place = self.taken.binary_search(&port).unwrap_or_else(|place| place);
        self.taken.insert(place, port);
        Some(port)
    }

    /// Takes a port back. One that was not taken is ignored.
    pub fn give_back(&mut self, now: Instant, port: u16) {
        if self.forget(port) {
            self.resting.push_back((now + QUARANTINE, port));
        }
    }

    /// Takes a port back that could not be bound.
    pub fn mark_bad(&mut self, now: Instant, port: u16) {
        if self.forget(port) {
            self.bad.push_back((now + BAD_PORT_REST, port));
        }
    }

    /// Ports in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.taken.len()
    }

    fn forget(&mut self, port: u16) -> bool {
        let Ok(place) = self.taken.binary_search(&port) else { return false };
        self.taken.remove(place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_given_back_is_not_handed_out_again_for_ten_seconds() {
        let mut pool = PortPool::new(20_000..=20_003);
        let start = Instant::ZERO;
        assert_eq!(pool.take(start), Some(20_000));
        assert_eq!(pool.take(start), Some(20_002));
        assert_eq!(pool.take(start), None);
        pool.give_back(start, 20_000);
        pool.give_back(start, 20_000);
        assert_eq!(pool.take(start + Duration::from_millis(9_999)), None);
        assert_eq!(pool.take(start + QUARANTINE), Some(20_000));
        assert_eq!(pool.take(start + QUARANTINE), None, "giving back twice gives one port");
    }

    #[test]
    fn a_port_that_cannot_be_bound_rests_for_a_minute() {
        let mut pool = PortPool::new(20_000..=20_001);
        let port = pool.take(Instant::ZERO).unwrap();
        pool.mark_bad(Instant::ZERO, port);
        assert_eq!(pool.take(Instant::from_millis(59_999)), None);
        assert_eq!(pool.take(Instant::from_millis(60_000)), Some(port));
    }

    #[test]
    fn odd_ends_of_a_range_are_never_an_rtp_port() {
        let mut pool = PortPool::new(20_001..=20_004);
        assert_eq!(pool.take(Instant::ZERO), Some(20_002));
        assert_eq!(pool.take(Instant::ZERO), None, "20004 has no RTCP port in the range");
    }
}
