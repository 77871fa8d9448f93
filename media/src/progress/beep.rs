//! The tone after which an answering machine records: one tone or two that stand still, of 60 ms to
//! 2.5 s, and then silence. What may be a tone of the network has to be silent for longer.

use super::burst::Burst;
use super::cadence::Cadences;

/// What a beep is: where it lies, in hertz; its least length, in ms; the least part of the energy
/// that it has; how far it may waver, in hertz. Voices have vowels that are nearly tones where they
/// are low, and for a short time.
struct Kind {
    hertz: std::ops::Range<f32>,
    millis: u32,
    purity: f32,
    wavers: f32,
}

const LOW: Kind = Kind { hertz: 300.0..700.0, millis: 160, purity: 0.965, wavers: 2.5 };
const HIGH: Kind = Kind { hertz: 700.0..2900.0, millis: 70, purity: 0.93, wavers: 8.0 };
/// The same of two tones at once, and how far from their middle they are at least.
const PAIR: Kind = Kind { hertz: 320.0..2900.0, millis: 250, purity: 0.985, wavers: f32::MAX };
const APART: f32 = 35.0;
/// The longest, in milliseconds.
const LONGEST: u32 = 2500;
/// Mean square of the softest: -42 dB of the full scale.
const SOFTEST: f32 = 67_700.0;
/// The quiet after it, in frames of 10 ms.
const QUIET: u32 = 26;

/// The beep that may just have been.
#[derive(Default, Debug)]
pub(super) struct Beeps {
    last: Option<Burst>,
    quiet: u32,
}

impl Beeps {
    /// A burst is over.
    pub(super) fn on_burst(&mut self, burst: &Burst) {
        self.last = is_beep(burst).then_some(*burst).or(self.last);
        self.quiet = 0;
    }

    /// It was something else.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// A tick without a tone; `loud` if there was any sound. True when a beep is over.
    pub(super) fn on_tick(&mut self, loud: bool, cadences: &Cadences) -> bool {
        let Some(burst) = &self.last else { return false };
        if loud {
            // The window of the last frames reaches back into it.
            let goes_on = self.quiet < 6;
            if !goes_on {
                self.last = None;
            }
            self.quiet += 2;
            return false;
        }
        self.quiet += 2;
        let is_over = self.quiet >= QUIET && !cadences.may_go_on(burst, self.quiet * 10);
        if is_over {
            self.last = None;
        }
        is_over
    }
}

fn is_beep(burst: &Burst) -> bool {
    let ((peak, wavers), (share, single)) = (burst.peak(), burst.purity());
    let is = |kind: &Kind, purity: f32| {
        kind.hertz.contains(&peak)
            && burst.millis() >= kind.millis
            && purity >= kind.purity
            && wavers <= kind.wavers
    };
    let is_pair = is(&PAIR, share) && single < 0.9 && burst.spread() >= APART;
    let sounds_right = is(&LOW, single) || is(&HIGH, single) || is_pair;
    sounds_right && burst.millis() <= LONGEST && burst.power() >= SOFTEST
}
