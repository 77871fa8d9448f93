//! What must hold in every run of a town. Each checker has a test that it can fail.

mod ends;
mod leaks;
mod order;
mod presence;
mod quiet;
mod takeovers;

pub(super) use ends::{Circumstances, explain, open_dialogs};
pub(super) use order::check_order;
pub(super) use takeovers::check_takeovers;

/// How the checkers' tests end a call.
#[cfg(test)]
fn ended() -> switch::EventKind {
    switch::EventKind::CallEnded {
        cause: switch::Cause::Normal,
        ended_by: switch::EndedBy::Caller,
        duration_ms: 1,
        talk_ms: None,
        agent: None,
        recording: None,
        recordings: Vec::new(),
        reason: None,
    }
}
