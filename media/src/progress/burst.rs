//! Bursts of tone on a line: when each begins and ends, and which tones it is made of. Speech and
//! music are no bursts: a tone stands still.

use super::spectrum::Frame;

/// Of the energy so much is in one tone or two.
const TONAL: f32 = 0.8;
/// Frames of tone in a row that make a burst, and frames without it that end one.
const BEGINS: u16 = 3;
const ENDS: u16 = 4;
/// How far the middle of the tones may be off from one frame to the next, in hertz.
const DRIFT: f32 = 30.0;

/// A stretch of one tone or two.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Burst {
    /// When it began, and how long it was, in frames of 10 ms.
    pub(super) began: u32,
    pub(super) length: u16,
    frames: f32,
    energy: f32,
    centre: f32,
    square: f32,
    peak: f32,
    peak_square: f32,
    share: f32,
    single: f32,
}

impl Burst {
    fn new(at: u32, frame: &Frame) -> Self {
        let mut burst = Self { began: at, ..Self::default() };
        burst.add(frame);
        burst
    }

    fn add(&mut self, frame: &Frame) {
        self.length = self.length.saturating_add(1);
        self.frames += 1.0;
        self.energy += frame.power;
        self.centre += frame.power * frame.centre;
        self.square += frame.power * (frame.spread + frame.centre * frame.centre);
        self.peak += frame.peak;
        self.peak_square += frame.peak * frame.peak;
        self.share += frame.share;
        self.single += frame.single;
    }

    /// How long it was, in milliseconds.
    pub(super) fn millis(&self) -> u32 {
        u32::from(self.length) * 10
    }

    /// The frame after its last.
    pub(super) fn ended(&self) -> u32 {
        self.began + u32::from(self.length)
    }

    /// The mean frequency of its tones, in hertz.
    pub(super) fn centre(&self) -> f32 {
        self.centre / self.energy.max(1.0)
    }

    /// How far its tones are from that mean, in hertz; what one tone alone comes to is taken off.
    pub(super) fn spread(&self) -> f32 {
        let centre = self.centre();
        let lobe = 20.0 * 20.0;
        (self.square / self.energy.max(1.0) - centre * centre - lobe).max(0.0).sqrt()
    }

    /// The frequency of its loudest tone, and how far that wavered (a standard deviation).
    pub(super) fn peak(&self) -> (f32, f32) {
        let mean = self.peak / self.frames;
        (mean, (self.peak_square / self.frames - mean * mean).max(0.0).sqrt())
    }

    /// The part of the energy that its tones have, and that its loudest has.
    pub(super) fn purity(&self) -> (f32, f32) {
        (self.share / self.frames, self.single / self.frames)
    }

    /// Whether it is purer, and longer, than most vowels.
    pub(super) fn is_pure(&self) -> bool {
        self.length >= 6 && self.purity().1 >= 0.95
    }

    /// The mean power.
    pub(super) fn power(&self) -> f32 {
        self.energy / self.frames
    }

    fn goes_on_with(&self, frame: &Frame) -> bool {
        frame.share >= TONAL && (frame.centre - self.centre()).abs() < DRIFT
    }
}

/// What a frame changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Began,
    Ended(Burst),
}

/// The bursts of a line.
#[derive(Default, Debug)]
pub(super) struct Bursts {
    frame: u32,
    sounding: Option<Burst>,
    missing: u16,
    /// Tone that may become a burst.
    candidate: Option<Burst>,
}

impl Bursts {
    /// The burst under way.
    pub(super) fn sounding(&self) -> Option<&Burst> {
        self.sounding.as_ref()
    }

    /// Frames so far.
    pub(super) fn now(&self) -> u32 {
        self.frame
    }

    /// The next frame.
    pub(super) fn hear(&mut self, frame: &Frame, tell: &mut impl FnMut(Change)) {
        let at = self.frame;
        self.frame += 1;
        if let Some(burst) = &mut self.sounding {
            if burst.goes_on_with(frame) {
                // A hole this short belongs to it: an answering tone that turns its phase (V.25).
                burst.length += std::mem::take(&mut self.missing);
                burst.add(frame);
                self.candidate = None;
                return;
            }
            self.missing += 1;
        }
        let candidate = match self.candidate.take() {
            Some(mut known) if known.goes_on_with(frame) => {
                known.add(frame);
                Some(known)
            }
            _ => (frame.share >= TONAL).then(|| Burst::new(at, frame)),
        };
        self.candidate = candidate;
        let begins = candidate.filter(|known| known.length >= BEGINS);
        if (begins.is_some() || self.missing >= ENDS)
            && let Some(burst) = self.sounding.take()
        {
            self.missing = 0;
            tell(Change::Ended(burst));
        }
        if begins.is_some() {
            self.sounding = begins;
            self.candidate = None;
            self.missing = 0;
            tell(Change::Began);
        }
    }
}
