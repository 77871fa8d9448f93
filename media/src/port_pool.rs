//! The RTP ports of a worker: handed out again in the order in which they came back, and rested
//! after use.
//!
//! A port that was given back is left alone for a while, so that the late packets of one call are
//! never heard in the next. For a while more its sockets may still be bound (they stay so for ten
//! seconds), and what takes them up again is spared half of what opening a stream costs: such a
//! port goes before one that was not used for long.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use base::{Duration, Instant};

/// How long a used port rests: longer than a packet is under way. Who goes on sending is kept out
/// by the latch, as one who began is.
const QUARANTINE: Duration = Duration::from_secs(3);
/// How long after its use a port goes before others.
const WARM: Duration = Duration::from_secs(9);
/// How long a port that could not be bound rests: somebody else has it.
const BAD_PORT_REST: Duration = Duration::from_secs(60);

/// Even ports for RTP; the odd one above each is its RTCP port (RFC 3550 §11).
#[derive(Debug)]
pub struct PortPool {
    /// Not used for long, or never.
    free: VecDeque<u16>,
    /// When each was given back, the earliest first.
    resting: VecDeque<(Instant, u16)>,
    /// When each could not be bound, the earliest first.
    bad: VecDeque<(Instant, u16)>,
    /// Whether a port is in use, by half of it.
    taken: Vec<bool>,
    in_use: usize,
}

impl PortPool {
    /// The even ports whose odd neighbour is also in the range.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let last = *range.end();
        let taken = vec![false; usize::from(last / 2) + 1];
        let free = range.filter(|port| port % 2 == 0 && *port != 0 && *port < last).collect();
        Self { free, resting: VecDeque::new(), bad: VecDeque::new(), taken, in_use: 0 }
    }

    /// Gives out unused ports from another place in the range on, as far in as `by` says (what is
    /// beyond the range begins anew): before any is taken.
    pub fn turn(&mut self, by: u64) {
        let ports = self.free.len() as u64;
        if let Some(by) = by.checked_rem(ports).and_then(|by| usize::try_from(by).ok()) {
            self.free.rotate_left(by);
        }
    }

    /// The port whose rest ended last but for those that rest still, or else the one that was not
    /// used for longest; `None` when all are in use or resting.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        for (queue, over) in [(&mut self.resting, WARM), (&mut self.bad, BAD_PORT_REST)] {
            while let Some((_, port)) = queue.pop_front_if(|(since, _)| now.since(*since) >= over) {
                self.free.push_back(port);
            }
        }
        let rested = |(since, _): &mut (Instant, u16)| now.since(*since) >= QUARANTINE;
        let warm = self.resting.pop_front_if(rested).map(|(_, port)| port);
        let port = warm.or_else(|| self.free.pop_front())?;
        if let Some(taken) = self.taken.get_mut(usize::from(port / 2)) {
            *taken = true;
            self.in_use += 1;
        }
        Some(port)
    }

    /// Takes a port back. One that was not taken is ignored.
    pub fn give_back(&mut self, now: Instant, port: u16) {
        if self.forget(port) {
            self.resting.push_back((now, port));
        }
    }

    /// Takes a port back that could not be bound.
    pub fn mark_bad(&mut self, now: Instant, port: u16) {
        if self.forget(port) {
            self.bad.push_back((now, port));
        }
    }

    /// Ports in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    fn forget(&mut self, port: u16) -> bool {
        let taken = self.taken.get_mut(usize::from(port / 2)).filter(|_| port.is_multiple_of(2));
        let was_taken = taken.is_some_and(std::mem::take);
        self.in_use -= usize::from(was_taken);
        was_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_given_back_is_not_handed_out_again_for_three_seconds() {
        let mut pool = PortPool::new(20_000..=20_003);
        let start = Instant::ZERO;
        assert_eq!(pool.take(start), Some(20_000));
        assert_eq!(pool.take(start), Some(20_002));
        assert_eq!((pool.take(start), pool.in_use()), (None, 2));
        pool.give_back(start, 20_000);
        pool.give_back(start, 20_000);
        assert_eq!(pool.take(start + Duration::from_millis(2_999)), None);
        assert_eq!(pool.take(start + QUARANTINE), Some(20_000));
        assert_eq!(pool.take(start + QUARANTINE), None, "giving back twice gives one port");
        assert_eq!(pool.in_use(), 2);
    }

    #[test]
    fn a_pool_begins_anywhere_and_has_all_its_ports() {
        let mut pool = PortPool::new(20_000..=20_007);
        pool.turn(4 * 1_000_003 + 3);
        let taken: Vec<_> = std::iter::from_fn(|| pool.take(Instant::ZERO)).collect();
        assert_eq!(taken, [20_006, 20_000, 20_002, 20_004]);
        let mut empty = PortPool::new(20_001..=20_001);
        empty.turn(7);
        assert_eq!(empty.take(Instant::ZERO), None);
    }

    #[test]
    fn a_port_whose_sockets_may_still_be_bound_goes_before_a_new_one_and_then_after_all() {
        let mut pool = PortPool::new(20_000..=20_007);
        let at = Instant::from_millis;
        let used = [(); 2].map(|()| pool.take(at(0)).unwrap());
        pool.give_back(at(0), used[0]);
        pool.give_back(at(1), used[1]);
        assert_eq!(pool.take(at(3_001)), Some(used[0]), "the one that rested longer");
        assert_eq!(pool.take(at(3_001)), Some(used[1]));
        assert_eq!(pool.take(at(3_001)), Some(20_004));
        pool.give_back(at(4_000), used[0]);
        assert_eq!(pool.take(at(13_000)), Some(20_006), "the other one is cold");
        assert_eq!(pool.take(at(13_000)), Some(used[0]));
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
