//! Attended transfers between two calls of the switch: finds the second one, and sees to it that it
//! is the same agent's.

use base::{CallId, Instant, LegId};
use sip::header::ReferTo;
use sip::{ServerTx, StatusCode};

use crate::call::{Join, Named, Refer};
use crate::switch::Switch;

impl Switch {
    /// Two calls become one.
    pub(crate) fn join(&mut self, now: Instant, join: Join) {
        match join {
            Join::Pickup { by, of } => self.take_over(now, by, of),
            Join::Over(call) => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.end_passed(&mut self.node, now);
                }
            }
            Join::Refer(refer) => {
                let Err(status) = self.try_join(now, &refer) else { return };
                match (refer.tx, self.calls.get_mut(refer.by.call)) {
                    (Some(tx), _) => self.node.reply(now, tx, status),
                    (None, Some(call)) => call.join_refused(&mut self.node, now, &refer, status),
                    (None, None) => {}
                }
            }
        }
    }

    /// An agent's phone joins the far sides of two of the agent's calls.
    fn try_join(&mut self, now: Instant, refer: &Refer) -> Result<(), StatusCode> {
        let gone = StatusCode::CALL_DOES_NOT_EXIST;
        let (first, replaces) = (refer.by.call, &refer.replaces);
        let call = self.calls.get(first).ok_or(gone)?;
        let agent = call.talker(refer.by.leg).ok_or(StatusCode::DECLINE)?;
        let second = self.node.index.sip_calls.get(&*replaces.call_id).copied().ok_or(gone)?;
        if first == second {
            return Err(StatusCode::DECLINE);
        }
        // Whether another tenant has such a dialog is not told.
        let consulted = self.calls.of_tenant(&call.tenant, second).ok_or(gone)?;
        let other = match consulted.named(replaces).ok_or(gone)? {
            Named::Leg(leg) => leg,
            Named::Unanswered(leg) => leg,
            Named::Over => return Err(StatusCode::DECLINE),
        };
        if consulted.agent_of(other) != Some(agent) {
            return Err(gone);
        }
        if consulted.talker(other).is_none() {
            return self.join_early(now, refer, (second, other));
        }
        if let Some(tx) = refer.tx {
            let there = consulted.far_side_of(other);
            let there = there.filter(|(trunk, _)| call.shares_trunk(refer.by.leg, trunk));
            let refer_to = there.map(|(_, refer_to)| refer_to);
            if let Some(refer_to) = refer_to {
                let refer = Refer { other: Some(second), ..refer.clone() };
                if self.pass_join(now, tx, &refer, &refer_to) {
                    return Ok(());
                }
            }
            self.node.reply(now, tx, StatusCode::ACCEPTED);
        }
        let node = &mut self.node;
        let parted = self.calls.get_mut(second).and_then(|call| call.part(node, now, other));
        if let (Some(parted), Some(call)) = (parted, self.calls.get_mut(first)) {
            call.take_in(node, now, refer, parted);
        }
        self.touch(now, [first, second]);
        Ok(())
    }

    /// Has the carrier of both far sides join them, if it does that.
    fn pass_join(&mut self, now: Instant, tx: ServerTx, refer: &Refer, to: &ReferTo) -> bool {
        let Some(call) = self.calls.get_mut(refer.by.call) else { return false };
        if !call.pass_join(&mut self.node, now, refer, to) {
            return false;
        }
        self.node.reply(now, tx, StatusCode::ACCEPTED);
        if refer.notify {
            call.notify(&mut self.node, now, refer.by.leg, StatusCode::TRYING);
        }
        true
    }

    /// Nobody has answered the agent's second call, or a queue has: whoever is at the other end of
    /// the first one takes the agent's place in it.
    fn join_early(
        &mut self,
        now: Instant,
        refer: &Refer,
        (second, leg): (CallId, LegId),
    ) -> Result<(), StatusCode> {
        let node = &mut self.node;
        let first = self.calls.get(refer.by.call).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        if !first.may_be_sent_on() {
            return Err(StatusCode::REQUEST_PENDING);
        }
        let consulted = self.calls.get_mut(second).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        let target = consulted.give_onward(node, now, leg);
        let target = target.ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?;
        if let Some(tx) = refer.tx {
            node.reply(now, tx, StatusCode::ACCEPTED);
        }
        if let Some(call) = self.calls.get_mut(refer.by.call) {
            call.take_onward(node, now, refer, target);
        }
        self.touch(now, [refer.by.call, second]);
        Ok(())
    }

    /// What colleagues see of calls may have changed, and what recording servers are to know.
    pub(crate) fn touch(&mut self, now: Instant, calls: impl IntoIterator<Item = CallId>) {
        for call in calls {
            if let Some(call) = self.calls.get_mut(call) {
                call.review_siprec(&mut self.node, now);
                self.node.subscriptions.touch(&call.tenant, call.id);
            }
        }
    }
}
