//! Admission under overload (RFC 3261 §21.5.4, in the spirit of RFC 7339): when there is more to do
//! than can be done, new calls are turned away at the price of one response, and each tenant, or
//! each source where there is none, still gets its share. What is up goes on: requests within
//! dialogs are never turned away, and neither are agents' calls to emergency numbers.

use base::{Instant, TenantId};
use routing::Dialled;
use sip::{Flow, Message, Name, Pace, Response, Source, StatusCode};

use super::Ruling;
use crate::config::Limits;
use crate::port::SecurityKind;
use crate::switch::Switch;

/// Whose calls share the little there is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Asker {
    /// The tenant whose number is dialled.
    Tenant(TenantId),
    /// Whoever it is.
    Source(Source),
}

/// How much there is to do.
#[derive(Debug)]
pub(crate) struct Load {
    /// What the driver says: 100 is as much as it can do.
    percent: u32,
    all: Option<Pace<()>>,
    share: Pace<Asker>,
    transactions: usize,
}

/// From here on new calls get their share alone.
const HIGH: u32 = 100;
/// From here on there are no shares any more.
const FULL: u32 = 200;
/// Askers that are told apart.
const ASKERS: usize = 4_096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Normal,
    High,
    Full,
}

impl Load {
    pub(super) fn new(limits: &Limits) -> Self {
        let share = limits.share_calls_per_second;
        Self {
            percent: 0,
            all: limits.calls_per_second.map(|most| Pace::new(most, most, 1)),
            share: Pace::new(share, share, ASKERS),
            transactions: limits.transactions.max(1),
        }
    }

    /// The driver says how busy it is.
    pub(crate) fn report(&mut self, percent: u32) {
        self.percent = percent;
    }

    /// Where one more call finds us, with that many transactions open.
    fn level(&mut self, now: Instant, open: usize) -> Level {
        let is_fast = self.all.as_mut().is_some_and(|all| !all.allows(now, &()));
        let filled = open.saturating_mul(100) / self.transactions;
        let percent = self.percent.max(u32::try_from(filled).unwrap_or(u32::MAX));
        match percent {
            FULL.. => Level::Full,
            HIGH.. => Level::High,
            _ if is_fast => Level::High,
            _ => Level::Normal,
        }
    }
}

impl Switch {
    /// Turns a new call away, if there is too much to do and its share is used up.
    pub(super) fn shed(&mut self, now: Instant, flow: Flow, invite: &Message) -> Option<Ruling> {
        let open = self.node.endpoint.transactions().0;
        let level = self.node.gate.load.level(now, open);
        if level == Level::Normal || self.is_emergency(&flow, invite) {
            return None;
        }
        let asker = self.asker(&flow, invite);
        if level == Level::High && self.node.gate.load.share.allows(now, &asker) {
            return None;
        }
        let tenant = match asker {
            Asker::Tenant(tenant) => Some(tenant),
            Asker::Source(_) => None,
        };
        self.node.security(now, SecurityKind::Overload, flow.remote, tenant);
        // Not all at once again.
        let seconds = 2 + self.node.rng.below(9);
        let response = Response::new(StatusCode::SERVICE_UNAVAILABLE);
        Some(Ruling::answer(response.header(Name::RETRY_AFTER, seconds)))
    }

    fn asker(&self, flow: &Flow, invite: &Message) -> Asker {
        let source = Asker::Source(Source::of(flow.remote.ip()));
        let Some(directory) = &self.node.directory else { return source };
        let dialled = invite.uri_text();
        let trunks = self.trunks_at(flow);
        let trunks = trunks.iter().filter_map(|trunk| directory.trunk(trunk));
        let mut routes = trunks.filter_map(|trunk| routing::route(directory, trunk, dialled).ok());
        routes.next().map_or(source, |route| Asker::Tenant(route.tenant))
    }

    /// Whether a phone of ours seems to call for help. Who it is has still to be proven; strangers
    /// who say so are as slow as all strangers are. What a trunk sends us is never for us to
    /// pass on to an emergency service.
    fn is_emergency(&self, flow: &Flow, invite: &Message) -> bool {
        let Some(directory) = &self.node.directory else { return false };
        if !self.trunks_at(flow).is_empty() {
            return false;
        }
        let domain = invite.from().map(|from| from.uri().host().to_ascii_lowercase());
        let tenant = domain.ok().and_then(|domain| directory.tenant_by_domain(&domain));
        tenant.is_some_and(|tenant| {
            let dialled = routing::dial(directory, &tenant.id, None, invite.uri_text());
            matches!(dialled, Ok(Dialled::Outside(to)) if to.is_emergency())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_driver_or_many_transactions_or_a_rush_of_calls_is_high_load() {
        let limits = Limits { calls_per_second: Some(2), transactions: 1000, ..Limits::default() };
        let at = Instant::from_millis;
        let mut load = Load::new(&limits);
        assert_eq!(load.level(at(1000), 10), Level::Normal);
        assert_eq!(load.level(at(2000), 1000), Level::High);
        assert_eq!(load.level(at(4000), 2000), Level::Full);
        load.report(120);
        assert_eq!(load.level(at(6000), 10), Level::High);
        load.report(20);
        let levels: Vec<Level> = (0..3).map(|_| load.level(at(9000), 10)).collect();
        assert_eq!(levels, [Level::Normal, Level::Normal, Level::High]);
    }
}
