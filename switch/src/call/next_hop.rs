//! Where our requests within a dialog with a trunk go: to the first Route or the peer's Contact
//! (RFC 3261 §12.2.1.1), which may be a name. An agent's phone is always reached over the flow it
//! came over (RFC 5626 §5.3).

use base::{Instant, LegId};
use sip::{Method, Name};

use super::far_end::{FarEnd, reason};
use super::leg::{Established, Leg, Role, Signalling};
use super::{Call, Stage};
use crate::Cause;
use crate::node::Node;
use crate::paths::{Ask, PathEvent, PathFor};

impl Call {
    /// A trunk's dialog has a target, or another one than before. Until a name is resolved,
    /// requests go over the flow that its messages came over.
    pub(super) fn follow_target(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(up), role, .. }) = self.leg_mut(leg) else {
            return;
        };
        if matches!(role, Role::Agent(_)) {
            return;
        }
        let trunk = role.trunk().cloned();
        up.flow = node.toward(&up.dialog, up.flow);
        if let Some(uri) = node.unresolved(&up.dialog, &up.flow) {
            let ask = Ask { identity: trunk, ..Ask::new(PathFor::Dialog(owner), vec![uri]) };
            node.paths.ask(now, ask);
        }
    }

    /// The connection to a trunk closed, and with it the way of its dialog: another one is made to
    /// where the dialog goes.
    pub(super) fn find_another_way(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(up), role, .. }) = self.leg_mut(leg) else {
            return;
        };
        let uris = vec![up.dialog.next_hop()];
        let ask = Ask { identity: role.trunk().cloned(), ..Ask::new(PathFor::Dialog(owner), uris) };
        node.paths.ask(now, ask);
    }

    /// A BYE to a trunk was lost with its connection: it is sent again over another one, if there is
    /// one before the call is forgotten. `false`: it was not lost so.
    pub(super) fn save_bye(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Leaving { bye, dialog, flow }, role, .. }) =
            self.leg_mut(leg)
        else {
            return false;
        };
        let Some(trunk) = role.trunk().cloned().filter(|_| flow.connection != 0) else {
            return false;
        };
        node.index.clients.remove(bye);
        let uris = vec![dialog.next_hop()];
        let ask = Ask { identity: Some(trunk), ..Ask::new(PathFor::Dialog(owner), uris) };
        node.paths.ask(now, ask);
        true
    }

    /// The name is resolved, or there is another connection. If it leads nowhere, what there was
    /// has to do.
    pub(super) fn on_next_hop(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        event: PathEvent,
    ) {
        let owner = self.leg_ref(leg);
        let PathEvent::Ready { flow, .. } = event else {
            return self.give_bye_up(node, leg);
        };
        let cause = match &self.stage {
            Stage::Ending(ending) => ending.cause,
            _ => Cause::Normal,
        };
        let q850 = self.narrative.far.and_then(FarEnd::q850);
        let Some(known) = self.leg_mut(leg) else { return };
        match &mut known.signalling {
            Signalling::Up(Established { flow: old, .. }) => {
                node.index.unbind_connection(old, owner);
                node.index.bind_connection(&flow, owner);
                *old = flow;
            }
            Signalling::Leaving { bye, dialog, flow: old }
                if !node.index.clients.contains_key(bye) =>
            {
                let again = dialog.request(Method::Bye).header(Name::REASON, reason(cause, q850));
                *bye = node.endpoint.request(now, flow, again);
                node.index.clients.insert(*bye, owner);
                node.index.unbind_connection(old, owner);
                node.index.bind_connection(&flow, owner);
                *old = flow;
            }
            _ => {}
        }
    }

    /// No other connection is to be had: a BYE that was lost with its own stays lost, and nothing
    /// more is to come on its leg.
    fn give_bye_up(&mut self, node: &mut Node, leg: LegId) {
        let Some(known) = self.leg_mut(leg) else { return };
        let is_lost = matches!(&known.signalling, Signalling::Leaving { bye, .. }
            if !node.index.clients.contains_key(bye));
        if is_lost {
            self.forget_dialog(node, leg);
        }
    }
}
