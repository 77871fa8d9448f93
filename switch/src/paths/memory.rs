//! Which hops did not work lately, so that the next requests do not try them first
//! (RFC 3263 §4.3), and which asked for a pause (RFC 3261 §21.5.4).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant};
use sip::Transport;
use sip::resolve::Hop;

/// How long a hop that failed is tried last.
const DEAD: Duration = Duration::from_secs(60);
/// The longest pause that a hop gets: a careless Retry-After must not silence a trunk for hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The most hops remembered; beyond that, the one remembered for the shortest time goes.
const MOST: usize = 4096;

type Place = (Transport, SocketAddr);

/// What is known against a hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Nothing.
    Good,
    /// It failed lately.
    Dead,
    /// It asked to be left alone.
    Paused,
}

/// The hops that did not work lately. Bounded.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<Place, (Instant, Standing)>);

impl Memory {
    pub(super) fn standing(&self, now: Instant, hop: &Hop) -> Standing {
        match self.0.get(&place(hop)) {
            Some((until, standing)) if *until > now => *standing,
            _ => Standing::Good,
        }
    }

    /// It failed.
    pub(super) fn failed(&mut self, now: Instant, hop: &Hop) {
        self.keep(now, hop, now + DEAD, Standing::Dead);
    }

    /// It asked for a pause.
    pub(super) fn pause(&mut self, now: Instant, hop: &Hop, length: Duration) {
        self.keep(now, hop, now + length.min(LONGEST_PAUSE), Standing::Paused);
    }

    /// It works.
    pub(super) fn works(&mut self, hop: &Hop) {
        self.0.remove(&place(hop));
    }

    fn keep(&mut self, now: Instant, hop: &Hop, until: Instant, standing: Standing) {
        if self.0.len() >= MOST {
            self.0.retain(|_, (until, _)| *until > now);
        }
        if self.0.len() >= MOST
            && let Some(soonest) = self.0.iter().min_by_key(|(_, kept)| kept.0)
        {
            let soonest = *soonest.0;
            self.0.remove(&soonest);
        }
        self.0.insert(place(hop), (until, standing));
    }
}

fn place(hop: &Hop) -> Place {
    (hop.transport, hop.remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8) -> Hop {
        let remote = SocketAddr::from(([192, 0, 2, last], 5060));
        Hop { transport: Transport::Udp, remote, server_name: None }
    }

    #[test]
    fn a_hop_that_failed_is_remembered_for_a_minute_or_until_it_works() {
        let (mut memory, start) = (Memory::default(), Instant::from_millis(1000));
        memory.failed(start, &hop(1));
        memory.failed(start, &hop(2));
        assert_eq!(memory.standing(start, &hop(1)), Standing::Dead);
        assert_eq!(memory.standing(start, &hop(3)), Standing::Good);
        memory.works(&hop(2));
        assert_eq!(memory.standing(start, &hop(2)), Standing::Good);
        assert_eq!(memory.standing(start + DEAD, &hop(1)), Standing::Good);
    }

    #[test]
    fn a_pause_lasts_as_long_as_it_was_asked_for_but_never_for_hours() {
        let (mut memory, start) = (Memory::default(), Instant::from_millis(1000));
        memory.pause(start, &hop(1), Duration::from_secs(20));
        memory.pause(start, &hop(2), Duration::from_secs(86_400));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(memory.standing(at(19), &hop(1)), Standing::Paused);
        assert_eq!(memory.standing(at(20), &hop(1)), Standing::Good);
        assert_eq!(memory.standing(at(300), &hop(2)), Standing::Good);
    }

    #[test]
    fn the_memory_does_not_grow_without_bound() {
        let (mut memory, now) = (Memory::default(), Instant::from_millis(1000));
        for port in 1..=5000_u16 {
            let remote = SocketAddr::from(([192, 0, 2, 1], port));
            memory.failed(now, &Hop { transport: Transport::Tcp, remote, server_name: None });
        }
        assert_eq!(memory.0.len(), MOST);
    }
}
