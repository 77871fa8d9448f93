//! Transfers that a carrier does itself: a customer behind a trunk whose provisioning says so is
//! sent on by a REFER of ours (RFC 3515, RFC 5589), to a number that goes out over the same trunk
//! anyway, or to a far side on it. Whoever asked is told how it goes as if we did it; if the
//! carrier does not want to, we do.

use base::{Duration, Instant, LegId, TrunkId};
use routing::Destination;
use sip::header::{Event, NameAddr, ReferTo, Replaces, SubscriptionState, Substate};
use sip::{
    ClientTx, Message, Method, Name, Request, ServerTx, StatusCode, UriBuf, digest, sipfrag,
};

use super::Call;
use super::dial::Failure;
use super::far_end::FarEnd;
use super::join::{Join, Refer};
use super::leg::{Ack, Established, Leg, Signalling};
use super::model::{Goal, Party};
use super::outside::credentials_of;
use super::transfer::Transfer;
use super::trunk_invite::request_uri;
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::{Alarm, Node};
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// For how long a carrier may say nothing final: longer than anything rings.
const PATIENCE: Duration = Duration::from_secs(180);

/// A REFER of ours that a carrier works on.
pub(super) struct Passed {
    /// The leg it was sent on: the customer's.
    leg: LegId,
    /// The REFER, until it is answered.
    tx: Option<ClientTx>,
    refer: Request,
    /// Whether it has been sent again with a password.
    challenged: bool,
    /// Whether the carrier has said that the target rings.
    rings: bool,
    /// When it is given up.
    until: Instant,
    /// What we do ourselves if the carrier does not.
    instead: Instead,
}

/// What follows when the carrier does not do a transfer.
pub(super) enum Instead {
    /// The number is called.
    Dial(Goal, Party),
    /// The two calls are joined here.
    Join(Refer),
}

impl Passed {
    /// Whether the carrier is to join two far sides, who talk with their agent meanwhile.
    pub(super) fn joins(&self) -> bool {
        matches!(self.instead, Instead::Join(_))
    }
}

impl Call {
    /// Has the customer's carrier do a transfer to a number outside, if it is one that does.
    pub(super) fn pass_to_number(
        &mut self,
        node: &mut Node,
        now: Instant,
        goal: &Goal,
        from: &Party,
    ) -> bool {
        let Goal::Outside(to) = goal else { return false };
        let Some(trunk) = self.passing_trunk(self.caller.id).cloned() else { return false };
        if to.is_emergency() || !self.goes_over(node, &trunk, to) {
            return false;
        }
        let Some(known) = self.directory.trunk(&trunk) else { return false };
        let called = routing::called_for(known, to);
        let host = known.outbound_targets().first().and_then(|at| UriBuf::parse(&at.uri).ok());
        let target = host.and_then(|host| request_uri(&host, &called));
        let Some(target) = target else { return false };
        let refer_to = ReferTo::call(NameAddr::named(None, target));
        let instead = Instead::Dial(goal.clone(), from.clone());
        self.pass(node, now, (self.caller.id, &trunk), &refer_to, instead)
    }

    /// Has the carrier of both far sides join them.
    pub(crate) fn pass_join(
        &mut self,
        node: &mut Node,
        now: Instant,
        refer: &Refer,
        refer_to: &ReferTo,
    ) -> bool {
        let (by, notify) = (refer.by.leg, refer.notify);
        let trunk = self.opposite(by).and_then(|leg| Some((leg, self.passing_trunk(leg)?.clone())));
        let Some((stays, trunk)) = trunk else { return false };
        let asked = self.agent_of(by).cloned();
        let to = refer.to.clone();
        self.transfer = Some(Transfer::new(Some(by), asked.clone(), notify, to.clone()));
        let again = Refer { tx: None, ..refer.clone() };
        if !self.pass(node, now, (stays, &trunk), refer_to, Instead::Join(again)) {
            self.transfer = None;
            return false;
        }
        self.tell(node, now, EventKind::TransferStarted { by: asked, to });
        true
    }

    /// What a REFER to the carrier of that leg's far side would say of it: who it is, and which of
    /// its dialogs is to be replaced.
    pub(crate) fn far_side_of(&self, leg: LegId) -> Option<(&TrunkId, ReferTo)> {
        let other = self.opposite(leg)?;
        let trunk = self.passing_trunk(other)?;
        let Signalling::Up(up) = &self.leg(other)?.signalling else { return None };
        let target = NameAddr::named(None, up.dialog.remote_target().clone());
        let replaces = Some(Replaces::at_peer(&up.dialog.id()));
        Some((trunk, ReferTo { target, method: Method::Invite, replaces }))
    }

