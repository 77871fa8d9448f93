//! What the measurements share: the clock, a reader of SIP text, what the kernel says of processes.

pub mod clock;
pub mod http;
pub mod text;
pub mod usage;
