//! Joining caller and called: the 200 of the called, the bridge, the recording.

use base::{AgentId, Instant, LegId, QueueId, RecordingId};
use media::{Channel, Command};
use routing::{AttemptFailure, Input};
use sip::{ClientTx, Message};

use super::early::forget_early;
use super::far_end::{COMPLETED_ELSEWHERE, FarEnd};
use super::hold::Held;
use super::leg::{Ack, Established, Fork, Leg, Role, Signalling};
use super::model::Then;
use super::taps::Tapped;
use super::{Call, Origin, Recording, Stage, Talk};
use crate::EndedBy;
use crate::event::EventKind;
use crate::node::{FORK_LIFE, Node};
use crate::port::{Output, RecordCommand};
use crate::record::{AttemptOutcome, CallDirection, Decided};
use crate::strays::{Stray, cseq_of};

impl Call {
    /// A phone of the agent's answered, or the trunk did: ACK, and the others are cancelled.
    pub(super) fn accept(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let Some(Leg { signalling, .. }) = self.leg_mut(leg) else { return };
        let Signalling::Ringing(forks) = signalling else { return };
        let Some(at) = forks.invites.iter().position(|fork| fork.tx == tx) else { return };
        let taken = forks.invites.swap_remove(at);
        let Signalling::Ringing(forks) = std::mem::replace(signalling, Signalling::Gone) else {
            return;
        };
        let (offer, early) = (taken.offer.clone(), taken.early.answer.clone());
        self.cancel_forks(node, now, leg, forks, COMPLETED_ELSEWHERE);
        let far = FarEnd::of(response);
        if self.take_dialog(node, now, leg, taken, response).is_none() {
            return self.leg_failed(node, now, leg, AttemptFailure::Error, far);
        }
        let Some(known) = self.leg_mut(leg) else { return };
        // What an early answer settled holds, when the 200 repeats none. In a response that was
        // acknowledged it is the answer (RFC 3262 §5, RFC 6337 §2.2).
        let is_settled = response.body().is_empty() && known.remote.is_some();
        let early = early.filter(|early| early.to_tag() == response.to_tag());
        let answer = early.as_ref().filter(|_| response.body().is_empty()).unwrap_or(response);
        let answered = if is_settled { Ok(()) } else { known.accept_answer(node, &offer, answer) };
        if answered.is_err() {
            // Its dialog is up, so failing the attempt sends the BYE.
            return self.leg_failed(node, now, leg, AttemptFailure::Error, far);
        }
        match self.dialling.as_ref().filter(|dial| dial.leg == Some(leg)).map(|dial| &dial.then) {
            Some(Then::Dial(_)) => self.first_answered(node, now),
            Some(Then::TakeOver(_)) => self.taker_answered(node, now),
            Some(Then::Join | Then::Step(_)) => self.join(node, now, leg),
            Some(Then::Beside) => self.beside_answered(node, now, leg),
            Some(Then::Guest) => self.participant_answered(node, now, leg),
            None if self.is_returning(leg) => self.returned(node, now, leg),
            None if self.is_guest(leg) => self.supervisor_answered(node, now, leg),
            None => self.connect(node, now, leg),
        }
    }

    /// Makes the dialog of a 2xx and acknowledges it (RFC 3261 §13.2.2.4).
    fn take_dialog(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        fork: Fork,
        response: &Message,
    ) -> Option<()> {
        forget_early(node, &fork);
        let Fork { tx, flow, invite, mut early, .. } = fork;
        let dialog = early.dialogs.confirm(&invite, response).ok()?;
        let is_to_trunk = self.is_to_trunk(leg);
        let way = if is_to_trunk { node.toward(&dialog, flow) } else { flow };
        node.endpoint.acknowledge(now, tx, way, dialog.ack(cseq_of(&invite)));
        let owner = self.leg_ref(leg);
        node.index.dialogs.insert(dialog.id(), owner);
        node.index.bind_connection(&flow, owner);
        let (call, taken, until) = (self.id, response.to_tag().map(Into::into), now + FORK_LIFE);
        node.remember_stray(tx, Stray { call, leg, flow, invite, taken, until });
        let dialog = Box::new(dialog);
        let known = self.leg_mut(leg)?;
        let ack = Ack::Confirmed;
        known.signalling = Signalling::Up(Established { dialog, flow, ack });
        known.timer.on_success(now, response);
        self.arm_timer(node, leg);
        self.follow_target(node, now, leg);
        Some(())
    }

    /// Both have media: they hear each other from here on.
    fn connect(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Stage::Ringing { queue, ring, .. } = &self.stage else { return };
        let (queue, agent) = (queue.clone(), ring.agent.clone());
        let (tenant, work) = (self.tenant.clone(), self.work());
        let accepted = Input::AttemptAccepted { tenant, work, agent: agent.clone() };
        node.router.handle_input(now, accepted);
        let outcome = AttemptOutcome::Accepted;
        self.narrative.decide(node, now, Decided::Attempt { agent: agent.clone(), outcome });
        self.meet(node, now, (leg, agent), queue, true);
    }

