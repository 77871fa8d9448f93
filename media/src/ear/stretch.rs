//! Time scaling: the wait made longer or shorter by whole pitch periods, where nobody hears it.
//!
//! A period is left out by letting it flow into the one that follows, and put in by letting it
//! flow back into the one before it, so that nothing jumps. The same moves serve a wait that
//! should change and a far end whose clock is off ours.

use super::shelf::Content;
use super::{Ear, Heard};
use crate::pcm::{Rate, energy};
use crate::pitch;

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
        let ahead = sound.get(at..).unwrap_or_default();
        let sought = ahead.get(..longest + window).unwrap_or(ahead);
        let pieces = Pieces { sound: sought, window, earlier: false, level, alike };
        let Some(cut) = pieces.best(rate, longest, fits) else { return false };
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
        let sought = sound.get(at.saturating_sub(longest)..at + window).unwrap_or_default();
        let pieces = Pieces { sound: sought, window, earlier: true, level, alike };
        let Some(piece) = pieces.best(rate, longest, |_| true) else { return false };
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

/// A piece of sound, and others that it is compared with.
struct Pieces<'a> {
    /// All of them: the first is compared with later ones, or the last with earlier ones.
    sound: &'a [i16],
    window: usize,
    earlier: bool,
    /// The far end's usual power.
    level: f32,
    alike: f32,
}

impl Pieces<'_> {
    /// The best distance to a piece that is like this one, up to `longest`, if one is good enough.
    fn best(&self, rate: Rate, longest: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let from = if self.earlier { self.sound.len().saturating_sub(self.window) } else { 0 };
        let here = self.sound.get(from..from + self.window)?;
        let shortest = rate.hz() as usize * SHORTEST_US / 1_000_000;
        let step = rate.samples(1) / 4;
        let power = energy(here) / self.window.max(1) as f32;
        let soft = power < (self.level * SOFT).max(STILL);
        if !soft && self.alike >= ONLY_IN_PAUSES {
            // Nothing is: what follows is dear, and this is asked at every tick.
            return None;
        }
        let fine = pitch::search(rate, self.sound, (self.window, self.earlier), &|piece| {
            let lags = (shortest..=longest).step_by(step).filter(|lag| fits(*lag));
            let coarse = piece.best(lags, step)?.period;
            let from = coarse.saturating_sub(step - 1).max(shortest);
            let lags = from..=(coarse + step - 1).min(longest);
            piece.best(lags.filter(|lag| fits(*lag)), 1)
        })?;
        (soft || fine.likeness >= self.alike).then_some(fine.period)
    }
}
