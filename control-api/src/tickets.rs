//! Tickets for event streams: a browser's `WebSocket` and `EventSource` cannot send a header, and
//! a key must not stand in an address. A ticket opens one stream, once, within a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::TenantId;

/// How long a ticket waits to be used.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
/// Tickets that wait at once; past that the oldest is void.
const MOST: usize = 10_000;

struct Ticket {
    tenant: TenantId,
    issued: Instant,
}

/// The tickets that were issued and not yet used.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<BTreeMap<String, Ticket>>);

impl Tickets {
    pub(crate) fn issue(&self, name: String, tenant: TenantId) {
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
        tickets.insert(name, Ticket { tenant, issued: now });
    }

    /// The tenant whose events the ticket opens; it is void from here on.
    pub(crate) fn redeem(&self, name: &str) -> Option<TenantId> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.remove(name)?;
        (ticket.issued.elapsed() < LIFETIME).then_some(ticket.tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_once_and_their_number_is_bounded() {
        let tickets = Tickets::default();
        let acme = TenantId::new("acme").unwrap();
        tickets.issue("a".to_owned(), acme.clone());
        assert_eq!(tickets.redeem("a"), Some(acme.clone()));
        assert_eq!(tickets.redeem("a"), None);
        for number in 0..MOST + 10 {
            tickets.issue(number.to_string(), acme.clone());
        }
        assert_eq!(tickets.0.lock().unwrap().len(), MOST);
        assert_eq!(tickets.redeem("0"), None);
    }
}
