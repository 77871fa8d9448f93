//! What a switch is told once, at its start, and the prompts that provisioning brings.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::{Duration, PromptId, TenantId, UnixTime};
use media::dtls::Fingerprint;
use media::say::{Language, Voice};
use media::{Prompt, WorkerId};
use routing::Network;
use sip::Advertised;
use sip::digest::TokenKey;

/// What a switch is told once.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// What peers are to see in Via and Contact in place of our own end of a flow (behind a NAT).
    /// A flow that none of these covers shows its own end.
    pub advertised: Vec<Advertised>,
    /// The media workers and their ports.
    pub media: Vec<WorkerPorts>,
    /// How browsers reach the media workers; `None`: browsers are not served.
    pub web: Option<Arc<WebConfig>>,
    /// What agents' tokens are made with; `None`: something drawn, with which they last as long as
    /// the switch.
    pub tokens: Option<TokenKey>,
    /// The wall's clock at [`base::Instant::ZERO`].
    pub wall: UnixTime,
    /// Our name in `User-Agent` and `Server`.
    pub user_agent: String,
    /// Bounds of this shard.
    pub limits: Limits,
}

/// Ports of one media worker. It may have several ranges, each on an address of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerPorts {
    /// The worker.
    pub worker: WorkerId,
    /// Its UDP ports; even ones carry RTP, the odd one above each its RTCP.
    pub ports: RangeInclusive<u16>,
    /// The address that goes into our SDP; `None`: our own end of the flow that the SDP goes out
    /// over, so that each peer gets the one it can reach.
    pub address: Option<IpAddr>,
    /// The address that its sockets bind: the other workers reach it there, or at the loopback
    /// address of its family if it is none in particular.
    pub bound: IpAddr,
    /// For peers whose signalling comes from there; empty: for all others.
    pub networks: Vec<Network>,
}

/// How browsers reach the media workers (WebRTC): all legs share one port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebConfig {
    /// The port.
    pub port: u16,
    /// The addresses that candidates name, the best first; none: our own end of the flow that the
    /// SDP goes out over.
    pub advertised: Vec<IpAddr>,
    /// Whether TCP connections are taken at the same port.
    pub tcp: bool,
    /// Of the certificate that all workers show.
    pub fingerprint: Fingerprint,
}

/// Bounds of one shard, and how long it waits for what may never come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Calls at once, over all tenants; the next INVITE gets a 503.
    pub calls: usize,
    /// SIP messages kept in one call's ladder; further ones are counted.
    pub ladder_messages: usize,
    /// Bytes kept in one call's ladder.
    pub ladder_bytes: usize,
    /// How long a call that has ended waits for its last responses and stream figures.
    pub settle: Duration,
    /// Agents' phones rung at once for one agent, the newest bindings first.
    pub bindings_rung: usize,
    /// Requests a second from a source (an IPv4 address, an IPv6 /64) that has proven nothing; ten
    /// times that from one that has. A trunk's calls and requests within dialogs do not count.
    pub source_requests_per_second: u32,
    /// How many of them at once.
    pub source_burst: u32,
    /// New calls a second, over all tenants, before each gets its share alone.
    pub calls_per_second: Option<u32>,
    /// A tenant's share, or a source's where there is no tenant, when there is too much to do: new
    /// calls a second.
    pub share_calls_per_second: u32,
    /// New calls a second that are let in however busy the driver says it is: what is slow with so
    /// few is not overloaded by them.
    pub few_calls_per_second: u32,
    /// Requests of peers that are being answered, before new calls get their share alone; at twice
    /// as many there are none.
    pub transactions: usize,
    /// Subscriptions, over all tenants.
    pub subscriptions: usize,
    /// Subscriptions of one agent.
    pub subscriptions_per_agent: usize,
    /// MESSAGE requests on their way to a phone, over all tenants.
    pub messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 20_000,
            ladder_messages: 200,
            ladder_bytes: 256 * 1024,
            settle: Duration::from_secs(2),
            bindings_rung: 4,
            source_requests_per_second: 200,
            source_burst: 2_000,
            calls_per_second: None,
            share_calls_per_second: 10,
            few_calls_per_second: 20,
            transactions: 80_000,
            subscriptions: 50_000,
            subscriptions_per_agent: 200,
            messages: 10_000,
        }
    }
}

/// Prompts played one after the other.
pub type Sounds = Arc<[Arc<Prompt>]>;

/// The prompts of all tenants and the voices of all languages, ready to play.
#[derive(Clone, Default)]
pub struct Prompts {
    of_tenants: BTreeMap<(TenantId, PromptId), Sounds>,
    voices: BTreeMap<Language, Arc<Voice>>,
}

impl Prompts {
    /// No prompts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, or replaces it.
    pub fn insert(&mut self, tenant: TenantId, id: PromptId, prompt: Arc<Prompt>) {
        self.insert_list(tenant, id, Arc::from([prompt]));
    }

    /// Adds one that is several, played without a gap between them, or replaces it.
    pub fn insert_list(&mut self, tenant: TenantId, id: PromptId, sounds: Sounds) {
        self.of_tenants.insert((tenant, id), sounds);
    }

    /// A tenant's prompt.
    #[must_use]
    pub fn get(&self, tenant: &TenantId, id: &PromptId) -> Option<&Sounds> {
        self.of_tenants.get(&(tenant.clone(), id.clone()))
    }

    /// Gives a language its voice: without, nothing is said in it.
    pub fn set_voice(&mut self, language: Language, voice: Arc<Voice>) {
        self.voices.insert(language, voice);
    }

    /// The voice of a language.
    #[must_use]
    pub fn voice(&self, language: Language) -> Option<&Arc<Voice>> {
        self.voices.get(&language)
    }
}

impl std::fmt::Debug for Prompts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.of_tenants.keys()).finish()
    }
}
