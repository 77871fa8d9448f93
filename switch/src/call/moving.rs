//! Callers who wait are moved: to another place in their queue, to another queue, to an agent or to
//! a number, which a supervisor decides through the API.

use base::Instant;
use routing::{Dialled, Input, Step};

use super::{Call, Stage};
use crate::Cause;
use crate::api::ApiError;
use crate::event::{EventKind, QueueExit};
use crate::node::Node;
use crate::record::{AttemptOutcome, Decided};

impl Call {
    /// Gives a caller who waits another priority; `by` is whose wish it is.
    ///
    /// # Errors
    /// When the call neither waits in a queue nor rings an agent for one.
    pub(crate) fn set_priority(
        &mut self,
        node: &mut Node,
        now: Instant,
        priority: u8,
        by: String,
    ) -> Result<(), ApiError> {
        let work = self.work();
        let standing = node.router.standing(&self.tenant, work);
        let conflict = || ApiError::Conflict("it does not wait in a queue".to_owned());
        let (queue, was) = standing.ok_or_else(conflict)?;
        if was == priority {
            return Ok(());
        }
        let tenant = self.tenant.clone();
        node.router.handle_input(now, Input::SetPriority { tenant, work, priority });
        let position = node.router.position(&self.tenant, work);
        let decided =
            Decided::Priority { queue: queue.clone(), was, priority, position, by: by.clone() };
        self.narrative.decide(node, now, decided);
        self.tell(node, now, EventKind::PriorityChanged { queue, priority, was, position, by });
        Ok(())
    }

    /// Whether the caller hears us and nobody else: waits, or is in a step of the flow.
    pub(super) fn may_be_moved(&self) -> bool {
        matches!(
            self.stage,
            Stage::Queued { .. }
                | Stage::Ringing { .. }
                | Stage::Prompt { .. }
                | Stage::Collecting(_)
        )
    }

    /// Moves a caller who talks with nobody yet. Whoever is called and does not take it leaves the
    /// caller where the call was: at the head of its queue.
    ///
    /// # Errors
    /// When it may not go there, or that queue is full.
    pub(super) fn move_caller(
        &mut self,
        node: &mut Node,
        now: Instant,
        to: &str,
    ) -> Result<(), ApiError> {
        let refused = |refused: routing::DialRefused| {
            let cause = if refused.is_forbidden() { Cause::Forbidden } else { Cause::NoRoute };
            ApiError::Refused { cause, reason: refused.to_string() }
        };
        let dialled = routing::dial(&self.directory, &self.tenant, None, to).map_err(refused)?;
        let (steps, comes_back) = match dialled {
            Dialled::Queue(queue) => {
                let is_there = self.waits_in() == Some(&queue);
                if is_there || node.router.may_wait(&self.tenant, &queue).is_err() {
                    let why = if is_there { "it waits there" } else { "that queue is full" };
                    return Err(ApiError::Conflict(why.to_owned()));
                }
                (vec![Step::Queue { queue }], false)
            }
            inside @ Dialled::OwnNumber { .. } => (self.steps_of(inside), false),
            Dialled::Agent(_) | Dialled::Outside(_) => {
                let dial = Step::Dial { to: to.to_owned(), ring_s: None, on_machine: None };
                let back = self.waits_in().map(|queue| Step::Queue { queue: queue.clone() });
                let rest = match back {
                    Some(queue) => vec![queue],
                    None => self.steps_to_come(),
                };
                (std::iter::once(dial).chain(rest).collect(), true)
            }
        };
        let goes_back_first = comes_back && self.waits_in().is_some();
        self.leave_for(node, now, to);
        self.goes_first = goes_back_first;
        self.take_steps(node, now, steps);
        Ok(())
    }

    /// The queue that the caller waits in, or that an agent is rung for.
    fn waits_in(&self) -> Option<&base::QueueId> {
        match &self.stage {
            Stage::Queued { queue, .. } | Stage::Ringing { queue, .. } => Some(queue),
            _ => None,
        }
    }

    /// The step that the flow is at, and those after it.
    fn steps_to_come(&self) -> Vec<Step> {
        let step = match &self.stage {
            Stage::Prompt { step, .. } => *step,
            _ => 0,
        };
        self.steps.get(step..).unwrap_or_default().to_vec()
    }

    /// Nothing of what the caller waited for is under way any more.
    fn leave_for(&mut self, node: &mut Node, now: Instant, to: &str) {
        let left = self.waits_in().cloned();
        if let Some(agent) = self.drop_ring(node, now, Cause::Transferred) {
            let outcome = AttemptOutcome::Withdrawn;
            self.narrative.decide(node, now, Decided::Attempt { agent, outcome });
        }
        self.stop_collecting(node);
        self.stop_playing(node);
        let decided = Decided::Transfer { by: None, to: to.to_owned() };
        self.narrative.decide(node, now, decided);
        if let Some(queue) = left {
            let (tenant, work) = (self.tenant.clone(), self.work());
            node.router.handle_input(now, Input::TakenOut { tenant, work });
            self.tell(node, now, EventKind::LeftQueue { queue, why: QueueExit::Moved });
        }
        self.stage = Stage::BetweenSteps;
        self.tell(node, now, EventKind::CallTransferred { by: None, to: to.to_owned() });
    }
}
