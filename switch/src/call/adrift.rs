//! Agents' pages that are gone in mid-call: loaded again, without their WebSocket, in another
//! network. Of two who talk the other one hears music, of more the others go on, whom the agent
//! calls rings on, while the same agent's page has a few seconds to come back. If none comes,
//! whoever came from a queue is the next one there, a conversation of several goes on without the
//! agent, and what the agent has called is over.

use base::{AgentId, Duration, Instant, LegId};
use routing::Step;
use sip::{Flow, StatusCode};

use super::leg::{Established, Leg, Role, Signalling};
use super::refusal::Refusal;
use super::{Call, Stage, stream};
use crate::Cause;
use crate::event::EventKind;
use crate::node::{Alarm, Node};

/// How long a page may take to register again.
const BACK: Duration = Duration::from_secs(10);

/// Whose page is gone.
pub(super) struct Adrift {
    /// The leg it had.
    pub(super) leg: LegId,
    /// The way it had.
    pub(super) gone: Flow,
    pub(super) agent: AgentId,
    /// When it is waited for no longer.
    pub(super) until: Instant,
    /// The leg of another page that is called in its place, and how long that one may ring.
    pub(super) rung: Option<(LegId, Instant)>,
}

impl Call {
    /// An agent's page cannot be reached over the connection that its leg came over. `false` if it
    /// is none that comes back, or the call is about to leave it anyway.
    pub(super) fn goes_adrift(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        if self.is_adrift(leg) {
            self.forget_lost_invite(node, now);
            return true;
        }
        let is_in_it = self.parties().contains(&leg) || self.is_caller(leg) && self.calls_still();
        if self.transfer.is_some() || !is_in_it {
            return false;
        }
        let Some(Leg { signalling, role: Role::Agent(agent), .. }) = self.leg(leg) else {
            return false;
        };
        let gone = match signalling {
            Signalling::Up(Established { flow, .. }) | Signalling::Invited { flow, .. } => *flow,
            _ => return false,
        };
        if !is_page(&gone) {
            return false;
        }
        let (agent, until) = (agent.clone(), now + BACK);
        node.alarms.insert((until, Alarm::Adrift(self.id, leg)));
        node.calling.adrift(&self.tenant, &agent, self.id);
        self.tell(node, now, EventKind::AgentLost { agent: agent.clone() });
        self.adrift.push(Adrift { leg, gone, agent: agent.clone(), until, rung: None });
        self.forget_lost_invite(node, now);
        self.review_music(node);
        // Another one of the agent's pages may be there already.
        self.on_agent_back(node, now, &agent);
        true
    }

    /// Whether the caller waits for somebody, and what is heard meanwhile can be heard anew.
    fn calls_still(&self) -> bool {
        matches!(
            self.stage,
            Stage::Dialling
                | Stage::Queued { .. }
                | Stage::Ringing { .. }
                | Stage::Prompt { .. }
                | Stage::Collecting(_)
        )
    }

    /// The page of a leg has another connection now, and the one before is as good as closed: an
    /// INVITE that came over it can be answered no more.
    pub(super) fn on_page_moved(&mut self, node: &mut Node, now: Instant, leg: LegId, before: u64) {
        let owner = self.leg_ref(leg);
        let Signalling::Invited { flow, .. } = &self.caller.signalling else { return };
        if self.is_caller(leg) && flow.connection == before && self.calls_still() {
            let flow = *flow;
            node.index.unbind_connection(&flow, owner);
            self.goes_adrift(node, now, leg);
        }
    }

    /// An INVITE of a page whose connection is gone will never be answered: another leg is to take
    /// the caller's place.
    fn forget_lost_invite(&mut self, node: &mut Node, now: Instant) {
        let owner = self.leg_ref(self.caller.id);
        let Signalling::Invited { flow, .. } = &self.caller.signalling else { return };
        if self.is_adrift(owner.leg) && !node.index.is_bound(flow, owner) {
            self.forget_invite(node, now);
        }
    }

    /// The caller's INVITE has its last answer: a page that is there all the same knows then that
    /// it is over, and without one the transaction would wait for minutes.
    pub(super) fn forget_invite(&mut self, node: &mut Node, now: Instant) {
        let owner = self.leg_ref(self.caller.id);
        let Signalling::Invited { tx, flow, .. } = &self.caller.signalling else { return };
        let (tx, flow) = (*tx, *flow);
        let over = Refusal::new(Cause::Normal, "").with_status(StatusCode::REQUEST_TERMINATED);
        node.endpoint.respond(now, tx, over.response());
        node.index.unbind_connection(&flow, owner);
        self.forget_dialog(node, owner.leg);
    }

