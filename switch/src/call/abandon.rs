//! The caller gives up before we have answered: CANCEL (RFC 3261 §9.2), which the transaction
//! layer has answered already. Giving up later is a BYE, see `hangup`.

use base::{Instant, LegId};
use sip::{Message, ServerTx};

use super::Call;
use super::leg::Signalling;
use crate::node::Node;
use crate::{Cause, EndedBy};

impl Call {
    pub(super) fn on_cancelled(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        cancelled: ServerTx,
        cancel: Option<&Message>,
    ) {
        let is_open = self.is_caller(leg)
            && matches!(self.caller.signalling, Signalling::Invited { tx, .. } if tx == cancelled);
        if is_open {
            if let Some(cancel) = cancel {
                self.note_far(cancel);
            }
            // 487 Request Terminated.
            self.end(node, now, Cause::CallerAbandoned, EndedBy::Caller);
        }
    }
}
