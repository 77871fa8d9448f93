//! Direct calls: an agent by name or extension, a number outside; with forwards and ring times. The
//! caller's leg waits, answered or not, until somebody takes it or nobody is left.

use std::collections::VecDeque;

use base::{AgentId, Duration, Instant, LegId};
use routing::{Dialled, Direct, ForwardReason, OnMachine, Step};

use super::far_end::FarEnd;
use super::leg::{Leg, Role, Signalling};
use super::listening::Listening;
use super::model::{Dial, Goal, Party, Then};
use super::refusal::Refusal;
use super::sent_on::By;
use super::terms::Terms;
use super::{Call, Stage};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::record::{CallDirection, Decided};
use crate::{Cause, EndedBy};

/// How long a number outside may take to answer, from the first INVITE on. Below the three minutes
/// of Timer C, which guard the caller's own INVITE.
const RING_OUTSIDE: Duration = Duration::from_secs(150);
/// A call is forwarded at most so often: two agents may well forward to each other.
pub(super) const FORWARDS: u8 = 5;

/// Why nobody takes a direct call.
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) far: FarEnd,
    /// In a sentence, for /why.
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, far: FarEnd::default(), reason: reason.into() }
    }

    /// What the far end said.
    pub(super) fn of(far: FarEnd) -> Self {
        let reason = match far.status {
            Some(status) => format!("answered {status}"),
            None => "did not answer at all".to_owned(),
        };
        Self { cause: far.cause(), far, reason }
    }
}

impl Call {
    /// Begins to call somebody directly.
    pub(super) fn dial(&mut self, node: &mut Node, now: Instant, goal: Goal, then: Then) {
        self.dialling = Some(Box::new(Dial::new(goal.clone(), then)));
        self.stage = Stage::Dialling;
        self.dial_goal(node, now, goal);
    }

    /// Calls somebody beside a conversation, who is shown `from` as calling. What becomes of it is
    /// told to [`Call::beside_answered`] and [`Call::beside_failed`]. `false` if somebody is being
    /// called already.
    pub(super) fn dial_beside(
        &mut self,
        node: &mut Node,
        now: Instant,
        goal: Goal,
        from: Party,
    ) -> bool {
        if self.dialling.is_some() {
            return false;
        }
        let dial = Dial { from: Some(from), ..Dial::new(goal.clone(), Then::Beside) };
        self.dialling = Some(Box::new(dial));
        self.dial_goal(node, now, goal);
        true
    }

    /// Calls whom a step of the flow names; a caller who has been answered hears it ring.
    pub(super) fn dial_step(
        &mut self,
        node: &mut Node,
        now: Instant,
        step: usize,
        to: &str,
        (ring_s, on_machine): (Option<u32>, Option<OnMachine>),
    ) {
        let goal = match routing::dial(&self.directory, &self.tenant, None, to) {
            Ok(Dialled::Agent(agent)) => Goal::Agent(agent),
            Ok(Dialled::Outside(to)) => {
                // The flow of a number sends its calls on.
                if let Some(number) = self.number.clone() {
                    let rang = self.narrative.queue.is_some();
                    let why = if rang { "no-answer" } else { "unconditional" };
                    self.sent_on.add(By::Number(number), why);
                }
                if let Some(wish) = on_machine {
                    self.listening = Some(Box::new(Listening::of_step(wish, step)));
                }
                Goal::Outside(to)
            }
            Ok(inside) => {
                let steps = self.steps_of(inside);
                return self.take_steps(node, now, steps);
            }
            Err(refused) => {
                let (to, cause) = (to.to_owned(), Cause::NoRoute);
                let reason = refused.to_string();
                self.narrative.decide(node, now, Decided::DialFailed { to, cause, reason });
                return self.go_to_step(node, now, step + 1, cause);
            }
        };
        let most = ring_s.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let dial = Dial { most, ..Dial::new(goal.clone(), Then::Step(step)) };
        self.dialling = Some(Box::new(dial));
        self.stage = Stage::Dialling;
        self.dial_goal(node, now, goal);
        self.play_ringing(node);
    }

    /// Calls what is dialled, in the dial that is under way.
    pub(super) fn dial_goal(&mut self, node: &mut Node, now: Instant, goal: Goal) {
        let Some(dial) = &mut self.dialling else { return };
        dial.goal = goal.clone();
        match goal {
            Goal::Agent(agent) => self.dial_agent(node, now, agent),
            Goal::Outside(to) => self.dial_outside(node, now, &to),
        }
    }

