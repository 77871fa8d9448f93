//! Session timers: a dialog whose ends do not refresh it in time is over, so that no call outlives
//! a peer that is gone (RFC 4028). Both roles: whoever sends the INVITE or UPDATE is the UAC of it.

use std::collections::VecDeque;

use base::{Duration, Instant};

use crate::header::{MinSe, OptionTags, Refresher, SessionExpires};
use crate::{HeaderError, Message, Name, Request, Response, StatusCode};

/// The option tag.
const TAG: &str = "timer";

/// What we ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionTimerConfig {
    /// Seconds between refreshes, times two; the RFC recommends 1800.
    pub interval: u32,
    /// The least we take.
    pub least: MinSe,
    /// Whether we refresh the dialogs of callers that know no timers, so as to learn that they are
    /// gone.
    pub alone: bool,
}

impl Default for SessionTimerConfig {
    fn default() -> Self {
        Self { interval: 1800, least: MinSe::LEAST, alone: false }
    }
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionTimerOutput {
    /// Refresh: send an UPDATE without a body, or a re-INVITE with the SDP as it stands, each
    /// through [`SessionTimer::put`].
    Refresh {
        /// Whether the peer takes UPDATE.
        update: bool,
    },
    /// Nobody refreshed: hang up with a BYE.
    Expired,
}

/// What the answer to the peer's request grants. Nothing holds before
/// [`SessionTimer::grant`] has put it into the 2xx.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Granted(Option<(SessionExpires, bool)>);

/// What was agreed.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    interval: u32,
    we_refresh: bool,
    refresh: Option<Instant>,
    expires: Instant,
}

/// The timer of one dialog.
#[derive(Debug)]
pub struct SessionTimer {
    config: SessionTimerConfig,
    /// The highest Min-SE that anyone has told us.
    least: MinSe,
    agreed: Option<Agreed>,
    peer_updates: bool,
    refusals: u8,
    outbox: VecDeque<SessionTimerOutput>,
}

/// So many 422 are answered with a longer interval; then someone is playing.
const MOST_REFUSALS: u8 = 4;

