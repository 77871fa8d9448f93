//! The virtual network: datagrams under way, lost, repeated and delayed by a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};
use bytes::Bytes;

/// How the network treats datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// Lost, of a thousand.
    pub lost: u64,
    /// Delivered twice, of a thousand.
    pub repeated: u64,
    /// The least time under way.
    pub delay: Duration,
    /// What chance adds to it at most; more than the distance of two datagrams reorders them.
    pub jitter: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        let delay = Duration::from_millis(5);
        Self { lost: 0, repeated: 0, delay, jitter: Duration::ZERO }
    }
}

/// A datagram.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who gets it.
    pub to: SocketAddr,
    /// Its content.
    pub bytes: Bytes,
}

/// Datagrams under way, soonest first; equal times keep the order of sending.
#[derive(Debug)]
pub struct Network {
    conditions: Conditions,
    under_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    rng: Rng,
}

impl Network {
    /// A perfect network.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self { conditions: Conditions::default(), under_way: BTreeMap::new(), sent: 0, rng }
    }

    /// From now on datagrams are treated so.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Takes a datagram, and perhaps loses or doubles it.
    pub fn send(&mut self, now: Instant, datagram: &Datagram) {
        let copies = match self.rng.below(1000) {
            roll if roll < self.conditions.lost => 0,
            roll if roll < self.conditions.lost + self.conditions.repeated => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let jitter = u64::try_from(self.conditions.jitter.as_nanos()).unwrap_or(u64::MAX);
            let extra = Duration::from_nanos(self.rng.below(jitter));
            let at = now + self.conditions.delay + extra;
            self.sent += 1;
            self.under_way.insert((at, self.sent), datagram.clone());
        }
    }

    /// When the next datagram arrives.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next datagram that has arrived by now.
    pub fn arrived(&mut self, now: Instant) -> Option<Datagram> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
