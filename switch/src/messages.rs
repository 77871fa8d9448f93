//! MESSAGE (RFC 3428) between agents of a tenant: to every phone of the one it is for, answered as
//! the first of them answers. Nothing is kept of it but who waits for which answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{AgentId, Duration, Instant, TenantId};
use sip::{ClientTx, Flow, Message, Method, Name, Request, Response, ServerTx, StatusCode, UriBuf};

use crate::gate::agent_named;
use crate::register::suspended;
use crate::switch::Switch;

/// The longest body, in bytes (RFC 3428 §8).
const LONGEST: usize = 1_300;
/// How long phones have; the sender gives up at 32 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message on its way.
#[derive(Debug)]
struct Relay {
    tx: ServerTx,
    /// The phones that have not answered.
    open: BTreeSet<ClientTx>,
    /// The most telling refusal so far.
    refused: Option<StatusCode>,
    until: Instant,
}

/// All that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    all: BTreeMap<u64, Relay>,
    clients: HashMap<ClientTx, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl Relays {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len() + self.clients.len()
    }

    fn remove(&mut self, id: u64) -> Option<Relay> {
        let relay = self.all.remove(&id)?;
        self.deadlines.remove(&(relay.until, id));
        for tx in &relay.open {
            self.clients.remove(tx);
        }
        Some(relay)
    }
}

impl Switch {
    /// A MESSAGE of an agent's.
    pub(crate) fn on_message(
        &mut self,
        now: Instant,
        tx: ServerTx,
        request: &Message,
        (tenant, from): (TenantId, AgentId),
    ) {
        if request.body().len() > LONGEST {
            return self.node.reply(now, tx, StatusCode::REQUEST_ENTITY_TOO_LARGE);
        }
        if self.node.relays.all.len() >= self.node.config.limits.messages {
            let full = Response::new(StatusCode::SERVICE_UNAVAILABLE);
            return self.node.endpoint.respond(now, tx, full.header(Name::RETRY_AFTER, 5));
        }
        if self.is_suspended(&tenant) {
            return self.node.endpoint.respond(now, tx, suspended());
        }
        let Some((to, domain)) = self.addressee(&tenant, request) else {
            return self.node.reply(now, tx, StatusCode::NOT_FOUND);
        };
        let sent = self.send_message(now, request, (&tenant, &domain), (&from, &to));
        if sent.is_empty() {
            return self.node.reply(now, tx, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        let relays = &mut self.node.relays;
        relays.last += 1;
        let (id, until) = (relays.last, now + PATIENCE);
        relays.clients.extend(sent.iter().map(|tx| (*tx, id)));
        relays.deadlines.insert((until, id));
        relays.all.insert(id, Relay { tx, open: sent, refused: None, until });
    }

    /// The agent it is for, and the tenant's domain: nobody else is reached.
    fn addressee(&self, tenant: &TenantId, request: &Message) -> Option<(AgentId, String)> {
        let directory = self.node.directory.as_ref()?;
        let tenant = directory.tenant(tenant)?;
        let uri = request.uri().ok()?;
        let is_own = uri.host().eq_ignore_ascii_case(&tenant.domain) || uri.ip().is_some();
        let user = uri.user_unescaped().filter(|_| is_own)?;
        Some((agent_named(tenant, &user)?.id.clone(), tenant.domain.clone()))
    }

    /// A copy for each phone, from the one who has been proven to send it.
    fn send_message(
        &mut self,
        now: Instant,
        request: &Message,
        (tenant, domain): (&TenantId, &str),
        (from, to): (&AgentId, &AgentId),
    ) -> BTreeSet<ClientTx> {
        let aor = crate::register::aor(tenant, to);
        let targets: Vec<(UriBuf, Option<Box<str>>, Flow)> = self
            .node
            .registrar
            .targets(now, &aor)
            .into_iter()
            .map(|binding| (binding.contact.clone(), binding.path.clone(), binding.flow))
            .collect();
        let hops = request.max_forwards().unwrap_or(70).saturating_sub(1);
        let kind = request.content_type().unwrap_or("text/plain");
        let mut sent = BTreeSet::new();
        for (contact, path, flow) in targets {
            let tag = self.node.rng.hex::<8>();
            let mut copy = Request::new(Method::Message, contact)
                .header(Name::FROM, format_args!("<sip:{from}@{domain}>;tag={tag}"))
                .header(Name::TO, format_args!("<sip:{to}@{domain}>"))
                .header(Name::MAX_FORWARDS, hops)
                .body(kind, request.body());
            if let Some(path) = path {
                copy = copy.header(Name::ROUTE, path);
            }
            sent.insert(self.node.endpoint.request(now, flow, copy));
        }
        sent
    }

    /// A phone has answered, or will not. True if it was about a message.
    pub(crate) fn on_message_answered(
        &mut self,
        now: Instant,
        tx: ClientTx,
        status: Option<StatusCode>,
    ) -> bool {
        if status.is_some_and(|status| !status.is_final()) {
            return self.node.relays.clients.contains_key(&tx);
        }
        let Some(id) = self.node.relays.clients.remove(&tx) else { return false };
        let Some(relay) = self.node.relays.all.get_mut(&id) else { return true };
        relay.open.remove(&tx);
        let delivered = status.is_some_and(StatusCode::is_success);
        if !delivered {
            relay.refused = relay.refused.or(status.filter(|status| tells(*status)));
        }
        if delivered || relay.open.is_empty() {
            let answer = if delivered {
                StatusCode::OK
            } else {
                relay.refused.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE)
            };
            if let Some(relay) = self.node.relays.remove(id) {
                self.node.reply(now, relay.tx, answer);
            }
        }
        true
    }

    /// Phones that did not answer in time are not there.
    pub(crate) fn expire_messages(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.node.relays.deadlines.first()
            && due <= now
        {
            let Some(relay) = self.node.relays.remove(id) else { return };
            let answer = relay.refused.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
            self.node.reply(now, relay.tx, answer);
        }
    }
}

/// Whether a phone's refusal is about the message and not about the phone.
fn tells(status: StatusCode) -> bool {
    matches!(status.as_u16(), 413 | 415 | 486 | 600..=699)
}
