//! The switch: takes what happened to the machine it concerns, carries what the machines say to
//! each other, and frees calls that are over.

use base::{CallId, Instant, Rng};
use bytes::Bytes;
use sip::{Event as SipEvent, Flow, Message, Method, Output as SipOutput, ServerTx, TxRef};

use crate::call::Signal;
use crate::calls::Calls;
use crate::config::SwitchConfig;
use crate::index::LegRef;
use crate::ladder;
use crate::node::{Alarm, Node};
use crate::port::{Input, Output, Timer};
use crate::ports::stream_of;
use crate::record::Direction;

/// One shard: the calls of its tenants, and all they need.
pub struct Switch {
    pub(crate) node: Node,
    pub(crate) calls: Calls,
}

/// What a switch holds; all zero when nothing is up, so that tests can see a leak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Calls whose record is still to come.
    pub calls: usize,
    /// Entries of the tables that find a call by a name of SIP's.
    pub index: usize,
    /// Media streams that hold a port.
    pub streams: usize,
    /// INVITEs of ours that no call waits for, remembered for their late answers.
    pub strays: usize,
    /// Deadlines of calls and strays.
    pub alarms: usize,
    /// Requests that look for their way.
    pub paths: usize,
    /// SIP transactions of peers.
    pub server_transactions: usize,
    /// SIP transactions of ours.
    pub client_transactions: usize,
    /// Bytes that these transactions hold, nearly.
    pub transaction_bytes: usize,
    /// Connections whose certificates' names are kept.
    pub identities: usize,
    /// Sources of which something is still to be told.
    pub watched: usize,
    /// Subscriptions, and NOTIFYs that wait for their answer.
    pub subscriptions: usize,
    /// MESSAGEs on their way, and copies that wait for their answer.
    pub messages: usize,
    /// Calls that wait for their signer's certificate.
    pub held: usize,
    /// Media workers' confirmations that requests of the API wait for.
    pub orders: usize,
}

impl Switch {
    /// A switch without provisioning: every call is refused until [`Input::Provision`] comes.
    #[must_use]
    pub fn new(config: SwitchConfig, rng: Rng) -> Self {
        Self { node: Node::new(config, rng), calls: Calls::default() }
    }

    /// Media ports are given out from anywhere in their ranges on, instead of the first: what is
    /// still sent to the calls of a server that stood here a moment ago meets no new call, and
    /// nobody guesses a call's port. Before the first call.
    pub fn scatter_ports(&mut self) {
        let Node { ports, rng, .. } = &mut self.node;
        ports.turn(|| rng.next_u64());
    }

