//! Numbers, flows, queues, skills and agents: who gets the work, and why.
//!
//! Pure: nothing here reads a clock, a file or a socket, and nothing knows SIP or media. What it
//! routes is a *work item*: a call today, a chat or a callback tomorrow.
//!
//! - [`Provisioning`] is what a file says; [`Directory`] is the same, checked and indexed.
//! - [`route`] takes a number dialled over a trunk to a tenant's flow.
//! - [`dial`] reads what an agent dials and whether it may; [`outbound`] picks the trunks for it.
//! - [`Router`] takes a work item in a queue to an agent; each [`Decision`] carries its reasons.

mod decision;
mod dial;
mod direct;
mod directory;
mod header;
mod identity;
mod network;
mod number;
mod outbound;
mod pickup;
mod provisioning;
mod route;
mod router;
mod secret;
mod supervision;

pub use decision::{Candidate, Decision, Verdict};
pub use dial::{Destination, DialRefused, Dialled, dial};
pub use direct::{Direct, ForwardReason, Presence};
pub use directory::{Directory, ProvisioningError};
pub use header::{HeaderChanges, header_changes};
pub use identity::{Attestation, attestation};
pub use network::{Network, NetworkError};
pub use number::{Country, E164, NumberError, called_for, caller_for, read_called, read_caller};
pub use outbound::{Health, HealthState, Outbound, OutboundRefused, TrunkChoice, outbound};
pub use pickup::{Pickup, picks_up, pickup};
pub use provisioning::{
    Agent, ApiKey, Choice, Collect, Credentials, DialPolicy, Digest, Direction, DiversionHeader,
    Dtmf, Encryption, Flow, Forward, HangupCause, HeaderAction, HeaderRule, Limits, Menu, Number,
    NumberFormat, NumberPlace, NumberRule, OnMachine, OutboundRoute, Patience, PromptFile,
    Provisioning, Queue, QueueAlarms, Role, Saying, Signature, Skill, Step, StirKey, Supervises,
    Tenant, Trunk, TrunkRegistration, TrunkStir, TrunkTarget, WrapUpCode,
};
pub use route::{Route, RouteRefusal, route, route_among};
pub use router::{
    AgentSnapshot, AgentState, AlarmSnapshot, AttemptFailure, CancelReason, Input, Output,
    QueueAlarm, QueueSnapshot, Refusal, Router, Timer, WaitingSnapshot, WorkId, WrapUpSnapshot,
};
pub use secret::Secret;
pub use supervision::{Supervision, SupervisionCode, may_supervise, supervision_code};
