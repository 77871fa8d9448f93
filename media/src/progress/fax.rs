//! Fax machines by their tones (ITU-T T.30 §4): 2,100 Hz of 2.6 to 4 s from one that answers (CED),
//! 1,100 Hz of half a second every 3.5 s from one that calls (CNG).

use super::burst::Burst;

/// CED: its frequency and how far it may be off, in hertz, and what of it is enough, in ms.
const ANSWERING: (f32, f32) = (2100.0, 22.0);
const ENOUGH: u32 = 1200;
/// CNG: its frequency, its length, and from one to the next (all within 15 %), in ms.
const CALLING: (f32, f32) = (1100.0, 40.0);
const LENGTH: std::ops::RangeInclusive<u32> = 420..=600;
const EVERY: std::ops::RangeInclusive<u32> = 2975..=4100;

/// The fax machine of one line.
#[derive(Default, Debug)]
pub(super) struct Fax {
    /// When the last calling tone began, in frames.
    called: Option<u32>,
}

impl Fax {
    /// A burst that goes on. Whether it is a fax machine's answer.
    pub(super) fn on_sounding(&self, burst: &Burst) -> bool {
        burst.millis() >= ENOUGH && is_at(burst, ANSWERING)
    }

    /// A burst is over. Whether it is the second call of a fax machine.
    pub(super) fn on_burst(&mut self, burst: &Burst) -> bool {
        if !is_at(burst, CALLING) || !LENGTH.contains(&burst.millis()) {
            return false;
        }
        let before = self.called.replace(burst.began);
        before.is_some_and(|before| EVERY.contains(&((burst.began - before) * 10)))
    }
}

fn is_at(burst: &Burst, (hertz, off): (f32, f32)) -> bool {
    (burst.peak().0 - hertz).abs() <= off && burst.purity().1 >= 0.75
}
