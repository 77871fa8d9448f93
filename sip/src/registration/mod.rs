//! Registering with somebody else's registrar (RFC 3261 §10.2), and staying registered: challenges,
//! too short intervals, refreshes, and how long to wait after a failure (RFC 5626 §4.5).
//!
//! ```text
//! poll_timeout() is due -> handle_timeout(now) -> is_due(): find a way to the registrar
//!     begin(now, contact) -> Request      send it over that way
//!     on_response(now, response) -> Next  send again, done, or try the registrar's next hop
//!     failed(now, why)                    there was no way, or no further one
//! ```

mod response;

use std::fmt;

use base::{Duration, Instant, Rng};

use crate::digest::{Authorizer, Credentials};
use crate::{Method, Name, Request, StatusCode, UriBuf};

/// Wait after one failure at the least... (RFC 5626 §4.5, `base-time` when all flows failed).
const BASE: Duration = Duration::from_secs(30);
/// ... and after many at the most (`max-time`).
const MOST: Duration = Duration::from_secs(1800);
/// A registrar that wants longer intervals than this is not followed.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What is to be registered, and where.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// Where requests go; its host is the domain in the Request-URI.
    pub registrar: UriBuf,
    /// The address of record: From and To.
    pub aor: UriBuf,
    /// For how long a binding is asked for.
    pub expires: Duration,
    /// What challenges are answered with.
    pub credentials: Option<Credentials>,
}

/// Where a registration stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegistrationState {
    /// The first REGISTER is due or on its way.
    Registering,
    /// The registrar has our contact until then.
    Registered {
        /// When it forgets it, if it is not refreshed.
        until: Instant,
    },
    /// The registrar does not have it; it is tried again.
    Failed,
    /// It was given back, or nobody could be told so: the end.
    Gone,
}

/// Why the last attempt failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistrationFailure {
    /// The registrar refused.
    Refused(StatusCode),
    /// Its challenge could not be answered, or our answer was not taken.
    Unproven(String),
    /// It was not reached.
    Unreached(String),
    /// It said yes, but our contact is not among those it has.
    NotKept,
}

impl fmt::Display for RegistrationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => {
                write!(f, "refused: {} {}", status.as_u16(), status.reason())
            }
            Self::Unproven(why) => write!(f, "not authenticated: {why}"),
            Self::Unreached(why) => write!(f, "not reached: {why}"),
            Self::NotKept => f.write_str("the registrar did not keep our contact"),
        }
    }
}

/// What is to be done after a response.
#[derive(Debug)]
pub enum Next {
    /// Wait for the final response.
    Wait,
    /// Send this, over the same way.
    Again(Box<Request>),
    /// The attempt is over, well or not: [`Registration::state`] says.
    Over,
    /// This hop of the registrar does not do: try the next one with [`Registration::begin`], or
    /// say that there is none with [`Registration::failed`].
    NextHop,
}

/// One registration.
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    authorizer: Option<Authorizer>,
    rng: Rng,
    call_id: String,
    cseq: u32,
    /// What we ask for: more than configured when the registrar wants it (423).
    expires: Duration,
    state: RegistrationState,
    failure: Option<RegistrationFailure>,
    /// Attempts that failed in a row.
    failures: u32,
    /// The REGISTER that waits for its final response, and its Contact.
    open: Option<(Request, UriBuf)>,
    /// When the next attempt begins; none while one is on its way.
    due: Option<Instant>,
    /// Whether an attempt is to begin now.
    wanted: bool,
    /// Whether the binding is to be given back.
    leaving: bool,
    /// What the registrar's last hop said in this attempt, and how long it asked us to wait.
    hop_failure: Option<RegistrationFailure>,
    pause: Option<Duration>,
    contact: Option<UriBuf>,
    service_route: Vec<String>,
}

impl Registration {
    /// A registration whose first attempt is due at once.
    #[must_use]
    pub fn new(now: Instant, config: RegistrationConfig, mut rng: Rng) -> Self {
        let credentials = config.credentials.clone();
        Self {
            authorizer: credentials.map(|known| Authorizer::new(known, rng.fork())),
            call_id: rng.hex::<16>(),
            cseq: 0,
            expires: config.expires,
            state: RegistrationState::Registering,
            failure: None,
            failures: 0,
            open: None,
            due: Some(now),
            wanted: false,
            leaving: false,
            hop_failure: None,
            pause: None,
            contact: None,
            service_route: Vec::new(),
            config,
            rng,
        }
    }

