//! One path: which URIs and hops are still to be tried, and where it stands.

use std::collections::VecDeque;

use base::Instant;
use sip::ClientTx;
use sip::resolve::{Hop, Question, Resolver};

use super::words::{Ask, PathFailure};
use crate::port::ConnectId;

/// A hop, and the URI (by its place in the ask) that led to it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) uri: usize,
    pub(super) hop: Hop,
}

/// Where a path stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// About to try what comes next; never for longer than one input.
    Between,
    /// The URI's hops are being found.
    Resolving { uri: usize, resolver: Box<Resolver>, open: Vec<Question> },
    /// A connection to the hop is being made.
    Connecting { id: ConnectId, to: Candidate },
    /// The asker has the way. `sent`: the request that went out over it, until a response comes.
    Ready { at: Candidate, sent: Option<ClientTx> },
}

/// An ask that is not over.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) ask: Ask,
    pub(super) stage: Stage,
    /// The URI whose turn comes next.
    pub(super) next_uri: usize,
    /// Hops to try before any other URI is looked at.
    pub(super) hops: VecDeque<Candidate>,
    /// Hops that failed lately: tried when nothing else is left.
    pub(super) last_resort: VecDeque<Candidate>,
    /// When the stage has lasted long enough.
    pub(super) deadline: Option<Instant>,
    /// The last thing that went wrong.
    pub(super) failure: PathFailure,
}

impl Path {
    pub(super) fn new(ask: Ask) -> Self {
        Self {
            ask,
            stage: Stage::Between,
            next_uri: 0,
            hops: VecDeque::new(),
            last_resort: VecDeque::new(),
            deadline: None,
            failure: PathFailure::NoTarget,
        }
    }

    /// Whether that URI has another hop to try.
    pub(super) fn has_hop_of(&self, uri: usize) -> bool {
        self.hops.iter().chain(&self.last_resort).any(|candidate| candidate.uri == uri)
    }
}
