//! Decoded samples: what was heard last, for whoever continues it, and what is heard next.

use crate::pcm::Rate;

/// How much of what was heard is kept: two and a half of the longest pitch periods and a window.
const HISTORY_MS: usize = 50;
/// The longest packet (RFC 6716 §3.2.5), and what may wait before it for time scaling.
const AHEAD_MS: usize = 120 + 70;

pub(super) struct Sound {
    samples: Box<[i16]>,
    /// The next sample to be heard.
    next: usize,
    /// After the last one.
    end: usize,
    history: usize,
}

impl Sound {
    /// With silence as its past.
    pub(super) fn new(rate: Rate) -> Self {
        let history = rate.samples(HISTORY_MS);
        let samples = vec![0; history + rate.samples(AHEAD_MS)].into_boxed_slice();
        Self { samples, next: history, end: history, history }
    }

    /// Samples that are there and not yet heard.
    pub(super) fn ahead(&self) -> usize {
        self.end - self.next
    }

    /// Room for `wanted` samples at the end (or what there is of it), to be kept by
    /// [`Sound::keep`].
    pub(super) fn room(&mut self, wanted: usize) -> &mut [i16] {
        if self.end + wanted > self.samples.len() {
            let from = self.next.saturating_sub(self.history);
            self.samples.copy_within(from..self.end, 0);
            self.next -= from;
            self.end -= from;
        }
        let until = (self.end + wanted).min(self.samples.len());
        self.samples.get_mut(self.end..until).unwrap_or_default()
    }

    /// The first `count` samples of the room are sound now.
    pub(super) fn keep(&mut self, count: usize) {
        self.end = (self.end + count).min(self.samples.len());
    }

    /// The newest samples, heard or not: at least 50 ms.
    pub(super) fn newest(&self) -> &[i16] {
        let from = self.end.saturating_sub(self.history);
        self.samples.get(from..self.end).unwrap_or_default()
    }

    /// What was heard last (50 ms or a little more) and what comes next, as one slice, and where
    /// the second begins in it.
    pub(super) fn around(&mut self) -> (&mut [i16], usize) {
        let from = self.next.saturating_sub(self.history);
        let (end, next) = (self.end, self.next);
        (self.samples.get_mut(from..end).unwrap_or_default(), next - from)
    }

    /// Takes `count` samples out, `offset` samples after the next one.
    pub(super) fn cut(&mut self, offset: usize, count: usize) {
        let from = self.next + offset;
        if from + count <= self.end {
            self.samples.copy_within(from + count..self.end, from);
            self.end -= count;
        }
    }

    /// Makes a hole of `count` samples before the next one; false when there is no room for it.
    pub(super) fn part(&mut self, count: usize) -> bool {
        if self.room(count).len() < count {
            return false;
        }
        self.samples.copy_within(self.next..self.end, self.next + count);
        self.end += count;
        true
    }

    /// Hears what comes next: how much. What is not there is left as it was.
    pub(super) fn hear(&mut self, out: &mut [i16]) -> usize {
        let count = out.len().min(self.ahead());
        let heard = self.samples.get(self.next..self.next + count).unwrap_or_default();
        out.iter_mut().zip(heard).for_each(|(to, from)| *to = *from);
        self.next += count;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_stays_before_what_comes_over_any_number_of_rounds() {
        let mut sound = Sound::new(Rate::Narrow);
        let (mut written, mut heard) = (0_i16, 0_i16);
        for round in 0..1001_usize {
            let count = 100 + round % 150;
            let room = sound.room(count);
            assert_eq!(room.len(), count);
            for sample in room {
                *sample = written;
                written = written.wrapping_add(1);
            }
            sound.keep(count);
            while sound.ahead() >= 160 {
                let mut out = [0; 160];
                sound.hear(&mut out);
                assert_eq!(out[0], heard);
                heard = heard.wrapping_add(160);
            }
            assert_eq!(sound.newest().last(), Some(&written.wrapping_sub(1)));
            assert_eq!(sound.newest().len(), 400);
        }
        let ahead = sound.ahead();
        assert!(ahead > 0);
        let (slice, at) = sound.around();
        assert_eq!(slice[at], heard);
        assert_eq!(slice[at - 1], heard.wrapping_sub(1));
        assert!(sound.part(40));
        assert_eq!(sound.ahead(), ahead + 40);
        sound.cut(0, 40);
        assert_eq!(sound.around().0[at], heard);
    }
}
