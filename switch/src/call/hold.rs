//! Hold: by a phone's own offer (RFC 3264 §8.4, RFC 6337 §5.3), or through the API. Who waits hears
//! music of ours, over whatever the bridge would carry; the bridge itself stays.

use base::{Instant, LegId};
use media::Command;

use super::leg::Role;
use super::{Call, Stage};
use crate::api::ApiError;
use crate::event::{EventKind, HoldSide};
use crate::node::Node;

/// Which sides of a conversation hold the other.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Held {
    /// The caller's leg holds the other one.
    by_caller: bool,
    /// The other leg holds the caller's.
    by_far: bool,
    /// The API keeps them apart.
    by_api: bool,
}

impl Held {
    /// Whether anybody keeps the two apart.
    pub(super) fn by_anybody(self) -> bool {
        self.by_caller || self.by_far || self.by_api
    }

    /// The same, when the two legs have changed places.
    pub(super) fn turned(self) -> Self {
        Self { by_caller: self.by_far, by_far: self.by_caller, by_api: self.by_api }
    }
}

impl Call {
    /// Two begin to talk, of whom one may hold already: a caller who did so in the queue, an agent
    /// to whom another caller is sent.
    pub(super) fn begin_held(&mut self, node: &mut Node, now: Instant) {
        let by_caller = self.caller.holds();
        let Stage::Connected { talk } = &mut self.stage else { return };
        let (far, with) = (talk.leg, side_of(&talk.with));
        let by_far = self.far.iter().any(|leg| leg.id == far && leg.holds());
        talk.held = Held { by_caller, by_far, by_api: false };
        for (holds, side, waiting) in
            [(by_caller, HoldSide::Caller, far), (by_far, with, self.caller.id)]
        {
            if holds {
                self.update_music(node, waiting);
                self.tell_held(node, now, side, true);
            }
        }
    }

    /// A leg's new offer holds the other leg, or takes it back.
    fn on_hold(&mut self, node: &mut Node, now: Instant, leg: LegId, holds: bool) {
        let is_caller = self.is_caller(leg);
        let Stage::Connected { talk } = &mut self.stage else { return };
        if !is_caller && talk.leg != leg {
            return;
        }
        let (waiting, side) = if is_caller {
            talk.held.by_caller = holds;
            (talk.leg, HoldSide::Caller)
        } else {
            talk.held.by_far = holds;
            (self.caller.id, side_of(&talk.with))
        };
        self.update_music(node, waiting);
        self.tell_held(node, now, side, holds);
    }

    /// A leg's description has changed, by an offer or by an answer.
    pub(super) fn on_described(&mut self, node: &mut Node, now: Instant, leg: LegId, held: bool) {
        let holds = self.leg_mut(leg).is_some_and(|leg| leg.holds());
        if held != holds {
            self.on_hold(node, now, leg, holds);
        }
    }

    /// The API holds the customer, or takes the customer back.
    ///
    /// # Errors
    /// When nobody talks, or it is so already.
    pub(crate) fn hold(
        &mut self,
        node: &mut Node,
        now: Instant,
        holds: bool,
    ) -> Result<(), ApiError> {
        let Stage::Connected { talk } = &mut self.stage else {
            return Err(ApiError::Conflict("nobody talks in this call".to_owned()));
        };
        if talk.held.by_api == holds {
            let already = if holds { "it is held already" } else { "it is not held" };
            return Err(ApiError::Conflict(already.to_owned()));
        }
        talk.held.by_api = holds;
        let (far, customer) = (talk.leg, self.customer());
        if holds {
            self.unbridge(node, far);
        } else {
            self.bridge(node, now, far);
        }
        if let Some(customer) = customer {
            self.update_music(node, customer);
        }
        self.tell_held(node, now, HoldSide::Api, holds);
        Ok(())
    }

    /// Of the two who talk the one who is no agent; the called one if both are.
    fn customer(&self) -> Option<LegId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let caller_is_agent = self.caller.role.agent().is_some();
        Some(if caller_is_agent { talk.leg } else { self.caller.id })
    }

    /// Plays music to a leg that is held, and to no other.
    pub(super) fn update_music(&mut self, node: &mut Node, leg: LegId) {
        let Stage::Connected { talk } = &self.stage else { return };
        let held = talk.held;
        let is_held = if self.is_caller(leg) { held.by_far } else { held.by_caller }
            || held.by_api && self.customer() == Some(leg)
            || self.transfer.is_some() && self.is_caller(leg);
        if is_held {
            self.play_music(node, leg);
        } else {
            self.stop_music(node, leg);
        }
    }

    /// The music of the queue that the call came from, else the tenant's; nothing if there is none.
    pub(super) fn play_music(&mut self, node: &mut Node, leg: LegId) {
        let (tenant, directory) = (&self.tenant, &self.directory);
        let queue = self.narrative.queue.as_ref().and_then(|queue| directory.queue(tenant, queue));
        let music = queue
            .map(|queue| queue.music.clone())
            .or_else(|| directory.hold_music(tenant).cloned());
        if let Some(music) = music {
            self.play_to(node, leg, &music, true);
        }
    }

    pub(super) fn stop_music(&mut self, node: &mut Node, leg: LegId) {
        if let Some((stream, place)) = self.leg_mut(leg).and_then(|leg| leg.stream.open()) {
            node.media(place.worker, Command::StopPlaying { stream });
        }
    }

    /// The two who were parted by a transfer are as they were before.
    pub(super) fn take_back(&mut self, node: &mut Node, now: Instant) {
        let Stage::Connected { talk } = &self.stage else { return };
        let (caller, far, is_apart) = (self.caller.id, talk.leg, talk.held.by_api);
        if !is_apart {
            self.bridge(node, now, far);
        }
        self.update_music(node, caller);
        self.update_music(node, far);
    }

    fn tell_held(&self, node: &mut Node, now: Instant, by: HoldSide, holds: bool) {
        let kind = if holds { EventKind::CallHeld { by } } else { EventKind::CallResumed { by } };
        self.tell(node, now, kind);
    }
}

fn side_of(far: &Role) -> HoldSide {
    match far {
        Role::Agent(_) => HoldSide::Agent,
        Role::Caller(_) | Role::Trunk(_) => HoldSide::Callee,
    }
}