    /// Whether it is the same trunk as the one behind the other side of that leg.
    pub(crate) fn shares_trunk(&self, leg: LegId, trunk: &TrunkId) -> bool {
        self.opposite(leg).and_then(|other| self.passing_trunk(other)) == Some(trunk)
    }

    /// The trunk behind a leg, if it does transfers itself.
    fn passing_trunk(&self, leg: LegId) -> Option<&TrunkId> {
        let trunk = self.leg(leg)?.role.trunk()?;
        self.directory.trunk(trunk).filter(|known| known.passes_refer)?;
        Some(trunk)
    }

    /// Whether a call to the number could go out over that trunk.
    fn goes_over(&self, node: &mut Node, trunk: &TrunkId, to: &Destination) -> bool {
        let mut rng = node.rng.fork();
        let health = |trunk: &TrunkId| node.trunk_health(trunk);
        let chosen = routing::outbound(&self.directory, &self.tenant, to, health, &mut rng);
        chosen.is_ok_and(|chosen| chosen.choices.iter().any(|choice| choice.trunk == *trunk))
    }

    fn pass(
        &mut self,
        node: &mut Node,
        now: Instant,
        (leg, trunk): (LegId, &TrunkId),
        refer_to: &ReferTo,
        instead: Instead,
    ) -> bool {
        let LegRef { call, .. } = self.leg_ref(leg);
        let Some(Leg { signalling: Signalling::Up(up), .. }) = self.leg_mut(leg) else {
            return false;
        };
        let Established { dialog, flow, ack: Ack::Confirmed } = up else { return false };
        let flow = *flow;
        let Some(contact) = node.contact(&flow) else { return false };
        let mut refer = dialog
            .request(Method::Refer)
            .header(Name::REFER_TO, refer_to)
            .header(Name::REFERRED_BY, format_args!("<{contact}>"));
        if refer.get(Name::CONTACT).is_none() {
            refer = refer.header(Name::CONTACT, format_args!("<{contact}>"));
        }
        if refer.refused().is_some() {
            return false;
        }
        let tx = node.endpoint.request(now, flow, refer.clone());
        node.index.clients.insert(tx, LegRef { call, leg });
        let until = now + PATIENCE;
        node.alarms.insert((until, Alarm::Dial(call)));
        let why = format!("{trunk} does the transfer itself");
        let Some(transfer) = &mut self.transfer else { return false };
        let (tx, challenged, rings) = (Some(tx), false, false);
        let passed = Passed { leg, tx, refer, challenged, rings, until, instead };
        transfer.passed = Some(Box::new(passed));
        let to = transfer.to.clone();
        self.narrative.decide(node, now, Decided::Dial { to, why });
        true
    }

    fn passed(&self) -> Option<&Passed> {
        self.transfer.as_ref()?.passed.as_deref()
    }

    /// Whether a transaction is our REFER.
    pub(super) fn is_passed(&self, tx: ClientTx) -> bool {
        self.passed().is_some_and(|passed| passed.tx == Some(tx))
    }

    /// Nothing of it is waited for any more.
    pub(super) fn drop_passed(&mut self, node: &mut Node) -> Option<Instead> {
        let passed = self.transfer.as_mut()?.passed.take()?;
        node.alarms.remove(&(passed.until, Alarm::Dial(self.id)));
        if let Some(tx) = passed.tx {
            node.index.clients.remove(&tx);
        }
        Some(passed.instead)
    }

    /// What the carrier says to our REFER; `None`: nothing at all.
    pub(super) fn on_refer_response(
        &mut self,
        node: &mut Node,
        now: Instant,
        response: Option<&Message>,
    ) {
        let status = response.and_then(Message::status);
        if status.is_some_and(|status| !status.is_final()) {
            return;
        }
        let Some(passed) = self.transfer.as_mut().and_then(|one| one.passed.as_mut()) else {
            return;
        };
        passed.tx = None;
        match (status.map(StatusCode::as_u16), response) {
            // How it goes, its NOTIFYs say.
            (Some(200..=299), _) => {}
            // RFC 5057 §5.1: the customer is gone.
            (Some(481), _) => self.end(node, now, Cause::Timeout, EndedBy::Engine),
            (Some(401 | 407), Some(challenge)) if self.refer_again(node, now, challenge) => {}
            _ => self.do_it_ourselves(node, now),
        }
    }

