//! What a desk does beside its calls: it registers, watches lamps, sends messages; and, as a
//! carrier's server, it lets others register and answers who asks whether it is there.

use base::{Duration, Instant, Rng};
use sip::{
    Flow, HeaderError, Message, Method, Name, Request, Response, ServerTx, StatusCode, UriBuf,
};

use super::errands::What;
use super::{Desk, DeskEvent};

/// A desk's registration (RFC 3261 §10.2).
pub(super) struct Account {
    call_id: String,
    tag: String,
    cseq: u32,
    /// When it registers again.
    pub(super) renew: Option<Instant>,
    /// Nothing that expires is renewed any more.
    is_leaving: bool,
    /// What others that register here are challenged with.
    nonce: String,
}

impl Account {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let (call_id, tag, nonce) = (rng.hex::<12>(), rng.hex::<6>(), rng.hex::<8>());
        Self { call_id, tag, cseq: 0, renew: None, is_leaving: false, nonce }
    }

    pub(super) fn forget(&mut self) {
        self.renew = None;
    }
}

/// A subscription of a desk's (RFC 6665).
pub(super) struct Lamp {
    pub(super) call_id: String,
    request: Request,
    dialog: Option<Box<sip::Dialog>>,
    flow: Flow,
    /// When it subscribes again.
    pub(super) renew: Option<Instant>,
}

impl Desk {
    /// Registers, and does so again before that expires.
    ///
    /// # Errors
    /// When the domain makes no URI.
    pub fn register(&mut self, now: Instant) -> Result<(), HeaderError> {
        let expires = self.config.expires_s;
        self.account.renew = Some(now + Duration::from_secs(u64::from(expires) / 2));
        self.send_register(now, expires)?;
        self.drain(now);
        Ok(())
    }

    /// Takes its binding away.
    ///
    /// # Errors
    /// When the domain makes no URI.
    pub fn unregister(&mut self, now: Instant) -> Result<(), HeaderError> {
        self.account.renew = None;
        self.send_register(now, 0)?;
        self.drain(now);
        Ok(())
    }

    /// Registers and subscribes no more; what it has expires.
    pub fn stop_registering(&mut self) {
        (self.account.renew, self.account.is_leaving) = (None, true);
        self.lamps.iter_mut().for_each(|lamp| lamp.renew = None);
    }

    fn send_register(&mut self, now: Instant, expires: u32) -> Result<(), HeaderError> {
        let (user, domain) = (self.config.user.clone(), self.config.domain.clone());
        self.account.cseq += 10;
        let (cseq, tag) = (self.account.cseq, &self.account.tag);
        let request = Request::new(Method::Register, UriBuf::parse(&format!("sip:{domain}"))?)
            .header(Name::FROM, format_args!("<sip:{user}@{domain}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{user}@{domain}>"))
            .header(Name::CALL_ID, &self.account.call_id)
            .header(Name::CSEQ, format_args!("{cseq} REGISTER"))
            .header(Name::CONTACT, self.contact())
            .header(Name::EXPIRES, expires);
        let flow = self.flow;
        self.send(now, flow, request, What::Register);
        Ok(())
    }

    pub(super) fn on_registered(&mut self, now: Instant, status: StatusCode, _: &Message) {
        if status.is_success() {
            self.tell(DeskEvent::Registered);
        } else {
            self.on_registration_failed(now, status.as_u16());
        }
    }

    pub(super) fn on_registration_failed(&mut self, now: Instant, status: u16) {
        if let Some(renew) = &mut self.account.renew {
            *renew = now + Duration::from_secs(5);
        }
        self.tell(DeskEvent::NotRegistered(status));
    }

    /// Watches something of somebody's: package `dialog` or `message-summary`.
    ///
    /// # Errors
    /// When the name makes no URI.
    pub fn subscribe(&mut self, now: Instant, to: &str, package: &str) -> Result<(), HeaderError> {
        let (user, domain) = (self.config.user.clone(), self.config.domain.clone());
        let (tag, call_id) = (self.rng.hex::<6>(), self.rng.hex::<12>());
        let request =
            Request::new(Method::Subscribe, UriBuf::parse(&format!("sip:{to}@{domain}"))?)
                .header(Name::FROM, format_args!("<sip:{user}@{domain}>;tag={tag}"))
                .header(Name::TO, format_args!("<sip:{to}@{domain}>"))
                .header(Name::CALL_ID, &call_id)
                .header(Name::CSEQ, "1 SUBSCRIBE")
                .header(Name::CONTACT, self.contact())
                .header(Name::EVENT, package)
                .header(Name::EXPIRES, self.config.expires_s);
        let flow = self.flow;
        self.send(now, flow, request.clone(), What::Subscribe(call_id.clone()));
        self.lamps.push(Lamp { call_id, request, dialog: None, flow, renew: None });
        self.drain(now);
        Ok(())
    }

    /// Ends all its subscriptions.
    pub fn unsubscribe(&mut self, now: Instant) {
        for index in 0..self.lamps.len() {
            self.resubscribe(now, index, 0);
        }
        self.drain(now);
    }

    fn resubscribe(&mut self, now: Instant, index: usize, expires: u32) {
        let Some(lamp) = self.lamps.get_mut(index) else { return };
        lamp.renew = None;
        let package = lamp.request.get(Name::EVENT).unwrap_or("dialog").to_owned();
        let Some(dialog) = &mut lamp.dialog else { return };
        let request = dialog
            .request(Method::Subscribe)
            .header(Name::EVENT, package)
            .header(Name::EXPIRES, expires);
        let (flow, call_id) = (self.flow, lamp.call_id.clone());
        lamp.flow = flow;
        self.send(now, flow, request, What::Subscribe(call_id));
    }

