//! How much one source and all sources together may hold of something: connections, handshakes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places that are given out; whoever holds a [`Place`] has one.
#[derive(Debug)]
pub(crate) struct Quota {
    all: usize,
    per_source: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

impl Quota {
    /// Nothing given out yet.
    pub(crate) fn new(all: usize, per_source: usize) -> Arc<Self> {
        Arc::new(Self { all, per_source, held: Mutex::default() })
    }

    /// A place for this source, if there is one.
    pub(crate) fn take(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let source = network(source);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.by_source.get(&source).copied().unwrap_or(0);
        if held.all >= self.all || own >= self.per_source {
            return None;
        }
        held.all += 1;
        held.by_source.insert(source, own + 1);
        Some(Place { quota: self.clone(), source })
    }

    fn give_back(&self, source: IpAddr) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= 1;
        if let Some(own) = held.by_source.get_mut(&source) {
            *own -= 1;
            if *own == 0 {
                held.by_source.remove(&source);
            }
        }
    }
}

/// One place of a [`Quota`]; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    quota: Arc<Quota>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.quota.give_back(self.source);
    }
}

/// Who one peer is: an IPv4 address, or the /64 that every IPv6 subscriber has to himself.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_gets_its_share_and_all_get_no_more_than_there_is() {
        let quota = Quota::new(3, 2);
        let first = quota.take(ip("192.0.2.1"));
        let second = quota.take(ip("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(quota.take(ip("192.0.2.1")).is_none(), "its share is taken");
        let third = quota.take(ip("192.0.2.2"));
        assert!(third.is_some());
        assert!(quota.take(ip("192.0.2.3")).is_none(), "all places are taken");
        drop((first, third));
        assert!(quota.take(ip("192.0.2.1")).is_some());
        drop(second);
        assert!(quota.held.lock().unwrap().by_source.is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let quota = Quota::new(9, 1);
        let _held = quota.take(ip("2001:db8::1")).unwrap();
        assert!(quota.take(ip("2001:db8::2:3")).is_none());
        assert!(quota.take(ip("2001:db8:0:1::1")).is_some());
    }
}
