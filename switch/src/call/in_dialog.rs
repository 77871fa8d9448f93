//! Requests within a leg's dialog (RFC 3261 §12.2.2): BYE, re-INVITE and UPDATE (RFC 3311), and
//! those that are merely answered. The other leg is left as it is.

use base::{Instant, LegId};
use media::sdp::{Answer, Description};
use sip::{Message, Method, Name, Response, ServerTx, StatusCode};

use super::Call;
use super::leg::{Ack, Established, Leg, Signalling};
use super::negotiation::{Media, SDP, media_of};
use super::refresh::{Refreshing, granted};
use super::refusal::INCOMPATIBLE;
use crate::Cause;
use crate::node::{ACCEPT, ACCEPT_ENCODING, ALLOW, Node, with_capabilities};

impl Call {
    pub(super) fn on_request(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let Some(known) = self.leg_mut(leg) else { return no_dialog(node, now, tx) };
        if request.method() == Method::Prack {
            return self.on_prack(node, now, leg, tx, request);
        }
        let accepted = match &mut known.signalling {
            Signalling::Up(up) => up.dialog.accept(request),
            Signalling::Leaving { dialog, .. } => dialog.accept(request),
            Signalling::Invited { .. } => return self.on_callers_early(node, now, tx, request),
            Signalling::Ringing(_) => return self.on_far_early(node, now, leg, tx, request),
            _ => return no_dialog(node, now, tx),
        };
        if let Err(error) = accepted {
            return node.reply(now, tx, error.status());
        }
        let is_leaving = matches!(known.signalling, Signalling::Leaving { .. });
        match request.method() {
            Method::Bye => self.on_bye(node, now, leg, tx, request),
            _ if is_leaving => no_dialog(node, now, tx),
            Method::Invite => self.on_reinvite(node, now, leg, tx, request),
            Method::Update => self.on_update(node, now, leg, tx, request),
            Method::Refer => self.on_refer(node, now, leg, tx, request),
            Method::Notify => self.on_refer_notify(node, now, leg, tx, request),
            Method::Info => self.on_info(node, now, leg, tx, request),
            Method::Options => {
                node.endpoint.respond(now, tx, with_capabilities(Response::new(StatusCode::OK)));
            }
            _ => not_allowed(node, now, tx),
        }
    }