    fn dial_agent(&mut self, node: &mut Node, now: Instant, agent: AgentId) {
        let Some(known) = node.agent_as_set(&self.directory, &self.tenant, &agent) else {
            let failure = Failure::new(Cause::NoRoute, "the agent is not provisioned");
            return self.dial_failed(node, now, failure);
        };
        let to_self = self.far_side_agent() == Some(&agent);
        let verdict = match node.router.presence(&self.tenant, &agent) {
            _ if to_self => Direct::Busy,
            Some(presence) => Direct::begin(&known, presence),
            None => Direct::Unavailable,
        };
        match verdict {
            Direct::Ring { seconds } => {
                let most = Duration::from_secs(u64::from(seconds));
                self.ring_directly(node, now, agent, most);
            }
            Direct::Forward { to, why } => self.forward(node, now, &agent, &to, why.as_str()),
            Direct::Busy => {
                let failure = Failure::new(Cause::Busy, format!("{agent} is busy"));
                self.dial_failed(node, now, failure);
            }
            Direct::Unavailable => {
                let failure = Failure::new(Cause::NoAnswer, format!("{agent} has no phone"));
                self.dial_failed(node, now, failure);
            }
        }
    }

    /// The agent at the other end already: the caller, or whom the API rang first.
    fn far_side_agent(&self) -> Option<&AgentId> {
        match &self.dialling {
            // The first leg of the API's call has nobody opposite yet.
            Some(dial) if dial.then.is_first() => None,
            _ => self.caller.role.agent(),
        }
    }

    fn ring_directly(&mut self, node: &mut Node, now: Instant, agent: AgentId, most: Duration) {
        let targets = self.targets(node, now, &agent);
        if targets.is_empty() {
            let failure = Failure::new(Cause::NoAnswer, format!("{agent} has no phone"));
            return self.dial_failed(node, now, failure);
        }
        let (trunk, to) = (None, agent.to_string());
        let dialled = EventKind::CallDialled { agent: Some(agent.clone()), trunk, to };
        self.tell(node, now, dialled);
        let why = format!("{} phones of {agent} ring", targets.len());
        self.narrative.decide(node, now, Decided::Dial { to: agent.to_string(), why });
        let most = self.dialling.as_ref().and_then(|dial| dial.most).unwrap_or(most);
        self.give_up_at(node, now + most);
        self.new_leg(node, now, Role::Agent(agent), Signalling::Preparing { targets });
    }

    /// Makes the leg that rings: opens its stream; the INVITE follows when it is open.
    pub(super) fn new_leg(
        &mut self,
        node: &mut Node,
        now: Instant,
        role: Role,
        signalling: Signalling,
    ) -> Option<LegId> {
        let is_first = self.is_dialling_first();
        let terms = Terms::of(&self.directory, &self.tenant, &role);
        let mut leg = Leg::new(node, role, terms, signalling);
        let id = leg.id;
        let worker = if is_first {
            let before = std::mem::replace(&mut self.caller, leg);
            if !before.is_unused() {
                // Whom the call rang before: being cancelled, or hung up.
                self.add_far(before);
            }
            self.home(node)
        } else {
            leg.called = true;
            leg.number = self.dialling.as_ref().map(|dial| dial.goal.to_string());
            self.add_far(leg);
            self.worker()
        };
        let opened = self.open_stream(node, now, id, worker).then_some(id);
        match (&mut self.dialling, opened) {
            (Some(dial), Some(leg)) => dial.leg = Some(leg),
            (_, None) => {
                let failure = Failure::new(Cause::Unavailable, "no media port is free");
                self.dial_failed(node, now, failure);
            }
            _ => {}
        }
        opened
    }

    /// Whether the leg that is being rung is the call's first: the API began it.
    pub(super) fn is_dialling_first(&self) -> bool {
        self.dialling.as_ref().is_some_and(|dial| dial.then.is_first())
    }

    /// The leg that a direct call rings, if it is this one.
    pub(super) fn is_dialling(&self, leg: LegId) -> bool {
        matches!(&self.dialling, Some(dial) if dial.leg == Some(leg))
    }

