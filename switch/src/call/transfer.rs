//! Transfers: one side of a conversation sends the other on, by REFER from an agent's phone (RFC
//! 3515, RFC 5589) or through the API. Who is sent on stays on our leg and hears music, then the
//! ringing; nobody outside ever sees the REFER.

use base::{AgentId, Instant, LegId, TrunkId};
use bytes::Bytes;
use routing::{Dialled, Input, Step};
use sip::header::{OptionTags, ReferTo};
use sip::{Message, Method, Name, Response, ServerTx, StatusCode, Uri, sipfrag};

use super::dial::Failure;
use super::join::{Join, Refer};
use super::leg::{Leg, Role, Signalling};
use super::model::{Goal, Party};
use super::passing::Passed;
use super::pausing::KeptPause;
use super::{Call, Recording, Stage, Talk, stream};
use crate::api::ApiError;
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::Node;
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// Seconds that the subscription a REFER makes lasts at most: longer than anything rings.
const NOTIFY_FOR_S: u32 = 240;

/// A call is sent on at most so often: each time adds to its record, and two phones that send each
/// other everything would never end.
const MOST: u8 = 32;

/// A transfer under way, while the conversation that it ends still stands.
pub(super) struct Transfer {
    /// Who asked for it, while its leg is up.
    pub(super) by: Option<LegId>,
    /// The agent who did, who is called back if nobody takes the call.
    agent: Option<AgentId>,
    /// Whether the conversation was recorded.
    was_recorded: bool,
    /// The pause of its recording, which holds again if nobody takes the call.
    paused: Option<KeptPause>,
    /// Whether who asked is to be told how it goes (a REFER without `Refer-Sub: false`, RFC 4488).
    pub(super) notify: bool,
    /// Where to, for events and reasons.
    pub(super) to: String,
    /// Our REFER to the customer's carrier, if that is to do it.
    pub(super) passed: Option<Box<Passed>>,
}

impl Transfer {
    /// Whether the two who talked have been parted for it: not while a carrier is to join them.
    pub(super) fn has_parted(&self) -> bool {
        self.passed.as_ref().is_none_or(|passed| !passed.joins())
    }

    pub(super) fn new(by: Option<LegId>, agent: Option<AgentId>, notify: bool, to: String) -> Self {
        Self { by, agent, was_recorded: false, paused: None, notify, to, passed: None }
    }
}

impl Call {
    /// A REFER of somebody who talks.
    pub(super) fn on_refer(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let notify = wants_notify(request);
        if let Ok(ReferTo { replaces: Some(replaces), target, .. }) = ReferTo::of(request) {
            let (by, to) = (self.leg_ref(leg), user_of(&target.uri.as_uri()));
            // The other call is the switch's to find.
            let refer = Refer { by, tx: Some(tx), replaces, notify, to, other: None };
            return node.joins.push(Join::Refer(refer));
        }
        let (to, text) = match self.refer_target(leg, request) {
            Ok(target) => target,
            Err(status) => return node.reply(now, tx, status),
        };
        let mut accepted = Response::new(StatusCode::ACCEPTED);
        if !notify {
            accepted = accepted.header(Name::new("Refer-Sub"), "false");
        }
        node.endpoint.respond(now, tx, accepted);
        if notify {
            self.notify(node, now, leg, StatusCode::TRYING);
        }
        self.begin_transfer(node, now, leg, to, text, notify);
    }

