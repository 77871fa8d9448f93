//! The rarer deadlines of all streams: reports, silences and keys, in a heap.
//!
//! An entry of a stream that is gone stays until it is due; its generation gives it away.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base::Instant;

use crate::Slot;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// When to send the next RTCP report.
    Report,
    /// When to look whether anything came from the far end.
    Silence,
    /// When to look whether the far end of a conversation is heard.
    Vigil,
    /// When to go on with a key that is pressed, or to give up waiting for its end.
    Keys,
    /// When to go on with DTLS, or to look whether a browser is still there.
    Web,
}

#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Instant, u32, u32, Kind)>>);

impl Deadlines {
    pub(super) fn set(&mut self, at: Instant, slot: Slot, kind: Kind) {
        self.0.push(Reverse((at, slot.index, slot.generation, kind)));
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<(Slot, Kind)> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse((_, index, generation, kind)) = self.0.pop()?;
        Some((Slot { index, generation }, kind))
    }
}