    /// Whether the binding is being given back.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// What it was made with.
    #[must_use]
    pub const fn config(&self) -> &RegistrationConfig {
        &self.config
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> RegistrationState {
        self.state
    }

    /// Whether the registrar has our contact.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self.state, RegistrationState::Registered { .. })
    }

    /// Why the last attempt failed; none after one that did not.
    #[must_use]
    pub const fn failure(&self) -> Option<&RegistrationFailure> {
        self.failure.as_ref()
    }

    /// The contact that the registrar has.
    #[must_use]
    pub const fn contact(&self) -> Option<&UriBuf> {
        self.contact.as_ref()
    }

    /// The route that requests of ours to the registrar's domain take (RFC 3608), in order.
    #[must_use]
    pub fn service_route(&self) -> &[String] {
        &self.service_route
    }

    /// When the next attempt begins.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let RegistrationState::Registered { until } = self.state
            && until <= now
        {
            self.state = RegistrationState::Failed;
            self.contact = None;
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.wanted = true;
        }
    }

    /// Whether an attempt is to begin: find a way to the registrar. True once for each.
    pub fn take_wanted(&mut self) -> bool {
        std::mem::take(&mut self.wanted)
    }

    /// There is a way: the REGISTER to send over it, with the Contact that is right for it.
    pub fn begin(&mut self, contact: &UriBuf) -> Request {
        self.cseq = self.cseq.saturating_add(1);
        let expires = if self.leaving { 0 } else { self.expires.as_secs() };
        let RegistrationConfig { registrar, aor, .. } = &self.config;
        let tag = self.rng.hex::<8>();
        let mut request = Request::new(Method::Register, domain_of(registrar))
            .header(Name::FROM, format_args!("<{aor}>;tag={tag}"))
            .header(Name::TO, format_args!("<{aor}>"))
            .header(Name::CALL_ID, &self.call_id)
            .header(Name::CSEQ, format_args!("{} REGISTER", self.cseq))
            .header(Name::CONTACT, format_args!("<{contact}>;expires={expires}"))
            .header(Name::EXPIRES, expires)
            .header(Name::SUPPORTED, "path");
        if let Some(authorizer) = &mut self.authorizer {
            authorizer.sign(&mut request);
        }
        self.open = Some((request.clone(), contact.clone()));
        request
    }

    /// There was no way, or none of the registrar's hops did.
    pub fn failed(&mut self, now: Instant, why: String) {
        self.open = None;
        let told = self.hop_failure.take();
        self.fail(now, told.unwrap_or(RegistrationFailure::Unreached(why)));
    }

    /// The path that the binding leads over is gone: register anew.
    pub fn flow_failed(&mut self, now: Instant) {
        if self.open.is_some() || self.leaving || self.state == RegistrationState::Gone {
            return;
        }
        if self.is_registered() {
            self.state = RegistrationState::Registering;
            self.contact = None;
            self.due = Some(now);
        }
    }

    /// Gives the binding back, if there is one.
    pub fn leave(&mut self, now: Instant) {
        if std::mem::replace(&mut self.leaving, true) {
            return;
        }
        if self.is_registered() {
            self.due = Some(now);
        } else if self.open.is_none() {
            self.be_gone();
        }
    }

    fn be_gone(&mut self) {
        self.state = RegistrationState::Gone;
        self.due = None;
        self.wanted = false;
        self.contact = None;
    }

    /// The attempt failed: the next one waits, the longer the more failed before it. A binding that
    /// still holds keeps holding.
    fn fail(&mut self, now: Instant, failure: RegistrationFailure) {
        self.failure = Some(failure);
        if self.leaving {
            return self.be_gone();
        }
        self.failures = self.failures.saturating_add(1);
        let longest = MOST.min(BASE.saturating_mul(1 << self.failures.min(10)));
        let half = u64::try_from(longest.as_millis() / 2).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(half + self.rng.below(half));
        let wait = wait.max(self.pause.take().unwrap_or_default().min(MOST));
        self.due = Some(now + wait);
        match self.state {
            RegistrationState::Registered { until } if until > now => {
                self.due = Some((now + wait).min(until));
            }
            _ => self.state = RegistrationState::Failed,
        }
    }
}

/// The domain of a registrar: its URI without user and parameters (RFC 3261 §10.2).
fn domain_of(registrar: &UriBuf) -> UriBuf {
    let uri = registrar.as_uri();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let bare = format!("{}:{}{port}", uri.scheme(), uri.host());
    UriBuf::parse(&bare).unwrap_or_else(|_| registrar.clone())
}
