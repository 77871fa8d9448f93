//! Setting a call up: from the trunk's INVITE to our 200 (RFC 3261 §13.3). 100 Trying has been
//! sent by the transaction layer.

use std::sync::Arc;

use base::{CallId, FlowId, Instant, TenantId};
use media::sdp::{Answer, Description};
use routing::{Directory, Step};
use sip::{Dialog, Flow, Message, Name, Response, ServerTx, StatusCode};

use super::leg::{Ack, Established, Leg, Signalling};
use super::negotiation::{Media, SDP, media_of};
use super::refusal::Refusal;
use super::{Call, Inviter, Narrative, Party, Stage, stream};
use crate::event::EventKind;
use crate::ladder::Ladder;
use crate::node::{ALLOW, Node};
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// An INVITE that begins a call of a tenant.
pub(crate) struct Invitation {
    pub(crate) tx: ServerTx,
    pub(crate) flow: Flow,
    pub(crate) invite: Message,
    pub(crate) inviter: Inviter,
    pub(crate) tenant: TenantId,
    pub(crate) dialled: String,
    pub(crate) directory: Arc<Directory>,
    pub(crate) destination: Destination,
}

/// Where it goes.
pub(crate) enum Destination {
    /// Along a flow of the tenant's.
    Flow { number: String, flow: FlowId, reasons: Vec<String>, steps: Vec<Step> },
    /// Nowhere.
    Nowhere(Refusal),
}

/// A call whose caller's media port is being opened.
pub(super) struct Opening {
    /// The caller's offer; `None` if we are to make one.
    offer: Option<Description>,
}

impl Call {
    /// A new call: it opens the caller's stream, or refuses the call, which then still gets its
    /// record.
    pub(crate) fn begin(node: &mut Node, now: Instant, invitation: Invitation) -> Self {
        let id = CallId::generate(node.wall(now), &mut node.rng);
        let Invitation { tx, flow, invite, inviter, tenant, dialled, directory, destination } =
            invitation;
        let mut ladder =
            Ladder::new(node.config.limits.ladder_messages, node.config.limits.ladder_bytes);
        node.pending.claim(invite.call_id(), &mut ladder);
        let offer = media_of(&invite);
        let unsupported = unsupported_extensions(&invite);
        let (from, origin_id) = (caller_of(&invite), u64::from(node.rng.next_u32()));
        let sip_call = invite.call_id().to_owned();
        let signalling = Signalling::Invited { tx, flow, invite };
        let mut caller = Leg::new(node.next_leg(), inviter.role(), signalling, origin_id);
        caller.name(node, id, &sip_call);
        let origin = inviter.origin();
        let mut call = Self {
            id,
            tenant,
            directory,
            prompts: Arc::clone(&node.prompts),
            direction: origin.direction(),
            trunk: origin.trunk().cloned(),
            origin,
            number: None,
            from,
            to: dialled,
            steps: Vec::new(),
            caller,
            far: Vec::new(),
            stage: Stage::Opening(Opening { offer: None }),
            admitted: false,
            on_trunks: Vec::new(),
            narrative: Narrative::new(now, ladder),
        };
        node.index.servers.insert(tx, call.leg_ref(call.caller.id));
        let started = EventKind::CallStarted {
            direction: call.direction,
            trunk: call.trunk.clone(),
            agent: call.origin.agent().cloned(),
            from: call.from.number.clone(),
            to: call.to.clone(),
        };
        call.tell(node, now, started);
        let opened = call
            .take_destination(node, now, destination)
            .and_then(|()| unsupported.map_or(Ok(()), |all| Err(Refusal::bad_extension(all))))
            .and_then(|()| call.open(node, now, offer));
        if let Err(refusal) = opened {
            call.refuse(node, now, refusal);
        }
        call.settle_if_done(node);
        call
    }

    fn take_destination(
        &mut self,
        node: &mut Node,
        now: Instant,
        destination: Destination,
    ) -> Result<(), Refusal> {
        let (number, flow, reasons, steps) = match destination {
            Destination::Flow { number, flow, reasons, steps } => (number, flow, reasons, steps),
            Destination::Nowhere(refusal) => return Err(refusal),
        };
        (self.number, self.steps) = (Some(number), steps);
        let routed = Decided::Route { flow: flow.clone(), reasons: reasons.clone() };
        self.narrative.decide(node, now, routed);
        self.tell(node, now, EventKind::CallRouted { flow, reasons });
        Ok(())
    }

