//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4).

use base::{Duration, Instant};

use super::schedule::{Backoff, Deadline, earlier};
use super::{EndpointConfig, Timer};
use crate::StatusCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientInvite {
    /// Sent, nothing heard: Timer A sends again on datagrams, Timer B gives up.
    Calling {
        resend: Option<Backoff>,
        give_up: Instant,
    },
    /// A provisional response came; after a CANCEL there is an end to the waiting.
    Proceeding {
        give_up: Option<Instant>,
    },
    /// Refused and ACKed: Timer D.
    Completed {
        until: Instant,
    },
    /// 2xx came: Timer M. The transaction user ACKs; forks may answer too.
    Accepted {
        until: Instant,
    },
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnResponse {
    /// A provisional response for the user.
    Deliver,
    /// The first refusal: for the user, and ACK it.
    DeliverAndAck,
    /// A retransmitted refusal: ACK it again.
    AckAgain,
    /// A 2xx: for the user if its dialog is new, otherwise its ACK again.
    Success,
    /// Nothing to do.
    Absorb,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnTimeout {
    Resend,
    TimedOut,
    Ended,
    Nothing,
}

impl ClientInvite {
    pub(super) fn new(now: Instant, config: &EndpointConfig, reliable: bool) -> Self {
        // Timer A has no ceiling (§17.1.1.2).
        let resend = (!reliable).then(|| Backoff::new(now, config.t1, Duration::MAX));
        Self::Calling { resend, give_up: now + config.timeout }
    }

    pub(super) fn on_response(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        reliable: bool,
        status: StatusCode,
    ) -> OnResponse {
        match *self {
            Self::Calling { .. } | Self::Proceeding { .. } if status.is_provisional() => {
                if matches!(self, Self::Calling { .. }) {
                    *self = Self::Proceeding { give_up: None };
                }
                OnResponse::Deliver
            }
            Self::Calling { .. } | Self::Proceeding { .. } if status.is_success() => {
                *self = Self::Accepted { until: now + config.timeout };
                OnResponse::Success
            }
            Self::Calling { .. } | Self::Proceeding { .. } => {
                *self = if reliable {
                    Self::Terminated // Timer D is zero
                } else {
                    Self::Completed { until: now + config.timer_d }
                };
                OnResponse::DeliverAndAck
            }
            Self::Completed { .. } if status.is_final() && !status.is_success() => {
                OnResponse::AckAgain
            }
            Self::Accepted { .. } if status.is_success() => OnResponse::Success,
            _ => OnResponse::Absorb,
        }
    }

    /// A CANCEL went out: without a final response in 64*T1 the INVITE is over (§9.1).
    pub(super) fn on_cancel(&mut self, now: Instant, config: &EndpointConfig) {
        if let Self::Proceeding { give_up } = self {
            give_up.get_or_insert(now + config.timeout);
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match self {
            Self::Calling { give_up, .. } | Self::Proceeding { give_up: Some(give_up) }
                if now >= *give_up =>
            {
                *self = Self::Terminated;
                OnTimeout::TimedOut
            }
            Self::Calling { resend: Some(resend), .. } => {
                if resend.fire(now) {
                    OnTimeout::Resend
                } else {
                    OnTimeout::Nothing
                }
            }
            Self::Completed { until } | Self::Accepted { until } if now >= *until => {
                *self = Self::Terminated;
                OnTimeout::Ended
            }
            _ => OnTimeout::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        match *self {
            Self::Calling { resend, give_up } => earlier(resend, Timer::A, (give_up, Timer::B)),
            Self::Proceeding { give_up } => give_up.map(|at| (at, Timer::Cancel)),
            Self::Completed { until } => Some((until, Timer::D)),
            Self::Accepted { until } => Some((until, Timer::M)),
            Self::Terminated => None,
        }
    }
}
