//! What calls share: the machines they drive, the tables that find them, and the outbox. A call's
//! procedures get it as `node`, beside the call itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{CallId, Duration, Instant, LegId, Rng, TenantId, TrunkId, UnixTime};
use media::{Command, MixId, OrderId, PlayId, TapId, Tone, WorkerId};
use routing::{Country, Directory, Health, HealthState, Router};
use sip::digest::{Authenticator, TokenKey};
use sip::header::OptionTags;
use sip::{
    ClientTx, Dialog, Endpoint, EndpointConfig, Flow, Message, Name, Registrar, Response, ServerTx,
    StatusCode, Transport, UriBuf,
};

use crate::call::Join;
use crate::calling::Calling;
use crate::config::{Prompts, Sounds, SwitchConfig};
use crate::event::{Event, EventKind};
use crate::gate::Gate;
use crate::index::Index;
use crate::ladder::Pending;
use crate::messages::Relays;
use crate::pages::Pages;
use crate::paths::Paths;
use crate::port::{Output, SecurityEvent, SecurityKind};
use crate::ports::Ports;
use crate::refused::RefusedCalls;
use crate::stir::Signatures;
use crate::strays::{Stray, Strays};
use crate::subscriptions::Subscriptions;
use crate::tenants::{Quota, Tenants};
use crate::trunks::{TrunkState, Trunks};
use crate::watch::{Told, Watch};

/// The methods we take (RFC 3261 §20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, \
                                REGISTER, SUBSCRIBE, MESSAGE";

/// The event packages we notify of (RFC 6665 §8.2.2).
pub(crate) const ALLOW_EVENTS: &str = "dialog, message-summary";

/// The bodies we take, and how they may be written (RFC 3261 §20.1, §20.2).
pub(crate) const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";
pub(crate) const ACCEPT_ENCODING: &str = "identity";

/// The extensions that we know as one who is called or asked, and that a request may require
/// (RFC 3261 §20.32, §20.37).
pub(crate) const EXTENSIONS: [&str; 6] =
    ["100rel", "timer", "replaces", "norefersub", "path", "outbound"];

/// A response that says all we can do (RFC 3261 §11.2).
pub(crate) fn with_capabilities(response: Response) -> Response {
    response
        .header(Name::ALLOW, ALLOW)
        .header(Name::ACCEPT, ACCEPT)
        .header(Name::ACCEPT_ENCODING, ACCEPT_ENCODING)
        .header(Name::ACCEPT_LANGUAGE, "en")
        .header(Name::SUPPORTED, EXTENSIONS.join(", "))
        .header(Name::ALLOW_EVENTS, ALLOW_EVENTS)
}

/// The refusal of a request that requires what we do not know (RFC 3261 §8.2.2.3).
pub(crate) fn bad_extension(request: &Message) -> Option<Response> {
    let unknown = OptionTags::required(request).beyond(&EXTENSIONS);
    let refusal = || Response::new(StatusCode::BAD_EXTENSION).header(Name::UNSUPPORTED, &unknown);
    (!unknown.is_empty()).then(refusal)
}

/// How long a stray INVITE is remembered at most: Timer B until a first response, then 64*T1 after
/// the CANCEL (RFC 3261 §9.1). The transaction layer says so earlier.
pub(crate) const STRAY_LIFE: Duration = Duration::from_secs(64);

/// How long another 2xx to an answered INVITE can come: Timer M (RFC 6026 §7.2).
pub(crate) const FORK_LIFE: Duration = Duration::from_secs(32);