    /// Takes one thing that happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        // What was due before comes first: an answer after the ring timeout is too late.
        if self.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.handle_timeout(now);
        }
        match input {
            Input::Received { flow, bytes } => {
                self.note(now, Direction::In, flow, &bytes);
                self.node.registrar.handle_sign_of_life(now, flow);
                self.receive(now, flow, bytes);
            }
            Input::KeepAlive { flow, answer } => {
                self.node.on_keep_alive(now, flow, answer.as_ref())
            }
            Input::FlowClosed { flow } => self.on_flow_closed(now, flow),
            Input::FlowIdentity { flow, names } => self.node.gate.identify(flow, names),
            Input::Load { percent } => self.node.gate.load.report(now, percent),
            Input::Dns(answer) => self.node.paths.on_answer(now, &answer),
            Input::Connected { id, result } => self.node.paths.on_connected(now, id, result),
            Input::StirRoots(roots) => self.node.signatures.trust(roots),
            Input::Fetched { url, result } => self.on_fetched(now, &url, result),
            Input::Media { event, .. } => self.on_media(now, event),
            Input::MediaGone { worker } => self.on_media_gone(now, worker),
            Input::Provision { directory, prompts, last_sequence } => {
                self.provision(now, directory, prompts, &last_sequence);
            }
            Input::Settings(kept) => self.restore_settings(now, kept),
            Input::Request { id, tenant, request } => self.on_api(now, id, &tenant, request),
            Input::Recording(report) => self.on_recording(now, report),
            Input::Drain => self.node.draining = true,
            Input::EndCalls => self.end_calls(now),
        }
        self.settle(now);
    }

    /// Takes the passing of time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.node.endpoint.handle_timeout(now);
        self.node.registrar.handle_timeout(now);
        self.node.router.handle_timeout(now);
        self.node.tell_watched(now);
        self.expire_subscriptions(now);
        self.expire_messages(now);
        self.node.paths.handle_timeout(now);
        self.node.run_trunks(now);
        while let Some(&(due, alarm)) = self.node.alarms.first()
            && due <= now
        {
            self.node.alarms.pop_first();
            match alarm {
                Alarm::Settle(call) => self.signal(now, call, Signal::Settle),
                Alarm::Stray(tx) => self.forget_stray(now, tx),
                Alarm::Reliable(call) => self.signal(now, call, Signal::Unacknowledged),
                Alarm::Timer(call, leg) => self.signal(now, call, Signal::Timer(leg)),
                Alarm::Dial(call) => self.signal(now, call, Signal::RangOut),
                Alarm::Guest(call, leg) => self.signal(now, call, Signal::GuestRangOut(leg)),
                Alarm::Talking(call, leg) => self.signal(now, call, Signal::TalkingDue(leg)),
                Alarm::Paused(call) => self.signal(now, call, Signal::PausedLongEnough),
                Alarm::Adrift(call, leg) => self.signal(now, call, Signal::AdriftTooLong(leg)),
                Alarm::Collect(call) => self.signal(now, call, Signal::CollectedNone),
                Alarm::Invite(call) => self.signal(now, call, Signal::InviteExpired),
                Alarm::OneCodec(call) => self.signal(now, call, Signal::OneCodecDue),
                Alarm::Promise(call) => self.signal(now, call, Signal::PromiseDue),
                Alarm::Signature(tx) => self.on_certificate_missing(now, tx),
            }
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.node.outbox.pop_front()
    }

    /// The next deadline, and whose it is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        let node = &self.node;
        let transaction = node.endpoint.poll_timeout().map(|(at, _)| (at, Timer::Transaction));
        let binding = node.registrar.poll_timeout().map(|at| (at, Timer::Binding));
        let router = node.router.poll_timeout().map(|(at, _)| (at, Timer::Router));
        let path = node.paths.poll_timeout().map(|at| (at, Timer::Path));
        let trunk = node.trunk_states.poll_timeout().map(|at| (at, Timer::Trunk));
        let call = node.alarms.first().map(|&(at, _)| (at, Timer::Call));
        let security = node.watch.poll_timeout().map(|at| (at, Timer::Security));
        let subscription = node.subscriptions.poll_timeout().map(|at| (at, Timer::Subscription));
        let message = node.relays.poll_timeout().map(|at| (at, Timer::Message));
        [transaction, binding, router, path, trunk, call, security, subscription, message]
            .into_iter()
            .flatten()
            .min()
    }

    /// What it holds now.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let (server_transactions, client_transactions) = self.node.endpoint.transactions();
        Sizes {
            calls: self.calls.len(),
            index: self.node.index.len(),
            streams: self.node.ports.in_use(),
            strays: self.node.strays.len(),
            alarms: self.node.alarms.len(),
            paths: self.node.paths.len(),
            server_transactions,
            client_transactions,
            transaction_bytes: self.node.endpoint.held().0,
            identities: self.node.gate.connections(),
            watched: self.node.watch.len(),
            subscriptions: self.node.subscriptions.len(),
            messages: self.node.relays.len(),
            held: self.node.signatures.held(),
            orders: self.node.orders.len(),
        }
    }

    /// Calls that are up, or on their way up or down.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.calls.len()
    }

    /// Inputs so far about things that were unknown, or known no more.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.node.ignored
    }

    /// Whether new calls are refused, none is up any more, and no registrar sends us any.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.node.draining && self.calls.len() == 0 && self.node.trunk_states.have_left()
    }

    /// Carries on until no machine has anything left to say.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.node.endpoint.poll_output() {
                self.on_sip(now, output);
            } else if let Some(output) = self.node.router.poll_output() {
                self.on_router(now, output);
            } else if let Some(event) = self.node.registrar.poll_output() {
                self.on_binding(now, event);
            } else if let Some(output) = self.node.paths.poll_output() {
                self.on_path(now, output);
            } else if let Some(join) = self.node.joins.pop() {
                self.join(now, join);
            } else if let Some(call) = self.node.over.pop() {
                self.free(now, call);
            } else if !self.publish_presence(now) {
                break;
            }
        }
        self.node.close_refused();
        self.node.pending.clear();
        if self.node.draining && self.calls.len() == 0 && !self.node.has_left {
            self.node.has_left = true;
            self.node.leave_registrars(now);
            self.settle(now);
        }
    }

    /// Tells a call; one that is no more does not hear it.
    pub(crate) fn signal(&mut self, now: Instant, call: CallId, signal: Signal) {
        match self.calls.get_mut(call) {
            Some(call) => {
                call.handle(&mut self.node, now, signal);
                call.review_siprec(&mut self.node, now);
                self.node.subscriptions.touch(&call.tenant, call.id);
            }
            None => self.node.ignored += 1,
        }
    }

    fn on_sip(&mut self, now: Instant, output: SipOutput) {
        match output {
            SipOutput::Transmit { flow, bytes, .. } => {
                self.note(now, Direction::Out, flow, &bytes);
                self.node.outbox.push_back(Output::Transmit { flow, bytes });
            }
            SipOutput::Event(event) => self.on_sip_event(now, event),
            SipOutput::Absorbed { message, of, .. } => {
                if let TxRef::Client(tx) = of {
                    // A 100 says nothing but that somebody is there.
                    self.node.paths.heard(now, tx, &message);
                }
                if message.is_request() && message.method() == Method::Ack {
                    let call = self.node.index.sip_calls.get(message.call_id()).copied();
                    if let Some(call) = call {
                        self.signal(now, call, Signal::RefusalAcknowledged);
                    }
                }
            }
            SipOutput::Rejected { .. } => self.node.ignored += 1,
        }
    }

    fn on_sip_event(&mut self, now: Instant, event: SipEvent) {
        let servers = &self.node.index.servers;
        match event {
            SipEvent::Request { tx, flow, request } => self.on_request(now, tx, flow, request),
            SipEvent::Ack { tx, ack, .. } => {
                let owner = servers.get(&tx).copied();
                self.signal_leg(now, owner, |leg| Signal::Ack(leg, tx, ack));
            }
            SipEvent::AckMissing { tx } => {
                let owner = servers.get(&tx).copied();
                self.signal_leg(now, owner, |leg| Signal::AckMissing(leg, tx));
            }
            SipEvent::Cancelled { tx, cancel, .. } => self.on_cancelled(now, tx, Some(cancel)),
            SipEvent::Unanswered { tx } => self.on_cancelled(now, tx, None),
            SipEvent::Response { tx, response, .. } => self.on_response(now, tx, response),
            SipEvent::TimedOut { tx } => self.on_no_response(now, tx, Signal::TimedOut),
            SipEvent::TransportFailed { tx } => {
                self.on_no_response(now, tx, Signal::TransportFailed);
            }
        }
    }

    fn on_cancelled(&mut self, now: Instant, tx: ServerTx, cancel: Option<Message>) {
        if !self.on_held_cancelled(now, tx) {
            let owner = self.node.index.servers.get(&tx).copied();
            self.signal_leg(now, owner, |leg| Signal::Cancelled(leg, tx, cancel));
        }
    }

    /// Tells a leg's call, if the leg is known.
    pub(crate) fn signal_leg(
        &mut self,
        now: Instant,
        owner: Option<LegRef>,
        signal: impl FnOnce(base::LegId) -> Signal,
    ) {
        match owner {
            Some(LegRef { call, leg }) => self.signal(now, call, signal(leg)),
            None => self.node.ignored += 1,
        }
    }

    pub(crate) fn on_media(&mut self, now: Instant, event: media::Event) {
        if let media::Event::Confirmed { order } = event {
            return self.on_confirmed(now, order);
        }
        let found = stream_of(&event).and_then(|id| Some((id, self.node.ports.place(id)?)));
        let Some((stream, place)) = found else {
            self.node.ignored += 1;
            return;
        };
        match &event {
            media::Event::Closed { .. } => self.node.ports.closed(now, stream),
            media::Event::OpenFailed { .. } => self.node.ports.failed(now, stream),
            _ => {}
        }
        self.signal(now, place.call, Signal::Media(place.leg, event));
    }

    /// Puts a message into its call's ladder; one that comes before its call waits for it.
    fn note(&mut self, now: Instant, direction: Direction, flow: Flow, bytes: &Bytes) {
        let Some(id) = sip::peek_call_id(bytes) else { return };
        let entry = ladder::entry(self.node.wall(now), direction, flow, bytes);
        let call = self.node.index.sip_calls.get(id).copied();
        match call.and_then(|call| self.calls.get_mut(call)) {
            Some(call) => call.narrative.ladder.push(entry),
            None => self.node.pending.push(id, entry),
        }
    }

    fn free(&mut self, now: Instant, call: CallId) {
        let Some(call) = self.calls.remove(call) else { return };
        let (id, tenant) = (call.id, call.tenant.clone());
        self.node.subscriptions.touch(&tenant, id);
        let (record, ended, reports) = call.close(&mut self.node, now);
        self.node.outbox.push_back(Output::CallEnded(Box::new(record)));
        self.node.emit(now, &tenant, Some(id), ended);
        for report in reports {
            self.on_recording(now, report);
        }
    }
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("sizes", &self.sizes()).finish_non_exhaustive()
    }
}
