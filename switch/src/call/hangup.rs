//! Hanging up: a peer's BYE, and ending a call from our side, whatever it is doing (RFC 3261 §15).

use base::{Instant, LegId};
use routing::Input;
use sip::header::Reason;
use sip::{Message, Method, Name, ServerTx, StatusCode};

use super::early::forget_early;
use super::ending::Ending;
use super::far_end::{FarEnd, reason, reason_of};
use super::leg::{Ack, Established, Role, Signalling};
use super::refusal::Refusal;
use super::{Call, Stage, stream};
use crate::event::CaptureEnd;
use crate::node::{Alarm, Node};
use crate::record::{AttemptOutcome, Decided};
use crate::{Cause, EndedBy};

impl Call {
    /// A peer hung up.
    pub(super) fn on_bye(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        bye: &Message,
    ) {
        node.reply(now, tx, StatusCode::OK);
        let by = self.side_of(leg);
        self.forget_dialog(node, leg);
        if self.transferor_left(node, now, leg) || self.is_taken_along(node, now, leg) {
            return;
        }
        if self.leaves(node, now, leg, Cause::Normal) {
            return;
        }
        let is_talking = matches!(&self.stage, Stage::Connected { talk }
            if self.is_caller(leg) || talk.leg == leg);
        match (&self.stage, by) {
            // Both sides hung up at once, or an agent's leg that was being closed anyway.
            (Stage::Ending(_), _) => {}
            _ if is_talking => {
                self.note_far(bye);
                self.end(node, now, Cause::Normal, by);
            }
            (_, EndedBy::Caller) => {
                self.note_far(bye);
                self.end(node, now, Cause::CallerAbandoned, by);
            }
            _ => {}
        }
    }

    /// Keeps what a peer says of why it hangs up, or gives up.
    pub(super) fn note_far(&mut self, request: &Message) {
        self.narrative.far = Some(FarEnd::of(request));
        self.narrative.reason = reason_of(request);
    }

    /// Who it is that hangs up on a leg.
    fn side_of(&self, leg: LegId) -> EndedBy {
        match self.far.iter().find(|far| far.id == leg).map(|far| &far.role) {
            None => EndedBy::Caller,
            Some(Role::Agent(_)) => EndedBy::Agent,
            Some(Role::Trunk(_) | Role::Caller(_)) => EndedBy::Callee,
        }
    }

    /// Ends the call: the router hears of it, every leg is hung up, the record is begun.
    pub(super) fn end(&mut self, node: &mut Node, now: Instant, cause: Cause, by: EndedBy) {
        if matches!(self.stage, Stage::Ending(_)) {
            return;
        }
        if matches!(self.caller.signalling, Signalling::Invited { .. }) {
            let response = Refusal::new(cause, "").response();
            self.refuse_invite(node, now, response);
        }
        self.finish(node, now, cause, by);
    }

    /// The same, when the caller's INVITE has had its final response.
    pub(super) fn finish(&mut self, node: &mut Node, now: Instant, cause: Cause, by: EndedBy) {
        let ending = Ending { at: now, cause, by };
        self.stop_capture(node, now, CaptureEnd::CallEnded);
        self.abandon_transfer(node, now, cause);
        self.end_guests(node, now, cause);
        self.stop_dialling(node);
        self.forget_all_adrift(node, now);
        self.stop_collecting(node);
        self.forget_waiting(node);
        let (tenant, work) = (self.tenant.clone(), self.work());
        match std::mem::replace(&mut self.stage, Stage::Ending(ending)) {
            Stage::Queued { .. } => {
                node.router.handle_input(now, Input::Withdraw { tenant, work });
            }
            Stage::Ringing { ring, .. } => {
                node.router.handle_input(now, Input::Withdraw { tenant, work });
                let outcome = AttemptOutcome::Withdrawn;
                let withdrawn = Decided::Attempt { agent: ring.agent, outcome };
                self.narrative.decide(node, now, withdrawn);
            }
            Stage::Connected { talk } => {
                self.stop_recording(node, now, &talk);
                if talk.of_queue {
                    node.router.handle_input(now, Input::WorkFinished { tenant, work });
                }
            }
            Stage::Opening(_)
            | Stage::AwaitingMedia { .. }
            | Stage::BetweenSteps
            | Stage::Prompt { .. }
            | Stage::Collecting(_)
            | Stage::Listening(_)
            | Stage::Dialling
            | Stage::Ending(_) => {}
        }
        self.close_relays(node);
        self.narrative.decide(node, now, Decided::End { cause, ended_by: by });
        let legs: Vec<LegId> =
            std::iter::once(self.caller.id).chain(self.far.iter().map(|leg| leg.id)).collect();
        for leg in legs {
            self.hang_up(node, now, leg, cause);
        }
        self.disengage(node, now);
        self.release(node);
        let until = now + node.config.limits.settle;
        node.alarms.insert((until, Alarm::Settle(self.id)));
    }

