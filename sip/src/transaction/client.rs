//! Our requests and their responses: the table of client transactions.

use std::fmt::Write as _;

use base::Instant;
use bytes::Bytes;

use super::client_invite::{ClientInvite, OnResponse, OnTimeout};
use super::client_non_invite::ClientNonInvite;
use super::endpoint::Core;
use super::key::{self, Key, Table};
use super::schedule::Deadline;
use super::{ClientTx, Event, TxRef};
use crate::{Flow, Message, Method, Name, Request, Via};

#[derive(Debug, Default)]
pub(super) struct Clients {
    table: Table<ClientTx, Client>,
    by_key: Table<Key, ClientTx>,
}

/// What a transaction holds beside its request, in bytes: tables, keys, deadlines, an ACK.
const FIXED: usize = 640;

#[derive(Debug)]
struct Client {
    flow: Flow,
    /// As sent.
    request: Bytes,
    key: Key,
    armed: Deadline,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    Invite {
        state: ClientInvite,
        cancel: Cancel,
        forks: Vec<Fork>,
    },
    Other(ClientNonInvite),
    /// A CANCEL of ours; nobody but us hears of it.
    Cancel {
        state: ClientNonInvite,
        of: ClientTx,
    },
}

#[derive(PartialEq, Eq, Debug)]
enum Cancel {
    No,
    /// Asked for, held back until the first provisional response (§9.1).
    Held {
        /// The value of its Reason (RFC 3326).
        reason: Option<Box<str>>,
    },
    Sent,
}

/// One 2xx's dialog, and its ACK once the user gave it.
#[derive(Debug)]
struct Fork {
    tag: Key,
    ack: Option<(Flow, Bytes)>,
}

impl Client {
    fn reliable(&self) -> bool {
        self.flow.transport.is_reliable()
    }

    fn deadline(&self) -> Deadline {
        match &self.machine {
            Machine::Invite { state, .. } => state.deadline(),
            Machine::Other(state) | Machine::Cancel { state, .. } => state.deadline(),
        }
    }

    fn is_over(&self) -> bool {
        match &self.machine {
            Machine::Invite { state, .. } => *state == ClientInvite::Terminated,
            Machine::Other(state) | Machine::Cancel { state, .. } => {
                *state == ClientNonInvite::Terminated
            }
        }
    }

    /// Whose message this is to the user.
    fn shown(&self, tx: ClientTx) -> ClientTx {
        match self.machine {
            Machine::Cancel { of, .. } => of,
            _ => tx,
        }
    }
}

/// A request that repeats another's Via: a CANCEL, or the ACK of a refusal (§9.1, §17.1.1.3).
fn derived(
    request: &Bytes,
    method: &Method,
    to: Option<&str>,
    reason: Option<&str>,
) -> Option<Bytes> {
    let request = Message::parse(request.clone()).ok()?;
    let to = to.or_else(|| request.header(Name::TO))?;
    let (uri, from) = (request.uri_text(), request.header(Name::FROM)?);
    let (via, call_id, cseq) =
        (request.via().ok()?.as_str(), request.call_id(), request.cseq().ok()?);
    let mut out = format!("{method} {uri} SIP/2.0\r\nVia: {via}\r\n");
    for route in request.headers(Name::ROUTE) {
        _ = write!(out, "Route: {route}\r\n");
    }
    _ = write!(
        out,
        "Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\n"
    );
    // What could end the field is no reason.
    if let Some(reason) = reason.filter(|reason| !reason.chars().any(char::is_control)) {
        _ = write!(out, "Reason: {reason}\r\n");
    }
    out.push_str("Content-Length: 0\r\n\r\n");
    Some(Bytes::from(out))
}

impl Clients {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn request(
        &mut self,
        core: &mut Core,
        now: Instant,
        flow: Flow,
        request: Request,
    ) -> ClientTx {
        let tx = ClientTx(core.next_number());
        if self.table.len() >= core.config.max_transactions {
            core.event(Event::TransportFailed { tx });
            return tx;
        }
        let branch = key::new_branch(&mut core.rng);
        let request = core.complete(&flow, request);
        let mut via = core.via(&flow, &branch);
        if core.config.keeps && *request.method() == Method::Register {
            via.push_str(";keep");
        }
        let bytes = request.encode(&via);
        let reliable = flow.transport.is_reliable();
        let machine = if *request.method() == Method::Invite {
            let state = ClientInvite::new(now, &core.config, reliable);
            Machine::Invite { state, cancel: Cancel::No, forks: Vec::new() }
        } else {
            Machine::Other(ClientNonInvite::new(now, &core.config, reliable))
        };
        let key = core.keyring.client(&branch, request.method());
        self.open(core, tx, Client { flow, request: bytes, key, armed: None, machine });
        tx
    }