    /// Whether a leg is one whose page is gone, and with it the dialog that it had begun to make.
    pub(super) fn is_lost(&self, leg: LegId) -> bool {
        let is_gone = |leg: &Leg| matches!(leg.signalling, Signalling::Gone);
        self.is_adrift(leg) && self.leg(leg).is_some_and(is_gone)
    }

    /// Whether a leg is one whose page is gone.
    pub(super) fn is_adrift(&self, leg: LegId) -> bool {
        self.adrift.iter().any(|adrift| adrift.leg == leg)
    }

    /// Whether a leg's far end waits for the page of the one it talks with: of several nobody
    /// waits for one.
    pub(super) fn waits_for_page(&self, leg: LegId) -> bool {
        let is_opposite = |adrift: &Adrift| self.opposite(adrift.leg) == Some(leg);
        !self.is_conference() && self.adrift.iter().any(is_opposite)
    }

    /// The audio of a page is there again, which had not lost its connection, or has another by now.
    pub(super) fn on_reached_again(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let flow = self.leg(leg).and_then(|known| known.signalling.flow());
        if flow.is_some_and(|flow| node.index.is_bound(&flow, owner)) {
            self.is_back(node, now, leg);
        }
    }

    /// The agent of a leg that was adrift talks again, on that leg or on one in its place.
    pub(super) fn is_back(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(agent) = self.forget_adrift(node, now, leg) else { return };
        self.review_music(node);
        self.tell(node, now, EventKind::AgentReturned { agent });
    }

    /// No page has come for long enough; one that rings has its own time.
    pub(super) fn on_adrift_too_long(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if self.adrift.iter().any(|adrift| adrift.leg == leg && adrift.rung.is_none()) {
            self.give_agent_up(node, now, leg);
        }
    }

    /// Several go on without the agent. The customer of one is the next one in the queue they came
    /// from; without one the call is over, and so is one that nobody has answered.
    pub(super) fn give_agent_up(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(agent) = self.forget_adrift(node, now, leg) else { return };
        let is_customers = self.is_caller(leg) || self.caller.role.agent().is_some();
        let queue = self.narrative.queue.clone().filter(|_| !is_customers);
        let Some(queue) = queue.filter(|_| !self.is_conference()) else {
            self.drop_leg(node, now, leg);
            return self.lose(node, now, leg, Cause::TransportFailed);
        };
        let Some(talk) = self.part_talk(node, now, leg) else { return };
        self.stop_music(node, self.caller.id);
        self.drop_leg(node, now, leg);
        self.release_talker(node, now, talk.of_queue, Some(&agent));
        self.steps = vec![Step::Queue { queue }];
        self.goes_first = true;
        self.go_to_step(node, now, 0, Cause::TransportFailed);
    }

    /// Nothing can be said to the page that is gone, unless its connection is still there.
    pub(super) fn drop_leg(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(Established { flow, .. }), .. }) = self.leg(leg)
        else {
            return self.hang_up(node, now, leg, Cause::Normal);
        };
        if node.index.is_bound(flow, owner) {
            return self.hang_up(node, now, leg, Cause::Normal);
        }
        self.forget_talking(node, leg);
        self.forget_dialog(node, leg);
        if let Some(known) = self.leg_mut(leg) {
            stream::close(node, known);
        }
    }

    /// Waits for that leg's page no more; says whose it was.
    pub(super) fn forget_adrift(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
    ) -> Option<AgentId> {
        self.stop_return(node, now, leg);
        let at = self.adrift.iter().position(|adrift| adrift.leg == leg)?;
        let Adrift { agent, until, .. } = self.adrift.swap_remove(at);
        node.alarms.remove(&(until, Alarm::Adrift(self.id, leg)));
        node.calling.ashore(&self.tenant, &agent, self.id);
        Some(agent)
    }

    /// Waits for no page any more.
    pub(super) fn forget_all_adrift(&mut self, node: &mut Node, now: Instant) {
        while let Some(leg) = self.adrift.first().map(|adrift| adrift.leg) {
            self.forget_adrift(node, now, leg);
        }
    }
}

/// Pages come back, and say so by registering.
pub(crate) fn is_page(flow: &Flow) -> bool {
    matches!(flow.transport, sip::Transport::Ws | sip::Transport::Wss)
}
