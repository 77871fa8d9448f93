//! An agent's page that is there again: the one that had the call goes on in its dialog; one that
//! was loaded anew is called, takes the call by itself if it heeds what the INVITE says, and then
//! has the place of the one that is gone, whichever that was. So is one that had no dialog yet,
//! because whom it calls has not answered: it hears the ringing again.

use base::{AgentId, Duration, Instant, LegId};
use sip::{Name, Request, UriBuf};

use super::adrift::{Adrift, is_page};
use super::leg::{Ack, Established, Leg, Signalling, Target};
use super::model::Party;
use super::{Call, Stage};
use crate::Cause;
use crate::node::{Alarm, Node};
use crate::register::aor;

/// How long a page that was loaded anew may take to answer: less than 15 s with the time it had to
/// register.
const ANSWER: Duration = Duration::from_millis(4_500);

impl Call {
    /// The agent has registered: the page that had the call goes on with it, another one is called.
    pub(super) fn on_agent_back(&mut self, node: &mut Node, now: Instant, agent: &AgentId) {
        let Some(Adrift { leg, gone, rung, .. }) =
            self.adrift.iter().find(|adrift| adrift.agent == *agent)
        else {
            return;
        };
        let (leg, gone, is_rung) = (*leg, *gone, rung.is_some());
        let Ok(had) = self.page_of(leg) else { return };
        let aor = aor(&self.tenant, agent);
        let Some(newest) = node.newest_page(now, &aor, Some(&gone)) else { return };
        let (contact, flow) = (newest.contact.clone(), newest.flow);
        let target = Target { contact, flow, path: newest.path.clone() };
        match had.filter(|(page, _)| is_same_page(page, &target.contact)) {
            Some((_, true)) => {
                self.move_leg(node, now, leg, target.flow);
                self.is_back(node, now, leg);
            }
            _ if is_rung => {}
            had => {
                if had.is_some() {
                    self.move_leg(node, now, leg, target.flow);
                }
                self.call_back(node, now, (leg, agent), target);
            }
        }
    }

    /// The page of a leg's dialog, if there is one yet, and whether it is known to have that: one
    /// that has not acknowledged our 200 may never have got it. `Err` if nobody waits for it.
    fn page_of(&self, leg: LegId) -> Result<Option<(UriBuf, bool)>, ()> {
        match self.leg(leg).map(|known| &known.signalling) {
            Some(Signalling::Up(Established { dialog, ack, .. })) => {
                let has_it = !matches!(ack, Ack::Awaited { first: true, .. });
                Ok(Some((dialog.remote_target().clone(), has_it)))
            }
            Some(Signalling::Invited { .. } | Signalling::Gone) => Ok(None),
            _ => Err(()),
        }
    }

    /// Calls a page of the agent's that was not in the call.
    fn call_back(
        &mut self,
        node: &mut Node,
        now: Instant,
        (old, agent): (LegId, &AgentId),
        target: Target,
    ) {
        let leg = self.leg_to_agent(node, agent, vec![target]);
        let until = now + ANSWER;
        node.alarms.insert((until, Alarm::Guest(self.id, leg)));
        if let Some(adrift) = self.adrift.iter_mut().find(|adrift| adrift.leg == old) {
            adrift.rung = Some((leg, until));
        }
        if !self.open_stream(node, now, leg, self.worker()) {
            self.return_failed(node, now, leg);
        }
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
        self.in_place_of(leg).is_some()
    }

    /// The leg whose place it is to take.
    fn in_place_of(&self, rung: LegId) -> Option<LegId> {
        let is_for = |adrift: &&Adrift| adrift.rung.is_some_and(|(leg, _)| leg == rung);
        self.adrift.iter().find(is_for).map(|adrift| adrift.leg)
    }

    /// Who a page that is to take a conversation back shows as calling: whom it was with.
    pub(super) fn shown_to_returning(&self, leg: LegId) -> Option<Party> {
        let old = self.in_place_of(leg)?;
        if self.is_caller(old) && self.opposite(old).is_none() {
            return Some(Party { number: self.to.clone(), display: String::new() });
        }
        let of_guest = || self.is_guest(old).then(|| self.shown_to_guest()).flatten();
        Some(of_guest().unwrap_or_else(|| self.shown_to_next(old)))
    }

    /// A new page of the agent's has answered: it takes the place of the one that is gone.
    pub(super) fn returned(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(old) = self.in_place_of(leg) else { return };
        self.forget_rung(node, old);
        let talks = match self.stage {
            Stage::Connected { .. } => self.change_places(node, now, old, leg),
            _ => self.calls_anew(node, now, old, leg),
        };
        self.expect_no_ack(node, old);
        self.drop_leg(node, now, old);
        if talks {
            self.is_back(node, now, old);
        } else {
            self.forget_adrift(node, now, old);
            self.lose(node, now, leg, Cause::MediaFailed);
        }
    }

