//! The endpoint: takes messages in, gives messages and events out, and wakes the transactions.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Instant, Rng};
use bytes::Bytes;

use super::budget::Budget;
use super::client::Clients;
use super::key::Keyring;
use super::schedule::Schedule;
use super::server::Servers;
use super::{ClientTx, EndpointConfig, Event, Input, Output, ServerTx, Timer, TxRef, reply};
use crate::{Flow, Message, Method, Name, Problem, Request, Response, Transport};

/// The transaction layer of one SIP element.
///
/// After every call drain [`Endpoint::poll_output`], then ask [`Endpoint::poll_timeout`].
#[derive(Debug)]
pub struct Endpoint {
    pub(super) core: Core,
    pub(super) clients: Clients,
    pub(super) servers: Servers,
}

/// What both tables work with.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: EndpointConfig,
    pub(super) rng: Rng,
    pub(super) keyring: Keyring,
    pub(super) schedule: Schedule,
    pub(super) budget: Budget,
    /// Which transactions a failing path takes along.
    pub(super) flows: BTreeSet<(Flow, TxRef)>,
    outbox: VecDeque<Output>,
    numbers: u64,
    last_sent_by: Option<(Transport, SocketAddr, Arc<str>)>,
}

impl Core {
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn transmit(&mut self, flow: Flow, bytes: Bytes, of: TxRef) {
        self.outbox.push_back(Output::Transmit { flow, bytes, of });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    pub(super) fn absorb(&mut self, flow: Flow, message: Message, of: TxRef) {
        self.outbox.push_back(Output::Absorbed { flow, message, of });
    }

    /// Answers without a transaction.
    pub(super) fn refuse(&mut self, flow: Flow, request: &Message, response: &Response, of: TxRef) {
        let tag = self.keyring.stateless_tag(request);
        let tag = response.chosen_tag().unwrap_or(&tag);
        let copied = reply::copied(request, flow, Some(tag), response.status());
        let bytes = self.with_server(response.clone()).encode(&copied);
        self.transmit(reply::path(request, flow), bytes, of);
    }

    pub(super) fn with_server(&self, response: Response) -> Response {
        if self.config.user_agent.is_empty() || response.get(Name::SERVER).is_some() {
            return response;
        }
        response.header(Name::SERVER, &self.config.user_agent)
    }

    pub(super) fn via(&mut self, flow: &Flow, branch: &str) -> String {
        let (transport, sent_by) = (flow.transport.via_token(), self.sent_by(flow));
        ["SIP/2.0/", transport, " ", &sent_by, ";rport;branch=", branch].concat()
    }

    /// The sent-by of our Via on that flow. The last one is kept: datagrams have few, and writing
    /// an address takes as long as parsing a message.
    fn sent_by(&mut self, flow: &Flow) -> Arc<str> {
        match &self.last_sent_by {
            Some((transport, local, text))
                if (*transport, *local) == (flow.transport, flow.local) =>
            {
                Arc::clone(text)
            }
            _ => {
                let text: Arc<str> = self.config.sent_by(flow).into();
                self.last_sent_by = Some((flow.transport, flow.local, Arc::clone(&text)));
                text
            }
        }
    }

    /// Adds what every request has and its maker left out (§8.1.1).
    pub(super) fn complete(&mut self, flow: &Flow, mut request: Request) -> Request {
        if request.get(Name::MAX_FORWARDS).is_none() {
            request = request.header(Name::MAX_FORWARDS, 70);
        }
        if request.get(Name::FROM).is_none() {
            let (host, tag) = (self.sent_by(flow), self.rng.hex::<8>());
            request = request.header(Name::FROM, format_args!("<sip:{host}>;tag={tag}"));
        }
        if request.get(Name::TO).is_none() {
            let to = format!("<{}>", request.uri());
            request = request.header(Name::TO, to);
        }
        if request.get(Name::CALL_ID).is_none() {
            request = request.header(Name::CALL_ID, self.rng.hex::<16>());
        }
        if request.get(Name::CSEQ).is_none() {
            let (number, method) = (1 + (self.rng.next_u32() >> 8), request.method().clone());
            request = request.header(Name::CSEQ, format_args!("{number} {method}"));
        }
        let agent = &self.config.user_agent;
        if !agent.is_empty() && request.get(Name::USER_AGENT).is_none() {
            request = request.header(Name::USER_AGENT, agent);
        }
        request
    }
}

impl Endpoint {
    /// An endpoint without transactions. `rng` makes branches, tags and Call-IDs.
    #[must_use]
    pub fn new(config: EndpointConfig, mut rng: Rng) -> Self {
        let keyring = Keyring::new(&mut rng);
        let core = Core {
            config,
            rng,
            keyring,
            schedule: Schedule::default(),
            budget: Budget::default(),
            flows: BTreeSet::new(),
            outbox: VecDeque::new(),
            numbers: 0,
            last_sent_by: None,
        };
        Self { core, clients: Clients::default(), servers: Servers::default() }
    }