impl SessionTimer {
    /// Nothing agreed yet.
    #[must_use]
    pub const fn new(config: SessionTimerConfig) -> Self {
        Self {
            config,
            least: config.least,
            agreed: None,
            peer_updates: false,
            refusals: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Puts the timer into an INVITE or UPDATE of ours. Who refreshes now goes on doing so.
    #[must_use]
    pub fn put(&self, request: Request) -> Request {
        let refresher = self.agreed.map(|agreed| match agreed.we_refresh {
            true => Refresher::Uac,
            false => Refresher::Uas,
        });
        let asked = self.agreed.map_or(self.config.interval, |agreed| agreed.interval);
        let interval = asked.max(self.least.0);
        let mut request =
            request.header(Name::SESSION_EXPIRES, SessionExpires { interval, refresher });
        if self.least > MinSe::LEAST {
            request = request.header(Name::MIN_SE, self.least);
        }
        match request.get(Name::SUPPORTED).map(str::to_owned) {
            Some(tags) if tags.split(',').any(|tag| tag.trim() == TAG) => request,
            _ => request.header(Name::SUPPORTED, TAG),
        }
    }

    /// A 422 to our request: true if it is to be sent again, through [`SessionTimer::put`] and with
    /// the next CSeq (§7.3).
    pub fn on_too_small(&mut self, response: &Message) -> bool {
        let told = MinSe::of(response).ok().flatten();
        let Some(told) = told.filter(|told| *told > self.least) else { return false };
        self.refusals += 1;
        self.least = told;
        self.refusals <= MOST_REFUSALS
    }

    /// A 2xx to our INVITE or UPDATE (§7.2).
    pub fn on_success(&mut self, now: Instant, response: &Message) {
        self.note_allow(response);
        self.refusals = 0;
        let told = SessionExpires::of(response).ok().flatten();
        match told {
            // The refresher must be said in a 2xx; who leaves it out leaves it to us.
            Some(told) => {
                let we_refresh = told.refresher != Some(Refresher::Uas);
                self.agree(now, told.interval, we_refresh);
            }
            // The peer knows no timers. Ours goes on if we want it to.
            None if self.config.alone => {
                let interval = self.config.interval.max(self.least.0);
                self.agree(now, interval, true);
            }
            None => self.agreed = None,
        }
    }

    /// What to grant the peer's INVITE or UPDATE. The 2xx to it is made by [`SessionTimer::grant`].
    ///
    /// # Errors
    /// [`TooSmall`]: answer as it says. A header field that does not parse: answer 400.
    pub fn on_request(&mut self, request: &Message) -> Result<Granted, SessionTimerError> {
        self.note_allow(request);
        let knows = OptionTags::supported(request).has(TAG);
        let asked = SessionExpires::of(request)?;
        let least = MinSe::of(request)?.unwrap_or(MinSe::LEAST);
        let Some(asked) = asked else {
            return Ok(Granted(self.unasked(knows, least)));
        };
        if asked.interval < self.config.least.0 && knows {
            return Err(SessionTimerError::TooSmall(TooSmall(self.config.least)));
        }
        // Never longer than asked, never shorter than someone on the way takes (§9).
        let interval = asked.interval.min(self.config.interval).max(least.0).max(MinSe::LEAST.0);
        let interval = interval.min(asked.interval.max(MinSe::LEAST.0));
        let refresher = match asked.refresher {
            Some(who) if knows => who,
            // Not said: a peer that can refresh does it.
            None if knows => Refresher::Uac,
            _ => Refresher::Uas,
        };
        let expires = SessionExpires { interval, refresher: Some(refresher) };
        Ok(Granted(Some((expires, refresher == Refresher::Uac))))
    }

    /// The peer asked for no timer.
    fn unasked(&self, knows: bool, least: MinSe) -> Option<(SessionExpires, bool)> {
        let wanted = knows || self.config.alone || self.agreed.is_some();
        let interval = self.config.interval.max(least.0).max(self.least.0);
        let expires = SessionExpires { interval, refresher: Some(Refresher::Uas) };
        wanted.then_some((expires, false))
    }

    /// Puts what was granted into the 2xx, from now on it holds. A peer that is to refresh is
    /// told that it must know how (`Require: timer`).
    #[must_use]
    pub fn grant(&mut self, now: Instant, granted: Granted, response: Response) -> Response {
        let Some((expires, peer_refreshes)) = granted.0 else {
            self.agreed = None;
            return response;
        };
        self.agree(now, expires.interval, !peer_refreshes);
        let response = response.header(Name::SESSION_EXPIRES, expires);
        if peer_refreshes { response.header(Name::REQUIRE, TAG) } else { response }
    }

    fn agree(&mut self, now: Instant, interval: u32, we_refresh: bool) {
        let interval = interval.max(MinSe::LEAST.0);
        let length = Duration::from_secs(interval.into());
        // §10: the one who does not refresh hangs up a little before the end, and so does the one
        // whose refreshes all failed.
        let margin = Duration::from_secs(32).min(length / 3);
        self.agreed = Some(Agreed {
            interval,
            we_refresh,
            refresh: we_refresh.then(|| now + length / 2),
            expires: now + (length - margin),
        });
    }

    fn note_allow(&mut self, message: &Message) {
        let mut allowed = message.list(Name::ALLOW).peekable();
        if allowed.peek().is_some() {
            self.peer_updates = allowed.any(|method| method == "UPDATE");
        }
    }

    /// Whether the peer has said that it takes UPDATE.
    #[must_use]
    pub const fn peer_updates(&self) -> bool {
        self.peer_updates
    }

    /// The interval agreed, in seconds, and whether we refresh.
    #[must_use]
    pub fn agreed(&self) -> Option<(u32, bool)> {
        self.agreed.map(|agreed| (agreed.interval, agreed.we_refresh))
    }

    /// A refresh of ours failed in a way that may pass (491, 503, another one under way): it is
    /// tried again after a pause. After 408 or 481 the dialog is over anyhow (RFC 5057 §5).
    pub fn retry(&mut self, now: Instant, pause: Duration) {
        if let Some(agreed) = self.agreed.as_mut().filter(|agreed| agreed.we_refresh) {
            agreed.refresh = Some(now + pause);
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(agreed) = &mut self.agreed else { return };
        if now >= agreed.expires {
            self.agreed = None;
            self.outbox.push_back(SessionTimerOutput::Expired);
        } else if agreed.refresh.is_some_and(|at| now >= at) {
            agreed.refresh = None;
            let update = self.peer_updates;
            self.outbox.push_back(SessionTimerOutput::Refresh { update });
        }
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let agreed = self.agreed?;
        Some(agreed.refresh.map_or(agreed.expires, |at| at.min(agreed.expires)))
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<SessionTimerOutput> {
        self.outbox.pop_front()
    }
}

/// The peer's interval is shorter than we take: answer 422 with this as Min-SE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooSmall(pub MinSe);

/// Why a peer's timer is not granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionTimerError {
    /// A header field does not parse.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Too short an interval.
    #[error("an interval of less than {}", .0.0)]
    TooSmall(TooSmall),
}

impl SessionTimerError {
    /// The response that refuses the request.
    #[must_use]
    pub fn response(&self) -> Response {
        match self {
            Self::Header(_) => Response::new(StatusCode::BAD_REQUEST),
            Self::TooSmall(TooSmall(least)) => {
                Response::new(StatusCode::SESSION_INTERVAL_TOO_SMALL).header(Name::MIN_SE, least)
            }
        }
    }
}
