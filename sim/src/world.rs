//! The world: one switch, its media plane, and the phones of carriers and agents around it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, RecordingId, Rng, TenantId, UnixTime};
use bytes::Bytes;
use media::{Batch, Plane, PlaneOutput, Port, Prompt, Slot, TapReceiver, WorkerId, tap};
use phone::{Manner, Phone, PhoneConfig, PhoneEvent, PhoneOutput};
use routing::{Directory, Provisioning};
use switch::{
    ApiError, ApiReply, ApiRequest, CallRecord, Event, Input, Output, Prompts, RecordCommand,
    RecordingOutcome, RecordingReport, RequestId, SecurityEvent, Switch, SwitchConfig, WorkerPorts,
};

use crate::network::{Datagram, Network};

/// A phone of the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PhoneId(pub usize);

/// Where the switch listens.
const SWITCH: ([u8; 4], u16) = ([10, 0, 0, 1], 5060);
/// 2026-01-01 00:00 UTC, so that generated pages do not change from day to day.
const WALL: UnixTime = UnixTime::from_micros(1_767_225_600_000_000);
const WORKER: WorkerId = WorkerId(0);
/// A recording is in the store so long after the call.
const UPLOAD: Duration = Duration::from_millis(800);

/// Everything there is.
pub struct World {
    now: Instant,
    rng: Rng,
    /// The network between all.
    pub network: Network,
    switch: Switch,
    plane: Plane,
    taps: TapReceiver,
    batch: Batch,
    ports: BTreeMap<SocketAddr, (Slot, Port)>,
    addresses: BTreeMap<Slot32, SocketAddr>,
    phones: Vec<Phone>,
    homes: BTreeMap<SocketAddr, (PhoneId, Socket)>,
    recordings: BTreeMap<RecordingId, RecordCommand>,
    uploads: Vec<(Instant, RecordingReport)>,
    requests: u64,
    /// What the switch told, in order.
    pub events: Vec<Event>,
    /// Records of calls that are over, in order.
    pub records: Vec<CallRecord>,
    /// Who did what they should not.
    pub security: Vec<SecurityEvent>,
    /// What the API was answered.
    pub replies: Vec<(RequestId, Result<ApiReply, ApiError>)>,
    /// What the phones saw, in order.
    pub seen: Vec<(Instant, PhoneId, PhoneEvent)>,
    /// Audio frames that reached the recorder.
    pub recorded_frames: u64,
}

/// A slot as an ordered key.
type Slot32 = u64;

#[derive(Clone, Copy, Debug)]
enum Socket {
    Sip,
    Media(Port),
}

impl World {
    /// A world of the demo's tenants, with nobody in it yet.
    ///
    /// # Panics
    /// Never: the demo's provisioning is checked by a test of its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let (taps, receiver) = tap::ring(1024);
        let config = SwitchConfig {
            advertised: Vec::new(),
            web: None,
            tokens: None,
            media: vec![WorkerPorts {
                worker: WORKER,
                ports: 20_000..=20_999,
                address: Some(SocketAddr::from(SWITCH).ip()),
                bound: SocketAddr::from(SWITCH).ip(),
                networks: Vec::new(),
            }],
            wall: WALL,
            user_agent: "Strowger".to_owned(),
            limits: switch::Limits::default(),
        };
        let mut world = Self {
            now: Instant::from_millis(1000),
            network: Network::new(rng.fork()),
            switch: Switch::new(config, rng.fork()),
            plane: Plane::new(WORKER, taps, rng.fork(), WALL),
            taps: receiver,
            batch: Batch::new(256),
            ports: BTreeMap::new(),
            addresses: BTreeMap::new(),
            phones: Vec::new(),
            homes: BTreeMap::new(),
            recordings: BTreeMap::new(),
            uploads: Vec::new(),
            requests: 0,
            events: Vec::new(),
            records: Vec::new(),
            security: Vec::new(),
            replies: Vec::new(),
            seen: Vec::new(),
            recorded_frames: 0,
            rng,
        };
        if let Some((directory, prompts)) = demo() {
            let provision = Input::Provision { directory, prompts, last_sequence: Vec::new() };
            world.tell_switch(provision);
        }
        world
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The switch, to look at.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The media plane, to look at.
    #[must_use]
    pub fn plane(&self) -> &Plane {
        &self.plane
    }

    /// The switch's SIP address.
    #[must_use]
    pub fn switch_address(&self) -> SocketAddr {
        SocketAddr::from(SWITCH)
    }

