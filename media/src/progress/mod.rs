//! How a call that goes out comes along: the tones of the networks (ITU-T E.180), fax machines
//! (T.30), who has answered, and the beep after which a machine records.
//!
//! It hears 20 ms at a time, at 8 kHz, and allocates nothing then.

mod answer;
mod beep;
mod burst;
mod cadence;
mod fax;
mod spectrum;
mod speech;

pub use answer::{Answer, AnswerReason, AnswerTimes, AnsweredBy};

use base::Duration;

use crate::pcm::TICK;
use answer::Listening as Answering;
use beep::Beeps;
use burst::{Burst, Bursts, Change};
use cadence::Cadences;
use fax::Fax;
use spectrum::Spectrum;
use speech::Speech;

/// What to listen for in what a far end says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Listening {
    /// The country (ISO 3166-1, two capital letters) whose tones are likely. Those of all others
    /// are known as well, as far as they do not mean something else there.
    pub country: Option<[u8; 2]>,
    /// Who answers: from now on.
    pub answer: Option<AnswerTimes>,
}

/// A tone of the network, or of a fax machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProgressTone {
    /// The other end rings.
    Ringing,
    /// It is busy.
    Busy,
    /// The network has no way there (also called reorder).
    Congestion,
    /// An announcement follows: the call cannot be put through (SIT).
    Information(Information),
    /// A fax machine: one that calls (CNG) or one that answers (CED).
    Fax,
}

impl ProgressTone {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringback",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::Information(_) => "sit",
            Self::Fax => "fax",
        }
    }
}

/// What an information tone says before any word (Bellcore SR-2275).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Information {
    /// The number has changed, or is out of service.
    Intercept,
    /// Nobody has the number.
    VacantNumber,
    /// There is no way there.
    NoCircuit,
    /// Something was wrong on the way, or was dialled incompletely.
    Reorder,
    /// One of the networks that do not say more by it.
    Other,
}

impl Information {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intercept => "intercept",
            Self::VacantNumber => "vacant_number",
            Self::NoCircuit => "no_circuit",
            Self::Reorder => "reorder",
            Self::Other => "other",
        }
    }
}

/// What was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A tone: each kind once in a row.
    Tone(ProgressTone),
    /// Who has answered: once, and again when what was taken for a person beeps, or anything turns
    /// out to be a fax machine.
    Answered(Answer),
    /// A beep is over, and it is quiet.
    Beep,
    /// A machine's greeting is over, and there was no beep.
    GreetingOver,
}

/// The ear for one far end's progress.
#[derive(Debug)]
pub struct Listener {
    spectrum: Spectrum,
    bursts: Bursts,
    cadences: Cadences,
    fax: Fax,
    speech: Speech,
    beeps: Beeps,
    answering: Option<Answering>,
    told: Option<ProgressTone>,
    ticks: u32,
    speaks: bool,
}

impl Listener {
    /// One that has heard nothing. All its memory is allocated here.
    #[must_use]
    pub fn new(listening: &Listening) -> Self {
        let country = listening.country.as_ref().and_then(|code| std::str::from_utf8(code).ok());
        Self {
            spectrum: Spectrum::new(),
            bursts: Bursts::default(),
            cadences: Cadences::new(country, listening.answer.is_some()),
            fax: Fax::default(),
            speech: Speech::default(),
            beeps: Beeps::default(),
            answering: listening.answer.map(Answering::new),
            told: None,
            ticks: 0,
            speaks: false,
        }
    }

    /// How long it has listened.
    #[must_use]
    pub fn age(&self) -> Duration {
        TICK * self.ticks
    }

    /// Whether somebody spoke in the last 20 ms.
    #[must_use]
    pub fn is_speaking(&self) -> bool {
        self.speaks
    }

    /// The next 20 ms: 160 samples. What they tell, in order.
    pub fn hear(&mut self, pcm: &[i16], tell: &mut impl FnMut(Verdict)) {
        self.ticks = self.ticks.saturating_add(1);
        let frames = self.spectrum.hear(pcm);
        for frame in &frames {
            let mut changes = [None; 2];
            self.bursts.hear(&frame.without(self.speech.noise), &mut |change| {
                if let Some(place) = changes.iter_mut().find(|place| place.is_none()) {
                    *place = Some(change);
                }
            });
            for change in changes.into_iter().flatten() {
                self.on_change(change, tell);
            }
        }
        let now = self.bursts.now();
        let sounding = self.bursts.sounding().copied();
        if sounding.as_ref().is_some_and(|burst| self.fax.on_sounding(burst)) {
            self.tell_tone(ProgressTone::Fax, tell);
        }
        let tone = self.cadences.on_quiet(now);
        tone.into_iter().for_each(|tone| self.tell_tone(tone, tell));
        let speaks = self.speech.hear(&frames);
        // A tone is nobody's speech, but a vowel is that sounds nearly like one.
        self.speaks = speaks && !sounding.as_ref().is_some_and(Burst::is_pure);
        let loud = frames.iter().any(|frame| frame.power > self.speech.threshold);
        if sounding.is_none() && self.beeps.on_tick(loud, &self.cadences) {
            if let Some(answer) = self.answering.as_mut().and_then(Answering::on_beep) {
                tell(Verdict::Answered(answer));
            }
            tell(Verdict::Beep);
        }
        let Some(answering) = &mut self.answering else { return };
        if let Some(answer) = answering.hear(self.speaks) {
            tell(Verdict::Answered(answer));
        }
        if sounding.is_none() && answering.is_over() {
            tell(Verdict::GreetingOver);
        }
    }

    fn on_change(&mut self, change: Change, tell: &mut impl FnMut(Verdict)) {
        match change {
            Change::Began => {
                let began = self.bursts.sounding().map_or(0, |burst| burst.began);
                self.cadences.on_began(began);
            }
            Change::Ended(burst) => {
                let tone = self.cadences.on_ended(&burst);
                let fax = self.fax.on_burst(&burst).then_some(ProgressTone::Fax);
                match tone.or(fax) {
                    Some(tone) => {
                        self.beeps.forget();
                        self.tell_tone(tone, tell);
                    }
                    None => self.beeps.on_burst(&burst),
                }
            }
        }
    }

    fn tell_tone(&mut self, tone: ProgressTone, tell: &mut impl FnMut(Verdict)) {
        if self.told.replace(tone) == Some(tone) {
            return;
        }
        tell(Verdict::Tone(tone));
        if tone == ProgressTone::Fax
            && let Some(answer) = self.answering.as_mut().and_then(Answering::on_fax)
        {
            tell(Verdict::Answered(answer));
        }
    }
}
