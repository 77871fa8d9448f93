//! What the router, the registrar and the recorder say, carried to the calls and into the log.

use std::sync::Arc;

use base::{AgentId, CallId, Instant, TenantId};
use routing::{Directory, Input as RouterInput, Output as RouterOutput, WorkId};
use sip::{Flow, RegistrarEvent};

use crate::call::Signal;
use crate::config::Prompts;
use crate::event::EventKind;
use crate::port::{RecordingOutcome, RecordingReport};
use crate::register::{agent_of_aor, aor};
use crate::subscriptions::Waiting;
use crate::switch::Switch;

impl Switch {
    pub(crate) fn on_router(&mut self, now: Instant, output: RouterOutput) {
        match output {
            RouterOutput::Attempt { work, queue, agent, decision, .. } => {
                self.signal(now, call_of(work), Signal::Attempt { queue, agent, decision });
            }
            RouterOutput::CancelAttempt { work, agent, why, .. } => {
                self.signal(now, call_of(work), Signal::CancelAttempt { agent, why });
            }
            RouterOutput::Waiting { work, queue, position, decision, .. } => {
                self.signal(now, call_of(work), Signal::Waiting { queue, position, decision });
            }
            RouterOutput::Expired { work, queue, .. } => {
                self.signal(now, call_of(work), Signal::Expired { queue });
            }
            RouterOutput::Refused { work, queue, why, .. } => {
                self.signal(now, call_of(work), Signal::Refused { queue, why });
            }
            RouterOutput::AgentChanged { tenant, agent, state, reason, .. } => {
                let changed = EventKind::AgentStateChanged { agent, state, reason };
                self.node.emit(now, &tenant, None, changed);
            }
            RouterOutput::QueueAlarm { tenant, queue, alarm, is_raised: true, limit } => {
                let kind = EventKind::AlarmRaised { queue, alarm, limit };
                self.node.emit(now, &tenant, None, kind);
            }
            RouterOutput::QueueAlarm { tenant, queue, alarm, .. } => {
                self.node.emit(now, &tenant, None, EventKind::AlarmCleared { queue, alarm });
            }
            RouterOutput::QueueStats { tenant, queue, stats } => {
                let stats = Box::new(stats);
                self.node.emit(now, &tenant, None, EventKind::QueueStats { queue, stats });
            }
        }
    }

    /// An agent's first phone has come, or its last one is gone.
    pub(crate) fn on_binding(&mut self, now: Instant, event: RegistrarEvent) {
        let (aor, reachable) = match event {
            RegistrarEvent::Reachable { aor } => (aor, true),
            RegistrarEvent::Unreachable { aor } => (aor, false),
        };
        let Some((tenant, agent)) = agent_of_aor(&aor) else { return };
        let kind = if reachable {
            EventKind::AgentRegistered { agent: agent.clone() }
        } else {
            EventKind::AgentUnregistered { agent: agent.clone() }
        };
        self.node.emit(now, &tenant, None, kind);
        self.tell_reachable(now, tenant, agent, reachable);
    }

    fn tell_reachable(&mut self, now: Instant, tenant: TenantId, agent: AgentId, reachable: bool) {
        let input = RouterInput::Reachable { tenant, agent, reachable };
        self.node.router.handle_input(now, input);
    }

    /// New provisioning: for calls and registrations from now on.
    pub(crate) fn provision(
        &mut self,
        now: Instant,
        directory: Arc<Directory>,
        prompts: Arc<Prompts>,
        last_sequence: &[(TenantId, u64)],
    ) {
        for (tenant, sequence) in last_sequence {
            self.node.tenants.begin_after(tenant, *sequence);
        }
        let mut changed = Vec::new();
        if let Some(old) = self.node.directory.replace(Arc::clone(&directory)) {
            self.forget_agents(&old, &directory);
            self.review_subscriptions(now, &directory);
            changed = self.node.calling.review(&old, &directory);
        }
        self.node.prompts = prompts;
        self.node.provision_trunks(now, &directory);
        self.node.router.handle_input(now, RouterInput::Provision(Arc::clone(&directory)));
        for (tenant, agent) in changed {
            if directory.agent(&tenant, &agent).is_none() {
                self.set_waiting(now, &tenant, &agent, Waiting::default());
            }
            self.keep_settings(&tenant, &agent);
        }
    }

    /// Agents who are provisioned no more have no phones either.
    fn forget_agents(&mut self, old: &Directory, new: &Directory) {
        for tenant in old.tenants() {
            for agent in &tenant.agents {
                if new.agent(&tenant.id, &agent.id).is_none() {
                    self.node.registrar.forget(&aor(&tenant.id, &agent.id));
                }
            }
        }
    }

    /// What became of a recording. That it is whole is told after its call's end, as it happened.
    pub(crate) fn on_recording(&mut self, now: Instant, report: RecordingReport) {
        let is_whole = matches!(report.outcome, RecordingOutcome::Completed { .. });
        if is_whole && let Some(call) = self.calls.get_mut(report.call) {
            call.narrative.reports.push(report);
            return;
        }
        let RecordingReport { tenant, call, recording, outcome } = report;
        let kind = match outcome {
            RecordingOutcome::Completed { duration_ms, bytes, location, gaps_ms } => {
                EventKind::RecordingCompleted { recording, duration_ms, bytes, location, gaps_ms }
            }
            RecordingOutcome::Failed { why } => EventKind::RecordingFailed { recording, why },
        };
        self.node.emit(now, &tenant, Some(call), kind);
    }

    /// A connection closed, or a datagram could not be sent.
    pub(crate) fn on_flow_closed(&mut self, now: Instant, flow: Flow) {
        self.node.endpoint.handle_input(now, sip::Input::FlowFailed { flow });
        self.settle(now);
        if flow.connection == 0 {
            return;
        }
        self.node.gate.forget(flow);
        self.forget_watchers(flow.connection);
        for aor in self.node.registrar.flow_closed(flow) {
            self.review_pages(now, &aor, None);
        }
        self.node.on_trunk_flow_closed(now, &flow);
        for leg in self.node.index.connection_closed(&flow) {
            self.signal(now, leg.call, Signal::ConnectionClosed(leg.leg, flow.connection));
        }
    }
}

fn call_of(work: WorkId) -> CallId {
    CallId::from_u128(work.0)
}
