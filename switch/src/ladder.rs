//! The ladder of a call: every SIP message of it as it went over the wire, retransmissions too,
//! secrets masked, bounded.

use base::UnixTime;
use bytes::Bytes;

use crate::mask::masked;
use crate::record::{Direction, LadderEntry};

/// Messages held back while one input is handled, before it is known whose call they are.
const PENDING: usize = 16;

/// One call's ladder. Keeps the first messages up to its bounds: how a call was set up explains
/// most, and a storm of repetitions must not push that out. What does not fit is counted.
#[derive(Debug)]
pub(crate) struct Ladder {
    entries: Vec<LadderEntry>,
    bytes: usize,
    cut: u32,
    max_entries: usize,
    max_bytes: usize,
}

impl Ladder {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: Vec::with_capacity(8), bytes: 0, cut: 0, max_entries, max_bytes }
    }

    /// Adds a message, or counts it if there is no room.
    pub(crate) fn push(&mut self, mut entry: LadderEntry) {
        if self.cut > 0
            || self.entries.len() >= self.max_entries
            || self.bytes + entry.bytes.len() > self.max_bytes
        {
            self.cut = self.cut.saturating_add(1);
            return;
        }
        entry.bytes = masked(entry.bytes);
        self.bytes += entry.bytes.len();
        self.entries.push(entry);
    }

    pub(crate) fn entries(&self) -> &[LadderEntry] {
        &self.entries
    }

    /// The messages, and how many more there were.
    pub(crate) fn take(&mut self) -> (Vec<LadderEntry>, u32) {
        (std::mem::take(&mut self.entries), self.cut)
    }
}

/// The messages of the input being handled whose call does not exist (yet): an INVITE and the
/// `100 Trying` that precede their call.
#[derive(Debug, Default)]
pub(crate) struct Pending(Vec<(Box<str>, LadderEntry)>);

impl Pending {
    pub(crate) fn push(&mut self, sip_call_id: &str, entry: LadderEntry) {
        if self.0.len() < PENDING {
            self.0.push((sip_call_id.into(), entry));
        }
    }

    /// Moves what belongs to a new call into its ladder.
    pub(crate) fn claim(&mut self, sip_call_id: &str, ladder: &mut Ladder) {
        for (_, entry) in self.0.extract_if(.., |(id, _)| **id == *sip_call_id) {
            ladder.push(entry);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A ladder's line.
pub(crate) fn entry(
    at: UnixTime,
    direction: Direction,
    flow: sip::Flow,
    bytes: &Bytes,
) -> LadderEntry {
    LadderEntry { at, direction, flow, bytes: bytes.clone() }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn line(bytes: &str) -> LadderEntry {
        let address = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = sip::Flow::udp(address, address);
        let bytes = Bytes::copy_from_slice(bytes.as_bytes());
        entry(UnixTime::default(), Direction::In, flow, &bytes)
    }

    #[test]
    fn a_ladder_keeps_the_first_messages_and_counts_the_others() {
        let mut ladder = Ladder::new(2, 10_000);
        for _ in 0..5 {
            ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        }
        let (entries, cut) = ladder.take();
        assert_eq!((entries.len(), cut), (2, 3));
        let mut ladder = Ladder::new(10, 30);
        ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        assert_eq!(ladder.take().1, 1);
    }

    #[test]
    fn messages_from_before_the_call_are_claimed_by_their_call_id_only() {
        let mut pending = Pending::default();
        pending.push("a", line("INVITE"));
        pending.push("b", line("OPTIONS"));
        let mut ladder = Ladder::new(10, 1000);
        pending.claim("a", &mut ladder);
        assert_eq!(ladder.entries().len(), 1);
    }
}
