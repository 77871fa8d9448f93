//! Session timers (RFC 4028): each leg's dialog is refreshed in time by whoever was to do it, or the
//! call is over. So no call outlives a peer that vanished without a BYE.

use base::{Duration, Instant, LegId};
use bytes::Bytes;
use media::Codec;
use sip::header::MinSe;
use sip::{
    ClientTx, Message, Method, Name, Request, Response, SessionTimer, SessionTimerError,
    SessionTimerOutput, StatusCode, TooSmall, glare_pause,
};

use super::early::forget_early;
use super::leg::{Ack, Established, Fork, Leg, Signalling};
use super::negotiation::SDP;
use super::{Call, Stage};
use crate::Cause;
use crate::node::{ALLOW, Alarm, Node};

/// The extensions that calls of ours know (RFC 3262, RFC 4028, RFC 3891).
pub(super) const SUPPORTED: &str = "100rel, timer, replaces";

/// After a refusal that says neither that the dialog is gone nor when to come back.
const PAUSE: Duration = Duration::from_secs(10);

/// A refresh of ours that is out.
pub(super) struct Refreshing {
    tx: ClientTx,
    /// For a re-INVITE its number and its offer; an UPDATE has neither.
    invite: Option<(u32, Bytes)>,
    /// The one codec that it offers, if that is its purpose.
    codec: Option<Codec>,
}

impl Refreshing {
    pub(super) fn tx(&self) -> ClientTx {
        self.tx
    }

    /// Whether it is an offer, beside which no other one may stand.
    pub(super) fn is_offer(&self) -> bool {
        self.invite.is_some()
    }
}

impl Call {
    /// The least interval we take, if the caller's INVITE asks for a shorter one (RFC 4028 §9).
    pub(super) fn short_timer(&mut self) -> Option<MinSe> {
        let Signalling::Invited { invite, .. } = &self.caller.signalling else { return None };
        match self.caller.timer.on_request(invite) {
            Err(SessionTimerError::TooSmall(TooSmall(least))) => Some(least),
            // A timer that does not parse is no reason to lose a call.
            Ok(_) | Err(SessionTimerError::Header(_)) => None,
        }
    }

    /// What was agreed on a leg's timer has come due.
    pub(super) fn on_timer(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(known) = self.leg_mut(leg) else { return };
        known.timer_due = None;
        known.timer.handle_timeout(now);
        let outputs: Vec<_> = std::iter::from_fn(|| known.timer.poll_output()).collect();
        for output in outputs {
            match output {
                SessionTimerOutput::Refresh { update } => self.refresh(node, now, leg, update),
                SessionTimerOutput::Expired => return self.dialog_lost(node, now, leg),
            }
        }
        self.arm_timer(node, leg);
    }

    /// Sets the alarm that the leg's timer wants next.
    pub(super) fn arm_timer(&mut self, node: &mut Node, leg: LegId) {
        let alarm = Alarm::Timer(self.id, leg);
        let Some(known) = self.leg_mut(leg) else { return };
        let is_up = matches!(known.signalling, Signalling::Up(_));
        let due = known.timer.poll_timeout().filter(|_| is_up);
        let before = std::mem::replace(&mut known.timer_due, due);
        if before == due {
            return;
        }
        if let Some(before) = before {
            node.alarms.remove(&(before, alarm));
        }
        if let Some(due) = due {
            node.alarms.insert((due, alarm));
        }
    }

    /// The leg is another call's from here on, and its timer too.
    pub(super) fn disarm_timer(&mut self, node: &mut Node, leg: LegId) {
        let alarm = Alarm::Timer(self.id, leg);
        let Some(known) = self.leg_mut(leg) else { return };
        if let Some(due) = known.timer_due.take() {
            node.alarms.remove(&(due, alarm));
        }
    }

    /// The leg's dialog is over: its timer is too.
    pub(super) fn drop_timer(&mut self, node: &mut Node, leg: LegId) {
        self.disarm_timer(node, leg);
        let Some(known) = self.leg_mut(leg) else { return };
        if let Some(refreshing) = known.refreshing.take() {
            node.index.clients.remove(&refreshing.tx);
        }
    }

    /// Sends an UPDATE, or a re-INVITE to a peer that takes none.
    pub(super) fn refresh(&mut self, node: &mut Node, now: Instant, leg: LegId, update: bool) {
        let Some(known) = self.leg_mut(leg) else { return };
        let (codec, only) = (known.codec(), known.only_codec());
        let offer = match only {
            _ if update => None,
            Some(only) => known.offer_of(only),
            None => known.offer(codec),
        };
        let method = if update { Method::Update } else { Method::Invite };
        self.send_refresh(node, now, leg, method, offer, None);
    }

