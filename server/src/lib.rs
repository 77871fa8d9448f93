//! The node: the only place where all the rooms meet. Configuration, sockets, threads, drain; and
//! the commands of the `strowger` binary.
//!
//! ```text
//! UDP, TCP, TLS, WS --> signalling (one thread, one Switch) --> store writer --> the API's readers
//!                         |    ^                     \-------> recorder
//!                commands v    | events                           ^ taps
//!                      media workers (one pinned thread a core) --/
//! ```

mod capturing;
pub mod cli;
mod clock;
mod command;
pub mod config;
pub mod demo;
mod hep;
mod http;
pub mod logs;
mod media_io;
mod memory;
mod meters;
pub mod node;
mod persist;
mod pktinfo;
mod poller;
pub mod provision;
mod quota;
pub mod random;
mod recording;
mod retention;
mod signalling;
mod tls;
mod unfinished;
mod wake;
pub mod web_client;

pub use clock::Clock;
pub use command::run;
