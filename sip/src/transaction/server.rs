//! Peers' requests and our responses: the table of server transactions.

use base::Instant;
use bytes::Bytes;

use super::budget::Charge;
use super::endpoint::Core;
use super::key::{Key, Table};
use super::schedule::Deadline;
use super::server_invite::{OnAck, OnTimeout, ServerInvite};
use super::server_non_invite::ServerNonInvite;
use super::{Event, ServerTx, TxRef, reply};
use crate::{Flow, Message, Method, Name, Response, StatusCode};

#[derive(Debug, Default)]
pub(super) struct Servers {
    table: Table<ServerTx, Server>,
    by_key: Table<Key, ServerTx>,
    /// INVITEs that got a 2xx, by what its ACK says.
    by_ack: Table<Key, ServerTx>,
    /// Requests outside dialogs, by what all copies of one have in common.
    by_merge: Table<Key, ServerTx>,
}

#[derive(Debug)]
struct Server {
    /// Where the request came from, and where responses go.
    flow: Flow,
    reply_to: Flow,
    /// Until the final response.
    request: Option<Message>,
    /// The last response as sent; empty before the first.
    response: Bytes,
    /// Our tag on To; the request's own inside a dialog.
    tag: Box<str>,
    key: Key,
    ack: Option<Key>,
    merge: Option<Key>,
    armed: Deadline,
    charge: Charge,
    machine: Machine,
}

/// What a transaction holds beside its messages, in bytes: tables, keys and deadlines.
const FIXED: usize = 640;
/// What a parsed message holds beside its bytes.
const INDEX: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Machine {
    Invite { state: ServerInvite, cancelled: bool },
    Other(ServerNonInvite),
}

impl Server {
    fn deadline(&self) -> Deadline {
        match &self.machine {
            Machine::Invite { state, .. } => state.deadline(),
            Machine::Other(state) => state.deadline(),
        }
    }

    fn is_over(&self) -> bool {
        match self.machine {
            Machine::Invite { state, .. } => state == ServerInvite::Terminated,
            Machine::Other(state) => state == ServerNonInvite::Terminated,
        }
    }

    fn reliable(&self) -> bool {
        self.flow.transport.is_reliable()
    }

    /// Counts what it holds by now.
    fn recharge(&mut self, core: &mut Core) {
        let request = self.request.as_ref().map_or(0, |request| request.bytes().len() + INDEX);
        let bytes = FIXED + request + self.response.len();
        core.budget.recharge(&self.flow, &mut self.charge, bytes);
    }

    fn send_again(&self, core: &mut Core, tx: ServerTx) {
        if !self.response.is_empty() {
            core.transmit(self.reply_to, self.response.clone(), TxRef::Server(tx));
        }
    }
}

impl Servers {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    pub(super) fn on_request(
        &mut self,
        core: &mut Core,
        now: Instant,
        flow: Flow,
        request: Message,
    ) {
        let method = request.method();
        if method == Method::Ack {
            return self.on_ack(core, now, flow, request);
        }
        let Some(key) = core.keyring.server(&request, &method) else {
            return core.absorb(flow, request, TxRef::None);
        };
        if let Some(&tx) = self.by_key.get(&key) {
            if let Some(server) = self.table.get(&tx) {
                let again = match server.machine {
                    Machine::Invite { state, .. } => state.on_request(),
                    Machine::Other(state) => state.on_request(),
                };
                if again {
                    server.send_again(core, tx);
                }
            }
            return core.absorb(flow, request, TxRef::Server(tx));
        }
        if method == Method::Cancel {
            return self.on_cancel(core, flow, request);
        }
        let merge = core.keyring.merge(&request);
        if let Some(tx) = merge.and_then(|merge| self.by_merge.get(&merge).copied()) {
            let of = TxRef::Server(tx);
            core.refuse(flow, &request, &Response::new(StatusCode::LOOP_DETECTED), of);
            return core.absorb(flow, request, of);
        }
        let bytes = FIXED + INDEX + request.bytes().len();
        if self.table.len() >= core.config.max_transactions
            || !core.budget.admits(&core.config, &flow, bytes)
        {
            let response =
                Response::new(StatusCode::SERVICE_UNAVAILABLE).header(Name::RETRY_AFTER, 5);
            core.refuse(flow, &request, &response, TxRef::None);
            return core.absorb(flow, request, TxRef::None);
        }
        self.open(core, now, flow, request, key, merge);
    }

