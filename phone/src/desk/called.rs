//! A desk is called (RFC 3261 §13.3): it rings, is heard early, answers, refuses, or is let go.

use base::{Duration, Instant};
use media::Direction;
use sip::reliable::{ReliableOutput, ReliableUas, ReliableWish};
use sip::{Dialog, Flow, Message, Method, Name, Response, ServerTx, StatusCode, UriBuf};

use super::line::{Line, Ringing, State};
use super::{Desk, DeskEvent, LineId, Pickup, Rings, Then};

/// T1 (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);

impl Desk {
    /// An INVITE that is in no dialog.
    pub(super) fn on_invite(&mut self, now: Instant, tx: ServerTx, flow: Flow, invite: &Message) {
        let draw = usize::try_from(self.rng.below(self.config.pickups.len() as u64)).unwrap_or(0);
        let never =
            Pickup { rings: Rings::Rings, after: Duration::ZERO, then: Then::Never, forks: false };
        let pickup = self.config.pickups.get(draw).copied().unwrap_or(never);
        let id = self.next_line();
        let wish = ReliableWish::of(invite);
        let wants = matches!(pickup.rings, Rings::Reliably | Rings::EarlyReliably);
        let is_reliable =
            wish == ReliableWish::Required || (wants && wish != ReliableWish::Unknown);
        let reliable =
            is_reliable.then(|| ReliableUas::new(invite, T1, &mut self.rng).ok()).flatten();
        let due = (pickup.then != Then::Never).then(|| now + pickup.after);
        let tag = self.rng.hex::<6>();
        let Ok(own) = UriBuf::parse(self.contact().trim_matches(['<', '>'])) else { return };
        let Ok(dialog) = Dialog::uas(invite, &tag, own) else {
            self.odd("an INVITE that makes no dialog");
            return self.endpoint.respond(now, tx, Response::new(StatusCode::BAD_REQUEST));
        };
        let ringing =
            Ringing { tx, invite: invite.clone(), pickup, due, tag, reliable, is_described: false };
        let timer = self.timer();
        let mut line = Line::new(flow, State::Ringing(Box::new(ringing)), false, timer);
        line.dialog = Some(Box::new(dialog));
        self.lines.insert(id, line);
        self.tell(DeskEvent::Called(id));
        self.ring(now, id);
    }

    /// What the caller gets at once.
    fn ring(&mut self, now: Instant, id: LineId) {
        let contact = self.contact();
        let Some(line) = self.lines.get(&id) else { return };
        let State::Ringing(ringing) = &line.state else { return };
        let (tag, pickup) = (ringing.tag.clone(), ringing.pickup);
        let offer = ringing.invite.body();
        let response = match pickup.rings {
            Rings::Nothing => return,
            Rings::Rings | Rings::Reliably => {
                Response::new(StatusCode::RINGING).to_tag(&tag).header(Name::CONTACT, contact)
            }
            Rings::Early | Rings::EarlyReliably => {
                let progress = Response::new(StatusCode::SESSION_PROGRESS);
                // An offer of ours may only go out reliably (RFC 3262 §5).
                let may_offer = !offer.is_empty() || ringing.reliable.is_some();
                let progress = progress.to_tag(&tag).header(Name::CONTACT, contact);
                if may_offer {
                    let body = self.own_half(id, &offer);
                    progress.body("application/sdp", body)
                } else {
                    progress
                }
            }
        };
        let Some(line) = self.lines.get_mut(&id) else { return };
        let State::Ringing(ringing) = &mut line.state else { return };
        ringing.is_described |= !response.content().is_empty();
        match &mut ringing.reliable {
            Some(reliable) => {
                reliable.respond(now, response);
                self.drain_reliable(now, id);
            }
            None => self.endpoint.respond(now, ringing.tx, response),
        }
    }

    /// Our answer to an offer, or our own offer if there is none.
    fn own_half(&mut self, id: LineId, offer: &[u8]) -> bytes::Bytes {
        let theirs = if offer.is_empty() { None } else { self.read("offer", offer) };
        self.description(id, theirs)
    }

    pub(super) fn drain_reliable(&mut self, now: Instant, id: LineId) {
        while let Some(line) = self.lines.get_mut(&id)
            && let State::Ringing(ringing) = &mut line.state
            && let Some(reliable) = &mut ringing.reliable
            && let Some(output) = reliable.poll_output()
        {
            let tx = ringing.tx;
            match output {
                ReliableOutput::Respond(response) => self.endpoint.respond(now, tx, response),
                ReliableOutput::GaveUp => {
                    let failed = Response::new(StatusCode::SERVER_INTERNAL_ERROR);
                    self.endpoint.respond(now, tx, failed);
                    self.end(id, 500);
                }
            }
        }
    }

