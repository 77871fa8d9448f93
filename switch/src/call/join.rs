//! Attended transfers: an agent who talks in two calls joins the other two (RFC 5589 §7). The first
//! call takes the far side of the second one in; the second one ends.

use base::{CallId, Instant, LegId, TrunkId};
use sip::header::Replaces;
use sip::{ServerTx, StatusCode};

use super::leg::{Ack, Established, Leg, Role, Signalling};
use super::{Call, Recording, Stage};
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::Node;
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// What joins two calls, and waits for the other one to be found.
pub(crate) enum Join {
    /// A REFER with Replaces.
    Refer(Refer),
    /// A carrier has joined the far side of this call with another one's.
    Over(CallId),
    /// The caller of one call takes a leg of another one over.
    Pickup {
        /// The call of the one who does.
        by: CallId,
        /// The leg.
        of: LegRef,
    },
}

/// A REFER with Replaces.
#[derive(Clone)]
pub(crate) struct Refer {
    /// Whose REFER it is.
    pub(crate) by: LegRef,
    /// Itself, until it is answered: with 202 before a carrier is asked to do it.
    pub(crate) tx: Option<ServerTx>,
    /// The dialog of the same agent in the other call.
    pub(crate) replaces: Replaces,
    /// Whether the agent's phone is to be told how it goes.
    pub(crate) notify: bool,
    /// Whom it names, for events.
    pub(crate) to: String,
    /// The other call, once it is found.
    pub(crate) other: Option<CallId>,
}

/// What one call gives to the other.
pub(crate) struct Parted {
    pub(super) leg: Leg,
    /// The trunk that counts the leg as a call.
    pub(super) trunk: Option<TrunkId>,
    pub(super) number: String,
}

impl Call {
    /// The agent whose conversation this leg is part of; `None` if the leg does not talk.
    pub(crate) fn talker(&self, leg: LegId) -> Option<&base::AgentId> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let role = if self.is_caller(leg) {
            &self.caller.role
        } else if talk.leg == leg {
            &talk.with
        } else {
            return None;
        };
        role.agent()
    }

    /// Gives away whoever talks with that leg; the call ends.
    pub(crate) fn part(&mut self, node: &mut Node, now: Instant, leg: LegId) -> Option<Parted> {
        let stays = match &self.stage {
            Stage::Connected { talk } if self.is_caller(leg) => talk.leg,
            _ => self.caller.id,
        };
        // From here on the agent's leg is the caller's, and the one to give away is the far one.
        let talk = self.part_talk(node, now, stays)?;
        self.stop_music(node, self.caller.id);
        self.release_talker(node, now, talk.of_queue, None);
        let parted = self.take_out(node, talk.leg)?;
        self.end(node, now, Cause::Transferred, EndedBy::Agent);
        self.settle_if_done(node);
        Some(parted)
    }

    /// Takes a far leg out of the call, with what counts it.
    pub(super) fn take_out(&mut self, node: &mut Node, leg: LegId) -> Option<Parted> {
        let at = self.far.iter().position(|far| far.id == leg)?;
        let number = self.number_of(leg);
        self.disarm_timer(node, leg);
        self.forget_talking(node, leg);
        let mut leg = self.far.swap_remove(at);
        leg.number = Some(number.clone());
        (leg.muted, leg.aside, leg.side) = (false, false, None);
        let trunk = leg.role.trunk().and_then(|trunk| {
            let counted = self.on_trunks.iter().position(|one| one == trunk);
            counted.map(|at| self.on_trunks.swap_remove(at))
        });
        Some(Parted { leg, trunk, number })
    }

    /// Takes the other call's far side in, in place of the agent who asked for it.
    pub(crate) fn take_in(&mut self, node: &mut Node, now: Instant, refer: &Refer, parted: Parted) {
        if refer.notify {
            self.notify(node, now, refer.by.leg, StatusCode::OK);
        }
        let (by, to) = (self.agent_of(refer.by.leg).cloned(), parted.number.clone());
        let with = parted.leg.role.clone();
        let new = self.welcome(node, parted);
        self.narrative.decide(node, now, Decided::Transfer { by: by.clone(), to: to.clone() });
        self.tell(node, now, EventKind::CallTransferred { by, to });
        self.replace(node, now, refer.by.leg, (new, with));
        self.arrange(node, now);
    }

    /// What a REFER that has been taken cannot be done with.
    pub(crate) fn join_refused(
        &mut self,
        node: &mut Node,
        now: Instant,
        refer: &Refer,
        status: StatusCode,
    ) {
        if refer.notify {
            self.notify(node, now, refer.by.leg, status);
        }
        let (by, cause) = (self.agent_of(refer.by.leg).cloned(), Cause::NoRoute);
        let to = refer.to.clone();
        self.tell(node, now, EventKind::TransferFailed { by, to, cause });
    }

    /// One who talks leaves; another leg of the call, which is up, talks in its place.
    pub(super) fn replace(
        &mut self,
        node: &mut Node,
        now: Instant,
        goes: LegId,
        new: (LegId, Role),
    ) {
        let Some(talk) = self.part_talk(node, now, goes) else { return };
        let was_recorded = matches!(talk.recording, Recording::On { .. });
        self.stop_music(node, self.caller.id);
        self.hang_up(node, now, goes, Cause::Normal);
        let by = talk.with.agent().filter(|by| Some(*by) != new.1.agent()).cloned();
        self.release_talker(node, now, talk.of_queue, by.as_ref());
        self.join_transferred(node, now, new, was_recorded);
    }

    /// Takes a leg of another call in, with what counts it.
    pub(super) fn welcome(&mut self, node: &mut Node, parted: Parted) -> LegId {
        let Parted { leg, trunk, .. } = parted;
        self.on_trunks.extend(trunk);
        let id = leg.id;
        self.adopt(node, leg);
        id
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
        match &leg.signalling {
            Signalling::Up(Established { dialog, flow, ack }) => {
                if let Some(before) = node.index.dialogs.insert(dialog.id(), owner) {
                    node.index.rebind_connection(flow, before, owner);
                }
                if let Ack::Awaited { tx, .. } = ack {
                    node.index.servers.insert(*tx, owner);
                }
            }
            Signalling::Ringing(forks) => {
                for fork in &forks.invites {
                    if let Some(before) = node.index.clients.insert(fork.tx, owner) {
                        node.index.forget_leg(before);
                    }
                    node.index.bind_connection(&fork.flow, owner);
                    for dialog in fork.early.dialogs.ids() {
                        node.index.dialogs.insert(dialog, owner);
                    }
                }
            }
            _ => {}
        }
        if let Some(refreshing) = &leg.refreshing {
            node.index.clients.insert(refreshing.tx(), owner);
        }
        if let Some((stream, _)) = leg.stream.open() {
            node.ports.rehome(stream, self.id);
        }
        self.add_far(leg);
        self.arm_timer(node, id);
    }
}
