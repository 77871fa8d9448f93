//! An attempt: ringing an agent's phones for a call, all at once, until one answers or the last
//! refuses. Who rings, and for how long, the router decides.

use base::{AgentId, Instant, LegId, QueueId};
use routing::{AttemptFailure, CancelReason, Decision, Input};
use sip::{Binding, ClientTx, Message, Method, Name, Request, StatusCode, UriBuf};

use super::dial::Failure;
use super::early::forget_early;
use super::far_end::{FarEnd, refused_elsewhere};
use super::leg::{Fork, Forks, Leg, Role, Signalling, Target};
use super::negotiation::SDP;
use super::refresh::timed;
use super::reliable::Early;
use super::terms::Terms;
use super::trunk_invite::with_fields;
use super::{Call, Party, Ring, Stage};
use crate::Cause;
use crate::event::EventKind;
use crate::node::{ALLOW, Node};
use crate::record::{AttemptEnd, AttemptOutcome, Decided};
use crate::register::aor;

impl Call {
    /// The router has chosen an agent.
    pub(super) fn ring(
        &mut self,
        node: &mut Node,
        now: Instant,
        queue: QueueId,
        agent: AgentId,
        decision: Decision,
    ) {
        let step = match &self.stage {
            Stage::Queued { step, queue: mine, .. } if *mine == queue => *step,
            _ => {
                // It ended, and the router has been told so already.
                node.ignored += 1;
                return;
            }
        };
        self.announce_queue(node, now, 1);
        let chosen = Decided::Agent {
            queue: queue.clone(),
            agent: agent.clone(),
            decision: decision.clone(),
        };
        self.narrative.decide(node, now, chosen);
        let offered =
            EventKind::CallOffered { queue: queue.clone(), agent: agent.clone(), decision };
        self.tell(node, now, offered);

        let targets = self.targets(node, now, &agent);
        let reachable = !targets.is_empty();
        let id = self.leg_to_agent(node, &agent, targets);
        let opened = reachable && self.open_stream(node, now, id, self.worker());
        self.stage = Stage::Ringing { step, queue, ring: Ring { agent, leg: id } };
        if !reachable {
            self.fail_attempt(node, now, id, AttemptFailure::Unreachable, None);
        } else if !opened {
            self.fail_attempt(node, now, id, AttemptFailure::Error, None);
        }
    }

    /// Makes the leg of an agent who is to be rung there; its stream is still to be opened.
    pub(super) fn leg_to_agent(
        &mut self,
        node: &mut Node,
        agent: &AgentId,
        targets: Vec<Target>,
    ) -> LegId {
        let role = Role::Agent(agent.clone());
        let terms = Terms::of(&self.directory, &self.tenant, &role);
        let mut leg = Leg::new(node, role, terms, Signalling::Preparing { targets });
        leg.called = true;
        let id = leg.id;
        self.add_far(leg);
        id
    }

    /// The agent's phones: the newest bindings.
    pub(super) fn targets(&self, node: &Node, now: Instant, agent: &AgentId) -> Vec<Target> {
        let target = |binding: &Binding| Target {
            contact: binding.contact.clone(),
            flow: binding.flow,
            path: binding.path.clone(),
        };
        let aor = aor(&self.tenant, agent);
        let mut bindings = node.registrar.targets(now, &aor);
        node.keep_newest_page(&aor, &mut bindings);
        let mut targets: Vec<Target> = bindings.into_iter().map(target).collect();
        targets.truncate(node.config.limits.bindings_rung);
        targets
    }

    /// Our port for the agent is open: INVITE each phone.
    pub(super) fn invite_agent(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let prefer = if self.is_caller(leg) { None } else { self.caller.codec() };
        let Some(agent) = self.leg_mut(leg) else { return };
        let Signalling::Preparing { targets } =
            std::mem::replace(&mut agent.signalling, Signalling::Gone)
        else {
            return;
        };
        let Role::Agent(name) = agent.role.clone() else { return };
        let owner = self.leg_ref(leg);
        let mut invites = Vec::with_capacity(targets.len());
        for target in targets {
            let offer = self.leg_mut(leg).and_then(|to| to.offer_over(target.flow, prefer));
            let Some(offer) = offer else { continue };
            let from = self.shown_to_agent(leg);
            let invite = self.invite(node, &from, &name, &target, offer.clone());
            let Some(invite) = invite else { continue };
            let invite = self.mark_return(leg, invite);
            let invite = self.name_call(&target, invite);
            let invite = timed(self.leg_mut(leg), invite);
            let (call, sip_call) = (self.id, invite.get(Name::CALL_ID).map(str::to_owned));
            if let (Some(agent), Some(sip_call)) = (self.leg_mut(leg), sip_call) {
                agent.name(node, call, &sip_call);
            }
            node.index.bind_connection(&target.flow, owner);
            let tx = node.endpoint.request(now, target.flow, invite.clone());
            node.index.clients.insert(tx, owner);
            invites.push(Fork { tx, flow: target.flow, invite, offer, early: Early::default() });
        }
        let none = invites.is_empty();
        if let Some(agent) = self.leg_mut(leg) {
            let forks = Forks { invites, rings: false, refused: None };
            agent.signalling = Signalling::Ringing(forks);
        }
        if none {
            self.leg_failed(node, now, leg, AttemptFailure::Error, FarEnd::default());
        }
    }

