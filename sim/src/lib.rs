//! Deterministic simulation: a whole switch and its media plane between carriers and agents, on a
//! virtual clock and a network that loses, repeats and delays. The same seed gives the same run.

mod checks;
mod flow_page;
mod network;
mod random;
mod town;
mod world;

pub use checks::{Complaint, check_events, check_quiet};
pub use flow_page::flow_page;
pub use network::{Conditions, Network};
pub use random::{RandomRun, random_run};
pub use town::{DeskId, Fault, Town, TownRun, calls_that_came_about, town_run, town_story};
pub use world::{PhoneId, World};