    fn open(
        &mut self,
        core: &mut Core,
        now: Instant,
        flow: Flow,
        request: Message,
        key: Key,
        merge: Option<Key>,
    ) {
        let tx = ServerTx(core.next_number());
        let invite = *request.method_ref() == Method::Invite;
        let tag = request.to_tag().map_or_else(|| core.rng.hex::<8>(), str::to_owned);
        let mut server = Server {
            flow,
            reply_to: reply::path(&request, flow),
            request: Some(request.clone()),
            response: Bytes::new(),
            tag: tag.into_boxed_str(),
            key,
            ack: None,
            merge,
            armed: None,
            charge: Charge::default(),
            machine: if invite {
                let until = now + core.config.unanswered;
                Machine::Invite { state: ServerInvite::Proceeding { until }, cancelled: false }
            } else {
                Machine::Other(ServerNonInvite::Trying { until: now + core.config.timeout })
            },
        };
        server.recharge(core);
        self.by_key.insert(key, tx);
        if let Some(merge) = merge {
            self.by_merge.insert(merge, tx);
        }
        if flow.transport.is_reliable() {
            core.flows.insert((flow, TxRef::Server(tx)));
        }
        self.table.insert(tx, server);
        if invite {
            self.respond(core, now, tx, Response::new(StatusCode::TRYING));
        } else {
            self.settle(core, tx);
        }
        core.event(Event::Request { tx, flow, request });
    }

