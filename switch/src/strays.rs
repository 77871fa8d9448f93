//! INVITEs of ours that no call waits for any more: cancelled, or already answered. A 2xx that
//! still comes for one (the race of RFC 3261 §9.1, a fork of §13.2.2.4) is acknowledged and hung
//! up at once, even when the call is long gone.

use std::collections::HashMap;

use base::{CallId, Instant, LegId};
use sip::{ClientTx, Flow, Name, Request};

/// An INVITE nobody waits for.
#[derive(Debug)]
pub(crate) struct Stray {
    /// The call it belonged to.
    pub(crate) call: CallId,
    /// And the leg.
    pub(crate) leg: LegId,
    /// Where it was sent.
    pub(crate) flow: Flow,
    /// The INVITE as it was sent.
    pub(crate) invite: Request,
    /// The tag of the 2xx that a call did take, for one that was answered.
    pub(crate) taken: Option<Box<str>>,
    /// When it is forgotten.
    pub(crate) until: Instant,
}

/// The sequence number of an INVITE of ours, for its ACK.
pub(crate) fn cseq_of(invite: &Request) -> u32 {
    let number = invite.get(Name::CSEQ).and_then(|text| text.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// All of them; each leaves with its final response, or when its time is over.
#[derive(Debug, Default)]
pub(crate) struct Strays(HashMap<ClientTx, Stray>);

impl Strays {
    pub(crate) fn insert(&mut self, tx: ClientTx, stray: Stray) {
        self.0.insert(tx, stray);
    }

    pub(crate) fn get(&self, tx: ClientTx) -> Option<&Stray> {
        self.0.get(&tx)
    }

    /// Its leg is another call's from here on.
    pub(crate) fn rehome(&mut self, tx: ClientTx, call: CallId) {
        if let Some(stray) = self.0.get_mut(&tx) {
            stray.call = call;
        }
    }

    pub(crate) fn remove(&mut self, tx: ClientTx) -> Option<Stray> {
        self.0.remove(&tx)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
