//! The town's clock: whatever is due next happens, in a fixed order.

use base::{Duration, Instant};
use media::WorkerId;
use phone::{DeskEvent, DeskOutput};
use sip::{Flow, Transport};
use switch::{EventKind, Input, Output, RecordCommand, RecordingOutcome, RecordingReport};

use super::wire::Arrival;
use super::{DeskId, Role, Town};

/// A recording is in the store so long after the call.
const UPLOAD: Duration = Duration::from_millis(800);
/// More steps in one instant than this: something goes round in circles.
const CIRCLES: u32 = 20_000;

impl Town {
    /// Lets time pass.
    pub(super) fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        let mut steps = 0;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            steps = if at > self.now { 0 } else { steps + 1 };
            if steps > CIRCLES {
                self.complain("time stands still");
                return;
            }
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Instant> {
        let desks = self.places.iter().filter_map(|place| place.desk.poll_timeout());
        let connects = self.places.iter().filter_map(|place| place.reconnect);
        let uploads = self.uploads.iter().map(|(at, _)| *at);
        let switch = self.switch.poll_timeout().map(|(at, _)| at);
        let machines = [self.wire.next(), switch, self.studio.next()].into_iter().flatten();
        machines.chain(desks).chain(connects).chain(uploads).min()
    }

    fn step(&mut self) {
        while let Some(arrival) = self.wire.arrived(self.now) {
            self.arrive(arrival);
        }
        if self.switch.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.switch.handle_timeout(self.now);
            self.drain_switch();
        }
        let places = &self.places;
        self.studio.look(self.now, |rtp| places.iter().any(|place| place.desk.speaks_at(rtp)));
        while let Some((worker, event)) = self.studio.poll(self.now) {
            self.tell_switch(Input::Media { worker, event });
        }
        for at in 0..self.places.len() {
            let (id, now) = (DeskId(at), self.now);
            let place = &mut self.places[at];
            if place.desk.poll_timeout().is_some_and(|due| due <= now) {
                place.desk.handle_timeout(now);
                self.drain_desk(id);
            }
            if self.places[at].reconnect.is_some_and(|due| due <= now) {
                self.connect(id);
            }
        }
        while let Some(place) = self.uploads.iter().position(|(at, _)| *at <= self.now) {
            let (_, report) = self.uploads.remove(place);
            self.tell_switch(Input::Recording(report));
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::ToSwitch(flow, bytes) => {
                self.story.message(self.now, &format!("{flow}"), true, &bytes);
                self.count('<', &bytes);
                self.tell_switch(match sip::stun::read_answer(&bytes) {
                    Some(answer) => Input::KeepAlive { flow, answer: Some(answer) },
                    None => Input::Received { flow, bytes },
                });
            }
            Arrival::ToDesk(id, flow, bytes) => {
                let now = self.now;
                if let Some(place) = self.places.get_mut(id.0) {
                    place.desk.handle_sip(now, flow, bytes);
                }
                self.drain_desk(id);
            }
            Arrival::ClosedAtSwitch(flow) => self.tell_switch(Input::FlowClosed { flow }),
            Arrival::ClosedAtDesk(id, flow) => self.on_closed(id, flow),
        }
    }

    /// A desk hears that a connection of its is gone; it makes a new one soon.
    fn on_closed(&mut self, id: DeskId, flow: Flow) {
        let now = self.now;
        let pause = super::up_to(&mut self.rng, Duration::from_secs(5));
        let Some(place) = self.places.get_mut(id.0) else { return };
        place.desk.handle_flow_closed(now, flow);
        let is_its_own = place.desk.flow().connection == flow.connection;
        let phones = place.role != Role::Carrier;
        if is_its_own && phones && place.reconnect.is_none() {
            place.reconnect = Some(now + pause);
        }
        self.drain_desk(id);
    }

    /// A desk that speaks over a stream connects, and registers.
    pub(super) fn connect(&mut self, id: DeskId) {
        let Some(place) = self.places.get_mut(id.0) else { return };
        place.reconnect = None;
        let transport = place.desk.config().transport;
        if transport != Transport::Udp {
            let flow = self.wire.connect(self.now, id, transport);
            self.at(id, |desk, _| desk.set_flow(flow));
        }
        if self.places.get(id.0).is_some_and(|place| matches!(place.role, Role::Agent(_))) {
            self.at(id, |desk, now| desk.register(now).ok());
        }
    }

    pub(super) fn drain_desk(&mut self, id: DeskId) {
        while let Some(place) = self.places.get_mut(id.0)
            && let Some(output) = place.desk.poll_output()
        {
            match output {
                DeskOutput::Send { flow, bytes } => {
                    self.wire.take_from_desk(self.now, id, flow, &bytes);
                }
                DeskOutput::Event(event) => self.on_desk_event(id, event),
            }
        }
    }

    fn on_desk_event(&mut self, id: DeskId, event: DeskEvent) {
        let name = self.name(id).to_owned();
        match &event {
            DeskEvent::Odd(what) => self.complain(format!("{name} was sent {what}")),
            DeskEvent::Notified(_) | DeskEvent::Message(_) => {}
            _ => self.story.tell(self.now, format!("    {name}: {event:?}")),
        }
        self.seen.push((self.now, id, event));
    }

    pub(super) fn drain_switch(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            for output in self.sabotage(output) {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit { flow, bytes } => {
                self.story.message(self.now, &format!("{flow}"), false, &bytes);
                self.count('>', &bytes);
                self.check_leak(flow, &bytes);
                self.wire.take_from_switch(self.now, flow, &bytes);
            }
            Output::Media { worker, command } => self.order(worker, &command),
            Output::Record(command) => self.record(command),
            Output::Event(event) => {
                let call = event.call.map(|call| call.to_string()).unwrap_or_default();
                if !matches!(event.kind, EventKind::QueueStats { .. }) {
                    let (tenant, kind) = (&event.tenant, event.kind.type_name());
                    self.story.tell(self.now, format!("    {tenant}: {kind} {call}"));
                }
                self.events.push(event);
            }
            Output::CallEnded(record) => self.records.push(*record),
            Output::Reply { id, reply } => {
                if !self.unanswered.remove(&id) {
                    self.replies.insert(id, reply);
                }
            }
            Output::Security(event) => self.security.push(event),
            // Nothing in this town has a name.
            Output::Dns { question } => {
                let records = Err(sip::resolve::NoAnswer::NotFound);
                let ttl = Duration::from_secs(60);
                let answer = sip::resolve::Answer { question, records, ttl };
                self.switch.handle_input(self.now, Input::Dns(answer));
            }
            Output::Connect { id, hop, .. } => {
                let result = match hop.transport {
                    Transport::Udp => Ok(Flow::udp(super::SWITCH.into(), hop.remote)),
                    stream => self
                        .wire
                        .connect_out(self.now, hop.remote, stream)
                        .ok_or_else(|| "connection refused".to_owned()),
                };
                self.switch.handle_input(self.now, Input::Connected { id, result });
            }
            // Nobody in this town signs its number.
            Output::Fetch { .. } => {}
            // It never stands still, so nothing has to be kept.
            Output::Settings(_) => {}
        }
    }

    fn order(&mut self, worker: WorkerId, command: &media::Command) {
        if !matches!(command, media::Command::Play { .. }) {
            self.story.tell(self.now, format!("        worker {}: {command:?}", worker.0));
        }
        self.studio.obey(self.now, worker, command);
        for complaint in std::mem::take(&mut self.studio.complaints) {
            self.complain(complaint.0);
        }
    }

    /// Stands in for the recorder: a recording that was stopped is soon in the store.
    fn record(&mut self, command: RecordCommand) {
        match command {
            RecordCommand::Start { recording, .. } => {
                if self.recordings.insert(recording, command).is_some() {
                    self.complain(format!("{recording} begins twice"));
                }
            }
            RecordCommand::Pause { .. } | RecordCommand::Resume { .. } => {}
            RecordCommand::Stop { recording, .. } => {
                let Some(RecordCommand::Start { tenant, call, now, .. }) =
                    self.recordings.remove(&recording)
                else {
                    return self.complain(format!("{recording} ends and never began"));
                };
                let length = self.now.since(now).as_millis();
                let outcome = RecordingOutcome::Completed {
                    duration_ms: u64::try_from(length).unwrap_or(u64::MAX),
                    bytes: 0,
                    location: format!("town/{recording}"),
                    gaps_ms: 0,
                };
                let report = RecordingReport { tenant, call, recording, outcome };
                self.uploads.push((self.now + UPLOAD, report));
            }
        }
    }
}
