//! Attended transfers: an agent who talks in two calls joins the other two (RFC 5589 §7). The first
//! call takes the far side of the second one in; the second one ends.

use base::{Instant, LegId, TrunkId};
use sip::header::Replaces;
use sip::{ServerTx, StatusCode};

use super::leg::{Ack, Established, Leg, Role, Signalling};
use super::{Call, Recording, Stage};
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::Node;
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// A REFER with Replaces that waits for the other call to be found.
pub(crate) struct Join {
    /// Whose REFER it is.
    pub(crate) by: LegRef,
    pub(crate) tx: ServerTx,
    /// The dialog of the same agent in the other call.
    pub(crate) replaces: Replaces,
    /// Whether the agent's phone is to be told how it goes.
    pub(crate) notify: bool,
}

/// What one call gives to the other.
pub(crate) struct Parted {
    leg: Leg,
    /// The trunk that counts the leg as a call.
    trunk: Option<TrunkId>,
    number: String,
}

impl Call {
    /// The agent whose conversation this leg is part of, and the media worker it lives on; `None`
    /// if the leg does not talk.
    pub(crate) fn talker(&self, leg: LegId) -> Option<(&base::AgentId, Option<media::WorkerId>)> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let role = if self.is_caller(leg) {
            &self.caller.role
        } else if talk.leg == leg {
            &talk.with
        } else {
            return None;
        };
        Some((role.agent()?, self.worker()))
    }

    /// Gives away whoever talks with that leg; the call ends.
    pub(crate) fn part(&mut self, node: &mut Node, now: Instant, leg: LegId) -> Option<Parted> {
        let stays = match &self.stage {
            Stage::Connected { talk } if self.is_caller(leg) => talk.leg,
            _ => self.caller.id,
        };
        // From here on the agent's leg is the caller's, and the one to give away is the far one.
        let talk = self.part_talk(node, stays)?;
        self.stop_music(node, self.caller.id);
        self.release_talker(node, now, talk.of_queue, None);
        let at = self.far.iter().position(|far| far.id == talk.leg)?;
        self.drop_timer(node, talk.leg);
        let parted = self.far.swap_remove(at);
        let trunk = match &parted.role {
            Role::Trunk(trunk) | Role::Caller(trunk) => {
                let counted = self.on_trunks.iter().position(|one| one == trunk);
                counted.map(|at| self.on_trunks.swap_remove(at))
            }
            Role::Agent(_) => None,
        };
        let number = self.to.clone();
        self.end(node, now, Cause::Transferred, EndedBy::Agent);
        self.settle_if_done(node);
        Some(Parted { leg: parted, trunk, number })
    }

    /// Takes the other call's far side in, in place of the agent who asked for it.
    pub(crate) fn take_in(&mut self, node: &mut Node, now: Instant, join: &Join, parted: Parted) {
        let Some(talk) = self.part_talk(node, join.by.leg) else { return };
        let was_recorded = matches!(talk.recording, Recording::On { .. });
        self.stop_music(node, self.caller.id);
        if join.notify {
            self.notify(node, now, join.by.leg, StatusCode::OK);
        }
        self.hang_up(node, now, join.by.leg, Cause::Normal);
        let by = talk.with.agent().cloned();
        self.release_talker(node, now, talk.of_queue, by.as_ref());

        let Parted { leg, trunk, number } = parted;
        self.on_trunks.extend(trunk);
        let (id, with) = (leg.id, leg.role.clone());
        self.adopt(node, leg);
        self.narrative.decide(node, now, Decided::Transfer { by: by.clone(), to: number.clone() });
        self.tell(node, now, EventKind::CallTransferred { by, to: number });
        self.join_transferred(node, now, (id, with), was_recorded);
    }

    /// Makes a leg of another call one of this call's: whatever finds it finds it here.
    fn adopt(&mut self, node: &mut Node, leg: Leg) {
        let (id, owner) = (leg.id, self.leg_ref(leg.id));
        for sip_call in &leg.sip_calls {
            node.index.sip_calls.insert(sip_call.clone(), self.id);
        }
        for stray in &leg.strays {
            node.strays.rehome(*stray, self.id);
        }
        if let Signalling::Up(Established { dialog, flow, ack }) = &leg.signalling {
            if let Some(before) = node.index.dialogs.insert(dialog.id(), owner) {
                node.index.rebind_connection(flow, before, owner);
            }
            if let Ack::Awaited { tx, .. } = ack {
                node.index.servers.insert(*tx, owner);
            }
        }
        if let Some((stream, _)) = leg.stream.open() {
            node.ports.rehome(stream, self.id);
        }
        self.far.push(leg);
        self.arm_timer(node, id);
    }
}
