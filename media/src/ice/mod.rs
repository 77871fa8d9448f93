//! ICE (RFC 8445). Towards browsers and phones its lite end (§2.5): we have public addresses and
//! check nothing ourselves; whoever proves to know our password is answered, is the far end from
//! there on, and names the address that it wants audio at. Towards a far end that is lite itself,
//! and where the far end may be so, a full end, which makes checks of its own besides.

mod candidate;
mod checker;
mod credentials;
mod end;
mod lite;
mod pair;
mod request;
mod response;
mod stun;

pub(crate) use candidate::host_priority;
pub use candidate::{Candidate, Origins, Reach};
pub(crate) use checker::Tag;
pub use credentials::Credentials;
pub(crate) use credentials::FRAGMENT;
pub(crate) use end::End;
pub(crate) use lite::{Checked, Lite};
pub(crate) use request::Request;
pub use request::{Check, answer_check, write_check};
pub(crate) use response::Response;
pub use response::is_success_for;

use std::net::SocketAddr;

use crate::{Port, Slot, WorkerId};

/// An address, and over which of our sockets it is reached: UDP or TCP (RFC 8445 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TransportAddress {
    /// [`Port::Shared`] or [`Port::Stream`], or a port of the stream's own.
    pub port: Port,
    /// The far end's address.
    pub address: SocketAddr,
}

impl TransportAddress {
    /// Whether it is the same address of the far end's, whichever of ours it is reached from.
    pub(crate) fn is_towards(self, other: Self) -> bool {
        let is_shared = |at: Self| matches!(at.port, Port::Shared(_));
        self.address == other.address
            && (self.port == other.port || (is_shared(self) && is_shared(other)))
    }
}

/// Which worker a check is for, as the fragment in it says, or a response to a check of ours, as
/// its transaction says; nothing of it is proven. `None` of anything else.
#[must_use]
pub fn worker_of_check(datagram: &[u8]) -> Option<WorkerId> {
    if let [RESPONSE, ..] = datagram {
        let [w0, w1, ..] = stun::transaction_of(datagram)?;
        return Some(WorkerId(u16::from_be_bytes([w0, w1])));
    }
    credentials::worker_of(Request::read(datagram)?.fragments.0)
}

/// The first byte of any response.
const RESPONSE: u8 = 1;

/// What transactions of a leg at that place begin with.
pub(crate) fn tag(worker: WorkerId, slot: Slot) -> Tag {
    let [w0, w1] = worker.0.to_be_bytes();
    let [_, s0, s1, s2] = slot.index.to_be_bytes();
    [w0, w1, s0, s1, s2]
}

/// The place of the leg that a transaction is of, if it is of any.
pub(crate) fn index_of([_, _, s0, s1, s2, ..]: [u8; 12]) -> u32 {
    u32::from_be_bytes([0, s0, s1, s2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_by_its_transaction_at_which_worker_and_where_the_leg_is() {
        let slot = Slot { index: 70_000, generation: 3 };
        let mut transaction = [9; 12];
        transaction[..5].copy_from_slice(&tag(WorkerId(513), slot));
        let (username, password) = ("them:us", "a password of 22 chars");
        let (priority, nominates, controls) = (1, false, true);
        let check = Check { transaction, username, password, priority, nominates, controls };
        let (mut request, mut response) = (Vec::new(), Vec::new());
        write_check(&mut request, &check);
        let from = SocketAddr::from(([192, 0, 2, 1], 4000));
        assert!(!answer_check(&mut response, &request, from, "another") && response.is_empty());
        assert!(answer_check(&mut response, &request, from, password));
        assert_eq!(worker_of_check(&response), Some(WorkerId(513)));
        assert_eq!(index_of(transaction), 70_000);
        response.truncate(response.len() - 1);
        assert_eq!(worker_of_check(&response), None, "no whole message");
    }
}
