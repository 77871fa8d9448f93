//! A desk calls (RFC 3261 §13.2): forks, reliable responses, early media, offers that come late.

use base::Instant;
use media::Direction;
use sip::reliable::{Provisional, ReliableUac, TAG};
use sip::{
    ClientTx, Forks, HeaderError, Message, Method, Name, Request, SessionTimer, SessionTimerConfig,
    StatusCode, UriBuf,
};

use super::errands::What;
use super::line::{Dialling, Line, State};
use super::{ALLOW, Desk, DeskEvent, Dial, LineId, TIMER_S};

impl Desk {
    /// Calls somebody, or a number.
    ///
    /// # Errors
    /// When the name makes no URI.
    pub fn dial(&mut self, now: Instant, to: &str, how: &Dial) -> Result<LineId, HeaderError> {
        let own = self.config.own;
        let (host, home) = match self.config.password {
            Some(_) => (self.config.domain.clone(), self.config.domain.clone()),
            None => (self.config.server.to_string(), own.ip().to_string()),
        };
        let (user, tag, call_id) =
            (self.config.user.clone(), self.rng.hex::<6>(), self.rng.hex::<12>());
        let id = self.next_line();
        let mut request = Request::new(Method::Invite, UriBuf::parse(&format!("sip:{to}@{host}"))?)
            .header(Name::FROM, format_args!("<sip:{user}@{home}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{to}@{host}>"))
            .header(Name::CALL_ID, format_args!("{call_id}@{}", own.ip()))
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, self.contact())
            .header(Name::ALLOW, ALLOW)
            .header(Name::SUPPORTED, TAG);
        if how.reliable {
            request = request.header(Name::REQUIRE, TAG);
        }
        if let Some(replaces) = &how.replaces {
            request = request.header(Name::REPLACES, replaces);
        }
        if let Some(by) = &how.referred_by {
            request = request.header(Name::REFERRED_BY, format_args!("<sip:{by}>"));
        }
        let timer = self.timer();
        if let Some(timer) = &timer {
            request = timer.put(request);
        }
        if !how.late_offer {
            let offer = self.describe(id, 1, Direction::SendRecv);
            request = request.body("application/sdp", offer);
        }
        let flow = self.flow;
        let tx = self.send(now, flow, request.clone(), What::Invite(id));
        let dialling = Dialling {
            tx,
            invite: self.errands.get(&tx).map_or(request, |errand| errand.request.clone()),
            forks: Forks::new(),
            provisional: ReliableUac::new(),
            is_cancelled: false,
            is_agreed: false,
        };
        let line = Line::new(flow, State::Dialling(Box::new(dialling)), true, timer);
        self.lines.insert(id, line);
        self.drain(now);
        Ok(id)
    }

    pub(super) fn next_line(&mut self) -> LineId {
        self.last_line += 1;
        LineId(self.last_line)
    }

    pub(super) fn timer(&self) -> Option<SessionTimer> {
        let config = SessionTimerConfig { interval: TIMER_S, ..SessionTimerConfig::default() };
        self.config.timers.then(|| SessionTimer::new(config))
    }

    pub(super) fn on_provisional(&mut self, now: Instant, id: LineId, response: &Message) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let State::Dialling(dialling) = &mut line.state else { return };
        let seen = dialling.provisional.on_provisional(response);
        let early = dialling.forks.on_provisional(&dialling.invite, response);
        let Ok(Some(dialog)) = early else {
            return self.check_tag(response);
        };
        let rack = match seen {
            Provisional::Acknowledge(rack) => rack,
            Provisional::Unreliable => return,
            _ => return,
        };
        let mut prack = dialog.request(Method::Prack).header(Name::RACK, rack);
        let is_late = dialling.invite.content().is_empty();
        let is_first = !response.body().is_empty() && !dialling.is_agreed;
        dialling.is_agreed |= !response.body().is_empty();
        let flow = line.flow;
        if is_first {
            let theirs = self.read("reliable 18x", &response.body());
            if is_late {
                let answer = self.description(id, theirs);
                prack = prack.body("application/sdp", answer);
            }
        }
        self.send(now, flow, prack, What::Other(Some(id)));
    }

    fn check_tag(&mut self, response: &Message) {
        if response.to_tag().is_none() {
            self.odd("a provisional response without a To tag");
        }
    }

    /// The final response to a line's first INVITE.
    pub(super) fn on_invited(
        &mut self,
        now: Instant,
        tx: ClientTx,
        id: LineId,
        response: &Message,
    ) {
        let Some(status) = response.status() else { return };
        if !status.is_success() {
            return self.end(id, status.as_u16());
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        let state = std::mem::replace(&mut line.state, State::Up);
        let State::Dialling(mut dialling) = state else {
            line.state = state;
            return;
        };
        let Ok(dialog) = dialling.forks.confirm(&dialling.invite, response) else {
            self.odd("a 200 that makes no dialog");
            return self.end(id, 0);
        };
        let flow = line.flow;
        let mut ack = dialog.ack(response.cseq().unwrap_or(1));
        line.dialog = Some(Box::new(dialog));
        if let Some(timer) = &mut line.timer {
            timer.on_success(now, response);
        }
        if !dialling.is_agreed {
            let theirs = self.read("200", &response.body());
            if dialling.invite.content().is_empty() {
                ack = ack.body("application/sdp", self.description(id, theirs));
            }
        }
        self.endpoint.acknowledge(now, tx, flow, ack);
        self.tell(DeskEvent::Connected(id));
        if dialling.is_cancelled {
            self.bye(now, id);
        }
    }

    /// The line is over.
    pub(super) fn end(&mut self, id: LineId, status: u16) {
        if self.lines.remove(&id).is_some() {
            self.tell(DeskEvent::Ended(id, status));
        }
    }

    /// The far end knows the call no more.
    pub(super) fn lose(&mut self, now: Instant, id: LineId) {
        if self.lines.get(&id).is_some_and(|line| matches!(line.state, State::Up)) {
            self.bye(now, id);
        }
    }

    /// Says goodbye, in the dialog there is.
    pub(super) fn bye(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some(dialog) = &mut line.dialog else { return self.end(id, 0) };
        let (bye, flow) = (dialog.request(Method::Bye), line.flow);
        let tx = self.send(now, flow, bye, What::Bye(id));
        if let Some(line) = self.lines.get_mut(&id) {
            line.state = State::Ending(tx);
            line.again = None;
            line.timer = None;
        }
    }

    /// What `hang_up` says to a call that was only rung for.
    pub(super) const DECLINED: StatusCode = StatusCode::DECLINE;
}
