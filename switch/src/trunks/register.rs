//! Registering a trunk with its registrar, keeping the flow to it open, and leaving.

use base::{Instant, TrunkId};
use sip::registration::Next;
use sip::resolve::Hop;
use sip::stun::Answer;
use sip::{ClientTx, Flow, KeepAliveOutput, Lost, Message};

use super::probe::PATIENCE;
use super::{Errand, OwnBinding};
use crate::node::Node;
use crate::paths::{Ask, PathFault, PathFor, PathId};
use crate::port::Output;

impl Node {
    /// A registration or its keep-alive may be due.
    pub(super) fn wake_binding(&mut self, now: Instant, id: &TrunkId) {
        if let Some(alive) = self.binding_mut(id).and_then(|binding| binding.keep_alive.as_mut()) {
            alive.handle_timeout(now);
            self.keep_way(now, id);
        }
        let Some(binding) = self.binding_mut(id) else { return };
        binding.machine.handle_timeout(now);
        if !binding.machine.take_wanted() || binding.path.is_some() {
            return;
        }
        let errand = Errand::Register { trunk: id.clone() };
        let mut ask = Ask::new(PathFor::Trunk(errand), vec![binding.registrar.clone()]);
        (ask.identity, ask.patience, ask.urgent) = (Some(id.clone()), PATIENCE, true);
        let path = self.paths.ask(now, ask);
        if let Some(binding) = self.binding_mut(id) {
            binding.path = Some(path);
        }
    }

    /// Something came that is no message. Answers to keep-alives of ours count only from where
    /// these went.
    pub(crate) fn on_keep_alive(&mut self, now: Instant, flow: Flow, answer: Option<&Answer>) {
        self.registrar.handle_sign_of_life(now, flow);
        let Some(answer) = answer else { return };
        for id in self.trunk_states.registered_over(&flow) {
            let Some(binding) = self.binding_mut(&id) else { continue };
            if binding.over.as_ref().is_none_or(|(_, own)| own.remote != flow.remote) {
                continue;
            }
            if let Some(alive) = &mut binding.keep_alive {
                alive.handle_answer(now, answer);
                self.keep_way(now, &id);
            }
            self.wake_binding(now, &id);
            self.trunk_changed(now, &id);
        }
    }

    /// Does what the keep-alives of a binding's way say. One that is lost is registered over
    /// anew, by another hop of the registrar if this one is silent.
    fn keep_way(&mut self, now: Instant, id: &TrunkId) {
        loop {
            let Some(binding) = self.binding_mut(id) else { return };
            let Some((hop, flow)) = binding.over.clone() else { return };
            let output = binding.keep_alive.as_mut().and_then(sip::KeepAlive::poll_output);
            match output {
                None => return,
                Some(KeepAliveOutput::Send(bytes)) => {
                    self.outbox.push_back(Output::Transmit { flow, bytes });
                }
                Some(KeepAliveOutput::Lost(why)) => {
                    binding.is_lost();
                    binding.machine.flow_failed(now);
                    if why == Lost::Silent {
                        self.paths.avoid(now, &hop);
                    }
                }
            }
        }
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
                self.attempt_over(now, id, Some(response));
                None
            }
        }
    }

    /// No hop of the registrar did.
    pub(super) fn register_failed(&mut self, now: Instant, id: &TrunkId, why: String) {
        if let Some(binding) = self.binding_mut(id) {
            binding.machine.failed(now, why);
        }
        self.attempt_over(now, id, None);
    }

    fn attempt_over(&mut self, now: Instant, id: &TrunkId, response: Option<&Message>) {
        let states = &mut self.trunk_states;
        if let Some(binding) = states.all.get_mut(id).and_then(|trunk| trunk.binding.as_mut()) {
            binding.settle(now, &mut states.rng, response);
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
