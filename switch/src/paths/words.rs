//! What is asked of the paths, and what they say.

use std::net::IpAddr;

use base::{Duration, TrunkId};
use sip::resolve::{Hop, Question};
use sip::{Flow, Transport, UriBuf};

use crate::index::LegRef;
use crate::port::ConnectId;
use crate::trunks::Errand;

/// Names an ask until it is closed. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct PathId(pub(super) u64);

/// What a path is for: who hears of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PathFor {
    /// An INVITE of a leg.
    Leg(LegRef),
    /// Later requests within a leg's dialog. The path is over when it is ready: nothing is tried
    /// after it.
    Dialog(LegRef),
    /// An errand of a trunk's own.
    Trunk(Errand),
}

/// Where somebody wants to send a request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) purpose: PathFor,
    /// In the order to try them; each is resolved to its hops when its turn comes.
    pub(crate) uris: Vec<UriBuf>,
    /// The transports that may be used, the preferred one first.
    pub(crate) allowed: Vec<Transport>,
    /// The trunk that it is for: its client certificate is shown, and its health hears what came
    /// of each URI.
    pub(crate) identity: Option<TrunkId>,
    /// How long the request is in bytes, as far as known (RFC 3261 §18.1.1).
    pub(crate) size: usize,
    /// How long the first response may take, once the request is sent.
    pub(crate) patience: Duration,
    /// Whether hops are tried that asked to be left alone (503 with Retry-After).
    pub(crate) urgent: bool,
}

impl Ask {
    /// An ask for those URIs over any transport.
    pub(crate) fn new(purpose: PathFor, uris: Vec<UriBuf>) -> Self {
        let allowed = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
        let patience = super::PATIENCE;
        Self { purpose, uris, allowed, identity: None, size: 0, patience, urgent: false }
    }
}

/// What became of an ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PathEvent {
    /// There is a way: send the request over it and say so ([`super::Paths::sent`]).
    Ready {
        path: PathId,
        /// The URI that led there.
        uri: UriBuf,
        hop: Hop,
        flow: Flow,
    },
    /// Nothing at all came back to the request: give it up and go on ([`super::Paths::next`]).
    Silent { path: PathId },
    /// There is no further way; the path is over.
    Exhausted { path: PathId, why: PathFailure },
}

impl PathEvent {
    /// Whether the path was over when it was said.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Exhausted { .. })
    }

    pub(crate) fn path(&self) -> PathId {
        match self {
            Self::Ready { path, .. } | Self::Silent { path } | Self::Exhausted { path, .. } => {
                *path
            }
        }
    }
}

/// Why a way that was ready did not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PathFault {
    /// It was answered 503.
    Refused,
    /// The request could not be sent, or timed out.
    Unreachable,
    /// There was no response at all for a while.
    Silent,
}

/// Why there is no way: the last thing that went wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PathFailure {
    /// There are too many asks already.
    #[error("too many requests are looking for their way")]
    Busy,
    /// No URI was given.
    #[error("there is no target")]
    NoTarget,
    /// The name led nowhere.
    #[error("{0}")]
    Unresolved(sip::resolve::ResolveError),
    /// No connection came about.
    #[error("{hop}: {why}")]
    Unconnected { hop: Hop, why: String },
    /// The last hop failed after it was ready.
    #[error("{hop}: {}", fault_text(*fault))]
    Failed { hop: Hop, fault: PathFault },
    /// Each hop has asked to be left alone for a while.
    #[error("{0} asked for a pause")]
    Paused(Hop),
}

fn fault_text(fault: PathFault) -> &'static str {
    match fault {
        PathFault::Refused => "refused with 503",
        PathFault::Unreachable => "not reached",
        PathFault::Silent => "no response",
    }
}

/// What a trunk's URI did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It responded.
    Answered,
    /// It responded 503, and perhaps for how long.
    Refused(Option<Duration>),
    /// None of its hops did.
    Missed,
}

/// What the paths say, in order.
#[derive(Debug)]
pub(crate) enum PathOutput {
    Ask(Question),
    Connect {
        id: ConnectId,
        hop: Hop,
        identity: Option<TrunkId>,
    },
    Event(PathFor, PathEvent),
    Outcome {
        trunk: TrunkId,
        uri: UriBuf,
        outcome: Outcome,
    },
    /// One of the trunk's own servers is there: its URI led to it, not the word of a peer.
    Server {
        trunk: TrunkId,
        address: IpAddr,
    },
}
