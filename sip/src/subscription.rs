//! The notifier's side of a subscription: how long it lasts, when to notify, what a NOTIFY says
//! (RFC 6665 §4.2), also of the one that a REFER makes (RFC 3515 §2.4.4).
//!
//! The dialog stays with its owner, because a REFER within a call shares the call's. Bodies are
//! asked for when they are sent: they show the state as it is then, however often it changed.

use std::collections::VecDeque;

use base::{Duration, Instant};

use crate::header::{Event, SubscriptionState, Substate};
use crate::{Dialog, HeaderError, Message, Method, Name, Request, Response, StatusCode};

/// Limits of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionConfig {
    /// Less is refused with 423.
    pub min_expires: Duration,
    /// More is cut to this.
    pub max_expires: Duration,
    /// What holds when nothing is said: the event package's.
    pub default_expires: Duration,
    /// No two NOTIFY within this, but for the last one.
    pub pace: Duration,
}

impl Default for SubscriptionConfig {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            default_expires: Duration::from_secs(3600),
            pace: Duration::from_secs(1),
        }
    }
}

/// Why a SUBSCRIBE is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubscribeError {
    /// A header field does not parse.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No Event, or of another subscription.
    #[error("no such event")]
    Event,
    /// Too short a time.
    #[error("less than {} s", .0.as_secs())]
    TooBrief(Duration),
    /// It is over.
    #[error("the subscription is over")]
    Over,
}

