//! What reception came to, in figures; and how far the far end's clock is off ours.

use base::{Duration, Instant};

use crate::pcm::Rate;

/// What reception of a far end came to since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EarFigures {
    /// How long speech waits in the buffer, smoothed over about two seconds.
    pub delay: Duration,
    /// How long the slowest hundredth of packets makes the others wait: what `delay` moves to.
    pub target: Duration,
    /// Packets taken in, without those that came twice.
    pub packets: u64,
    /// Packets that came after what stands for them was heard.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets dropped because too much waited, or because they were far from their line of time.
    pub discarded: u64,
    /// Packets whose payload could not be read.
    pub unreadable: u64,
    /// Sound that was made up for what was missing.
    pub concealed: Duration,
    /// Sound of lost packets that came a second time, in a later one (Opus).
    pub recovered: Duration,
    /// Sound that was heard as it was said.
    pub speech: Duration,
    /// Sound put in to wait longer.
    pub inserted: Duration,
    /// Sound left out to wait less.
    pub removed: Duration,
    /// How much slower (positive) or faster the far end's clock runs than ours, in parts per
    /// million; 0 until it is known.
    pub skew_ppm: i32,
}

/// The counting behind [`EarFigures`], in samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) packets: u64,
    pub(super) late: u64,
    pub(super) duplicates: u64,
    pub(super) discarded: u64,
    pub(super) unreadable: u64,
    pub(super) concealed: u64,
    pub(super) recovered: u64,
    pub(super) speech: u64,
    pub(super) inserted: u64,
    pub(super) removed: u64,
    pub(super) lines: u64,
    /// Sixteenths of a sample.
    delay: i64,
}

impl Counts {
    /// A tick was heard whose first sample had waited so long after the fast packets.
    pub(super) fn note_delay(&mut self, wait: i64) {
        if self.delay == 0 {
            self.delay = wait * 64;
        }
        self.delay += wait - self.delay / 64;
    }

    pub(super) fn figures(&self, rate: Rate, target: i64, evicted: u64, skew: &Skew) -> EarFigures {
        let span =
            |samples: u64| Duration::from_micros(samples * 1000 / (u64::from(rate.hz()) / 1000));
        let positive = |samples: i64| u64::try_from(samples).unwrap_or(0);
        EarFigures {
            delay: span(positive(self.delay / 64)),
            target: span(positive(target)),
            packets: self.packets,
            late: self.late,
            duplicates: self.duplicates,
            discarded: self.discarded + evicted,
            unreadable: self.unreadable,
            concealed: span(self.concealed),
            recovered: span(self.recovered),
            speech: span(self.speech),
            inserted: span(self.inserted),
            removed: span(self.removed),
            skew_ppm: skew.ppm(),
        }
    }
}

/// Stretches of time whose fastest packets are compared.
const STRETCHES: usize = 16;
const STRETCH: Duration = Duration::from_secs(4);
/// Stretches that must be known.
const ENOUGH: usize = 4;

/// The drift of the far end's clock: a line through the fastest packets of each four seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    rate: u32,
    fastest: [i32; STRETCHES],
    known: usize,
    next: usize,
    first: i64,
    least: i64,
    until: Instant,
}

impl Skew {
    pub(super) fn note(&mut self, rate: Rate, now: Instant, transit: i64) {
        if self.rate == 0 {
            *self = Self { rate: rate.hz(), first: transit, least: transit, ..Self::default() };
            self.until = now + STRETCH;
        }
        if now >= self.until {
            let least = self.least - self.first;
            let bound = i64::from(i32::MAX);
            if let Some(place) = self.fastest.get_mut(self.next) {
                *place = least.clamp(-bound, bound) as i32;
            }
            self.next = (self.next + 1) % STRETCHES;
            self.known = (self.known + 1).min(STRETCHES);
            if now >= self.until + STRETCH {
                // A pause in between: the stretches are no longer of one length.
                (self.known, self.next) = (0, 0);
            }
            self.until = now + STRETCH;
            self.least = transit;
        }
        self.least = self.least.min(transit);
    }

    /// The slope, in millionths.
    pub(super) fn ppm(&self) -> i32 {
        if self.known < ENOUGH {
            return 0;
        }
        let count = self.known as f64;
        let oldest = (self.next + STRETCHES - self.known) % STRETCHES;
        let middle = (count - 1.0) / 2.0;
        let (mut products, mut squares) = (0.0, 0.0);
        for n in 0..self.known {
            let at = n as f64 - middle;
            let transit = self.fastest.get((oldest + n) % STRETCHES).copied().unwrap_or(0);
            products += at * f64::from(transit);
            squares += at * at;
        }
        let samples = STRETCH.as_secs_f64() * f64::from(self.rate);
        (products / squares / samples * 1e6).round().clamp(-1e6, 1e6) as i32
    }
}
