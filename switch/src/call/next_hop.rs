//! Where our requests within a dialog with a trunk go: to the first Route or the peer's Contact
//! (RFC 3261 §12.2.1.1), which may be a name. An agent's phone is always reached over the flow it
//! came over (RFC 5626 §5.3).

use base::{Instant, LegId};

use super::Call;
use super::leg::{Established, Leg, Role, Signalling};
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

    /// The name is resolved. If it leads nowhere, what there was has to do.
    pub(super) fn on_next_hop(&mut self, node: &mut Node, leg: LegId, event: PathEvent) {
        let owner = self.leg_ref(leg);
        let PathEvent::Ready { flow, .. } = event else { return };
        if let Some(Leg { signalling: Signalling::Up(Established { flow: old, .. }), .. }) =
            self.leg_mut(leg)
        {
            node.index.unbind_connection(old, owner);
            node.index.bind_connection(&flow, owner);
            *old = flow;
        }
    }
}
