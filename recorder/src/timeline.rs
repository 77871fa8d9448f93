//! The timeline of one recording: packets of two channels in, interleaved stereo samples out.
//!
//! Sans-IO. Both channels lie on one axis, samples since the recording's start. A channel's first
//! packet is placed by its arrival, the ones after it by their RTP timestamps (RFC 3550 §5.1), so
//! jitter, reordering, duplicates and loss do not move audio. What was not heard is silence. See
//! [`crate::track`] for the placing.

use std::ops::Range;

use base::{Duration, Instant};
use media::{Channel, StreamId};
use serde::{Deserialize, Serialize};

use crate::side::{BLOCK, Side};
use crate::track::Placement;

/// Samples a second of each channel.
pub const RATE: u64 = 8000;

/// One packet's audio as the timeline takes it.
#[derive(Clone, Copy, Debug)]
pub struct Audio<'a> {
    /// Whose.
    pub channel: Channel,
    /// The stream it came on: those of one channel are heard together.
    pub stream: StreamId,
    /// When it arrived.
    pub at: Instant,
    /// Its RTP timestamp, at 8 kHz.
    pub timestamp: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// Its sender's synchronisation source.
    pub ssrc: u32,
    /// Its samples; empty for a packet that carries no audio (RFC 4733 telephone events), which
    /// stays silent: digits are not recorded.
    pub samples: &'a [i16],
}

/// A stretch of a recording in which nothing was to be recorded: silence of its exact length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Where it begins, from the recording's start.
    pub from_ms: u64,
    /// How long it is.
    pub lasts_ms: u64,
}

/// Pauses of one recording; of more, the ones before are told as one with what lies between.
const MOST_PAUSES: usize = 100;

/// Both channels of a recording, from its start to its end.
pub struct Timeline {
    start: Instant,
    window: u64,
    /// Samples already given out; the axis position of the first one still buffered.
    base: u64,
    left: Side,
    right: Side,
    /// Where nothing is recorded, in order; the last one may have no end yet.
    paused: Vec<Range<u64>>,
}

impl Timeline {
    /// A recording that begins at `start` and waits `window` for packets that overtook each other.
    #[must_use]
    pub fn new(start: Instant, window: Duration) -> Self {
        Self {
            start,
            window: samples_in(window),
            base: 0,
            left: Side::default(),
            right: Side::default(),
            paused: Vec::new(),
        }
    }

    /// Nothing that is said from `at` on is heard: it is silence, until [`Timeline::resume`].
    pub fn pause(&mut self, at: Instant) {
        let from = u64::try_from(self.position(at)).unwrap_or(0).max(self.base);
        let is_full = self.paused.len() >= MOST_PAUSES;
        match self.paused.last_mut() {
            // What is one too many leaves no hole in the silence: it joins the one before.
            Some(last) if last.end >= from || is_full => last.end = u64::MAX,
            _ => self.paused.push(from..u64::MAX),
        }
    }

    /// What is said from `at` on is heard again.
    pub fn resume(&mut self, at: Instant) {
        let until = u64::try_from(self.position(at)).unwrap_or(0);
        if let Some(last) = self.paused.last_mut().filter(|last| last.end == u64::MAX) {
            last.end = until.max(last.start);
        }
    }

    /// Whether what arrives at that time is not to be heard.
    #[must_use]
    pub fn is_paused(&self, at: Instant) -> bool {
        let at = u64::try_from(self.position(at)).unwrap_or(0);
        self.paused.iter().rev().any(|paused| paused.contains(&at))
    }

    /// Where nothing was to be recorded, of what was given out so far.
    #[must_use]
    pub fn pauses(&self) -> Vec<Pause> {
        let millis = |samples: u64| samples * 1000 / RATE;
        let of = |paused: &Range<u64>| Pause {
            from_ms: millis(paused.start),
            lasts_ms: millis(paused.end.min(self.base).saturating_sub(paused.start)),
        };
        self.paused.iter().filter(|paused| paused.start < self.base).map(of).collect()
    }

    /// Places one packet. Its audio is dropped where its time was already given out, and where
    /// another packet lies already.
    pub fn push(&mut self, audio: &Audio<'_>) {
        let arrival = self.position(audio.at);
        let base = self.base;
        let side = match audio.channel {
            Channel::Left => &mut self.left,
            Channel::Right => &mut self.right,
        };
        let placement = Placement {
            arrival,
            timestamp: audio.timestamp,
            sequence: audio.sequence,
            ssrc: audio.ssrc,
        };
        side.place(base, audio.stream, placement, audio.samples);
    }

    /// Appends to `out` (left, right, left, ...) the samples whose reordering window has passed.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<i16>) {
        let until = self.position(now) - i64::try_from(self.window).unwrap_or(0);
        self.emit(u64::try_from(until).unwrap_or(0), out);
    }

    /// Ends the recording: appends everything up to `end`, exactly its duration in samples (unless
    /// [`Timeline::poll`] was called with a later time).
    pub fn finish(&mut self, end: Instant, out: &mut Vec<i16>) {
        self.emit(u64::try_from(self.position(end)).unwrap_or(0), out);
    }

    /// Samples given out so far, each of two channels.
    #[must_use]
    pub fn emitted(&self) -> u64 {
        self.base
    }

    /// Milliseconds of each channel (left, right) between its first and its latest packet that no
    /// packet covered.
    #[must_use]
    pub fn gaps_ms(&self) -> [u64; 2] {
        [self.left.gap_samples() * 1000 / RATE, self.right.gap_samples() * 1000 / RATE]
    }

    fn emit(&mut self, until: u64, out: &mut Vec<i16>) {
        let count = usize::try_from(until.saturating_sub(self.base)).unwrap_or(0);
        let start = out.len();
        out.resize(start + 2 * count, 0);
        let (pairs, _) = out[start..].as_chunks_mut::<2>();
        let (mut left, mut right) = ([0; BLOCK], [0; BLOCK]);
        for (n, pairs) in pairs.chunks_mut(BLOCK).enumerate() {
            let silent = self.silent(self.base + (n * BLOCK) as u64, pairs.len());
            self.left.read(n * BLOCK, &mut left, pairs.len(), silent.clone());
            self.right.read(n * BLOCK, &mut right, pairs.len(), silent);
            for (pair, (left, right)) in pairs.iter_mut().zip(left.iter().zip(&right)) {
                *pair = [*left, *right];
            }
        }
        self.left.forget(count);
        self.right.forget(count);
        self.base += count as u64;
    }

    /// Which of the `length` samples from `from` on lie in a pause: of two pauses in one block, all
    /// between them as well.
    fn silent(&self, from: u64, length: usize) -> Range<usize> {
        let end = from + length as u64;
        let inside = self.paused.iter().filter(|one| one.start < end && from < one.end);
        let places = inside.map(|one| {
            let place = |at: u64| usize::try_from(at.clamp(from, end) - from).unwrap_or(0);
            place(one.start)..place(one.end)
        });
        places.reduce(|one, next| one.start..next.end).unwrap_or(0..0)
    }

    /// Where on the axis a time lies; before the start it is negative.
    fn position(&self, at: Instant) -> i64 {
        let (ahead, behind) = (at.since(self.start), self.start.since(at));
        let count = |length| i64::try_from(samples_in(length)).unwrap_or(i64::MAX);
        count(ahead) - count(behind)
    }
}

/// Whole samples of one channel in `length`.
#[must_use]
pub fn samples_in(length: Duration) -> u64 {
    u64::try_from(length.as_nanos() * u128::from(RATE) / 1_000_000_000).unwrap_or(u64::MAX)
}
