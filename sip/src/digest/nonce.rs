//! Nonces: made without keeping state, checked by their seal; what is kept is the highest `nc` of
//! those that a right password has used (RFC 7616 §3.3, §5.4).

use std::collections::BTreeMap;

use base::{Duration, Instant, Rng};
use md5::Digest as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::hash::hex;

/// When a nonce was issued (nanoseconds) and what makes it one of a kind.
type Issue = (u64, u64);

#[derive(Debug)]
pub(super) struct Nonces {
    secret: [u8; 32],
    rng: Rng,
    lifetime: Duration,
    /// Highest nc by issue; old ones give way.
    used: BTreeMap<Issue, u32>,
    /// Nonces issued up to here are stale: their nc may have been forgotten.
    floor: Option<u64>,
    limit: usize,
}

/// What a nonce is worth now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NonceState {
    /// Ours, in time: may be used with an nc above the last.
    Good(Issue),
    /// Ours, too old.
    Stale,
    /// Not ours, or another realm's.
    Foreign,
}

impl Nonces {
    pub(super) fn new(mut rng: Rng, lifetime: Duration, limit: usize) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self { secret, rng, lifetime, used: BTreeMap::new(), floor: None, limit }
    }

    /// 32 digits of issue and 32 of seal.
    pub(super) fn issue(&mut self, now: Instant, realm: &str) -> String {
        let issue = (now.as_nanos(), self.rng.next_u64());
        let seal = self.seal(issue, realm);
        format!("{:016x}{:016x}{seal}", issue.0, issue.1)
    }

    fn seal(&self, issue: Issue, realm: &str) -> String {
        // The secret at both ends: neither half of the hash's state can be continued.
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(issue.0.to_be_bytes());
        hash.update(issue.1.to_be_bytes());
        hash.update(realm.as_bytes());
        hash.update(self.secret);
        hex(&hash.finalize()[..16])
    }

    pub(super) fn check(&self, now: Instant, realm: &str, nonce: &str) -> NonceState {
        let half = |range| nonce.get(range).and_then(|t| u64::from_str_radix(t, 16).ok());
        let (Some(at), Some(random), 64) = (half(0..16), half(16..32), nonce.len()) else {
            return NonceState::Foreign;
        };
        let issue = (at, random);
        let seal = self.seal(issue, realm);
        let given = nonce.get(32..).unwrap_or("");
        if !bool::from(seal.as_bytes().ct_eq(given.as_bytes())) {
            return NonceState::Foreign;
        }
        let age = now.since(Instant::from_nanos(at));
        if age > self.lifetime || self.floor.is_some_and(|floor| at <= floor) {
            return NonceState::Stale;
        }
        NonceState::Good(issue)
    }

    /// Uses an nc; false if it is not above the last one (a replay). Only right passwords come
    /// here, so strangers cannot fill the table.
    pub(super) fn spend(&mut self, now: Instant, issue: Issue, nc: u32) -> bool {
        if let Some(last) = self.used.get_mut(&issue) {
            let fresh = nc > *last;
            *last = nc.max(*last);
            return fresh;
        }
        while let Some((&(at, random), _)) = self.used.first_key_value() {
            let expired = now.since(Instant::from_nanos(at)) > self.lifetime;
            if !expired && self.used.len() < self.limit {
                break;
            }
            self.used.remove(&(at, random));
            self.floor = self.floor.max(Some(at));
        }
        self.used.insert(issue, nc);
        nc > 0
    }
}
