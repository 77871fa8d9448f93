//! Probing: OPTIONS to a target (RFC 3261 §11). Any final response but 503 says that it is there.

use base::{Duration, Instant, TrunkId};
use sip::{ClientTx, Flow, Message, Method, Name, Request, UriBuf};

use super::Errand;
use crate::node::Node;
use crate::paths::{Ask, PathFault, PathFor, PathId};

/// How long a server may take to answer what no caller waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

impl Node {
    /// Looks for the way to a target that is to be probed.
    pub(super) fn probe(&mut self, now: Instant, trunk: &TrunkId, target: UriBuf) {
        let errand = Errand::Probe { trunk: trunk.clone(), target: target.clone() };
        let mut ask = Ask::new(PathFor::Trunk(errand), vec![target.clone()]);
        (ask.identity, ask.patience) = (Some(trunk.clone()), PATIENCE);
        // Whether its pause is over is for the probe to find out.
        ask.urgent = true;
        let path = self.paths.ask(now, ask);
        self.set_probe(trunk, &target, Some(path));
    }

    pub(super) fn send_probe(&mut self, now: Instant, target: &UriBuf, flow: Flow) -> ClientTx {
        let mut options =
            Request::new(Method::Options, target.clone()).header(Name::ACCEPT, "application/sdp");
        if let Some(contact) = self.contact(&flow) {
            options = options.header(Name::CONTACT, format_args!("<{contact}>"));
        }
        self.endpoint.request(now, flow, options)
    }

    pub(super) fn on_probed(
        &mut self,
        now: Instant,
        path: PathId,
        (trunk, target): (&TrunkId, &UriBuf),
        response: &Message,
    ) {
        if response.status().is_some_and(|status| status.as_u16() == 503) {
            return self.paths.next(now, path, PathFault::Refused);
        }
        self.paths.close(path);
        self.probe_over(now, trunk, target);
    }

    /// The probe is over, well or not; the next one is planned.
    pub(super) fn probe_over(&mut self, now: Instant, trunk: &TrunkId, target: &UriBuf) {
        self.set_probe(trunk, target, None);
        let states = &mut self.trunk_states;
        if let Some(known) = states.all.get_mut(trunk) {
            let every = known.every;
            if let Some(target) = known.targets.iter_mut().find(|known| known.uri == *target) {
                target.plan(now, every, &mut states.rng);
            }
        }
        self.trunk_changed(now, trunk);
    }

    fn set_probe(&mut self, trunk: &TrunkId, target: &UriBuf, probe: Option<PathId>) {
        let Some(trunk) = self.trunk_states.all.get_mut(trunk) else { return };
        if let Some(target) = trunk.targets.iter_mut().find(|known| known.uri == *target) {
            target.probe = probe;
        }
    }
}