    /// Sends it, unless an offer is open already.
    pub(super) fn send_refresh(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        method: Method,
        offer: Option<Bytes>,
        codec: Option<Codec>,
    ) {
        let owner = self.leg_ref(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        let Leg { signalling: Signalling::Up(up), timer, refreshing, .. } = known else { return };
        if refreshing.is_some() || !matches!(up.ack, Ack::Confirmed) {
            return timer.retry(now, PAUSE);
        }
        let flow = up.flow;
        let mut request = up.dialog.request(method).header(Name::ALLOW, ALLOW);
        if let Some(contact) = node.contact(&flow) {
            request = request.header(Name::CONTACT, format_args!("<{contact}>"));
        }
        if let Some(offer) = &offer {
            request = request.body(SDP, offer.clone());
        }
        let request = timer.put(request);
        let invite = offer.map(|offer| (up.dialog.local_cseq(), offer));
        let tx = node.endpoint.request(now, flow, request);
        node.index.clients.insert(tx, owner);
        *refreshing = Some(Refreshing { tx, invite, codec });
    }

    /// A 422 to an INVITE of ours: it is sent again with the interval that the peer takes (RFC 4028
    /// §7.3). `false` if it is none, or says nothing that could be done.
    pub(super) fn ask_for_longer(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let is_too_small = response.status() == Some(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        let Some(known) = self.leg_mut(leg).filter(|_| is_too_small) else { return false };
        if !known.timer.on_too_small(response) {
            return false;
        }
        let Some(fork) = self.take_fork(leg, tx) else { return false };
        let owner = self.leg_ref(leg);
        node.index.unbind_connection(&fork.flow, owner);
        forget_early(node, &fork);
        let Fork { flow, mut invite, offer, .. } = fork;
        invite.remove(Name::SESSION_EXPIRES);
        invite.remove(Name::MIN_SE);
        invite.forget_answers();
        invite.next_cseq();
        if let Some(known) = self.leg_mut(leg) {
            invite = known.timer.put(invite);
        }
        self.send_fork(node, now, leg, flow, invite, offer);
        true
    }

    /// Whether a transaction of ours refreshes the leg's dialog.
    pub(super) fn is_refresh(&mut self, leg: LegId, tx: ClientTx) -> bool {
        self.leg_mut(leg)
            .and_then(|leg| leg.refreshing.as_ref())
            .is_some_and(|refreshing| refreshing.tx == tx)
    }

    /// The connection that a refresh of ours went over is gone, and not the page: it has no answer,
    /// and its time comes again.
    pub(super) fn put_off_refresh(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(known) = self.leg_mut(leg) else { return };
        let Some(Refreshing { tx, codec, .. }) = known.refreshing.take() else { return };
        node.index.clients.remove(&tx);
        known.timer.retry(now, PAUSE);
        self.arm_timer(node, leg);
        if codec.is_some() {
            self.on_codec_refused(node, now, leg, codec, StatusCode::REQUEST_TIMEOUT.as_u16());
        }
    }

    /// What a peer says to our refresh; `None`: nothing at all (RFC 5057 §5.1).
    pub(super) fn on_refreshed(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        response: Option<&Message>,
    ) {
        let status = response.and_then(Message::status);
        if status.is_some_and(|status| !status.is_final()) {
            return;
        }
        let is_callers = self.is_caller(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        let Some(refreshing) = known.refreshing.take() else { return };
        let (was_update, codec) = (refreshing.invite.is_none(), refreshing.codec);
        match (status.map_or(408, StatusCode::as_u16), response) {
            (200..=299, Some(response)) => {
                self.take_refresh(node, now, leg, refreshing, response);
                if let Some(codec) = codec {
                    self.on_codec_answered(node, now, leg, codec);
                }
            }
            (408 | 481, _) => return self.dialog_lost(node, now, leg),
            (status, _) if codec.is_some() => {
                self.on_codec_refused(node, now, leg, codec, status);
            }
            (422, Some(response)) if known.timer.on_too_small(response) => {
                self.refresh(node, now, leg, was_update);
            }
            (405 | 501, _) if was_update => self.refresh(node, now, leg, false),
            (491, _) => {
                let pause = glare_pause(!is_callers, &mut node.rng);
                known.timer.retry(now, pause);
            }
            _ => known.timer.retry(now, PAUSE),
        }
        self.arm_timer(node, leg);
    }

    fn take_refresh(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        refreshing: Refreshing,
        response: &Message,
    ) {
        let Some(known) = self.leg_mut(leg) else { return };
        known.timer.on_success(now, response);
        let Signalling::Up(Established { dialog, flow, .. }) = &mut known.signalling else {
            return;
        };
        // A target that does not parse leaves the one we have.
        let _ = dialog.refresh(response);
        let Some((cseq, offer)) = refreshing.invite else { return };
        let (flow, ack) = (*flow, dialog.ack(cseq));
        node.endpoint.acknowledge(now, refreshing.tx, flow, ack);
        let held = known.holds();
        // An answer that we cannot take leaves the media as they were.
        let _ = known.accept_answer(node, &offer, response);
        self.on_described(node, now, leg, held);
    }

    /// The peer of a leg is gone.
    fn dialog_lost(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if self.transferor_left(node, now, leg) {
            return self.hang_up(node, now, leg, Cause::Timeout);
        }
        let talks = matches!(&self.stage, Stage::Connected { talk } if talk.leg == leg);
        if talks || self.is_caller(leg) || self.is_guest(leg) {
            self.lose(node, now, leg, Cause::Timeout);
        } else {
            self.hang_up(node, now, leg, Cause::Timeout);
        }
    }
}

/// A 2xx of ours to a peer's INVITE or UPDATE, with the timer that it asks for.
pub(super) fn granted(
    timer: &mut SessionTimer,
    now: Instant,
    request: &Message,
    response: Response,
) -> Response {
    match timer.on_request(request) {
        Ok(granted) => timer.grant(now, granted, response),
        Err(_) => response,
    }
}

/// An INVITE of ours that asks for the leg's timer.
pub(super) fn timed(leg: Option<&mut Leg>, invite: Request) -> Request {
    match leg {
        Some(leg) => leg.timer.put(invite.header(Name::SUPPORTED, SUPPORTED)),
        None => invite,
    }
}