    /// Ends one leg: CANCEL or BYE as its dialog needs, and its stream is closed.
    pub(super) fn hang_up(&mut self, node: &mut Node, now: Instant, leg: LegId, cause: Cause) {
        if self.is_caller(leg) {
            self.send_held(node, now);
        }
        self.forget_talking(node, leg);
        let Some(known) = self.leg_mut(leg) else { return };
        stream::close(node, known);
        match std::mem::replace(&mut known.signalling, Signalling::Gone) {
            Signalling::Ringing(forks) => {
                let why = self.reason(cause);
                self.cancel_forks(node, now, leg, forks, &why);
            }
            Signalling::Up(mut up) => match &mut up.ack {
                Ack::Awaited { then_bye, first: true, .. } => {
                    *then_bye = true;
                    known.signalling = Signalling::Up(up);
                }
                Ack::Awaited { tx, .. } => {
                    node.index.servers.remove(tx);
                    self.send_bye(node, now, leg, up, cause);
                }
                Ack::Confirmed => self.send_bye(node, now, leg, up, cause),
            },
            other @ (Signalling::Refused
            | Signalling::Leaving { .. }
            | Signalling::Invited { .. }) => known.signalling = other,
            Signalling::Preparing { .. } | Signalling::Gone => {}
        }
    }

    /// The Reason of a BYE or CANCEL of ours: the other side's own, as far as it gave one.
    fn reason(&self, cause: Cause) -> String {
        let far = self.narrative.far.unwrap_or_default();
        let ours = reason(cause, far.q850());
        match far.sip {
            Some(status) => format!("{}, {ours}", Reason::sip(status, None)),
            None => ours,
        }
    }

    /// Our BYE.
    pub(super) fn send_bye(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        up: Established,
        cause: Cause,
    ) {
        let owner = self.leg_ref(leg);
        self.drop_timer(node, leg);
        let Established { mut dialog, flow, .. } = up;
        let bye = dialog.request(Method::Bye).header(Name::REASON, self.reason(cause));
        let bye = node.endpoint.request(now, flow, bye);
        node.index.clients.insert(bye, owner);
        if let Some(known) = self.leg_mut(leg) {
            known.signalling = Signalling::Leaving { bye, dialog, flow };
        }
    }

    /// The leg's dialog is over: nothing more is said in it.
    pub(super) fn forget_dialog(&mut self, node: &mut Node, leg: LegId) {
        let owner = self.leg_ref(leg);
        self.drop_timer(node, leg);
        if self.is_caller(leg) {
            self.end_reliable(node);
        }
        let Some(known) = self.leg_mut(leg) else { return };
        match std::mem::replace(&mut known.signalling, Signalling::Gone) {
            Signalling::Up(Established { dialog, flow, ack }) => {
                node.index.end_dialog(&self.tenant, dialog.id());
                node.index.unbind_connection(&flow, owner);
                if let Ack::Awaited { tx, .. } = ack {
                    node.index.servers.remove(&tx);
                }
            }
            Signalling::Leaving { bye, dialog, flow } => {
                node.index.end_dialog(&self.tenant, dialog.id());
                node.index.unbind_connection(&flow, owner);
                node.index.clients.remove(&bye);
            }
            Signalling::Invited { tx, .. } => {
                node.index.servers.remove(&tx);
            }
            Signalling::Ringing(forks) => {
                forks.invites.iter().for_each(|fork| forget_early(node, fork));
            }
            _ => {}
        }
    }
}
