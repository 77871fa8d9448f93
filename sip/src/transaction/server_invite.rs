//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.3), with the retransmission of
//! 2xx that §13.3.1.4 asks of the user.

use base::Instant;

use super::schedule::{Backoff, Deadline, earlier};
use super::{EndpointConfig, Timer};
use crate::StatusCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ServerInvite {
    /// No final response yet: Timer C ends the user's silence.
    Proceeding {
        until: Instant,
    },
    /// Refused: Timer G sends again on datagrams, Timer H stops waiting for the ACK.
    Completed {
        resend: Option<Backoff>,
        give_up: Instant,
    },
    /// The ACK of the refusal came: Timer I absorbs more of them.
    Confirmed {
        until: Instant,
    },
    /// 2xx sent: sent again, on streams too, until its ACK; Timer L absorbs the INVITE meanwhile.
    Accepted {
        resend: Option<Backoff>,
        until: Instant,
    },
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnAck {
    /// The first ACK of our 2xx: for the user.
    Success,
    /// An ACK of a refusal, or a retransmitted one.
    Absorb,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnTimeout {
    Resend,
    /// The user did not answer: the layer does.
    Unanswered,
    /// No ACK for the 2xx came: for the user; the transaction is over.
    AckMissing,
    Ended,
    Nothing,
}

impl ServerInvite {
    /// The user responds; says whether the response goes out.
    pub(super) fn on_respond(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        reliable: bool,
        status: StatusCode,
    ) -> bool {
        let Self::Proceeding { until } = self else { return false };
        let backoff = Backoff::new(now, config.t1, config.t2);
        if status.is_success() {
            *self = Self::Accepted { resend: Some(backoff), until: now + config.timeout };
        } else if status.is_final() {
            let resend = (!reliable).then_some(backoff);
            *self = Self::Completed { resend, give_up: now + config.timeout };
        } else {
            *until = now + config.unanswered;
        }
        true
    }

    /// The INVITE came again; says whether to send the last response again. After a 2xx its
    /// own retransmission does that (RFC 6026 §7.1).
    pub(super) const fn on_request(&self) -> bool {
        matches!(self, Self::Proceeding { .. } | Self::Completed { .. })
    }

    pub(super) fn on_ack(
        &mut self,
        now: Instant,
        config: &EndpointConfig,
        reliable: bool,
    ) -> OnAck {
        match self {
            Self::Accepted { resend, .. } if resend.is_some() => {
                *resend = None;
                OnAck::Success
            }
            Self::Completed { .. } => {
                *self = if reliable {
                    Self::Terminated // Timer I is zero
                } else {
                    Self::Confirmed { until: now + config.t4 }
                };
                OnAck::Absorb
            }
            _ => OnAck::Absorb,
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match self {
            Self::Proceeding { until } if now >= *until => OnTimeout::Unanswered,
            Self::Completed { give_up, .. } if now >= *give_up => {
                *self = Self::Terminated;
                OnTimeout::Ended
            }
            Self::Confirmed { until } if now >= *until => {
                *self = Self::Terminated;
                OnTimeout::Ended
            }
            Self::Accepted { resend, until } if now >= *until => {
                let missing = resend.is_some();
                *self = Self::Terminated;
                if missing { OnTimeout::AckMissing } else { OnTimeout::Ended }
            }
            Self::Completed { resend: Some(resend), .. }
            | Self::Accepted { resend: Some(resend), .. } => {
                if resend.fire(now) {
                    OnTimeout::Resend
                } else {
                    OnTimeout::Nothing
                }
            }
            _ => OnTimeout::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        match *self {
            Self::Proceeding { until } => Some((until, Timer::C)),
            Self::Terminated => None,
            Self::Completed { resend, give_up } => earlier(resend, Timer::G, (give_up, Timer::H)),
            Self::Confirmed { until } => Some((until, Timer::I)),
            Self::Accepted { resend, until } => earlier(resend, Timer::G, (until, Timer::L)),
        }
    }
}
