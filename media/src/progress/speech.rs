//! Whether somebody speaks: a tick's power against the least that the line had lately, and whether
//! it has the peaks of a voice. Noise that stands still is none, however loud.

use super::spectrum::Frame;

/// Mean square below which nothing is speech: -50 dB of the full scale.
const QUIET: f32 = 10_737.0;
/// What the noise of a line is at most taken for: -42 dB in its first second, -33 dB afterwards.
const FIRST_NOISE: f32 = 67_700.0;
const MOST_NOISE: f32 = 538_000.0;
/// Speech has so many times the power of the noise: 8 dB.
const ABOVE: f32 = 6.3;
/// Of the energy, the part that the loudest two peaks of a voice have; noise has less.
const VOICED: f32 = 0.42;
/// Ticks that a sound without a voice's peaks still belongs to the voice before it.
const HISS: u8 = 6;
/// Ticks of a block, and blocks of which the least power is the noise: 1.2 s.
const BLOCK: u8 = 15;
const BLOCKS: usize = 4;

/// The voice of one line.
#[derive(Debug)]
pub(super) struct Speech {
    least: [f32; BLOCKS],
    block: usize,
    ticks: u8,
    /// The power of the last three ticks.
    recent: [f32; 3],
    age: u32,
    voiced: u8,
    /// What the line's noise is taken to be, as a mean square, and what is above it.
    pub(super) noise: f32,
    pub(super) threshold: f32,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            least: [f32::MAX; BLOCKS],
            block: 0,
            ticks: 0,
            recent: [0.0; 3],
            age: 0,
            voiced: 0,
            noise: 0.0,
            threshold: QUIET,
        }
    }
}

impl Speech {
    /// The next tick. Whether somebody speaks in it.
    pub(super) fn hear(&mut self, frames: &[Frame; 2]) -> bool {
        let power = frames.iter().map(|frame| frame.power).sum::<f32>() / 2.0;
        let share = frames.iter().map(|frame| frame.share).fold(0.0, f32::max);
        self.noise = self.least(power);
        self.threshold = (self.noise * ABOVE).max(QUIET);
        if power <= self.threshold {
            self.voiced = self.voiced.saturating_sub(1);
            return false;
        }
        self.voiced = if share >= VOICED { HISS } else { self.voiced.saturating_sub(1) };
        self.voiced > 0
    }

    /// The least power that the line had in the last second, as it is without a voice.
    fn least(&mut self, power: f32) -> f32 {
        self.age = self.age.saturating_add(1);
        self.recent.rotate_left(1);
        if let Some(last) = self.recent.last_mut() {
            *last = power;
        }
        let mean = self.recent.iter().sum::<f32>() / self.recent.len() as f32;
        if self.age >= 3
            && let Some(least) = self.least.get_mut(self.block)
        {
            *least = least.min(mean);
        }
        self.ticks += 1;
        if self.ticks == BLOCK {
            self.ticks = 0;
            self.block = (self.block + 1) % BLOCKS;
            if let Some(least) = self.least.get_mut(self.block) {
                *least = f32::MAX;
            }
        }
        let least = self.least.iter().copied().fold(f32::MAX, f32::min);
        let young = self.age < u32::from(BLOCK) * BLOCKS as u32;
        least.min(if young { FIRST_NOISE } else { MOST_NOISE })
    }
}
