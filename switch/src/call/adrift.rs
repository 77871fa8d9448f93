//! An agent's page that is gone in mid-call: loaded again, without its WebSocket, in another
//! network. Whom it talked with hears music, while the same agent's page has a few seconds to come
//! back. The page that was there goes on in its dialog; one that was loaded anew is called, and
//! takes the call by itself if it heeds what the INVITE says. If none comes, whoever came from a
//! queue is the next one there.

use base::{AgentId, Duration, Instant, LegId};
use routing::Step;
use sip::{Flow, Name, Request, UriBuf};

use super::leg::{Established, Leg, Role, Signalling, Target};
use super::model::{Dial, Goal, Then};
use super::{Call, Stage, stream};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::register::aor;
use crate::{Cause, EndedBy};

/// How long a page may take to register again.
const BACK: Duration = Duration::from_secs(10);
/// How long it may take to answer then. Both together are less than 15 s.
const ANSWER: Duration = Duration::from_millis(4_500);

/// Whose page is gone.
pub(super) struct Adrift {
    /// The leg it had.
    leg: LegId,
    /// The way it had.
    gone: Flow,
    agent: AgentId,
    /// When it is waited for no longer.
    until: Instant,
}

impl Call {
    /// An agent's page cannot be reached over the connection that its leg came over. `false` if it
    /// is none that comes back, or the call is about to leave it anyway.
    pub(super) fn goes_adrift(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        if self.adrift.as_ref().is_some_and(|adrift| adrift.leg == leg) {
            return true;
        }
        let is_apart = self.transfer.is_some() || self.dialling.is_some() || self.is_conference();
        if is_apart || self.adrift.is_some() || self.opposite(leg).is_none() {
            return false;
        }
        let Some(Leg { signalling: Signalling::Up(up), role: Role::Agent(agent), .. }) =
            self.leg(leg)
        else {
            return false;
        };
        if !is_page(&up.flow) {
            return false;
        }
        let (gone, agent, until) = (up.flow, agent.clone(), now + BACK);
        node.alarms.insert((until, Alarm::Adrift(self.id)));
        node.calling.adrift(&self.tenant, &agent, self.id);
        self.tell(node, now, EventKind::AgentLost { agent: agent.clone() });
        self.adrift = Some(Adrift { leg, gone, agent, until });
        self.review_music(node);
        // Another one of the agent's pages may be there already.
        self.on_agent_back(node, now);
        true
    }

    /// Whether a leg's far end waits for the page of the one it talks with.
    pub(super) fn waits_for_page(&self, leg: LegId) -> bool {
        self.adrift.as_ref().is_some_and(|adrift| self.opposite(adrift.leg) == Some(leg))
    }

    /// The agent has registered: the page that had the call goes on with it, another one is called.
    pub(super) fn on_agent_back(&mut self, node: &mut Node, now: Instant) {
        let Some(Adrift { leg, gone, agent, .. }) = &self.adrift else { return };
        let (leg, gone, agent) = (*leg, *gone, agent.clone());
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg(leg) else { return };
        let had = up.dialog.remote_target().clone();
        let Some(target) = self.newest_page(node, now, &agent, &gone) else { return };
        if is_same_page(&had, &target.contact) {
            self.cancel_return(node, now);
            self.move_leg(node, leg, target.flow);
            return self.is_back(node, now);
        }
        if self.dialling.is_none() {
            self.call_back(node, now, (leg, agent), target);
        }
    }

    /// The audio of a page is there again, which had not lost its connection, or has another by now.
    pub(super) fn on_reached_again(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg(leg) else { return };
        let is_there = node.index.is_bound(&up.flow, owner);
        if is_there && self.adrift.as_ref().is_some_and(|adrift| adrift.leg == leg) {
            self.cancel_return(node, now);
            self.is_back(node, now);
        }
    }

    /// Where the agent's newest page is, other than over the connection that is gone.
    fn newest_page(
        &self,
        node: &Node,
        now: Instant,
        agent: &AgentId,
        gone: &Flow,
    ) -> Option<Target> {
        let aor = aor(&self.tenant, agent);
        let bindings = node.registrar.bindings(now, &aor);
        let pages = bindings.filter(|one| is_page(&one.flow) && one.flow != *gone);
        let newest = pages.max_by_key(|one| one.flow.connection)?;
        let (contact, path) = (newest.contact.clone(), newest.path.clone());
        Some(Target { contact, flow: newest.flow, path })
    }

    /// Calls a page of the agent's that was not in the call.
    fn call_back(
        &mut self,
        node: &mut Node,
        now: Instant,
        (old, agent): (LegId, AgentId),
        target: Target,
    ) {
        let from = Some(self.shown_to_next(old));
        let dial = Dial { from, ..Dial::new(Goal::Agent(agent.clone()), Then::Return) };
        self.dialling = Some(Box::new(dial));
        self.give_up_at(node, now + ANSWER);
        let signalling = Signalling::Preparing { targets: vec![target] };
        self.new_leg(node, now, Role::Agent(agent), signalling);
    }

    /// The INVITE to a page says which call it is about, as the API names it.
    pub(super) fn name_call(&self, target: &Target, invite: Request) -> Request {
        if !is_page(&target.flow) {
            return invite;
        }
        invite.header(Name::new("X-Strowger-Call"), self.id)
    }

