//! Requests of the recording server: it hangs up, pauses and resumes the copies by an offer of its
//! own, or asks for the whole of the metadata (RFC 7866 §7.2, §8.2).

use base::Instant;
use media::sdp::{CopiesOffer, answer_copies};
use sip::{Body, Message, Method, Response, ServerTx, StatusCode};

use super::super::Call;
use super::super::in_dialog::{described, described_in, no_dialog, not_allowed};
use super::super::negotiation::{Media, media_of};
use super::{Shown, metadata};
use crate::node::{Node, with_capabilities};

impl Call {
    pub(super) fn on_server_request(
        &mut self,
        node: &mut Node,
        now: Instant,
        tx: ServerTx,
        request: &Message,
    ) {
        let Some(up) = self.server_up() else { return no_dialog(node, now, tx) };
        if let Err(error) = up.dialog.accept(request) {
            return node.reply(now, tx, error.status());
        }
        match request.method() {
            Method::Bye => {
                node.reply(now, tx, StatusCode::OK);
                self.server_hung_up(node, now);
            }
            Method::Invite | Method::Update => self.on_server_offer(node, now, tx, request),
            Method::Options => {
                node.endpoint.respond(now, tx, with_capabilities(Response::new(StatusCode::OK)));
            }
            _ => not_allowed(node, now, tx),
        }
        if asks_for_metadata(request) {
            self.keep_told(Shown::default());
        }
    }

    /// It wants no more of this call.
    fn server_hung_up(&mut self, node: &mut Node, now: Instant) {
        if self.drop_server_dialog(node).is_none() {
            return;
        }
        let server = self.siprec.as_ref().and_then(|siprec| siprec.server.clone());
        server.iter().for_each(|server| self.release_trunk(node, server));
        self.siprec_over(node, now, "the server hung up", true);
    }

    /// An offer of the server's, or its wish for one.
    fn on_server_offer(&mut self, node: &mut Node, now: Instant, tx: ServerTx, request: &Message) {
        let Some(owner) = self.siprec_owner() else { return };
        let is_invite = request.method() == Method::Invite;
        let Some(up) = self.server_up() else { return };
        if up.change.is_some() || up.awaited.is_some() {
            return node.reply(now, tx, StatusCode::REQUEST_PENDING);
        }
        let flow = up.flow;
        let (body, ours) = match media_of(request) {
            Media::Absent if is_invite => {
                let active = self.shown_to_server().active;
                match self.copies_offer(&flow, active) {
                    Some(offer) => (Some(offer.body()), Some(offer)),
                    None => return node.reply(now, tx, StatusCode::SERVER_INTERNAL_ERROR),
                }
            }
            Media::Absent => (None, None),
            // What asks for metadata alone is no offer.
            Media::OtherType if asks_for_metadata(request) && !is_invite => (None, None),
            offered => match self.answer_server(node, &flow, offered) {
                Ok(body) => (Some(body), None),
                Err(refusal) => return node.endpoint.respond(now, tx, *refusal),
            },
        };
        let response = match body {
            Some(body) => described(node, &flow, body),
            None => Response::new(StatusCode::OK),
        };
        if is_invite && let Some(up) = self.server_up() {
            up.awaited = Some((tx, ours));
            node.index.servers.insert(tx, owner);
        }
        node.endpoint.respond(now, tx, response);
    }

    fn answer_server(
        &mut self,
        node: &mut Node,
        flow: &sip::Flow,
        offered: Media,
    ) -> Result<bytes::Bytes, Box<Response>> {
        let offer = described_in(offered)?;
        let refused = || Box::new(Response::new(StatusCode::NOT_ACCEPTABLE_HERE));
        let (locals, caps, prefer) = self.copies_terms(flow).ok_or_else(refused)?;
        let answer = answer_copies(&offer, &locals, &caps, prefer).map_err(|_| refused())?;
        self.settle_copies(node, answer.settled);
        Ok(answer.body)
    }

    /// The ACK of our 2xx; it brings the answer, if the offer was ours.
    pub(super) fn on_server_ack(
        &mut self,
        node: &mut Node,
        now: Instant,
        acknowledged: ServerTx,
        ack: &Message,
    ) {
        node.index.servers.remove(&acknowledged);
        let Some(offer) = self.take_awaited(acknowledged) else { return };
        let Some(offer) = offer else { return };
        let taken = match media_of(ack) {
            Media::Described(answer) => self.take_copies(node, &offer, &answer),
            _ => false,
        };
        if !taken {
            self.end_siprec(node, now, "the server takes none of the streams any more");
        }
    }

    pub(super) fn on_server_ack_missing(&mut self, node: &mut Node, now: Instant, tx: ServerTx) {
        node.index.servers.remove(&tx);
        if self.take_awaited(tx).is_some() {
            self.replace_server(node, now, "the server is gone");
        }
    }

    fn take_awaited(&mut self, of: ServerTx) -> Option<Option<CopiesOffer>> {
        let up = self.server_up()?;
        if up.awaited.as_ref().is_none_or(|(tx, _)| *tx != of) {
            return None;
        }
        up.awaited.take().map(|(_, offer)| offer)
    }
}

/// Whether the server wants to hear all of it again.
fn asks_for_metadata(request: &Message) -> bool {
    Body::of(request)
        .is_ok_and(|body| body.parts().iter().any(|part| part.is(metadata::REQUEST_TYPE)))
}
