//! Requests in a dialog that is still early (RFC 3261 §12.1, RFC 3311): of a caller who has had a
//! provisional response of ours, and of whoever rings for us. Carriers send UPDATE there, to move
//! media or to say who is being reached.

use base::{Instant, LegId};
use bytes::Bytes;
use media::sdp::Answer;
use sip::{DialogId, Flow, Message, Method, Name, Response, ServerTx, StatusCode};

use super::Call;
use super::in_dialog::{described, described_in, no_dialog, not_allowed, not_answered};
use super::leg::{Fork, Leg, Signalling};
use super::negotiation::{Media, media_of};
use crate::node::{ALLOW, Node, with_capabilities};
use crate::{Cause, EndedBy};

/// Seconds after which a request that came too early may come again.
const LATER_S: u32 = 5;

impl Call {
    /// A request of a caller whose INVITE waits for its final response.
    pub(super) fn on_callers_early(
        &mut self,
        node: &mut Node,
        now: Instant,
        tx: ServerTx,
        request: &Message,
    ) {
        let Signalling::Invited { invite, pending, .. } = &mut self.caller.signalling else {
            return no_dialog(node, now, tx);
        };
        let seen = pending.cseq.max(invite.cseq().unwrap_or(0));
        match request.cseq() {
            Ok(number) if number >= seen => pending.cseq = number,
            _ => return node.reply(now, tx, StatusCode::SERVER_INTERNAL_ERROR),
        }
        match request.method() {
            // A caller may hang up before the answer (§15): as with a CANCEL.
            Method::Bye => {
                node.reply(now, tx, StatusCode::OK);
                self.note_far(request);
                self.end(node, now, Cause::CallerAbandoned, EndedBy::Caller);
            }
            Method::Update => {
                let response = self.update_callers_early(node, request);
                node.endpoint.respond(now, tx, response);
            }
            Method::Info => self.on_info(node, now, self.caller.id, tx, request),
            Method::Options => {
                node.endpoint.respond(now, tx, with_capabilities(Response::new(StatusCode::OK)));
            }
            // §14.2: the first one has no final response yet.
            Method::Invite => node.endpoint.respond(now, tx, too_early()),
            _ => not_allowed(node, now, tx),
        }
    }

    /// The answer to a caller's UPDATE: a new offer can be taken when the first one has been
    /// answered (RFC 3311 §5.2).
    fn update_callers_early(&mut self, node: &mut Node, update: &Message) -> Response {
        let Signalling::Invited { flow, pending, .. } = &self.caller.signalling else {
            return Response::new(StatusCode::CALL_DOES_NOT_EXIST);
        };
        let (flow, is_answered) = (*flow, pending.early.is_some());
        let offered = match media_of(update) {
            Media::Absent => return updated(node, flow, None),
            _ if !is_answered => return too_early(),
            offered => offered,
        };
        let taken = described_in(offered)
            .and_then(|offer| self.caller.answer_over(flow, &offer).map_err(not_answered));
        let Answer { body, settled } = match taken {
            Ok(answer) => answer,
            Err(refusal) => return *refusal,
        };
        self.caller.settle(node, settled);
        if let Signalling::Invited { pending, .. } = &mut self.caller.signalling {
            // The 200 repeats what holds.
            pending.early = Some(body.clone());
        }
        updated(node, flow, Some(body))
    }

    /// A request of somebody who rings for us, in one of the dialogs that our INVITEs have made.
    pub(super) fn on_far_early(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let Some(id) = DialogId::of_request(request) else { return no_dialog(node, now, tx) };
        let Some(Leg { signalling: Signalling::Ringing(forks), .. }) = self.leg_mut(leg) else {
            return no_dialog(node, now, tx);
        };
        let dialog = forks.invites.iter_mut().find_map(|fork| {
            let flow = fork.flow;
            fork.early.dialogs.get_mut(&id).map(|dialog| (dialog, flow))
        });
        let Some((dialog, flow)) = dialog else { return no_dialog(node, now, tx) };
        if let Err(error) = dialog.accept(request) {
            return node.reply(now, tx, error.status());
        }
        match request.method() {
            Method::Update => {
                let response = self.update_far_early(node, leg, flow, request);
                node.endpoint.respond(now, tx, response);
            }
            Method::Info => self.on_info(node, now, leg, tx, request),
            Method::Options => {
                node.endpoint.respond(now, tx, with_capabilities(Response::new(StatusCode::OK)));
            }
            // Whoever is called must not hang up before the answer (§15).
            Method::Bye => no_dialog(node, now, tx),
            _ => not_allowed(node, now, tx),
        }
    }

    fn update_far_early(
        &mut self,
        node: &mut Node,
        leg: LegId,
        flow: Flow,
        update: &Message,
    ) -> Response {
        let Some(known) = self.leg_mut(leg) else {
            return Response::new(StatusCode::CALL_DOES_NOT_EXIST);
        };
        let offered = match media_of(update) {
            Media::Absent => return updated(node, flow, None),
            // Our own offer waits for its answer.
            _ if known.remote.is_none() => return Response::new(StatusCode::REQUEST_PENDING),
            offered => offered,
        };
        let taken = described_in(offered)
            .and_then(|offer| known.answer_over(flow, &offer).map_err(not_answered));
        match taken {
            Ok(Answer { body, settled }) => {
                known.settle(node, settled);
                updated(node, flow, Some(body))
            }
            Err(refusal) => *refusal,
        }
    }
}

/// An INVITE of ours is over, or has made its dialog: the early ones are no more.
pub(super) fn forget_early(node: &mut Node, fork: &Fork) {
    for dialog in fork.early.dialogs.ids() {
        node.index.dialogs.remove(&dialog);
    }
}

/// The 200 to an UPDATE, with our answer if there was an offer.
fn updated(node: &Node, flow: Flow, body: Option<Bytes>) -> Response {
    if let Some(body) = body {
        return described(node, &flow, body);
    }
    let response = Response::new(StatusCode::OK).header(Name::ALLOW, ALLOW);
    match node.contact(&flow) {
        Some(contact) => response.header(Name::CONTACT, format_args!("<{contact}>")),
        None => response,
    }
}

fn too_early() -> Response {
    Response::new(StatusCode::SERVER_INTERNAL_ERROR).header(Name::RETRY_AFTER, LATER_S)
}
