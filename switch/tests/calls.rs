//! The switch alone, driven by hand-written SIP and media events: one file for each procedure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "they are tests")]

mod rig;

mod abandon;
mod admission;
mod api;
mod attempt;
mod bodies;
mod callers;
mod direct;
mod early;
mod emergency;
mod guessing;
mod hangup;
mod hijack;
mod hold;
mod in_dialog;
mod interop;
mod limits;
mod logbook;
mod messages;
mod next_hop;
mod originate;
mod outbound;
mod refusal;
mod registration;
mod reliable;
mod session_timer;
mod setup;
mod signalling_abuse;
mod signatures;
mod steps;
mod storm;
mod subscriptions;
mod timeouts;
mod transfer;
mod trunk_registration;
mod trunks;
