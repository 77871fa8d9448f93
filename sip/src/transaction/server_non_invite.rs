//! The server transaction of all other requests (RFC 3261 §17.2.2).

use base::Instant;

use super::schedule::Deadline;
use super::{EndpointConfig, Timer};
use crate::StatusCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ServerNonInvite {
    /// The user has not responded: retransmissions are dropped. At the end the peer's Timer F has
    /// fired, and no response would be of use (RFC 4320 §4.2).
    Trying {
        until: Instant,
    },
    /// A provisional response went out: retransmissions bring it again.
    Proceeding {
        until: Instant,
    },
    /// The final response went out: Timer J.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl ServerNonInvite {
    /// The user responds; says whether the response goes out.
    pub(super) fn on_respond(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        reliable: bool,
        status: StatusCode,
    ) -> bool {
        let (Self::Trying { until } | Self::Proceeding { until }) = *self else { return false };
        *self = if status.is_provisional() {
            Self::Proceeding { until }
        } else if reliable {
            Self::Terminated // Timer J is zero
        } else {
            Self::Completed { until: now + config.timeout }
        };
        true
    }

    /// The request came again; says whether to send the last response again.
    pub(super) const fn on_request(&self) -> bool {
        matches!(self, Self::Proceeding { .. } | Self::Completed { .. })
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|(until, _)| now >= until) {
            *self = Self::Terminated;
        }
    }

    pub(super) const fn deadline(&self) -> Deadline {
        match *self {
            Self::Trying { until } | Self::Proceeding { until } => Some((until, Timer::C)),
            Self::Completed { until } => Some((until, Timer::J)),
            Self::Terminated => None,
        }
    }
}
