//! Attended transfers between two calls of the switch: finds the second one, and sees to it that it
//! is the same agent's.

use base::Instant;
use sip::StatusCode;

use crate::call::Join;
use crate::switch::Switch;

impl Switch {
    /// An agent's phone joins the far sides of two of the agent's calls.
    pub(crate) fn join(&mut self, now: Instant, join: &Join) {
        let status = match self.try_join(now, join) {
            Ok(()) => return,
            Err(status) => status,
        };
        self.node.reply(now, join.tx, status);
    }

    fn try_join(&mut self, now: Instant, join: &Join) -> Result<(), StatusCode> {
        let gone = StatusCode::CALL_DOES_NOT_EXIST;
        let dialog = join.replaces.dialog();
        let other = self.node.index.dialogs.get(&dialog).copied().ok_or(gone)?;
        let (first, second) = (join.by.call, other.call);
        if first == second {
            return Err(StatusCode::DECLINE);
        }
        let call = self.calls.get(first).ok_or(gone)?;
        let (agent, worker) = call.talker(join.by.leg).ok_or(StatusCode::DECLINE)?;
        // Whether another tenant has such a dialog is not told.
        let consulted = self.calls.of_tenant(&call.tenant, second).ok_or(gone)?;
        let (same, other_worker) = consulted.talker(other.leg).ok_or(gone)?;
        if agent != same {
            return Err(gone);
        }
        if worker != other_worker {
            // Two workers share no stream: the phone keeps both calls.
            return Err(StatusCode::NOT_ACCEPTABLE_HERE);
        }
        self.node.reply(now, join.tx, StatusCode::ACCEPTED);
        let node = &mut self.node;
        let parted = self.calls.get_mut(second).and_then(|call| call.part(node, now, other.leg));
        if let (Some(parted), Some(call)) = (parted, self.calls.get_mut(first)) {
            call.take_in(node, now, join, parted);
        }
        Ok(())
    }
}
