//! The tap: what far ends say, copied into a bounded ring for the recorder.
//!
//! One single-producer single-consumer ring per worker. Begin and End travel in the same ring, so
//! that order holds; audio that finds no room is dropped and counted, never waited for. A sixteenth
//! of the ring is kept for Begin and End, and what even that cannot hold waits in the sender.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::Instant;

use crate::{Codec, StreamId};

/// Payload bytes in one frame: 30 ms of G.711. A longer packet comes in several.
pub const FRAME_BYTES: usize = 240;

/// One recording's tap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TapId(pub u64);

/// A side of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Channel {
    /// The caller.
    Left,
    /// The agent.
    Right,
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// The channel begins: its audio may follow.
    Begin,
    /// Audio.
    Audio,
    /// The channel ends: none follows.
    End,
}

/// A frame of the ring, of fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Which recording.
    pub tap: TapId,
    /// Which of its channels.
    pub channel: Channel,
    /// Begin, audio or end.
    pub kind: FrameKind,
    /// Whose audio it is: several streams may speak on one channel.
    pub stream: StreamId,
    /// When it arrived.
    pub at: Instant,
    /// RTP timestamp of the packet, on the codec's clock.
    pub timestamp: u32,
    /// RTP sequence number. A packet longer than a frame comes as several frames of one number,
    /// one after the other: all of them, or none.
    pub sequence: u16,
    /// The far end's SSRC: when it changes, timestamps and sequence numbers start anew.
    pub ssrc: u32,
    /// How the payload is coded.
    pub codec: Codec,
    /// The RTP marker bit: a talkspurt starts here.
    pub marker: bool,
    /// Audio frames of this channel that were dropped before this one, since Begin.
    pub dropped: u32,
    /// Bytes of the whole packet's payload, and where in it this frame's part begins.
    pub total: u16,
    /// See `total`.
    pub offset: u16,
    /// Bytes of `payload` that are used.
    pub len: u16,
    /// The payload, or a part of it, as the far end coded it.
    pub payload: [u8; FRAME_BYTES],
}

impl Frame {
    /// A Begin or End.
    #[must_use]
    pub const fn control(tap: TapId, channel: Channel, kind: FrameKind, at: Instant) -> Self {
        Self {
            tap,
            channel,
            kind,
            stream: StreamId(0),
            at,
            timestamp: 0,
            sequence: 0,
            ssrc: 0,
            codec: Codec::Pcmu,
            marker: false,
            dropped: 0,
            total: 0,
            offset: 0,
            len: 0,
            payload: [0; FRAME_BYTES],
        }
    }

