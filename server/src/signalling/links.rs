//! Where a switch's outputs go: sockets, media workers, recorder, store writer, API.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use base::{CallId, Instant};
use bytes::Bytes;
use control_api::Captures;
use media::{CaptureId, WorkerId};
use metrics::{Counter, Histogram};
use sip::{Flow, Transport};
use switch::{ApiError, ApiReply, EventKind, Input, Output, RequestId, Switch};
use tokio::sync::{mpsc, oneshot};

use super::certificates::Certificates;
use super::names::Names;
use super::pressure::Idleness;
use super::streams::Way;
use super::udp::UdpPort;
use super::ways::Ways;
use crate::clock::Clock;
use crate::hep::{Direction, Hep};
use crate::persist::{Intake, Item};
use crate::recording;
use crate::wake;

/// The ends that reach the other threads.
pub(crate) struct Outlets {
    /// One per media worker, in the order of [`WorkerId`].
    pub(crate) media: Vec<wake::Sender<media::Command>>,
    /// How idle each of them is.
    pub(crate) media_idleness: Vec<Idleness>,
    /// The recorder.
    pub(crate) recorder: recording::Commands,
    /// The store's writer.
    pub(crate) intake: Intake,
    /// Where captures are held.
    pub(crate) captures: Captures,
}

impl Outlets {
    /// The ends that reach the workers, the recorder, the store and the captures.
    pub(crate) fn new(
        (media, media_idleness): (Vec<wake::Sender<media::Command>>, Vec<Idleness>),
        recorder: recording::Commands,
        intake: &Intake,
        captures: &Captures,
    ) -> Self {
        let (intake, captures) = (intake.clone(), captures.clone());
        Self { media, media_idleness, recorder, intake, captures }
    }
}

type ReplySender = oneshot::Sender<Result<ApiReply, ApiError>>;

pub(super) struct Links {
    clock: Clock,
    ports: Rc<[UdpPort]>,
    outlets: Outlets,
    ways: Ways,
    names: Names,
    certificates: Certificates,
    hep: Option<Hep>,
    streams: BTreeMap<u64, (Flow, mpsc::Sender<Bytes>)>,
    replies: BTreeMap<RequestId, ReplySender>,
    next_request: u64,
    /// What came of outputs while they were drained, to be told to the switch.
    back: VecDeque<Input>,
    started: BTreeMap<CallId, Instant>,
    /// The media workers that have ended, and that the switch knows of.
    gone: Vec<WorkerId>,
    meters: Meters,
}

/// Registered once; an increment is one atomic addition.
struct Meters {
    received: [Counter; Transport::ALL.len()],
    sent: Counter,
    unsent: Counter,
    calls: Counter,
    ended: Counter,
    setup: Histogram,
    wait: Histogram,
}

impl Meters {
    fn new() -> Self {
        use metrics::{counter, histogram};
        Self {
            received: Transport::ALL.map(|transport| {
                let transport = transport.name();
                counter!("strowger_sip_messages_received_total", "transport" => transport)
            }),
            sent: counter!("strowger_sip_messages_sent_total"),
            unsent: counter!("strowger_sip_messages_unsent_total"),
            calls: counter!("strowger_calls_started_total"),
            ended: counter!("strowger_calls_ended_total"),
            setup: histogram!("strowger_call_setup_seconds"),
            wait: histogram!("strowger_call_wait_seconds"),
        }
    }
}

impl Links {
    pub(super) fn new(
        clock: Clock,
        ports: Rc<[UdpPort]>,
        outlets: Outlets,
        ways: Ways,
        names: Names,
        certificates: Certificates,
        hep: Option<Hep>,
    ) -> Self {
        Self {
            clock,
            ports,
            outlets,
            ways,
            names,
            certificates,
            hep,
            streams: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_request: 1,
            back: VecDeque::new(),
            started: BTreeMap::new(),
            gone: Vec::new(),
            meters: Meters::new(),
        }
    }

    /// A message came: counted and copied before the switch has it.
    pub(super) fn received(&self, flow: Flow, bytes: &Bytes) {
        if let Some(counter) = self.meters.received.get(flow.transport as usize) {
            counter.increment(1);
        }
        self.copy(flow, Direction::In, bytes);
    }

    fn copy(&self, flow: Flow, direction: Direction, bytes: &Bytes) {
        if let Some(hep) = &self.hep {
            hep.copy(self.clock.unix(), flow, direction, bytes.clone());
        }
    }

    /// A connection is there; gives what the switch is to be told, in order.
    pub(super) fn opened(
        &mut self,
        flow: Flow,
        writer: mpsc::Sender<Bytes>,
        names: Vec<String>,
        way: Option<Way>,
    ) -> Vec<Input> {
        self.streams.insert(flow.connection, (flow, writer));
        let identity = (!names.is_empty()).then_some(Input::FlowIdentity { flow, names });
        let connected = way.map(|way| self.ways.opened(way, flow)).unwrap_or_default();
        identity.into_iter().chain(connected).collect()
    }

    /// A connection that the switch asked for cannot be had.
    pub(super) fn unreached(&mut self, way: &Way, why: &str) -> Vec<Input> {
        self.ways.unreached(way, why)
    }

    /// True when the switch does not know yet.
    pub(super) fn closed(&mut self, flow: Flow) -> bool {
        self.ways.closed(&flow);
        self.streams.remove(&flow.connection).is_some()
    }

