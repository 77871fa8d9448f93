//! A call that is up, as the API shows it.

use base::Instant;

use super::guests::Guest;
use super::leg::{Leg, Signalling};
use super::{Call, Recording, Stage};
use crate::api::{LiveCall, LiveLeg, LiveState};
use crate::node::Node;
use crate::record::millis;

impl Call {
    pub(crate) fn live(&self, node: &Node, now: Instant) -> LiveCall {
        let (state, agent) = match &self.stage {
            Stage::Opening(_) | Stage::AwaitingMedia { .. } => (LiveState::Setup, None),
            Stage::BetweenSteps
            | Stage::Prompt { .. }
            | Stage::Collecting(_)
            | Stage::Listening(_) => (LiveState::Flow, None),
            Stage::Queued { .. } => (LiveState::Queued, None),
            Stage::Ringing { ring, .. } => (LiveState::Ringing, Some(ring.agent.clone())),
            Stage::Dialling => {
                let rings = self.dialling.as_ref().is_some_and(|dial| dial.alerting);
                let state = if rings { LiveState::Ringing } else { LiveState::Setup };
                (state, self.narrative.agent.clone())
            }
            Stage::Connected { .. } if self.is_sent_on() => (LiveState::Ringing, None),
            Stage::Connected { talk } => {
                let agent = talk.with.agent().or(self.caller.role.agent());
                (LiveState::Connected, agent.cloned())
            }
            Stage::Ending(_) => (LiveState::Ending, self.narrative.agent.clone()),
        };
        let recording = match &self.stage {
            Stage::Connected { talk } => match talk.recording {
                Recording::On { recording, .. } => Some(recording),
                Recording::Off => None,
            },
            _ => None,
        };
        let told = &self.narrative;
        LiveCall {
            id: self.id,
            state,
            direction: self.direction,
            trunk: self.trunk.clone(),
            from: self.from.number.clone(),
            to: self.to.clone(),
            queue: told.queue.clone(),
            agent,
            started_at: node.wall(told.started),
            answered_at: told.answered.map(|at| node.wall(at)),
            connected_at: told.connected.map(|at| node.wall(at)),
            duration_ms: millis(now.since(told.started)),
            recording,
            paused_until: self.paused_until().map(|until| node.wall(until)),
            held: self.legs().any(|leg| self.waits(leg.id)),
            legs: self.legs().filter(|leg| leg.is_up()).map(|leg| self.live_leg(leg)).collect(),
        }
    }

    fn live_leg(&self, leg: &Leg) -> LiveLeg {
        let mode = self.guest(leg.id).and_then(Guest::supervising).map(|one| one.mode);
        let (agent, trunk) = leg.role.names();
        LiveLeg {
            leg: leg.id,
            kind: leg.kind(),
            agent,
            trunk,
            number: self.number_of(leg.id),
            answered: matches!(leg.signalling, Signalling::Up(_)),
            mode,
            muted: leg.muted,
            held: self.waits(leg.id),
            holds: leg.holds(),
            codec: leg.remote.map(|remote| remote.codec),
            srtp: leg.srtp.as_ref().map(|keys| keys.ours.profile()),
            stats: leg.live.figures.clone(),
            quality: leg.live.history.samples(),
        }
    }
}
