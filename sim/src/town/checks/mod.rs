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
