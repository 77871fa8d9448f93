//! Requests of a desk that are under way: what they were for, and who answers their challenges.

use base::Instant;
use sip::{ClientTx, Flow, Message, Request, StatusCode};

use super::line::State;
use super::{Desk, LineId};

/// A request under way.
pub(super) struct Errand {
    pub(super) request: Request,
    pub(super) flow: Flow,
    pub(super) what: What,
}

/// What it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Register,
    /// A line's first INVITE.
    Invite(LineId),
    Bye(LineId),
    /// An offer in a dialog: re-INVITE or UPDATE; whether it holds.
    Offer(LineId, bool),
    /// A session refresh by UPDATE without an offer.
    Refresh(LineId),
    /// A lamp, by its Call-ID.
    Subscribe(String),
    /// Whatever comes of it: PRACK, REFER, INFO, MESSAGE, OPTIONS.
    Other(Option<LineId>),
}

impl What {
    pub(super) const fn line(&self) -> Option<LineId> {
        match self {
            Self::Invite(line)
            | Self::Bye(line)
            | Self::Offer(line, _)
            | Self::Refresh(line)
            | Self::Other(Some(line)) => Some(*line),
            Self::Register | Self::Subscribe(_) | Self::Other(None) => None,
        }
    }
}

impl Desk {
    /// Sends a request, with credentials if the server has asked for some before.
    pub(super) fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        mut request: Request,
        what: What,
    ) -> ClientTx {
        if let Some(authorizer) = &mut self.authorizer {
            authorizer.sign(&mut request);
        }
        self.send_signed(now, flow, request, what)
    }

    fn send_signed(&mut self, now: Instant, flow: Flow, request: Request, what: What) -> ClientTx {
        let tx = self.endpoint.request(now, flow, request.clone());
        self.errands.insert(tx, Errand { request, flow, what });
        tx
    }

    pub(super) fn on_response(&mut self, now: Instant, tx: ClientTx, response: &Message) {
        let Some(status) = response.status() else { return };
        let Some(errand) = self.errands.get(&tx) else {
            // Another answer of a forked call is the only thing that still concerns us.
            return;
        };
        let what = errand.what.clone();
        if status.is_provisional() {
            if let What::Invite(line) = what {
                self.on_provisional(now, line, response);
            }
            return;
        }
        let is_challenge = status == StatusCode::UNAUTHORIZED
            || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        if is_challenge && self.answer_challenge(now, tx, response) {
            return;
        }
        let sent = self.errands.remove(&tx);
        let is_late = sent.is_some_and(|errand| errand.request.content().is_empty());
        match what {
            What::Register => self.on_registered(now, status, response),
            What::Invite(line) => self.on_invited(now, tx, line, response),
            What::Bye(line) => self.end(line, 200),
            What::Offer(line, holds) => {
                self.on_answer(now, (tx, line), holds, is_late, response);
            }
            What::Refresh(line) => self.on_refreshed(now, line, response),
            What::Subscribe(call_id) => self.on_subscribed(now, &call_id, response),
            What::Other(line) => {
                if let Some(line) = line.filter(|_| is_lost(status)) {
                    self.lose(now, line);
                }
            }
        }
    }

    pub(super) fn on_silence(&mut self, now: Instant, tx: ClientTx) {
        let Some(errand) = self.errands.remove(&tx) else { return };
        match errand.what {
            What::Register => self.on_registration_failed(now, 0),
            What::Invite(line) => self.end(line, 0),
            What::Bye(line) => self.end(line, 408),
            What::Offer(line, _) | What::Refresh(line) => self.lose(now, line),
            What::Subscribe(call_id) => self.lamps.retain(|lamp| lamp.call_id != call_id),
            What::Other(_) => {}
        }
    }

    /// Sends the request again with credentials. `false` if there are none, or they did not do.
    fn answer_challenge(&mut self, now: Instant, tx: ClientTx, response: &Message) -> bool {
        let Some(authorizer) = &mut self.authorizer else { return false };
        let Some(errand) = self.errands.get_mut(&tx) else { return false };
        if authorizer.challenged(&mut errand.request, response).is_err() {
            return false;
        }
        let Some(Errand { mut request, flow, what }) = self.errands.remove(&tx) else {
            return false;
        };
        let in_dialog = !matches!(what, What::Invite(_));
        let line = what.line().and_then(|line| self.lines.get_mut(&line));
        match line.and_then(|line| line.dialog.as_mut()).filter(|_| in_dialog) {
            Some(dialog) => dialog.again(&mut request),
            None => request.next_cseq(),
        }
        // The path may have changed meanwhile.
        let flow = what.line().and_then(|id| self.lines.get(&id)).map_or(flow, |line| line.flow);
        let again = self.send_signed(now, flow, request.clone(), what.clone());
        let Some(line) = what.line().and_then(|line| self.lines.get_mut(&line)) else {
            return true;
        };
        match (&mut line.state, &what) {
            (State::Dialling(dialling), What::Invite(_)) => {
                dialling.tx = again;
                dialling.invite = request;
                if dialling.is_cancelled {
                    self.endpoint.cancel(now, again);
                }
            }
            (State::Ending(bye), What::Bye(_)) => *bye = again,
            (_, What::Offer(..)) => line.offer = Some(again),
            _ => {}
        }
        true
    }
}

/// Whether the far end knows the dialog no more (RFC 5057 §5.1).
pub(super) fn is_lost(status: StatusCode) -> bool {
    status == StatusCode::CALL_DOES_NOT_EXIST || status == StatusCode::REQUEST_TIMEOUT
}
