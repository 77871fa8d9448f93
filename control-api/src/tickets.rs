//! Tickets for event streams: a browser's `WebSocket` and `EventSource` cannot send a header, and
//! a key must not stand in an address. A ticket opens one stream, once, within a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::Scoped;

/// How long a ticket waits to be used.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// Tickets that wait at once; past that the oldest is void.
const MOST: usize = 10_000;

struct Ticket {
    scoped: Scoped,
    issued: Instant,
}

/// The tickets that were issued and not yet used.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<BTreeMap<String, Ticket>>);

impl Tickets {
    pub(crate) fn issue(&self, name: String, scoped: Scoped) {
        let now = Instant::now();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= MOST {
            tickets.retain(|_, ticket| now.duration_since(ticket.issued) < LIFETIME);
            let oldest = tickets.iter().min_by_key(|(_, ticket)| ticket.issued);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone())
                && tickets.len() >= MOST
            {
                tickets.remove(&oldest);
            }
        }
        tickets.insert(name, Ticket { scoped, issued: now });
    }

    /// Whose events the ticket opens; it is void from here on.
    pub(crate) fn redeem(&self, name: &str) -> Option<Scoped> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.remove(name)?;
        (ticket.issued.elapsed() < LIFETIME).then_some(ticket.scoped)
    }
}

#[cfg(test)]
mod tests {
    use base::TenantId;
    use routing::Role;

    use super::*;
    use crate::auth::Caller;

    #[test]
    fn a_ticket_opens_once_and_their_number_is_bounded() {
        let tickets = Tickets::default();
        let tenant = TenantId::new("acme").unwrap();
        let (own, name) = (Some(tenant.clone()), "ops".to_owned());
        let (role, agent, digest) = (Role::Admin, None, [0; 32]);
        let caller = Caller { role, tenant: own, agent, name, digest };
        let acme = Scoped { caller, tenant: tenant.clone() };
        tickets.issue("a".to_owned(), acme.clone());
        assert_eq!(tickets.redeem("a").map(|scoped| scoped.tenant), Some(tenant));
        assert!(tickets.redeem("a").is_none());
        for number in 0..MOST + 10 {
            tickets.issue(number.to_string(), acme.clone());
        }
        assert_eq!(tickets.0.lock().unwrap().len(), MOST);
        assert!(tickets.redeem("0").is_none());
    }
}
