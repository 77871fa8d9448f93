//! What a far end says before it answers: that it rings, and what it lets be heard (RFC 3261
//! §13.2.2.1, RFC 3960). The caller hears the same, or our own ringing tone.

use base::{Instant, LegId};
use sip::{ClientTx, Message, StatusCode};

use super::Call;
use super::leg::{Leg, Role, Signalling};
use super::model::Then;
use super::negotiation::{Media, media_of};
use crate::event::EventKind;
use crate::node::Node;

impl Call {
    /// A provisional response to an INVITE of ours.
    pub(super) fn on_progress(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        if !self.acknowledge_early(node, now, leg, tx, response) {
            return;
        }
        let is_dialling = self.is_dialling(leg);
        let rings = response.status() != Some(StatusCode::SESSION_PROGRESS)
            && response.status() != Some(StatusCode::CALL_IS_BEING_FORWARDED);
        let Some(Leg { signalling: Signalling::Ringing(forks), role, .. }) = self.leg_mut(leg)
        else {
            return;
        };
        let role = role.clone();
        let Some(fork) = forks.invites.iter().find(|fork| fork.tx == tx) else { return };
        let offer = fork.offer.clone();
        let has_media =
            matches!(role, Role::Trunk(_)) && matches!(media_of(response), Media::Described(_));
        // A phone's first word counts, whatever it is; a trunk may well say nothing for long.
        let is_first =
            (rings || matches!(role, Role::Agent(_))) && !std::mem::replace(&mut forks.rings, true);
        if is_first {
            let (agent, trunk) = role.names();
            self.tell(node, now, EventKind::CallRinging { agent, trunk });
        }
        let is_beside = matches!(&self.dialling,
            Some(dial) if matches!(dial.then, Then::Beside | Then::Guest));
        if !is_dialling || is_beside {
            return;
        }
        if has_media && self.is_early_media_heard(&role) {
            self.hear_early(node, now, leg, &offer, response);
        }
        if is_first {
            self.let_ring(node, now);
        }
    }

    fn is_early_media_heard(&self, role: &Role) -> bool {
        let Role::Trunk(trunk) = role else { return false };
        self.directory.trunk(trunk).is_some_and(|trunk| trunk.early_media)
    }

    /// The caller hears the far end before it answers.
    fn hear_early(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        offer: &[u8],
        response: &Message,
    ) {
        let taken =
            self.leg_mut(leg).is_some_and(|leg| leg.accept_answer(node, offer, response).is_ok());
        if taken {
            self.listen_early(node, leg);
        }
        if !taken || self.is_caller(leg) || !self.open_early(node, now) {
            return;
        }
        let Some(dial) = &mut self.dialling else { return };
        dial.alerting = true;
        dial.trunks.clear();
        if !std::mem::replace(&mut dial.heard, true) {
            self.stop_playing(node);
            self.bridge(node, now, leg);
        }
    }

    /// The far end rings: nobody else is tried, and the caller hears that it does.
    fn let_ring(&mut self, node: &mut Node, now: Instant) {
        let is_first = self.is_dialling_first();
        let Some(dial) = &mut self.dialling else { return };
        dial.alerting = true;
        dial.trunks.clear();
        if dial.heard || is_first {
            return;
        }
        if self.is_unanswered() {
            self.relay_ringing(node, now);
        } else {
            self.play_ringing(node);
        }
    }

    /// Our own ringing tone, for a caller who has been answered already.
    pub(super) fn play_ringing(&mut self, node: &mut Node) {
        let country = self.directory.country(&self.tenant);
        let Some(dial) = &mut self.dialling else { return };
        if std::mem::replace(&mut dial.tone, true) {
            return;
        }
        let sounds = node.ringing_tone(country);
        self.play_sounds(node, self.caller.id, sounds, true);
    }

    /// The caller hears neither tone nor far end any more.
    pub(super) fn silence(&mut self, node: &mut Node) {
        let Some(dial) = &mut self.dialling else { return };
        dial.alerting = false;
        dial.heard = false;
        if std::mem::replace(&mut dial.tone, false) {
            self.stop_playing(node);
        }
    }
}
