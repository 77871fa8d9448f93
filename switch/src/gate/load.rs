//! Admission under overload (RFC 3261 §21.5.4, in the spirit of RFC 7339): when there is more to do
//! than can be done, new calls are turned away at the price of one response, and each tenant, or
//! each source where there is none, still gets its share. What is up goes on: requests within
//! dialogs are never turned away, and neither are agents' calls to emergency numbers.
//!
//! There are three measures: transactions that are open (they cost memory), new calls a second if
//! the operator has set a bound, and what the driver says of itself ([`governor`](super::governor)).

use base::{Instant, TenantId};
use routing::Dialled;
use sip::{Flow, Message, Name, Pace, Response, Source, StatusCode};

use super::governor::Governor;
use super::{Authenticated, Ruling};
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
    governor: Governor,
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

/// What becomes of one more call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// It is let in.
    Normal,
    /// It is let in if its asker's share is not used up.
    High,
    /// It is turned away.
    Full,
}

impl Load {
    pub(super) fn new(limits: &Limits) -> Self {
        let share = limits.share_calls_per_second;
        Self {
            governor: Governor::new(limits.few_calls_per_second),
            all: limits.calls_per_second.map(|most| Pace::new(most, most, 1)),
            share: Pace::new(share, share, ASKERS),
            transactions: limits.transactions.max(1),
        }
    }

    /// The driver says how busy it is.
    pub(crate) fn report(&mut self, now: Instant, percent: u32) {
        self.governor.report(now, percent);
    }

    /// Where one more call finds us, with that many transactions open.
    fn level(&mut self, now: Instant, open: usize) -> Level {
        match open.saturating_mul(100) / self.transactions {
            filled if filled >= FULL as usize => return Level::Full,
            filled if filled >= HIGH as usize => return Level::High,
            _ => {}
        }
        if self.all.as_mut().is_some_and(|all| !all.allows(now, &())) {
            return Level::High;
        }
        self.governor.level(now)
    }
}

impl Switch {
    /// Turns a new call away that has been proven, if there is too much to do and its share is used
    /// up.
    pub(super) fn shed(&mut self, now: Instant, flow: Flow, invite: &Message) -> Option<Ruling> {
        let open = self.node.endpoint.transactions().0;
        let level = self.node.gate.load.level(now, open);
        if level == Level::Normal || self.is_emergency(invite) {
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
        if let Some(Authenticated::Agent { tenant, .. }) = &self.node.gate.proven {
            return Asker::Tenant(tenant.clone());
        }
        let source = Asker::Source(Source::of(flow.remote.ip()));
        let Some(directory) = &self.node.directory else { return source };
        let dialled = invite.uri_text();
        let trunks = self.trunks_at(flow);
        let trunks = trunks.iter().filter_map(|trunk| directory.trunk(trunk));
        let mut routes = trunks.filter_map(|trunk| routing::route(directory, trunk, dialled).ok());
        routes.next().map_or(source, |route| Asker::Tenant(route.tenant))
    }

    /// Whether an agent calls for help. What a trunk sends us is never for us to pass on to an
    /// emergency service.
    fn is_emergency(&self, invite: &Message) -> bool {
        let Some(directory) = &self.node.directory else { return false };
        let Some(Authenticated::Agent { tenant, agent }) = &self.node.gate.proven else {
            return false;
        };
        let dialled = routing::dial(directory, tenant, Some(agent), invite.uri_text());
        matches!(dialled, Ok(Dialled::Outside(to)) if to.is_emergency())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_transactions_or_a_rush_of_calls_is_high_load() {
        let limits = Limits { calls_per_second: Some(2), transactions: 1000, ..Limits::default() };
        let at = Instant::from_millis;
        let mut load = Load::new(&limits);
        assert_eq!(load.level(at(1000), 10), Level::Normal);
        assert_eq!(load.level(at(2000), 1000), Level::High);
        assert_eq!(load.level(at(4000), 2000), Level::Full);
        let levels: Vec<Level> = (0..3).map(|_| load.level(at(9000), 10)).collect();
        assert_eq!(levels, [Level::Normal, Level::Normal, Level::High]);
    }
}