    /// Exactly one thing happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } => self.on_received(now, flow, bytes),
            Input::FlowFailed { flow } => self.on_flow_failed(flow),
        }
    }

    fn on_received(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let wire = bytes.clone();
        match Message::parse(bytes) {
            Ok(message) => self.on_message(now, flow, message),
            Err(error) => {
                if let Some(request) = error.salvaged() {
                    let response = refusal(error.problem);
                    self.core.refuse(flow, request, &response, TxRef::None);
                }
                let problem = error.problem;
                self.core.outbox.push_back(Output::Rejected { flow, bytes: wire, problem });
            }
        }
    }

    pub(super) fn on_message(&mut self, now: Instant, flow: Flow, message: Message) {
        if is_endless(&message, flow) {
            let problem = Problem::Missing(Name::CONTENT_LENGTH.as_str());
            if message.is_request() && *message.method_ref() != Method::Ack {
                self.core.refuse(flow, &message, &refusal(problem), TxRef::None);
            }
            let bytes = message.bytes().clone();
            self.core.outbox.push_back(Output::Rejected { flow, bytes, problem });
        } else if message.is_request() {
            self.servers.on_request(&mut self.core, now, flow, message);
        } else {
            self.clients.on_response(&mut self.core, now, flow, message);
        }
    }

    fn on_flow_failed(&mut self, flow: Flow) {
        let first = (flow, TxRef::Server(ServerTx(0)));
        let last = (flow, TxRef::None);
        let hit: Vec<TxRef> = self.core.flows.range(first..=last).map(|&(_, of)| of).collect();
        for of in hit {
            match of {
                TxRef::Server(tx) => self.servers.on_flow_failed(&mut self.core, tx),
                TxRef::Client(tx) => self.clients.on_flow_failed(&mut self.core, tx),
                TxRef::None => {}
            }
        }
    }

    /// Time passed: wakes every transaction whose deadline has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(of) = self.core.schedule.pop_due(now) {
            match of {
                TxRef::Server(tx) => self.servers.on_timeout(&mut self.core, now, tx),
                TxRef::Client(tx) => self.clients.on_timeout(&mut self.core, now, tx),
                TxRef::None => {}
            }
        }
    }

    /// What is to be done next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.outbox.pop_front()
    }

    /// The next deadline, and by which timer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.core.schedule.next()
    }

    /// Sends a request. Via, Max-Forwards, Content-Length, and where missing From, To, Call-ID and
    /// CSeq are added. An ACK belongs to [`Endpoint::acknowledge`], a CANCEL to
    /// [`Endpoint::cancel`].
    pub fn request(&mut self, now: Instant, flow: Flow, request: Request) -> ClientTx {
        debug_assert!(!matches!(request.method(), Method::Ack | Method::Cancel));
        self.clients.request(&mut self.core, now, flow, request)
    }

    /// Responds. After the final response, or when the transaction is over, nothing happens.
    pub fn respond(&mut self, now: Instant, tx: ServerTx, response: Response) {
        self.servers.respond(&mut self.core, now, tx, response);
    }

    /// Sends the ACK for a 2xx ([`crate::Dialog::ack`] makes it), and sends it again for each
    /// retransmission of that 2xx.
    pub fn acknowledge(&mut self, _now: Instant, tx: ClientTx, flow: Flow, ack: Request) {
        self.clients.acknowledge(&mut self.core, tx, flow, ack);
    }

    /// Cancels an INVITE: at once if a provisional response has come, else when one comes. The
    /// INVITE's final response (487, or a 2xx that was faster) still comes as an event.
    pub fn cancel(&mut self, now: Instant, tx: ClientTx) {
        self.clients.cancel(&mut self.core, now, tx, None);
    }

    /// The same, and says why: the value of a Reason header field (RFC 3326 §2).
    pub fn cancel_because(&mut self, now: Instant, tx: ClientTx, reason: &str) {
        self.clients.cancel(&mut self.core, now, tx, Some(reason.into()));
    }

    /// How many transactions are open: server, client.
    #[must_use]
    pub fn transactions(&self) -> (usize, usize) {
        (self.servers.len(), self.clients.len())
    }

    /// How many bytes the transactions hold, and of how many sources.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.core.budget.held(), self.core.budget.sources())
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn deadlines(&self) -> usize {
        self.core.schedule.len()
    }
}

/// Whether nobody can know where a message on a stream ends (§20.14: Content-Length is a must
/// there). WebSocket messages have ends of their own.
fn is_endless(message: &Message, flow: Flow) -> bool {
    matches!(flow.transport, Transport::Tcp | Transport::Tls)
        && message.header(Name::CONTENT_LENGTH).is_none()
}

/// The response to a broken request. Its phrase says what is wrong, so that the peer's log does.
fn refusal(problem: Problem) -> Response {
    let status = problem.status();
    Response::new(status).reason(&format!("{} ({problem})", status.reason()))
}
