//! Who has answered: a person says little and waits, a machine goes on talking. What speaks for a
//! machine is summed up at every tick, and told as soon as it is enough either way.

use base::Duration;

use crate::pcm::TICK;

/// Ticks of speech that are a word and no click, and the pause between two words.
const WORD: u16 = 4;
const BETWEEN: u16 = 3;
/// Seconds beyond which a figure says no more.
const MOST: f32 = 6.0;
/// What each figure speaks for a machine, by logistic regression over the tuning half of the
/// corpus (benches/progress-corpus.py).
const WEIGHTS: Weights = Weights {
    base: -1.71,
    greeting: 0.63,
    pause: -5.68,
    words: 0.17,
    initial: 0.43,
    longest: 0.88,
    pause_squared: 0.78,
    greeting_pause: 0.79,
};

#[derive(Clone, Copy)]
struct Weights {
    base: f32,
    greeting: f32,
    pause: f32,
    words: f32,
    initial: f32,
    longest: f32,
    pause_squared: f32,
    greeting_pause: f32,
}

/// What decides who has answered. All times count from the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnswerTimes {
    /// A silence that long from the answer on is [`AnsweredBy::Unknown`].
    pub silence: Duration,
    /// Speech that long, short pauses included, is a machine's whatever else speaks for a person.
    pub greeting: Duration,
    /// A pause that long after shorter speech is a person's who waits.
    pub pause: Duration,
    /// When nothing was decided by then, it is [`AnsweredBy::Unknown`].
    pub timeout: Duration,
    /// How certain it must be before that, in percent: 50 to 99.
    pub certainty: u8,
    /// After a machine's greeting without a beep, the silence that lets the message begin.
    pub after_greeting: Duration,
}

impl Default for AnswerTimes {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(5),
            greeting: Duration::from_millis(4500),
            pause: Duration::from_millis(1600),
            timeout: Duration::from_secs(15),
            certainty: 95,
            after_greeting: Duration::from_millis(2500),
        }
    }
}

/// Who has answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AnsweredBy {
    /// Somebody who waits to hear who calls.
    Human,
    /// An answering machine, or the network's voice mailbox.
    Machine,
    /// A fax machine.
    Fax,
    /// It could not be told in time.
    Unknown,
}

impl AnsweredBy {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Machine => "machine",
            Self::Fax => "fax",
            Self::Unknown => "unknown",
        }
    }
}

/// Why it is taken to be that one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AnswerReason {
    /// Somebody spoke and waits.
    Waits,
    /// Somebody speaks on and on.
    TalksOn,
    /// A beep was heard.
    Beep,
    /// A fax machine's tone was heard.
    FaxTone,
    /// Nobody says anything.
    Silence,
    /// The time is up.
    Timeout,
}

impl AnswerReason {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::TalksOn => "talks_on",
            Self::Beep => "beep",
            Self::FaxTone => "fax_tone",
            Self::Silence => "silence",
            Self::Timeout => "timeout",
        }
    }
}

/// Who has answered, why, and by what figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Who.
    pub by: AnsweredBy,
    /// Why.
    pub reason: AnswerReason,
    /// How likely a machine is by the figures below, in percent.
    pub machine_percent: u8,
    /// From the answer to the first word.
    pub initial_silence: Duration,
    /// From the first word to the last, pauses included.
    pub greeting: Duration,
    /// How many words or rather stretches of speech without a pause.
    pub words: u16,
    /// The pause since the last word.
    pub pause: Duration,
}

/// What an answer has been so far, in ticks.
#[derive(Debug)]
pub(super) struct Listening {
    times: AnswerTimes,
    now: u16,
    /// When the first word began, and the last one ended.
    began: Option<u16>,
    ended: u16,
    words: u16,
    /// Speech without a pause: since when, and the longest.
    run: Option<u16>,
    longest: u16,
    decided: Option<AnsweredBy>,
    over_told: bool,
}

impl Listening {
    pub(super) fn new(times: AnswerTimes) -> Self {
        Self {
            times,
            now: 0,
            began: None,
            ended: 0,
            words: 0,
            run: None,
            longest: 0,
            decided: None,
            over_told: false,
        }
    }

