//! What follows of time and of answers to a desk's offers: glare (RFC 3261 §14.1), session
//! refreshes (RFC 4028), ringing that is over.

use base::Instant;
use sip::reliable::ReliableUas;
use sip::{ClientTx, Message, Method, SessionTimer, SessionTimerOutput, StatusCode, glare_pause};

use super::errands::{What, is_lost};
use super::line::{Line, State};
use super::{Desk, LineId};

impl Desk {
    /// The final response to a re-INVITE or UPDATE of ours; a late one left the offer to them.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        (tx, id): (ClientTx, LineId),
        holds: bool,
        is_late: bool,
        response: &Message,
    ) {
        let Some(status) = response.status() else { return };
        let cseq = response.cseq().unwrap_or(1);
        let is_invite = response.method() == Method::Invite;
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.offer = None;
        if status.is_success()
            && is_invite
            && let Some(dialog) = &line.dialog
        {
            // A 200 wants its ACK, whatever has become of the call meanwhile.
            let (mut ack, flow) = (dialog.ack(cseq), line.flow);
            line.holds = holds;
            if is_late {
                let theirs = self.read("late offer", &response.body());
                ack = ack.body("application/sdp", self.description(id, theirs));
            }
            self.endpoint.acknowledge(now, tx, flow, ack);
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        if !matches!(line.state, State::Up) {
            return;
        }
        if status.is_success() {
            line.holds = holds;
            if let Some(timer) = &mut line.timer {
                timer.on_success(now, response);
            }
            if let Some(dialog) = &mut line.dialog {
                // A broken Contact leaves the target as it was.
                let _ = dialog.refresh(response);
            }
            if !is_late {
                self.read("answer", &response.body());
            }
        } else if status == StatusCode::REQUEST_PENDING {
            line.again = Some((now + glare_pause(line.calls, &mut self.rng), holds));
        } else if is_lost(status) {
            self.lose(now, id);
        }
    }

    pub(super) fn on_refreshed(&mut self, now: Instant, id: LineId, response: &Message) {
        let Some(status) = response.status() else { return };
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some(timer) = &mut line.timer else { return };
        if status.is_success() {
            timer.on_success(now, response);
        } else if is_lost(status) {
            self.lose(now, id);
        } else {
            timer.retry(now, glare_pause(line.calls, &mut self.rng));
        }
    }

    pub(super) fn wake_lines(&mut self, now: Instant) {
        let due = |line: &Line| line.poll_timeout().is_some_and(|at| at <= now);
        let ids: Vec<LineId> =
            self.lines.iter().filter(|(_, line)| due(line)).map(|(id, _)| *id).collect();
        for id in ids {
            self.wake_line(now, id);
        }
    }

    fn wake_line(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        if let State::Ringing(ringing) = &mut line.state {
            let is_due = ringing.due.is_some_and(|at| at <= now);
            ringing.reliable.iter_mut().for_each(|reliable: &mut ReliableUas| {
                reliable.handle_timeout(now);
            });
            self.drain_reliable(now, id);
            if is_due {
                self.decide(now, id);
            }
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        if let Some((at, holds)) = line.again
            && at <= now
        {
            line.again = None;
            self.offer(now, id, holds);
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        if let Some(timer) = &mut line.timer {
            timer.handle_timeout(now);
        }
        while let Some(output) = self
            .lines
            .get_mut(&id)
            .and_then(|line| line.timer.as_mut())
            .and_then(SessionTimer::poll_output)
        {
            match output {
                SessionTimerOutput::Refresh { update } => self.refresh(now, id, update),
                SessionTimerOutput::Expired => self.lose(now, id),
            }
        }
    }

    /// Tells the far end that the call still stands.
    fn refresh(&mut self, now: Instant, id: LineId, by_update: bool) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        if !matches!(line.state, State::Up) {
            return;
        }
        if !by_update {
            let holds = line.holds;
            if line.offer.is_some() || line.offered.is_some() {
                let pause = glare_pause(line.calls, &mut self.rng);
                line.timer.iter_mut().for_each(|timer| timer.retry(now, pause));
                return;
            }
            return self.offer(now, id, holds);
        }
        let (Some(dialog), Some(timer)) = (&mut line.dialog, &line.timer) else { return };
        let update = timer.put(dialog.request(Method::Update));
        let flow = line.flow;
        self.send(now, flow, update, What::Refresh(id));
    }
}
