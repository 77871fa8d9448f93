//! How hard our encoders try, by how busy the worker is: with full effort while there is room, with
//! the least when many calls want it, so that one core carries them all.
//!
//! It gives way at once and comes back late, and only when there is room for what full effort costs:
//! a call's audio does not change to and fro.

use base::{Duration, Instant};

use super::Plane;
use crate::codec::Effort;

/// Busy for this part of the time, a worker's encoders do the least...
const BUSY: f32 = 0.55;
/// ... and try hard again when it is for less than this: full effort is at most two and a half
/// times the work of all that is done for a call with the least.
const CALM: f32 = 0.2;
/// For so long it must have been.
const CALM_FOR: Duration = Duration::from_secs(5);

/// What is asked of a worker's encoders.
#[derive(Debug, Default)]
pub(super) struct Exertion {
    effort: Effort,
    /// Since when there is room for more.
    calm_since: Option<Instant>,
}

impl Exertion {
    pub(super) fn effort(&self) -> Effort {
        self.effort
    }

    /// The worker was busy for that part of the time lately. Whether something else is asked now.
    fn note(&mut self, now: Instant, busy: f32) -> bool {
        let before = self.effort;
        if busy >= CALM {
            self.calm_since = None;
        }
        if busy >= BUSY {
            self.effort = Effort::Least;
        } else if busy < CALM {
            let since = *self.calm_since.get_or_insert(now);
            if now.since(since) >= CALM_FOR {
                self.effort = Effort::Full;
            }
        }
        self.effort != before
    }
}

impl Plane {
    /// For which part of the time, 0 to 1, the plane's thread had something to do lately: in the
    /// last half second or so. Tell it about as often.
    pub fn handle_load(&mut self, now: Instant, busy: f32) {
        if !self.exertion.note(now, busy) {
            return;
        }
        let effort = self.exertion.effort();
        for stream in self.streams.iter_mut().filter_map(|place| place.stream.as_mut()) {
            if let Some(mouth) = stream.mouth() {
                mouth.set_effort(effort);
            }
        }
    }

    /// How hard its encoders try.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.exertion.effort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_way_at_once_and_tries_hard_again_after_five_calm_seconds_in_a_row() {
        let mut exertion = Exertion::default();
        let at = |ms: u64| Instant::from_millis(1000 + ms);
        assert!(!exertion.note(at(0), 0.5) && exertion.effort() == Effort::Full);
        assert!(exertion.note(at(500), 0.6) && exertion.effort() == Effort::Least);
        // Less is to be done at once, as less is tried: that is no room yet.
        assert!((2..40).all(|n| !exertion.note(at(500 * n), 0.3)));
        assert!((40..50).all(|n| !exertion.note(at(500 * n), 0.1)), "not yet five seconds");
        assert!(!exertion.note(at(25_000), 0.25), "once more from the beginning");
        assert!((51..61).all(|n| !exertion.note(at(500 * n), 0.1)));
        assert!(exertion.note(at(30_500), 0.1) && exertion.effort() == Effort::Full);
    }
}