    /// Where a REFER leads, if its sender may send a call there.
    fn refer_target(&self, leg: LegId, request: &Message) -> Result<(Dialled, String), StatusCode> {
        if self.opposite(leg).is_none() {
            return Err(StatusCode::DECLINE);
        }
        if self.is_conference() {
            return Err(StatusCode::DECLINE);
        }
        if self.transfers >= MOST {
            return Err(StatusCode::LOOP_DETECTED);
        }
        if !self.may_be_sent_on() {
            return Err(StatusCode::REQUEST_PENDING);
        }
        let role = &self.leg(leg).ok_or(StatusCode::DECLINE)?.role;
        // A carrier does not decide where our tenants' calls go, unless its provisioning says so.
        let agent = role.agent();
        if !role.trunk().is_none_or(|trunk| self.takes_refer(trunk)) {
            return Err(StatusCode::FORBIDDEN);
        }
        let refer = ReferTo::of(request).map_err(|_| StatusCode::BAD_REQUEST)?;
        if refer.method != Method::Invite {
            return Err(StatusCode::DECLINE);
        }
        let uri = refer.target.uri.as_uri();
        if !self.is_own_host(&uri) {
            return Err(StatusCode::FORBIDDEN);
        }
        let text = user_of(&uri);
        match routing::dial(&self.directory, &self.tenant, agent, uri.as_str()) {
            // Nobody outside has us call outside: toll fraud begins so.
            Ok(Dialled::Outside(_)) if agent.is_none() => Err(StatusCode::FORBIDDEN),
            Ok(to) => Ok((to, text)),
            Err(refused) if refused.is_forbidden() => Err(StatusCode::FORBIDDEN),
            Err(_) => Err(StatusCode::NOT_FOUND),
        }
    }

    fn takes_refer(&self, trunk: &TrunkId) -> bool {
        self.directory.trunk(trunk).is_some_and(|trunk| trunk.takes_refer)
    }

    /// Whether those who talk may be parted by a transfer now.
    pub(crate) fn may_be_sent_on(&self) -> bool {
        matches!(self.stage, Stage::Connected { .. })
            && self.transfer.is_none()
            && self.dialling.is_none()
            && !self.is_conference()
            && self.transfers < MOST
    }

