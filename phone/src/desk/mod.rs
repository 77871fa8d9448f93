//! A desk phone, or a carrier's server, sans-IO: many calls at once and all that SIP lets one do
//! with them: hold, transfers, late offers, reliable responses, session timers, lamps, messages.
//!
//! It sends no audio: its descriptions are true, its media are somebody else's business. Wherever
//! chance may choose it draws from its own seed, so that two runs with one seed are alike.

mod called;
mod calls;
mod dialling;
mod errands;
mod in_dialog;
mod line;
mod outside;
mod pickup;
mod renewal;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use base::{Instant, Rng};
use bytes::Bytes;
use sip::digest::{Authorizer, Credentials};
use sip::header::Replaces;
use sip::{ClientTx, Endpoint, EndpointConfig, Flow, Transport};

use errands::Errand;
use line::Line;
pub use line::LineState;
use outside::{Account, Lamp};
pub use pickup::{Pickup, Rings, Then};

/// The methods that a desk takes.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, NOTIFY, MESSAGE";
/// Session timers of this length, if a desk uses them: the least there is (RFC 4028 §5).
const TIMER_S: u32 = 90;

/// Who a desk is.
#[derive(Clone, Debug)]
pub struct DeskConfig {
    /// Where it believes to be: its side of whatever translates addresses.
    pub own: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// How it reaches the server.
    pub transport: Transport,
    /// The user part of its address.
    pub user: String,
    /// The domain of its address.
    pub domain: String,
    /// What it proves itself with; carriers have none.
    pub password: Option<String>,
    /// How it takes calls: one is drawn for each. Nobody picks up if there is none.
    pub pickups: Vec<Pickup>,
    /// Whether it knows session timers (RFC 4028).
    pub timers: bool,
    /// How long its registrations and subscriptions hold, seconds.
    pub expires_s: u32,
}

/// One of a desk's calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LineId(pub u32);

/// How a desk calls.
#[derive(Clone, Debug, Default)]
pub struct Dial {
    /// Without an offer: the far end makes one (RFC 3261 §13.2.1).
    pub late_offer: bool,
    /// Provisional responses must be reliable (RFC 3262).
    pub reliable: bool,
    /// It takes the place of a dialog (RFC 3891).
    pub replaces: Option<Replaces>,
    /// The address of who has sent it to do so (RFC 3892).
    pub referred_by: Option<String>,
}

/// What happened to a desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeskEvent {
    /// The server knows it.
    Registered,
    /// The server does not take it, with this status (0: no answer).
    NotRegistered(u16),
    /// It is called.
    Called(LineId),
    /// A call stands.
    Connected(LineId),
    /// A call is over, or never came about, with this status (200: by BYE, 0: no answer).
    Ended(LineId, u16),
    /// Who it subscribed to is, or has, this.
    Notified(Bytes),
    /// It got a message.
    Message(Bytes),
    /// The server did what no server should do, in a sentence.
    Odd(String),
}

/// What a desk wants of its driver, in order.
#[derive(Clone, Debug)]
pub enum DeskOutput {
    /// Send a message.
    Send {
        /// Over which path, seen from the desk.
        flow: Flow,
        /// What.
        bytes: Bytes,
    },
    /// Tell whoever watches.
    Event(DeskEvent),
}

/// A desk phone, or a carrier's server.
pub struct Desk {
    config: DeskConfig,
    endpoint: Endpoint,
    rng: Rng,
    /// The way to the server.
    flow: Flow,
    lines: BTreeMap<LineId, Line>,
    last_line: u32,
    errands: BTreeMap<ClientTx, Errand>,
    authorizer: Option<Authorizer>,
    account: Account,
    lamps: Vec<Lamp>,
    /// Second answers of forked calls that are to be written: by Call-ID.
    twins: Vec<String>,
    outputs: VecDeque<DeskOutput>,
}