    /// Puts a phone into the world. `home` is its address; carriers have no password.
    pub fn add_phone(
        &mut self,
        home: [u8; 4],
        user: &str,
        domain: &str,
        password: Option<&str>,
        manner: Manner,
    ) -> PhoneId {
        let port = 6000 + u16::try_from(self.phones.len()).unwrap_or(0) * 4;
        self.add_phone_at(SocketAddr::from((home, port)), user, domain, password, manner)
    }

    /// The server of a carrier, which takes one call at a time: `carrier-a` lives at 127.0.0.2,
    /// `carrier-b` at 127.0.0.3.
    pub fn add_carrier(&mut self, home: [u8; 4], manner: Manner) -> PhoneId {
        let sip = SocketAddr::from((home, 5070));
        self.add_phone_at(sip, "customer", "carrier.example", None, manner)
    }

    fn add_phone_at(
        &mut self,
        sip: SocketAddr,
        user: &str,
        domain: &str,
        password: Option<&str>,
        manner: Manner,
    ) -> PhoneId {
        let id = PhoneId(self.phones.len());
        let home = sip.ip();
        let rtp = SocketAddr::from((home, 30_000 + u16::try_from(id.0).unwrap_or(0) * 2));
        let rtcp = SocketAddr::from((home, rtp.port() + 1));
        self.homes.insert(sip, (id, Socket::Sip));
        self.homes.insert(rtp, (id, Socket::Media(Port::Rtp)));
        self.homes.insert(rtcp, (id, Socket::Media(Port::Rtcp)));
        let config = PhoneConfig {
            sip,
            rtp,
            server: SWITCH.into(),
            user: user.to_owned(),
            domain: domain.to_owned(),
            password: password.map(str::to_owned),
            speech: Arc::from([]),
            manner,
            listens: false,
            encryption: media::sdp::Encryption::Off,
        };
        let rng = self.rng.fork();
        self.phones.push(Phone::new(config, rng));
        id
    }

    /// A phone behind `carrier-a` that calls.
    pub fn add_caller(&mut self, number: &str) -> PhoneId {
        self.add_phone([127, 0, 0, 2], number, "carrier.example", None, Manner::Ring)
    }

    /// A registered phone of an agent of acme.
    pub fn add_agent(&mut self, agent: &str, manner: Manner) -> PhoneId {
        let password = format!("{agent}-secret");
        let id = self.add_phone([10, 1, 0, 1], agent, "acme.example", Some(&password), manner);
        self.register(id);
        self.run_for(Duration::from_millis(500));
        id
    }

    /// The phone registers.
    pub fn register(&mut self, id: PhoneId) {
        let now = self.now;
        if let Some(phone) = self.phones.get_mut(id.0) {
            // Domains of this world make URIs.
            let _ = phone.register(now);
        }
        self.drain_phone(id);
    }

    /// The phone calls a number.
    pub fn dial(&mut self, id: PhoneId, number: &str) {
        let now = self.now;
        if let Some(phone) = self.phones.get_mut(id.0) {
            // Numbers of this world make URIs.
            let _ = phone.dial(now, number);
        }
        self.drain_phone(id);
    }

    /// The phone ends its call, if it has one.
    pub fn hang_up(&mut self, id: PhoneId) {
        let now = self.now;
        if let Some(phone) = self.phones.get_mut(id.0) {
            phone.hang_up(now);
        }
        self.drain_phone(id);
    }

    /// The phone behaves otherwise from its next call on.
    pub fn set_manner(&mut self, id: PhoneId, manner: Manner) {
        if let Some(phone) = self.phones.get_mut(id.0) {
            phone.set_manner(manner);
        }
    }

    /// A phone, to look at.
    #[must_use]
    pub fn phone(&self, id: PhoneId) -> Option<&Phone> {
        self.phones.get(id.0)
    }

    /// All phones, in the order they came.
    pub fn phones(&self) -> impl Iterator<Item = PhoneId> + use<> {
        (0..self.phones.len()).map(PhoneId)
    }

