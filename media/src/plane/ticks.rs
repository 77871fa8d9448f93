//! The 20 ms ticks of what we say ourselves: twenty lists, one for each millisecond, filled evenly.

use base::{Duration, Instant};

/// How much is said in one tick.
pub(super) const TICK: Duration = crate::pcm::TICK;
pub(super) const TICK_MS: u32 = 20;
const PHASES: u64 = 20;
const PHASE_NANOS: u64 = 1_000_000;
const TICK_NANOS: u64 = PHASES * PHASE_NANOS;

/// Who ticks, by its index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ticker {
    /// A stream that plays, or is heard in another codec.
    Stream(u32),
    /// A mix with all its members.
    Mix(u32),
}

/// Where a ticker stands in the lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    phase: u8,
    index: u32,
}

/// Who ticks when. Tickers of one phase tick together.
#[derive(Debug)]
pub(super) struct Ticks {
    phases: Vec<Phase>,
}

#[derive(Debug, Default)]
struct Phase {
    /// Each with its weight, as in the number of streams.
    tickers: Vec<(Ticker, u32)>,
    weight: u32,
    /// The next tick, while there are tickers.
    due: Instant,
}

impl Ticks {
    pub(super) fn new() -> Self {
        Self { phases: (0..PHASES).map(|_| Phase::default()).collect() }
    }

    /// Adds a ticker to the lightest phase; among those to the one that ticks first after `now`.
    /// Its first tick is told.
    pub(super) fn add(&mut self, now: Instant, ticker: Ticker, weight: u32) -> (Place, Instant) {
        let soonest = now.as_nanos().div_ceil(PHASE_NANOS);
        let best = (0..PHASES)
            .map(|ahead| soonest + ahead)
            .min_by_key(|tick| self.weight((tick % PHASES) as u8))
            .unwrap_or(soonest);
        let due = Instant::from_nanos(best * PHASE_NANOS);
        (self.add_at(due, ticker, weight), due)
    }

    /// Adds a ticker whose next tick is `due`, an instant that a tick of its own had.
    pub(super) fn add_at(&mut self, due: Instant, ticker: Ticker, weight: u32) -> Place {
        let phase = (due.as_nanos() / PHASE_NANOS % PHASES) as u8;
        let Some(list) = self.phases.get_mut(usize::from(phase)) else {
            return Place { phase, index: 0 };
        };
        if list.tickers.is_empty() || due < list.due {
            list.due = due;
        }
        list.tickers.push((ticker, weight));
        list.weight += weight;
        Place { phase, index: list.tickers.len() as u32 - 1 }
    }

    /// Takes a ticker out. The one that now stands in its place is told.
    pub(super) fn remove(&mut self, place: Place) -> Option<Ticker> {
        let list = self.phases.get_mut(usize::from(place.phase))?;
        if (place.index as usize) < list.tickers.len() {
            let (_, weight) = list.tickers.swap_remove(place.index as usize);
            list.weight -= weight;
        }
        list.tickers.get(place.index as usize).map(|(ticker, _)| *ticker)
    }

    /// A ticker is as heavy as that from now on.
    pub(super) fn weigh(&mut self, place: Place, weight: u32) {
        let Some(list) = self.phases.get_mut(usize::from(place.phase)) else { return };
        if let Some((_, old)) = list.tickers.get_mut(place.index as usize) {
            list.weight = list.weight - *old + weight;
            *old = weight;
        }
    }

    /// The next tick of all.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.phases.iter().filter(|p| !p.tickers.is_empty()).map(|p| p.due).min()
    }

    /// The phase whose tick is longest due, if one is.
    pub(super) fn due_phase(&self, now: Instant) -> Option<u8> {
        let due = self
            .phases
            .iter()
            .enumerate()
            .filter(|(_, phase)| !phase.tickers.is_empty() && phase.due <= now);
        due.min_by_key(|(_, phase)| phase.due).map(|(n, _)| n as u8)
    }

    /// The ticker at a place of a phase; walk from the last place down, as removals move the last.
    pub(super) fn ticker(&self, phase: u8, index: usize) -> Option<Ticker> {
        self.phases.get(usize::from(phase))?.tickers.get(index).map(|(ticker, _)| *ticker)
    }

    /// The tickers of a phase.
    pub(super) fn count(&self, phase: u8) -> usize {
        self.phases.get(usize::from(phase)).map_or(0, |phase| phase.tickers.len())
    }

    fn weight(&self, phase: u8) -> u32 {
        self.phases.get(usize::from(phase)).map_or(0, |phase| phase.weight)
    }

    /// All tickers of the phase have ticked up to `now`.
    pub(super) fn done(&mut self, phase: u8, now: Instant) {
        if let Some(list) = self.phases.get_mut(usize::from(phase)) {
            let behind = now.since(list.due).as_nanos() as u64 / TICK_NANOS;
            list.due += Duration::from_nanos((behind + 1) * TICK_NANOS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_streams_and_ten_mixes_spread_evenly_over_the_phases() {
        let mut ticks = Ticks::new();
        let start = Instant::from_millis(7);
        for stream in 0..100 {
            let (_, due) = ticks.add(start, Ticker::Stream(stream), 1);
            assert!(due >= start && due < Instant::from_millis(27));
        }
        assert!((0..20).all(|phase| ticks.weight(phase) == 5));
        for mix in 0..10 {
            let (place, _) = ticks.add(start, Ticker::Mix(mix), 1);
            ticks.weigh(place, 10);
        }
        let heavy = (0..20).filter(|phase| ticks.weight(*phase) == 15).count();
        assert_eq!(heavy, 10);
    }

    #[test]
    fn a_removed_ticker_gives_its_place_to_the_last_of_its_phase() {
        let mut ticks = Ticks::new();
        let due = Instant::from_millis(3);
        let first = ticks.add_at(due, Ticker::Stream(10), 1);
        ticks.add_at(due, Ticker::Mix(11), 4);
        ticks.add_at(due, Ticker::Stream(12), 1);
        assert_eq!(ticks.remove(first), Some(Ticker::Stream(12)));
        assert_eq!((ticks.weight(3), ticks.next_due()), (5, Some(due)));
        ticks.done(3, Instant::from_millis(50));
        assert_eq!(ticks.next_due(), Some(Instant::from_millis(63)));
    }
}
