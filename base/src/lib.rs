//! The leaf of the house: words every room needs, and nothing that does work of its own.
//!
//! Identifiers, our own clock reading, seeded randomness and the masking of personal data.
//! Nothing here reads a clock, a socket or the operating system's randomness.

mod id;
mod redact;
mod rng;
mod time;

pub use id::{
    AgentId, CallId, FlowId, IdError, LegId, PromptId, QueueId, RecordingId, SkillId, TenantId,
    TrunkId,
};
pub use redact::{Pii, mask};
pub use rng::Rng;
pub use std::time::Duration;
pub use time::{Instant, UnixTime};
