//! The server transaction of all other requests (RFC 3261 §17.2.2).

use base::Instant;

use super::schedule::Deadline;
use super::{EndpointConfig, Timer};
use crate::StatusCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ServerNonInvite {
    /// The user has not responded: retransmissions are dropped.
    Trying,
    /// A provisional response went out: retransmissions bring it again.
    Proceeding,
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
        if matches!(self, Self::Completed { .. } | Self::Terminated) {
            return false;
        }
        *self = if status.is_provisional() {
            Self::Proceeding
        } else if reliable {
            Self::Terminated // Timer J is zero
        } else {
            Self::Completed { until: now + config.timeout }
        };
        true
    }

    /// The request came again; says whether to send the last response again.
    pub(super) const fn on_request(&self) -> bool {
        matches!(self, Self::Proceeding | Self::Completed { .. })
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if matches!(*self, Self::Completed { until } if now >= until) {
            *self = Self::Terminated;
        }
    }

    pub(super) const fn deadline(&self) -> Deadline {
        match *self {
            Self::Completed { until } => Some((until, Timer::J)),
            _ => None,
        }
    }
}