    /// Nobody takes it this way. The next trunk, the agent's forward, or the end.
    pub(super) fn dial_failed(&mut self, node: &mut Node, now: Instant, failure: Failure) {
        let Some(dial) = &mut self.dialling else { return };
        let (goal, leg) = (dial.goal.clone(), dial.leg.take());
        let trunk = dial.trunk.take();
        if let Some(path) = dial.path.take() {
            node.paths.close(path);
        }
        if let Some(trunk) = &trunk {
            self.release_trunk(node, trunk);
        }
        self.narrative.far = Some(failure.far);
        let agent = match &goal {
            Goal::Agent(agent) => Some(agent.clone()),
            Goal::Outside(_) => None,
        };
        let status = failure.far.status.map(sip::StatusCode::as_u16);
        let (cause, q850) = (failure.cause, failure.far.q850());
        let failed = EventKind::DialFailed {
            agent: agent.clone(),
            trunk: trunk.clone(),
            cause,
            status,
            q850,
        };
        self.tell(node, now, failed);
        let to = trunk.as_ref().map_or_else(|| goal.to_string(), ToString::to_string);
        let reason = failure.reason.clone();
        self.narrative.decide(node, now, Decided::DialFailed { to, cause, reason });
        if let Some(leg) = leg {
            self.hang_up(node, now, leg, failure.cause);
        }
        self.silence(node);
        match goal {
            Goal::Outside(to) if !failure.far.speaks_for_callee() && self.has_more_trunks() => {
                self.try_next_trunk(node, now, &to);
            }
            Goal::Agent(agent) => self.forward_failed(node, now, &agent, failure),
            Goal::Outside(_) => self.give_up(node, now, &failure),
        }
    }

    /// An agent did not take it: to where that agent's calls go then.
    fn forward_failed(&mut self, node: &mut Node, now: Instant, agent: &AgentId, failure: Failure) {
        let known = node.agent_as_set(&self.directory, &self.tenant, agent);
        let verdict = known.as_ref().map(|known| match failure.cause {
            Cause::Busy => Direct::busy(known, ForwardReason::UserBusy),
            Cause::NoAnswer => Direct::unanswered(known, ForwardReason::NoAnswer),
            Cause::Unavailable => Direct::unanswered(known, ForwardReason::Unavailable),
            _ => Direct::Unavailable,
        });
        match verdict {
            Some(Direct::Forward { to, why }) => self.forward(node, now, agent, &to, why.as_str()),
            _ => self.give_up(node, now, &failure),
        }
    }

    /// Sends the call on to where an agent's calls go, as that agent would dial it.
    pub(super) fn forward(
        &mut self,
        node: &mut Node,
        now: Instant,
        agent: &AgentId,
        to: &str,
        why: &'static str,
    ) {
        self.ring_anew(node);
        let Some(dial) = &mut self.dialling else { return };
        dial.forwards += 1;
        if dial.forwards > FORWARDS {
            let failure = Failure::new(Cause::NoAnswer, "forwarded too often");
            return self.give_up(node, now, &failure);
        }
        match routing::dial(&self.directory, &self.tenant, Some(agent), to) {
            Ok(dialled) => {
                let (agent, to) = (agent.clone(), to.to_owned());
                let (of, reason) = (agent.clone(), why.to_owned());
                let told = Decided::Forward { agent: of, to: to.clone(), why: reason };
                self.narrative.decide(node, now, told);
                self.sent_on.add(By::Agent(agent.clone()), why);
                self.tell(node, now, EventKind::CallForwarded { agent, to, reason: why });
                self.redirect(node, now, dialled);
            }
            Err(refused) => {
                let reason = format!("{agent}'s calls go to {to:?}, but {refused}");
                self.give_up(node, now, &Failure::new(Cause::NoAnswer, reason));
            }
        }
    }

    /// Goes on with somebody else, or with a flow.
    pub(super) fn redirect(&mut self, node: &mut Node, now: Instant, to: Dialled) {
        match to {
            Dialled::Agent(agent) => self.dial_goal(node, now, Goal::Agent(agent)),
            Dialled::Outside(to) => {
                if self.direction == CallDirection::Internal {
                    self.direction = CallDirection::Outbound;
                }
                self.dial_goal(node, now, Goal::Outside(to));
            }
            _ if self.is_for_guest() => {
                let failure = Failure::new(Cause::NoRoute, "forwarded to a queue or a flow");
                self.give_up(node, now, &failure);
            }
            inside if self.is_beside() => {
                self.stop_dialling(node);
                self.transfer_inside(node, now, inside);
            }
            inside @ (Dialled::Queue(_) | Dialled::OwnNumber { .. }) => {
                let steps = self.steps_of(inside);
                self.take_steps(node, now, steps);
            }
        }
    }

    fn is_beside(&self) -> bool {
        matches!(&self.dialling, Some(dial) if matches!(dial.then, Then::Beside))
    }

    fn is_for_guest(&self) -> bool {
        matches!(&self.dialling, Some(dial) if matches!(dial.then, Then::Guest))
    }

