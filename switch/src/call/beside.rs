//! Somebody called beside a conversation: who answers waits for what the transfer does with them.

use base::{Instant, LegId};

use super::Call;
use super::dial::Failure;
use crate::Cause;
use crate::node::Node;

impl Call {
    /// They have answered.
    pub(super) fn beside_answered(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        self.stop_dialling(node);
        self.hang_up(node, now, leg, Cause::Normal);
    }

    /// They do not take it. The conversation goes on.
    pub(super) fn beside_failed(&mut self, node: &mut Node, _now: Instant, _why: &Failure) {
        self.stop_dialling(node);
    }
}
