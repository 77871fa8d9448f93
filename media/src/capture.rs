//! Captures: the datagrams of a stream, both ways and in the clear, copied into a bounded ring for
//! whoever makes a file of them.
//!
//! One single-producer single-consumer ring a worker, as the tap has: what finds no room is dropped
//! and counted, never waited for. Nothing of it costs anything while nothing is captured.

use std::net::SocketAddr;

use base::Instant;

use crate::StreamId;

/// One capture, of one stream or several.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CaptureId(pub u64);

/// What is captured of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaptureOrder {
    /// Which capture it belongs to.
    pub capture: CaptureId,
    /// Our RTP address as the far end knows it; RTCP has the port above.
    pub local: SocketAddr,
    /// What the far end sends.
    pub received: bool,
    /// What it is sent.
    pub sent: bool,
    /// Whole packets; else of RTP the header alone.
    pub payload: bool,
}

/// A datagram that was captured, without its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Captured {
    /// Of which capture.
    pub capture: CaptureId,
    /// Of which stream.
    pub stream: StreamId,
    /// When it came or went.
    pub at: Instant,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its length in bytes, in the clear.
    pub length: usize,
    /// How many of them were kept: all, or a header.
    pub kept: usize,
    /// Datagrams of the stream that had found no room in the ring before this one.
    pub dropped: u32,
    /// The stream's capture is over: this is no datagram.
    pub is_end: bool,
}

/// The bytes of a datagram behind its header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// As they are.
    Plain(&'a [u8]),
    /// So many of one value in their place.
    Masked(usize, u8),
    /// That many, of which none is kept.
    Left(usize),
}

impl Body<'_> {
    fn length(self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Masked(length, _) | Self::Left(length) => length,
        }
    }

    fn kept(self) -> usize {
        if matches!(self, Self::Left(_)) { 0 } else { self.length() }
    }
}

/// A ring for so many datagrams (at least 32) of so many bytes together.
#[must_use]
pub fn ring(datagrams: usize, bytes: usize) -> (CaptureSender, CaptureReceiver) {
    let datagrams = datagrams.max(32);
    let (heads, heads_out) = rtrb::RingBuffer::new(datagrams);
    let (bytes, bytes_out) = rtrb::RingBuffer::new(bytes);
    let sender = CaptureSender { heads, bytes, reserve: datagrams / 16 };
    (sender, CaptureReceiver { heads: heads_out, bytes: bytes_out })
}

/// The worker's end.
pub struct CaptureSender {
    heads: rtrb::Producer<Captured>,
    bytes: rtrb::Producer<u8>,
    /// Places that only ends may take.
    reserve: usize,
}

impl CaptureSender {
    /// Puts a datagram in, its lengths counted here. False when there is no room for it.
    pub(crate) fn push(&mut self, head: Captured, header: &[u8], body: Body<'_>) -> bool {
        let kept = header.len() + body.kept();
        if self.heads.slots() <= self.reserve {
            return false;
        }
        let Ok(mut chunk) = self.bytes.write_chunk(kept) else { return false };
        let (first, second) = chunk.as_mut_slices();
        let (plain, fill) = match body {
            Body::Plain(bytes) => (bytes, 0),
            Body::Masked(_, fill) => (&[][..], fill),
            Body::Left(_) => (&[][..], 0),
        };
        let bytes = header.iter().chain(plain).copied().chain(std::iter::repeat(fill));
        first.iter_mut().chain(second).zip(bytes).for_each(|(place, byte)| *place = byte);
        chunk.commit_all();
        let length = header.len() + body.length();
        self.heads.push(Captured { length, kept, ..head }).is_ok()
    }

    /// Says that a stream's capture is over.
    pub(crate) fn push_end(&mut self, head: Captured) {
        // Where not even this finds room, nobody reads.
        let _ = self.heads.push(Captured { length: 0, kept: 0, is_end: true, ..head });
    }
}

/// The reader's end.
pub struct CaptureReceiver {
    heads: rtrb::Consumer<Captured>,
    bytes: rtrb::Consumer<u8>,
}

impl CaptureReceiver {
    /// The next datagram, if there is one; its bytes take the place of what `into` held.
    pub fn pop(&mut self, into: &mut Vec<u8>) -> Option<Captured> {
        let head = self.heads.pop().ok()?;
        into.clear();
        if let Ok(chunk) = self.bytes.read_chunk(head.kept) {
            let (first, second) = chunk.as_slices();
            into.extend_from_slice(first);
            into.extend_from_slice(second);
            chunk.commit_all();
        }
        Some(head)
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Whether the worker is gone; what waits can still be read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.heads.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(dropped: u32) -> Captured {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        Captured {
            capture: CaptureId(1),
            stream: StreamId(1),
            at: Instant::ZERO,
            from: nobody,
            to: nobody,
            length: 0,
            kept: 0,
            dropped,
            is_end: false,
        }
    }

    #[test]
    fn datagrams_come_out_as_they_went_in_round_and_round_the_ring() {
        let (mut sender, mut receiver) = ring(32, 1000);
        let mut bytes = Vec::new();
        for n in 0..500_u32 {
            let payload = vec![(n % 251) as u8 + 1; (n % 300) as usize];
            assert!(sender.push(head(n), &[1, 2, 3], Body::Plain(&payload)));
            assert!(sender.push(head(n), &[4], Body::Masked(20, 0xff)));
            assert!(sender.push(head(n), &[5], Body::Left(160)));
            let first = receiver.pop(&mut bytes).unwrap();
            assert_eq!((first.dropped, first.length, first.kept), (n, bytes.len(), bytes.len()));
            assert_eq!((&bytes[..3], &bytes[3..]), (&[1, 2, 3][..], &payload[..]));
            receiver.pop(&mut bytes).unwrap();
            assert_eq!(bytes, [&[4][..], &[0xff; 20]].concat());
            let third = receiver.pop(&mut bytes).unwrap();
            assert_eq!((third.length, third.kept, &bytes[..]), (161, 1, &[5][..]));
        }
        assert!(receiver.is_empty());
    }

    #[test]
    fn what_finds_no_room_is_left_out_whole_and_an_end_still_fits() {
        let (mut sender, mut receiver) = ring(32, 1000);
        let taken = (0..9).filter(|n| sender.push(head(*n), &[0; 12], Body::Plain(&[7; 160])));
        assert_eq!(taken.count(), 5, "five times 172 bytes");
        let small = (0..100).filter(|n| sender.push(head(*n), &[0; 1], Body::Left(0))).count();
        assert_eq!(small, 25, "two of the 32 places are kept");
        sender.push_end(head(11));
        let mut bytes = Vec::new();
        let all: Vec<_> = std::iter::from_fn(|| receiver.pop(&mut bytes)).collect();
        assert_eq!(all.len(), 31);
        assert!(all[30].is_end && all[30].dropped == 11);
    }
}
