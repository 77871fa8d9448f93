//! Our side of the caller's INVITE: that it rings, what is heard before the answer (RFC 3960), and
//! the 200 (RFC 3261 §13.3.1). 100 Trying has been sent by the transaction layer.

use base::Instant;
use bytes::Bytes;
use media::sdp::Answer;
use sip::{Dialog, Flow, Name, Response, StatusCode};

use super::leg::{Ack, Established, Leg, Signalling};
use super::negotiation::SDP;
use super::refresh::{SUPPORTED, granted};
use super::{Call, Stage};
use crate::event::EventKind;
use crate::node::{ALLOW, Node};
use crate::{Cause, EndedBy};

impl Call {
    /// Whether the caller's INVITE still waits for its final response.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.caller.signalling, Signalling::Invited { .. })
    }

    /// The caller's port is open, and a flow takes the call: 200 OK.
    pub(super) fn answer(&mut self, node: &mut Node, now: Instant) {
        match self.answer_caller(node, now) {
            Ok(true) => {
                self.stage = Stage::BetweenSteps;
                self.go_to_step(node, now, 0, Cause::Normal);
            }
            Ok(false) => self.stage = Stage::AwaitingMedia { pickup: None },
            Err(cause) => self.end(node, now, cause, EndedBy::Engine),
        }
    }

    /// Sends the 200. Says whether the caller's media is known; else the ACK brings it.
    pub(super) fn answer_caller(&mut self, node: &mut Node, now: Instant) -> Result<bool, Cause> {
        let Signalling::Invited { pending, .. } = &mut self.caller.signalling else {
            return Err(Cause::InternalError);
        };
        let (offer, early) = (pending.offer.take(), pending.early.take());
        self.prefer_far_codec();
        let is_known = match (early, offer) {
            (Some(body), _) => {
                self.accept_invite(node, now, body, None)?;
                true
            }
            (None, Some(offer)) => {
                let Answer { body, settled } = self.caller.answer_to(&offer)?;
                self.accept_invite(node, now, body, None)?;
                self.caller.settle(node, settled);
                true
            }
            // The INVITE had no SDP: the offer is ours (RFC 3261 §13.2.1).
            (None, None) => {
                let body = self.caller.offer(None).ok_or(Cause::MediaFailed)?;
                self.accept_invite(node, now, body.clone(), Some(body))?;
                false
            }
        };
        self.note_answered(node, now);
        Ok(is_known)
    }

    /// The call has been answered; one whose caller's INVITE was lost on the way, too.
    pub(super) fn note_answered(&mut self, node: &mut Node, now: Instant) {
        if self.narrative.answered.is_none() {
            self.narrative.answered = Some(now);
            self.tell(node, now, EventKind::CallAnswered {});
        }
    }

    /// Has the caller answered with the codec of whom it will hear, if it can do it: what both ends
    /// speak alike is relayed and need not be converted.
    fn prefer_far_codec(&mut self) {
        let far = self.far.iter().find_map(|leg| leg.remote);
        self.caller.prefers = far.map(|remote| remote.codec).or(self.caller.prefers);
    }

    /// Tells the caller that it rings.
    pub(super) fn relay_ringing(&mut self, node: &mut Node, now: Instant) {
        let Signalling::Invited { flow, pending, .. } = &self.caller.signalling else { return };
        if pending.early.is_none() {
            let response = provisional(node, *flow, StatusCode::RINGING, &pending.tag);
            self.provision(node, now, response);
        }
    }

    /// Has the caller's phone listen before the answer. Says whether it does from here on.
    pub(super) fn open_early(&mut self, node: &mut Node, now: Instant) -> bool {
        let Signalling::Invited { flow, pending, .. } = &mut self.caller.signalling else {
            return self.caller.remote.is_some();
        };
        if pending.early.is_some() {
            return true;
        }
        // Without an offer of theirs there is nothing to answer yet.
        let Some(offer) = pending.offer.clone() else { return false };
        let (flow, tag) = (*flow, pending.tag.clone());
        self.prefer_far_codec();
        let Ok(Answer { body, settled }) = self.caller.answer_to(&offer) else { return false };
        let response = provisional(node, flow, StatusCode::SESSION_PROGRESS, &tag);
        self.provision(node, now, response.body(SDP, body.clone()));
        self.caller.settle(node, settled);
        if let Signalling::Invited { pending, .. } = &mut self.caller.signalling {
            pending.early = Some(body);
        }
        true
    }

    /// Sends the 200 and makes the dialog.
    fn accept_invite(
        &mut self,
        node: &mut Node,
        now: Instant,
        body: Bytes,
        offer: Option<Bytes>,
    ) -> Result<(), Cause> {
        let Leg { signalling: Signalling::Invited { tx, flow, invite, pending }, timer, .. } =
            &mut self.caller
        else {
            return Err(Cause::InternalError);
        };
        let (tx, flow) = (*tx, *flow);
        let contact = node.contact(&flow).ok_or(Cause::InternalError)?;
        let response = Response::new(StatusCode::OK)
            .to_tag(&pending.tag)
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::ALLOW, ALLOW)
            .header(Name::SUPPORTED, SUPPORTED)
            .body(SDP, body);
        let response = granted(timer, now, invite, response);
        let dialog = Dialog::uas(invite, &pending.tag, contact).map_err(|_| Cause::BadRequest)?;
        node.index.dialogs.insert(dialog.id(), self.leg_ref(self.caller.id));
        let ack = Ack::Awaited { tx, offer, then_bye: false, first: true };
        let dialog = Box::new(dialog);
        self.caller.signalling = Signalling::Up(Established { dialog, flow, ack });
        self.succeed(node, now, tx, response);
        let owner = self.leg_ref(self.caller.id);
        node.index.bind_connection(&flow, owner);
        self.follow_target(node, now, owner.leg);
        self.arm_timer(node, owner.leg);
        Ok(())
    }
}

/// A response that says how far it has come.
fn provisional(node: &Node, flow: Flow, status: StatusCode, tag: &str) -> Response {
    let response = Response::new(status).to_tag(tag).header(Name::ALLOW, ALLOW);
    match node.contact(&flow) {
        Some(contact) => response.header(Name::CONTACT, format_args!("<{contact}>")),
        None => response,
    }
}
