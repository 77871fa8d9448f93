//! Registering a trunk with its registrar, keeping the flow to it open, and leaving.

use base::{Instant, TrunkId};
use bytes::Bytes;
use sip::registration::Next;
use sip::resolve::Hop;
use sip::{ClientTx, Flow, Message};

use super::probe::PATIENCE;
use super::{Errand, OwnBinding};
use crate::node::Node;
use crate::paths::{Ask, PathFault, PathFor, PathId};
use crate::port::Output;

/// What keeps an address translator's door open; a server passes over it in datagrams.
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

impl Node {
    /// A registration or its keep-alive may be due.
    pub(super) fn wake_binding(&mut self, now: Instant, id: &TrunkId) {
        let states = &mut self.trunk_states;
        let Some(binding) = states.all.get_mut(id).and_then(|trunk| trunk.binding.as_mut()) else {
            return;
        };
        if binding.keep_alive.is_some_and(|due| due <= now) {
            if let Some((_, flow)) = binding.over {
                let bytes = Bytes::from_static(KEEP_ALIVE);
                self.outbox.push_back(Output::Transmit { flow, bytes });
            }
            binding.plan_keep_alive(now, &mut states.rng);
        }
        binding.machine.handle_timeout(now);
        if !binding.machine.take_wanted() || binding.path.is_some() {
            return;
        }
        let errand = Errand::Register { trunk: id.clone() };
        let mut ask = Ask::new(PathFor::Trunk(errand), vec![binding.registrar.clone()]);
        (ask.identity, ask.patience, ask.urgent) = (Some(id.clone()), PATIENCE, true);
        binding.path = Some(self.paths.ask(now, ask));
    }

    /// There is a way to the registrar.
    pub(super) fn send_register(
        &mut self,
        now: Instant,
        id: &TrunkId,
        hop: Hop,
        flow: Flow,
    ) -> Option<ClientTx> {
        let user = self.trunk_states.contact_user(id)?.to_owned();
        let contact = self.contact_as(&user, &flow)?;
        let binding = self.binding_mut(id)?;
        // What is given back must be what was taken.
        let contact = match binding.machine.contact() {
            Some(known) if binding.machine.is_leaving() => known.clone(),
            _ => contact,
        };
        binding.trying = Some((hop, flow));
        let request = binding.machine.begin(&contact);
        Some(self.endpoint.request(now, flow, request))
    }

    /// The registrar's final response; gives the next request that is on its way.
    pub(super) fn on_registered(
        &mut self,
        now: Instant,
        id: &TrunkId,
        (path, flow): (PathId, Flow),
        response: &Message,
    ) -> Option<ClientTx> {
        let Some(binding) = self.binding_mut(id) else {
            self.paths.close(path);
            return None;
        };
        match binding.machine.on_response(now, response) {
            Next::Wait => None,
            Next::Again(request) => {
                let tx = self.endpoint.request(now, flow, *request);
                self.paths.sent(now, path, tx);
                Some(tx)
            }
            Next::NextHop => {
                self.paths.next(now, path, PathFault::Refused);
                None
            }
            Next::Over => {
                self.paths.close(path);
                self.attempt_over(now, id);
                None
            }
        }
    }

    /// No hop of the registrar did.
    pub(super) fn register_failed(&mut self, now: Instant, id: &TrunkId, why: String) {
        if let Some(binding) = self.binding_mut(id) {
            binding.machine.failed(now, why);
        }
        self.attempt_over(now, id);
    }

    fn attempt_over(&mut self, now: Instant, id: &TrunkId) {
        let states = &mut self.trunk_states;
        if let Some(binding) = states.all.get_mut(id).and_then(|trunk| trunk.binding.as_mut()) {
            binding.settle(now, &mut states.rng);
        }
        self.trunk_changed(now, id);
    }

    /// Gives every binding back; [`super::Trunks::have_left`] says when that is done.
    pub(crate) fn leave_registrars(&mut self, now: Instant) {
        let all: Vec<TrunkId> = self.trunk_states.all.keys().cloned().collect();
        for id in all {
            if let Some(binding) = self.binding_mut(&id) {
                binding.machine.leave(now);
            }
            self.wake_binding(now, &id);
            self.trunk_changed(now, &id);
        }
    }

    /// A trunk is provisioned no more: its registrar is told, and whatever it answers is passed
    /// over.
    pub(super) fn abandon(&mut self, now: Instant, mut gone: OwnBinding) {
        if let Some(path) = gone.path {
            self.paths.close(path);
        }
        gone.machine.leave(now);
        if let (Some((_, flow)), Some(contact)) = (gone.over, gone.machine.contact().cloned()) {
            let request = gone.machine.begin(&contact);
            self.endpoint.request(now, flow, request);
        }
    }

    fn binding_mut(&mut self, id: &TrunkId) -> Option<&mut OwnBinding> {
        self.trunk_states.all.get_mut(id)?.binding.as_mut()
    }
}