    /// Asks the switch as the API does; the answer is in `replies`.
    pub fn ask(&mut self, tenant: &TenantId, request: ApiRequest) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.tell_switch(Input::Request { id, tenant: tenant.clone(), request });
        id
    }

    /// Tells the switch something the world itself does not know of.
    pub fn tell_switch(&mut self, input: Input) {
        self.switch.handle_input(self.now, input);
        self.drain_switch();
    }

    /// Lets time pass.
    pub fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until `content` is, at most for `limit`. Says whether it was.
    pub fn run_until(&mut self, limit: Duration, mut content: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !content(self) {
            let Some(at) = self.next().filter(|at| *at <= end) else {
                self.now = end;
                return content(self);
            };
            self.now = self.now.max(at);
            self.step();
        }
        true
    }

    fn next(&self) -> Option<Instant> {
        let phones = self.phones.iter().filter_map(Phone::poll_timeout);
        let uploads = self.uploads.iter().map(|(at, _)| *at);
        let switch = self.switch.poll_timeout().map(|(at, _)| at);
        let plane = self.plane.poll_timeout().map(|(at, _)| at);
        let machines = [self.network.next(), switch, plane].into_iter().flatten();
        machines.chain(phones).chain(uploads).min()
    }

    /// Everything that is due now happens, in a fixed order.
    fn step(&mut self) {
        while let Some(datagram) = self.network.arrived(self.now) {
            self.deliver(datagram);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        if due(self.switch.poll_timeout().map(|(at, _)| at)) {
            self.switch.handle_timeout(self.now);
            self.drain_switch();
        }
        if self.plane.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.plane.handle_timeout(self.now, &mut self.batch);
            self.drain_plane();
        }
        for id in self.phones() {
            let now = self.now;
            let Some(phone) = self.phones.get_mut(id.0) else { continue };
            if phone.poll_timeout().is_some_and(|at| at <= now) {
                phone.handle_timeout(now);
                self.drain_phone(id);
            }
        }
        while let Some(place) = self.uploads.iter().position(|(at, _)| *at <= self.now) {
            let (_, report) = self.uploads.remove(place);
            self.tell_switch(Input::Recording(report));
        }
    }

    fn deliver(&mut self, datagram: Datagram) {
        let Datagram { from, to, bytes } = datagram;
        if to == self.switch_address() {
            self.tell_switch(Input::Received { flow: sip::Flow::udp(to, from), bytes });
        } else if let Some(&(slot, port)) = self.ports.get(&to) {
            let mut packet = bytes.to_vec();
            self.plane.handle_packet(self.now, slot, port, from, &mut packet, &mut self.batch);
            self.drain_plane();
        } else if let Some(&(id, socket)) = self.homes.get(&to) {
            let now = self.now;
            let Some(phone) = self.phones.get_mut(id.0) else { return };
            match socket {
                Socket::Sip => phone.handle_sip(now, from, bytes),
                Socket::Media(port) => phone.handle_media(now, port, &bytes),
            }
            self.drain_phone(id);
        }
    }

    fn drain_phone(&mut self, id: PhoneId) {
        while let Some(phone) = self.phones.get_mut(id.0)
            && let Some(output) = phone.poll_output()
        {
            let (sip, rtp) = (phone.config().sip, phone.config().rtp);
            match output {
                PhoneOutput::Sip { to, bytes } => self.send(sip, to, bytes),
                PhoneOutput::Media(transmit) => {
                    let from = socket_of(rtp, transmit.port);
                    self.send(from, transmit.to, transmit.bytes);
                }
                PhoneOutput::Event(event) => self.seen.push((self.now, id, event)),
            }
        }
    }

    fn drain_switch(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.send(flow.local, flow.remote, bytes),
                Output::Media { command, .. } => {
                    self.plane.handle_command(self.now, command);
                    self.drain_plane();
                }
                Output::Record(command) => self.record(command),
                Output::Settings(_) => {}
                Output::Event(event) => self.events.push(event),
                Output::CallEnded(record) => self.records.push(*record),
                Output::Reply { id, reply } => self.replies.push((id, reply)),
                Output::Security(event) => self.security.push(event),
                // Nothing in this world has a name, and all is reached by datagrams.
                Output::Dns { question } => {
                    let records = Err(sip::resolve::NoAnswer::NotFound);
                    let ttl = Duration::from_secs(60);
                    let answer = sip::resolve::Answer { question, records, ttl };
                    self.switch.handle_input(self.now, Input::Dns(answer));
                }
                Output::Connect { id, hop, .. } => {
                    let result = Ok(sip::Flow::udp(SWITCH.into(), hop.remote));
                    self.switch.handle_input(self.now, Input::Connected { id, result });
                }
                // No caller of this world signs its number.
                Output::Fetch { .. } => {}
            }
        }
    }

    /// Stands in for the recorder: a recording that was stopped is soon in the store.
    fn record(&mut self, command: RecordCommand) {
        match command {
            RecordCommand::Start { recording, .. } => {
                self.recordings.insert(recording, command);
            }
            RecordCommand::Pause { .. } | RecordCommand::Resume { .. } => {}
            RecordCommand::Stop { recording, .. } => {
                if let Some(RecordCommand::Start { tenant, call, now, .. }) =
                    self.recordings.remove(&recording)
                {
                    let length = self.now.since(now).as_millis();
                    let outcome = RecordingOutcome::Completed {
                        duration_ms: u64::try_from(length).unwrap_or(u64::MAX),
                        bytes: 0,
                        location: format!("sim/{recording}"),
                        gaps_ms: 0,
                    };
                    let report = RecordingReport { tenant, call, recording, outcome };
                    self.uploads.push((self.now + UPLOAD, report));
                }
            }
        }
    }

    fn drain_plane(&mut self) {
        loop {
            let sends: Vec<Datagram> = self
                .batch
                .iter()
                .filter_map(|datagram| {
                    let home = self.addresses.get(&datagram.slot.as_u64())?;
                    let from = socket_of(*home, datagram.port);
                    let bytes = Bytes::copy_from_slice(datagram.bytes);
                    Some(Datagram { from, to: datagram.to, bytes })
                })
                .collect();
            self.batch.clear();
            for datagram in &sends {
                self.network.send(self.now, datagram);
            }
            let output = self.plane.poll_output();
            let event = self.plane.poll_event();
            if sends.is_empty() && output.is_none() && event.is_none() {
                break;
            }
            if let Some(output) = output {
                self.carry_out(output);
            }
            if let Some(event) = event {
                self.tell_switch(Input::Media { worker: WORKER, event });
            }
        }
        while self.taps.pop().is_some() {
            self.recorded_frames += 1;
        }
    }

    fn carry_out(&mut self, output: PlaneOutput) {
        match output {
            PlaneOutput::OpenPort { slot, port, .. } => {
                let rtp = SocketAddr::from((SWITCH.0, port));
                self.ports.insert(rtp, (slot, Port::Rtp));
                self.ports.insert(socket_of(rtp, Port::Rtcp), (slot, Port::Rtcp));
                self.addresses.insert(slot.as_u64(), rtp);
                self.plane.opened(slot, Ok(()));
            }
            PlaneOutput::Send { slot, port, to, bytes } => {
                if let Some(home) = self.addresses.get(&slot.as_u64()) {
                    self.send(socket_of(*home, port), to, Bytes::from(bytes));
                }
            }
            PlaneOutput::ClosePort { slot } => {
                if let Some(rtp) = self.addresses.remove(&slot.as_u64()) {
                    self.ports.remove(&rtp);
                    self.ports.remove(&socket_of(rtp, Port::Rtcp));
                }
            }
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.network.send(self.now, &Datagram { from, to, bytes });
    }
}

