//! What a phone does when the transaction layer tells it something.

use base::{Duration, Instant};
use media::sdp::{self, Local, Numbers};
use media::softphone::Softphone;
use sip::{
    ClientTx, Dialog, Event, HeaderError, Message, Method, Name, Request, Response, ServerTx,
    StatusCode, UriBuf, digest,
};

use super::{Audio, Call, Manner, Phone, PhoneEvent, PhoneOutput};

impl Phone {
    /// Carries out what the endpoint wants, until it wants nothing more.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                sip::Output::Transmit { flow, bytes, .. } => {
                    self.outputs.push_back(PhoneOutput::Sip { to: flow.remote, bytes });
                }
                sip::Output::Event(event) => self.take(now, event),
                _ => {}
            }
        }
        self.drain_media();
    }

    pub(super) fn drain_media(&mut self) {
        while let Some(transmit) = self.softphone().and_then(Softphone::poll_output) {
            self.outputs.push_back(PhoneOutput::Media(transmit));
        }
    }

    fn take(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { tx, request, .. } => self.request(now, tx, &request),
            Event::Response { tx, response, .. } => self.response(now, tx, &response),
            Event::Ack { tx, .. } => self.acknowledged(now, tx),
            Event::Cancelled { tx, .. } | Event::Unanswered { tx } => {
                let status = StatusCode::REQUEST_TERMINATED;
                self.endpoint.respond(now, tx, Response::new(status));
                self.over(PhoneEvent::Ended);
            }
            Event::AckMissing { .. } => self.hang_up(now),
            Event::TimedOut { tx } | Event::TransportFailed { tx } => self.unanswered(tx),
        }
    }

    fn request(&mut self, now: Instant, tx: ServerTx, request: &Message) {
        let status = match request.method() {
            Method::Invite if matches!(self.call, Call::None) => {
                return self.ring(now, tx, request);
            }
            Method::Invite => StatusCode::BUSY_HERE,
            Method::Bye if self.is_in_call() => {
                self.over(PhoneEvent::Ended);
                StatusCode::OK
            }
            Method::Bye => StatusCode::CALL_DOES_NOT_EXIST,
            Method::Options => StatusCode::OK,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        self.endpoint.respond(now, tx, Response::new(status));
    }

    fn ring(&mut self, now: Instant, tx: ServerTx, invite: &Message) {
        let until = match self.config.manner {
            Manner::Mute => return,
            Manner::Early(after) => return self.be_heard(now, tx, invite, after),
            Manner::Ring => None,
            Manner::Answer(after) | Manner::Refuse(after, _) => Some(now + after),
        };
        let ringing = Response::new(StatusCode::RINGING).header(Name::CONTACT, self.contact());
        self.endpoint.respond(now, tx, ringing);
        self.call = Call::Ringing { tx, invite: invite.clone(), until };
        self.tell(PhoneEvent::Ringing);
    }

    /// Speaks before it answers.
    fn be_heard(&mut self, now: Instant, tx: ServerTx, invite: &Message, after: Duration) {
        let Some((response, tag, dialog, audio)) = self.accept(now, invite) else {
            self.endpoint.respond(now, tx, Response::new(StatusCode::NOT_ACCEPTABLE_HERE));
            return;
        };
        let progress = Response::new(StatusCode::SESSION_PROGRESS)
            .to_tag(&tag)
            .header(Name::CONTACT, self.contact())
            .body("application/sdp", audio.offer.clone());
        self.endpoint.respond(now, tx, progress);
        let (until, response) = (now + after, Box::new(response));
        self.call = Call::Early { tx, until, response, dialog, audio };
        self.tell(PhoneEvent::Ringing);
    }

    /// It has been heard long enough: it answers.
    pub(super) fn answer_early(&mut self, now: Instant) {
        match std::mem::replace(&mut self.call, Call::None) {
            Call::Early { tx, response, dialog, audio, .. } => {
                self.endpoint.respond(now, tx, *response);
                self.call = Call::Answered { tx, dialog, audio };
            }
            call => self.call = call,
        }
        self.drain(now);
    }

    fn is_in_call(&self) -> bool {
        matches!(self.call, Call::Answered { .. } | Call::Talking { .. } | Call::HangingUp { .. })
    }

    /// Picks up.
    pub(super) fn answer(&mut self, now: Instant) {
        let Call::Ringing { tx, invite, .. } = std::mem::replace(&mut self.call, Call::None) else {
            return;
        };
        match self.accept(now, &invite) {
            Some((response, _, dialog, audio)) => {
                self.endpoint.respond(now, tx, response);
                self.call = Call::Answered { tx, dialog, audio };
            }
            None => {
                let status = StatusCode::NOT_ACCEPTABLE_HERE;
                self.endpoint.respond(now, tx, Response::new(status));
                self.over(PhoneEvent::Refused(status.as_u16()));
            }
        }
        self.drain(now);
    }

    /// The 200, its tag, and what it makes.
    fn accept(
        &mut self,
        now: Instant,
        invite: &Message,
    ) -> Option<(Response, String, Box<Dialog>, Audio)> {
        let offer = sdp::parse(&invite.body()).ok()?;
        let answer = sdp::answer(&offer, &self.local(), &self.capabilities(), None).ok()?;
        let tag = self.rng.hex::<6>();
        let contact = self.contact();
        let own = UriBuf::parse(contact.trim_matches(['<', '>'])).ok()?;
        let dialog = Dialog::uas(invite, &tag, own).ok()?;
        let response = Response::new(StatusCode::OK)
            .to_tag(&tag)
            .header(Name::CONTACT, contact)
            .body("application/sdp", answer.body.clone());
        let softphone = Some(self.talk(now, &answer.settled));
        Some((response, tag, Box::new(dialog), Audio { offer: answer.body, softphone }))
    }

    fn acknowledged(&mut self, _now: Instant, acked: ServerTx) {
        match std::mem::replace(&mut self.call, Call::None) {
            Call::Answered { tx, dialog, audio } if tx == acked => {
                self.call = Call::Talking { dialog, audio };
                self.tell(PhoneEvent::Connected);
            }
            call => self.call = call,
        }
    }

    fn response(&mut self, now: Instant, tx: ClientTx, response: &Message) {
        let Some(status) = response.status() else { return };
        if self.registering.is_some_and(|(own, _)| own == tx) {
            return self.registered(now, status, response);
        }
        match &self.call {
            Call::Dialling { tx: own, .. } if *own == tx => self.dialled(now, status, response),
            Call::HangingUp { tx: own, .. } if *own == tx && status.is_final() => {
                self.over(PhoneEvent::Ended);
            }
            _ => {}
        }
    }

    fn dialled(&mut self, now: Instant, status: StatusCode, response: &Message) {
        if status.is_provisional() {
            self.hear_early(now, response);
            return self.tell(PhoneEvent::Ringing);
        }
        let is_challenge = status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        if is_challenge && self.dial_again(now, response) {
            return;
        }
        let Call::Dialling { tx, invite, mut audio } =
            std::mem::replace(&mut self.call, Call::None)
        else {
            return;
        };
        if !status.is_success() {
            return self.over(PhoneEvent::Refused(status.as_u16()));
        }
        let Ok(dialog) = Dialog::uac(&invite, response) else {
            return self.over(PhoneEvent::Refused(0));
        };
        let settled = sdp::parse(&response.body())
            .ok()
            .and_then(|answer| sdp::accept(&audio.offer, &answer).ok());
        let cseq = response.cseq().unwrap_or(1);
        self.endpoint.acknowledge(now, tx, self.flow, dialog.ack(cseq));
        let dialog = Box::new(dialog);
        match settled {
            Some(settled) => {
                if audio.softphone.is_none() {
                    audio.softphone = Some(self.talk(now, &settled));
                }
                self.call = Call::Talking { dialog, audio };
                self.tell(PhoneEvent::Connected);
            }
            None => {
                self.call = Call::Talking { dialog, audio };
                self.hang_up(now);
            }
        }
    }

    /// The far end can be heard before it answers.
    fn hear_early(&mut self, now: Instant, response: &Message) {
        let Call::Dialling { audio, .. } = &self.call else { return };
        let answer = sdp::parse(&response.body()).ok();
        let settled = answer.and_then(|answer| sdp::accept(&audio.offer, &answer).ok());
        let Some(settled) = settled.filter(|_| audio.softphone.is_none()) else { return };
        let talking = self.talk(now, &settled);
        if let Call::Dialling { audio, .. } = &mut self.call {
            audio.softphone = Some(talking);
        }
        self.tell(PhoneEvent::Early);
    }

    /// Dials again, with the password. `false` if there is none, or it did not do.
    fn dial_again(&mut self, now: Instant, response: &Message) -> bool {
        let Some(password) = self.config.password.clone() else { return false };
        let Call::Dialling { tx, invite, .. } = &mut self.call else { return false };
        let credentials = digest::Credentials::new(&self.config.user, &password);
        if digest::authorize(invite, response, &credentials, &mut self.rng).is_err() {
            return false;
        }
        invite.next_cseq();
        *tx = self.endpoint.request(now, self.flow, (**invite).clone());
        true
    }

    fn unanswered(&mut self, tx: ClientTx) {
        if self.registering.is_some_and(|(own, _)| own == tx) {
            self.registering = None;
            return self.tell(PhoneEvent::NotRegistered(0));
        }
        match &self.call {
            Call::Dialling { tx: own, .. } if *own == tx => self.over(PhoneEvent::Refused(0)),
            Call::HangingUp { tx: own, .. } if *own == tx => self.over(PhoneEvent::Ended),
            _ => {}
        }
    }

    /// The call is over; its audio is kept for whoever looks at it.
    pub(super) fn over(&mut self, event: PhoneEvent) {
        match std::mem::replace(&mut self.call, Call::None) {
            Call::Dialling { audio, .. }
            | Call::Early { audio, .. }
            | Call::Answered { audio, .. }
            | Call::Talking { audio, .. }
            | Call::HangingUp { audio, .. } => self.last = audio.softphone,
            Call::None | Call::Ringing { .. } => {}
        }
        self.tell(event);
    }

    pub(super) fn send_register(
        &mut self,
        now: Instant,
        credentials: Option<(Name<'static>, String)>,
    ) -> Result<(), HeaderError> {
        let (user, domain) = (self.config.user.clone(), self.config.domain.clone());
        self.registration.cseq += 1;
        let (cseq, tag) = (self.registration.cseq, &self.registration.tag);
        let mut request = Request::new(Method::Register, UriBuf::parse(&format!("sip:{domain}"))?)
            .header(Name::FROM, format_args!("<sip:{user}@{domain}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{user}@{domain}>"))
            .header(Name::CALL_ID, &self.registration.call_id)
            .header(Name::CSEQ, format_args!("{cseq} REGISTER"))
            .header(Name::CONTACT, self.contact())
            .header(Name::EXPIRES, self.registration.expires);
        let answered = credentials.is_some();
        if let Some((name, value)) = credentials {
            request = request.header(name, value);
        }
        let tx = self.endpoint.request(now, self.flow, request);
        self.registering = Some((tx, answered));
        Ok(())
    }

    fn registered(&mut self, now: Instant, status: StatusCode, response: &Message) {
        if status.is_provisional() {
            return;
        }
        let answered = self.registering.take().is_some_and(|(_, answered)| answered);
        if status.is_success() {
            return self.tell(PhoneEvent::Registered);
        }
        let credentials = (status == StatusCode::UNAUTHORIZED && !answered)
            .then(|| self.credentials(response))
            .flatten();
        let sent =
            credentials.map(|value| self.send_register(now, Some((Name::AUTHORIZATION, value))));
        if !matches!(sent, Some(Ok(()))) {
            self.tell(PhoneEvent::NotRegistered(status.as_u16()));
        }
    }

    /// The answer to the first digest challenge that can be answered.
    fn credentials(&mut self, response: &Message) -> Option<String> {
        let password = self.config.password.as_deref()?;
        let challenge = digest::choose(response.headers(Name::WWW_AUTHENTICATE))?;
        let answer = digest::Answer {
            method: &Method::Register,
            uri: &format!("sip:{}", self.config.domain),
            user: &self.config.user,
            password,
            cnonce: &self.rng.hex::<8>(),
            nc: 1,
        };
        digest::answer(challenge, &answer).ok()
    }

    pub(super) fn local(&mut self) -> Local {
        Local {
            address: self.config.rtp.ip(),
            port: self.config.rtp.port(),
            origin_id: u64::from(self.rng.next_u32()),
            version: 1,
            keys: self.keys,
            numbers: Numbers::default(),
            web: None,
        }
    }
}
