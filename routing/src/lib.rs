//! Numbers, flows, queues, skills and agents: who gets the work, and why.
//!
//! Pure: nothing here reads a clock, a file or a socket, and nothing knows SIP or media. What it
//! routes is a *work item*: a call today, a chat or a callback tomorrow.
//!
//! - [`Provisioning`] is what a file says; [`Directory`] is the same, checked and indexed.
//! - [`route`] takes a dialled number to a tenant's flow.
//! - [`Router`] takes a work item in a queue to an agent; each [`Decision`] carries its reasons.

mod decision;
mod directory;
mod network;
mod number;
mod provisioning;
mod route;
mod router;
mod secret;

pub use decision::{Candidate, Decision, Verdict};
pub use directory::{Directory, ProvisioningError};
pub use network::{Network, NetworkError};
pub use number::{E164, NumberError};
pub use provisioning::{
    Agent, ApiKey, Credentials, DialPolicy, Digest, Direction, Flow, Forward, HangupCause,
    HeaderAction, HeaderRule, Limits, Number, NumberFormat, NumberPlace, NumberRule, OutboundRoute,
    PromptFile, Provisioning, Queue, Role, Skill, Step, StirKey, Tenant, Trunk, TrunkRegistration,
    TrunkStir, TrunkTarget,
};
pub use route::{Route, RouteRefusal, route};
pub use router::{
    AgentSnapshot, AgentState, AttemptFailure, CancelReason, Input, Output, QueueSnapshot, Refusal,
    Router, Timer, WaitingSnapshot, WorkId,
};
pub use secret::Secret;
