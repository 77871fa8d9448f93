//! Provisional responses that must arrive (100rel, RFC 3262): ours to the caller's INVITE, until
//! their PRACK; and those to an INVITE of ours, each of which gets a PRACK.

use base::{Instant, LegId};
use sip::reliable::{Provisional, ReliableOutput, ReliableUac, ReliableUas, ReliableWish};
use sip::{
    ClientTx, DialogId, EndpointConfig, Message, Method, Name, Response, ServerTx, StatusCode,
};

use super::Call;
use super::leg::{Leg, Signalling};
use crate::node::{Alarm, Node};
use crate::{Cause, EndedBy};

/// What an INVITE of ours has made before its final response.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) dialogs: sip::Forks,
    reliable: ReliableUac,
    /// The last acknowledged response that had a description.
    pub(super) answer: Option<Message>,
}

/// The caller's INVITE, as far as its responses must arrive.
pub(super) struct Reliably {
    wish: ReliableWish,
    responses: ReliableUas,
    /// Our 200, which waits for the PRACK of an answer (RFC 3262 §3).
    held: Option<(ServerTx, Response)>,
    due: Option<Instant>,
}

impl Call {
    /// Whether a provisional response to an INVITE of ours is to be worked with; a reliable one is
    /// acknowledged first.
    pub(super) fn acknowledge_early(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Ringing(forks), .. }) = self.leg_mut(leg) else {
            return true;
        };
        let Some(fork) = forks.invites.iter_mut().find(|fork| fork.tx == tx) else { return true };
        match fork.early.reliable.on_provisional(response) {
            Provisional::Unreliable => {
                // A 180 without a Contact makes no dialog, and does no harm.
                let dialog = fork.early.dialogs.on_provisional(&fork.invite, response);
                if let Ok(Some(dialog)) = dialog {
                    node.index.dialogs.insert(dialog.id(), owner);
                }
                true
            }
            Provisional::Acknowledge(rack) => {
                if !response.body().is_empty() {
                    fork.early.answer = Some(response.clone());
                }
                let dialog = fork.early.dialogs.on_provisional(&fork.invite, response);
                let Ok(Some(dialog)) = dialog else { return true };
                node.index.dialogs.insert(dialog.id(), owner);
                let prack = dialog.request(Method::Prack).header(Name::RACK, rack);
                let prack = node.endpoint.request(now, fork.flow, prack);
                node.index.clients.insert(prack, owner);
                true
            }
            Provisional::Repeated | Provisional::TooEarly | Provisional::Refused => false,
        }
    }

    /// The caller's INVITE has come: does it want responses that must arrive?
    pub(super) fn wish_reliably(&mut self, node: &mut Node) {
        let Leg { signalling: Signalling::Invited { invite, .. }, reliably, .. } = &mut self.caller
        else {
            return;
        };
        let wish = ReliableWish::of(invite);
        if wish == ReliableWish::Unknown {
            return;
        }
        let t1 = EndpointConfig::default().t1;
        if let Ok(responses) = ReliableUas::new(invite, t1, &mut node.rng) {
            let (held, due) = (None, None);
            *reliably = Some(Box::new(Reliably { wish, responses, held, due }));
        }
    }

    /// Sends a provisional response above 100, reliably if the caller wants that or it matters.
    pub(super) fn provision(&mut self, node: &mut Node, now: Instant, response: Response) {
        let owner = self.leg_ref(self.caller.id);
        let Leg {
            signalling: Signalling::Invited { tx, invite, pending, .. },
            reliably,
            early,
            ..
        } = &mut self.caller
        else {
            return;
        };
        if early.is_none() {
            let made = DialogId {
                call_id: invite.call_id().to_owned(),
                local_tag: pending.tag.clone(),
                remote_tag: invite.from_tag().unwrap_or_default().to_owned(),
            };
            node.index.dialogs.insert(made.clone(), owner);
            *early = Some(made);
        }
        let matters = !response.content().is_empty();
        let Some(reliably) =
            reliably.as_mut().filter(|reliably| reliably.wish == ReliableWish::Required || matters)
        else {
            return node.endpoint.respond(now, *tx, response);
        };
        reliably.responses.respond(now, response);
        self.drain_reliable(node, now);
    }

    /// The caller's PRACK.
    pub(super) fn on_prack(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        prack: &Message,
    ) {
        let reliably = self.leg_mut(leg).and_then(|leg| leg.reliably.as_mut());
        let taken = match reliably {
            Some(reliably) => reliably.responses.on_prack(now, prack),
            None => Err(StatusCode::CALL_DOES_NOT_EXIST),
        };
        let status = taken.err().unwrap_or(StatusCode::OK);
        node.reply(now, tx, status);
        self.drain_reliable(node, now);
        let may_succeed =
            self.caller.reliably.as_ref().is_some_and(|known| known.responses.may_succeed());
        if may_succeed {
            self.send_held(node, now);
        }
    }

    /// The final response: at once, or when the answer before it has been acknowledged.
    pub(super) fn succeed(
        &mut self,
        node: &mut Node,
        now: Instant,
        tx: ServerTx,
        response: Response,
    ) {
        match self.caller.reliably.as_mut().filter(|known| !known.responses.may_succeed()) {
            Some(reliably) => reliably.held = Some((tx, response)),
            None => {
                node.endpoint.respond(now, tx, response);
                self.end_reliable(node);
            }
        }
    }

    /// Sends a 200 that waits; nothing may wait for ever.
    pub(super) fn send_held(&mut self, node: &mut Node, now: Instant) {
        let held = self.caller.reliably.as_mut().and_then(|reliably| reliably.held.take());
        if let Some((tx, response)) = held {
            node.endpoint.respond(now, tx, response);
            self.end_reliable(node);
        }
    }

    /// Time has come to send one again, or to give up.
    pub(super) fn on_reliable_timer(&mut self, node: &mut Node, now: Instant) {
        let Some(reliably) = &mut self.caller.reliably else { return };
        reliably.due = None;
        reliably.responses.handle_timeout(now);
        self.drain_reliable(node, now);
    }

    /// The INVITE has its final response: nothing more is repeated.
    pub(super) fn end_reliable(&mut self, node: &mut Node) {
        let alarm = Alarm::Reliable(self.id);
        let is_up = matches!(self.caller.signalling, Signalling::Up(_));
        // A dialog that is up has the same name.
        if let Some(early) = self.caller.early.take().filter(|_| !is_up) {
            node.index.dialogs.remove(&early);
        }
        let Some(reliably) = &mut self.caller.reliably else { return };
        reliably.responses.end();
        if let Some(due) = reliably.due.take() {
            node.alarms.remove(&(due, alarm));
        }
    }

    fn drain_reliable(&mut self, node: &mut Node, now: Instant) {
        let alarm = Alarm::Reliable(self.id);
        let tx = match &self.caller.signalling {
            Signalling::Invited { tx, .. } => Some(*tx),
            _ => self.caller.reliably.as_ref().and_then(|r| r.held.as_ref().map(|(tx, _)| *tx)),
        };
        let Some(reliably) = &mut self.caller.reliably else { return };
        let mut gave_up = false;
        while let Some(output) = reliably.responses.poll_output() {
            match (output, tx) {
                (ReliableOutput::Respond(response), Some(tx)) => {
                    node.endpoint.respond(now, tx, response);
                }
                (ReliableOutput::Respond(_), None) => {}
                (ReliableOutput::GaveUp, _) => gave_up = true,
            }
        }
        let due = reliably.responses.poll_timeout();
        if let Some(before) = std::mem::replace(&mut reliably.due, due) {
            node.alarms.remove(&(before, alarm));
        }
        if let Some(due) = due {
            node.alarms.insert((due, alarm));
        }
        if gave_up {
            self.send_held(node, now);
            self.end(node, now, Cause::Timeout, EndedBy::Engine);
        }
    }
}
