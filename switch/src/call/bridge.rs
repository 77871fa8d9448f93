//! Joining caller and agent: the agent's 200, the bridge, the recording.

use base::{Instant, LegId, RecordingId};
use media::{Channel, Command};
use routing::{AttemptFailure, Input};
use sip::{ClientTx, Dialog, Message};

use super::leg::{Ack, Established, Fork, Leg, Role, Signalling};
use super::{Call, Recording, Stage, Talk};
use crate::event::EventKind;
use crate::node::{FORK_LIFE, Node};
use crate::port::{Output, RecordCommand};
use crate::record::{AttemptOutcome, Decided};
use crate::strays::Stray;

impl Call {
    /// A phone of the agent's answered: ACK, and the others are cancelled.
    pub(super) fn accept(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let Some(Leg { signalling, .. }) = self.far_mut(leg) else { return };
        let Signalling::Ringing(forks) = signalling else { return };
        let Some(at) = forks.invites.iter().position(|fork| fork.tx == tx) else { return };
        let taken = forks.invites.swap_remove(at);
        let Signalling::Ringing(forks) = std::mem::replace(signalling, Signalling::Gone) else {
            return;
        };
        let offer = taken.offer.clone();
        self.cancel_forks(node, now, leg, forks);
        if self.take_dialog(node, now, leg, taken, response).is_none() {
            return self.fail_attempt(node, now, leg, AttemptFailure::Error, response.status());
        }
        let Some(agent) = self.far_mut(leg) else { return };
        if agent.accept_answer(node, &offer, response).is_err() {
            // Its dialog is up, so failing the attempt sends the BYE.
            return self.fail_attempt(node, now, leg, AttemptFailure::Error, response.status());
        }
        self.connect(node, now, leg);
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
        let Fork { tx, flow, invite, .. } = fork;
        let dialog = Dialog::uac(&invite, response).ok()?;
        node.endpoint.acknowledge(now, tx, flow, dialog.ack(1));
        let owner = self.leg_ref(leg);
        node.index.dialogs.insert(dialog.id(), owner);
        node.index.bind_connection(&flow, owner);
        let (call, taken, until) = (self.id, response.to_tag().map(Into::into), now + FORK_LIFE);
        node.remember_stray(tx, Stray { call, leg, flow, invite, taken, until });
        let dialog = Box::new(dialog);
        let agent = self.far_mut(leg)?;
        agent.signalling = Signalling::Up(Established { dialog, flow, ack: Ack::Confirmed });
        Some(())
    }

    /// Both have media: they hear each other from here on.
    fn connect(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Stage::Ringing { queue, ring, .. } = &self.stage else { return };
        let (queue, agent) = (queue.clone(), ring.agent.clone());
        let (tenant, work) = (self.tenant.clone(), self.work());
        let accepted = Input::AttemptAccepted { tenant, work, agent: agent.clone() };
        node.router.handle_input(now, accepted);
        self.narrative.connected = Some(now);
        self.narrative.agent = Some(agent.clone());
        let outcome = AttemptOutcome::Accepted;
        self.narrative.decide(node, now, Decided::Attempt { agent: agent.clone(), outcome });
        self.stop_playing(node);
        if let Some((a, b, worker)) = self.streams_with(leg) {
            node.media(worker, Command::Bridge { a, b });
        }
        let wait_ms = crate::record::millis(now.since(self.narrative.started));
        let connected = EventKind::CallConnected {
            queue: Some(queue.clone()),
            agent: Some(agent.clone()),
            wait_ms,
        };
        self.tell(node, now, connected);
        let recording = if self.directory.records(&self.tenant, &queue) {
            self.start_recording(node, now, leg)
        } else {
            Recording::Off
        };
        let (with, of_queue) = (Role::Agent(agent), true);
        self.stage = Stage::Connected { talk: Talk { leg, with, of_queue, recording } };
    }

    /// The caller on the left channel, the agent on the right.
    fn start_recording(&mut self, node: &mut Node, now: Instant, leg: LegId) -> Recording {
        let Some((caller, agent, worker)) = self.streams_with(leg) else { return Recording::Off };
        let at = node.wall(now);
        let recording = RecordingId::generate(at, &mut node.rng);
        let tap = node.next_tap();
        let (tenant, call) = (self.tenant.clone(), self.id);
        let start = RecordCommand::Start { tenant, call, recording, tap, at, now };
        node.outbox.push_back(Output::Record(start));
        for (stream, channel) in [(caller, Channel::Left), (agent, Channel::Right)] {
            node.media(worker, Command::Tap { stream, tap, channel });
        }
        self.narrative.recording = Some(recording);
        self.tell(node, now, EventKind::RecordingStarted { recording });
        Recording::On { recording, tap }
    }

    /// No more audio of this conversation is recorded.
    pub(super) fn stop_recording(&mut self, node: &mut Node, talk: &Talk) {
        let Recording::On { recording, tap } = talk.recording else { return };
        if let Some((a, b, worker)) = self.streams_with(talk.leg) {
            node.media(worker, Command::Untap { stream: a });
            node.media(worker, Command::Untap { stream: b });
        }
        node.outbox.push_back(Output::Record(RecordCommand::Stop { recording, tap }));
    }

    /// The caller's stream, an agent's, and the worker both live on.
    fn streams_with(
        &mut self,
        leg: LegId,
    ) -> Option<(media::StreamId, media::StreamId, media::WorkerId)> {
        let (a, place) = self.caller.stream.open()?;
        let (b, _) = self.far_mut(leg)?.stream.open()?;
        Some((a, b, place.worker))
    }
}
