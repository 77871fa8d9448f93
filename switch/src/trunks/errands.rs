//! What trunks are due, and what comes of it: their paths, their responses, what is told of them.

use base::{Instant, TrunkId};
use routing::Directory;
use sip::{ClientTx, Flow, Message, StatusCode, UriBuf};

use super::{Errand, Sent, Trunk};
use crate::event::EventKind;
use crate::node::Node;
use crate::paths::{Outcome, PathEvent, PathFault};

impl Node {
    /// New provisioning: trunks come, change and go.
    pub(crate) fn provision_trunks(&mut self, now: Instant, directory: &Directory) {
        for gone in self.trunk_states.provision(now, directory) {
            self.abandon(now, gone);
        }
    }

    /// Time passed: probes and registrations that are due begin.
    pub(crate) fn run_trunks(&mut self, now: Instant) {
        while let Some(id) = self.trunk_states.pop_due(now) {
            for target in self.wake_targets(now, &id) {
                self.probe(now, &id, target);
            }
            self.wake_binding(now, &id);
            self.trunk_changed(now, &id);
        }
    }

    fn wake_targets(&mut self, now: Instant, id: &TrunkId) -> Vec<UriBuf> {
        let states = &mut self.trunk_states;
        let Some(Trunk { targets, every, .. }) = states.all.get_mut(id) else { return Vec::new() };
        let mut probed = Vec::new();
        for target in targets {
            if target.wake(now, every.is_some()) {
                probed.push(target.uri.clone());
            }
        }
        probed
    }

    /// The path of an errand.
    pub(crate) fn on_errand_path(&mut self, now: Instant, errand: Errand, event: PathEvent) {
        match (event, &errand) {
            (PathEvent::Ready { path, flow, .. }, Errand::Probe { target, .. }) => {
                let tx = self.send_probe(now, target, flow);
                self.errand_sent(now, tx, Sent { errand, path, flow });
            }
            (PathEvent::Ready { path, hop, flow, .. }, Errand::Register { trunk }) => {
                match self.send_register(now, trunk, hop, flow) {
                    Some(tx) => self.errand_sent(now, tx, Sent { errand, path, flow }),
                    None => self.paths.close(path),
                }
            }
            (PathEvent::Silent { path }, _) => {
                self.trunk_states.sent.retain(|_, sent| sent.path != path);
                self.paths.next(now, path, PathFault::Silent);
            }
            (PathEvent::Exhausted { .. }, Errand::Probe { trunk, target }) => {
                self.probe_over(now, trunk, target);
            }
            (PathEvent::Exhausted { why, .. }, Errand::Register { trunk }) => {
                self.register_failed(now, trunk, why.to_string());
            }
        }
    }

    fn errand_sent(&mut self, now: Instant, tx: ClientTx, sent: Sent) {
        self.paths.sent(now, sent.path, tx);
        self.trunk_states.sent.insert(tx, sent);
    }

    /// A response to a request of a trunk's own. False if it is to something else.
    pub(crate) fn on_errand_response(
        &mut self,
        now: Instant,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let states = &mut self.trunk_states;
        if !response.status().is_some_and(StatusCode::is_final) {
            return states.sent.contains_key(&tx);
        }
        let Some(Sent { errand, path, flow }) = states.sent.remove(&tx) else { return false };
        match &errand {
            Errand::Probe { trunk, target } => {
                self.on_probed(now, path, (trunk, target), response);
            }
            Errand::Register { trunk } => {
                if let Some(again) = self.on_registered(now, trunk, (path, flow), response) {
                    self.trunk_states.sent.insert(again, Sent { errand, path, flow });
                }
            }
        }
        true
    }

    /// No response to it, and none will come. False if it was something else.
    pub(crate) fn on_errand_unanswered(&mut self, now: Instant, tx: ClientTx) -> bool {
        let Some(sent) = self.trunk_states.sent.remove(&tx) else { return false };
        self.paths.next(now, sent.path, PathFault::Unreachable);
        true
    }

    /// What came of one of a trunk's targets.
    pub(crate) fn on_trunk_outcome(
        &mut self,
        now: Instant,
        trunk: &TrunkId,
        uri: &UriBuf,
        outcome: Outcome,
    ) {
        self.trunk_states.hear(now, trunk, uri, outcome);
        self.trunk_changed(now, trunk);
    }

    /// A connection closed: whoever was registered over it registers anew.
    pub(crate) fn on_trunk_flow_closed(&mut self, now: Instant, flow: &Flow) {
        let over = |trunk: &Trunk| {
            let own = trunk.binding.as_ref().and_then(|binding| binding.over.as_ref());
            own.is_some_and(|(_, own)| own == flow)
        };
        let states = self.trunk_states.all.iter();
        let lost: Vec<TrunkId> =
            states.filter(|(_, trunk)| over(trunk)).map(|(id, _)| id.clone()).collect();
        for id in lost {
            let trunk = self.trunk_states.all.get_mut(&id);
            if let Some(binding) = trunk.and_then(|trunk| trunk.binding.as_mut()) {
                binding.is_lost();
                binding.machine.flow_failed(now);
            }
            self.trunk_changed(now, &id);
        }
    }

    /// Plans the trunk's next deadline, and tells its tenants if it is another than it was.
    pub(super) fn trunk_changed(&mut self, now: Instant, id: &TrunkId) {
        self.trunk_states.reschedule(id);
        let Some(trunk) = self.trunk_states.all.get_mut(id) else { return };
        let settled = |binding: &super::OwnBinding| {
            (binding.is_registered() || binding.has_failed()).then_some(binding.is_registered())
        };
        let is = (trunk.state(), trunk.binding.as_ref().and_then(settled));
        let was = std::mem::replace(&mut trunk.told, is);
        if was == is {
            return;
        }
        if was.0 != is.0 {
            trunk.since = Some(now);
        }
        let why = trunk.binding.as_ref().and_then(|binding| binding.machine.failure());
        let changed = EventKind::TrunkStateChanged {
            trunk: id.clone(),
            state: is.0,
            registered: is.1,
            why: why.map(ToString::to_string),
        };
        let Some(directory) = self.directory.clone() else { return };
        let Some(provisioned) = directory.trunk(id) else { return };
        for tenant in directory.tenants() {
            if directory.trunk_serves(provisioned, &tenant.id) {
                self.emit(now, &tenant.id, None, changed.clone());
            }
        }
    }
}
