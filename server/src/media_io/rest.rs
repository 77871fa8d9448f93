//! Pairs of ports between two streams. Opening and closing four sockets was half of what a call
//! without audio cost its worker, so the sockets of a stream that is closed stay bound for a while.
//!
//! What comes to a resting pair is nobody's. Right after the call it is thrown away; later somebody
//! goes on who should not, and the pair is closed like one without a stream always was.

use std::collections::{HashMap, VecDeque};

use base::{Duration, Instant};

/// A pair that nobody wanted for so long is closed. The ports are handed out again while they are
/// still bound (`media::PortPool`).
const KEPT: Duration = Duration::from_secs(10);
/// The last packets of a call, which are under way while it ends.
const LAST_PACKETS: Duration = Duration::from_secs(1);

/// Which ports' pairs rest, and since when.
pub(super) struct Rest {
    most: usize,
    by_port: HashMap<u16, Resting>,
    /// In the order of their time; those that were taken since are left out when they come up.
    queue: VecDeque<(Instant, u16)>,
}

#[derive(Clone, Copy)]
struct Resting {
    since: Instant,
    place: u32,
}

impl Rest {
    pub(super) fn new(most: usize) -> Self {
        Self { most, by_port: HashMap::new(), queue: VecDeque::new() }
    }

    /// A pair rests from now on. Gives the place of one to close, if too many rest.
    pub(super) fn lay_down(&mut self, now: Instant, port: u16, place: u32) -> Option<u32> {
        self.by_port.insert(port, Resting { since: now, place });
        self.queue.push_back((now, port));
        if self.by_port.len() > self.most { self.pop_oldest() } else { None }
    }

    /// The place of the pair that rests at a port; it rests no more.
    pub(super) fn take(&mut self, port: u16) -> Option<u32> {
        let resting = self.by_port.remove(&port)?;
        self.skip_taken();
        Some(resting.place)
    }

    /// Whether a packet came so late that the pair is to be closed; it rests no more then.
    pub(super) fn is_disturbed(&mut self, now: Instant, port: u16) -> bool {
        let since = self.by_port.get(&port).map(|resting| resting.since);
        let late = since.is_none_or(|since| now.since(since) > LAST_PACKETS);
        if late {
            self.take(port);
        }
        late
    }

    /// When the pair that rested longest is to be closed.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.queue.front().map(|(since, _)| *since + KEPT)
    }

    /// The place of a pair that rested for so long that it is to be closed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        if self.next_due()? <= now { self.pop_oldest() } else { None }
    }

    /// The places of all that rest; none does any more.
    pub(super) fn drain(&mut self) -> Vec<u32> {
        self.queue.clear();
        self.by_port.drain().map(|(_, resting)| resting.place).collect()
    }

    fn pop_oldest(&mut self) -> Option<u32> {
        let (_, port) = *self.queue.front()?;
        self.take(port)
    }

    /// Keeps the front of the queue a pair that rests.
    fn skip_taken(&mut self) {
        while let Some((since, port)) = self.queue.front()
            && self.by_port.get(port).is_none_or(|resting| resting.since != *since)
        {
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_pair_is_taken_up_again_at_its_port_and_once_only() {
        let mut rest = Rest::new(8);
        assert_eq!(rest.lay_down(at(0), 20_000, 7), None);
        assert_eq!(rest.take(20_002), None);
        assert_eq!(rest.take(20_000), Some(7));
        assert_eq!((rest.take(20_000), rest.next_due()), (None, None));
    }

    #[test]
    fn a_pair_that_nobody_wants_is_closed_after_ten_seconds_and_one_that_was_taken_never() {
        let mut rest = Rest::new(8);
        rest.lay_down(at(0), 20_000, 1);
        rest.lay_down(at(100), 20_002, 2);
        rest.lay_down(at(200), 20_004, 3);
        rest.take(20_002);
        assert_eq!((rest.next_due(), rest.pop_due(at(9_999))), (Some(at(10_000)), None));
        assert_eq!(rest.pop_due(at(10_000)), Some(1));
        assert_eq!(rest.next_due(), Some(at(10_200)), "the second one works");
        // It rests again, later than the third.
        rest.lay_down(at(5_000), 20_002, 2);
        assert_eq!((rest.pop_due(at(10_200)), rest.pop_due(at(14_999))), (Some(3), None));
        assert_eq!((rest.pop_due(at(15_000)), rest.next_due()), (Some(2), None));
    }

    #[test]
    fn the_last_packets_of_a_call_disturb_nobody_and_later_ones_end_the_rest() {
        let mut rest = Rest::new(8);
        rest.lay_down(at(0), 20_000, 1);
        assert!(!rest.is_disturbed(at(1_000), 20_000));
        assert!(rest.is_disturbed(at(1_001), 20_000));
        assert_eq!((rest.take(20_000), rest.next_due()), (None, None));
    }

    #[test]
    fn of_too_many_pairs_the_one_that_rested_longest_is_closed() {
        let mut rest = Rest::new(2);
        assert_eq!(rest.lay_down(at(0), 20_000, 1), None);
        assert_eq!(rest.lay_down(at(1), 20_002, 2), None);
        assert_eq!(rest.lay_down(at(2), 20_004, 3), Some(1));
        rest.drain().sort_unstable();
        assert_eq!(rest.next_due(), None);
        assert_eq!(Rest::new(0).lay_down(at(0), 20_000, 1), Some(1), "none may rest");
    }
}
