//! What one does with a desk's calls: hang up, hold, send on.

use base::Instant;
use sip::header::{NameAddr, ReferTo, Replaces};
use sip::{DialogId, HeaderError, Method, Name, UriBuf};

use super::errands::What;
use super::line::State;
use super::{Desk, LineId};

impl Desk {
    /// Ends a call, whatever state it is in.
    pub fn hang_up(&mut self, now: Instant, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        match &mut line.state {
            State::Dialling(dialling) => {
                dialling.is_cancelled = true;
                let (tx, flow) = (dialling.tx, line.flow);
                // A caller may also say BYE in an early dialog (RFC 3261 §15).
                let early = dialling.forks.ids().next().filter(|_| self.rng.below(4) == 0);
                match early.and_then(|id| dialling.forks.get_mut(&id)) {
                    Some(dialog) => {
                        let bye = dialog.request(Method::Bye);
                        self.send(now, flow, bye, What::Other(None));
                    }
                    None => self.endpoint.cancel(now, tx),
                }
            }
            State::Ringing(_) => self.refuse(now, id, Self::DECLINED),
            // Not before the ACK (RFC 3261 §15).
            State::Answered(_) => line.is_wanted_down = true,
            State::Up => self.bye(now, id),
            State::Ending(_) => {}
        }
        self.drain(now);
    }

    /// Puts the far end on hold, or takes it back, by re-INVITE or UPDATE. Nothing happens while
    /// another offer is under way.
    pub fn hold(&mut self, now: Instant, id: LineId, holds: bool) {
        self.offer(now, id, holds);
        self.drain(now);
    }

    pub(super) fn offer(&mut self, now: Instant, id: LineId, holds: bool) {
        // By UPDATE, by re-INVITE, or by one that leaves the offer to the far end.
        let (by_update, is_late) = match self.rng.below(8) {
            0 | 1 => (true, false),
            2 => (false, true),
            _ => (false, false),
        };
        let Some(line) = self.lines.get_mut(&id) else { return };
        if !matches!(line.state, State::Up) || line.offer.is_some() || line.offered.is_some() {
            return;
        }
        line.again = None;
        let before = std::mem::replace(&mut line.holds, holds);
        let body = self.description(id, None);
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.holds = before;
        let Some(dialog) = &mut line.dialog else { return };
        let method = if by_update { Method::Update } else { Method::Invite };
        let mut request = dialog.request(method);
        if !is_late {
            request = request.body("application/sdp", body);
        }
        if let Some(timer) = &line.timer {
            request = timer.put(request);
        }
        let flow = line.flow;
        let tx = self.send(now, flow, request, What::Offer(id, holds));
        if let Some(line) = self.lines.get_mut(&id) {
            line.offer = Some(tx);
        }
    }

    /// Sends the far end on to somebody (RFC 3515).
    ///
    /// # Errors
    /// When the name makes no URI.
    pub fn refer(&mut self, now: Instant, id: LineId, to: &str) -> Result<(), HeaderError> {
        let target = UriBuf::parse(&format!("sip:{to}@{}", self.config.domain))?;
        self.send_refer(now, id, &ReferTo::call(NameAddr::new(target)));
        Ok(())
    }

    /// Joins the far ends of two of its calls (RFC 3891).
    pub fn join(&mut self, now: Instant, id: LineId, with: LineId) {
        let Some(dialog) = self.lines.get(&with).and_then(|line| line.dialog.as_ref()) else {
            return;
        };
        let replaces = Some(Replaces::at_peer(&dialog.id()));
        let target = NameAddr::new(dialog.remote_target().clone());
        self.send_refer(now, id, &ReferTo { target, method: Method::Invite, replaces });
    }

    /// A call of its as somebody names it who is to take it over (RFC 3891): also one that only
    /// rings; none that has no far end yet.
    #[must_use]
    pub fn replaces(&self, id: LineId) -> Option<Replaces> {
        let line = self.lines.get(&id)?;
        if let Some(dialog) = &line.dialog {
            return Some(Replaces::at_peer(&dialog.id()));
        }
        match &line.state {
            State::Ringing(ringing) => Some(Replaces::at_peer(&DialogId {
                call_id: ringing.invite.call_id().to_owned(),
                local_tag: ringing.tag.clone(),
                remote_tag: ringing.invite.from_tag().unwrap_or_default().to_owned(),
            })),
            State::Dialling(dialling) => {
                dialling.forks.ids().next().as_ref().map(Replaces::at_peer)
            }
            _ => None,
        }
    }

    fn send_refer(&mut self, now: Instant, id: LineId, to: &ReferTo) {
        let (user, domain) = (self.config.user.clone(), self.config.domain.clone());
        let refer = self.in_dialog(id, Method::Refer);
        let Some((refer, flow)) = refer else { return };
        let refer = refer
            .header(Name::REFER_TO, to)
            .header(Name::REFERRED_BY, format_args!("<sip:{user}@{domain}>"));
        self.send(now, flow, refer, What::Other(Some(id)));
        self.drain(now);
    }

    /// Sends a digit (INFO, RFC 6086) in a call.
    pub fn press(&mut self, now: Instant, id: LineId, digit: char) {
        let Some((info, flow)) = self.in_dialog(id, Method::Info) else { return };
        let body = format!("Signal={digit}\r\nDuration=160\r\n");
        let info = info.body("application/dtmf-relay", body);
        self.send(now, flow, info, What::Other(Some(id)));
        self.drain(now);
    }

    fn in_dialog(&mut self, id: LineId, method: Method) -> Option<(sip::Request, sip::Flow)> {
        let line = self.lines.get_mut(&id)?;
        if !matches!(line.state, State::Up) {
            return None;
        }
        let request = line.dialog.as_mut()?.request(method);
        Some((request, line.flow))
    }
}