    /// Whether a URI is one of the tenant's, as a phone writes it that knows nothing else: the
    /// tenant's domain, or the address it registers at. A number is one whatever the host.
    pub(super) fn is_own_host(&self, uri: &Uri<'_>) -> bool {
        if !uri.is_sip() || uri.ip().is_some() {
            return true;
        }
        let domain = self.directory.tenant(&self.tenant).map(|tenant| tenant.domain.as_str());
        let is_number = uri.user_unescaped().is_some_and(|user| {
            user.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | '(' | ')'))
        });
        is_number || domain.is_some_and(|domain| uri.host().eq_ignore_ascii_case(domain))
    }

    /// The API sends the customer of a conversation on, or a caller who waits.
    ///
    /// # Errors
    /// When nobody waits or talks, or calls may not go there.
    pub(crate) fn transfer(
        &mut self,
        node: &mut Node,
        now: Instant,
        to: &str,
    ) -> Result<(), ApiError> {
        if self.may_be_moved() {
            return self.move_caller(node, now, to);
        }
        let Stage::Connected { talk } = &self.stage else {
            return Err(ApiError::Conflict("nobody waits or talks in this call".to_owned()));
        };
        if self.transfer.is_some() {
            return Err(ApiError::Conflict("it is being transferred already".to_owned()));
        }
        if self.is_conference() {
            return Err(ApiError::Conflict("more than two talk in it".to_owned()));
        }
        if self.dialling.is_some() {
            return Err(ApiError::Conflict("somebody is being called into it".to_owned()));
        }
        if self.transfers >= MOST {
            return Err(ApiError::Conflict("it has been transferred too often".to_owned()));
        }
        let far_is_agent = talk.with.agent().is_some();
        let by = if far_is_agent || self.caller.role.agent().is_none() {
            talk.leg
        } else {
            self.caller.id
        };
        let dialled =
            routing::dial(&self.directory, &self.tenant, None, to).map_err(|refused| {
                let cause = if refused.is_forbidden() { Cause::Forbidden } else { Cause::NoRoute };
                ApiError::Refused { cause, reason: refused.to_string() }
            })?;
        self.begin_transfer(node, now, by, dialled, to.to_owned(), false);
        self.arrange(node, now);
        self.settle_if_done(node);
        Ok(())
    }

    /// Parts the two who talk, and calls the new one.
    pub(super) fn begin_transfer(
        &mut self,
        node: &mut Node,
        now: Instant,
        by: LegId,
        to: Dialled,
        text: String,
        notify: bool,
    ) {
        let Some(from) = self.part_for(node, now, by, text, notify) else { return };
        let goal = match to {
            Dialled::Agent(agent) => Goal::Agent(agent),
            Dialled::Outside(to) => Goal::Outside(to),
            inside @ (Dialled::Queue(_) | Dialled::OwnNumber { .. }) => {
                return self.transfer_inside(node, now, inside);
            }
        };
        if self.pass_to_number(node, now, &goal, &from) {
            return;
        }
        self.call_next(node, now, goal, from);
    }

    /// Calls the one who is to talk next.
    pub(super) fn call_next(&mut self, node: &mut Node, now: Instant, goal: Goal, from: Party) {
        if !self.dial_beside(node, now, goal, from) {
            let failure = Failure::new(Cause::Busy, "somebody is being called already");
            self.beside_failed(node, now, &failure);
        }
    }

    /// Parts the two who talk for a transfer; the one who stays hears music. Gives who the one who
    /// is called is shown.
    pub(super) fn part_for(
        &mut self,
        node: &mut Node,
        now: Instant,
        by: LegId,
        text: String,
        notify: bool,
    ) -> Option<Party> {
        let from = self.shown_to_next(by);
        let paused = self.kept_pause();
        let talk = self.part_talk(node, now, by)?;
        self.transfers = self.transfers.saturating_add(1);
        let was_recorded = matches!(talk.recording, Recording::On { .. });
        let asked = talk.with.agent().cloned();
        let talk = Talk { recording: Recording::Off, ..talk };
        self.stage = Stage::Connected { talk };
        self.play_music(node, self.caller.id);
        self.narrative.decide(node, now, Decided::Transfer { by: asked.clone(), to: text.clone() });
        self.tell(node, now, EventKind::TransferStarted { by: asked.clone(), to: text.clone() });
        if let Some(agent) = self.transferor() {
            self.sent_on.add_transfer(agent);
        }
        let transfer = Transfer::new(Some(by), asked, notify, text);
        self.transfer = Some(Transfer { was_recorded, paused, ..transfer });
        Some(from)
    }

    /// Whom somebody sees calling who is to talk in place of that leg: who stays.
    pub(super) fn shown_to_next(&self, goes: LegId) -> Party {
        match self.opposite(goes) {
            // Who called is known by name, too.
            Some(stays) if self.number_of(stays) == self.from.number => self.from.clone(),
            Some(stays) => Party { number: self.number_of(stays), display: String::new() },
            None => self.from.clone(),
        }
    }

    /// Ends a conversation's bridge and recording. The leg that goes is the far one from here on,
    /// the one that stays the caller's.
    pub(super) fn part_talk(&mut self, node: &mut Node, now: Instant, goes: LegId) -> Option<Talk> {
        let Stage::Connected { talk } = std::mem::replace(&mut self.stage, Stage::BetweenSteps)
        else {
            return None;
        };
        self.forget_all_adrift(node, now);
        self.stop_recording(node, now, &talk);
        self.unbridge(node, talk.leg);
        self.stop_music(node, talk.leg);
        Some(if self.is_caller(goes) { self.turned(talk) } else { talk })
    }

    /// The two legs of a conversation change places.
    pub(super) fn turned(&mut self, mut talk: Talk) -> Talk {
        if let Some(far) = self.far.iter_mut().find(|leg| leg.id == talk.leg) {
            std::mem::swap(&mut self.caller, far);
            (talk.leg, talk.with) = (far.id, far.role.clone());
            talk.held = talk.held.turned();
        }
        talk
    }

    /// A queue or a flow of the tenant's takes the call: that never fails.
    pub(super) fn transfer_inside(&mut self, node: &mut Node, now: Instant, inside: Dialled) {
        let steps = self.steps_of(inside);
        self.goes_first = false;
        self.transfer_done(node, now);
        self.stage = Stage::BetweenSteps;
        self.take_steps(node, now, steps);
    }

    /// Who is called beside the conversation has answered.
    pub(super) fn beside_answered(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        self.stop_dialling(node);
        let was_recorded = self.transfer_done(node, now);
        let Some(role) = self.far_mut(leg).map(|far| far.role.clone()) else { return };
        self.join_transferred(node, now, (leg, role), was_recorded);
    }

    /// The caller and the new one hear each other.
    pub(super) fn join_transferred(
        &mut self,
        node: &mut Node,
        now: Instant,
        (leg, role): (LegId, Role),
        is_recorded: bool,
    ) {
        if let Role::Agent(agent) = &role {
            self.engage(node, now, agent);
            self.narrative.agent = Some(agent.clone());
        }
        // Who was held aside before talks with somebody else now.
        self.caller.aside = false;
        if !self.span(node, now, leg) {
            return self.end(node, now, Cause::MediaFailed, EndedBy::Engine);
        }
        self.bridge(node, now, leg);
        let wait_ms = crate::record::millis(now.since(self.narrative.started));
        let agent = role.agent().cloned();
        self.tell(node, now, EventKind::CallConnected { queue: None, agent, wait_ms });
        self.talk(node, now, (leg, role), false, is_recorded);
    }

    /// The new one (or a queue) has the call: who sent it on leaves. Says whether the conversation
    /// before was recorded.
    fn transfer_done(&mut self, node: &mut Node, now: Instant) -> bool {
        self.drop_passed(node);
        let Some(Transfer { by, was_recorded, notify, to, .. }) = self.transfer.take() else {
            return false;
        };
        if let Some(by) = by {
            if notify {
                self.notify(node, now, by, StatusCode::OK);
            }
            self.hang_up(node, now, by, Cause::Normal);
        }
        self.release_transferor(node, now);
        let by = self.transferor();
        self.tell(node, now, EventKind::CallTransferred { by, to });
        self.stop_music(node, self.caller.id);
        was_recorded
    }

    /// Nobody takes the call. Back to who sent it on; if that one has left, to the queue it came
    /// from, else it is over.
    pub(super) fn beside_failed(&mut self, node: &mut Node, now: Instant, failure: &Failure) {
        self.drop_passed(node);
        let Some(Transfer { by, agent, was_recorded, paused, notify, to, .. }) =
            self.transfer.take()
        else {
            return;
        };
        let cause = failure.cause;
        self.sent_on.take_transfer_back();
        let asked = self.transferor();
        self.tell(node, now, EventKind::TransferFailed { by: asked, to, cause });
        let Some(by) = by else { return self.go_on_alone(node, now, cause, agent, was_recorded) };
        if notify {
            let status = failure.far.status.unwrap_or_else(|| cause.sip_status());
            self.notify(node, now, by, status);
        }
        self.take_back(node, now);
        if was_recorded {
            let recording = self.start_recording(node, now, by);
            if let Stage::Connected { talk } = &mut self.stage {
                talk.recording = recording;
            }
        }
        self.pause_again(node, now, paused);
    }

    /// Neither the one who sent the call on nor anybody else is there to talk with: back to the
    /// queue it came from, else the one who sent it on is called, once.
    fn go_on_alone(
        &mut self,
        node: &mut Node,
        now: Instant,
        cause: Cause,
        agent: Option<AgentId>,
        was_recorded: bool,
    ) {
        match (self.narrative.queue.clone(), agent) {
            (Some(queue), _) => {
                self.stop_music(node, self.caller.id);
                self.steps = vec![Step::Queue { queue }];
                self.stage = Stage::BetweenSteps;
                self.go_to_step(node, now, 0, cause);
            }
            (None, Some(agent)) => {
                let Stage::Connected { talk } = &self.stage else { return };
                let (from, to) = (self.shown_to_next(talk.leg), agent.to_string());
                self.tell(node, now, EventKind::TransferStarted { by: None, to: to.clone() });
                let recall = Transfer::new(None, None, false, to);
                self.transfer = Some(Transfer { was_recorded, ..recall });
                self.dial_beside(node, now, Goal::Agent(agent), from);
            }
            (None, None) => self.end(node, now, cause, EndedBy::Engine),
        }
    }

    /// The call ends, and with it a transfer that is under way.
    pub(super) fn abandon_transfer(&mut self, node: &mut Node, now: Instant, cause: Cause) {
        self.drop_passed(node);
        let Some(Transfer { by, agent, notify, to, .. }) = self.transfer.take() else { return };
        if let (true, Some(by)) = (notify, by) {
            self.notify(node, now, by, StatusCode::REQUEST_TERMINATED);
        }
        self.tell(node, now, EventKind::TransferFailed { by: agent, to, cause });
    }

    /// Who asked for a transfer has hung up before it is done, as many phones do. Says whether that
    /// is what happened: the call goes on then.
    pub(super) fn transferor_left(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let Some(transfer) = self.transfer.as_mut().filter(|one| one.by == Some(leg)) else {
            return false;
        };
        transfer.by = None;
        self.release_transferor(node, now);
        if let Some(known) = self.leg_mut(leg) {
            stream::close(node, known);
        }
        true
    }

    /// Whether who sent the call on has left, and nobody has taken it yet.
    pub(super) fn is_sent_on(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.by.is_none())
    }

    fn transferor(&self) -> Option<AgentId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        talk.with.agent().cloned()
    }

    /// The router hears that who sent the call on is free.
    fn release_transferor(&mut self, node: &mut Node, now: Instant) {
        let Stage::Connected { talk } = &mut self.stage else { return };
        let of_queue = std::mem::replace(&mut talk.of_queue, false);
        let agent = talk.with.agent().cloned();
        self.release_talker(node, now, of_queue, agent.as_ref());
    }

    /// The same for an agent whose conversation is over while the call goes on.
    pub(super) fn release_talker(
        &mut self,
        node: &mut Node,
        now: Instant,
        of_queue: bool,
        agent: Option<&AgentId>,
    ) {
        if of_queue {
            let (tenant, work) = (self.tenant.clone(), self.work());
            node.router.handle_input(now, Input::WorkFinished { tenant, work });
            // The queue's agent may be the one who stays: on a call of their own from here on.
            if let Some(stays) = self.caller.role.agent().cloned() {
                self.engage(node, now, &stays);
            }
        }
        // Both sides may be one and the same agent, who joined two calls with a colleague.
        if let Some(agent) = agent.filter(|agent| self.caller.role.agent() != Some(*agent)) {
            self.disengage_one(node, now, agent);
        }
    }

    /// Tells who sent a REFER how it goes (RFC 3515 §2.4.4); a final status ends the subscription.
    pub(crate) fn notify(&mut self, node: &mut Node, now: Instant, leg: LegId, status: StatusCode) {
        let LegRef { call, .. } = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg_mut(leg) else { return };
        let flow = up.flow;
        let state = if status.is_final() {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={NOTIFY_FOR_S}")
        };
        let mut notify = up
            .dialog
            .request(Method::Notify)
            .header(Name::EVENT, "refer")
            .header(Name::SUBSCRIPTION_STATE, state);
        if let Some(contact) = node.contact(&flow) {
            notify = notify.header(Name::CONTACT, format_args!("<{contact}>"));
        }
        let notify = notify.body(sipfrag::CONTENT_TYPE, Bytes::from(sipfrag::body(status)));
        let tx = node.endpoint.request(now, flow, notify);
        node.index.clients.insert(tx, LegRef { call, leg });
    }
}

/// The user of a URI, or its host if it has none.
fn user_of(uri: &Uri<'_>) -> String {
    uri.user_unescaped().map_or_else(|| uri.host().to_owned(), |user| user.into_owned())
}

/// Whether the sender of a REFER asks for the subscription that goes with it (RFC 4488 §4).
fn wants_notify(request: &Message) -> bool {
    let refer_sub = request.header(Name::new("Refer-Sub"));
    let declined = refer_sub.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
    let norefersub = OptionTags::required(request).has("norefersub");
    !(declined || norefersub)
}
