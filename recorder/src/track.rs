//! One stream of a channel: where a packet's audio belongs, and the samples that wait.
//!
//! The anchor ties one RTP timestamp to one axis position. It moves only when it must: on another
//! synchronisation source (RFC 3550 §8), on a timestamp that leaps, after packets that keep coming
//! too late, and a period of the voice at a time to follow a sender whose clock is not ours, or
//! whose first packet came late.

use std::ops::Range;

use crate::splice;

/// A timestamp further than this from its arrival is a leap, not jitter (one second).
const LEAP: i64 = 8000;
/// In-order packets that all come after their time was given out, until the anchor moves.
const LATE_IN_A_ROW: u32 = 25;
/// Packets over which the smallest delay is taken before the clock is judged (10 s of 20 ms).
const DRIFT_PACKETS: u32 = 500;
/// Drift in samples that starts a correction (20 ms), which runs to about zero.
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
    /// Samples by which the anchor still has to move, and since how many packets it could not.
    owed: i64,
    waiting: u32,
}

/// One stream's waiting samples and anchor.
#[derive(Debug, Default)]
pub(crate) struct Track {
    anchor: Option<Anchor>,
    /// From the timeline's base on; nothing where nothing was heard.
    waiting: Vec<i16>,
    /// Where in `waiting` something was heard: in order, no two of them adjacent.
    heard: Vec<Range<usize>>,
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
        let offset = position - base;
        let owed = self.anchor.filter(|anchor| anchor.owes(packet)).map_or(0, |anchor| anchor.owed);
        let moved = if owed == 0 { None } else { self.splice(offset, samples, owed) };
        if let Some(anchor) = self.anchor.as_mut().filter(|_| owed != 0) {
            anchor.pay(moved);
        }
        self.write(offset + moved.unwrap_or(0), samples);
    }

    /// Makes room for samples that belong at `offset` to lie earlier or later there, by `owed`
    /// samples or a part of it: gives by how many they shall, if it can be done unheard now.
    fn splice(&mut self, offset: i64, samples: &[i16], owed: i64) -> Option<i64> {
        let at = usize::try_from(offset).ok().filter(|_| !samples.is_empty())?;
        let last = self.heard.last().map_or(0..0, Range::clone);
        if last.end < at {
            // In a pause, at once and whole: but over nothing that was heard.
            let earliest = i64::try_from(last.end).unwrap_or(i64::MAX) - offset;
            return Some(owed.max(earliest)).filter(|moved| *moved != 0);
        }
        if last.end > at {
            return None;
        }
        let most = usize::try_from(owed.unsigned_abs()).unwrap_or(usize::MAX);
        let waiting = self.anchor.map_or(0, |anchor| anchor.waiting);
        let before = self.waiting.get(last.start..at)?;
        let length = splice::length(before, samples, most, waiting)?;
        let (before, next) = (&before[before.len() - length..], &samples[..length]);
        if owed < 0 {
            // They come earlier: both ends are heard at once, one fading into the other.
            let seam = splice::fade(before, next);
            self.waiting[at - length..at].copy_from_slice(&seam);
            return Some(-i64::try_from(length).unwrap_or(0));
        }
        // They come later: before them, what follows anyway fades into what was already heard.
        let seam = splice::fade(next, before);
        self.write(offset, &seam);
        Some(i64::try_from(length).unwrap_or(0))
    }

    /// What was heard from `from` on, counted from the base: each piece with where it begins, less
    /// `from`; no more than `length` samples.
    pub(crate) fn pieces(
        &self,
        from: usize,
        length: usize,
    ) -> impl Iterator<Item = (usize, &[i16])> {
        let end = from + length;
        let inside = self.heard.iter().skip_while(move |range| range.end <= from);
        inside.take_while(move |range| range.start < end).map(move |range| {
            let (first, last) = (range.start.max(from), range.end.min(end));
            (first - from, &self.waiting[first..last])
        })
    }

    /// Forgets the first samples: the base moves on by so many.
    pub(crate) fn forget(&mut self, count: usize) {
        self.waiting.drain(..count.min(self.waiting.len()));
        self.heard.retain_mut(|range| {
            (range.start, range.end) =
                (range.start.saturating_sub(count), range.end.saturating_sub(count));
            range.start < range.end
        });
    }

    /// Whether no sample waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes samples from `offset` (relative to the first waiting) where nothing lies yet.
    fn write(&mut self, offset: i64, samples: &[i16]) {
        let skip = usize::try_from(-offset).unwrap_or(0);
        let from = usize::try_from(offset).unwrap_or(0);
        let Some(samples) = samples.get(skip..).filter(|samples| !samples.is_empty()) else {
            return;
        };
        let end = from + samples.len();
        if self.waiting.len() < end {
            self.waiting.resize(end, 0);
        }
        let first = self.heard.partition_point(|range| range.end < from);
        let (start, mut from, mut at) = (from, from, from);
        let mut after = first;
        while let Some(range) = self.heard.get(after).filter(|range| range.start <= end) {
            if at < range.start {
                self.waiting[at..range.start]
                    .copy_from_slice(&samples[at - start..range.start - start]);
            }
            at = at.max(range.end);
            from = from.min(range.start);
            after += 1;
        }
        if at < end {
            self.waiting[at..end].copy_from_slice(&samples[at - start..]);
        }
        self.heard.splice(first..after, std::iter::once(from..at.max(end)));
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
            waiting: 0,
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
        self.position = position;
        self.judge(delay);
        position
    }

    /// Follows the sender's clock: what the smallest delay of many packets has drifted by, is owed.
    fn judge(&mut self, delay: i64) {
        self.heard += 1;
        self.least_delay = self.least_delay.min(delay);
        if self.heard >= DRIFT_PACKETS {
            if self.owed == 0 && self.least_delay.abs() > DRIFT {
                self.owed = self.least_delay;
            }
            self.heard = 0;
            self.least_delay = i64::MAX;
        }
    }

    /// Whether this packet, the newest, may be where the anchor moves.
    fn owes(&self, packet: Placement) -> bool {
        self.owed != 0 && (self.sequence, self.timestamp) == (packet.sequence, packet.timestamp)
    }

    /// It moved by so much, or not yet. What is too short for a splice is forgiven, and what was
    /// measured on the way to it means nothing.
    fn pay(&mut self, moved: Option<i64>) {
        self.waiting = if moved.is_some() { 0 } else { self.waiting + 1 };
        self.position += moved.unwrap_or(0);
        self.owed -= moved.unwrap_or(0);
        if self.owed.unsigned_abs() < *splice::LENGTHS.start() as u64 {
            self.owed = 0;
        }
        (self.heard, self.least_delay) = (0, i64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    /// What a track is, a sample at a time.
    #[derive(Default)]
    struct Plain(Vec<Option<i16>>);

    impl Plain {
        fn write(&mut self, from: usize, samples: &[i16]) {
            if self.0.len() < from + samples.len() {
                self.0.resize(from + samples.len(), None);
            }
            for (place, sample) in self.0.iter_mut().skip(from).zip(samples) {
                place.get_or_insert(*sample);
            }
        }
    }

    #[test]
    fn pieces_in_any_order_and_over_each_other_lie_as_if_each_sample_was_placed_alone() {
        let mut rng = Rng::from_seed(5);
        for _ in 0..300 {
            let (mut track, mut plain) = (Track::default(), Plain::default());
            for n in 0..40_i16 {
                let (from, length) = (rng.below(60) as usize, 1 + rng.below(9) as usize);
                let samples = vec![n + 1; length];
                track.write(from as i64, &samples);
                plain.write(from, &samples);
                if rng.below(10) == 0 {
                    let count = rng.below(20) as usize;
                    track.forget(count);
                    plain.0.drain(..count.min(plain.0.len()));
                }
                let mut heard = vec![None; plain.0.len()];
                for (at, samples) in track.pieces(3, 50) {
                    heard.iter_mut().skip(3 + at).zip(samples).for_each(|(h, s)| *h = Some(*s));
                }
                let end = plain.0.len().min(53);
                assert_eq!(heard.get(3..end), plain.0.get(3..end));
                assert!(track.heard.is_sorted_by(|one, next| one.end < next.start));
            }
        }
    }
}
