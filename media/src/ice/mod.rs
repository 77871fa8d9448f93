//! ICE (RFC 8445) as its lite end (§2.5): we have public addresses and never check anything
//! ourselves. Whoever proves to know our password is answered, is the far end from there on, and
//! names the address that it wants audio at.

mod credentials;
mod lite;
mod stun;

pub use credentials::Credentials;
pub(crate) use credentials::FRAGMENT;
pub(crate) use lite::{Checked, Lite};
pub(crate) use stun::Request;
pub use stun::{Check, is_success_for, write_check};

use std::net::SocketAddr;

use crate::{Port, WorkerId};

/// An address, and over which of our sockets it is reached: UDP or TCP (RFC 8445 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TransportAddress {
    /// [`Port::Shared`] or [`Port::Stream`], or a port of the stream's own.
    pub port: Port,
    /// The far end's address.
    pub address: SocketAddr,
}

/// Which worker a check is for, as the fragment in it says; nothing of it is proven. `None` of
/// anything that is no check.
#[must_use]
pub fn worker_of_check(datagram: &[u8]) -> Option<WorkerId> {
    credentials::worker_of(Request::read(datagram)?.fragments.0)
}
