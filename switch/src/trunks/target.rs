//! One target of a trunk: whether it can be reached, told from probes and calls alike, and not
//! changed by a single lost packet.

use base::{Duration, Instant, Rng};
use serde::Serialize;
use sip::UriBuf;

use crate::paths::{Outcome, PathId};

/// So many misses in a row, and it is down.
const DOWN_AFTER: u32 = 2;
/// So many answers in a row, and one that was down is up again; one will do where no probe follows
/// to confirm it.
const UP_AFTER: u32 = 2;
/// After the first miss, or the first answer of one that was down: so soon it is asked again.
const SOON: Duration = Duration::from_secs(5);
/// A target that nobody probes is given another chance after this long.
const FORGIVEN: Duration = Duration::from_secs(60);
/// The longest pause that it gets when it asks for one.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Whether somebody can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkState {
    /// It answers.
    Up,
    /// Nothing has been heard of it yet.
    #[default]
    Unknown,
    /// It does not answer, or asked to be left alone.
    Down,
}

impl TrunkState {
    /// As the API and metrics spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Down => "down",
        }
    }
}

/// Where calls to a trunk are sent.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) uri: UriBuf,
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) state: TrunkState,
    /// Misses since the last answer, answers since the last miss.
    pub(super) misses: u32,
    pub(super) hits: u32,
    /// It asked to be left alone until then.
    pub(super) paused: Option<Instant>,
    pub(super) answered: Option<Instant>,
    /// The probe that is on its way.
    pub(super) probe: Option<PathId>,
    /// When it is probed next, or its pause or bad time is over.
    pub(super) due: Option<Instant>,
}

impl Target {
    pub(super) fn new(uri: UriBuf, priority: u16, weight: u16) -> Self {
        Self {
            uri,
            priority,
            weight,
            state: TrunkState::Unknown,
            misses: 0,
            hits: 0,
            paused: None,
            answered: None,
            probe: None,
            due: None,
        }
    }

    /// It answered, or did not.
    pub(super) fn hear(&mut self, now: Instant, outcome: Outcome, is_probed: bool) {
        match outcome {
            Outcome::Answered => {
                (self.misses, self.hits) = (0, self.hits.saturating_add(1));
                (self.answered, self.paused) = (Some(now), None);
                let enough = if is_probed { UP_AFTER } else { 1 };
                if self.state == TrunkState::Unknown || self.hits >= enough {
                    self.state = TrunkState::Up;
                }
            }
            Outcome::Refused(Some(pause)) => {
                (self.misses, self.hits) = (self.misses.saturating_add(1), 0);
                (self.answered, self.state) = (Some(now), TrunkState::Down);
                self.paused = Some(now + pause.min(LONGEST_PAUSE));
            }
            Outcome::Refused(None) | Outcome::Missed => {
                (self.misses, self.hits) = (self.misses.saturating_add(1), 0);
                if self.misses >= DOWN_AFTER {
                    self.state = TrunkState::Down;
                }
            }
        }
    }

    /// Its time has come: true if it is to be probed.
    pub(super) fn wake(&mut self, now: Instant, is_probed: bool) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            (self.state, self.misses) = (TrunkState::Unknown, 0);
        } else if !is_probed && self.state == TrunkState::Down {
            (self.state, self.misses) = (TrunkState::Unknown, 0);
        }
        is_probed && self.probe.is_none()
    }

    /// When it is looked at next; `every` is how often it is probed.
    pub(super) fn plan(&mut self, now: Instant, every: Option<Duration>, rng: &mut Rng) {
        if let Some(until) = self.paused {
            self.due = Some(until);
            return;
        }
        let doubtful = match self.state {
            TrunkState::Down => self.hits > 0,
            TrunkState::Up | TrunkState::Unknown => self.misses > 0,
        };
        self.due = match every {
            // What is on its way plans the next one when it is over.
            Some(_) if self.probe.is_some() => None,
            Some(every) if doubtful => Some(now + every.min(SOON)),
            Some(every) => {
                // A little earlier or later each time, so that probes spread out.
                let spread = u64::try_from(every.as_millis() / 10).unwrap_or(0).max(1);
                Some(now + every * 19 / 20 + Duration::from_millis(rng.below(spread)))
            }
            None => (self.state == TrunkState::Down).then(|| now + FORGIVEN),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::new(UriBuf::parse("sip:carrier.example").unwrap(), 0, 1)
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn two_misses_in_a_row_mark_it_down_and_two_answers_up_again() {
        let mut target = target();
        let mut after = |outcome| {
            target.hear(at(1), outcome, true);
            target.state
        };
        assert_eq!(after(Outcome::Missed), TrunkState::Unknown);
        assert_eq!(after(Outcome::Answered), TrunkState::Up);
        assert_eq!(after(Outcome::Missed), TrunkState::Up, "one lost packet");
        assert_eq!(after(Outcome::Answered), TrunkState::Up);
        assert_eq!(after(Outcome::Missed), TrunkState::Up);
        assert_eq!(after(Outcome::Refused(None)), TrunkState::Down);
        assert_eq!(after(Outcome::Answered), TrunkState::Down, "one answer may be luck");
        assert_eq!(after(Outcome::Answered), TrunkState::Up);
    }

    #[test]
    fn retry_after_takes_it_out_for_so_long_and_never_for_hours() {
        let (mut target, mut rng) = (target(), Rng::from_seed(1));
        target.hear(at(1), Outcome::Answered, true);
        target.hear(at(2), Outcome::Refused(Some(Duration::from_secs(20))), true);
        target.plan(at(2), Some(Duration::from_secs(30)), &mut rng);
        assert_eq!((target.state, target.due), (TrunkState::Down, Some(at(22))));
        assert!(target.wake(at(22), true), "it is probed as soon as the pause is over");
        assert_eq!(target.state, TrunkState::Unknown);
        target.hear(at(30), Outcome::Refused(Some(Duration::from_secs(86_400))), true);
        assert_eq!(target.paused, Some(at(330)));
    }

    #[test]
    fn doubt_is_cleared_up_within_seconds() {
        let (mut target, mut rng) = (target(), Rng::from_seed(1));
        let every = Some(Duration::from_secs(30));
        target.hear(at(1), Outcome::Answered, true);
        target.plan(at(1), every, &mut rng);
        let due = target.due.unwrap();
        assert!(due >= at(29) && due <= at(33), "{due:?}");
        target.hear(at(40), Outcome::Missed, true);
        target.plan(at(40), every, &mut rng);
        assert_eq!(target.due, Some(at(45)));
    }

    #[test]
    fn an_unprobed_target_that_is_down_gets_another_chance_after_a_minute() {
        let (mut target, mut rng) = (target(), Rng::from_seed(1));
        target.hear(at(1), Outcome::Missed, true);
        target.hear(at(1), Outcome::Missed, true);
        target.plan(at(1), None, &mut rng);
        assert_eq!(target.due, Some(at(61)));
        assert!(!target.wake(at(61), false));
        assert_eq!(target.state, TrunkState::Unknown);
    }
}
