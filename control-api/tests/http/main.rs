//! The API over real HTTP, on a real store and a real archive; only the switch is played.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agents;
mod audio;
mod auth;
mod calls;
mod captures;
mod client;
mod desk;
mod document;
mod events;
mod explorer;
mod forms;
mod idempotency;
mod isolation;
mod pages;
#[path = "../../../store/tests/repository/postgres_programs.rs"]
mod postgres_programs;
#[path = "../../../store/tests/repository/postgres_server.rs"]
mod postgres_server;
mod provisioning;
mod sample;
mod stand;
mod statistics;
mod supervision;
mod things;
#[path = "../../../store/tests/repository/told.rs"]
mod told;