    pub(super) fn on_subscribed(&mut self, now: Instant, call_id: &str, response: &Message) {
        let is_taken = response.status().is_some_and(StatusCode::is_success);
        let expires = response.expires().unwrap_or(0);
        let Some(index) = self.lamps.iter().position(|lamp| lamp.call_id == call_id) else {
            return;
        };
        if !is_taken {
            self.lamps.remove(index);
            return;
        }
        let lamp = &mut self.lamps[index];
        if lamp.dialog.is_none() {
            lamp.dialog = sip::Dialog::uac(&lamp.request, response).ok().map(Box::new);
        }
        let again = expires > 0 && !self.account.is_leaving;
        lamp.renew = again.then(|| now + Duration::from_secs(u64::from(expires) / 2));
    }

    pub(super) fn is_lamp(&self, request: &Message) -> bool {
        request.method() == Method::Notify
            && self.lamps.iter().any(|lamp| lamp.call_id == request.call_id())
    }

    pub(super) fn on_notify(&mut self, now: Instant, tx: ServerTx, notify: &Message) {
        let state = notify.header(Name::SUBSCRIPTION_STATE).unwrap_or("").to_owned();
        self.endpoint.respond(now, tx, Response::new(StatusCode::OK));
        if state.is_empty() {
            self.odd("a NOTIFY without a Subscription-State");
        }
        if state.starts_with("terminated") {
            self.lamps.retain(|lamp| lamp.call_id != notify.call_id());
        }
        self.tell(DeskEvent::Notified(notify.body()));
    }

    /// Sends a text to a colleague (RFC 3428).
    ///
    /// # Errors
    /// When the name makes no URI.
    pub fn message(&mut self, now: Instant, to: &str, text: &str) -> Result<(), HeaderError> {
        let request = self.outside(Method::Message, to)?.body("text/plain", text.to_owned());
        let flow = self.flow;
        self.send(now, flow, request, What::Other(None));
        self.drain(now);
        Ok(())
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// When the name makes no URI.
    pub fn options(&mut self, now: Instant, to: &str) -> Result<(), HeaderError> {
        let request = self.outside(Method::Options, to)?;
        let flow = self.flow;
        self.send(now, flow, request, What::Other(None));
        self.drain(now);
        Ok(())
    }

    fn outside(&mut self, method: Method, to: &str) -> Result<Request, HeaderError> {
        let (user, domain) = (self.config.user.clone(), self.config.domain.clone());
        let (tag, call_id) = (self.rng.hex::<6>(), self.rng.hex::<12>());
        let uri = UriBuf::parse(&format!("sip:{to}@{domain}"))?;
        let cseq = format!("1 {method}");
        Ok(Request::new(method, uri)
            .header(Name::FROM, format_args!("<sip:{user}@{domain}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{to}@{domain}>"))
            .header(Name::CALL_ID, call_id)
            .header(Name::CSEQ, cseq))
    }

    /// A request that is in no dialog.
    pub(super) fn on_outside(&mut self, now: Instant, tx: ServerTx, flow: Flow, request: &Message) {
        let status = match request.method() {
            Method::Invite => return self.on_invite(now, tx, flow, request),
            Method::Register => return self.let_register(now, tx, request),
            Method::Options => StatusCode::OK,
            Method::Message => {
                self.tell(DeskEvent::Message(request.body()));
                StatusCode::OK
            }
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        self.endpoint.respond(now, tx, Response::new(status));
    }

    /// Somebody registers here: who shows any credentials for the nonce of the day is believed.
    fn let_register(&mut self, now: Instant, tx: ServerTx, request: &Message) {
        let is_stale = self.rng.below(8) == 0;
        let shown = request.header(Name::AUTHORIZATION).unwrap_or("").to_owned();
        if !shown.contains(&self.account.nonce) || is_stale {
            self.account.nonce = self.rng.hex::<8>();
            let stale = if shown.is_empty() { "" } else { ", stale=true" };
            let (realm, nonce) = (&self.config.domain, &self.account.nonce);
            let challenge = format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5{stale}"
            );
            let response =
                Response::new(StatusCode::UNAUTHORIZED).header(Name::WWW_AUTHENTICATE, challenge);
            return self.endpoint.respond(now, tx, response);
        }
        let mut response = Response::new(StatusCode::OK);
        let expires = request.expires().unwrap_or(self.config.expires_s);
        if let Some(contact) = request.header(Name::CONTACT).filter(|_| expires > 0) {
            let contact = contact.split(";expires").next().unwrap_or(contact);
            response = response.header(Name::CONTACT, format_args!("{contact};expires={expires}"));
        }
        self.endpoint.respond(now, tx, response);
    }

    pub(super) fn wake_account(&mut self, now: Instant) {
        if self.account.renew.is_some_and(|at| at <= now) {
            // Its own domain makes a URI.
            let _ = self.register(now);
        }
        let due: Vec<usize> = (0..self.lamps.len())
            .filter(|&at| self.lamps[at].renew.is_some_and(|at| at <= now))
            .collect();
        for index in due {
            self.resubscribe(now, index, self.config.expires_s);
        }
    }
}
