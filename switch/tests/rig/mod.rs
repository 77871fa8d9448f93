//! The rig that tests drive a switch with: a clock that tests move, a trunk and phones that speak
//! hand-written SIP, media workers that do as they are told, and everything the switch said.
#![allow(dead_code, reason = "no test file uses all of it")]
#![allow(unreachable_pub, missing_docs, reason = "nobody outside the tests reads this")]

pub mod agent;
mod network;
mod page;
mod phone;
mod provisioning;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base::{CallId, Duration, Instant, Rng, TenantId, UnixTime};
use bytes::Bytes;
use media::{Codec, Command, Member, PlayId, StreamId, StreamStats, WorkerId};
use sip::{Flow, Message};
use switch::{
    AgentSettings, ApiError, ApiReply, ApiRequest, CallRecord, Event, Input, Limits, Output,
    RecordCommand, RequestId, SecurityEvent, Sizes, Switch, SwitchConfig, WebConfig, WorkerPorts,
};

pub use agent::{Asked, own_uri};
pub use phone::{Call, Phone, SDP_PCMA, SDP_PCMU, SDP_VIDEO, answer, sdp};
pub use provisioning::{DEMO, calls_out, directory, prompts};

/// Where the switch listens.
pub const SWITCH: SocketAddr = address([127, 0, 0, 1], 5060);
/// What peers that are not on loopback reach of it.
pub const SWITCH_OUTSIDE: SocketAddr = address([192, 0, 2, 1], 5060);
/// The carrier of the trunk `carrier-a`.
pub const TRUNK: SocketAddr = address([127, 0, 0, 2], 5060);
/// The carrier of the trunk `carrier-b`, which may only call globex.
pub const TRUNK_B: SocketAddr = address([127, 0, 0, 3], 5060);
/// The carrier of the trunk `out` of [`calls_out`].
pub const OUT: SocketAddr = address([127, 0, 0, 51], 5060);
/// Nobody we know.
pub const STRANGER: SocketAddr = address([127, 0, 0, 99], 5060);
/// The phones of the agents.
pub const ALICE: SocketAddr = address([127, 0, 0, 11], 5060);
pub const BOB: SocketAddr = address([127, 0, 0, 12], 5060);

pub const fn address(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])), port)
}

pub struct Rig {
    pub switch: Switch,
    pub now: Instant,
    /// What was sent and not yet looked at.
    pub wire: VecDeque<(Flow, Message)>,
    /// Everything that was sent, ever.
    pub sent: Vec<(SocketAddr, Message)>,
    pub events: Vec<Event>,
    /// What was to be kept of agents' phones.
    pub settings: Vec<AgentSettings>,
    pub records: Vec<CallRecord>,
    pub commands: Vec<Command>,
    /// The worker that each of them went to.
    pub workers: Vec<WorkerId>,
    pub recordings: Vec<RecordCommand>,
    pub security: Vec<SecurityEvent>,
    /// Flows over which nothing but a keep-alive was sent.
    pub keep_alives: Vec<Flow>,
    /// STUN requests, and over which flow.
    pub pings: Vec<(Flow, Bytes)>,
    /// Names and servers outside.
    pub world: network::World,
    /// What was asked of the domain name system, ever.
    pub questions: Vec<sip::resolve::Question>,
    /// Ways that were asked for, ever.
    pub connects: Vec<(switch::ConnectId, sip::resolve::Hop, Option<base::TrunkId>)>,
    /// Certificates asked for.
    pub fetches: Vec<String>,
    replies: Vec<(RequestId, Result<ApiReply, ApiError>)>,
    /// Streams that are opened only when the test says so.
    pub hold_streams: bool,
    /// Ports that cannot be bound.
    pub bad_opens: u32,
    /// Whether workers confirm that streams are closed.
    pub confirm_closed: bool,
    /// Whether they confirm that they have obeyed only when the test says so.
    pub hold_confirms: bool,
    /// Such confirmations, and of which worker.
    pub confirms: Vec<(WorkerId, media::OrderId)>,
    requests: u64,
    numbers: u64,
    /// Connections of phones that speak TCP.
    pub tcp: Vec<(SocketAddr, u64)>,
    /// Connections of pages, which speak SIP over WebSocket.
    pub pages: Vec<(SocketAddr, u64)>,
}

impl Rig {
    /// A switch with the demo's provisioning, and nobody registered.
    pub fn new() -> Self {
        Self::with(DEMO)
    }

