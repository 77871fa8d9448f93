//! Setting a call up: from a trunk's or an agent's INVITE to its open port (RFC 3261 §13.3). 100
//! Trying has been sent by the transaction layer.

use std::sync::Arc;

use base::{CallId, Duration, FlowId, Instant, TenantId};
use routing::{Directory, Step};
use sip::header::OptionTags;
use sip::stir::Verdict;
use sip::{Flow, Message, ServerTx, StatusCode};

use super::beginning::{Beginning, hops_of};
use super::caller::{Caller, caller};
use super::leg::{Leg, Pending, Signalling};
use super::model::{Goal, Origin, Then};
use super::negotiation::{Media, media_of};
use super::refusal::Refusal;
use super::sign::identities_of;
use super::takeover::Target;
use super::terms::Terms;
use super::{Call, Inviter, Join, Party, Stage};
use crate::Cause;
use crate::event::EventKind;
use crate::ladder::Ladder;
use crate::node::{Alarm, EXTENSIONS, Node};
use crate::record::{CallDirection, Decided};

/// After so many seconds Timer C ends an INVITE anyway (RFC 3261 §16.6).
const TIMER_C_S: u32 = 180;

/// An INVITE that begins a call of a tenant.
pub(crate) struct Invitation {
    pub(crate) tx: ServerTx,
    pub(crate) flow: Flow,
    pub(crate) invite: Message,
    pub(crate) inviter: Inviter,
    pub(crate) tenant: TenantId,
    pub(crate) dialled: String,
    /// Who calls, when that is known better than From says.
    pub(crate) from: Option<Party>,
    /// What the signature of the caller's number is worth, if it was looked at.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) destination: Destination,
}

/// Where it goes.
pub(crate) enum Destination {
    /// Along a flow of the tenant's.
    Flow { number: String, flow: FlowId, reasons: Vec<String>, steps: Vec<Step> },
    /// Through these steps.
    Steps(Vec<Step>),
    /// To an agent or a number outside.
    Direct(Goal),
    /// To the place of a leg of another call.
    Pickup(Target),
    /// Nowhere.
    Nowhere(Refusal),
}

impl Destination {
    /// Which way a call goes that comes from there.
    fn direction(&self, origin: &Origin) -> CallDirection {
        match self {
            Self::Direct(Goal::Outside(_)) if origin.trunk().is_none() => CallDirection::Outbound,
            _ => origin.direction(),
        }
    }

    /// Whether nothing may stop the call.
    fn is_emergency(&self) -> bool {
        matches!(self, Self::Direct(Goal::Outside(to)) if to.is_emergency())
    }
}

/// A call whose caller's media port is being opened.
pub(super) struct Opening {
    /// Who is called then; `None` if the flow's steps follow.
    pub(super) goal: Option<Goal>,
    /// Whose place its caller takes then, if that is what it is for.
    pub(super) pickup: Option<Target>,
}

impl Call {
    /// A new call: it opens the caller's stream, or refuses the call, which then still gets its
    /// record.
    pub(crate) fn begin(node: &mut Node, now: Instant, invitation: Invitation) -> Self {
        let id = CallId::generate(node.wall(now), &mut node.rng);
        let Invitation { tx, flow, invite, inviter, tenant, .. } = invitation;
        let Invitation { dialled, from, verdict, directory, destination, .. } = invitation;
        let mut ladder =
            Ladder::new(node.config.limits.ladder_messages, node.config.limits.ladder_bytes);
        node.pending.claim(invite.call_id(), &mut ladder);
        let offer = media_of(&invite);
        let unsupported = unsupported_extensions(&invite);
        let origin = inviter.origin();
        let Caller { party, who, sent_on, passed_on } = caller(&directory, &origin, &invite, from);
        let (direction, hops) = (destination.direction(&origin), hops_of(&invite));
        let identities = identities_of(&invite, verdict.as_ref());
        let pending = Box::new(Pending::new(node.rng.hex::<8>()));
        let sip_call = invite.call_id().to_owned();
        let signalling = Signalling::Invited { tx, flow, invite, pending };
        let role = inviter.role();
        let terms = Terms::of(&directory, &tenant, &role);
        let mut caller = Leg::new(node, role, terms, signalling);
        caller.name(node, id, &sip_call);
        let (from, to) = (party, dialled);
        let beginning =
            Beginning { tenant, directory, origin, direction, from, to, caller, ladder };
        let new = Self::new(node, now, id, beginning);
        let mut call = Self { who, sent_on, passed_on, verdict, identities, hops, ..new };
        call.wish_reliably(node);
        call.expire_invite(node, now);
        let owner = call.leg_ref(call.caller.id);
        node.index.servers.insert(tx, owner);
        if let Some(agent) = call.origin.agent().cloned() {
            node.index.bind_connection(&flow, owner);
            call.narrative.agent = Some(agent);
        }
        call.tell_started(node, now, call.origin.agent().cloned());
        call.tell_verdict(node, now);
        let is_emergency = destination.is_emergency();
        let opened = call
            .take_destination(node, now, destination)
            .and_then(|()| unsupported.map_or(Ok(()), |all| Err(Refusal::bad_extension(all))))
            .and_then(|()| call.short_timer().map_or(Ok(()), |s| Err(Refusal::short_timer(s))))
            .and_then(|()| call.open(node, now, offer, is_emergency));
        if let Err(refusal) = opened {
            call.refuse(node, now, refusal);
        }
        call.settle_if_done(node);
        call
    }

