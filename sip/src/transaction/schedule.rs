//! Deadlines of many transactions in order: one entry each, O(log n) to move, O(1) to see the next.

use std::collections::BTreeSet;

use base::{Duration, Instant};

use super::{Timer, TxRef};

/// When a transaction wants to be woken next, and by which timer.
pub(super) type Deadline = Option<(Instant, Timer)>;

#[derive(Debug, Default)]
pub(super) struct Schedule {
    queue: BTreeSet<(Instant, TxRef, Timer)>,
}

impl Schedule {
    /// Moves a transaction's entry; `armed` is what the transaction last asked for.
    pub(super) fn arm(&mut self, of: TxRef, armed: &mut Deadline, next: Deadline) {
        if *armed == next {
            return;
        }
        if let Some((at, timer)) = armed.take() {
            self.queue.remove(&(at, of, timer));
        }
        if let Some((at, timer)) = next {
            self.queue.insert((at, of, timer));
        }
        *armed = next;
    }

    pub(super) fn next(&self) -> Deadline {
        self.queue.first().map(|&(at, _, timer)| (at, timer))
    }

    /// Takes out the first entry that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TxRef> {
        let first = self.queue.first()?;
        if first.0 > now {
            return None;
        }
        self.queue.pop_first().map(|(_, of, _)| of)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// A message that is sent again and again, each time after twice the interval up to a ceiling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Backoff {
    pub(super) at: Instant,
    interval: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub(super) fn new(now: Instant, first: Duration, ceiling: Duration) -> Self {
        Self { at: now + first, interval: first, ceiling }
    }

    /// Whether it is due; if so, the next time is set.
    pub(super) fn fire(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = (self.interval * 2).min(self.ceiling);
        self.at = now + self.interval;
        true
    }

    /// From now on at the ceiling's pace (Timer E in Proceeding, §17.1.2.2).
    pub(super) fn slow_down(&mut self) {
        self.interval = self.ceiling;
    }
}

/// The earlier of a retransmission and an end.
pub(super) fn earlier(resend: Option<Backoff>, timer: Timer, end: (Instant, Timer)) -> Deadline {
    match resend {
        Some(backoff) if backoff.at < end.0 => Some((backoff.at, timer)),
        _ => Some(end),
    }
}