    /// A new offer, or the wish for one (RFC 3261 §14.2). One at a time: a second INVITE while the
    /// first waits for its ACK has to wait.
    fn on_reinvite(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let owner = self.leg_ref(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        if !matches!(&known.signalling, Signalling::Up(Established { ack: Ack::Confirmed, .. })) {
            return node.reply(now, tx, StatusCode::REQUEST_PENDING);
        }
        // Glare (RFC 3261 §14.2): ours is out.
        if known.refreshing.as_ref().is_some_and(Refreshing::is_offer) {
            return node.reply(now, tx, StatusCode::REQUEST_PENDING);
        }
        if let Err(error) = known.timer.on_request(request) {
            return node.endpoint.respond(now, tx, error.response());
        }
        let (body, ours) = match media_of(request) {
            Media::Absent => match known.offer(known.remote.map(|remote| remote.codec)) {
                Some(offer) => (offer.clone(), Some(offer)),
                None => return node.reply(now, tx, StatusCode::SERVER_INTERNAL_ERROR),
            },
            offered => match self.take_offer(node, now, leg, offered) {
                Ok(body) => (body, None),
                Err(refusal) => return node.endpoint.respond(now, tx, *refusal),
            },
        };
        let Some(known) = self.leg_mut(leg) else { return };
        let Signalling::Up(up) = &mut known.signalling else { return };
        up.ack = Ack::Awaited { tx, offer: ours, then_bye: false, first: false };
        let flow = up.flow;
        node.index.servers.insert(tx, owner);
        let ok = granted(&mut known.timer, now, request, described(node, &flow, body));
        node.endpoint.respond(now, tx, ok);
        self.arm_timer(node, leg);
        self.follow_target(node, now, leg);
    }

    /// A new offer without an INVITE, or a mere refresh of the target.
    fn on_update(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let offered = media_of(request);
        let ours_is_open = self.leg_mut(leg).is_some_and(|leg| {
            leg.awaits_answer() || leg.refreshing.as_ref().is_some_and(Refreshing::is_offer)
        });
        let refused = self.leg_mut(leg).and_then(|leg| leg.timer.on_request(request).err());
        if let Some(error) = refused {
            return node.endpoint.respond(now, tx, error.response());
        }
        let response = match offered {
            Media::Absent => Ok(None),
            // RFC 3311 §5.2: an offer while one of ours waits for its answer.
            _ if ours_is_open => Err(Box::new(Response::new(StatusCode::REQUEST_PENDING))),
            offered => self.take_offer(node, now, leg, offered).map(Some),
        };
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg_mut(leg) else { return };
        let flow = up.flow;
        let response = match response {
            Ok(Some(body)) => described(node, &flow, body),
            Ok(None) => Response::new(StatusCode::OK).header(Name::ALLOW, ALLOW),
            Err(refusal) => *refusal,
        };
        let is_taken = response.status().is_success();
        let response = match self.leg_mut(leg).filter(|_| is_taken) {
            Some(known) => granted(&mut known.timer, now, request, response),
            None => response,
        };
        node.endpoint.respond(now, tx, response);
        self.arm_timer(node, leg);
        self.follow_target(node, now, leg);
    }

    /// Answers a new offer; what was agreed before stays if it cannot be taken.
    fn take_offer(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        offered: Media,
    ) -> Result<bytes::Bytes, Box<Response>> {
        let offer = described_in(offered)?;
        let gone = || Box::new(Response::new(StatusCode::CALL_DOES_NOT_EXIST));
        let known = self.leg_mut(leg).ok_or_else(gone)?;
        let held = known.holds();
        let Answer { body, settled } = known.answer_to(&offer).map_err(not_answered)?;
        known.settle(node, settled);
        self.on_described(node, now, leg, held);
        Ok(body)
    }
}

/// The offer in a body, or the refusal of a body that is none.
pub(super) fn described_in(offered: Media) -> Result<Description, Box<Response>> {
    let unsupported = || Response::new(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    Err(Box::new(match offered {
        Media::Described(offer) => return Ok(offer),
        Media::OtherType => unsupported().header(Name::ACCEPT, ACCEPT),
        Media::Encoded => unsupported().header(Name::ACCEPT_ENCODING, ACCEPT_ENCODING),
        Media::Unreadable | Media::Absent => Response::new(StatusCode::NOT_ACCEPTABLE_HERE),
    }))
}

/// The refusal of an offer that we have no answer to.
pub(super) fn not_answered(cause: Cause) -> Box<Response> {
    Box::new(match cause {
        Cause::IncompatibleMedia => {
            Response::new(StatusCode::NOT_ACCEPTABLE_HERE).header(Name::WARNING, INCOMPATIBLE)
        }
        _ => Response::new(StatusCode::SERVER_INTERNAL_ERROR),
    })
}

/// A 200 that carries our description.
pub(super) fn described(node: &Node, flow: &sip::Flow, body: bytes::Bytes) -> Response {
    let mut response = Response::new(StatusCode::OK).header(Name::ALLOW, ALLOW);
    if let Some(contact) = node.contact(flow) {
        response = response.header(Name::CONTACT, format_args!("<{contact}>"));
    }
    response.body(SDP, body)
}

pub(super) fn no_dialog(node: &mut Node, now: Instant, tx: ServerTx) {
    node.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST);
}

pub(super) fn not_allowed(node: &mut Node, now: Instant, tx: ServerTx) {
    let response = Response::new(StatusCode::METHOD_NOT_ALLOWED).header(Name::ALLOW, ALLOW);
    node.endpoint.respond(now, tx, response);
}