    /// The next tick. Who has answered, when that becomes certain.
    pub(super) fn hear(&mut self, speaks: bool) -> Option<Answer> {
        self.now = self.now.saturating_add(1);
        self.note(speaks);
        if self.decided.is_some() {
            return None;
        }
        let (by, reason) = self.judge()?;
        Some(self.decide(by, reason))
    }

    /// A machine's greeting is over without a beep: told once.
    pub(super) fn is_over(&mut self) -> bool {
        let quiet = ticks(self.times.after_greeting);
        let over = self.decided == Some(AnsweredBy::Machine)
            && !self.over_told
            && self.now - self.ended.min(self.now) >= quiet;
        self.over_told |= over;
        over
    }

    /// A beep was heard.
    pub(super) fn on_beep(&mut self) -> Option<Answer> {
        self.over_told = true;
        let may_be = !matches!(self.decided, Some(AnsweredBy::Machine | AnsweredBy::Fax));
        may_be.then(|| self.decide(AnsweredBy::Machine, AnswerReason::Beep))
    }

    /// A fax machine's tone was heard.
    pub(super) fn on_fax(&mut self) -> Option<Answer> {
        let undecided = self.decided != Some(AnsweredBy::Fax);
        undecided.then(|| self.decide(AnsweredBy::Fax, AnswerReason::FaxTone))
    }

    fn note(&mut self, speaks: bool) {
        if !speaks {
            if self.run.is_some() && self.now - self.ended > BETWEEN {
                self.run = None;
            }
            return;
        }
        let began = *self.run.get_or_insert(self.now - 1);
        let length = self.now - began;
        if length == WORD {
            self.words = self.words.saturating_add(1);
            self.began = self.began.or(Some(began));
        }
        if self.run.is_some() {
            self.ended = self.now;
        }
        if length >= WORD {
            self.longest = self.longest.max(length);
        }
    }

    fn judge(&self) -> Option<(AnsweredBy, AnswerReason)> {
        let now = TICK * u32::from(self.now);
        let Some(began) = self.began else {
            let silent = now >= self.times.silence;
            return silent.then_some((AnsweredBy::Unknown, AnswerReason::Silence));
        };
        let (greeting, pause) = (TICK * u32::from(self.ended - began), self.pause());
        let machine = self.machine();
        let certain = f32::from(self.times.certainty.clamp(50, 99)) / 100.0;
        if greeting >= self.times.greeting || machine >= certain {
            return Some((AnsweredBy::Machine, AnswerReason::TalksOn));
        }
        if pause >= self.times.pause || machine <= 1.0 - certain {
            return Some((AnsweredBy::Human, AnswerReason::Waits));
        }
        (now >= self.times.timeout).then_some((AnsweredBy::Unknown, AnswerReason::Timeout))
    }

    fn pause(&self) -> Duration {
        TICK * u32::from(self.now - self.ended)
    }

    /// How likely it is a machine: 0 to 1.
    fn machine(&self) -> f32 {
        let Some(began) = self.began else { return 0.5 };
        let seconds = |ticks: u16| (f32::from(ticks) * 0.02).min(MOST);
        let (greeting, pause) = (seconds(self.ended - began), seconds(self.now - self.ended));
        let own = &WEIGHTS;
        let sum = own.base
            + own.greeting * greeting
            + own.pause * pause
            + own.words * f32::from(self.words.min(20))
            + own.initial * seconds(began)
            + own.longest * seconds(self.longest)
            + own.pause_squared * pause * pause
            + own.greeting_pause * greeting * pause;
        1.0 / (1.0 + (-sum).exp())
    }

    fn decide(&mut self, by: AnsweredBy, reason: AnswerReason) -> Answer {
        self.decided = Some(by);
        let began = self.began.unwrap_or(self.now);
        Answer {
            by,
            reason,
            machine_percent: (self.machine() * 100.0).round() as u8,
            initial_silence: TICK * u32::from(began),
            greeting: TICK * u32::from(self.ended.saturating_sub(began)),
            words: self.words,
            pause: self.pause(),
        }
    }
}

fn ticks(length: Duration) -> u16 {
    u16::try_from(length.as_millis() / 20).unwrap_or(u16::MAX)
}
