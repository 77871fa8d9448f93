//! The gate: every request is looked at before it becomes a transaction. What is not proven to
//! come from a trunk, an agent or a peer of a live dialog is answered without keeping anything
//! (RFC 3261 §8.2.7), at a pace of its own; so strangers cost no memory, however many they are.
//!
//! Only the socket's source counts, and what a connection or a password has proven; nothing that
//! a Via or another header field says of where a message comes from is believed.

mod answers;
mod claim;
mod credentials;
mod governor;
mod identity;
mod in_dialog;
mod load;
mod proof;

use std::collections::HashMap;

use base::{AgentId, Instant, TenantId, TrunkId};
use bytes::Bytes;
use sip::{Flow, Message, Method, Pace, Response, Source, StatusCode, Throttle};

pub(crate) use self::identity::agent_named;
pub(crate) use self::in_dialog::Peer;
use self::load::Load;
use crate::config::Limits;
use crate::port::SecurityKind;
use crate::switch::Switch;

/// Who a request has been proven to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authenticated {
    /// A trunk.
    Trunk(TrunkId),
    /// An agent, by password or by the connection of a live binding.
    Agent {
        /// Of this tenant.
        tenant: TenantId,
        /// Who.
        agent: AgentId,
    },
}

/// What the gate keeps: bounded tables by source, what connections have shown, and how much there
/// is to do.
#[derive(Debug)]
pub(crate) struct Gate {
    /// How fast sources may ask that nobody has proven anything from.
    strangers: Pace,
    /// How fast the others may.
    known: Pace,
    throttle: Throttle,
    pub(super) load: Load,
    /// Verified names of client certificates, by connection.
    names: HashMap<u64, Vec<String>>,
    /// Who the request being handled comes from; until the transaction user has taken it.
    proven: Option<Authenticated>,
}

/// Sources and users that each table remembers.
const REMEMBERED: usize = 16_384;
/// Of a certificate as many names are kept.
const NAMES: usize = 32;
/// Sources that have proven something may ask so many times faster.
const KNOWN_FACTOR: u32 = 10;

/// What becomes of a request.
enum Ruling {
    /// It becomes a transaction.
    Pass,
    /// It is answered, and forgotten.
    Answer(Box<Response>),
    /// Nothing is said.
    Silence,
}

impl Ruling {
    fn answer(response: Response) -> Self {
        Self::Answer(Box::new(response))
    }

    fn status(status: StatusCode) -> Self {
        Self::answer(Response::new(status))
    }
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (rate, burst) = (limits.source_requests_per_second, limits.source_burst);
        let (fast, long) = (rate.saturating_mul(KNOWN_FACTOR), burst.saturating_mul(KNOWN_FACTOR));
        Self {
            strangers: Pace::new(rate, burst, REMEMBERED),
            known: Pace::new(fast, long, REMEMBERED),
            throttle: Throttle::new(REMEMBERED),
            load: Load::new(limits),
            names: HashMap::new(),
            proven: None,
        }
    }

    /// Who the request being handled comes from. Asked once.
    pub(crate) fn take_proven(&mut self) -> Option<Authenticated> {
        self.proven.take()
    }

    /// A connection has shown a certificate with these names.
    pub(crate) fn identify(&mut self, flow: Flow, mut names: Vec<String>) {
        if flow.connection != 0 {
            names.truncate(NAMES);
            self.names.insert(flow.connection, names);
        }
    }

    /// A connection is gone.
    pub(crate) fn forget(&mut self, flow: Flow) {
        self.names.remove(&flow.connection);
    }

    /// Connections whose names are kept.
    pub(crate) fn connections(&self) -> usize {
        self.names.len()
    }

    fn names_of(&self, flow: &Flow) -> &[String] {
        self.names.get(&flow.connection).map_or(&[], Vec::as_slice)
    }
}

impl Switch {
    /// A datagram, or a framed message.
    pub(crate) fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let Ok(message) = Message::parse(bytes.clone()) else {
            // Its answer may be larger than it: not at any pace.
            if self.may_ask(now, flow) {
                let input = sip::Input::Received { flow, bytes };
                self.node.endpoint.handle_input(now, input);
            }
            return;
        };
        if !message.is_request() {
            return self.node.endpoint.handle_message(now, flow, message);
        }
        match self.rule(now, flow, &message) {
            Ruling::Pass => self.node.endpoint.handle_message(now, flow, message),
            Ruling::Answer(response) => {
                self.node.note_refused(now, flow, &message, &response);
                self.node.endpoint.refuse(flow, &message, &response);
            }
            Ruling::Silence => self.node.ignored += 1,
        }
    }

    fn rule(&mut self, now: Instant, flow: Flow, request: &Message) -> Ruling {
        self.node.gate.proven = None;
        let method = request.method();
        if method == Method::Ack {
            return self.rule_ack(now, flow, request);
        }
        if method == Method::Cancel || self.node.endpoint.knows(request) {
            return Ruling::Pass;
        }
        if request.to_tag().is_some() {
            return self.rule_in_dialog(now, flow, request);
        }
        let trunks = self.trunks_at(&flow);
        let is_call = method == Method::Invite && !trunks.is_empty();
        if !is_call && !self.may_ask(now, flow) {
            return Ruling::Silence;
        }
        match method {
            Method::Register => self.prove_registrant(now, flow, request),
            Method::Invite => match self.prove_caller(now, flow, request, &trunks) {
                Ruling::Pass => self.shed(now, flow, request).unwrap_or(Ruling::Pass),
                // Whoever proves nothing is turned away at the same price anyhow.
                refusal => refusal,
            },
            Method::Subscribe | Method::Message => self.prove_caller(now, flow, request, &trunks),
            _ => Ruling::answer(self.plain_answer(request)),
        }
    }

    /// Whether the source asks no faster than it may; what is too much is told once a minute.
    fn may_ask(&mut self, now: Instant, flow: Flow) -> bool {
        let source = Source::of(flow.remote.ip());
        let gate = &mut self.node.gate;
        let is_known = gate.throttle.knows(now, source);
        let pace = if is_known { &mut gate.known } else { &mut gate.strangers };
        let allowed = pace.allows(now, &source);
        if !allowed {
            self.node.security(now, SecurityKind::Flood, flow.remote, None);
        }
        allowed
    }
}
