//! What a switch keeps per tenant: the number of its last event, its calls that are up, and how
//! fast it has been starting them.

use std::collections::BTreeMap;

use base::{Duration, Instant, TenantId};
use routing::{Directory, Limits};

/// All tenants seen so far. Grows with provisioning only, never by what a peer sends.
#[derive(Debug, Default)]
pub(crate) struct Tenants(BTreeMap<TenantId, Book>);

#[derive(Debug, Default)]
struct Book {
    sequence: u64,
    quota: Quota,
    outbound: Quota,
}

impl Tenants {
    /// A tenant's log begins after this number, unless it has begun already.
    pub(crate) fn begin_after(&mut self, tenant: &TenantId, sequence: u64) {
        let book = || Book { sequence, ..Book::default() };
        self.0.entry(tenant.clone()).or_insert_with(book);
    }

    /// The number of the tenant's next event.
    pub(crate) fn next_sequence(&mut self, tenant: &TenantId) -> u64 {
        let book = self.book(tenant);
        book.sequence += 1;
        book.sequence
    }

    /// Counts a call in at the tenant and at each of its parents, if each may have one more by its
    /// own limits; else at none, and says which limit is in the way.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        directory: &Directory,
        tenant: &TenantId,
        calls: Calls,
    ) -> Result<(), Over> {
        for (place, (id, limits)) in directory.line(tenant).enumerate() {
            let (concurrent, per_second) = calls.limits(limits);
            if let Err(over) = self.quota(id, calls).admit(now, concurrent, per_second) {
                for (id, _) in directory.line(tenant).take(place) {
                    self.quota(id, calls).release();
                }
                return Err(over);
            }
        }
        Ok(())
    }

    /// Counts a call in that no limit stops.
    pub(crate) fn admit_anyway(&mut self, directory: &Directory, tenant: &TenantId, calls: Calls) {
        for (id, _) in directory.line(tenant) {
            self.quota(id, calls).admit_anyway();
        }
    }

    /// Counts an admitted call out, by the directory by which it was counted in.
    pub(crate) fn release(&mut self, directory: &Directory, tenant: &TenantId, calls: Calls) {
        for (id, _) in directory.line(tenant) {
            self.quota(id, calls).release();
        }
    }

    fn quota(&mut self, tenant: &TenantId, calls: Calls) -> &mut Quota {
        let book = self.book(tenant);
        match calls {
            Calls::All => &mut book.quota,
            Calls::Outbound => &mut book.outbound,
        }
    }

    fn book(&mut self, tenant: &TenantId) -> &mut Book {
        self.0.entry(tenant.clone()).or_default()
    }
}

/// Which calls are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Calls {
    /// All of a tenant's.
    All,
    /// Those to numbers outside.
    Outbound,
}

impl Calls {
    /// Calls at once and calls started in a second.
    fn limits(self, limits: &Limits) -> (Option<u32>, Option<u32>) {
        match self {
            Self::All => (limits.concurrent_calls, limits.calls_per_second),
            Self::Outbound => (limits.outbound_concurrent_calls, limits.outbound_calls_per_second),
        }
    }
}

/// How many calls somebody has up, and how fast they have been started.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    live: u32,
    rate: Rate,
}

impl Quota {
    /// Counts a call in, if there may be one more; else says which limit is in the way.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        concurrent: Option<u32>,
        per_second: Option<u32>,
    ) -> Result<(), Over> {
        if concurrent.is_some_and(|most| self.live >= most) {
            return Err(Over::Concurrent);
        }
        if per_second.is_some_and(|most| !self.rate.allows(now, most)) {
            return Err(Over::Rate);
        }
        self.live += 1;
        Ok(())
    }

    /// Counts a call in that no limit stops.
    pub(crate) fn admit_anyway(&mut self) {
        self.live += 1;
    }

    /// The calls that are up.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Counts an admitted call out.
    pub(crate) fn release(&mut self) {
        self.live = self.live.saturating_sub(1);
    }
}

/// Which limit is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// Calls at once.
    Concurrent,
    /// Calls started in a second.
    Rate,
}

/// A bucket that holds a second's worth of calls and fills evenly.
#[derive(Debug, Default)]
struct Rate {
    /// When the bucket would be full again (the virtual schedule of GCRA, ITU-T I.371).
    full_at: Instant,
}

impl Rate {
    fn allows(&mut self, now: Instant, per_second: u32) -> bool {
        if per_second == 0 {
            return false;
        }
        let each = Duration::from_secs(1) / per_second;
        let full_at = self.full_at.max(now) + each;
        let allowed = full_at.since(now) <= Duration::from_secs(1);
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_calls_a_second_lets_five_in_at_once_and_then_one_each_200_ms() {
        let mut rate = Rate::default();
        let at = |millis: u64| Instant::from_millis(1000 + millis);
        assert!((0..5).all(|_| rate.allows(at(0), 5)));
        assert!(!rate.allows(at(0), 5));
        assert!(!rate.allows(at(199), 5));
        assert!(rate.allows(at(200), 5));
        assert!(!rate.allows(at(201), 5));
        assert!(!Rate::default().allows(at(0), 0));
    }

    #[test]
    fn sequences_start_after_the_logs_last_number_and_only_the_first_say_counts() {
        let tenant = TenantId::new("acme").unwrap();
        let mut tenants = Tenants::default();
        tenants.begin_after(&tenant, 41);
        assert_eq!(tenants.next_sequence(&tenant), 42);
        tenants.begin_after(&tenant, 7);
        assert_eq!(tenants.next_sequence(&tenant), 43);
    }

    #[test]
    fn a_released_call_makes_room_for_another() {
        let mut quota = Quota::default();
        let now = Instant::ZERO;
        assert_eq!(quota.admit(now, Some(1), None), Ok(()));
        assert_eq!(quota.admit(now, Some(1), None), Err(Over::Concurrent));
        quota.release();
        assert_eq!(quota.admit(now, Some(1), None), Ok(()));
    }
}
