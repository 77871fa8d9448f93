//! Whom a leg's dialog was made with, and a peer that has moved to another path.

use base::{Instant, LegId};
use sip::DialogId;

use super::Call;
use super::adrift::is_page;
use super::leg::{Role, Signalling};
use crate::gate::Peer;
use crate::node::Node;

impl Call {
    /// Whom the leg's dialog was made with.
    pub(crate) fn peer(&mut self, leg: LegId, dialog: &DialogId) -> Option<Peer> {
        if let Some(peer) = self.siprec_peer(leg) {
            return Some(peer);
        }
        let tenant = self.tenant.clone();
        let known = self.leg_mut(leg)?;
        let flow = match &mut known.signalling {
            Signalling::Ringing(forks) => {
                let mut invites = forks.invites.iter_mut();
                invites.find_map(|fork| {
                    fork.early.dialogs.get_mut(dialog)?;
                    Some(fork.flow)
                })
            }
            signalling => signalling.flow(),
        };
        let (agent, trunk) = match &known.role {
            Role::Agent(agent) => (Some(agent.clone()), None),
            Role::Caller(trunk) | Role::Trunk(trunk) => (None, Some(trunk.clone())),
        };
        Some(Peer { flow, tenant, agent, trunk })
    }

    /// The peer of a dialog that is up has proven to be at another path now. A page has one
    /// connection: what it was asked over the one before it will not answer.
    pub(crate) fn move_leg(&mut self, node: &mut Node, now: Instant, leg: LegId, flow: sip::Flow) {
        let owner = self.leg_ref(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        if let Signalling::Up(up) = &mut known.signalling {
            let before = std::mem::replace(&mut up.flow, flow);
            node.index.unbind_connection(&before, owner);
            node.index.bind_connection(&flow, owner);
            if is_page(&before) && before.connection != flow.connection {
                self.put_off_refresh(node, now, leg);
            }
        }
    }
}
