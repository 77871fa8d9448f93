//! After the hang-up: waiting, with a bound, for the last responses and the streams' totals; then
//! the one record of the call.

use base::{Instant, LegId};
use sip::ClientTx;
use sip::stir::Verdict;

use super::leg::{Ack, Established, Leg, Signalling};
use super::{Call, Stage};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::port::RecordingReport;
use crate::record::{CallRecord, millis};
use crate::{Cause, EndedBy};

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) at: Instant,
    pub(super) cause: Cause,
    pub(super) by: EndedBy,
}

impl Call {
    /// The ACK to our refusal came by: the caller knows.
    pub(super) fn on_refusal_acknowledged(&mut self) {
        if matches!(self.caller.signalling, Signalling::Refused) {
            self.caller.signalling = Signalling::Gone;
        }
    }

    /// An INVITE that was given up is over.
    pub(super) fn on_stray_over(&mut self, tx: ClientTx) {
        for leg in std::iter::once(&mut self.caller).chain(&mut self.far) {
            leg.strays.retain(|stray| *stray != tx);
        }
        self.siprec_stray_over(tx);
    }

    /// It was answered all the same, and hung up: that is over when the BYE is.
    pub(super) fn on_stray_answered(&mut self, leg: LegId, tx: ClientTx, bye: ClientTx) {
        if let Some(known) = self.leg_mut(leg) {
            known.strays.push(bye);
        }
        self.on_stray_over(tx);
    }

    /// Legs of the called that are over move into the narrative.
    pub(super) fn drop_done_legs(&mut self, node: &mut Node) {
        let dialled = self.dialling.as_ref().and_then(|dial| dial.leg);
        let talking = match &self.stage {
            Stage::Connected { talk } => Some(talk.leg),
            Stage::Ringing { ring, .. } => Some(ring.leg),
            _ => None,
        };
        let is_needed = |leg: &Leg| [talking, dialled].contains(&Some(leg.id));
        let done = |leg: &mut Leg| leg.is_done() && !is_needed(leg);
        let call = self.id;
        for mut leg in self.far.extract_if(.., done) {
            leg.forget_names(node, call);
            self.narrative.legs.extend(leg.record());
        }
    }

    /// Has the call freed, if it has ended and nothing more is to come.
    pub(super) fn settle_if_done(&mut self, node: &mut Node) {
        self.drop_done_legs(node);
        let is_over = matches!(self.stage, Stage::Ending(_));
        if is_over && self.caller.is_done() && self.far.is_empty() && self.siprec_is_done() {
            node.over.push(self.id);
        }
    }

    /// It has waited long enough, but for one whose ACK is missing: they must still be hung up,
    /// and the transaction layer bounds that wait.
    pub(super) fn on_settle_timeout(&mut self, node: &mut Node) {
        let waits = |leg: &Leg| {
            matches!(leg.signalling, Signalling::Up(Established { ack: Ack::Awaited { .. }, .. }))
        };
        // A transfer may have made a far leg of it.
        let unconfirmed = std::iter::once(&self.caller).chain(&self.far).any(waits);
        if matches!(self.stage, Stage::Ending(_)) && !unconfirmed {
            node.over.push(self.id);
        }
    }

    fn forget_dialogs(&mut self, node: &mut Node) {
        if let Some(due) = self.expires.take() {
            node.alarms.remove(&(due, Alarm::Invite(self.id)));
        }
        self.forget_dialog(node, self.caller.id);
        for leg in self.far.iter().map(|leg| leg.id).collect::<Vec<_>>() {
            self.forget_dialog(node, leg);
        }
    }

    /// Frees whatever the call still holds, and says what became of it.
    pub(crate) fn close(
        mut self,
        node: &mut Node,
        now: Instant,
    ) -> (CallRecord, EventKind, Vec<RecordingReport>) {
        let Ending { at, cause, by } = match self.stage {
            Stage::Ending(ending) => ending,
            _ => Ending { at: now, cause: Cause::InternalError, by: EndedBy::Engine },
        };
        node.alarms.remove(&(at + node.config.limits.settle, Alarm::Settle(self.id)));
        self.break_promises(node);
        self.forget_one_codec(node);
        self.forget_siprec(node, now);
        self.forget_dialogs(node);
        for leg in std::iter::once(&mut self.caller).chain(&mut self.far) {
            leg.forget_names(node, self.id);
        }
        let (mut legs, far) = (std::mem::take(&mut self.narrative.legs), &self.far);
        legs.extend(std::iter::once(&self.caller).chain(far).filter_map(Leg::record));
        legs.sort_by_key(|leg| leg.leg);

        let told = &mut self.narrative;
        let far = told.far.unwrap_or_default();
        let (ladder, ladder_cut) = told.ladder.take();
        let (decisions, decisions_cut) = told.take_decisions();
        let (duration, connected) = (at.since(told.started), told.connected);
        let talk = connected.map(|connected| at.since(connected));
        let ended = EventKind::CallEnded {
            cause,
            ended_by: by,
            duration_ms: millis(duration),
            talk_ms: talk.map(millis),
            agent: told.agent.clone(),
            recording: told.recordings.last().copied(),
            recordings: told.recordings.clone(),
            reason: told.reason.clone(),
        };
        let record = CallRecord {
            tenant: self.tenant,
            call: self.id,
            direction: self.direction,
            trunk: self.trunk,
            number: self.number,
            queue: told.queue.clone(),
            agent: told.agent.clone(),
            from_name: self.from.name(),
            from: self.from.number,
            verstat: self.verdict.as_ref().map(Verdict::verstat),
            attestation: self
                .verdict
                .as_ref()
                .and_then(Verdict::attestation)
                .map(|a| a.to_string()),
            diversions: self.sent_on.told(),
            to: self.to,
            started_at: node.wall(told.started),
            answered_at: told.answered.map(|answered| node.wall(answered)),
            connected_at: connected.map(|connected| node.wall(connected)),
            ended_at: node.wall(at),
            duration,
            wait: connected.unwrap_or(at).since(told.started),
            talk,
            cause,
            sip_status: far.status.unwrap_or_else(|| cause.sip_status()).as_u16(),
            q850: far.q850().unwrap_or_else(|| cause.q850()),
            ended_by: by,
            reason: told.reason.take(),
            recording: told.recordings.last().copied(),
            recordings: std::mem::take(&mut told.recordings),
            legs,
            ladder,
            ladder_cut,
            decisions,
            decisions_cut,
        };
        (record, ended, self.narrative.reports)
    }
}
