//! How a desk takes a call.

use base::Duration;
use sip::StatusCode;

/// How a call is taken: what the caller gets first, and what becomes of it after a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pickup {
    /// What the caller gets at once.
    pub rings: Rings,
    /// How long that lasts.
    pub after: Duration,
    /// What follows.
    pub then: Then,
    /// Whether two devices ring behind it, and both answer (RFC 3261 §13.2.2.4).
    pub forks: bool,
}

/// What a caller gets before the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rings {
    /// Nothing but the 100.
    Nothing,
    /// 180.
    Rings,
    /// 183 with a description: it is heard before it answers.
    Early,
    /// 180, reliable if the caller knows that.
    Reliably,
    /// 183 with a description, reliable if the caller knows that.
    EarlyReliably,
}

/// What becomes of a call that was rung for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// It is answered.
    Answer,
    /// It is refused.
    Refuse(StatusCode),
    /// It rings until somebody else has had enough.
    Never,
}

impl Pickup {
    /// It rings for a time, then is answered.
    #[must_use]
    pub const fn answers(after: Duration) -> Self {
        Self { rings: Rings::Rings, after, then: Then::Answer, forks: false }
    }

    /// It rings for a time, then is refused.
    #[must_use]
    pub const fn refuses(after: Duration, status: StatusCode) -> Self {
        Self { rings: Rings::Rings, after, then: Then::Refuse(status), forks: false }
    }
}
