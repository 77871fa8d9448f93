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

    /// Whether the API keeps them apart.
    pub(super) fn is_by_api(self) -> bool {
        self.by_api
    }
}

impl Call {
    /// Two begin to talk, of whom one may hold already: a caller who did so in the queue, an agent
    /// to whom another caller is sent.
    pub(super) fn begin_held(&mut self, node: &mut Node, now: Instant) {
        let by_caller = self.caller.holds();
        let Stage::Connected { talk } = &mut self.stage else { return };
        let (far, caller) = (talk.leg, self.caller.id);
        let by_far = self.far.iter().any(|leg| leg.id == far && leg.holds());
        talk.held = Held { by_caller, by_far, by_api: false };
        for (holds, holder, waiting) in [(by_caller, caller, far), (by_far, far, caller)] {
            if holds {
                self.update_music(node, waiting);
                self.tell_held(node, now, self.side_holding(holder), true);
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
        let waiting = if is_caller {
            talk.held.by_caller = holds;
            talk.leg
        } else {
            talk.held.by_far = holds;
            self.caller.id
        };
        self.update_music(node, waiting);
        self.tell_held(node, now, self.side_holding(leg), holds);
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
        self.tell_when_obeyed(held(HoldSide::Api, holds, None));
        Ok(())
    }

    /// Of the two who talk the one who is no agent; the called one if both are.
    pub(super) fn customer(&self) -> Option<LegId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let caller_is_agent = self.caller.role.agent().is_some();
        Some(if caller_is_agent { talk.leg } else { self.caller.id })
    }

    /// Plays music to a leg that is held, and to no other.
    pub(super) fn update_music(&mut self, node: &mut Node, leg: LegId) {
        if !matches!(self.stage, Stage::Connected { .. }) {
            return;
        }
        if self.waits(leg) {
            self.play_music(node, leg);
        } else {
            self.stop_music(node, leg);
        }
    }

    /// Whether one who talks is held.
    pub(super) fn waits(&self, leg: LegId) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let held = talk.held;
        let by_other = if self.is_caller(leg) { held.by_far } else { held.by_caller };
        let is_one_of_two = self.is_caller(leg) || talk.leg == leg;
        // When more than two talk, one whose phone holds keeps nobody else waiting.
        by_other && is_one_of_two && !self.is_conference()
            || held.by_api && self.customer() == Some(leg)
            || self.transfer.is_some() && self.is_caller(leg)
            || self.leg(leg).is_some_and(|known| known.aside)
            || self.waits_for_page(leg)
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
        if let Some(known) = self.leg_mut(leg) {
            known.live.music = true;
        }
    }

    pub(super) fn stop_music(&mut self, node: &mut Node, leg: LegId) {
        if let Some(known) = self.leg_mut(leg) {
            known.live.music = false;
        }
        if let Some((stream, place)) = self.leg_mut(leg).and_then(|leg| leg.stream.open()) {
            node.media(place.worker, Command::StopPlaying { stream });
        }
    }

    /// Others are in the conversation than before: who of the two waits for whom may have changed.
    pub(super) fn review_music(&mut self, node: &mut Node) {
        let Stage::Connected { talk } = &self.stage else { return };
        for leg in [self.caller.id, talk.leg] {
            let plays = self.leg(leg).is_some_and(|known| known.live.music);
            let waits = self.waits(leg);
            match (plays, waits) {
                (false, true) => self.play_music(node, leg),
                (true, false) => self.stop_music(node, leg),
                _ => {}
            }
        }
    }

    /// Who holds whom is as their phones say, since one of the two is another.
    pub(super) fn renew_held(&mut self) {
        let by_caller = self.caller.holds();
        let Stage::Connected { talk } = &mut self.stage else { return };
        let far = talk.leg;
        let by_far = self.far.iter().any(|leg| leg.id == far && leg.holds());
        talk.held = Held { by_caller, by_far, by_api: false };
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

    /// Who holds: whoever called, wherever transfers have put them; else what they are. Two of the
    /// same kind, whom a transfer has joined, are told apart by their places in the call.
    fn side_holding(&self, leg: LegId) -> HoldSide {
        let is_caller = self.is_caller(leg);
        let other = match &self.stage {
            Stage::Connected { talk } if is_caller => Some(talk.leg),
            Stage::Connected { .. } => Some(self.caller.id),
            _ => None,
        };
        let side = self.kept_side(leg);
        if other.is_none_or(|other| self.kept_side(other) != side) {
            return side;
        }
        match self.leg(leg).map(|leg| &leg.role) {
            _ if is_caller => HoldSide::Caller,
            Some(Role::Agent(_)) => HoldSide::Agent,
            _ => HoldSide::Callee,
        }
    }

    fn kept_side(&self, leg: LegId) -> HoldSide {
        match self.leg(leg).map(|leg| (&leg.role, leg.called)) {
            Some((Role::Caller(_), _) | (Role::Agent(_), false)) | None => HoldSide::Caller,
            Some((Role::Agent(_), true)) => HoldSide::Agent,
            Some((Role::Trunk(_), _)) => HoldSide::Callee,
        }
    }

    fn tell_held(&self, node: &mut Node, now: Instant, by: HoldSide, holds: bool) {
        self.tell(node, now, held(by, holds, None));
    }
}

/// What is told of a hold, or of its end: of one party alone, if that one is named.
pub(super) fn held(by: HoldSide, holds: bool, leg: Option<LegId>) -> EventKind {
    let leg = leg.map(|leg| leg.0);
    if holds { EventKind::CallHeld { by, leg } } else { EventKind::CallResumed { by, leg } }
}
