//! Calls that the API begins (click-to-call): the agent's phones ring first and then the customer's,
//! or the other way round; who has answered hears the other one ring.

use std::sync::Arc;

use base::{AgentId, CallId, Duration, Instant, TenantId};
use routing::{Dialled, Directory, E164};

use super::beginning::Beginning;
use super::leg::{Leg, Role, Signalling};
use super::listening::Listening;
use super::model::{Goal, Origin, Party, Then};
use super::takeover::Target;
use super::terms::Terms;
use super::{Call, Join, Stage};
use crate::api::{AnsweringMachine, ApiError, First, MachineAction, Originate};
use crate::event::EventKind;
use crate::ladder::Ladder;
use crate::node::Node;
use crate::record::CallDirection;
use crate::{Cause, EndedBy};

/// How long the first of the two may take to answer, in seconds, if the request does not say.
const TIMEOUT_S: u32 = 45;

/// What the API asks for, checked.
pub(crate) struct Origination {
    tenant: TenantId,
    agent: AgentId,
    to: String,
    caller_id: Option<E164>,
    timeout: Duration,
    first: Goal,
    second: Dialled,
    direction: CallDirection,
    directory: Arc<Directory>,
    /// What is done if a machine answers.
    wish: Option<AnsweringMachine>,
}

impl Origination {
    /// Checks what the API asks for: the agent dials, within what the agent may.
    pub(crate) fn new(
        directory: &Arc<Directory>,
        tenant: &TenantId,
        asked: Originate,
    ) -> Result<Self, ApiError> {
        let Originate { agent, to, first, caller_id, timeout_s, answering_machine } = asked;
        directory.agent(tenant, &agent).ok_or(ApiError::NotFound)?;
        let dialled = routing::dial(directory, tenant, Some(&agent), &to).map_err(|refused| {
            let cause = if refused.is_forbidden() { Cause::Forbidden } else { Cause::NoRoute };
            ApiError::Refused { cause, reason: refused.to_string() }
        })?;
        let caller_id = caller_id.map(|text| own_number(directory, tenant, &text)).transpose()?;
        let direction = match &dialled {
            Dialled::Outside(_) => CallDirection::Outbound,
            _ => CallDirection::Internal,
        };
        let is_customer_first = first == First::Customer;
        let (first, second) = match (first, dialled) {
            (First::Agent, dialled) => (Goal::Agent(agent.clone()), dialled),
            (First::Customer, Dialled::Outside(to)) => {
                (Goal::Outside(to), Dialled::Agent(agent.clone()))
            }
            (First::Customer, Dialled::Agent(other)) => {
                (Goal::Agent(other), Dialled::Agent(agent.clone()))
            }
            (First::Customer, Dialled::Queue(_) | Dialled::OwnNumber { .. }) => {
                let reason = "a queue or a flow cannot be called first".to_owned();
                return Err(ApiError::Refused { cause: Cause::NoRoute, reason });
            }
        };
        if let Some(wish) = &answering_machine {
            wish.check(directory, tenant, is_customer_first)?;
        }
        let timeout = Duration::from_secs(u64::from(timeout_s.unwrap_or(TIMEOUT_S)));
        let (tenant, directory) = (tenant.clone(), Arc::clone(directory));
        let wish = answering_machine;
        Ok(Self {
            tenant,
            agent,
            to,
            caller_id,
            timeout,
            first,
            second,
            direction,
            directory,
            wish,
        })
    }
}

impl AnsweringMachine {
    /// A message is left in a call that has nobody else in it yet, and from a prompt that there is.
    fn check(
        &self,
        directory: &Directory,
        tenant: &TenantId,
        is_customer_first: bool,
    ) -> Result<(), ApiError> {
        let MachineAction::LeaveMessage { prompt } = &self.action else { return Ok(()) };
        let refused = |reason: String| ApiError::Refused { cause: Cause::BadRequest, reason };
        if !is_customer_first || !self.wait {
            let reason = "a message is left where the customer is called first, and waited for";
            return Err(refused(reason.to_owned()));
        }
        match directory.prompt(tenant, prompt) {
            Some(_) => Ok(()),
            None => Err(refused(format!("there is no prompt {prompt}"))),
        }
    }
}

/// A number may be shown if calls to it come to the tenant.
fn own_number(directory: &Directory, tenant: &TenantId, text: &str) -> Result<E164, ApiError> {
    let refused = |reason: String| ApiError::Refused { cause: Cause::Forbidden, reason };
    let number = E164::normalise(text).map_err(|error| refused(error.to_string()))?;
    match directory.number_of(&number) {
        Some((owner, _)) if owner.id == *tenant => Ok(number),
        _ => Err(refused(format!("{number} is not a number of the tenant's own"))),
    }
}

