//! Why a call ended and who ended it, with the SIP status (RFC 3261 §21) and the Q.850 cause
//! (RFC 3326 §2, RFC 3398 §8.2.6.1) that a peer is told.

use std::fmt;

use serde::Serialize;
use sip::StatusCode;

/// Why a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Caller and agent had talked, or the flow ran to its end.
    Normal,
    /// The caller hung up, or cancelled, before an agent had answered.
    CallerAbandoned,
    /// Nobody has the dialled number.
    NoRoute,
    /// The source may not place this call.
    Forbidden,
    /// The flow says that everybody is busy, or the queue is full.
    Busy,
    /// The flow gave up on an answer.
    NoAnswer,
    /// The flow turns the call away.
    Rejected,
    /// The call waited in its queue as long as the queue allows.
    QueueTimeout,
    /// The tenant has no service for now.
    Suspended,
    /// The tenant has as many calls as it may have.
    TenantLimit,
    /// The tenant places more calls in a second than it may.
    RateLimit,
    /// The engine is shutting down, or has no port left.
    Unavailable,
    /// No codec in common, or a body that cannot be read.
    IncompatibleMedia,
    /// The request could not be understood.
    BadRequest,
    /// A media port could not be opened, or a stream failed.
    MediaFailed,
    /// The far end's transport is gone.
    TransportFailed,
    /// The far end stopped sending audio.
    MediaTimeout,
    /// The far end never confirmed (no ACK) or stopped answering.
    Timeout,
    /// An agent joined its far side with another call's.
    Transferred,
    /// The INVITE of an agent who took another call over: the conversation is in that call.
    PickedUp,
    /// A machine answered, and the call was for a person.
    AnsweringMachine,
    /// Ended through the API.
    ApiRequest,
    /// The engine was told to stop, and the call was still up at the deadline.
    Drained,
    /// The engine stopped while the call was up.
    EngineRestart,
    /// A fault of our own.
    InternalError,
}

impl Cause {
    /// The cause as records and events spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::CallerAbandoned => "caller_abandoned",
            Self::NoRoute => "no_route",
            Self::Forbidden => "forbidden",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Rejected => "rejected",
            Self::QueueTimeout => "queue_timeout",
            Self::Suspended => "suspended",
            Self::TenantLimit => "tenant_limit",
            Self::RateLimit => "rate_limit",
            Self::Unavailable => "unavailable",
            Self::IncompatibleMedia => "incompatible_media",
            Self::BadRequest => "bad_request",
            Self::MediaFailed => "media_failed",
            Self::TransportFailed => "transport_failed",
            Self::MediaTimeout => "media_timeout",
            Self::Timeout => "timeout",
            Self::Transferred => "transferred",
            Self::PickedUp => "picked_up",
            Self::AnsweringMachine => "answering_machine",
            Self::ApiRequest => "api_request",
            Self::Drained => "drained",
            Self::EngineRestart => "engine_restart",
            Self::InternalError => "internal_error",
        }
    }

    /// The final response to an INVITE that ends this way before it was answered.
    #[must_use]
    pub fn sip_status(self) -> StatusCode {
        match self {
            Self::CallerAbandoned => StatusCode::REQUEST_TERMINATED,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::Suspended => StatusCode::FORBIDDEN,
            Self::Busy | Self::TenantLimit => StatusCode::BUSY_HERE,
            Self::NoAnswer | Self::QueueTimeout | Self::Timeout | Self::MediaTimeout => {
                StatusCode::TEMPORARILY_UNAVAILABLE
            }
            Self::Rejected
            | Self::Normal
            | Self::Transferred
            | Self::PickedUp
            | Self::AnsweringMachine
            | Self::ApiRequest => StatusCode::DECLINE,
            Self::RateLimit | Self::Unavailable | Self::Drained | Self::EngineRestart => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::IncompatibleMedia => StatusCode::NOT_ACCEPTABLE_HERE,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::MediaFailed | Self::TransportFailed | Self::InternalError => {
                StatusCode::SERVER_INTERNAL_ERROR
            }
        }
    }

    /// The Q.850 cause value, as a `Reason` header gives it.
    #[must_use]
    pub fn q850(self) -> u8 {
        match self {
            Self::Normal
            | Self::CallerAbandoned
            | Self::Transferred
            | Self::PickedUp
            | Self::AnsweringMachine
            | Self::ApiRequest => 16,
            Self::NoRoute => 1,
            Self::Busy => 17,
            Self::NoAnswer | Self::QueueTimeout => 19,
            Self::Rejected | Self::Forbidden | Self::Suspended => 21,
            Self::IncompatibleMedia => 88,
            Self::BadRequest => 95,
            Self::Timeout => 102,
            Self::TenantLimit | Self::RateLimit => 42,
            Self::Unavailable => 34,
            Self::MediaFailed
            | Self::TransportFailed
            | Self::MediaTimeout
            | Self::Drained
            | Self::EngineRestart
            | Self::InternalError => 41,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who ended a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The caller's BYE or CANCEL.
    Caller,
    /// The BYE of the agent who was called.
    Agent,
    /// The BYE of the number outside that was called.
    Callee,
    /// The engine: a flow's end, a limit, a timeout, a fault.
    Engine,
    /// A request to the API.
    Api,
}

impl EndedBy {
    /// As records and events spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
            Self::Callee => "callee",
            Self::Engine => "engine",
            Self::Api => "api",
        }
    }
}