    pub(super) fn respond(
        &mut self,
        core: &mut Core,
        now: Instant,
        tx: ServerTx,
        response: Response,
    ) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        let status = response.status();
        let reliable = server.reliable();
        let goes_out = match &mut server.machine {
            Machine::Invite { state, .. } => state.on_respond(now, &core.config, reliable, status),
            Machine::Other(state) => state.on_respond(now, &core.config, reliable, status),
        };
        let (true, Some(request)) = (goes_out, server.request.as_ref()) else { return };
        if let Some(tag) = response.chosen_tag().filter(|_| request.to_tag().is_none())
            && *tag != *server.tag
        {
            server.tag = tag.into();
        }
        let tag = (status != StatusCode::TRYING).then_some(&*server.tag);
        let copied = reply::copied(request, server.flow, tag, status);
        server.response = core.with_server(response).encode(&copied);
        if status.is_final() {
            if status.is_success() && matches!(server.machine, Machine::Invite { .. }) {
                server.ack = core.keyring.ack(request, &server.tag);
                if let Some(ack) = server.ack {
                    self.by_ack.insert(ack, tx);
                }
            }
            server.request = None; // from here on only the response is needed
        }
        server.recharge(core);
        server.send_again(core, tx);
        self.settle(core, tx);
    }

    fn on_ack(&mut self, core: &mut Core, now: Instant, flow: Flow, ack: Message) {
        let by_branch = core
            .keyring
            .server(&ack, &Method::Invite)
            .and_then(|key| self.by_key.get(&key).copied());
        let tx = by_branch.or_else(|| {
            let key = core.keyring.ack(&ack, ack.to_tag()?)?;
            self.by_ack.get(&key).copied()
        });
        let Some(tx) = tx else {
            return core.absorb(flow, ack, TxRef::None);
        };
        let Some(server) = self.table.get_mut(&tx) else { return };
        let reliable = server.reliable();
        let action = match &mut server.machine {
            Machine::Invite { state, .. } => state.on_ack(now, &core.config, reliable),
            Machine::Other(_) => OnAck::Absorb,
        };
        match action {
            OnAck::Success => core.event(Event::Ack { tx, flow, ack }),
            OnAck::Absorb => core.absorb(flow, ack, TxRef::Server(tx)),
        }
        self.settle(core, tx);
    }

    /// CANCEL is answered at once and without keeping state: a retransmission finds the same
    /// INVITE and gets the same answer (§9.2).
    fn on_cancel(&mut self, core: &mut Core, flow: Flow, cancel: Message) {
        let found = core
            .keyring
            .server(&cancel, &Method::Invite)
            .and_then(|key| self.by_key.get(&key).copied())
            .and_then(|tx| Some((tx, self.table.get_mut(&tx)?)))
            // A stranger who has seen or guessed the branch may not end the call.
            .filter(|(_, server)| server.flow.remote.ip() == flow.remote.ip());
        let Some((tx, server)) = found else {
            let gone = Response::new(StatusCode::CALL_DOES_NOT_EXIST);
            core.refuse(flow, &cancel, &gone, TxRef::None);
            return core.absorb(flow, cancel, TxRef::None);
        };
        let of = TxRef::Server(tx);
        let ok = Response::new(StatusCode::OK).to_tag(&server.tag);
        core.refuse(flow, &cancel, &ok, of);
        match &mut server.machine {
            Machine::Invite { state: ServerInvite::Proceeding { .. }, cancelled }
                if !*cancelled =>
            {
                *cancelled = true;
                core.event(Event::Cancelled { tx, flow, cancel });
            }
            _ => core.absorb(flow, cancel, of),
        }
    }

    pub(super) fn on_timeout(&mut self, core: &mut Core, now: Instant, tx: ServerTx) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        server.armed = None; // its entry was taken out
        let action = match &mut server.machine {
            Machine::Invite { state, .. } => state.on_timeout(now),
            Machine::Other(state) => {
                state.on_timeout(now);
                OnTimeout::Nothing
            }
        };
        match action {
            OnTimeout::Resend => server.send_again(core, tx),
            OnTimeout::Unanswered => {
                self.respond(core, now, tx, Response::new(StatusCode::REQUEST_TIMEOUT));
                core.event(Event::Unanswered { tx });
            }
            OnTimeout::AckMissing => core.event(Event::AckMissing { tx }),
            OnTimeout::Ended | OnTimeout::Nothing => {}
        }
        self.settle(core, tx);
    }

    /// The connection is gone. A request that the user still works on stays open (the response
    /// will find no path); what only waits for the peer is over.
    pub(super) fn on_flow_failed(&mut self, core: &mut Core, tx: ServerTx) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        match &mut server.machine {
            Machine::Invite { state, .. } => match state {
                ServerInvite::Proceeding { .. } | ServerInvite::Accepted { .. } => {}
                _ => *state = ServerInvite::Terminated,
            },
            Machine::Other(_) => {}
        }
        self.settle(core, tx);
    }

    /// Sets the transaction's next deadline, or forgets it if it is over.
    fn settle(&mut self, core: &mut Core, tx: ServerTx) {
        let Some(server) = self.table.get_mut(&tx) else { return };
        let over = server.is_over();
        let next = if over { None } else { server.deadline() };
        core.schedule.arm(TxRef::Server(tx), &mut server.armed, next);
        if !over {
            return;
        }
        if let Some(mut server) = self.table.remove(&tx) {
            core.budget.recharge(&server.flow, &mut server.charge, 0);
            self.by_key.remove(&server.key);
            if let Some(ack) = server.ack {
                self.by_ack.remove(&ack);
            }
            if let Some(merge) = server.merge {
                self.by_merge.remove(&merge);
            }
            core.flows.remove(&(server.flow, TxRef::Server(tx)));
        }
    }
}