    /// Who an agent's phone shows as calling. Whom the API rings first sees who comes next.
    fn shown_to_agent(&self, leg: LegId) -> Party {
        let beside = self.shown_to_supervisor(leg).or_else(|| self.shown_to_returning(leg));
        if let Some(shown) = beside {
            return shown;
        }
        let dial = self.dialling.as_ref().filter(|dial| dial.leg == Some(leg));
        let usual = || match self.is_caller(leg) {
            true => Party { number: self.to.clone(), display: String::new() },
            false => self.from.clone(),
        };
        dial.and_then(|dial| dial.from.clone()).unwrap_or_else(usual)
    }

    /// The INVITE to one phone: from the caller, as the agent is to see it.
    fn invite(
        &self,
        node: &mut Node,
        from: &Party,
        agent: &AgentId,
        target: &Target,
        offer: bytes::Bytes,
    ) -> Option<Request> {
        let domain = &self.directory.tenant(&self.tenant)?.domain;
        let contact = node.contact(&target.flow)?;
        let to = UriBuf::sip(Some(agent.as_str()), domain).ok()?;
        let identity = self.identity_for_agent(from, domain, &to)?;
        let tag = node.rng.hex::<8>();
        let call_id = node.rng.hex::<16>();
        let invite = identity
            .put(Request::new(Method::Invite, target.contact.clone()), &tag)
            .header(Name::TO, format_args!("<{to}>"))
            .header(Name::CALL_ID, call_id)
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::ALLOW, ALLOW)
            .header(Name::MAX_FORWARDS, self.hops)
            .body(SDP, offer);
        let invite = match &target.path {
            Some(path) => invite.header(Name::ROUTE, path),
            None => invite,
        };
        let invite = invite.refused().is_none().then_some(invite)?;
        Some(with_fields(invite, &self.passed_on))
    }

    /// A response to an INVITE of ours.
    pub(super) fn on_invite_response(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let Some(status) = response.status() else { return };
        if !status.is_final() {
            self.on_progress(node, now, leg, tx, response);
        } else if status.is_success() {
            self.accept(node, now, leg, tx, response);
        } else if self.ask_for_longer(node, now, leg, tx, response) {
            // The same INVITE again, with the interval that the peer takes.
        } else if self.is_to_trunk(leg) {
            self.on_trunk_refused(node, now, leg, tx, response);
        } else if !self.deflect(node, now, leg, tx, response) {
            self.on_fork_failed(node, now, leg, tx, FarEnd::of(response));
        }
    }

    /// An INVITE of ours will have no response: it timed out, or could not be sent.
    pub(super) fn on_invite_unreachable(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
    ) {
        if self.is_to_trunk(leg) {
            self.on_trunk_unreachable(node, now, leg, tx);
        } else {
            self.on_fork_failed(node, now, leg, tx, FarEnd::default());
        }
    }

    /// One phone is out: it refused, or could not be reached.
    fn on_fork_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        far: FarEnd,
    ) {
        let Some(Leg { signalling: Signalling::Ringing(forks), .. }) = self.leg_mut(leg) else {
            return;
        };
        let Some(at) = forks.invites.iter().position(|fork| fork.tx == tx) else { return };
        let fork = forks.invites.swap_remove(at);
        forget_early(node, &fork);
        if telling(far.status) > telling(forks.refused.and_then(|refused| refused.status)) {
            forks.refused = Some(far);
        }
        // RFC 3261 §21.6: a 6xx speaks for the person, not for the phone.
        let declined = far.status.is_some_and(|status| status.as_u16() >= 600);
        if declined || forks.invites.is_empty() {
            let (others, far) = (std::mem::take(&mut forks.invites), forks.refused);
            let far = far.unwrap_or_default();
            let why = refused_elsewhere(far.status);
            self.cancel_forks(node, now, leg, Forks { invites: others, ..Forks::default() }, &why);
            self.leg_failed(node, now, leg, failure_of(far.status), far);
        }
    }

    /// A leg that was to ring or rang came to nothing: for a queue, or called directly.
    pub(super) fn leg_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        why: AttemptFailure,
        far: FarEnd,
    ) {
        let cause = if far.status.is_some() { far.cause() } else { Cause::NoAnswer };
        if self.guest_failed(node, now, leg, cause) {
            return;
        }
        if self.is_dialling(leg) {
            let failure = match far.status {
                Some(_) => Failure::of(far),
                None => Failure::new(Cause::NoAnswer, format!("no phone took it: {why}")),
            };
            self.dial_failed(node, now, failure);
        } else {
            self.fail_attempt(node, now, leg, why, far.status);
        }
    }

    /// The attempt is over without an answer: the router chooses what comes next.
    pub(super) fn fail_attempt(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        why: AttemptFailure,
        status: Option<StatusCode>,
    ) {
        if !matches!(&self.stage, Stage::Ringing { ring, .. } if ring.leg == leg) {
            return;
        }
        let Some(agent) = self.drop_ring(node, now, Cause::Normal) else { return };
        self.tell_attempt_failed(node, now, agent.clone(), why.into(), status);
        let (tenant, work) = (self.tenant.clone(), self.work());
        node.router.handle_input(now, Input::AttemptFailed { tenant, work, agent, why });
    }

    /// The router takes the attempt back; it has moved on already.
    pub(super) fn stop_ringing(
        &mut self,
        node: &mut Node,
        now: Instant,
        agent: &AgentId,
        why: CancelReason,
    ) {
        if !matches!(&self.stage, Stage::Ringing { ring, .. } if ring.agent == *agent) {
            node.ignored += 1;
            return;
        }
        let rang_out = matches!(why, CancelReason::RingTimeout);
        let cause = if rang_out { Cause::NoAnswer } else { Cause::Normal };
        let Some(agent) = self.drop_ring(node, now, cause) else { return };
        if let Some(end) = AttemptEnd::of_cancel(why) {
            self.tell_attempt_failed(node, now, agent, end, None);
        }
    }

    fn tell_attempt_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        agent: AgentId,
        why: AttemptEnd,
        status: Option<StatusCode>,
    ) {
        let status = status.map(StatusCode::as_u16);
        let outcome = AttemptOutcome::Failed { why, status };
        self.narrative.decide(node, now, Decided::Attempt { agent: agent.clone(), outcome });
        self.tell(node, now, EventKind::AttemptFailed { agent, why, status });
    }

    /// Stops ringing, if an agent rings: the caller waits again. Says who rang.
    pub(super) fn drop_ring(
        &mut self,
        node: &mut Node,
        now: Instant,
        cause: Cause,
    ) -> Option<AgentId> {
        let Stage::Ringing { step, queue, ring } = &self.stage else { return None };
        let (step, queue, leg, agent) = (*step, queue.clone(), ring.leg, ring.agent.clone());
        self.stage = Stage::Queued { step, queue, announced: true };
        self.hang_up(node, now, leg, cause);
        Some(agent)
    }

    /// Cancels every INVITE of a leg.
    pub(super) fn cancel_forks(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        forks: Forks,
        why: &str,
    ) {
        for fork in forks.invites {
            self.cancel_fork(node, now, leg, fork, why);
        }
    }
}

/// What a refusal of the phone says about the agent.
fn failure_of(status: Option<StatusCode>) -> AttemptFailure {
    match status.map_or(0, StatusCode::as_u16) {
        486 | 600 => AttemptFailure::Busy,
        300..=399 | 403 | 487 | 603..=699 => AttemptFailure::Rejected,
        0 | 404 | 408 | 410 | 480 | 502..=504 => AttemptFailure::Unreachable,
        _ => AttemptFailure::Error,
    }
}

/// Of several phones' refusals the one that says most about the agent is told.
fn telling(status: Option<StatusCode>) -> u8 {
    match status.map(failure_of_some) {
        None => 0,
        Some(AttemptFailure::Unreachable | AttemptFailure::NoAnswer) => 1,
        Some(AttemptFailure::Error) => 2,
        Some(AttemptFailure::Busy) => 3,
        Some(AttemptFailure::Rejected) => 4,
    }
}

fn failure_of_some(status: StatusCode) -> AttemptFailure {
    failure_of(Some(status))
}
