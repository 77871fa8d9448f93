//! The signalling thread: one `Switch`, its SIP sockets, and the queues that feed it.
//!
//! One shard of the node. A second shard is a second value of [`Signalling`] with its own sockets;
//! nothing here is shared between two.

mod certificates;
mod held;
mod links;
mod names;
mod paths;
mod pressure;
pub(crate) mod streams;
mod udp;
mod ways;

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base::{Rng, TenantId};
use media::WorkerId;
use switch::{ApiError, ApiReply, ApiRequest, Prompts, RecordingReport, Switch, SwitchConfig};
use tokio::sync::{mpsc, oneshot};

use self::certificates::Certificates;
use self::held::Held;
use self::links::Links;
pub(crate) use self::links::Outlets;
use self::names::Names;
pub(crate) use self::pressure::Idleness;
use self::pressure::Pressure;
use self::streams::{StreamInput, Streams};
use self::udp::{DatagramBuffer, UdpPort};
use self::ways::{Listeners, Out, Ways};
use crate::clock::Clock;
use crate::config::{Config, Stir};
use crate::hep::Hep;
use crate::poller::Poller;
use crate::tls::Keeper;
use crate::wake::{self, Bell};

/// Framed SIP messages that may wait; then the connections are read more slowly.
const STREAMS: usize = 4_096;
/// Media events that may wait; then the workers keep theirs.
const MEDIA: usize = 16_384;
/// API requests, provisioning and reports that may wait; then their senders do.
const CONTROL: usize = 1_024;
/// Values taken from one queue before the sockets and timers get their turn.
const TURN: usize = 256;
/// The bell's token; UDP ports have theirs from 0.
const BELL: u64 = u64::MAX;

/// What the rest of the node asks of the signalling thread.
pub(crate) enum Control {
    /// An API request of a tenant.
    Request {
        tenant: TenantId,
        request: ApiRequest,
        reply: oneshot::Sender<Result<ApiReply, ApiError>>,
    },
    /// New provisioning; `done` is told when calls see it.
    Provision {
        directory: Arc<routing::Directory>,
        prompts: Arc<Prompts>,
        last_sequence: Vec<(TenantId, u64)>,
        /// What agents' phones were set to; at the start only.
        settings: Vec<switch::AgentSettings>,
        done: oneshot::Sender<()>,
    },
    /// What became of a recording.
    Recording(RecordingReport),
    /// Refuse new calls.
    Drain,
    /// End the calls that are still up.
    EndCalls,
    /// End the thread.
    Stop,
}

/// How the rest of the node reaches a running signalling thread.
#[derive(Clone)]
pub(crate) struct Handle {
    /// Requests, provisioning, reports, drain.
    pub(crate) control: wake::Sender<Control>,
    /// What the media workers tell.
    pub(crate) media: wake::Sender<(WorkerId, media::Event)>,
    /// Calls that are up.
    pub(crate) live_calls: Arc<AtomicUsize>,
    /// Whether no call is up or can come any more, because the node was told to drain.
    pub(crate) drained: Arc<AtomicBool>,
}

/// Bound SIP sockets and their queues: made before the thread, so that a taken port is an error of
/// the start and the addresses are known.
pub(crate) struct Signalling {
    ports: Vec<UdpPort>,
    tcp: Vec<std::net::TcpListener>,
    tls: Vec<std::net::TcpListener>,
    bell: Bell,
    handle: Handle,
    streams: Streams,
    inputs: mpsc::Receiver<StreamInput>,
    name_servers: Vec<SocketAddr>,
    stir: Stir,
    signers: Option<sip::stir::Roots>,
    hep: Option<Hep>,
    control: mpsc::Receiver<Control>,
    media: mpsc::Receiver<(WorkerId, media::Event)>,
}

