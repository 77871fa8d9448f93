//! A leg of a call is taken over by an agent's phone: one that rings (call pickup), or one that
//! talks (RFC 3891). The phone's INVITE is a call of its own until we have answered it; then its
//! leg moves to the call that it takes over, and what is left of it ends.

use base::{AgentId, Instant, LegId, QueueId};
use media::WorkerId;
use routing::{Input, Supervision};
use sip::header::Replaces;
use sip::{DialogId, StatusCode};

use super::join::Parted;
use super::leg::{Leg, Role, Signalling};
use super::model::Then;
use super::refusal::Refusal;
use super::setup::Opening;
use super::terms::Terms;
use super::{Call, Party, Stage};
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::Node;
use crate::record::{AttemptOutcome, Decided};
use crate::{Cause, EndedBy};

/// A leg to be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) leg: LegRef,
    /// Where its call's media live.
    pub(crate) worker: Option<WorkerId>,
    /// Only as long as it rings.
    pub(crate) while_early: bool,
    /// What for.
    pub(crate) purpose: Purpose,
}

/// What a phone's INVITE is to another call's leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// It takes the leg's place.
    TakeOver,
    /// It supervises the conversation of that leg's agent.
    Supervise(Supervision),
}

/// A dialog of an agent's phone that a Replaces names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    /// We call the phone, or it talks.
    Leg(LegId),
    /// The phone calls us and has not been answered: nothing to be taken over (RFC 3891 §3).
    Unanswered(LegId),
    /// It is being hung up.
    Over,
}

impl Call {
    /// What a Replaces names of this call; dialogs of trunks are nobody's to take over.
    pub(crate) fn named(&self, replaces: &Replaces) -> Option<Named> {
        let legs = std::iter::once(&self.caller).chain(&self.far);
        legs.filter(|leg| leg.role.agent().is_some()).find_map(|leg| named(leg, replaces))
    }

    /// The agent whose leg it is.
    pub(crate) fn agent_of(&self, leg: LegId) -> Option<&AgentId> {
        let mut legs = std::iter::once(&self.caller).chain(&self.far);
        legs.find(|known| known.id == leg)?.role.agent()
    }

    /// The leg that rings an agent and may be picked up.
    pub(crate) fn rings(&self) -> Option<(LegId, &AgentId)> {
        let leg = match (&self.stage, &self.dialling) {
            (Stage::Ringing { ring, .. }, _) => ring.leg,
            (_, Some(dial)) => dial.leg?,
            _ => return None,
        };
        (self.is_open_to_pickup(leg) == Ok(true)).then_some((leg, self.agent_of(leg)?))
    }

    /// Whom one who is to take the call over sees calling.
    pub(crate) fn shown_to_taker(&self) -> Party {
        self.from.clone()
    }

    /// Whether somebody else may take the leg's place: `true` while it rings, `false` when it
    /// talks.
    fn is_open_to_pickup(&self, leg: LegId) -> Result<bool, StatusCode> {
        let is_first = self.is_dialling_first();
        match &self.stage {
            Stage::Ending(_) => Err(StatusCode::DECLINE),
            Stage::Ringing { ring, .. } if ring.leg == leg => Ok(true),
            _ if self.is_dialling(leg) && !is_first => Ok(true),
            Stage::Connected { talk }
                if self.transfer.is_none() && (talk.leg == leg || self.is_caller(leg)) =>
            {
                Ok(false)
            }
            _ => Err(StatusCode::TEMPORARILY_UNAVAILABLE),
        }
    }

    /// A leg of this call as somebody's target, if it may be one.
    pub(crate) fn target(&self, leg: LegId, while_early: bool) -> Result<Target, StatusCode> {
        let (worker, purpose) = (self.worker(), Purpose::TakeOver);
        let target = Target { leg: self.leg_ref(leg), worker, while_early, purpose };
        self.may_be_taken(&target).map(|_| target)
    }

    /// Whether it still may. Says whether it rings.
    pub(crate) fn may_be_taken(&self, target: &Target) -> Result<bool, StatusCode> {
        if let Purpose::Supervise(_) = target.purpose {
            let talks = self.parties().contains(&target.leg.leg);
            return if talks { Ok(false) } else { Err(StatusCode::TEMPORARILY_UNAVAILABLE) };
        }
        match self.is_open_to_pickup(target.leg.leg)? {
            false if target.while_early => Err(StatusCode::BUSY_HERE),
            early => Ok(early),
        }
    }

    /// What this call's caller is to take over, while that has not happened.
    pub(crate) fn pickup(&self) -> Option<Target> {
        match &self.stage {
            Stage::Opening(Opening { pickup, .. }) | Stage::AwaitingMedia { pickup } => *pickup,
            _ => None,
        }
    }

