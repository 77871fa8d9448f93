//! What the measurements share: the clock, a reader of SIP text, the child that is
//! measured, what the kernel says of processes.

pub mod child;
pub mod clock;
pub mod http;
pub mod text;
pub mod usage;
