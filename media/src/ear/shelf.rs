//! Packets that wait for their turn: payloads in one ring of bytes, in the order of their time.
//!
//! Both the ring and the list are made once. Who sends more than they hold loses the oldest.

use std::collections::VecDeque;
use std::ops::Range;

use crate::Codec;

/// Payload bytes that may wait: 640 ms of 64 kbit/s, or four of the largest Opus frames.
pub(super) const BYTES: usize = 5120;
/// Packets that may wait: 640 ms in packets of 10 ms.
pub(super) const PACKETS: usize = 64;

/// What a packet holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    Speech(Codec),
    /// A description of the noise from here on (RFC 3389).
    Noise,
}

/// A packet that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub(super) content: Content,
    /// Its first sample, in samples since the line's beginning.
    pub(super) position: i64,
    /// How many samples it makes.
    pub(super) length: usize,
    /// Its number, without wraps.
    pub(super) sequence: i64,
    start: u16,
    bytes: u16,
}

impl Waiting {
    /// The sample after its last.
    pub(super) fn end(&self) -> i64 {
        self.position + self.length as i64
    }

    /// Where its payload lies.
    fn range(&self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.start) + usize::from(self.bytes)
    }
}

/// What became of a packet that was put on the shelf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Put {
    Taken,
    /// It is there already.
    Twice,
    /// It is larger than all the room there is.
    TooLarge,
}

pub(super) struct Shelf {
    bytes: Box<[u8]>,
    /// Where the next payload is written.
    write: usize,
    waiting: VecDeque<Waiting>,
    evicted: u64,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BYTES].into_boxed_slice(),
            write: 0,
            waiting: VecDeque::with_capacity(PACKETS),
            evicted: 0,
        }
    }

    /// Puts a packet in its place. What was written longest ago gives way.
    pub(super) fn put(
        &mut self,
        content: Content,
        (position, length): (i64, usize),
        sequence: i64,
        payload: &[u8],
    ) -> Put {
        if payload.len() > BYTES / 2 {
            return Put::TooLarge;
        }
        let place = self.waiting.iter().rposition(|other| other.position <= position);
        if let Some(place) = place
            && self.waiting.get(place).is_some_and(|other| other.position == position)
        {
            return Put::Twice;
        }
        let start = self.make_room(payload.len());
        if let Some(into) = self.bytes.get_mut(start..start + payload.len()) {
            into.copy_from_slice(payload);
        }
        // What gave way may have stood before: look again.
        let place = self.waiting.iter().rposition(|other| other.position < position);
        // Both are within BYTES.
        let (start, bytes) = (start as u16, payload.len() as u16);
        let packet = Waiting { content, position, length, sequence, start, bytes };
        self.waiting.insert(place.map_or(0, |before| before + 1), packet);
        Put::Taken
    }

    /// Frees a stretch of the ring, and a place of the list.
    fn make_room(&mut self, bytes: usize) -> usize {
        if self.waiting.is_empty() {
            // What was written last is still near, in the caches.
            self.clear();
        }
        let start = if self.write + bytes > BYTES { 0 } else { self.write };
        self.write = start + bytes;
        let before = self.waiting.len();
        let end = self.write;
        let is_in_the_way =
            |packet: &Waiting| packet.range().start < end && packet.range().end > start;
        if self.waiting.iter().any(is_in_the_way) {
            self.waiting.retain(|packet| !is_in_the_way(packet));
        }
        if self.waiting.len() >= PACKETS {
            self.waiting.pop_front();
        }
        self.evicted += (before - self.waiting.len()) as u64;
        start
    }

    /// Samples of all speech that waits.
    pub(super) fn speech(&self) -> usize {
        let speech = |packet: &&Waiting| matches!(packet.content, Content::Speech(_));
        self.waiting.iter().filter(speech).map(|packet| packet.length).sum()
    }

    /// The packet whose turn is next.
    pub(super) fn first(&self) -> Option<Waiting> {
        self.waiting.front().copied()
    }

    /// The one behind it.
    pub(super) fn second(&self) -> Option<Waiting> {
        self.waiting.get(1).copied()
    }

    /// A waiting packet's payload.
    pub(super) fn payload(&self, packet: &Waiting) -> &[u8] {
        self.bytes.get(packet.range()).unwrap_or_default()
    }

    /// Takes the next packet away.
    pub(super) fn pop(&mut self) {
        self.waiting.pop_front();
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.write = 0;
    }

    /// Packets that gave way to newer ones.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SPEECH: Content = Content::Speech(Codec::Pcmu);

    #[test]
    fn packets_stand_in_the_order_of_their_time_and_each_once() {
        let mut shelf = Shelf::new();
        let mut put = |n: i64| shelf.put(SPEECH, (n * 160, 160), n, &[n as u8; 160]);
        assert_eq!(
            [3, 1, 2, 1, 3].map(&mut put),
            [Put::Taken, Put::Taken, Put::Taken, Put::Twice, Put::Twice]
        );
        for n in 1..=3 {
            let first = shelf.first().unwrap();
            assert_eq!(first.sequence, n);
            assert_eq!(shelf.payload(&first), [n as u8; 160]);
            shelf.pop();
        }
        assert!(shelf.first().is_none());
    }

    #[test]
    fn a_flood_costs_the_oldest_and_no_memory() {
        let mut shelf = Shelf::new();
        for n in 0..100_000_i64 {
            let payload = [n as u8; 1275];
            let bytes = (n * 7919 % 1276) as usize;
            assert_eq!(shelf.put(SPEECH, (n * 160, 160), n, &payload[..bytes]), Put::Taken);
            for packet in &shelf.waiting {
                let expected = packet.sequence as u8;
                assert!(shelf.payload(packet).iter().all(|byte| *byte == expected));
            }
            assert!(shelf.waiting.len() <= PACKETS && shelf.waiting.capacity() < 2 * PACKETS);
        }
        assert_eq!(shelf.evicted() + shelf.waiting.len() as u64, 100_000);
        assert_eq!(shelf.put(SPEECH, (0, 1), 0, &[0; 4000]), Put::TooLarge);
    }
}
