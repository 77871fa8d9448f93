//! The 20 ms ticks of what plays: twenty lists, one for each millisecond, filled evenly.

use base::{Duration, Instant};

/// How much is played in one packet.
pub(super) const TICK: Duration = Duration::from_millis(20);
const PHASES: u64 = 20;
const PHASE_NANOS: u64 = 1_000_000;
const TICK_NANOS: u64 = PHASES * PHASE_NANOS;

/// Where a stream stands in the lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    phase: u8,
    index: u32,
}

/// Which streams tick when. Streams of one phase tick together.
#[derive(Debug)]
pub(super) struct Ticks {
    phases: Vec<Phase>,
}

#[derive(Debug, Default)]
struct Phase {
    streams: Vec<u32>,
    /// The next tick, while there are streams.
    due: Instant,
}

impl Ticks {
    pub(super) fn new() -> Self {
        Self { phases: (0..PHASES).map(|_| Phase::default()).collect() }
    }

    /// Adds a stream to the emptiest phase; among those to the one that ticks first after `now`.
    /// Its first tick is told.
    pub(super) fn add(&mut self, now: Instant, stream: u32) -> (Place, Instant) {
        let soonest = now.as_nanos().div_ceil(PHASE_NANOS);
        let best = (0..PHASES)
            .map(|ahead| soonest + ahead)
            .min_by_key(|tick| self.load((tick % PHASES) as u8))
            .unwrap_or(soonest);
        let due = Instant::from_nanos(best * PHASE_NANOS);
        (self.add_at(due, stream), due)
    }

    /// Adds a stream whose next tick is `due`, an instant that a tick of its own had.
    pub(super) fn add_at(&mut self, due: Instant, stream: u32) -> Place {
        let phase = (due.as_nanos() / PHASE_NANOS % PHASES) as u8;
        let Some(list) = self.phases.get_mut(usize::from(phase)) else {
            return Place { phase, index: 0 };
        };
        if list.streams.is_empty() || due < list.due {
            list.due = due;
        }
        list.streams.push(stream);
        Place { phase, index: list.streams.len() as u32 - 1 }
    }

    /// Takes a stream out. The one that now stands in its place is told.
    pub(super) fn remove(&mut self, place: Place) -> Option<u32> {
        let streams = &mut self.phases.get_mut(usize::from(place.phase))?.streams;
        if (place.index as usize) < streams.len() {
            streams.swap_remove(place.index as usize);
        }
        streams.get(place.index as usize).copied()
    }

    /// The next tick of all.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.phases.iter().filter(|p| !p.streams.is_empty()).map(|p| p.due).min()
    }

    /// The phase whose tick is longest due, if one is.
    pub(super) fn due_phase(&self, now: Instant) -> Option<u8> {
        let due = self
            .phases
            .iter()
            .enumerate()
            .filter(|(_, phase)| !phase.streams.is_empty() && phase.due <= now);
        due.min_by_key(|(_, phase)| phase.due).map(|(n, _)| n as u8)
    }

    /// The stream at a place of a phase; walk from the last place down, as removals move the last.
    pub(super) fn stream(&self, phase: u8, index: usize) -> Option<u32> {
        self.phases.get(usize::from(phase))?.streams.get(index).copied()
    }

    pub(super) fn load(&self, phase: u8) -> usize {
        self.phases.get(usize::from(phase)).map_or(0, |phase| phase.streams.len())
    }

    /// All streams of the phase have ticked up to `now`.
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
    fn a_hundred_streams_spread_evenly_over_the_phases() {
        let mut ticks = Ticks::new();
        for stream in 0..100 {
            let (_, due) = ticks.add(Instant::from_millis(7), stream);
            assert!(due >= Instant::from_millis(7) && due < Instant::from_millis(27));
        }
        assert!((0..20).all(|phase| ticks.load(phase) == 5));
    }

    #[test]
    fn a_removed_stream_gives_its_place_to_the_last_of_its_phase() {
        let mut ticks = Ticks::new();
        let due = Instant::from_millis(3);
        let first = ticks.add_at(due, 10);
        ticks.add_at(due, 11);
        ticks.add_at(due, 12);
        assert_eq!(ticks.remove(first), Some(12));
        assert_eq!(ticks.next_due(), Some(due));
        ticks.done(3, Instant::from_millis(50));
        assert_eq!(ticks.next_due(), Some(Instant::from_millis(63)));
    }
}
