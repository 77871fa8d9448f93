//! Hearing keys in the audio (ITU-T Q.24): a Goertzel bank over 16 ms, each 8 ms anew, at 8 kHz.
//!
//! A frame is a key's when one row and one column hold nearly all of its energy, neither much louder
//! than the other, and neither has a second harmonic, which voices have. Four frames in a row make
//! it a key, if the phases also tell the right frequencies; three without it end it.

use std::f64::consts::{PI, TAU};

use base::Duration;

use super::tone::{COLUMNS, PAD, ROWS};
use super::{Digit, Heard};

/// Samples of a frame, and from one frame to the next.
const FRAME: usize = 128;
const HOP: usize = 64;
/// Frames that make a key, that are enough to keep its sound back, and that end it.
const BEGINS: u8 = 4;
const SUSPECT: u8 = 2;
const ENDS: u8 = 3;
/// Of a frame's energy at least this is in the two tones: 5 dB above all the rest.
const SHARE: f32 = 0.76;
/// How much louder or softer than the row the column may be, as ratios of power: +7 and -11 dB.
const TWIST: std::ops::RangeInclusive<f32> = 0.079..=5.0;
/// The most that a second harmonic may have of its tone's power: -16 dB.
const HARMONIC: f32 = 0.025;
/// What the bank can tell apart, in hertz.
const APART: f32 = 150.0;
/// The farthest that a frequency may be off: 2.5 %, between the 1.5 that are a key and the 3.5 that
/// are none.
const OFF: f32 = 0.025;
/// The energy of a windowed frame with both tones at -37 dBm0.
const SOFTEST: f32 = 4.8e6;
/// The longest loss of packets that a key outlasts, in samples: 60 ms.
const LONGEST_GAP: usize = 480;
/// Of a power, as the bank tells it, to the energy of a windowed frame of that tone alone.
const OF_TONE: f32 = 2.0 * 48.0 / (64.0 * 64.0);

/// The tones of one far end.
#[derive(Debug)]
pub struct Detector {
    tables: Box<Tables>,
    samples: [f32; FRAME],
    filled: usize,
    /// The last frame that was a key's: place on the pad, the phases of its two tones.
    last: Option<(usize, [f32; 2])>,
    /// How many in a row, and how far off they were together.
    run: u8,
    off: [f32; 2],
    sounding: Option<Sounding>,
}

/// A key that sounds.
#[derive(Clone, Copy, Debug)]
struct Sounding {
    place: usize,
    /// In samples, up to its last frame.
    length: usize,
    /// Frames without it since.
    missing: u8,
    /// Samples since its last frame, and lost ones.
    since: usize,
}

#[derive(Debug)]
struct Tables {
    window: [f32; FRAME],
    /// Rows, columns, the second harmonics of both.
    bank: [Filter; 16],
}

/// A Goertzel filter.
#[derive(Clone, Copy, Debug, Default)]
struct Filter {
    hertz: f32,
    cosine: f32,
    sine: f32,
    /// How far its phase turns in a hop, in radians.
    hop: f32,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// One that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tables: Box::new(Tables::new()),
            samples: [0.0; FRAME],
            filled: 0,
            last: None,
            run: 0,
            off: [0.0; 2],
            sounding: None,
        }
    }

    /// Listens to the next samples. Tells what it hears; true when a key sounds in them, or is
    /// likely to.
    pub fn hear(&mut self, pcm: &[i16], tell: &mut impl FnMut(Heard)) -> bool {
        let mut sounds = self.is_sounding();
        for sample in pcm {
            if let Some(place) = self.samples.get_mut(self.filled) {
                *place = f32::from(*sample);
            }
            self.filled += 1;
            if self.filled == FRAME {
                self.take_frame(tell);
                self.samples.copy_within(HOP.., 0);
                self.filled = FRAME - HOP;
                sounds |= self.is_sounding();
            }
        }
        sounds
    }

    /// So many samples were lost. A key that sounds is taken to go on.
    pub fn skip(&mut self, samples: usize, tell: &mut impl FnMut(Heard)) {
        (self.filled, self.last, self.run) = (0, None, 0);
        if let Some(sounding) = &mut self.sounding {
            sounding.since = sounding.since.saturating_add(samples);
            if samples > LONGEST_GAP {
                self.end(tell);
            }
        }
    }

    /// Nothing more comes: a key that sounds is over.
    pub fn end(&mut self, tell: &mut impl FnMut(Heard)) {
        if let Some(Sounding { place, length, .. }) = self.sounding.take()
            && let Some(digit) = PAD.get(place).and_then(|key| Digit::from_char(*key))
        {
            let length = Duration::from_micros(length as u64 * 125);
            tell(Heard::Digit(digit, length));
        }
    }

    fn is_sounding(&self) -> bool {
        self.sounding.is_some() || self.run >= SUSPECT
    }

    fn take_frame(&mut self, tell: &mut impl FnMut(Heard)) {
        let heard = self.tables.key(&self.samples);
        let place = heard.map(|(place, _)| place);
        if let Some(sounding) = &mut self.sounding {
            sounding.since += HOP;
            if place == Some(sounding.place) {
                sounding.length += std::mem::take(&mut sounding.since);
                sounding.missing = 0;
            } else {
                sounding.missing += 1;
                if sounding.missing >= ENDS || place.is_some() && self.run + 1 >= SUSPECT {
                    self.end(tell);
                }
            }
        }
        let last = std::mem::replace(&mut self.last, heard);
        let (Some((place, phases)), Some((before, old))) = (heard, last) else {
            (self.run, self.off) = (u8::from(heard.is_some()), [0.0; 2]);
            return;
        };
        if place != before {
            (self.run, self.off) = (1, [0.0; 2]);
            return;
        }
        self.run = self.run.saturating_add(1);
        let off = self.tables.off(place, old, phases);
        // The mean of the last pairs: noise is not off the same way twice.
        for (mean, off) in self.off.iter_mut().zip(off) {
            *mean = if self.run == 2 { off } else { (*mean + off) / 2.0 };
        }
        let is_off = self.off.iter().any(|off| off.abs() > OFF);
        if is_off && self.sounding.is_none() {
            self.run = 1;
        } else if self.run >= BEGINS && self.sounding.is_none() {
            let length = FRAME + HOP * usize::from(BEGINS - 1) - HOP;
            self.sounding = Some(Sounding { place, length, missing: 0, since: 0 });
            tell(Heard::Down);
        }
    }
}