    /// Sends the REFER again with the trunk's password, once.
    fn refer_again(&mut self, node: &mut Node, now: Instant, challenge: &Message) -> bool {
        let call = self.id;
        let Some(leg) = self.passed().map(|passed| passed.leg) else { return false };
        let trunk = self.leg(leg).and_then(|leg| leg.role.trunk());
        let known = trunk.and_then(|trunk| self.directory.trunk(trunk));
        let Some(credentials) = known.and_then(credentials_of) else { return false };
        let Some(Transfer { passed: Some(passed), .. }) = &mut self.transfer else { return false };
        let Some(known) =
            std::iter::once(&mut self.caller).chain(&mut self.far).find(|l| l.id == leg)
        else {
            return false;
        };
        let Signalling::Up(up) = &mut known.signalling else { return false };
        if std::mem::replace(&mut passed.challenged, true)
            || digest::authorize(&mut passed.refer, challenge, &credentials, &mut node.rng).is_err()
        {
            return false;
        }
        up.dialog.again(&mut passed.refer);
        let tx = node.endpoint.request(now, up.flow, passed.refer.clone());
        node.index.clients.insert(tx, LegRef { call, leg });
        passed.tx = Some(tx);
        true
    }

    fn do_it_ourselves(&mut self, node: &mut Node, now: Instant) {
        match self.drop_passed(node) {
            Some(Instead::Dial(goal, from)) => self.call_next(node, now, goal, from),
            Some(Instead::Join(refer)) => {
                self.transfer = None;
                node.joins.push(Join::Refer(refer));
            }
            None => {}
        }
    }

    /// The carrier tells how our REFER goes.
    pub(super) fn on_refer_notify(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        notify: &Message,
    ) {
        let is_refer = matches!(Event::of(notify), Ok(Some(event)) if event.is("refer"));
        if !is_refer || self.passed().is_none_or(|passed| passed.leg != leg) {
            // RFC 6665 §4.1.3: we have subscribed to nothing.
            return node.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST);
        }
        node.reply(now, tx, StatusCode::OK);
        let status = sipfrag::status(&notify.body());
        let is_over = matches!(SubscriptionState::of(notify),
            Ok(state) if state.state == Substate::Terminated);
        match status {
            Some(status) if status.is_success() => self.passed_on(node, now),
            Some(status) if status.is_final() => {
                let far = FarEnd { status: Some(status), ..FarEnd::default() };
                self.passing_failed(node, now, &Failure::of(far));
            }
            _ if is_over => {
                let failure = Failure::new(Cause::NoAnswer, "the carrier says no more of it");
                self.passing_failed(node, now, &failure);
            }
            Some(status) => self.relay_progress(node, now, status),
            None => {}
        }
    }

    /// Whoever asked hears the same.
    fn relay_progress(&mut self, node: &mut Node, now: Instant, status: StatusCode) {
        let Some(transfer) = &mut self.transfer else { return };
        if let Some(passed) = &mut transfer.passed {
            passed.rings |= status != StatusCode::TRYING;
        }
        if let (true, Some(by)) = (transfer.notify, transfer.by) {
            self.notify(node, now, by, status);
        }
    }

    /// The carrier has done it: our legs are needed no more.
    fn passed_on(&mut self, node: &mut Node, now: Instant) {
        let instead = self.drop_passed(node);
        let Some(Transfer { by, notify, to, .. }) = self.transfer.take() else { return };
        let agent = by.and_then(|by| self.agent_of(by).cloned());
        if let (true, Some(by)) = (notify, by) {
            self.notify(node, now, by, StatusCode::OK);
        }
        self.tell(node, now, EventKind::CallTransferred { by: agent, to });
        if let Some(Instead::Join(Refer { other: Some(other), .. })) = instead {
            node.joins.push(Join::Over(other));
        }
        self.end(node, now, Cause::Transferred, EndedBy::Agent);
    }

    /// A call whose far side a carrier has joined with another one's.
    pub(crate) fn end_passed(&mut self, node: &mut Node, now: Instant) {
        self.end(node, now, Cause::Transferred, EndedBy::Agent);
        self.settle_if_done(node);
    }

    /// Nobody took it where the carrier sent it: back to who asked.
    fn passing_failed(&mut self, node: &mut Node, now: Instant, failure: &Failure) {
        match self.drop_passed(node) {
            // Both are there: they can be joined here.
            Some(Instead::Join(refer)) => {
                self.transfer = None;
                node.joins.push(Join::Refer(refer));
            }
            _ => self.beside_failed(node, now, failure),
        }
    }

    /// The carrier has said nothing final for too long. `false` if it was not waited for.
    pub(super) fn on_passing_timeout(&mut self, node: &mut Node, now: Instant) -> bool {
        if self.passed().is_none() {
            return false;
        }
        let failure = Failure::new(Cause::NoAnswer, "the carrier says nothing more of it");
        self.passing_failed(node, now, &failure);
        true
    }

    /// The customer's leg has been hung up by a carrier. `true` if it had said that the target
    /// rings: it has taken the customer along.
    pub(super) fn is_taken_along(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let taken = self.passed().is_some_and(|passed| passed.leg == leg && passed.rings);
        if taken {
            self.passed_on(node, now);
        }
        taken
    }
}