    /// Answers the one who takes a leg over, unless that is no longer there. Says whether its leg
    /// can move now.
    pub(crate) fn answer_taker(
        &mut self,
        node: &mut Node,
        now: Instant,
        verdict: Result<(), StatusCode>,
    ) -> bool {
        let pickup = self.pickup();
        let is_ready = match verdict {
            Err(status) if self.is_unanswered() => {
                self.refuse(node, now, Refusal::of_pickup(status));
                false
            }
            Err(_) => {
                self.end(node, now, Cause::NoAnswer, EndedBy::Engine);
                false
            }
            Ok(()) if !self.is_unanswered() => true,
            Ok(()) => match self.answer_caller(node, now) {
                Ok(true) => true,
                Ok(false) => {
                    self.stage = Stage::AwaitingMedia { pickup };
                    false
                }
                Err(cause) => {
                    self.end(node, now, cause, EndedBy::Engine);
                    false
                }
            },
        };
        self.settle_if_done(node);
        is_ready
    }

    /// Gives the caller's leg away; nothing is left of it here.
    pub(crate) fn give_caller(&mut self, node: &mut Node) -> Parted {
        let role = self.caller.role.clone();
        let rest = Leg::new(node, role, Terms::default(), Signalling::Gone);
        let alarm_of = self.caller.id;
        self.disarm_timer(node, alarm_of);
        let mut leg = std::mem::replace(&mut self.caller, rest);
        leg.reliably = None;
        Parted { leg, trunk: None, number: self.to.clone() }
    }

    /// Ends a call whose caller has gone to another one.
    pub(crate) fn end_taker(&mut self, node: &mut Node, now: Instant) {
        self.finish(node, now, Cause::PickedUp, EndedBy::Caller);
        self.settle_if_done(node);
    }

    /// Another phone's leg takes the place of one of ours.
    pub(crate) fn take_over(&mut self, node: &mut Node, now: Instant, of: LegId, parted: Parted) {
        let from = self.agent_of(of).cloned();
        let (Some(from), Some(by)) = (from, parted.leg.role.agent().cloned()) else { return };
        let new = self.welcome(node, parted);
        self.engage(node, now, &by);
        self.narrative.decide(node, now, Decided::PickedUp { by: by.clone(), from: from.clone() });
        self.tell(node, now, EventKind::CallPickedUp { by: by.clone(), from });
        match &self.stage {
            Stage::Ringing { queue, ring, .. } if ring.leg == of => {
                let queue = queue.clone();
                self.take_from_queue(node, now, (of, queue), (new, by));
            }
            _ if self.is_dialling(of) => self.take_from_dial(node, now, of, new),
            _ => self.replace(node, now, of, (new, Role::Agent(by))),
        }
        self.arrange(node, now);
        self.settle_if_done(node);
    }

    fn take_from_queue(
        &mut self,
        node: &mut Node,
        now: Instant,
        (of, queue): (LegId, QueueId),
        (new, by): (LegId, AgentId),
    ) {
        let Stage::Ringing { ring, .. } = std::mem::replace(&mut self.stage, Stage::BetweenSteps)
        else {
            return;
        };
        let outcome = AttemptOutcome::Withdrawn;
        self.narrative.decide(node, now, Decided::Attempt { agent: ring.agent, outcome });
        self.hang_up(node, now, of, Cause::PickedUp);
        let (tenant, work) = (self.tenant.clone(), self.work());
        node.router.handle_input(now, Input::PickedUp { tenant, work });
        self.meet(node, now, (new, by), queue, false);
    }

    fn take_from_dial(&mut self, node: &mut Node, now: Instant, of: LegId, new: LegId) {
        let Some(dial) = &mut self.dialling else { return };
        dial.leg = Some(new);
        let is_beside = matches!(dial.then, Then::Beside);
        let is_for_guest = matches!(dial.then, Then::Guest);
        self.hang_up(node, now, of, Cause::PickedUp);
        if is_for_guest {
            self.participant_answered(node, now, new);
        } else if is_beside {
            self.beside_answered(node, now, new);
        } else {
            self.join(node, now, new);
        }
    }
}

fn named(leg: &Leg, replaces: &Replaces) -> Option<Named> {
    match &leg.signalling {
        Signalling::Up(up) => replaces.names(&up.dialog.id()).then_some(Named::Leg(leg.id)),
        Signalling::Leaving { dialog, .. } => replaces.names(&dialog.id()).then_some(Named::Over),
        Signalling::Ringing(forks) => {
            let mut early = forks.invites.iter().flat_map(|fork| fork.early.dialogs.ids());
            early.any(|dialog| names_early(replaces, &dialog)).then_some(Named::Leg(leg.id))
        }
        Signalling::Invited { invite, pending, .. } => {
            let dialog = DialogId {
                call_id: invite.call_id().to_owned(),
                local_tag: pending.tag.clone(),
                remote_tag: invite.from_tag().unwrap_or_default().to_owned(),
            };
            replaces.names(&dialog).then_some(Named::Unanswered(leg.id))
        }
        Signalling::Refused | Signalling::Preparing { .. } | Signalling::Gone => None,
    }
}

/// Phones that know a ringing dialog from a watched one (RFC 4235) write its tags from either end.
fn names_early(replaces: &Replaces, dialog: &DialogId) -> bool {
    let turned = DialogId {
        call_id: dialog.call_id.clone(),
        local_tag: dialog.remote_tag.clone(),
        remote_tag: dialog.local_tag.clone(),
    };
    replaces.names(dialog) || replaces.names(&turned)
}