impl Desk {
    /// A desk that does nothing yet.
    #[must_use]
    pub fn new(config: DeskConfig, mut rng: Rng) -> Self {
        let flow = Flow {
            transport: config.transport,
            local: config.own,
            remote: config.server,
            connection: 0,
        };
        let credentials =
            config.password.as_ref().map(|password| Credentials::new(&config.user, password));
        let authorizer = credentials.map(|known| Authorizer::new(known, rng.fork()));
        let account = Account::new(&mut rng);
        Self {
            endpoint: endpoint(&mut rng),
            flow,
            lines: BTreeMap::new(),
            last_line: 0,
            errands: BTreeMap::new(),
            authorizer,
            account,
            lamps: Vec::new(),
            twins: Vec::new(),
            outputs: VecDeque::new(),
            config,
            rng,
        }
    }

    /// The power was off: all calls, transactions and subscriptions are forgotten, and nobody is
    /// told. It keeps its name for the registrar, as phones do.
    pub fn restart(&mut self) {
        self.endpoint = endpoint(&mut self.rng);
        self.lines.clear();
        self.errands.clear();
        self.lamps.clear();
        self.twins.clear();
        self.account.forget();
    }

    /// A message came over a path, seen from the desk.
    pub fn handle_sip(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        // A keep-alive (RFC 5626 §4.4).
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return;
        }
        if sip::stun::is_stun(&bytes) {
            let answer = sip::stun::answer(&bytes, flow.remote);
            self.outputs.extend(answer.map(|bytes| DeskOutput::Send { flow, bytes }));
            return;
        }
        self.endpoint.handle_input(now, sip::Input::Received { flow, bytes });
        self.drain(now);
    }

    /// Its connection is gone, or a message could not be sent.
    pub fn handle_flow_closed(&mut self, now: Instant, flow: Flow) {
        self.endpoint.handle_input(now, sip::Input::FlowFailed { flow });
        self.drain(now);
    }

    /// It has another way to its server from now on; its calls use it too.
    pub fn set_flow(&mut self, flow: Flow) {
        for line in self.lines.values_mut().filter(|line| line.flow == self.flow) {
            line.flow = flow;
        }
        self.flow = flow;
    }

    /// Takes calls otherwise from the next one on.
    pub fn set_pickups(&mut self, pickups: Vec<Pickup>) {
        self.config.pickups = pickups;
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.endpoint.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        self.drain(now);
        self.wake_lines(now);
        self.wake_account(now);
        self.drain(now);
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        let lines = self.lines.values().filter_map(Line::poll_timeout);
        let lamps = self.lamps.iter().filter_map(|lamp| lamp.renew);
        lines.chain(lamps).chain(endpoint).chain(self.account.renew).min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<DeskOutput> {
        self.outputs.pop_front()
    }

    /// Who it is.
    #[must_use]
    pub fn config(&self) -> &DeskConfig {
        &self.config
    }

    /// Its way to the server.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Its calls, in the order they began.
    pub fn lines(&self) -> impl Iterator<Item = (LineId, LineState)> {
        self.lines.iter().map(|(id, line)| (*id, line.state()))
    }

    /// Transactions it has open: of others, of its own.
    #[must_use]
    pub fn transactions(&self) -> (usize, usize) {
        self.endpoint.transactions()
    }

    /// Whether a call that stands is described as being reached there: somebody is there to speak.
    #[must_use]
    pub fn speaks_at(&self, rtp: SocketAddr) -> bool {
        rtp.ip() == self.config.own.ip()
            && self.lines.iter().any(|(id, line)| port_of(*id) == rtp.port() && line.speaks())
    }

    fn tell(&mut self, event: DeskEvent) {
        self.outputs.push_back(DeskOutput::Event(event));
    }

    fn odd(&mut self, what: impl Into<String>) {
        self.tell(DeskEvent::Odd(what.into()));
    }

    fn contact(&self) -> String {
        let (user, own) = (&self.config.user, self.config.own);
        match self.config.transport {
            Transport::Udp => format!("<sip:{user}@{own}>"),
            stream => format!("<sip:{user}@{own};transport={}>", stream.uri_param()),
        }
    }
}

fn endpoint(rng: &mut Rng) -> Endpoint {
    let settings =
        EndpointConfig { user_agent: "Strowger desk".to_owned(), ..EndpointConfig::default() };
    Endpoint::new(settings, rng.fork())
}

/// Where a call's audio is received; the same port comes again after many calls.
fn port_of(line: LineId) -> u16 {
    30_000 + u16::try_from(line.0 % 10_000).unwrap_or(0) * 2
}