    /// The way to the store's writer.
    pub(super) fn intake(&self) -> &Intake {
        &self.outlets.intake
    }

    pub(super) fn expect_reply(&mut self, reply: ReplySender) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.replies.insert(id, reply);
        id
    }

    /// Carries out everything the switch wants done, connection failures included.
    pub(super) fn drain(&mut self, now: Instant, switch: &mut Switch) {
        loop {
            while let Some(output) = switch.poll_output() {
                self.carry_out(now, output);
            }
            let Some(input) = self.back.pop_front() else { return };
            switch.handle_input(self.clock.now(), input);
        }
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
            Output::Dns { question } => {
                self.back.extend(self.names.ask(question).map(Input::Dns));
            }
            Output::Fetch { url } => {
                let answer = self.certificates.fetch(url);
                self.back.extend(answer.map(|(url, result)| Input::Fetched { url, result }));
            }
            Output::Connect { id, hop, identity } => {
                self.back.extend(self.ways.find(id, hop, identity));
            }
            Output::Media { worker, command } => self.command(worker, command),
            Output::Record(command) => self.record(command),
            Output::Event(event) => {
                self.measure(now, &event);
                self.outlets.intake.put(Item::Event(event));
            }
            Output::Settings(settings) => self.outlets.intake.put(Item::Settings(settings)),
            Output::CallEnded(record) => {
                self.started.remove(&record.call);
                self.meters.ended.increment(1);
                self.outlets.intake.put(Item::Call(record));
            }
            Output::Reply { id, reply } => {
                if let Some(sender) = self.replies.remove(&id) {
                    // The request's client may have gone; then nobody waits.
                    let _ = sender.send(reply);
                }
            }
            Output::Security(event) => {
                let (kind, count) = (event.kind.as_str(), event.count);
                metrics::counter!("strowger_security_events_total", "kind" => kind)
                    .increment(count);
                let tenant = event.tenant.as_ref().map(base::TenantId::as_str);
                tracing::warn!(kind, source = %event.source, tenant, count, "security event");
            }
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.copy(flow, Direction::Out, &bytes);
        let sent = if flow.transport == Transport::Udp {
            let port = self.ports.iter().find(|port| port.is_end_of(&flow));
            port.is_some_and(|port| port.send(&flow, &bytes))
        } else {
            self.write(flow, bytes)
        };
        if sent { self.meters.sent.increment(1) } else { self.meters.unsent.increment(1) }
    }

    /// A connection whose queue is full does not read: it is dropped, and with it its bindings.
    fn write(&mut self, flow: Flow, bytes: Bytes) -> bool {
        let written = self
            .streams
            .get(&flow.connection)
            .is_some_and(|(_, writer)| writer.try_send(bytes).is_ok());
        if !written {
            self.streams.remove(&flow.connection);
            self.ways.closed(&flow);
            self.back.push_back(Input::FlowClosed { flow });
        }
        written
    }

    fn command(&self, worker: WorkerId, command: media::Command) {
        let Some(queue) = self.outlets.media.get(usize::from(worker.0)) else { return };
        // A worker empties its queue at every turn, so a wait here is microseconds; it never
        // waits for us (its events stay with it when our queue is full). Of one that has ended the
        // switch is told in this turn.
        let _ = queue.put_blocking(command);
    }

    /// A media worker that has ended, and of which the switch does not know yet.
    pub(super) fn media_gone(&mut self) -> Option<WorkerId> {
        let ended = self.outlets.media.iter().enumerate().filter(|(_, queue)| queue.is_closed());
        let mut ended = ended.map(|(number, _)| WorkerId(number as u16));
        let worker = ended.find(|worker| !self.gone.contains(worker))?;
        tracing::error!(worker = worker.0, "a media worker has ended: its calls end");
        self.gone.push(worker);
        Some(worker)
    }

    /// Wakes the media workers that have got commands: once for all of a turn.
    pub(super) fn ring(&self) {
        self.outlets.media.iter().for_each(wake::Sender::ring);
    }

    fn record(&mut self, command: switch::RecordCommand) {
        if let Some(row) = recording::row_of(&command) {
            self.outlets.intake.put(Item::Recording(Box::new(row)));
        }
        self.outlets.recorder.send(command);
    }

    fn measure(&mut self, now: Instant, event: &switch::Event) {
        if let EventKind::TrunkStateChanged { trunk, state, .. } = &event.kind {
            let up = metrics::gauge!("strowger_trunk_up", "trunk" => trunk.to_string());
            up.set(if *state == switch::TrunkState::Up { 1.0 } else { 0.0 });
        }
        let Some(call) = event.call else { return };
        match &event.kind {
            EventKind::CaptureStopped { capture, why } => {
                self.outlets.captures.ended(CaptureId(*capture), *why);
            }
            EventKind::CallStarted { .. } => {
                self.meters.calls.increment(1);
                self.started.insert(call, now);
            }
            EventKind::CallAnswered {} => {
                if let Some(started) = self.started.get(&call) {
                    self.meters.setup.record((now - *started).as_secs_f64());
                }
            }
            EventKind::CallConnected { .. } => {
                if let Some(started) = self.started.get(&call) {
                    self.meters.wait.record((now - *started).as_secs_f64());
                }
            }
            _ => {}
        }
    }
}