    /// Checks what can be checked and opens the caller's stream.
    fn open(&mut self, node: &mut Node, now: Instant, offer: Media) -> Result<(), Refusal> {
        let offer = match offer {
            Media::Described(offer) => Some(offer),
            Media::Absent => None,
            Media::OtherType => return Err(Refusal::media_type()),
            Media::Unreadable => return Err(Refusal::unreadable_media()),
        };
        self.admit(node, now)?;
        if !stream::open(node, now, self.id, None, &mut self.caller) {
            return Err(Refusal::no_port());
        }
        // Answering shows now whether there is a codec in common; the answer that is sent is made
        // when the port is open, which may be another one.
        if let Some(offer) = &offer {
            self.caller.answer_to(offer).map_err(|_| Refusal::incompatible_media())?;
        }
        if let Some(Step::Hangup { cause }) = self.steps.first() {
            return Err(Refusal::by_flow(*cause));
        }
        self.stage = Stage::Opening(Opening { offer });
        Ok(())
    }

    /// The caller's port is open: 200 OK.
    pub(super) fn answer(&mut self, node: &mut Node, now: Instant) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        let offer = opening.offer.take();
        let answered = match &offer {
            Some(offer) => self.answer_offer(node, now, offer),
            None => self.answer_with_offer(node, now),
        };
        if let Err(cause) = answered {
            self.end(node, now, cause, EndedBy::Engine);
            return;
        }
        self.narrative.answered = Some(now);
        self.tell(node, now, EventKind::CallAnswered {});
        if offer.is_some() {
            self.stage = Stage::BetweenSteps;
            self.go_to_step(node, now, 0, Cause::Normal);
        } else {
            self.stage = Stage::AwaitingMedia;
        }
    }

    fn answer_offer(
        &mut self,
        node: &mut Node,
        now: Instant,
        offer: &Description,
    ) -> Result<(), Cause> {
        let Answer { body, remote } = self.caller.answer_to(offer)?;
        self.accept_invite(node, now, body, None)?;
        self.caller.set_remote(node, remote);
        Ok(())
    }

    /// The INVITE had no SDP: the offer is ours (RFC 3261 §13.2.1), the ACK brings the answer.
    fn answer_with_offer(&mut self, node: &mut Node, now: Instant) -> Result<(), Cause> {
        let body = self.caller.offer(None).ok_or(Cause::MediaFailed)?;
        self.accept_invite(node, now, body.clone(), Some(body))
    }

    /// Sends the 200 and makes the dialog.
    fn accept_invite(
        &mut self,
        node: &mut Node,
        now: Instant,
        body: bytes::Bytes,
        offer: Option<bytes::Bytes>,
    ) -> Result<(), Cause> {
        let Signalling::Invited { tx, flow, invite } = &self.caller.signalling else {
            return Err(Cause::InternalError);
        };
        let (tx, flow) = (*tx, *flow);
        let tag = node.rng.hex::<8>();
        let contact = node.contact(&flow).ok_or(Cause::InternalError)?;
        let response = Response::new(StatusCode::OK)
            .to_tag(&tag)
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::ALLOW, ALLOW)
            .body(SDP, body);
        let dialog = Dialog::uas(invite, &tag, contact).map_err(|_| Cause::BadRequest)?;
        node.endpoint.respond(now, tx, response);
        node.index.dialogs.insert(dialog.id(), self.leg_ref(self.caller.id));
        let ack = Ack::Awaited { tx, offer, then_bye: false, first: true };
        let dialog = Box::new(dialog);
        self.caller.signalling = Signalling::Up(Established { dialog, flow, ack });
        if self.caller.role.trunk().is_some() {
            node.index.bind_connection(&flow, self.leg_ref(self.caller.id));
        }
        self.follow_target(node, now, self.caller.id);
        Ok(())
    }
}

/// The extensions an INVITE insists on (RFC 3261 §8.2.2.3): we have none.
fn unsupported_extensions(invite: &Message) -> Option<String> {
    let wanted: Vec<&str> = invite.list(Name::REQUIRE).collect();
    if wanted.is_empty() { None } else { Some(wanted.join(", ")) }
}

/// Who calls, by From. A `tel:` number or a SIP user; the host where there is neither.
fn caller_of(invite: &Message) -> Party {
    let Ok(from) = invite.from() else {
        return Party { number: "anonymous".to_owned(), display: String::new() };
    };
    let uri = from.uri();
    let number = uri.user_unescaped().map_or_else(
        || uri.host().to_owned(),
        |user| {
            // What follows `;` in a user part are `tel:` parameters.
            user.split(';').next().unwrap_or_default().to_owned()
        },
    );
    let display = from.display_name().map(std::borrow::Cow::into_owned).unwrap_or_default();
    Party { number, display }
}
