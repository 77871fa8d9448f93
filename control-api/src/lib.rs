//! The HTTP API: calls, agents, queues, recordings and the stream of events, as JSON.
//!
//! [`router`] is all of it; whoever serves it puts `ConnectInfo<SocketAddr>` into the requests and
//! carries [`EngineRequest`]s to the switch. Nothing here knows a socket or a dialog.
//!
//! ```text
//! request -> watch (request id, security headers, metrics) -> idempotency -> body limit
//!         -> Caller (key or ticket) -> Scoped (tenant) -> a file of routes/ -> store | engine
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answer;
mod auth;
mod captures;
mod clock;
mod cloud_event;
mod docs_page;
mod engine;
mod fault;
mod feed;
mod flow_faults;
mod idempotency;
mod key_table;
mod ladder_pcap;
mod ladder_text;
mod openapi;
mod own_events;
mod params;
mod pcap;
mod provisioned;
mod range;
mod routes;
mod state;
mod statistics;
mod tickets;
mod watch;
mod welcome;

pub use captures::{CaptureOver, CapturedDatagram, Captures};
pub use engine::{Engine, EngineRequest, ProvisionRequest};
pub use openapi::document;
pub use routes::router;
pub use state::ApiState;
pub use welcome::{Scene, Stage, Welcome};
