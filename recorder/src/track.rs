//! One stream of a channel: where a packet's audio belongs, and the samples that wait.
//!
//! The anchor ties one RTP timestamp to one axis position. It moves only when it must: on another
//! synchronisation source (RFC 3550 §8), on a timestamp that leaps, after packets that keep coming
//! too late, and sample by sample to follow a sender whose clock is not ours.

use std::collections::VecDeque;

/// A timestamp further than this from its arrival is a leap, not jitter (one second).
const LEAP: i64 = 8000;
/// In-order packets that all come after their time was given out, until the anchor moves.
const LATE_IN_A_ROW: u32 = 25;
/// Packets over which the smallest delay is taken before the clock is judged (10 s of 20 ms).
const DRIFT_PACKETS: u32 = 500;
/// Drift in samples that starts a correction (20 ms), which runs to zero, one sample a packet.
const DRIFT: i64 = 160;

/// When and as what a packet came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// Arrival on the recording's axis.
    pub(crate) arrival: i64,
    pub(crate) timestamp: u32,
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
}

/// Where the stream's timestamps lie on the axis.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    sequence: u16,
    position: i64,
    late_in_a_row: u32,
    /// Packets since the clock was judged, and the smallest delay among them.
    heard: u32,
    least_delay: i64,
    /// Samples by which the anchor still has to move.
    owed: i64,
}

/// One stream's waiting samples and anchor.
#[derive(Debug, Default)]
pub(crate) struct Track {
    anchor: Option<Anchor>,
    /// From the timeline's base on; `None` where nothing was heard.
    waiting: VecDeque<Option<i16>>,
}

impl Track {
    /// Places one packet's samples; `base` is the axis position of the first sample waiting.
    pub(crate) fn place(&mut self, base: u64, packet: Placement, samples: &[i16]) {
        let base = i64::try_from(base).unwrap_or(i64::MAX);
        let length = i64::try_from(samples.len()).unwrap_or(0);
        let position = match self.anchor.as_mut() {
            Some(anchor) => anchor.follow(packet, base, length),
            None => {
                self.anchor = Some(Anchor::at(packet));
                packet.arrival
            }
        };
        self.write(position - base, samples);
    }

    /// The next sample in time, where one was heard.
    pub(crate) fn take(&mut self) -> Option<i16> {
        self.waiting.pop_front().flatten()
    }

    /// Whether no sample waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes samples from `offset` (relative to the first waiting) where nothing lies yet. A
    /// single missing sample before them, left by a clock correction, is bridged.
    fn write(&mut self, offset: i64, samples: &[i16]) {
        let skip = usize::try_from(-offset).unwrap_or(0);
        let from = usize::try_from(offset).unwrap_or(0);
        let Some(samples) = samples.get(skip..) else { return };
        if self.waiting.len() < from + samples.len() {
            self.waiting.resize(from + samples.len(), None);
        }
        if from >= 2 && self.waiting[from - 1].is_none() {
            self.waiting[from - 1] = self.waiting[from - 2];
        }
        for (place, sample) in self.waiting.iter_mut().skip(from).zip(samples) {
            place.get_or_insert(*sample);
        }
    }
}

impl Anchor {
    fn at(packet: Placement) -> Self {
        Self {
            ssrc: packet.ssrc,
            timestamp: packet.timestamp,
            sequence: packet.sequence,
            position: packet.arrival,
            late_in_a_row: 0,
            heard: 0,
            least_delay: i64::MAX,
            owed: 0,
        }
    }

    /// The packet's position; moves the anchor where it must.
    fn follow(&mut self, packet: Placement, base: i64, length: i64) -> i64 {
        let step = i64::from(packet.timestamp.wrapping_sub(self.timestamp).cast_signed());
        let position = self.position + step;
        let delay = packet.arrival - position;
        if packet.ssrc != self.ssrc || delay.abs() > LEAP {
            *self = Self::at(packet);
            return packet.arrival;
        }
        let newer = packet.sequence.wrapping_sub(self.sequence).cast_signed() > 0;
        if !newer {
            return position;
        }
        let late = position + length <= base;
        self.late_in_a_row = if late { self.late_in_a_row + 1 } else { 0 };
        if self.late_in_a_row >= LATE_IN_A_ROW {
            *self = Self::at(packet);
            return packet.arrival;
        }
        self.timestamp = packet.timestamp;
        self.sequence = packet.sequence;
        self.position = position + self.correction(delay);
        self.position
    }

    /// Follows the sender's clock: when the smallest delay of many packets has drifted, moves by
    /// one sample a packet until it is back.
    fn correction(&mut self, delay: i64) -> i64 {
        self.heard += 1;
        self.least_delay = self.least_delay.min(delay);
        if self.heard >= DRIFT_PACKETS {
            if self.owed == 0 && self.least_delay.abs() > DRIFT {
                self.owed = self.least_delay;
            }
            self.heard = 0;
            self.least_delay = i64::MAX;
        }
        let step = self.owed.signum();
        self.owed -= step;
        step
    }
}
