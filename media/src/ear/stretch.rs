//! Time scaling: the wait made longer or shorter by whole pitch periods, where nobody hears it.
//!
//! A period is left out by letting it flow into the one that follows, and put in by letting it
//! flow back into the one before it, so that nothing jumps. The same moves serve a wait that
//! should change and a far end whose clock is off ours.

use super::shelf::Content;
use super::{Ear, Heard};
use crate::conceal::{self, Pitch};
use crate::pcm::energy;

/// Shortest and longest piece that is put in or left out.
const SHORTEST_US: usize = 2500;
const LONGEST_MS: usize = 15;
/// How much of two pieces is compared.
const WINDOW_MS: usize = 10;
/// Beyond what is aimed at, the wait is left as it is so far.
const SLACK_MS: i64 = 8;
/// Between two moves, when there is no hurry.
const PAUSE_MS: i64 = 200;
/// Between two moves in any case.
const SHORT_PAUSE_MS: i64 = 40;
/// After looking in vain the pause doubles so many times; too long a wait is not urgent.
const MOST_PATIENCE: u8 = 2;
/// A wait off by this is a hurry.
const HURRY_MS: i64 = 40;
/// A wait too long by this is shortened by leaving packets out.
const TOO_LONG_MS: i64 = 300;
/// A wait too long by less than this is seen to in pauses of speech only.
const CALM_MS: i64 = 16;
/// How alike two pieces must be: nothing is so in calm, less in a hurry.
const ONLY_IN_PAUSES: f32 = 2.0;
const ALIKE: f32 = 0.9;
const ALIKE_IN_HURRY: f32 = 0.5;
/// What is softer than speech by this factor of power, or than this power, may be cut anywhere.
const SOFT: f32 = 1.0 / 1000.0;
const STILL: f32 = 40.0 * 40.0;

impl Ear {
    /// Looks whether the wait is what it should be, and moves it a piece.
    pub(super) fn regulate(&mut self, t: i64) {
        if !self.playing || self.concealer.is_active() || self.debt > 0 {
            return;
        }
        let ms = self.rate.samples(1) as i64;
        let target = self.lateness.target();
        let wait = t - (self.next - self.sound.ahead() as i64);
        let over = wait - target;
        if over > TOO_LONG_MS * ms {
            return self.leap(t - target);
        }
        let least = over - self.phase(self.sound.ahead());
        let need = if least < 0 { least } else { over - SLACK_MS * ms };
        let since = t - self.stretched_at;
        let hurry = need.abs() > HURRY_MS * ms;
        let calm = need.abs() < CALM_MS * ms;
        let pause = if hurry || calm { SHORT_PAUSE_MS } else { PAUSE_MS };
        if since < pause * ms {
            return;
        }
        let alike = match need.abs() / ms {
            0..CALM_MS if need > 0 => ONLY_IN_PAUSES,
            0..HURRY_MS => ALIKE,
            _ => ALIKE_IN_HURRY,
        };
        let moved = if least < 0 {
            self.lengthen(alike)
        } else if need > 0 {
            self.shorten(over, alike)
        } else {
            false
        };
        if moved {
            (self.stretched_at, self.vain) = (t, 0);
        } else if alike < ONLY_IN_PAUSES {
            // What follows at the very next tick is hardly more alike, and looking is dear.
            let again = SHORT_PAUSE_MS << if need > 0 { self.vain.min(MOST_PATIENCE) } else { 0 };
            self.vain = self.vain.saturating_add(1);
            self.stretched_at = t - (pause - again.min(pause)) * ms;
        }
    }

    /// How much later than the next tick's first sample a packet can begin and still be needed in
    /// the same tick, with so much sound ahead.
    fn phase(&self, ahead: usize) -> i64 {
        phase(self.rate.per_tick(), self.packet, ahead)
    }

    /// Leaves packets out up to a position.
    fn leap(&mut self, position: i64) {
        while let Some(first) = self.shelf.first() {
            if first.end() > position || self.shelf.second().is_none() {
                break;
            }
            self.shelf.pop();
            self.counts.discarded += 1;
            self.last_sequence = first.sequence;
        }
        let Some(first) = self.shelf.first() else { return };
        if first.position > self.next {
            self.next = first.position;
            self.concealer.begin(self.sound.newest());
        }
    }

    /// Decodes until so much is ahead, as far as it is there.
    fn look_ahead(&mut self, wanted: usize) {
        for _ in 0..8 {
            if self.sound.ahead() >= wanted {
                break;
            }
            let Some(first) = self.shelf.first() else { break };
            let follows = first.position <= self.next && first.end() > self.next;
            if !follows || first.content == Content::Noise {
                break;
            }
            self.shelf_pop(&first);
            if self.decode(&first) != Heard::Speech {
                break;
            }
        }
    }