    /// The conversation goes on with another leg of the same agent; its recording, and what it is
    /// to the router, stay as they are. `false` if there is no port for it.
    fn change_places(&mut self, node: &mut Node, now: Instant, old: LegId, new: LegId) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let far = talk.leg;
        self.take_after(node, old, new);
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.leg == old) {
            guest.leg = new;
            self.review_relays(node, far);
            return self.span(node, now, new);
        }
        self.unbridge(node, far);
        self.forget_mix();
        let Stage::Connected { talk } = std::mem::replace(&mut self.stage, Stage::BetweenSteps)
        else {
            return false;
        };
        let is_hub = self.is_caller(old);
        let mut talk = if is_hub { self.turned(talk) } else { talk };
        talk.leg = new;
        self.stage = Stage::Connected { talk };
        if is_hub && self.is_mixed() {
            // Everybody's audio comes to another worker.
            self.close_relays(node);
        }
        if !self.span(node, now, new) {
            return false;
        }
        self.bridge(node, now, new);
        self.review_relays(node, new);
        self.renew_held();
        true
    }

    /// Nobody has answered the agent yet: another leg of the agent's waits for that, and hears what
    /// the one before heard.
    fn calls_anew(&mut self, node: &mut Node, now: Instant, old: LegId, new: LegId) -> bool {
        if !self.is_caller(old) {
            return false;
        }
        self.forget_invite(node, now);
        self.end_reliable(node);
        let early = self.dialling.as_ref().filter(|dial| dial.heard).and_then(|dial| dial.leg);
        if let Some(far) = early {
            self.unbridge(node, far);
        }
        self.take_after(node, old, new);
        let called = self.caller.called;
        if let Some(far) = self.far.iter_mut().find(|far| far.id == new) {
            std::mem::swap(&mut self.caller, far);
            self.caller.called = called;
        }
        self.hear_anew(node, now);
        true
    }

    /// A caller with another leg hears what there is to be heard: whom it calls, or that it rings
    /// there, the queue's music; a prompt from its beginning.
    fn hear_anew(&mut self, node: &mut Node, now: Instant) {
        let step = match &self.stage {
            Stage::Dialling => return self.hear_dialled(node, now),
            Stage::Queued { queue, .. } | Stage::Ringing { queue, .. } => {
                let queue = self.directory.queue(&self.tenant, queue);
                if let Some(music) = queue.map(|queue| queue.music.clone()) {
                    self.play(node, &music, true);
                }
                return;
            }
            Stage::Prompt { step, .. } => *step,
            Stage::Collecting(collecting) => collecting.step(),
            _ => return,
        };
        self.stop_collecting(node);
        self.go_to_step(node, now, step, Cause::Normal);
    }

    /// The same while somebody is called directly.
    fn hear_dialled(&mut self, node: &mut Node, now: Instant) {
        let lets_hear = |leg: &LegId| self.leg(*leg).is_some_and(|known| known.remote.is_some());
        let rung = self.dialling.as_ref().and_then(|dial| dial.leg);
        let heard = rung.filter(lets_hear);
        let Some(dial) = &mut self.dialling else { return };
        dial.tone = false;
        dial.heard = heard.is_some();
        match heard {
            Some(far) => self.bridge(node, now, far),
            None => self.play_ringing(node),
        }
    }

    /// No ACK comes any more for the dialog of a page that has another connection by now.
    fn expect_no_ack(&mut self, node: &mut Node, leg: LegId) {
        let gone = self.adrift.iter().find(|adrift| adrift.leg == leg).map(|adrift| adrift.gone);
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg_mut(leg) else { return };
        if gone == Some(up.flow) {
            return;
        }
        if let Ack::Awaited { tx, .. } = std::mem::replace(&mut up.ack, Ack::Confirmed) {
            node.index.servers.remove(&tx);
        }
    }

    /// What was said of the old leg is so of the new one.
    fn take_after(&mut self, node: &mut Node, old: LegId, new: LegId) {
        if self.host == Some(old) {
            self.host = Some(new);
        }
        let Some(Leg { side, muted, aside, .. }) = self.leg(old) else { return };
        let (side, muted, aside) = (*side, *muted, *aside);
        let Some(known) = self.leg_mut(new) else { return };
        (known.side, known.muted, known.aside) = (side, muted, aside);
        if aside {
            self.update_music(node, new);
        }
    }

    /// The page that was called did not take it: another one may still come.
    pub(super) fn return_failed(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(old) = self.in_place_of(leg) else { return };
        self.stop_return(node, now, old);
        let is_over = |adrift: &Adrift| adrift.leg == old && adrift.until <= now;
        if self.adrift.iter().any(is_over) {
            self.give_agent_up(node, now, old);
        }
    }

    /// Stops ringing another page in place of that leg's.
    pub(super) fn stop_return(&mut self, node: &mut Node, now: Instant, old: LegId) {
        if let Some(leg) = self.forget_rung(node, old) {
            self.hang_up(node, now, leg, Cause::Normal);
        }
    }

    /// The leg that is rung in place of another one is none any more.
    fn forget_rung(&mut self, node: &mut Node, old: LegId) -> Option<LegId> {
        let adrift = self.adrift.iter_mut().find(|adrift| adrift.leg == old)?;
        let (leg, until) = adrift.rung.take()?;
        node.alarms.remove(&(until, Alarm::Guest(self.id, leg)));
        Some(leg)
    }
}

/// Whether a dialog's peer and a registered contact are one and the same page: both are names that
/// it made up when it was loaded (RFC 7118 §5.2.1). Parameters differ.
pub(crate) fn is_same_page(dialog: &UriBuf, contact: &UriBuf) -> bool {
    let (dialog, contact) = (dialog.as_uri(), contact.as_uri());
    dialog.user_unescaped() == contact.user_unescaped()
        && dialog.host().eq_ignore_ascii_case(contact.host())
}