/// The RTP socket of a pair, or the one above it.
fn socket_of(rtp: SocketAddr, port: Port) -> SocketAddr {
    let above = u16::from(matches!(port, Port::Rtcp));
    SocketAddr::new(rtp.ip(), rtp.port() + above)
}

/// The demo's provisioning, as `strowger demo` has it.
fn demo() -> Option<(Arc<Directory>, Arc<Prompts>)> {
    let text = include_str!("../../fixtures/demo.toml");
    let mut provisioning: Provisioning = toml::from_str(text).ok()?;
    // The simulated network has no loopback: its phones live at addresses of their own.
    for agent in provisioning.tenants.iter_mut().flat_map(|tenant| &mut tenant.agents) {
        agent.loopback_only = false;
    }
    let mut prompts = Prompts::new();
    let greeting =
        Prompt::from_wav(include_bytes!("../../fixtures/audio/acme-greeting.wav")).ok()?;
    let music = Prompt::from_wav(include_bytes!("../../fixtures/audio/hold-music.wav")).ok()?;
    let (greeting, music) = (Arc::new(greeting), Arc::new(music));
    for tenant in &provisioning.tenants {
        for prompt in &tenant.prompts {
            let audio = if prompt.id.as_str() == "music" { &music } else { &greeting };
            prompts.insert(tenant.id.clone(), prompt.id.clone(), Arc::clone(audio));
        }
    }
    Some((Arc::new(Directory::build(provisioning).ok()?), Arc::new(prompts)))
}