    /// The payload, or the part of it.
    #[must_use]
    pub fn audio(&self) -> &[u8] {
        self.payload.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A ring for `capacity` frames (at least 32); see [`Frame`] for their size.
#[must_use]
pub fn ring(capacity: usize) -> (TapSender, TapReceiver) {
    let capacity = capacity.max(32);
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let waiting = VecDeque::with_capacity(64);
    let sender =
        TapSender { producer, reserve: capacity / 16, waiting, dropped: Arc::clone(&dropped) };
    (sender, TapReceiver { consumer, dropped })
}

/// The worker's end.
pub struct TapSender {
    producer: rtrb::Producer<Frame>,
    /// Places that only Begin and End may take.
    reserve: usize,
    /// Begin and End that found no room: at most two for each tapped stream.
    waiting: VecDeque<Frame>,
    dropped: Arc<AtomicU64>,
}

impl TapSender {
    /// Puts a packet's payload in, in as many frames as it takes, or nothing of it. The frame says
    /// all but the payload. False when there was no room: it is dropped and counted.
    pub fn push_packet(&mut self, head: &Frame, payload: &[u8]) -> bool {
        self.flush();
        let frames = payload.len().div_ceil(FRAME_BYTES);
        let total = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        if !self.waiting.is_empty() || self.producer.slots() < self.reserve + frames {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        for (n, part) in payload.chunks(FRAME_BYTES).enumerate() {
            let offset = (n * FRAME_BYTES) as u16;
            let mut frame = Frame { total, offset, len: part.len() as u16, ..*head };
            frame.payload.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            if !self.push_audio(frame) {
                return false;
            }
        }
        true
    }

    /// Puts an audio frame in. False when there was no room and it was dropped and counted.
    pub fn push_audio(&mut self, frame: Frame) -> bool {
        self.flush();
        let fits = self.waiting.is_empty() && self.producer.slots() > self.reserve;
        if fits && self.producer.push(frame).is_ok() {
            return true;
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Puts a Begin or End in, at the latest when there is room again.
    pub fn push_control(&mut self, frame: Frame) {
        self.waiting.push_back(frame);
        self.flush();
    }

    /// Moves what waits into the ring. False when some still waits: call again soon.
    pub fn flush(&mut self) -> bool {
        while let Some(frame) = self.waiting.front() {
            if self.producer.is_full() || self.producer.push(*frame).is_err() {
                return false;
            }
            self.waiting.pop_front();
        }
        true
    }
}

/// The recorder's end.
pub struct TapReceiver {
    consumer: rtrb::Consumer<Frame>,
    dropped: Arc<AtomicU64>,
}

impl TapReceiver {
    /// The next frame, if there is one.
    pub fn pop(&mut self) -> Option<Frame> {
        self.consumer.pop().ok()
    }

    /// Gives all frames that wait now to `each`, in order, where they lie. What comes meanwhile
    /// waits for the next call.
    pub fn take(&mut self, each: impl FnMut(&Frame)) {
        let Ok(chunk) = self.consumer.read_chunk(self.consumer.slots()) else { return };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(each);
        chunk.commit_all();
    }

    /// How many frames wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.consumer.slots()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }

    /// Whether the worker is gone; what waits can still be read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }

    /// Audio frames dropped since the ring was made.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(sequence: u16) -> Frame {
        let mut frame = Frame::control(TapId(1), Channel::Left, FrameKind::Audio, Instant::ZERO);
        frame.sequence = sequence;
        frame
    }

    #[test]
    fn a_packet_of_opus_at_its_longest_comes_whole_or_not_at_all() {
        let (mut sender, mut receiver) = ring(32);
        let payload: Vec<u8> = (0..1275_u32).map(|n| (n % 251) as u8).collect();
        let mut packets = 0;
        while sender.push_packet(&audio(packets), &payload) {
            packets += 1;
        }
        assert_eq!((packets, receiver.dropped()), (5, 1), "six frames each, two places kept");
        for sequence in 0..5 {
            let mut whole = Vec::new();
            for _ in 0..6 {
                let frame = receiver.pop().unwrap();
                assert_eq!((frame.sequence, frame.total), (sequence, 1275));
                assert_eq!(usize::from(frame.offset), whole.len());
                whole.extend_from_slice(frame.audio());
            }
            assert!(whole == payload);
        }
        assert!(receiver.is_empty());
        assert!(size_of::<Frame>() <= 312, "{}", size_of::<Frame>());
    }

    #[test]
    fn a_full_ring_drops_and_counts_audio_and_still_takes_the_end_in_order() {
        let (mut sender, mut receiver) = ring(32);
        let taken = (0..100).filter(|n| sender.push_audio(audio(*n))).count();
        assert_eq!(taken, 30, "two places are kept for Begin and End");
        assert_eq!(receiver.dropped(), 70);
        for _ in 0..5 {
            sender.push_control(Frame::control(
                TapId(1),
                Channel::Left,
                FrameKind::End,
                Instant::ZERO,
            ));
        }
        assert!(!sender.flush(), "three Ends wait in the sender");
        assert!(!sender.push_audio(audio(100)), "audio never overtakes an End");
        let first: Vec<_> = std::iter::from_fn(|| receiver.pop()).map(|f| f.kind).collect();
        assert_eq!(first.iter().filter(|k| **k == FrameKind::Audio).count(), 30);
        assert_eq!(first.iter().filter(|k| **k == FrameKind::End).count(), 2);
        assert!(sender.flush());
        assert_eq!(std::iter::from_fn(|| receiver.pop()).count(), 3);
    }
}