    pub fn with(provisioning: &str) -> Self {
        Self::with_limits(provisioning, Limits::default(), 20_000..=29_999)
    }

    pub fn with_limits(
        provisioning: &str,
        limits: Limits,
        ports: std::ops::RangeInclusive<u16>,
    ) -> Self {
        Self::with_workers(provisioning, limits, vec![worker(0, ports)])
    }

    /// The same with several media workers.
    pub fn with_workers(provisioning: &str, limits: Limits, media: Vec<WorkerPorts>) -> Self {
        Self::start(provisioning, limits, media, None)
    }

    /// A switch that serves browsers.
    pub fn with_web() -> Self {
        Self::with_web_of(DEMO)
    }

    pub fn with_web_of(provisioning: &str) -> Self {
        let fingerprint = media::dtls::Fingerprint::of(b"ours");
        let web = WebConfig { port: 8189, advertised: Vec::new(), tcp: true, fingerprint };
        let media = vec![worker(0, 20_000..=29_999)];
        Self::start(provisioning, Limits::default(), media, Some(Arc::new(web)))
    }

    fn start(
        provisioning: &str,
        limits: Limits,
        media: Vec<WorkerPorts>,
        web: Option<Arc<WebConfig>>,
    ) -> Self {
        let config = SwitchConfig {
            advertised: Vec::new(),
            web,
            tokens: None,
            media,
            wall: UnixTime::from_micros(1_795_168_800_000_000),
            user_agent: "Strowger".to_owned(),
            limits,
        };
        let mut rig = Self {
            switch: Switch::new(config, Rng::from_seed(1)),
            now: Instant::from_millis(1000),
            wire: VecDeque::new(),
            sent: Vec::new(),
            events: Vec::new(),
            settings: Vec::new(),
            records: Vec::new(),
            commands: Vec::new(),
            workers: Vec::new(),
            recordings: Vec::new(),
            security: Vec::new(),
            keep_alives: Vec::new(),
            pings: Vec::new(),
            world: network::World::default(),
            questions: Vec::new(),
            connects: Vec::new(),
            fetches: Vec::new(),
            replies: Vec::new(),
            hold_streams: false,
            bad_opens: 0,
            confirm_closed: true,
            hold_confirms: false,
            confirms: Vec::new(),
            requests: 0,
            numbers: 0,
            tcp: Vec::new(),
            pages: Vec::new(),
        };
        rig.provision(provisioning);
        rig
    }

    pub fn provision(&mut self, provisioning: &str) {
        let directory = directory(provisioning);
        let prompts = Arc::new(prompts());
        self.input(Input::Provision { directory, prompts, last_sequence: Vec::new() });
    }

    /// Hands one thing to the switch and takes what it says.
    pub fn input(&mut self, input: Input) {
        self.switch.handle_input(self.now, input);
        self.drain();
    }