    /// The steps that a queue or an own number stands for.
    pub(super) fn steps_of(&mut self, inside: Dialled) -> Vec<Step> {
        match inside {
            Dialled::Queue(queue) => vec![Step::Queue { queue }],
            Dialled::OwnNumber { number, flow } => {
                self.number = Some(number.to_string());
                let flow = self.directory.flow(&self.tenant, &flow);
                flow.map(|flow| flow.steps.clone()).unwrap_or_default()
            }
            Dialled::Agent(_) | Dialled::Outside(_) => Vec::new(),
        }
    }

    /// Leaves the dialling for the steps of a flow.
    pub(super) fn take_steps(&mut self, node: &mut Node, now: Instant, steps: Vec<Step>) {
        self.silence(node);
        self.stop_dialling(node);
        if !self.enter_flow(steps) {
            return self.end(node, now, Cause::NoRoute, EndedBy::Engine);
        }
        if self.is_unanswered() {
            return self.answer(node, now);
        }
        self.note_answered(node, now);
        self.stage = Stage::BetweenSteps;
        self.go_to_step(node, now, 0, Cause::Normal);
    }

    /// Nobody is left to be tried: the flow goes on, or the call ends.
    fn give_up(&mut self, node: &mut Node, now: Instant, failure: &Failure) {
        self.silence(node);
        let Some(dial) = self.stop_dialling(node) else { return };
        match dial.then {
            Then::Step(step) => {
                self.stage = Stage::BetweenSteps;
                self.go_to_step(node, now, step + 1, failure.cause);
            }
            Then::Join | Then::Dial(_) | Then::TakeOver(_) => {
                self.refuse_by_far_end(node, now, &dial.goal, failure)
            }
            Then::Beside => self.beside_failed(node, now, failure),
            Then::Guest => self.participant_failed(node, now, &dial.goal, failure),
        }
        if !matches!(self.stage, Stage::Ending(_)) {
            self.narrative.far = None;
        }
    }

    fn refuse_by_far_end(&mut self, node: &mut Node, now: Instant, goal: &Goal, failure: &Failure) {
        let by = match (failure.far.status, goal) {
            (None, _) => EndedBy::Engine,
            (Some(_), Goal::Agent(_)) => EndedBy::Agent,
            (Some(_), Goal::Outside(_)) => EndedBy::Callee,
        };
        if self.is_unanswered() {
            let refusal = Refusal::of_far_end(failure.cause, failure.far);
            self.refuse_invite(node, now, refusal.response());
        }
        self.finish(node, now, failure.cause, by);
    }

    /// It has rung long enough.
    pub(super) fn on_rang_out(&mut self, node: &mut Node, now: Instant) {
        if self.on_passing_timeout(node, now) || self.on_waited_long(node, now) {
            return;
        }
        let Some(dial) = &mut self.dialling else { return };
        dial.until = None;
        // Other trunks would ring the same phone.
        dial.trunks = VecDeque::new();
        let failure = Failure::new(Cause::NoAnswer, "rang as long as it may");
        self.dial_failed(node, now, failure);
    }

    /// Whoever is called now may ring as long as anybody; but the API's patience is one.
    fn ring_anew(&mut self, node: &mut Node) {
        if self.is_dialling_first() {
            return;
        }
        if let Some(before) = self.dialling.as_mut().and_then(|dial| dial.until.take()) {
            node.alarms.remove(&(before, Alarm::Dial(self.id)));
        }
    }

    /// Sets when ringing is given up.
    pub(super) fn give_up_at(&mut self, node: &mut Node, at: Instant) {
        let Some(dial) = &mut self.dialling else { return };
        if let Some(before) = dial.until.replace(at) {
            node.alarms.remove(&(before, Alarm::Dial(self.id)));
        }
        node.alarms.insert((at, Alarm::Dial(self.id)));
    }

    /// The same for a number outside, unless a time is set already.
    pub(super) fn give_up_outside(&mut self, node: &mut Node, now: Instant) {
        if let Some(dial) = self.dialling.as_ref().filter(|dial| dial.until.is_none()) {
            let most = dial.most.unwrap_or(RING_OUTSIDE);
            self.give_up_at(node, now + most);
        }
    }

    /// Nothing of the dialling is under way any more but its leg.
    pub(super) fn stop_dialling(&mut self, node: &mut Node) -> Option<Box<Dial>> {
        let mut dial = self.dialling.take()?;
        if let Some(at) = dial.until.take() {
            node.alarms.remove(&(at, Alarm::Dial(self.id)));
        }
        if let Some(path) = dial.path.take() {
            node.paths.close(path);
        }
        Some(dial)
    }
}
