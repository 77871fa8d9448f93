//! Nonces: made without keeping state, checked by their seal; what is kept is which `nc` a
//! right password has used of each (RFC 7616 §3.3, §5.4).

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
    /// Counts used, by issue; old ones give way.
    used: BTreeMap<Issue, Counts>,
    /// Nonces issued up to here are stale: their nc may have been forgotten.
    floor: Option<u64>,
    limit: usize,
}

/// What a nonce is worth now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NonceState {
    /// Ours, in time: may be used with an nc that was not used yet.
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

    /// Uses an nc; false if it was used before, or is so far below the highest that this is not
    /// known any more. Only right passwords come here, so strangers cannot fill the table.
    pub(super) fn spend(&mut self, now: Instant, issue: Issue, nc: u32) -> bool {
        if let Some(counts) = self.used.get_mut(&issue) {
            return counts.spend(nc);
        }
        while let Some((&(at, random), _)) = self.used.first_key_value() {
            let expired = now.since(Instant::from_nanos(at)) > self.lifetime;
            if !expired && self.used.len() < self.limit {
                break;
            }
            self.used.remove(&(at, random));
            self.floor = self.floor.max(Some(at));
        }
        let mut counts = Counts::default();
        let fresh = counts.spend(nc);
        self.used.insert(issue, counts);
        fresh
    }
}

/// Which counts of a nonce were used: requests may overtake each other on the way, so the last 64
/// are known one by one (as RFC 4303 §3.4.3 does it for packets).
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    /// Bit n: `highest - n` was used.
    used: u64,
}

impl Counts {
    fn spend(&mut self, nc: u32) -> bool {
        if nc == 0 {
            return false;
        }
        if nc > self.highest {
            self.used = self.used.checked_shl(nc - self.highest).unwrap_or(0) | 1;
            self.highest = nc;
            return true;
        }
        let bit = 1_u64.checked_shl(self.highest - nc).unwrap_or(0);
        let fresh = bit != 0 && self.used & bit == 0;
        self.used |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_good_once_and_those_long_past_never() {
        let mut counts = Counts::default();
        for (nc, fresh) in [
            (0, false),
            (2, true),
            (1, true),
            (1, false),
            (2, false),
            (66, true),
            (2, false),
            (3, true),
            (65, true),
            (3, false),
            (u32::MAX, true),
            (66, false),
            (u32::MAX - 63, true),
            (u32::MAX - 64, false),
            (u32::MAX, false),
        ] {
            assert_eq!(counts.spend(nc), fresh, "{nc}");
        }
    }
}