    /// It has rung long enough.
    pub(super) fn decide(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let State::Ringing(ringing) = &mut line.state else { return };
        ringing.due = None;
        match ringing.pickup.then {
            Then::Never => {}
            Then::Refuse(status) => self.refuse(now, id, status),
            Then::Answer => self.answer(now, id),
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, id: LineId, status: StatusCode) {
        let contact = self.contact();
        let Some(line) = self.lines.get(&id) else { return };
        let State::Ringing(ringing) = &line.state else { return };
        let mut response = Response::new(status).to_tag(&ringing.tag);
        if (300..400).contains(&status.as_u16()) {
            response = response.header(Name::CONTACT, contact);
        }
        self.endpoint.respond(now, ringing.tx, response);
        self.end(id, status.as_u16());
    }

    /// Picks up.
    fn answer(&mut self, now: Instant, id: LineId) {
        let contact = self.contact();
        let Some(line) = self.lines.get_mut(&id) else { return };
        let State::Ringing(ringing) = &mut line.state else { return };
        if ringing.reliable.as_ref().is_some_and(|reliable| !reliable.may_succeed()) {
            // The PRACK of our description has to come first (RFC 3262 §5).
            ringing.due = Some(now + T1);
            return;
        }
        let (tx, tag, invite) = (ringing.tx, ringing.tag.clone(), ringing.invite.clone());
        let (is_described, forks) = (ringing.is_described, ringing.pickup.forks);
        let mut response =
            Response::new(StatusCode::OK).to_tag(&tag).header(Name::CONTACT, contact);
        response = response.header(Name::ALLOW, super::ALLOW).header(Name::SUPPORTED, "timer");
        // What a reliable response has said is said; an unreliable one only announced it.
        if ringing.reliable.is_none() || !is_described {
            let body = self.own_half(id, &invite.body());
            response = response.body("application/sdp", body);
        }
        let Some(response) = self.grant_timer(now, id, tx, &invite, response) else { return };
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.state = State::Answered(tx);
        if forks {
            self.twins.push(invite.call_id().to_owned());
        }
        self.endpoint.respond(now, tx, response);
    }

    /// The 200 with the timer it grants; `None` if the request had to be refused for its timer.
    pub(super) fn grant_timer(
        &mut self,
        now: Instant,
        id: LineId,
        tx: ServerTx,
        request: &Message,
        response: Response,
    ) -> Option<Response> {
        let Some(line) = self.lines.get_mut(&id) else { return Some(response) };
        let Some(timer) = &mut line.timer else { return Some(response) };
        match timer.on_request(request) {
            Ok(granted) => Some(timer.grant(now, granted, response)),
            Err(error) => {
                self.endpoint.respond(now, tx, error.response());
                if request.method() == Method::Invite && !self.is_up(id) {
                    self.end(id, 422);
                }
                None
            }
        }
    }

    fn is_up(&self, id: LineId) -> bool {
        self.lines.get(&id).is_some_and(|line| matches!(line.state, State::Up))
    }

    pub(super) fn on_ack(&mut self, now: Instant, tx: ServerTx, ack: &Message) {
        let of = |line: &Line| {
            matches!(line.state, State::Answered(own) if own == tx) || line.offered == Some(tx)
        };
        let Some((&id, _)) = self.lines.iter().find(|(_, line)| of(line)) else { return };
        if !ack.body().is_empty() {
            self.read("ACK", &ack.body());
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.offered = None;
        if matches!(line.state, State::Answered(_)) {
            line.state = State::Up;
            let is_wanted_down = line.is_wanted_down;
            self.tell(DeskEvent::Connected(id));
            if is_wanted_down {
                self.bye(now, id);
            }
        }
    }

    pub(super) fn on_ack_missing(&mut self, now: Instant, tx: ServerTx) {
        let of = |line: &Line| {
            matches!(line.state, State::Answered(own) if own == tx) || line.offered == Some(tx)
        };
        if let Some((&id, _)) = self.lines.iter().find(|(_, line)| of(line)) {
            self.bye(now, id);
        }
    }

    pub(super) fn on_cancelled(&mut self, now: Instant, tx: ServerTx) {
        let terminated = Response::new(StatusCode::REQUEST_TERMINATED);
        self.endpoint.respond(now, tx, terminated);
        let of = |line: &Line| matches!(&line.state, State::Ringing(ringing) if ringing.tx == tx);
        if let Some((&id, _)) = self.lines.iter().find(|(_, line)| of(line)) {
            self.end(id, 487);
        }
    }

    /// What a description that asks for nothing special says.
    pub(super) const BOTH_WAYS: Direction = Direction::SendRecv;
}