    /// A caller who waited in a queue and an agent hear each other.
    pub(super) fn meet(
        &mut self,
        node: &mut Node,
        now: Instant,
        (leg, agent): (LegId, AgentId),
        queue: QueueId,
        of_queue: bool,
    ) {
        self.narrative.connected = Some(now);
        self.narrative.agent = Some(agent.clone());
        self.stop_playing(node);
        self.bridge(node, now, leg);
        let wait_ms = crate::record::millis(now.since(self.narrative.started));
        let connected = EventKind::CallConnected {
            queue: Some(queue.clone()),
            agent: Some(agent.clone()),
            wait_ms,
        };
        self.tell(node, now, connected);
        let is_recorded = self.directory.records(&self.tenant, &queue);
        self.talk(node, now, (leg, Role::Agent(agent)), of_queue, is_recorded);
    }

    /// Whoever was called directly has answered: they hear each other from here on.
    pub(super) fn join(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if self.is_unanswered() {
            if let Err(cause) = self.answer_caller(node, now) {
                return self.end(node, now, cause, EndedBy::Engine);
            }
        } else {
            self.silence(node);
            self.note_answered(node, now);
        }
        let Some(role) = self.far_mut(leg).map(|far| far.role.clone()) else { return };
        self.listen_to_answer(node, leg);
        self.stop_dialling(node);
        self.narrative.connected = Some(now);
        if let Role::Trunk(trunk) = &role {
            self.trunk = Some(trunk.clone());
        }
        if let Role::Agent(agent) = &role {
            self.engage(node, now, agent);
            self.narrative.agent.get_or_insert_with(|| agent.clone());
        }
        let to = match &role {
            Role::Agent(agent) => agent.to_string(),
            Role::Trunk(trunk) | Role::Caller(trunk) => trunk.to_string(),
        };
        self.narrative.decide(node, now, Decided::Answered { to });
        self.bridge(node, now, leg);
        let wait_ms = crate::record::millis(now.since(self.narrative.started));
        let (queue, agent) = (None, self.narrative.agent.clone());
        self.tell(node, now, EventKind::CallConnected { queue, agent, wait_ms });
        let is_recorded = self.direction != CallDirection::Internal
            && self.directory.limits(&self.tenant).is_some_and(|limits| limits.recording);
        self.talk(node, now, (leg, role), false, is_recorded);
    }

    pub(super) fn talk(
        &mut self,
        node: &mut Node,
        now: Instant,
        (leg, with): (LegId, Role),
        of_queue: bool,
        is_recorded: bool,
    ) {
        let recording =
            if is_recorded { self.start_recording(node, now, leg) } else { Recording::Off };
        self.review_relays(node, leg);
        let held = Held::default(); // what it really is comes next
        // Whoever did not take the call before has nothing to do with its end.
        self.narrative.far = None;
        self.stage = Stage::Connected { talk: Talk { leg, with, of_queue, recording, held } };
        self.begin_held(node, now);
        if !self.adrift.is_empty() {
            // Answered while the caller's page is gone: music until it is back.
            self.review_music(node);
        }
    }

    /// The caller on the left channel, the called on the right; whichever of them was rung first.
    pub(super) fn start_recording(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
    ) -> Recording {
        let Some((first, other, worker)) = self.streams_with(leg) else { return Recording::Off };
        let is_turned = self.origin == Origin::Api && matches!(self.caller.role, Role::Trunk(_));
        let (caller, called) = if is_turned { (other, first) } else { (first, other) };
        let at = node.wall(now);
        let recording = RecordingId::generate(at, &mut node.rng);
        let tap = node.next_tap();
        let (tenant, call) = (self.tenant.clone(), self.id);
        let start = RecordCommand::Start { tenant, call, recording, tap, at, now };
        node.outbox.push_back(Output::Record(start));
        self.clear_sides();
        for (stream, channel) in [(caller, Channel::Left), (called, Channel::Right)] {
            self.tap(node, tap, Tapped { stream, worker, channel });
            let of = if stream == first { self.caller.id } else { leg };
            if let Some(known) = self.leg_mut(of) {
                known.side = Some(channel);
            }
        }
        self.narrative.recordings.push(recording);
        self.tell(node, now, EventKind::RecordingStarted { recording });
        Recording::On { recording, tap }
    }

    /// No more audio of this conversation is recorded.
    pub(super) fn stop_recording(&mut self, node: &mut Node, now: Instant, talk: &Talk) {
        self.end_pause_with_talk(node, now);
        let Recording::On { recording, tap } = talk.recording else { return };
        self.untap_all(node);
        node.outbox.push_back(Output::Record(RecordCommand::Stop { recording, tap }));
    }

    /// The caller and that leg hear each other, while both have a stream; in a mix, as it says.
    pub(super) fn bridge(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        self.span(node, now, leg);
        if self.is_mixed() {
            return;
        }
        self.note_carried(leg, true);
        for (a, b, worker) in self.pairs_with(leg).into_iter().flatten() {
            node.media(worker, Command::Bridge { a, b });
        }
    }

    /// They no longer do.
    pub(super) fn unbridge(&mut self, node: &mut Node, leg: LegId) {
        if self.is_mixed() {
            return;
        }
        self.note_carried(leg, false);
        for (a, b, worker) in self.pairs_with(leg).into_iter().flatten() {
            node.media(worker, Command::Unbridge { a, b });
        }
    }

    /// The caller's stream, what brings another leg's audio to it, and the worker both live on.
    pub(super) fn streams_with(
        &self,
        leg: LegId,
    ) -> Option<(media::StreamId, media::StreamId, media::WorkerId)> {
        let [beside_the_caller, _] = self.pairs_with(leg);
        beside_the_caller
    }
}