impl Call {
    /// A new call of the API's; refused if there may be no further one.
    pub(crate) fn originate(
        node: &mut Node,
        now: Instant,
        asked: Origination,
    ) -> Result<Self, ApiError> {
        let id = CallId::generate(node.wall(now), &mut node.rng);
        let limits = &node.config.limits;
        let ladder = Ladder::new(limits.ladder_messages, limits.ladder_bytes);
        let Origination { tenant, agent, to, first, second, direction, directory, .. } = asked;
        let display = directory.agent(&tenant, &agent).map(|a| a.name.clone()).unwrap_or_default();
        // Whose the first leg is becomes certain when it is made.
        let role = Role::Agent(agent.clone());
        let caller = Leg::new(node, role, Terms::default(), Signalling::Gone);
        let (origin, from) = (Origin::Api, Party { number: agent.to_string(), display });
        let beginning =
            Beginning { tenant, directory, origin, direction, from, to, caller, ladder };
        let caller_id = asked.caller_id;
        let listening = asked.wish.map(|wish| Box::new(Listening::new(wish)));
        let mut call = Self { caller_id, listening, ..Self::new(node, now, id, beginning) };
        call.narrative.agent = Some(agent.clone());
        let is_emergency = matches!(&first, Goal::Outside(to) if to.is_emergency())
            || matches!(&second, Dialled::Outside(to) if to.is_emergency());
        call.admit(node, now, is_emergency).map_err(|refusal| {
            let reason = refusal.reason();
            ApiError::Refused { cause: refusal.cause, reason }
        })?;
        call.tell_started(node, now, Some(agent));
        call.dial(node, now, first, Then::Dial(second));
        if call.dialling.is_some() {
            call.give_up_at(node, now + asked.timeout);
        }
        call.settle_if_done(node);
        Ok(call)
    }

    /// A new call that rings an agent, who is to take over what rings another one. It counts
    /// nowhere: the call that is taken over does already.
    pub(crate) fn originate_pickup(
        node: &mut Node,
        now: Instant,
        directory: Arc<Directory>,
        (tenant, agent): (TenantId, AgentId),
        (target, from): (Target, Party),
    ) -> Self {
        let id = CallId::generate(node.wall(now), &mut node.rng);
        let limits = &node.config.limits;
        let ladder = Ladder::new(limits.ladder_messages, limits.ladder_bytes);
        let role = Role::Agent(agent.clone());
        let caller = Leg::new(node, role, Terms::default(), Signalling::Gone);
        let display = directory.agent(&tenant, &agent).map(|a| a.name.clone()).unwrap_or_default();
        let (origin, direction, to) = (Origin::Api, CallDirection::Internal, from.number.clone());
        let (shown, from) = (from, Party { number: agent.to_string(), display });
        let beginning =
            Beginning { tenant, directory, origin, direction, from, to, caller, ladder };
        let mut call = Self::new(node, now, id, beginning);
        call.narrative.agent = Some(agent.clone());
        call.tell_started(node, now, Some(agent.clone()));
        call.dial(node, now, Goal::Agent(agent), Then::TakeOver(target));
        if let Some(dial) = &mut call.dialling {
            dial.from = Some(shown);
            call.give_up_at(node, now + Duration::from_secs(u64::from(TIMEOUT_S)));
        }
        call.settle_if_done(node);
        call
    }

    /// The agent who is to take a leg over has answered; if not that agent has, but where their
    /// calls go, nobody takes anything.
    pub(super) fn taker_answered(&mut self, node: &mut Node, now: Instant) {
        let Some(dial) = self.stop_dialling(node) else { return };
        let Then::TakeOver(target) = dial.then else { return };
        self.narrative.answered = Some(now);
        self.tell(node, now, EventKind::CallAnswered {});
        if self.caller.role.agent() != self.narrative.agent.as_ref() {
            return self.end(node, now, Cause::Forbidden, EndedBy::Engine);
        }
        self.stage = Stage::AwaitingMedia { pickup: Some(target) };
        node.joins.push(Join::Pickup { by: self.id, of: target.leg });
    }

    /// The first of the two has answered: now the other.
    pub(super) fn first_answered(&mut self, node: &mut Node, now: Instant) {
        self.listen_to_answer(node, self.caller.id);
        let Some(dial) = self.stop_dialling(node) else { return };
        self.narrative.answered = Some(now);
        self.tell(node, now, EventKind::CallAnswered {});
        if let Some(agent) = self.caller.role.agent().cloned() {
            self.engage(node, now, &agent);
        }
        let Then::Dial(second) = dial.then else { return };
        if let Some(second) = self.keep_back(node, now, second) {
            self.dial_second(node, now, second);
        }
    }

    /// Rings the second of the two.
    pub(super) fn dial_second(&mut self, node: &mut Node, now: Instant, second: Dialled) {
        let goal = match &second {
            Dialled::Agent(agent) => Goal::Agent(agent.clone()),
            Dialled::Outside(to) => Goal::Outside(to.clone()),
            Dialled::Queue(_) | Dialled::OwnNumber { .. } => {
                self.stage = Stage::BetweenSteps;
                let steps = self.steps_of(second);
                return self.take_steps(node, now, steps);
            }
        };
        self.dial(node, now, goal, Then::Join);
        // Who has answered must not wonder whether anything happens.
        self.play_ringing(node);
    }
}