impl Signalling {
    /// Binds every socket.
    ///
    /// # Errors
    /// The address that could not be bound, and why.
    pub(crate) fn bind(config: &Config) -> std::io::Result<Self> {
        let named = |address: &SocketAddr, what: &str, error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("SIP over {what} on {address}: {error}"))
        };
        let bell = Bell::new()?;
        let udp = config.sip.udp.iter();
        let ports = udp
            .map(|at| UdpPort::bind(*at).map_err(|error| named(at, "UDP", error)))
            .collect::<Result<_, _>>()?;
        let listeners = |all: &[SocketAddr], what| {
            let all = all.iter();
            all.map(|at| listen(*at).map_err(|error| named(at, what, error)))
                .collect::<Result<Vec<_>, _>>()
        };
        let tcp = listeners(&config.sip.tcp, "TCP")?;
        let tls = listeners(&config.sip_tls(), "TLS")?;
        let (control_sender, control) = wake::queue(CONTROL, &bell);
        let (media_sender, media) = wake::queue(MEDIA, &bell);
        let (streams_sender, inputs) = wake::queue(STREAMS, &bell);
        let streams = Streams::new(&config.limits, config.sip.keep_alive(), streams_sender);
        let (live_calls, drained) = (Arc::default(), Arc::default());
        let handle = Handle { control: control_sender, media: media_sender, live_calls, drained };
        let name_servers = config.dns.servers.clone();
        let stir = config.stir.clone();
        let signers = stir.roots.as_deref().map(roots_of_signers).transpose()?;
        let hep = Hep::start(&config.hep)?;
        Ok(Self {
            ports,
            tcp,
            tls,
            bell,
            handle,
            streams,
            inputs,
            name_servers,
            stir,
            signers,
            hep,
            control,
            media,
        })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(crate) fn udp(&self) -> Vec<SocketAddr> {
        self.ports.iter().map(UdpPort::local).collect()
    }

    pub(crate) fn tcp(&self) -> Vec<SocketAddr> {
        addresses(&self.tcp)
    }

    pub(crate) fn tls(&self) -> Vec<SocketAddr> {
        addresses(&self.tls)
    }

    /// What carries connections that others accept, such as WebSockets.
    pub(crate) fn streams(&self) -> Streams {
        self.streams.clone()
    }

    /// Starts accepting on the current tokio runtime and driving the switch on its own thread.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor.
    pub(crate) fn start(
        self,
        clock: Clock,
        config: SwitchConfig,
        rng: Rng,
        tls: Keeper,
        outlets: Outlets,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let listeners = Listeners { tcp: addresses(&self.tcp), tls: addresses(&self.tls) };
        for listener in self.tcp {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(streams::accept_tcp(listener, self.streams.clone()));
        }
        for listener in self.tls {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(streams::accept_tls(listener, self.streams.clone(), tls.clone()));
        }
        let poller = Poller::new()?;
        poller.add(&self.bell, BELL)?;
        for (port, token) in self.ports.iter().zip(0_u64..) {
            poller.add(port, token)?;
        }
        let (answers_sender, answers) = wake::queue(names::ANSWERS, &self.bell);
        let names = Names::new(&self.name_servers, answers_sender);
        let (fetched_sender, fetched) = wake::queue(certificates::ANSWERS, &self.bell);
        let certificates = Certificates {
            runtime: tokio::runtime::Handle::current(),
            names: names.source(),
            tls: tls.clone(),
            private_networks: self.stir.private_networks,
            places: Certificates::places(),
            answers: fetched_sender,
        };
        let runtime = tokio::runtime::Handle::current();
        let out = Out { runtime, streams: self.streams, keeper: tls, listeners };
        let Self { ports, bell, inputs: streams, signers, control, media, hep, .. } = self;
        let (live_calls, drained) = (self.handle.live_calls, self.handle.drained);
        std::thread::Builder::new().name("signalling-0".into()).spawn(move || {
            let ports: Rc<[UdpPort]> = ports.into();
            let ways = Ways::new(out, ports.clone());
            let pressure = Pressure::new(clock.now(), outlets.media_idleness.clone());
            let links = Links::new(clock, ports.clone(), outlets, ways, names, certificates, hep);
            let mut switch = Switch::new(config, rng);
            switch.scatter_ports();
            if let Some(signers) = signers {
                switch.handle_input(clock.now(), switch::Input::StirRoots(signers));
            }
            let inlets = Inlets { bell, streams, answers, fetched, control, media };
            let drive = Drive {
                clock,
                poller,
                ports,
                inlets,
                switch,
                links,
                pressure,
                held: Held::new(),
                live_calls,
                drained,
                provisioned: false,
                stopped: false,
            };
            drive.run();
        })
    }
}

/// The authorities that certify signers of caller numbers.
fn roots_of_signers(file: &Path) -> std::io::Result<sip::stir::Roots> {
    let named = |error: &dyn std::fmt::Display| {
        let what = format!("stir.roots: {}: {error}", file.display());
        std::io::Error::new(std::io::ErrorKind::InvalidInput, what)
    };
    let pem = std::fs::read(file).map_err(|error| named(&error))?;
    sip::stir::Roots::from_pem(&pem).map_err(|error| named(&error))
}

