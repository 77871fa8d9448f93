//! The steps of a flow: play, queue, hang up; and what the router says of a call that waits.

use base::{FlowId, Instant, QueueId};
use media::PlayId;
use routing::{Decision, HangupCause, Input, Refusal, Step};

use super::collect::Ask;
use super::{Call, Stage};
use crate::event::{EventKind, QueueExit};
use crate::node::Node;
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// A call is in so many flows at most: those that dial each other's numbers lead in a circle.
const MOST_FLOWS: u8 = 16;
/// The priority in a queue of who has talked already: before all others.
const FIRST: u8 = u8::MAX;

impl Call {
    /// Begins a step; after the last one the call ends, with the cause given.
    pub(super) fn go_to_step(
        &mut self,
        node: &mut Node,
        now: Instant,
        mut step: usize,
        at_the_end: Cause,
    ) {
        // A prompt that is not there is passed over; so this loops, and recursion cannot.
        loop {
            match self.steps.get(step).cloned() {
                Some(Step::Play { prompt }) => {
                    if let Some(play) = self.play(node, &prompt, false) {
                        self.stage = Stage::Prompt { step, play };
                        self.update_listening(node, self.caller.id);
                        self.tell(node, now, EventKind::PromptStarted { prompt });
                        return;
                    }
                    step += 1;
                }
                Some(Step::Say { say, value, language }) => {
                    if let Some(play) = self.say(node, say, &value, language.as_deref()) {
                        self.stage = Stage::Prompt { step, play };
                        self.update_listening(node, self.caller.id);
                        return;
                    }
                    step += 1;
                }
                Some(Step::Collect(asked)) => {
                    return self.collect(node, now, step, Ask::Collect(asked));
                }
                Some(Step::Menu(menu)) => {
                    return self.collect(node, now, step, Ask::Menu(menu));
                }
                Some(Step::Queue { queue }) => {
                    self.leave_prompts(node);
                    return self.enqueue(node, now, step, queue);
                }
                Some(Step::Dial { to, ring_s, on_machine }) => {
                    self.leave_prompts(node);
                    return self.dial_step(node, now, step, &to, (ring_s, on_machine));
                }
                Some(Step::Branch { signature, flow }) => {
                    if !signature.contains(&self.signature()) {
                        step += 1;
                    } else if self.branch(node, now, flow) {
                        step = 0;
                    } else {
                        return self.end(node, now, Cause::NoRoute, EndedBy::Engine);
                    }
                }
                Some(Step::Hangup { cause }) => {
                    return self.end(node, now, hangup_cause(cause), EndedBy::Engine);
                }
                None => return self.end(node, now, at_the_end, EndedBy::Engine),
            }
        }
    }

    /// Keys are asked for no more: what was typed ahead is forgotten, and nothing masked for it.
    fn leave_prompts(&mut self, node: &mut Node) {
        self.typed.clear();
        if matches!(self.stage, Stage::Prompt { .. } | Stage::BetweenSteps) {
            self.stage = Stage::BetweenSteps;
            self.update_listening(node, self.caller.id);
        }
    }

    /// Goes on in another flow. `false` if there is none, or if the call has been in so many that
    /// they lead in a circle.
    fn branch(&mut self, node: &mut Node, now: Instant, flow: FlowId) -> bool {
        let why = format!("the caller's signature is {:?}", self.signature().as_str());
        self.enter_named(node, now, &flow, why)
    }

    /// The call is in this flow from here on. `false` if it has been in too many.
    pub(super) fn enter_flow(&mut self, steps: Vec<Step>) -> bool {
        self.flows = self.flows.saturating_add(1);
        self.steps = steps;
        self.flows <= MOST_FLOWS
    }

    /// The branches that a flow begins with are taken before the call is answered: where they lead
    /// may turn callers away.
    pub(super) fn take_first_branches(&mut self, node: &mut Node, now: Instant) {
        while let Some(Step::Branch { signature, flow }) = self.steps.first().cloned() {
            if !signature.contains(&self.signature()) {
                self.steps.remove(0);
            } else if !self.branch(node, now, flow) {
                self.steps = vec![Step::Hangup { cause: HangupCause::Unavailable }];
            }
        }
    }