    /// Moves the clock, deadline by deadline.
    pub fn advance(&mut self, length: Duration) {
        let until = self.now + length;
        let mut steps = 0;
        while let Some((due, timer)) = self.switch.poll_timeout().filter(|(due, _)| *due <= until) {
            steps += 1;
            assert!(steps < 100_000, "a deadline ({timer:?}) does not go away");
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub fn advance_ms(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    fn drain(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Transmit { flow, bytes } if &*bytes == b"\r\n\r\n" => {
                    self.keep_alives.push(flow);
                }
                Output::Transmit { flow, bytes } if sip::stun::is_stun(&bytes) => {
                    self.pings.push((flow, bytes));
                }
                Output::Transmit { flow, bytes } => {
                    let message = Message::parse(bytes).expect("the switch sends valid SIP");
                    self.sent.push((flow.remote, message.clone()));
                    self.wire.push_back((flow, message));
                }
                Output::Media { worker, command } => {
                    self.workers.push(worker);
                    self.obey(worker, command);
                }
                Output::Record(command) => self.recordings.push(command),
                Output::Settings(settings) => self.settings.push(*settings),
                Output::Event(event) => self.events.push(event),
                Output::CallEnded(record) => self.records.push(*record),
                Output::Reply { id, reply } => self.replies.push((id, reply)),
                Output::Security(event) => self.security.push(event),
                Output::Dns { question } => self.look_up(question),
                Output::Fetch { url } => self.fetches.push(url),
                Output::Connect { id, hop, identity } => {
                    self.connects.push((id, hop.clone(), identity));
                    self.connect(id, &hop);
                }
            }
        }
    }

    fn obey(&mut self, worker: WorkerId, command: Command) {
        self.commands.push(command.clone());
        match command {
            Command::Confirm { order } if self.hold_confirms => {
                self.confirms.push((worker, order));
            }
            Command::Confirm { order } => self.media(media::Event::Confirmed { order }),
            Command::Open { stream, .. } if self.bad_opens > 0 => {
                self.bad_opens -= 1;
                let reason = "address in use".to_owned();
                self.media(media::Event::OpenFailed { stream, reason });
            }
            Command::Open { stream, .. } | Command::OpenShared { stream, .. }
                if !self.hold_streams =>
            {
                self.media(media::Event::Opened { stream });
            }
            Command::Close { stream } if self.confirm_closed => {
                self.media(media::Event::Closed { stream, stats: stats() });
            }
            _ => {}
        }
    }

    pub fn media(&mut self, event: media::Event) {
        self.input(Input::Media { worker: WorkerId(0), event });
    }

    /// The prompt that plays to a stream has been heard to its end.
    pub fn finish_prompt(&mut self) {
        let (stream, play) = self.last_play().expect("something plays");
        self.media(media::Event::PlayFinished { stream, play });
    }

    pub fn last_play(&self) -> Option<(StreamId, PlayId)> {
        self.commands.iter().rev().find_map(|command| match command {
            Command::Play { stream, play, .. } => Some((*stream, *play)),
            _ => None,
        })
    }

    /// The members of the mix as it was ordered last, if it still stands.
    pub fn mix(&self) -> Option<Vec<Member>> {
        let told = self.commands.iter().rev().find_map(|command| match command {
            Command::Mix { members, .. } => Some(Some(members.clone())),
            Command::Unmix { .. } => Some(None),
            _ => None,
        });
        told.flatten()
    }

    /// The last order about whom a stream is joined with says that it is a bridge of these.
    pub fn bridged(&self) -> Option<(StreamId, StreamId)> {
        let told = self.commands.iter().rev().find_map(|command| match command {
            Command::Bridge { a, b } => Some(Some((*a, *b))),
            Command::Unbridge { .. } | Command::Mix { .. } => Some(None),
            _ => None,
        });
        told.flatten()
    }

    /// Streams in the order they were opened.
    pub fn streams(&self) -> Vec<StreamId> {
        self.commands
            .iter()
            .filter_map(|command| match command {
                Command::Open { stream, .. } => Some(*stream),
                _ => None,
            })
            .collect()
    }

    pub fn flow(&self, peer: SocketAddr) -> Flow {
        let own = if peer.ip().is_loopback() { SWITCH } else { SWITCH_OUTSIDE };
        if let Some((_, connection)) = self.pages.iter().find(|(address, _)| *address == peer) {
            let transport = sip::Transport::Ws;
            return Flow { transport, local: own, remote: peer, connection: *connection };
        }
        match self.tcp.iter().find(|(address, _)| *address == peer) {
            Some((_, connection)) => Flow::tcp(own, peer, *connection),
            None => Flow::udp(own, peer),
        }
    }

    /// A peer sends a message.
    pub fn send(&mut self, from: SocketAddr, text: &str) {
        let flow = self.flow(from);
        self.input(Input::Received { flow, bytes: Bytes::copy_from_slice(text.as_bytes()) });
    }

    /// The next message sent to a peer, which must begin so; 100 Trying is passed over.
    #[track_caller]
    pub fn expect(&mut self, to: SocketAddr, begins: &str) -> Message {
        loop {
            let Some(at) = self.wire.iter().position(|(flow, _)| flow.remote == to) else {
                panic!("nothing was sent to {to}, expected {begins:?}");
            };
            let (_, message) = self.wire.remove(at).unwrap();
            let text = String::from_utf8_lossy(message.bytes()).into_owned();
            if text.starts_with(begins) {
                return message;
            }
            assert!(text.starts_with("SIP/2.0 100"), "expected {begins:?} to {to}, got\n{text}");
        }
    }

    /// Nothing more was sent to a peer.
    #[track_caller]
    pub fn expect_silence(&mut self, to: SocketAddr) {
        self.wire.retain(|(flow, message)| {
            !(flow.remote == to && message.status().is_some_and(|status| status.as_u16() == 100))
        });
        if let Some((_, message)) = self.wire.iter().find(|(flow, _)| flow.remote == to) {
            panic!("unexpected to {to}:\n{message:?}");
        }
    }

    /// How many messages that begin so were ever sent to a peer.
    pub fn count(&self, to: SocketAddr, begins: &str) -> usize {
        let matching = |(peer, message): &&(SocketAddr, Message)| {
            *peer == to && message.bytes().starts_with(begins.as_bytes())
        };
        self.sent.iter().filter(matching).count()
    }

    pub fn request(&mut self, tenant: &str, request: ApiRequest) -> Result<ApiReply, ApiError> {
        let id = self.begin_request(tenant, request);
        self.reply(id).expect("a reply")
    }

    /// Asks for something that may be answered later.
    pub fn begin_request(&mut self, tenant: &str, request: ApiRequest) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.input(Input::Request { id, tenant: TenantId::new(tenant).unwrap(), request });
        id
    }