fn addresses(listeners: &[std::net::TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // [::] is IPv6 alone, as over UDP: a peer has one address, not a mapped one beside it.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

struct Inlets {
    bell: Bell,
    streams: mpsc::Receiver<StreamInput>,
    answers: mpsc::Receiver<sip::resolve::Answer>,
    fetched: mpsc::Receiver<certificates::Answer>,
    control: mpsc::Receiver<Control>,
    media: mpsc::Receiver<(WorkerId, media::Event)>,
}

/// The running thread.
struct Drive {
    clock: Clock,
    poller: Poller,
    ports: Rc<[UdpPort]>,
    inlets: Inlets,
    switch: Switch,
    links: Links,
    pressure: Pressure,
    held: Held,
    live_calls: Arc<AtomicUsize>,
    drained: Arc<AtomicBool>,
    provisioned: bool,
    stopped: bool,
}

impl Drive {
    fn run(mut self) {
        let mut ready = Vec::with_capacity(64);
        let mut buffer = DatagramBuffer::new();
        let mut more = false;
        // Packets wait in the kernel until there is provisioning: without it every caller would be
        // a stranger.
        while !self.provisioned && !self.stopped {
            match self.inlets.control.blocking_recv() {
                Some(control) => self.control(control),
                None => return,
            }
        }
        while !self.stopped {
            let began = self.clock.now();
            let deadline = self.switch.poll_timeout().map(|(at, _)| at);
            let deadline = if more { Some(began) } else { deadline };
            if let Err(error) = self.poller.wait(began, deadline, &mut ready) {
                tracing::error!(%error, "the signalling thread cannot wait for its sockets");
                std::thread::sleep(Duration::from_millis(10));
            }
            let woke = self.clock.now();
            for token in ready.drain(..) {
                match token {
                    BELL => self.inlets.bell.answer(),
                    port => self.receive(port, &mut buffer),
                }
            }
            more = self.take_queues();
            while let Some(worker) = self.links.media_gone() {
                self.feed(switch::Input::MediaGone { worker });
            }
            let now = self.clock.now();
            if self.switch.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.switch.handle_timeout(now);
                self.links.drain(now, &mut self.switch);
            }
            self.pressure.turn(woke.since(began), pressure::processor_time);
            if let Some(percent) = self.pressure.due(now, self.links.intake()) {
                self.feed(switch::Input::Load { percent });
                self.held.show(&self.switch.sizes());
            }
            self.links.ring();
            self.live_calls.store(self.switch.live_calls(), Ordering::Relaxed);
            self.drained.store(self.switch.is_drained(), Ordering::Relaxed);
        }
    }

    fn receive(&mut self, port: u64, buffer: &mut DatagramBuffer) {
        let ports = self.ports.clone();
        let Some(port) = usize::try_from(port).ok().and_then(|port| ports.get(port)) else {
            return;
        };
        port.receive(buffer, |input| {
            if let switch::Input::Received { flow, bytes } = &input {
                self.links.received(*flow, bytes);
            }
            self.feed(input);
        });
    }

    fn feed(&mut self, input: switch::Input) {
        let now = self.clock.now();
        self.switch.handle_input(now, input);
        self.links.drain(now, &mut self.switch);
    }

    /// One turn of every queue; true when one of them has more.
    fn take_queues(&mut self) -> bool {
        let mut more = false;
        for turn in 1..=TURN {
            let Ok((worker, event)) = self.inlets.media.try_recv() else { break };
            self.feed(switch::Input::Media { worker, event });
            more |= turn == TURN;
        }
        for turn in 1..=TURN {
            let Ok(control) = self.inlets.control.try_recv() else { break };
            self.control(control);
            more |= turn == TURN;
        }
        while let Ok(answer) = self.inlets.answers.try_recv() {
            self.feed(switch::Input::Dns(answer));
        }
        while let Ok((url, result)) = self.inlets.fetched.try_recv() {
            self.feed(switch::Input::Fetched { url, result });
        }
        for turn in 1..=TURN {
            let Ok(input) = self.inlets.streams.try_recv() else { break };
            self.stream(input);
            more |= turn == TURN;
        }
        more
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Request { tenant, request, reply } => {
                let id = self.links.expect_reply(reply);
                self.feed(switch::Input::Request { id, tenant, request });
            }
            Control::Provision { directory, prompts, last_sequence, settings, done } => {
                self.feed(switch::Input::Provision { directory, prompts, last_sequence });
                if !settings.is_empty() {
                    self.feed(switch::Input::Settings(settings));
                }
                self.provisioned = true;
                // Whoever asked may have gone; the provisioning holds all the same.
                let _ = done.send(());
            }
            Control::Recording(report) => self.feed(switch::Input::Recording(report)),
            Control::Drain => self.feed(switch::Input::Drain),
            Control::EndCalls => self.feed(switch::Input::EndCalls),
            Control::Stop => self.stopped = true,
        }
    }

    fn stream(&mut self, input: StreamInput) {
        match input {
            StreamInput::Opened { flow, writer, names, way } => {
                let inputs = self.links.opened(flow, writer, names, way);
                inputs.into_iter().for_each(|input| self.feed(input));
            }
            StreamInput::Unreached { way, why } => {
                let inputs = self.links.unreached(&way, &why);
                inputs.into_iter().for_each(|input| self.feed(input));
            }
            StreamInput::Message { flow, bytes } => {
                self.links.received(flow, &bytes);
                self.feed(switch::Input::Received { flow, bytes });
            }
            StreamInput::KeptAlive { flow } => {
                self.feed(switch::Input::KeepAlive { flow, answer: None });
            }
            StreamInput::Closed { flow } => {
                if self.links.closed(flow) {
                    self.feed(switch::Input::FlowClosed { flow });
                }
            }
        }
    }
}
