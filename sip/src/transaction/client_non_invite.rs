//! The client transaction of all other requests (RFC 3261 §17.1.2).

use base::Instant;

use super::client_invite::{OnResponse, OnTimeout};
use super::schedule::{Backoff, Deadline, earlier};
use super::{EndpointConfig, Timer};
use crate::StatusCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientNonInvite {
    /// Trying and Proceeding: Timer E sends again on datagrams, Timer F gives up.
    Trying {
        resend: Option<Backoff>,
        give_up: Instant,
    },
    /// Answered: Timer K absorbs what comes late.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl ClientNonInvite {
    pub(super) fn new(now: Instant, config: &EndpointConfig, reliable: bool) -> Self {
        let resend = (!reliable).then(|| Backoff::new(now, config.t1, config.t2));
        Self::Trying { resend, give_up: now + config.timeout }
    }

    pub(super) fn on_response(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        reliable: bool,
        status: StatusCode,
    ) -> OnResponse {
        match self {
            Self::Trying { resend, .. } if status.is_provisional() => {
                if let Some(resend) = resend {
                    resend.slow_down();
                }
                OnResponse::Deliver
            }
            Self::Trying { .. } => {
                *self = if reliable {
                    Self::Terminated // Timer K is zero
                } else {
                    Self::Completed { until: now + config.t4 }
                };
                OnResponse::Deliver
            }
            _ => OnResponse::Absorb,
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match self {
            Self::Trying { give_up, .. } if now >= *give_up => {
                *self = Self::Terminated;
                OnTimeout::TimedOut
            }
            Self::Trying { resend: Some(resend), .. } => {
                if resend.fire(now) {
                    OnTimeout::Resend
                } else {
                    OnTimeout::Nothing
                }
            }
            Self::Completed { until } if now >= *until => {
                *self = Self::Terminated;
                OnTimeout::Ended
            }
            _ => OnTimeout::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        match *self {
            Self::Trying { resend, give_up } => earlier(resend, Timer::E, (give_up, Timer::F)),
            Self::Completed { until } => Some((until, Timer::K)),
            Self::Terminated => None,
        }
    }
}