impl Tables {
    fn new() -> Self {
        let mut window = [0.0; FRAME];
        for (n, weight) in window.iter_mut().enumerate() {
            let angle = TAU * (n as f64 + 0.5) / FRAME as f64;
            *weight = (0.5 - 0.5 * angle.cos()) as f32;
        }
        let tones = ROWS.into_iter().chain(COLUMNS);
        let harmonics = ROWS.into_iter().chain(COLUMNS).map(|hertz| 2.0 * hertz);
        let mut bank = [Filter::default(); 16];
        for (filter, hertz) in bank.iter_mut().zip(tones.chain(harmonics)) {
            *filter = Filter::new(hertz);
        }
        Self { window, bank }
    }

    /// The key of a frame: its place on the pad, and the phases of row and column.
    fn key(&self, samples: &[f32; FRAME]) -> Option<(usize, [f32; 2])> {
        let mut frame = *samples;
        let mut energy = 0.0;
        for (sample, weight) in frame.iter_mut().zip(&self.window) {
            *sample *= weight;
            energy += *sample * *sample;
        }
        if energy < SOFTEST {
            return None;
        }
        let tones: [(f32, f32); 8] =
            std::array::from_fn(|n| self.bank.get(n).map_or((0.0, 0.0), |f| f.run(&frame)));
        let (rows, columns) = tones.split_at(4);
        let (row, row_power) = loudest(rows)?;
        let (column, column_power) = loudest(columns)?;
        let in_tones = (row_power + column_power) * OF_TONE;
        if in_tones < SHARE * energy || !TWIST.contains(&(column_power / row_power)) {
            return None;
        }
        let beside = self.bank.get(4 + column)?.hertz;
        for (place, power) in [(row, row_power), (4 + column, column_power)] {
            let harmonic = self.bank.get(8 + place)?;
            // The harmonic of a row may lie where the column is.
            let is_apart = (harmonic.hertz - beside).abs() > APART;
            if is_apart && power_of(harmonic.run(&frame)) > HARMONIC * power {
                return None;
            }
        }
        let phase = |(real, imaginary): &(f32, f32)| imaginary.atan2(*real);
        Some((4 * row + column, [phase(rows.get(row)?), phase(columns.get(column)?)]))
    }

    /// How far the two tones of a key are off, as parts of their frequencies, by what their phases
    /// turned from one frame to the next.
    fn off(&self, place: usize, before: [f32; 2], now: [f32; 2]) -> [f32; 2] {
        let filters = [place / 4, 4 + place % 4];
        std::array::from_fn(|n| {
            let filter = filters.get(n).and_then(|at| self.bank.get(*at));
            let (Some(filter), Some(before), Some(now)) = (filter, before.get(n), now.get(n))
            else {
                return 0.0;
            };
            let turn = now - before - filter.hop;
            let tau = TAU as f32;
            let turn = turn - (turn / tau).round() * tau;
            let hertz = turn * crate::CLOCK_RATE as f32 / (tau * HOP as f32);
            hertz / filter.hertz
        })
    }
}

impl Filter {
    fn new(hertz: f64) -> Self {
        let angle = TAU * hertz / f64::from(crate::CLOCK_RATE);
        let hop = (angle * HOP as f64 + PI).rem_euclid(TAU) - PI;
        let (sine, cosine) = (angle.sin() as f32, angle.cos() as f32);
        Self { hertz: hertz as f32, cosine, sine, hop: hop as f32 }
    }

    /// Real and imaginary part of the frame at this frequency.
    fn run(&self, frame: &[f32; FRAME]) -> (f32, f32) {
        let (twice, mut last, mut before) = (2.0 * self.cosine, 0.0_f32, 0.0_f32);
        for sample in frame {
            let next = sample + twice * last - before;
            (before, last) = (last, next);
        }
        (last - before * self.cosine, before * self.sine)
    }
}

fn power_of((real, imaginary): (f32, f32)) -> f32 {
    real * real + imaginary * imaginary
}

fn loudest(tones: &[(f32, f32)]) -> Option<(usize, f32)> {
    let powers = tones.iter().map(|tone| power_of(*tone)).enumerate();
    powers.max_by(|(_, a), (_, b)| a.total_cmp(b))
}