    pub(super) fn on_play_finished(&mut self, node: &mut Node, now: Instant, finished: PlayId) {
        if self.on_asked(node, now, finished) || self.on_message_left(node, now, finished) {
            return;
        }
        if let Stage::Prompt { step, play } = self.stage
            && play == finished
        {
            self.go_to_step(node, now, step + 1, Cause::Normal);
        }
    }

    pub(super) fn enqueue(&mut self, node: &mut Node, now: Instant, step: usize, queue: QueueId) {
        if let Some(music) = self.directory.queue(&self.tenant, &queue).map(|q| q.music.clone()) {
            self.play(node, &music, true);
        }
        self.narrative.queue = Some(queue.clone());
        self.stage = Stage::Queued { step, queue: queue.clone(), announced: false };
        let (tenant, work) = (self.tenant.clone(), self.work());
        let caller = self.from.number.clone();
        let priority = if std::mem::take(&mut self.goes_first) { FIRST } else { 0 };
        node.router.handle_input(now, Input::Enqueue { tenant, work, queue, priority, caller });
    }

    /// Nobody is free.
    pub(super) fn on_waiting(
        &mut self,
        node: &mut Node,
        now: Instant,
        queue: QueueId,
        position: u32,
        decision: Decision,
    ) {
        if !matches!(&self.stage, Stage::Queued { queue: mine, .. } if *mine == queue) {
            node.ignored += 1;
            return;
        }
        let waits = Decided::Wait { queue, position, decision };
        self.narrative.decide(node, now, waits);
        self.announce_queue(node, now, position);
    }

    /// Tells, once for each queue, that the call waits in it.
    pub(super) fn announce_queue(&mut self, node: &mut Node, now: Instant, position: u32) {
        if let Stage::Queued { queue, announced, .. } = &mut self.stage
            && !std::mem::replace(announced, true)
        {
            let queue = queue.clone();
            self.tell(node, now, EventKind::CallQueued { queue, position });
        }
    }

    /// It waited as long as the queue lets it: the flow goes on.
    pub(super) fn on_expired(&mut self, node: &mut Node, now: Instant, queue: &QueueId) {
        let exit = QueueExit::Expired;
        self.leave_queue(node, now, (queue, exit), Cause::QueueTimeout, "waited as long as it may");
    }

    /// The queue does not take it: the flow goes on.
    pub(super) fn on_queue_refused(
        &mut self,
        node: &mut Node,
        now: Instant,
        queue: &QueueId,
        why: Refusal,
    ) {
        let (cause, reason) = match why {
            Refusal::QueueFull => (Cause::Busy, "the queue is full"),
            Refusal::UnknownQueue => (Cause::InternalError, "there is no such queue"),
            Refusal::QueueRemoved => (Cause::InternalError, "the queue is no more"),
            Refusal::AlreadyHere => (Cause::InternalError, "it is in the queue already"),
        };
        self.leave_queue(node, now, (queue, QueueExit::Refused), cause, reason);
    }

    fn leave_queue(
        &mut self,
        node: &mut Node,
        now: Instant,
        (queue, exit): (&QueueId, QueueExit),
        cause: Cause,
        reason: &str,
    ) {
        let step = match &self.stage {
            Stage::Queued { step, queue: mine, .. } | Stage::Ringing { step, queue: mine, .. }
                if mine == queue =>
            {
                *step
            }
            _ => {
                node.ignored += 1;
                return;
            }
        };
        self.drop_ring(node, now, Cause::QueueTimeout);
        let (left, reason) = (queue.clone(), reason.to_owned());
        self.narrative.decide(node, now, Decided::LeftQueue { queue: left, reason });
        self.tell(node, now, EventKind::LeftQueue { queue: queue.clone(), why: exit });
        self.stop_playing(node);
        self.stage = Stage::BetweenSteps;
        self.go_to_step(node, now, step + 1, cause);
    }
}

fn hangup_cause(cause: HangupCause) -> Cause {
    match cause {
        HangupCause::Normal => Cause::Normal,
        HangupCause::Busy => Cause::Busy,
        HangupCause::Unavailable => Cause::NoAnswer,
    }
}
