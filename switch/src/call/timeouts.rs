//! What did not come: a final response, an ACK, the transport itself.

use base::{Instant, LegId};
use sip::{ClientTx, Message, ServerTx};

use super::leg::{Ack, Established, Leg, Signalling};
use super::takeover::Target;
use super::{Call, Join, Stage};
use crate::node::Node;
use crate::{Cause, EndedBy};

impl Call {
    /// A response to a request of ours: to an INVITE, or to a BYE.
    pub(super) fn on_response(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        if self.is_leaving(leg, tx) {
            if response.status().is_some_and(sip::StatusCode::is_final) {
                self.on_gone(node, leg);
            }
        } else if self.is_stray(leg, tx) {
            if response.status().is_some_and(sip::StatusCode::is_final) {
                self.on_stray_over(tx);
            }
        } else if self.is_passed(tx) {
            self.on_refer_response(node, now, Some(response));
        } else if self.is_refresh(leg, tx) {
            self.on_refreshed(node, now, leg, Some(response));
        } else {
            self.on_invite_response(node, now, leg, tx, response);
        }
    }

    /// No final response: Timer B or F.
    pub(super) fn on_timed_out(&mut self, node: &mut Node, now: Instant, leg: LegId, tx: ClientTx) {
        if self.is_leaving(leg, tx) {
            self.on_gone(node, leg);
        } else if self.is_stray(leg, tx) {
            self.on_stray_over(tx);
        } else if self.is_passed(tx) {
            self.on_refer_response(node, now, None);
        } else if self.is_refresh(leg, tx) {
            self.on_refreshed(node, now, leg, None);
        } else {
            self.on_invite_unreachable(node, now, leg, tx);
        }
    }

    /// It could not even be sent.
    pub(super) fn on_transport_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
    ) {
        if self.is_leaving(leg, tx) && self.save_bye(node, now, leg) {
            return;
        }
        if self.is_refresh(leg, tx) && self.goes_adrift(node, now, leg) {
            return self.put_off_refresh(node, now, leg);
        }
        self.on_timed_out(node, now, leg, tx);
    }

    /// Nobody confirmed our 2xx: hang up (RFC 3261 §13.3.1.4).
    pub(super) fn on_ack_missing(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        missing: ServerTx,
    ) {
        node.index.servers.remove(&missing);
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg_mut(leg) else { return };
        let Ack::Awaited { tx, then_bye, .. } = up.ack else { return };
        if tx != missing {
            return;
        }
        up.ack = Ack::Confirmed;
        let is_over = matches!(self.stage, Stage::Ending(_));
        if is_over || then_bye {
            self.hang_up(node, now, leg, Cause::Timeout);
        } else {
            self.lose(node, now, leg, Cause::Timeout);
        }
    }

    /// The connection that an agent's leg came over is gone, and the phone with it. What was under
    /// way on it the transaction layer has failed already: one of several phones that ring, say.
    pub(super) fn on_connection_closed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        connection: u64,
    ) {
        let flow = self.leg_mut(leg).and_then(|known| known.signalling.flow());
        if flow.is_none_or(|flow| flow.connection != connection) {
            return;
        }
        if self.leg_mut(leg).is_some_and(|known| known.role.trunk().is_some()) {
            return self.find_another_way(node, now, leg);
        }
        if self.goes_adrift(node, now, leg) {
            return;
        }
        let is_talking = matches!(&self.stage, Stage::Connected { talk } if talk.leg == leg);
        let is_needed = is_talking || self.is_caller(leg) || self.is_guest(leg);
        self.on_gone(node, leg);
        if self.transferor_left(node, now, leg) {
            return;
        }
        if is_needed {
            self.lose(node, now, leg, Cause::TransportFailed);
        }
    }

    fn is_leaving(&mut self, leg: LegId, tx: ClientTx) -> bool {
        self.leg_mut(leg).is_some_and(
            |leg| matches!(leg.signalling, Signalling::Leaving { bye, .. } if bye == tx),
        )
    }

    fn is_stray(&mut self, leg: LegId, tx: ClientTx) -> bool {
        self.leg_mut(leg).is_some_and(|leg| leg.strays.contains(&tx))
    }

    /// The leg's last transaction is over.
    fn on_gone(&mut self, node: &mut Node, leg: LegId) {
        self.forget_dialog(node, leg);
    }

    /// The ACK to a 2xx of ours. It may bring the answer to our offer.
    pub(super) fn on_ack(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        acknowledged: ServerTx,
        ack: &Message,
    ) {
        node.index.servers.remove(&acknowledged);
        let Some(known) = self.leg_mut(leg) else { return };
        let Signalling::Up(Established { ack: state, .. }) = &mut known.signalling else { return };
        if !matches!(state, Ack::Awaited { tx, .. } if *tx == acknowledged) {
            return;
        }
        let Ack::Awaited { offer, then_bye, .. } = std::mem::replace(state, Ack::Confirmed) else {
            return;
        };
        if then_bye {
            return self.hang_up(node, now, leg, Cause::Normal);
        }
        let Some(offer) = offer else { return };
        let held = known.holds();
        match known.accept_answer(node, &offer, ack) {
            Ok(()) => match self.stage {
                Stage::AwaitingMedia { pickup: None } => {
                    self.go_to_step(node, now, 0, Cause::Normal);
                }
                Stage::AwaitingMedia { pickup: Some(Target { leg, .. }) } => {
                    node.joins.push(Join::Pickup { by: self.id, of: leg });
                }
                _ => self.on_described(node, now, leg, held),
            },
            Err(cause) => self.end(node, now, cause, EndedBy::Engine),
        }
    }
}