    /// What was answered, if it was.
    pub fn reply(&mut self, id: RequestId) -> Option<Result<ApiReply, ApiError>> {
        let at = self.replies.iter().position(|(of, _)| *of == id)?;
        Some(self.replies.swap_remove(at).1)
    }

    /// The types of a tenant's call events, in order; those about no call are left out.
    pub fn story(&self, call: CallId) -> Vec<&'static str> {
        let of_call = self.events.iter().filter(|event| event.call == Some(call));
        of_call.map(|event| event.kind.type_name()).collect()
    }

    /// The events about agents and queues that say so.
    pub fn events_of(&self, type_name: &str) -> Vec<serde_json::Value> {
        let matching = self.events.iter().filter(|event| event.kind.type_name() == type_name);
        matching.map(|event| serde_json::to_value(&event.kind).unwrap()).collect()
    }

    /// The one record there is.
    #[track_caller]
    pub fn record(&self) -> &CallRecord {
        assert_eq!(self.records.len(), 1, "one call, one record");
        &self.records[0]
    }

    pub fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Lets every timer run out and checks what must always hold at the end of a test.
    #[track_caller]
    pub fn finish(mut self) {
        self.advance(Duration::from_secs(200));
        assert_eq!(self.switch.sizes(), Sizes::default(), "something leaked");
        self.check_sequences();
        for record in &self.records {
            let story = self.story(record.call);
            assert_eq!(story.first(), Some(&"call.started"), "{story:?}");
            let ends = story.iter().filter(|name| **name == "call.ended").count();
            assert_eq!(ends, 1, "{story:?}");
            let last = story.iter().rfind(|name| !name.starts_with("recording."));
            assert_eq!(last, Some(&"call.ended"), "{story:?}");
            let whole = self.records.iter().filter(|other| other.call == record.call).count();
            assert_eq!(whole, 1, "one record each");
        }
        let started = self.events.iter().filter(|e| e.kind.type_name() == "call.started").count();
        assert_eq!(started, self.records.len(), "one record for each call that started");
    }

    /// Every tenant's events are numbered without a gap.
    #[track_caller]
    pub fn check_sequences(&self) {
        let mut last = std::collections::BTreeMap::new();
        for event in &self.events {
            let before = last.insert(event.tenant.clone(), event.sequence).unwrap_or(0);
            assert_eq!(event.sequence, before + 1, "a gap in the log of {}", event.tenant);
        }
    }
}

/// A media worker that binds the loopback address.
pub fn worker(id: u16, ports: std::ops::RangeInclusive<u16>) -> WorkerPorts {
    let bound = Ipv4Addr::LOCALHOST.into();
    WorkerPorts { worker: WorkerId(id), ports, address: None, bound, networks: Vec::new() }
}

pub fn stats() -> StreamStats {
    StreamStats {
        packets_sent: 100,
        bytes_sent: 16_000,
        packets_received: 99,
        bytes_received: 15_840,
        packets_lost: 1,
        jitter_us: 250,
        round_trip_us: Some(900),
        mos_centi: 438,
        loss_permille: 0,
        buffer_us: None,
        concealed_ms: 0,
        skew_ppm: None,
        heard_dbov: None,
        said_dbov: None,
        far: Default::default(),
        refused_packets: 0,
        tap_dropped: 0,
        codec: Codec::Pcmu,
    }
}

/// A header of a message, which must be there.
#[track_caller]
pub fn header(message: &Message, name: &'static str) -> String {
    message.header(sip::Name::new(name)).unwrap_or_else(|| panic!("no {name}")).to_owned()
}