    fn shorten(&mut self, over: i64, alike: f32) -> bool {
        let window = self.rate.samples(WINDOW_MS);
        let longest = self.rate.samples(LONGEST_MS).min(usize::try_from(over).unwrap_or(0));
        self.look_ahead((2 * longest).max(longest + window));
        let ahead = self.sound.ahead();
        let longest = longest.min(ahead / 2).min(ahead.saturating_sub(window));
        let (tick, packet) = (self.rate.per_tick(), self.packet);
        let fits = |cut: usize| over - cut as i64 - phase(tick, packet, ahead - cut) >= 0;
        let (rate, level) = (self.rate, self.level);
        let (sound, at) = self.sound.around();
        let Some(ahead) = sound.get(at..) else { return false };
        let pieces = Pieces { here: ahead.get(..window).unwrap_or_default(), level, alike };
        let Some(cut) = pieces.best(rate, longest, |lag| ahead.get(lag..lag + window), fits) else {
            return false;
        };
        for n in 0..cut {
            let (from, to) = (i64::from(sound[at + n]), i64::from(sound[at + cut + n]));
            sound[at + cut + n] = flow(from, to, n, cut);
        }
        self.sound.cut(0, cut);
        self.counts.removed += cut as u64;
        true
    }

    fn lengthen(&mut self, alike: f32) -> bool {
        let window = self.rate.samples(WINDOW_MS);
        let longest = self.rate.samples(LONGEST_MS);
        self.look_ahead(longest);
        let ahead = self.sound.ahead();
        if ahead < window {
            return false;
        }
        let longest = longest.min(ahead);
        let level = self.level;
        let rate = self.rate;
        let (sound, at) = self.sound.around();
        let here = sound.get(at..at + window).unwrap_or_default();
        let pieces = Pieces { here, level, alike };
        let earlier = |lag| sound.get(at.checked_sub(lag)?..)?.get(..window);
        let Some(piece) = pieces.best(rate, longest, earlier, |_| true) else { return false };
        if !self.sound.part(piece) {
            return false;
        }
        let (sound, at) = self.sound.around();
        for n in 0..piece {
            let (from, to) = (i64::from(sound[at + piece + n]), i64::from(sound[at - piece + n]));
            sound[at + n] = flow(from, to, n, piece);
        }
        self.counts.inserted += piece as u64;
        true
    }
}

/// See [`Ear::phase`].
fn phase(tick: usize, packet: usize, ahead: usize) -> i64 {
    (0..4).map(|n| (ahead + n * packet) % tick).max().unwrap_or(0) as i64
}

/// Sample `n` of a crossfade over `whole` samples.
fn flow(from: i64, to: i64, n: usize, whole: usize) -> i16 {
    let (part, whole) = (n as i64 + 1, whole as i64 + 1);
    ((from * (whole - part) + to * part) / whole) as i16
}

/// A piece of sound that others are compared with.
struct Pieces<'a> {
    here: &'a [i16],
    /// The far end's usual power.
    level: f32,
    alike: f32,
}

impl Pieces<'_> {
    /// The best distance to a piece that is like this one, up to `longest`, if one is good enough.
    fn best<'s>(
        &self,
        rate: crate::pcm::Rate,
        longest: usize,
        piece: impl Fn(usize) -> Option<&'s [i16]>,
        fits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let shortest = rate.hz() as usize * SHORTEST_US / 1_000_000;
        let step = rate.samples(1) / 4;
        let power = energy(self.here) / self.here.len().max(1) as f32;
        let soft = power < (self.level * SOFT).max(STILL);
        if !soft && self.alike >= ONLY_IN_PAUSES {
            // Nothing is: what follows is dear, and this is asked at every tick.
            return None;
        }
        let over = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
            let mut found: Option<Pitch> = None;
            for lag in lags.filter(|lag| fits(*lag)) {
                let Some(other) = piece(lag) else { break };
                let likeness = conceal::likeness(self.here, other, step);
                if found.is_none_or(|found| likeness > found.likeness) {
                    found = Some(Pitch { period: lag, likeness });
                }
            }
            found
        };
        let coarse = over(&mut (shortest..=longest).step_by(step), step)?;
        let from = coarse.period.saturating_sub(step - 1).max(shortest);
        let fine = over(&mut (from..=(coarse.period + step - 1).min(longest)), 1)?;
        (soft || fine.likeness >= self.alike).then_some(fine.period)
    }
}
