//! When the recorder's thread does what: each recording has its turn every 60 ms, all of them evenly
//! spread over that time, and between two pieces of work others have the core if they want it.
//!
//! What relays audio on the same core waits for as long as a piece lasts: Linux lets whoever runs
//! use up a slice before it looks at who should go before whom, and looks up to 4 ms apart.

use std::collections::BTreeSet;
use std::thread;

use base::{Duration, Instant};
use media::TapId;

/// How often a recording is moved on: it costs the same for 10 ms and for 60.
const TURN_NANOS: u64 = 60_000_000;
/// A share of it that is like no fraction of small numbers (the golden one): however many turns
/// follow each other by this step, they lie evenly.
const STEP_NANOS: u64 = 37_082_039;
/// How long the thread keeps the core.
const PIECE: Duration = Duration::from_micros(200);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turns {
    due: BTreeSet<(Instant, TapId)>,
    begun: u64,
}

impl Turns {
    /// A recording begins: it has its turns from now on, at a place of its own among the others'.
    pub(super) fn begin(&mut self, now: Instant, tap: TapId) {
        let place = self.begun.wrapping_mul(STEP_NANOS) % TURN_NANOS;
        self.begun = self.begun.wrapping_add(1);
        let ahead = (place + TURN_NANOS - now.as_nanos() % TURN_NANOS) % TURN_NANOS;
        self.due.insert((now + Duration::from_nanos(ahead), tap));
    }

    /// How many have turns.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// The first whose turn it is, or simply the first; with when it was.
    pub(super) fn pop(&mut self, now: Instant, whoever: bool) -> Option<(Instant, TapId)> {
        self.due.first().filter(|(due, _)| *due <= now || whoever)?;
        self.due.pop_first()
    }

    /// It had its turn and has another: at its own place, however late this one came. Those that
    /// were late together would have all others together otherwise.
    pub(super) fn again(&mut self, now: Instant, (due, tap): (Instant, TapId)) {
        let passed = u64::try_from(now.since(due).as_nanos()).unwrap_or(u64::MAX) / TURN_NANOS;
        self.due.insert((due + Duration::from_nanos((passed + 1).saturating_mul(TURN_NANOS)), tap));
    }
}

/// Work of one waking.
pub(super) struct Spell<'a> {
    clock: &'a dyn Fn() -> Instant,
    since: Instant,
}

impl<'a> Spell<'a> {
    pub(super) fn begin(clock: &'a dyn Fn() -> Instant) -> Self {
        Self { clock, since: clock() }
    }

    /// A part of it is done: if it was much, whoever waits for the core has it first.
    pub(super) fn breathe(&mut self) {
        if (self.clock)().since(self.since) >= PIECE {
            thread::yield_now();
            self.since = (self.clock)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const TURN: Duration = Duration::from_nanos(TURN_NANOS);

    /// How many turns there are in each millisecond of the sixty.
    fn crowd(turns: &Turns) -> [usize; 60] {
        let mut crowd = [0; 60];
        for (due, _) in &turns.due {
            crowd[(due.as_nanos() % TURN_NANOS / 1_000_000) as usize] += 1;
        }
        crowd
    }

    fn is_even(turns: &Turns) -> bool {
        let mean = turns.len() / 60;
        crowd(turns).iter().all(|count| count.abs_diff(mean) <= 2)
    }

    #[test]
    fn recordings_that_begin_together_or_in_step_have_their_turns_evenly_one_after_the_other() {
        for every_ms in [0, 1, 20, 60] {
            let mut turns = Turns::default();
            for n in 0..1200 {
                turns.begin(Instant::from_millis(7 + n * every_ms), TapId(n));
            }
            assert!(is_even(&turns), "{every_ms}: {:?}", crowd(&turns));
        }
    }

    #[test]
    fn a_recording_begins_within_its_first_turn_and_then_has_one_every_turn() {
        let mut turns = Turns::default();
        let now = Instant::from_millis(1003);
        turns.begin(now, TapId(1));
        turns.begin(now, TapId(2));
        for _ in 0..2 {
            let (due, _) = turns.pop(now, true).unwrap();
            assert!(due >= now && due < now + TURN, "{due:?}");
        }
        turns.begin(now, TapId(3));
        let (due, tap) = turns.pop(now + TURN, false).unwrap();
        turns.again(due, (due, tap));
        assert_eq!(turns.pop(due + Duration::from_millis(59), false), None);
        assert_eq!(turns.pop(due + TURN, false), Some((due + TURN, tap)));
    }

    #[test]
    fn those_that_were_late_together_part_again() {
        let mut turns = Turns::default();
        for n in 0..1200 {
            turns.begin(Instant::ZERO, TapId(n));
        }
        // A disk that stood still for half a second.
        let now = Instant::from_millis(517);
        for _ in 0..turns.len() {
            let turn = turns.pop(now, false).unwrap();
            turns.again(now, turn);
        }
        assert!(turns.due.iter().all(|(due, _)| *due > now && *due <= now + TURN));
        assert!(is_even(&turns), "{:?}", crowd(&turns));
    }

    #[test]
    fn work_that_lasts_is_done_in_pieces() {
        let now = Cell::new(Instant::ZERO);
        let asked = Cell::new(0);
        let clock = || {
            asked.set(asked.get() + 1);
            now.get()
        };
        let mut spell = Spell::begin(&clock);
        let mut pieces = 0;
        for _ in 0..100 {
            now.set(now.get() + Duration::from_micros(10));
            let before = asked.get();
            spell.breathe();
            // It looks at the clock again when others have had the core.
            pieces += asked.get() - before - 1;
        }
        assert_eq!(pieces, 5);
    }
}
