//! What comes to a desk: in a dialog of its own (RFC 3261 §12.2.2), or outside of any.

use base::Instant;
use sip::{DialogId, Flow, Message, Method, Name, Response, ServerTx, StatusCode};

use super::line::State;
use super::{Desk, DeskEvent, LineId};

impl Desk {
    pub(super) fn on_request(&mut self, now: Instant, tx: ServerTx, flow: Flow, request: &Message) {
        let Some(dialog) = DialogId::of_request(request) else {
            return self.on_outside(now, tx, flow, request);
        };
        let twin = DialogId {
            local_tag: dialog.local_tag.trim_start_matches("twin").to_owned(),
            ..dialog.clone()
        };
        if let Some(id) = self.line_of(&dialog) {
            self.on_in_dialog(now, tx, flow, id, request);
        } else if self.is_lamp(request) {
            self.on_notify(now, tx, request);
        } else if twin != dialog && request.method() == Method::Bye {
            // The device that was too late is told so.
            self.endpoint.respond(now, tx, Response::new(StatusCode::OK));
        } else {
            let gone = Response::new(StatusCode::CALL_DOES_NOT_EXIST);
            self.endpoint.respond(now, tx, gone);
        }
    }

    fn line_of(&self, dialog: &DialogId) -> Option<LineId> {
        let of = |line: &super::Line| match (&line.dialog, &line.state) {
            (Some(own), _) => own.id() == *dialog,
            (None, State::Dialling(dialling)) => dialling.forks.ids().any(|id| id == *dialog),
            (None, _) => false,
        };
        self.lines.iter().find(|(_, line)| of(line)).map(|(id, _)| *id)
    }

    fn on_in_dialog(
        &mut self,
        now: Instant,
        tx: ServerTx,
        flow: Flow,
        id: LineId,
        request: &Message,
    ) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        if let Some(dialog) = &mut line.dialog
            && let Err(error) = dialog.accept(request)
        {
            return self.endpoint.respond(now, tx, Response::new(error.status()));
        }
        line.flow = flow;
        let status = match request.method() {
            Method::Invite | Method::Update => return self.on_offer(now, tx, id, request),
            Method::Bye => {
                self.endpoint.respond(now, tx, Response::new(StatusCode::OK));
                return self.on_bye(now, id);
            }
            Method::Prack => return self.on_prack(now, tx, id, request),
            Method::Info | Method::Options | Method::Message => StatusCode::OK,
            Method::Notify => {
                self.tell(DeskEvent::Notified(request.body()));
                StatusCode::OK
            }
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        self.endpoint.respond(now, tx, Response::new(status));
    }

    /// The far end hangs up.
    fn on_bye(&mut self, now: Instant, id: LineId) {
        // An INVITE that waits for us is over with its dialog (RFC 3261 §15.1.2).
        if let Some(line) = self.lines.get(&id)
            && let State::Ringing(ringing) = &line.state
        {
            let terminated = Response::new(StatusCode::REQUEST_TERMINATED);
            self.endpoint.respond(now, ringing.tx, terminated);
        }
        self.end(id, 200);
    }

    fn on_prack(&mut self, now: Instant, tx: ServerTx, id: LineId, prack: &Message) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let State::Ringing(ringing) = &mut line.state else {
            // It was answered meanwhile, and the PRACK comes late.
            return self.endpoint.respond(now, tx, Response::new(StatusCode::OK));
        };
        let taken = ringing.reliable.as_mut().map(|reliable| reliable.on_prack(now, prack));
        let status = match taken {
            Some(Ok(())) => StatusCode::OK,
            Some(Err(status)) => status,
            None => {
                self.odd("a PRACK of a response that was not reliable");
                StatusCode::CALL_DOES_NOT_EXIST
            }
        };
        self.endpoint.respond(now, tx, Response::new(status));
        self.drain_reliable(now, id);
    }

    /// A re-INVITE or an UPDATE.
    fn on_offer(&mut self, now: Instant, tx: ServerTx, id: LineId, request: &Message) {
        let contact = self.contact();
        let is_invite = request.method() == Method::Invite;
        let has_offer = !request.body().is_empty();
        let Some(line) = self.lines.get_mut(&id) else { return };
        let is_busy = line.offer.is_some() || line.offered.is_some();
        if is_busy && (is_invite || has_offer) {
            let pending = Response::new(StatusCode::REQUEST_PENDING);
            return self.endpoint.respond(now, tx, pending);
        }
        if is_invite && !matches!(line.state, State::Up) {
            let status = match line.state {
                State::Ending(_) => StatusCode::CALL_DOES_NOT_EXIST,
                _ => StatusCode::REQUEST_PENDING,
            };
            return self.endpoint.respond(now, tx, Response::new(status));
        }
        let mut response = Response::new(StatusCode::OK).header(Name::CONTACT, contact);
        if has_offer || is_invite {
            let theirs = if has_offer { self.read("offer", &request.body()) } else { None };
            let body = self.description(id, theirs.or(Some(Self::BOTH_WAYS)));
            response = response.body("application/sdp", body);
        }
        let Some(response) = self.grant_timer(now, id, tx, request, response) else { return };
        if is_invite && let Some(line) = self.lines.get_mut(&id) {
            line.offered = Some(tx);
        }
        self.endpoint.respond(now, tx, response);
    }
}