impl SubscribeError {
    /// The response that refuses the SUBSCRIBE. The caller adds Allow-Events to a 489.
    #[must_use]
    pub fn response(&self) -> Response {
        match self {
            Self::Header(_) => Response::new(StatusCode::BAD_REQUEST),
            Self::Event => Response::new(StatusCode::BAD_EVENT),
            Self::TooBrief(least) => Response::new(StatusCode::INTERVAL_TOO_BRIEF)
                .header(Name::MIN_EXPIRES, least.as_secs()),
            Self::Over => Response::new(StatusCode::CALL_DOES_NOT_EXIST),
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionOutput {
    /// Send what [`Subscription::notify`] makes of the state as it is now.
    Notify,
    /// Nothing more comes: forget it (and its dialog, if nothing else uses that).
    Over,
}

/// How far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    Live(Substate),
    /// The last NOTIFY is to be sent, or on the way.
    Ending {
        reason: &'static str,
        retry_after: Option<u32>,
        sent: bool,
    },
    Over,
}

/// One subscription at its notifier.
#[derive(Debug)]
pub struct Subscription {
    config: SubscriptionConfig,
    event: Event,
    stage: Stage,
    expires: Instant,
    /// A NOTIFY waits for its answer.
    in_flight: bool,
    /// The state has changed since the last NOTIFY.
    changed: bool,
    /// The last NOTIFY was sent then.
    last: Option<Instant>,
    /// [`SubscriptionOutput::Notify`] was given out and not acted upon yet.
    asked: bool,
    notifies: u32,
    outbox: VecDeque<SubscriptionOutput>,
}

impl Subscription {
    /// Takes a SUBSCRIBE that makes a dialog. Send the response with a Contact, then drain the
    /// outbox: the first NOTIFY is due at once (§4.2.1.2), the only one if it asks for no time.
    ///
    /// # Errors
    /// Answer with the error's response.
    pub fn new(
        now: Instant,
        subscribe: &Message,
        state: Substate,
        config: SubscriptionConfig,
    ) -> Result<(Self, Response), SubscribeError> {
        let event = Event::of(subscribe)?.ok_or(SubscribeError::Event)?;
        let mut subscription = Self::with(now, event, state, config);
        let response = subscription.extend(now, subscribe)?;
        Ok((subscription, response))
    }

    /// The one that a REFER makes, answered with 202. `first` in the dialog; later ones are told
    /// apart by the REFER's CSeq (RFC 3515 §2.4.6).
    ///
    /// # Errors
    /// When the REFER has no CSeq, which none has that was taken in.
    pub fn of_refer(now: Instant, refer: &Message, first: bool) -> Result<Self, HeaderError> {
        let mut event = Event::new("refer");
        if !first {
            event.id = Some(refer.cseq()?.to_string());
        }
        // Longer than a call may ring; it ends with the final response.
        let config = SubscriptionConfig {
            default_expires: Duration::from_secs(300),
            pace: Duration::ZERO,
            ..SubscriptionConfig::default()
        };
        let mut subscription = Self::with(now, event, Substate::Active, config);
        subscription.expires = now + config.default_expires;
        subscription.change(now);
        Ok(subscription)
    }

    fn with(now: Instant, event: Event, state: Substate, config: SubscriptionConfig) -> Self {
        Self {
            config,
            event,
            stage: Stage::Live(state),
            expires: now,
            in_flight: false,
            changed: false,
            last: None,
            asked: false,
            notifies: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Takes a SUBSCRIBE within the dialog: more time, or the end.
    ///
    /// # Errors
    /// Answer with the error's response; the subscription stays as it was.
    pub fn on_subscribe(
        &mut self,
        now: Instant,
        subscribe: &Message,
    ) -> Result<Response, SubscribeError> {
        if !matches!(self.stage, Stage::Live(_)) {
            return Err(SubscribeError::Over);
        }
        if Event::of(subscribe)?.as_ref() != Some(&self.event) {
            return Err(SubscribeError::Event);
        }
        self.extend(now, subscribe)
    }

    fn extend(&mut self, now: Instant, subscribe: &Message) -> Result<Response, SubscribeError> {
        let asked = subscribe.expires().map(|seconds| Duration::from_secs(seconds.into()));
        let length = asked.unwrap_or(self.config.default_expires).min(self.config.max_expires);
        if length < self.config.min_expires && !length.is_zero() {
            return Err(SubscribeError::TooBrief(self.config.min_expires));
        }
        self.expires = now + length;
        if length.is_zero() {
            self.end(now, "timeout", None);
        } else {
            // Each SUBSCRIBE is answered with the state, whatever the pace.
            self.last = None;
            self.change(now);
        }
        Ok(Response::new(StatusCode::OK).header(Name::EXPIRES, length.as_secs()))
    }

    /// The state that is subscribed to has changed.
    pub fn change(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Live(_)) {
            self.changed = true;
            self.go_on(now);
        }
    }

    /// The subscription is (not) authorised from now on.
    pub fn set_state(&mut self, now: Instant, state: Substate) {
        match (&mut self.stage, state) {
            (Stage::Live(_), Substate::Terminated) => self.end(now, "rejected", None),
            (Stage::Live(old), state) if *old != state => {
                *old = state;
                self.change(now);
            }
            _ => {}
        }
    }

    /// Ends it: `deactivated` (subscribe anew), `probation` (later), `rejected`, `timeout`,
    /// `giveup`, `noresource`. One more NOTIFY goes out.
    pub fn end(&mut self, now: Instant, reason: &'static str, retry_after: Option<u32>) {
        if matches!(self.stage, Stage::Live(_)) {
            self.stage = Stage::Ending { reason, retry_after, sent: false };
            self.changed = true;
            self.last = None;
            self.go_on(now);
        }
    }

    /// Asks for a NOTIFY if one is due and none is on the way.
    fn go_on(&mut self, now: Instant) {
        let paced = self.last.is_none_or(|last| now >= last + self.config.pace);
        if self.changed && !self.in_flight && !self.asked && paced && self.stage != Stage::Over {
            self.asked = true;
            self.outbox.push_back(SubscriptionOutput::Notify);
        }
    }

    /// The NOTIFY, with the state as it is now. Its answer goes to
    /// [`Subscription::on_response`]. None if none is due.
    pub fn notify(
        &mut self,
        now: Instant,
        dialog: &mut Dialog,
        body: Option<(&str, String)>,
    ) -> Option<Request> {
        if !std::mem::take(&mut self.asked) {
            return None;
        }
        let state = self.state(now);
        if let Stage::Ending { sent, .. } = &mut self.stage {
            *sent = true;
        }
        (self.changed, self.in_flight, self.last) = (false, true, Some(now));
        self.notifies = self.notifies.saturating_add(1);
        let request = dialog
            .request(Method::Notify)
            .header(Name::EVENT, &self.event)
            .header(Name::SUBSCRIPTION_STATE, state);
        Some(match body {
            Some((content_type, body)) => request.body(content_type, body),
            None => request,
        })
    }

    fn state(&self, now: Instant) -> SubscriptionState {
        match self.stage {
            Stage::Live(state) => {
                let left = self.expires.since(now).as_secs();
                SubscriptionState::lasting(state, u32::try_from(left).unwrap_or(u32::MAX))
            }
            Stage::Ending { reason, retry_after, .. } => {
                SubscriptionState { retry_after, ..SubscriptionState::terminated(reason) }
            }
            Stage::Over => SubscriptionState::terminated("noresource"),
        }
    }

    /// The final response to a NOTIFY; `None` if none came. All but 2xx end it (§4.2.2). A 401 or
    /// 407 that its sender answers with credentials is not for here.
    pub fn on_response(&mut self, now: Instant, status: Option<StatusCode>) {
        self.in_flight = false;
        let ended = matches!(self.stage, Stage::Ending { sent: true, .. });
        if ended || !status.is_some_and(StatusCode::is_success) {
            return self.over();
        }
        self.go_on(now);
    }

    fn over(&mut self) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.outbox.clear();
            self.outbox.push_back(SubscriptionOutput::Over);
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Live(_)) && now >= self.expires {
            self.end(now, "timeout", None);
        }
        self.go_on(now);
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expires = matches!(self.stage, Stage::Live(_)).then_some(self.expires);
        let paced = (self.changed && !self.in_flight && !self.asked)
            .then(|| self.last.map(|last| last + self.config.pace))
            .flatten();
        expires.into_iter().chain(paced).min()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<SubscriptionOutput> {
        self.outbox.pop_front()
    }

    /// What is subscribed to.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// How many NOTIFY were made: the version of a body is one less.
    #[must_use]
    pub const fn notifies(&self) -> u32 {
        self.notifies
    }

    /// Whether the state may be shown: pending ones get a NOTIFY without it.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Live(Substate::Pending))
    }
}