    /// The INVITE to a page that was loaded anew says which call it is, and that the page may take
    /// it by itself.
    pub(super) fn mark_return(&self, leg: LegId, invite: Request) -> Request {
        if !self.is_returning(leg) {
            return invite;
        }
        let domain = self.directory.tenant(&self.tenant).map(|tenant| tenant.domain.as_str());
        let domain = domain.unwrap_or("invalid");
        invite
            .header(Name::new("Answer-Mode"), "Auto")
            .header(Name::new("Call-Info"), format_args!("<sip:{domain}>;answer-after=0"))
            .header(Name::new("Alert-Info"), format_args!("<sip:{domain}>;info=alert-autoanswer"))
            .header(Name::new("X-Strowger-Returns"), self.id)
    }

    /// Whether that leg is rung to take a conversation back.
    pub(super) fn is_returning(&self, leg: LegId) -> bool {
        let returns = |dial: &Dial| matches!(dial.then, Then::Return) && dial.leg == Some(leg);
        self.dialling.as_deref().is_some_and(returns)
    }

    /// A new page of the agent's has answered: it takes the place of the one that is gone.
    pub(super) fn returned(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        self.stop_dialling(node);
        let Some(old) = self.adrift.as_ref().map(|adrift| adrift.leg) else {
            return self.hang_up(node, now, leg, Cause::Normal);
        };
        if !self.change_places(node, now, old, leg) {
            return self.end(node, now, Cause::MediaFailed, EndedBy::Engine);
        }
        self.drop_leg(node, now, old);
        self.is_back(node, now);
    }

    /// The conversation goes on with another leg of the same agent; its recording, and what it is
    /// to the router, stay as they are.
    fn change_places(&mut self, node: &mut Node, now: Instant, old: LegId, new: LegId) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let far = talk.leg;
        self.unbridge(node, far);
        self.forget_mix();
        let Stage::Connected { talk } = std::mem::replace(&mut self.stage, Stage::BetweenSteps)
        else {
            return false;
        };
        let mut talk = if self.is_caller(old) { self.turned(talk) } else { talk };
        let side = self.leg(old).and_then(|leg| leg.side);
        if let Some(known) = self.leg_mut(new) {
            known.side = side;
        }
        talk.leg = new;
        self.stage = Stage::Connected { talk };
        if !self.span(node, now, new) {
            return false;
        }
        self.bridge(node, now, new);
        self.review_relays(node, new);
        self.renew_held();
        true
    }

    /// The two talk again.
    fn is_back(&mut self, node: &mut Node, now: Instant) {
        let Some(Adrift { agent, .. }) = self.forget_adrift(node) else { return };
        self.review_music(node);
        self.tell(node, now, EventKind::AgentReturned { agent });
    }

    /// The page that was called did not take it: another one may still come.
    pub(super) fn return_failed(&mut self, node: &mut Node, now: Instant) {
        let over = self.adrift.as_ref().is_none_or(|adrift| adrift.until <= now);
        if over {
            self.give_agent_up(node, now);
        } else {
            self.review_music(node);
        }
    }

    /// No page has come for long enough; one that rings has its own time.
    pub(super) fn on_adrift_too_long(&mut self, node: &mut Node, now: Instant) {
        if self.dialling.is_none() {
            self.give_agent_up(node, now);
        }
    }

    /// The customer is the next one in the queue they came from; without one the call is over.
    fn give_agent_up(&mut self, node: &mut Node, now: Instant) {
        let Some(Adrift { leg, agent, .. }) = self.forget_adrift(node) else { return };
        let is_customers = self.is_caller(leg) || self.caller.role.agent().is_some();
        let queue = self.narrative.queue.clone().filter(|_| !is_customers);
        let Some(queue) = queue else {
            self.drop_leg(node, now, leg);
            return self.end(node, now, Cause::TransportFailed, EndedBy::Engine);
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
    fn drop_leg(&mut self, node: &mut Node, now: Instant, leg: LegId) {
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

    /// Stops ringing another page: the one that had the call is there.
    fn cancel_return(&mut self, node: &mut Node, now: Instant) {
        let Some(dial) = self.dialling.as_ref().filter(|dial| matches!(dial.then, Then::Return))
        else {
            return;
        };
        let leg = dial.leg;
        self.stop_dialling(node);
        if let Some(leg) = leg {
            self.hang_up(node, now, leg, Cause::Normal);
        }
    }

    /// Waits for no page any more.
    pub(super) fn forget_adrift(&mut self, node: &mut Node) -> Option<Adrift> {
        let adrift = self.adrift.take()?;
        node.alarms.remove(&(adrift.until, Alarm::Adrift(self.id)));
        node.calling.ashore(&self.tenant, &adrift.agent, self.id);
        Some(adrift)
    }
}

/// Pages come back, and say so by registering.
pub(crate) fn is_page(flow: &Flow) -> bool {
    matches!(flow.transport, sip::Transport::Ws | sip::Transport::Wss)
}

/// Whether a dialog's peer and a registered contact are one and the same page: both are names that
/// it made up when it was loaded (RFC 7118 §5.2.1). Parameters differ.
fn is_same_page(dialog: &UriBuf, contact: &UriBuf) -> bool {
    let (dialog, contact) = (dialog.as_uri(), contact.as_uri());
    dialog.user_unescaped() == contact.user_unescaped()
        && dialog.host().eq_ignore_ascii_case(contact.host())
}
