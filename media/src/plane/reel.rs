//! What plays: sounds one after the other, read on across their seams, exact to the sample.

use std::sync::Arc;

use crate::pcm::Rate;
use crate::{Codec, G711, Prompt};

/// Where it stands in its sounds.
#[derive(Debug)]
pub(super) struct Reel {
    sounds: Arc<[Arc<Prompt>]>,
    looped: bool,
    rate: Rate,
    /// The sound that is read.
    at: usize,
    /// Its next sample, at 8 kHz.
    position: usize,
}

impl Reel {
    pub(super) fn new(sounds: Arc<[Arc<Prompt>]>, looped: bool) -> Self {
        let rate = sounds.iter().map(|sound| sound.rate()).min().unwrap_or(Rate::Narrow);
        Self { sounds, looped, rate, at: 0, position: 0 }
    }

    /// The rate that all of its sounds have.
    #[allow(dead_code, reason = "for far ends that are sent other codecs than G.711")]
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether its last sample has been read. One that is looped never ends, unless there is
    /// nothing in it.
    pub(super) fn is_over(&self) -> bool {
        let mut rest = self.sounds.iter().skip(self.at);
        rest.all(|sound| sound.samples() == 0) && !self.begins_again()
    }

    /// Whether it goes round and round: music.
    pub(super) fn is_endless(&self) -> bool {
        self.begins_again()
    }

    /// Appends the next `samples` as a law's codes: the next sounds', then quiet.
    pub(super) fn read_codes(&mut self, law: G711, samples: usize, into: &mut Vec<u8>) {
        let codec = match law {
            G711::Pcmu => Codec::Pcmu,
            G711::Pcma => Codec::Pcma,
        };
        let end = into.len() + samples;
        while let Some((sound, from, length)) = self.advance(end - into.len()) {
            let part = sound.encoded(codec).get(from..from + length).unwrap_or_default();
            into.extend_from_slice(part);
        }
        into.resize(end, law.silence());
    }

    #[allow(dead_code, reason = "for far ends that are sent other codecs than G.711")]
    /// Fills a whole number of milliseconds at [`Reel::rate`]: with the next sounds, then quiet.
    pub(super) fn read_pcm(&mut self, out: &mut [i16]) {
        let scale = self.rate.samples(1) / Rate::Narrow.samples(1);
        let mut filled = 0;
        while let Some((sound, from, length)) = self.advance((out.len() - filled) / scale) {
            let part = sound.pcm(self.rate).iter().skip(from * scale).take(length * scale);
            for (to, sample) in out.iter_mut().skip(filled).zip(part) {
                *to = *sample;
            }
            filled += length * scale;
        }
        out.iter_mut().skip(filled).for_each(|sample| *sample = 0);
    }

    /// Without being read: what nobody hears goes on all the same.
    pub(super) fn skip(&mut self, mut samples: usize) {
        while let Some((_, _, length)) = self.advance(samples) {
            samples -= length;
        }
    }

    /// Goes on by up to so many samples at 8 kHz of one sound: which, from where, how many. `None`
    /// when none are wanted or none are left.
    fn advance(&mut self, wanted: usize) -> Option<(Arc<Prompt>, usize, usize)> {
        if wanted == 0 || self.is_over() {
            return None;
        }
        loop {
            let Some(sound) = self.sounds.get(self.at) else {
                self.at = 0;
                continue;
            };
            let (from, rest) = (self.position, sound.samples() - self.position);
            let length = rest.min(wanted);
            let sound = Arc::clone(sound);
            if length == rest {
                (self.at, self.position) = (self.at + 1, 0);
            } else {
                self.position += length;
            }
            if length > 0 {
                return Some((sound, from, length));
            }
        }
    }

    fn begins_again(&self) -> bool {
        self.looped && self.sounds.iter().any(|sound| sound.samples() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(pcm: &[i16]) -> Arc<Prompt> {
        Arc::new(Prompt::from_pcm(pcm))
    }

    #[test]
    fn samples_are_read_across_seams_and_round_a_loop() {
        let sounds = [sound(&[1, 2, 3]), sound(&[]), sound(&[4, 5])];
        let mut reel = Reel::new(Arc::from(sounds.clone()), true);
        let mut out = [0; 16];
        reel.read_pcm(&mut out);
        assert_eq!(out, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1]);
        reel.skip(3);
        reel.read_pcm(&mut out[..3]);
        assert_eq!(out[..3], [5, 1, 2]);
        assert!(!reel.is_over());
        let mut reel = Reel::new(Arc::from(sounds), false);
        reel.read_pcm(&mut out);
        assert_eq!(out, [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(reel.is_over());
    }
}