/// Everything of a switch but its calls.
pub(crate) struct Node {
    pub(crate) config: SwitchConfig,
    pub(crate) rng: Rng,
    pub(crate) endpoint: Endpoint,
    pub(crate) registrar: Registrar,
    pub(crate) authenticator: Authenticator,
    /// What agents' tokens are made with.
    pub(crate) token_key: TokenKey,
    /// Each agent's pages, of which the newest takes the calls.
    pub(crate) pages: Pages,
    pub(crate) router: Router,
    pub(crate) gate: Gate,
    pub(crate) watch: Watch,
    pub(crate) refused: RefusedCalls,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) relays: Relays,
    pub(crate) calling: Calling,
    pub(crate) ports: Ports,
    pub(crate) tenants: Tenants,
    pub(crate) trunks: BTreeMap<TrunkId, Quota>,
    pub(crate) trunk_states: Trunks,
    pub(crate) paths: Paths,
    pub(crate) index: Index,
    pub(crate) strays: Strays,
    pub(crate) signatures: Signatures,
    pub(crate) pending: Pending,
    /// Deadlines of calls and strays, soonest first.
    pub(crate) alarms: BTreeSet<(Instant, Alarm)>,
    pub(crate) outbox: VecDeque<Output>,
    /// Calls whose record is complete, to be freed when the input has been handled.
    pub(crate) over: Vec<CallId>,
    /// Calls to be joined, when the input has been handled.
    pub(crate) joins: Vec<Join>,
    pub(crate) directory: Option<Arc<Directory>>,
    pub(crate) prompts: Arc<Prompts>,
    /// Calls of all tenants that are up.
    pub(crate) admitted: usize,
    pub(crate) draining: bool,
    /// Whether our bindings at trunks' registrars are being given back.
    pub(crate) has_left: bool,
    /// Inputs about things that are unknown, or known no more.
    pub(crate) ignored: u64,
    /// By country, as they were needed.
    ringing_tones: BTreeMap<Option<Country>, Sounds>,
    last_leg: u64,
    last_tap: u64,
    last_play: u64,
    last_mix: u64,
    last_order: u64,
    /// The calls that wait for a worker's confirmation.
    pub(crate) orders: BTreeMap<OrderId, CallId>,
}

/// A deadline of the switch's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Alarm {
    /// When a call that has ended stops waiting for its last messages.
    Settle(CallId),
    /// When a stray INVITE is forgotten.
    Stray(ClientTx),
    /// When a direct call has rung long enough.
    Dial(CallId),
    /// When a supervisor's phone has, or a page that is to take a call back.
    Guest(CallId, LegId),
    /// When it may be told again whether a leg talks.
    Talking(CallId, LegId),
    /// When digits have been waited for long enough.
    Collect(CallId),
    /// When an agent's page that is gone has been.
    Adrift(CallId, LegId),
    /// When a recording that was paused goes on by itself.
    Paused(CallId),
    /// When a caller's INVITE is good no longer.
    Invite(CallId),
    /// When a provisional response of ours goes out again.
    Reliable(CallId),
    /// When a leg's dialog is to be refreshed, or is over.
    Timer(CallId, LegId),
    /// When one of two who talk is offered the other's codec.
    OneCodec(CallId),
    /// When a call's media workers have had the time to confirm what the API was promised.
    Promise(CallId),
    /// When a call stops waiting for its signer's certificate.
    Signature(ServerTx),
}

/// The endpoint's own bounds lie above those at which new calls are turned away.
fn endpoint_config(config: &SwitchConfig) -> EndpointConfig {
    let least = EndpointConfig::default();
    let transactions = config.limits.transactions;
    let max_bytes = least.max_bytes.max(transactions.saturating_mul(TRANSACTION));
    EndpointConfig {
        user_agent: config.user_agent.clone(),
        advertised: config.advertised.clone(),
        keeps: true,
        max_transactions: least.max_transactions.max(transactions.saturating_mul(5) / 2),
        max_bytes,
        max_bytes_per_source: max_bytes / 2,
        ..least
    }
}

/// Bytes that the endpoint has room for, for each request at which it is full.
const TRANSACTION: usize = 6 * 1024;