    fn open(&mut self, core: &mut Core, tx: ClientTx, client: Client) {
        let of = TxRef::Client(client.shown(tx));
        core.transmit(client.flow, client.request.clone(), of);
        core.flows.insert((client.flow, TxRef::Client(tx)));
        core.budget.open_client(FIXED + client.request.len());
        self.by_key.insert(client.key, tx);
        self.table.insert(tx, client);
        self.settle(core, tx);
    }

    /// Sets the transaction's next deadline, or forgets it if it is over.
    fn settle(&mut self, core: &mut Core, tx: ClientTx) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        let over = client.is_over();
        let next = if over { None } else { client.deadline() };
        core.schedule.arm(TxRef::Client(tx), &mut client.armed, next);
        if over {
            core.flows.remove(&(client.flow, TxRef::Client(tx)));
            core.budget.close_client(FIXED + client.request.len());
            self.by_key.remove(&client.key);
            self.table.remove(&tx);
        }
    }

    pub(super) fn acknowledge(&mut self, core: &mut Core, tx: ClientTx, flow: Flow, ack: Request) {
        let branch = key::new_branch(&mut core.rng);
        let ack = core.complete(&flow, ack);
        let tag = ack.get(Name::TO).and_then(|to| crate::Address::parse(to).ok()?.tag());
        let tag = core.keyring.fork(tag.unwrap_or(""));
        let bytes = ack.encode(&core.via(&flow, &branch));
        core.transmit(flow, bytes.clone(), TxRef::Client(tx));
        if let Some(Client { machine: Machine::Invite { forks, .. }, .. }) = self.table.get_mut(&tx)
            && let Some(fork) = forks.iter_mut().find(|fork| fork.tag == tag)
        {
            fork.ack = Some((flow, bytes));
        }
    }

    pub(super) fn cancel(
        &mut self,
        core: &mut Core,
        now: Instant,
        tx: ClientTx,
        reason: Option<Box<str>>,
    ) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        let Machine::Invite { state, cancel, .. } = &mut client.machine else { return };
        if *cancel == Cancel::Sent {
            return;
        }
        match state {
            ClientInvite::Calling { .. } => *cancel = Cancel::Held { reason },
            ClientInvite::Proceeding { .. } => {
                *cancel = Cancel::Sent;
                state.on_cancel(now, &core.config);
                self.send_cancel(core, now, tx, reason.as_deref());
                self.settle(core, tx);
            }
            _ => {}
        }
    }

    fn send_cancel(&mut self, core: &mut Core, now: Instant, of: ClientTx, reason: Option<&str>) {
        let Some(invite) = self.table.get(&of) else { return };
        let Some(request) = derived(&invite.request, &Method::Cancel, None, reason) else { return };
        let Some(key) = branch_key(core, &request) else { return };
        let flow = invite.flow;
        let state = ClientNonInvite::new(now, &core.config, flow.transport.is_reliable());
        let machine = Machine::Cancel { state, of };
        let tx = ClientTx(core.next_number());
        self.open(core, tx, Client { flow, request, key, armed: None, machine });
    }

    pub(super) fn on_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        flow: Flow,
        response: Message,
    ) {
        let branch = response.via().ok().and_then(|via| via.branch());
        let key = branch.map(|branch| core.keyring.client(branch, response.method_ref()));
        let tx = key.and_then(|key| self.by_key.get(&key).copied());
        let (Some(tx), Some(status)) = (tx, response.status()) else {
            return core.absorb(flow, response, TxRef::None);
        };
        let Some(client) = self.table.get_mut(&tx) else { return };
        let reliable = client.reliable();
        let shown = TxRef::Client(client.shown(tx));
        let (action, internal) = match &mut client.machine {
            Machine::Invite { state, .. } => {
                (state.on_response(now, &core.config, reliable, status), false)
            }
            Machine::Other(state) => {
                (state.on_response(now, &core.config, reliable, status), false)
            }
            Machine::Cancel { state, .. } => {
                (state.on_response(now, &core.config, reliable, status), true)
            }
        };
        let deliver = match action {
            OnResponse::Deliver => status.as_u16() != 100 && !internal,
            OnResponse::DeliverAndAck => true,
            OnResponse::Success => client.on_success(core, tx, &response),
            OnResponse::AckAgain | OnResponse::Absorb => false,
        };
        // The ACK goes out before the user hears, so that what the user sends comes after it.
        if matches!(action, OnResponse::DeliverAndAck | OnResponse::AckAgain)
            && let Some(ack) =
                derived(&client.request, &Method::Ack, response.header(Name::TO), None)
        {
            core.transmit(client.flow, ack, TxRef::Client(tx));
        }
        if deliver {
            core.event(Event::Response { tx, flow, response });
        } else {
            core.absorb(flow, response, shown);
        }
        self.settle(core, tx);
        if status.is_provisional() {
            self.release_cancel(core, now, tx);
        }
    }

    /// Sends a CANCEL that was held back.
    fn release_cancel(&mut self, core: &mut Core, now: Instant, tx: ClientTx) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        let Machine::Invite { cancel: Cancel::Held { reason }, .. } = &mut client.machine else {
            return;
        };
        let reason = reason.take();
        self.cancel(core, now, tx, reason);
    }

    pub(super) fn on_timeout(&mut self, core: &mut Core, now: Instant, tx: ClientTx) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        client.armed = None; // its entry was taken out
        let shown = client.shown(tx);
        let (action, internal) = match &mut client.machine {
            Machine::Invite { state, .. } => (state.on_timeout(now), false),
            Machine::Other(state) => (state.on_timeout(now), false),
            Machine::Cancel { state, .. } => (state.on_timeout(now), true),
        };
        match action {
            OnTimeout::Resend => {
                let bytes = client.request.clone();
                core.transmit(client.flow, bytes, TxRef::Client(shown));
            }
            OnTimeout::TimedOut if !internal => core.event(Event::TimedOut { tx }),
            OnTimeout::TimedOut | OnTimeout::Ended | OnTimeout::Nothing => {}
        }
        self.settle(core, tx);
    }

    /// The path is gone: a request still waiting for its final response has failed (§17.1.4).
    pub(super) fn on_flow_failed(&mut self, core: &mut Core, tx: ClientTx) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        let waiting = match &mut client.machine {
            Machine::Invite { state, .. } => {
                let waiting =
                    matches!(state, ClientInvite::Calling { .. } | ClientInvite::Proceeding { .. });
                *state = ClientInvite::Terminated;
                waiting
            }
            Machine::Other(state) => {
                let waiting = matches!(state, ClientNonInvite::Trying { .. });
                *state = ClientNonInvite::Terminated;
                waiting
            }
            Machine::Cancel { state, .. } => {
                *state = ClientNonInvite::Terminated;
                false
            }
        };
        if waiting {
            core.event(Event::TransportFailed { tx });
        }
        self.settle(core, tx);
    }
}

impl Client {
    /// A 2xx: the first of a dialog is the user's; a repeated one brings its ACK again.
    fn on_success(&mut self, core: &mut Core, tx: ClientTx, response: &Message) -> bool {
        let Machine::Invite { forks, .. } = &mut self.machine else { return false };
        let tag = core.keyring.fork(response.to_tag().unwrap_or(""));
        if let Some(fork) = forks.iter().find(|fork| fork.tag == tag) {
            if let Some((flow, bytes)) = &fork.ack {
                core.transmit(*flow, bytes.clone(), TxRef::Client(tx));
            }
            return false;
        }
        if forks.len() >= core.config.max_forks {
            return false;
        }
        forks.reserve_exact(1); // hardly ever is there a second one
        forks.push(Fork { tag, ack: None });
        true
    }
}

fn branch_key(core: &mut Core, request: &Bytes) -> Option<Key> {
    let request = Message::parse(request.clone()).ok()?;
    let via: Via<'_> = request.via().ok()?;
    Some(core.keyring.client(via.branch()?, request.method_ref()))
}