    /// The caller's INVITE may say how long it is good for (RFC 3261 §13.2.1).
    fn expire_invite(&mut self, node: &mut Node, now: Instant) {
        let Signalling::Invited { invite, .. } = &self.caller.signalling else { return };
        let Some(seconds) = invite.expires().filter(|seconds| *seconds < TIMER_C_S) else { return };
        let due = now + Duration::from_secs(u64::from(seconds.max(1)));
        self.expires = Some(due);
        node.alarms.insert((due, Alarm::Invite(self.id)));
    }

    /// It has not been answered in that time (RFC 3261 §13.3.1).
    pub(super) fn on_invite_expired(&mut self, node: &mut Node, now: Instant) {
        self.expires = None;
        if self.is_unanswered() {
            let refusal = Refusal::new(Cause::NoAnswer, "the caller waits no longer (Expires)");
            self.refuse(node, now, refusal.with_status(StatusCode::REQUEST_TERMINATED));
        }
    }

    fn take_destination(
        &mut self,
        node: &mut Node,
        now: Instant,
        destination: Destination,
    ) -> Result<(), Refusal> {
        let (number, flow, reasons, steps) = match destination {
            Destination::Flow { number, flow, reasons, steps } => (number, flow, reasons, steps),
            Destination::Steps(steps) => {
                self.steps = steps;
                return Ok(());
            }
            Destination::Direct(goal) => {
                self.stage = Stage::Opening(Opening { goal: Some(goal), pickup: None });
                return Ok(());
            }
            Destination::Pickup(target) => {
                self.stage = Stage::Opening(Opening { goal: None, pickup: Some(target) });
                return Ok(());
            }
            Destination::Nowhere(refusal) => return Err(refusal),
        };
        (self.number, self.steps) = (Some(number), steps);
        let routed = Decided::Route { flow: flow.clone(), reasons: reasons.clone() };
        self.narrative.decide(node, now, routed);
        self.tell(node, now, EventKind::CallRouted { flow, reasons });
        self.take_first_branches(node, now);
        Ok(())
    }

    /// Checks what can be checked and opens the caller's stream.
    fn open(
        &mut self,
        node: &mut Node,
        now: Instant,
        offer: Media,
        is_emergency: bool,
    ) -> Result<(), Refusal> {
        let offer = match offer {
            Media::Described(offer) => Some(offer),
            Media::Absent => None,
            Media::OtherType => return Err(Refusal::media_type()),
            Media::Encoded => return Err(Refusal::encoding()),
            Media::Unreadable => return Err(Refusal::unreadable_media()),
        };
        let pickup = self.pickup();
        // What takes a call's leg over is no call more.
        if pickup.is_none() {
            self.admit(node, now, is_emergency)?;
        }
        if let Some(agent) = self.origin.agent().cloned() {
            self.engage(node, now, &agent);
        }
        let home = pickup.map_or_else(|| self.home(node), |target| target.worker);
        self.caller.meet_caller(node, offer.as_ref());
        if !self.open_stream(node, now, self.caller.id, home) {
            return Err(Refusal::no_port());
        }
        // Answering shows now whether there is a codec in common; the answer that is sent is made
        // when the port is open, which may be another one.
        if let Some(offer) = &offer {
            let answer = self.caller.answer_to(offer);
            let answer = answer.map_err(|_| Refusal::incompatible_media())?;
            self.caller.prefers = Some(answer.settled.remote.codec);
        }
        if let Some(Step::Hangup { cause }) = self.steps.first() {
            return Err(Refusal::by_flow(*cause));
        }
        if let Signalling::Invited { pending, .. } = &mut self.caller.signalling {
            pending.offer = offer;
        }
        Ok(())
    }

    /// The caller's port is open: on to the flow, or to whom was dialled.
    pub(super) fn go(&mut self, node: &mut Node, now: Instant) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        if let Some(Target { leg, .. }) = opening.pickup {
            return node.joins.push(Join::Pickup { by: self.id, of: leg });
        }
        match opening.goal.take() {
            Some(goal) => self.dial(node, now, goal, Then::Join),
            None => self.answer(node, now),
        }
    }
}

/// The extensions an INVITE insists on (RFC 3261 §8.2.2.3): we have none.
fn unsupported_extensions(invite: &Message) -> Option<String> {
    let unknown = OptionTags::required(invite).beyond(&EXTENSIONS);
    if unknown.is_empty() { None } else { Some(unknown.to_string()) }
}