impl Node {
    pub(crate) fn new(config: SwitchConfig, mut rng: Rng) -> Self {
        let endpoint_config = endpoint_config(&config);
        let endpoint = Endpoint::new(endpoint_config, rng.fork());
        let mut secrets = rng.fork();
        let token_key = config.tokens.clone().unwrap_or_else(|| TokenKey::new(&mut secrets));
        Self {
            endpoint,
            registrar: Registrar::new(),
            authenticator: Authenticator::new(secrets),
            token_key,
            pages: Pages::new(),
            router: Router::new(),
            gate: Gate::new(&config.limits),
            watch: Watch::default(),
            refused: RefusedCalls::default(),
            subscriptions: Subscriptions::default(),
            relays: Relays::default(),
            calling: Calling::default(),
            ports: Ports::new(&config.media),
            tenants: Tenants::default(),
            trunks: BTreeMap::new(),
            trunk_states: Trunks::new(rng.fork()),
            paths: Paths::new(rng.fork()),
            index: Index::default(),
            strays: Strays::default(),
            pending: Pending::default(),
            alarms: BTreeSet::new(),
            outbox: VecDeque::new(),
            over: Vec::new(),
            joins: Vec::new(),
            directory: None,
            prompts: Arc::new(Prompts::new()),
            admitted: 0,
            draining: false,
            has_left: false,
            signatures: Signatures::default(),
            ignored: 0,
            ringing_tones: BTreeMap::new(),
            last_leg: 0,
            last_tap: 0,
            last_play: 0,
            last_mix: 0,
            last_order: 0,
            orders: BTreeMap::new(),
            config,
            rng,
        }
    }

    /// The wall's time at that instant.
    pub(crate) fn wall(&self, at: Instant) -> UnixTime {
        self.config.wall.after(at.since(Instant::ZERO))
    }

    /// Appends an event to the tenant's log.
    pub(crate) fn emit(
        &mut self,
        now: Instant,
        tenant: &TenantId,
        call: Option<CallId>,
        kind: EventKind,
    ) {
        let sequence = self.tenants.next_sequence(tenant);
        let at = self.wall(now);
        self.outbox.push_back(Output::Event(Event {
            tenant: tenant.clone(),
            sequence,
            call,
            at,
            kind,
        }));
    }

    /// Says that somebody did what they should not.
    pub(crate) fn security(
        &mut self,
        now: Instant,
        kind: SecurityKind,
        source: SocketAddr,
        tenant: Option<TenantId>,
    ) {
        if let Some(told) = self.watch.notice(now, kind, source, tenant) {
            self.tell_security(now, told);
        }
    }

    /// Says what a minute has gathered.
    pub(crate) fn tell_watched(&mut self, now: Instant) {
        while let Some(told) = self.watch.poll(now) {
            self.tell_security(now, told);
        }
    }

    fn tell_security(&mut self, now: Instant, told: Told) {
        let Told { kind, source, tenant, count } = told;
        let event = SecurityEvent { at: self.wall(now), kind, source, tenant, count };
        self.outbox.push_back(Output::Security(event));
    }

    pub(crate) fn media(&mut self, worker: WorkerId, command: Command) {
        self.outbox.push_back(Output::Media { worker, command });
    }

    /// Answers a request with a bare status.
    pub(crate) fn reply(&mut self, now: Instant, tx: ServerTx, status: StatusCode) {
        self.endpoint.respond(now, tx, Response::new(status));
    }

    /// Remembers an INVITE of ours that no call waits for.
    pub(crate) fn remember_stray(&mut self, tx: ClientTx, stray: Stray) {
        self.index.clients.remove(&tx);
        self.alarms.insert((stray.until, Alarm::Stray(tx)));
        self.strays.insert(tx, stray);
    }

    /// Our Contact on a flow (RFC 3261 §8.1.1.8): never `sips:`, which would ask the far end for
    /// TLS on every hop (RFC 5630 §3.1.3), but with the transport that reaches us.
    pub(crate) fn contact(&self, flow: &Flow) -> Option<UriBuf> {
        self.contact_as("strowger", flow)
    }

    /// The same with another user.
    pub(crate) fn contact_as(&self, user: &str, flow: &Flow) -> Option<UriBuf> {
        let own = self.config.advertised.iter().find(|own| own.covers(flow));
        let host = own.map_or_else(|| flow.local.to_string(), |own| own.sent_by.clone());
        let contact = UriBuf::sip(Some(user), &host).ok()?;
        match flow.transport {
            Transport::Udp => Some(contact),
            stream => contact.with_param("transport", Some(stream.uri_param())).ok(),
        }
    }

