//! Security events, told once: the first of its kind from a source at once, those that follow
//! within the minute as one event with their count. However many packets somebody sends, there is
//! one event a minute, a kind and a source.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::{Duration, Instant, TenantId};
use sip::Source;

use crate::port::SecurityKind;

/// How long what follows is only counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Sources watched one by one; with more of them, further ones are counted together.
const SOURCES: usize = 4_096;
/// Stands for all the sources that are not watched one by one.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

type Key = (SecurityKind, Source, Option<TenantId>);

/// What has been told, and what is still to be.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    tallies: BTreeMap<Key, Tally>,
    deadlines: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Tally {
    /// The last address of the source that was seen.
    from: SocketAddr,
    untold: u64,
}

/// What is to be told now.
pub(crate) struct Told {
    pub(crate) kind: SecurityKind,
    pub(crate) source: SocketAddr,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) count: u64,
}

impl Watch {
    /// Something happened: it is to be told if it is the first of its kind for a while.
    pub(crate) fn notice(
        &mut self,
        now: Instant,
        kind: SecurityKind,
        source: SocketAddr,
        tenant: Option<TenantId>,
    ) -> Option<Told> {
        let own = (kind, Source::of(source.ip()), tenant.clone());
        let is_known = self.tallies.contains_key(&own);
        let (key, from) = if is_known || self.tallies.len() < SOURCES {
            (own, source)
        } else {
            ((kind, Source::of(ELSEWHERE.ip()), None), ELSEWHERE)
        };
        if let Some(tally) = self.tallies.get_mut(&key) {
            tally.untold += 1;
            tally.from = from;
            return None;
        }
        let (kind, _, tenant) = key.clone();
        self.deadlines.insert((now + WINDOW, key.clone()));
        self.tallies.insert(key, Tally { from, untold: 0 });
        Some(Told { kind, source: from, tenant, count: 1 })
    }

    /// What a minute has gathered; a source that was quiet for that long is forgotten.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Told> {
        while let Some((due, key)) = self.deadlines.first().cloned()
            && due <= now
        {
            self.deadlines.pop_first();
            let Some(tally) = self.tallies.get_mut(&key) else { continue };
            let count = std::mem::take(&mut tally.untold);
            let source = tally.from;
            if count == 0 {
                self.tallies.remove(&key);
                continue;
            }
            self.deadlines.insert((now + WINDOW, key.clone()));
            let (kind, _, tenant) = key;
            return Some(Told { kind, source, tenant, count });
        }
        None
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(crate) fn len(&self) -> usize {
        self.tallies.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn from(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, last], port))
    }

    #[test]
    fn a_flood_is_two_events_a_minute_apart_and_then_the_source_is_forgotten() {
        let mut watch = Watch::default();
        let kind = SecurityKind::StrangerCall;
        let told: Vec<u64> = (0..10_000)
            .filter_map(|n| watch.notice(at(1), kind, from(7, n), None))
            .map(|told| told.count)
            .collect();
        assert_eq!(told, [1]);
        assert!(watch.poll(at(60)).is_none());
        assert_eq!(watch.poll(at(61)).map(|told| told.count), Some(9_999));
        assert!(watch.poll(at(61)).is_none());
        assert!(watch.poll(at(121)).is_none());
        assert_eq!((watch.len(), watch.poll_timeout()), (0, None));
    }

    #[test]
    fn too_many_sources_are_counted_together() {
        let mut watch = Watch::default();
        let kind = SecurityKind::WrongCredentials;
        let sources = (0..20_000_u32).map(|n| SocketAddr::new(Ipv4Addr::from(n + 1).into(), 5060));
        let told = sources.filter_map(|source| watch.notice(at(1), kind, source, None)).count();
        assert_eq!(told, SOURCES + 1);
        assert_eq!(watch.len(), SOURCES + 1);
        let rest = watch.poll(at(61)).expect("the others, in one event");
        assert_eq!((rest.source, rest.count), (ELSEWHERE, 20_000 - SOURCES as u64 - 1));
    }
}
