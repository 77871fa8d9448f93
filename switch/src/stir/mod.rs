//! Signed caller numbers of calls that come in over a trunk (RFC 8224, RFC 8588): the INVITE waits
//! until the signer's certificate is there, for two seconds at most.

mod cache;
mod verify;

use std::collections::BTreeMap;

use base::{Instant, TrunkId};
use sip::stir::{Pending, Roots};
use sip::{Flow, Message, ServerTx};

pub(crate) use self::verify::Verified;

use self::cache::Cache;
use crate::ladder::Ladder;

/// What a switch knows of signatures.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    /// Who certifies signers; nobody: nothing is verified.
    roots: Roots,
    certificates: Cache,
    held: BTreeMap<ServerTx, Held>,
}

/// An INVITE that waits for its signer's certificate.
#[derive(Debug)]
struct Held {
    flow: Flow,
    invite: Message,
    trunk: TrunkId,
    pending: Pending,
    until: Instant,
    /// Its messages so far.
    ladder: Ladder,
}

/// More calls than these do not wait: their signatures count as not verified.
const MOST_HELD: usize = 1_000;

impl Signatures {
    pub(crate) fn trust(&mut self, roots: Roots) {
        self.roots = roots;
    }

    /// How many calls wait.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }
}