    /// The flow that requests in a trunk's dialog go out over, as far as it can be told at once:
    /// the next hop it named, if that is an address for datagrams. A stream is used as long as it
    /// lasts; so is the flow of a peer whose Contact nobody but itself can reach (behind NAT).
    pub(crate) fn toward(&self, dialog: &Dialog, flow: Flow) -> Flow {
        let hop = dialog.next_hop();
        let uri = hop.as_uri();
        let other = uri.param("transport").is_some_and(|named| !named.eq_ignore_ascii_case("udp"));
        match (flow.transport, uri.ip()) {
            (Transport::Udp, Some(ip))
                if ip.is_ipv4() == flow.local.is_ipv4()
                    && !other
                    && !uri.is_secure()
                    && !is_behind_nat(ip, flow.remote.ip()) =>
            {
                let port = uri.port().filter(|port| *port != 0).unwrap_or(5060);
                Flow { remote: SocketAddr::new(ip, port), ..flow }
            }
            _ => flow,
        }
    }

    /// The next hop of a trunk's dialog, if it has to be resolved or connected to first.
    pub(crate) fn unresolved(&self, dialog: &Dialog, flow: &Flow) -> Option<UriBuf> {
        if flow.transport != Transport::Udp {
            return None;
        }
        let hop = dialog.next_hop();
        let uri = hop.as_uri();
        let other = uri.param("transport").is_some_and(|named| !named.eq_ignore_ascii_case("udp"));
        let is_to_be_found = match uri.ip() {
            Some(ip) => {
                (other || uri.is_secure() || ip.is_ipv4() != flow.local.is_ipv4())
                    && !is_behind_nat(ip, flow.remote.ip())
            }
            // A name that leads nowhere by its own word (RFC 7118 §5).
            None => !uri.host().to_ascii_lowercase().ends_with(".invalid"),
        };
        (uri.is_sip() && is_to_be_found).then_some(hop)
    }

    /// How a trunk fares.
    pub(crate) fn trunk_health(&self, trunk: &TrunkId) -> Health {
        let state = match self.trunk_states.state(trunk) {
            TrunkState::Up => HealthState::Up,
            TrunkState::Unknown => HealthState::Unknown,
            TrunkState::Down => HealthState::Down,
        };
        Health { state, calls: self.trunks.get(trunk).map_or(0, Quota::live) }
    }

    /// What those hear who have been answered while another phone rings.
    pub(crate) fn ringing_tone(&mut self, country: Option<Country>) -> Sounds {
        let made = || {
            let cadence = Tone::Ringing.cadence(country.as_ref().map(Country::as_str));
            Arc::from([Arc::new(cadence)])
        };
        Arc::clone(self.ringing_tones.entry(country).or_insert_with(made))
    }

    pub(crate) fn next_mix(&mut self) -> MixId {
        self.last_mix += 1;
        MixId(self.last_mix)
    }

    /// Has a worker confirm to that call that it has obeyed what it was told so far.
    pub(crate) fn order(&mut self, worker: WorkerId, call: CallId) -> OrderId {
        self.last_order += 1;
        let order = OrderId(self.last_order);
        self.orders.insert(order, call);
        self.media(worker, Command::Confirm { order });
        order
    }

    pub(crate) fn next_leg(&mut self) -> LegId {
        self.last_leg += 1;
        LegId(self.last_leg)
    }

    pub(crate) fn next_tap(&mut self) -> TapId {
        self.last_tap += 1;
        TapId(self.last_tap)
    }

    pub(crate) fn next_play(&mut self) -> PlayId {
        self.last_play += 1;
        PlayId(self.last_play)
    }
}

/// Whether a Contact's address is one of a private network while the message came from outside of
/// any, so that only its own side of an address translator can use it; or no single host's at all.
fn is_behind_nat(contact: IpAddr, source: IpAddr) -> bool {
    let broadcast = matches!(contact.to_canonical(), IpAddr::V4(v4) if v4.is_broadcast());
    let nobody = contact.is_unspecified() || contact.is_multicast() || broadcast;
    nobody || is_private(contact) && !is_private(source)
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || shared
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}
