//! One channel of a timeline: its streams, heard together (in a conference there are several).

use std::ops::Range;

use media::StreamId;

use crate::track::{Placement, Track};

/// Samples that are read at once.
pub(crate) const BLOCK: usize = 160;
/// Streams of a channel that are remembered; of more, one with nothing waiting is forgotten.
const MOST: usize = 16;

/// The streams of one channel, and what of it no stream covered.
#[derive(Debug, Default)]
pub(crate) struct Side {
    tracks: Vec<(StreamId, Track)>,
    begun: bool,
    /// Samples not heard since the last one that was, and those known to be gaps.
    unheard: u64,
    gaps: u64,
}

impl Side {
    /// Places one packet's samples; `base` is the axis position of the first sample waiting.
    pub(crate) fn place(
        &mut self,
        base: u64,
        stream: StreamId,
        packet: Placement,
        samples: &[i16],
    ) {
        if let Some((_, track)) = self.tracks.iter_mut().find(|(known, _)| *known == stream) {
            return track.place(base, packet, samples);
        }
        if self.tracks.len() >= MOST
            && let Some(idle) = self.tracks.iter().position(|(_, track)| track.is_empty())
        {
            self.tracks.remove(idle);
        }
        let mut track = Track::default();
        track.place(base, packet, samples);
        self.tracks.push((stream, track));
    }

    /// The samples from `from` on, counted from the base, and silence where nothing was heard, or
    /// was to be (`silent`). To be called once for each sample, in order.
    pub(crate) fn read(
        &mut self,
        from: usize,
        out: &mut [i16; BLOCK],
        length: usize,
        silent: Range<usize>,
    ) {
        let (mut sums, mut heard) = ([0_i32; BLOCK], [false; BLOCK]);
        for (_, track) in &self.tracks {
            for (at, samples) in track.pieces(from, length.min(BLOCK)) {
                let places = &mut sums[at..at + samples.len()];
                places.iter_mut().zip(samples).for_each(|(sum, said)| *sum += i32::from(*said));
                heard[at..at + samples.len()].fill(true);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        let heard = &heard[..length.min(BLOCK)];
        let (Some(unsaid), false) = (out.get_mut(silent.clone()), silent.is_empty()) else {
            return self.count(heard);
        };
        unsaid.fill(0);
        self.count(heard.get(..silent.start).unwrap_or_default());
        // It is no gap, nor is what lies between it and the packets on both sides of it.
        (self.begun, self.unheard) = (false, 0);
        self.count(heard.get(silent.end..).unwrap_or_default());
    }

    /// Forgets the first samples: the base moves on by so many.
    pub(crate) fn forget(&mut self, count: usize) {
        self.tracks.iter_mut().for_each(|(_, track)| track.forget(count));
    }

    fn count(&mut self, heard: &[bool]) {
        for run in heard.chunk_by(|one, next| one == next) {
            if run.first() != Some(&true) {
                self.unheard += run.len() as u64;
                continue;
            }
            if self.begun {
                self.gaps += self.unheard;
            }
            self.begun = true;
            self.unheard = 0;
        }
    }

    /// Samples between the first and the latest heard, of each stretch without a silence that was
    /// to be, that nothing covered.
    pub(crate) fn gap_samples(&self) -> u64 {
        self.gaps
    }
}
