//! The caller's batch of datagrams to send: fixed in size, reused for ever.

use std::net::SocketAddr;

use crate::{Port, Slot};

/// The longest datagram that is received or sent, in bytes.
pub const MAX_DATAGRAM: usize = 1500;

/// One datagram of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    /// The stream to send from.
    pub slot: Slot,
    /// Which of its sockets.
    pub port: Port,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: &'a [u8],
}

struct Entry {
    slot: Slot,
    port: Port,
    to: SocketAddr,
    start: usize,
    end: usize,
}

/// Datagrams to send. Allocated once: a full batch refuses more, and the plane keeps what is due.
pub struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    capacity: usize,
}

impl Batch {
    /// The fewest datagrams a batch has room for.
    pub const MIN_CAPACITY: usize = 16;

    /// Room for `capacity` datagrams (at least [`Batch::MIN_CAPACITY`]).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(Self::MIN_CAPACITY);
        // What is written too long is only found out afterwards.
        let bytes = Vec::with_capacity((capacity + 1) * MAX_DATAGRAM);
        Self { entries: Vec::with_capacity(capacity), bytes, capacity }
    }

    /// Datagrams that still fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity - self.entries.len()
    }

    /// How many it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all, keeps the room.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    /// The datagrams, in the order to send them.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.entries.iter().map(|entry| Datagram {
            slot: entry.slot,
            port: entry.port,
            to: entry.to,
            bytes: self.bytes.get(entry.start..entry.end).unwrap_or_default(),
        })
    }

    /// Copies a datagram in. False when it is full or the datagram longer than [`MAX_DATAGRAM`].
    pub fn push(&mut self, slot: Slot, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        self.push_with(slot, port, to, |into| {
            into.extend_from_slice(bytes);
            true
        })
    }

    /// Lets `write` append a datagram of at most [`MAX_DATAGRAM`] bytes in place, or say that there
    /// is none after all.
    pub(crate) fn push_with(
        &mut self,
        slot: Slot,
        port: Port,
        to: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        if self.room() == 0 {
            return false;
        }
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        let end = self.bytes.len();
        if !written || end - start > MAX_DATAGRAM {
            self.bytes.truncate(start);
            return false;
        }
        self.entries.push(Entry { slot, port, to, start, end });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_refuses_and_keeps_what_it_has() {
        let mut batch = Batch::new(16);
        let slot = Slot { index: 1, generation: 2 };
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        for n in 0..16_u8 {
            assert!(batch.push(slot, Port::Rtp, to, &[n; 3]));
        }
        assert!(!batch.push(slot, Port::Rtp, to, b"late"));
        assert!(
            batch.iter().enumerate().all(|(n, d)| d.bytes.iter().all(|b| usize::from(*b) == n))
        );
        batch.clear();
        assert!(!batch.push(slot, Port::Rtp, to, &[0; MAX_DATAGRAM + 1]));
        assert!(batch.is_empty());
        assert_eq!(Slot::from_u64(slot.as_u64()), slot);
    }
}
