//! Candidate pairs (RFC 8445 §6.1.2): an address of ours and one of the far end's, and how far
//! their check has come. All addresses of ours of a family are one socket: a pair is known by the
//! far end's address. It is checked from the address of ours that the far end was told, and learns
//! from what comes from there which one it is of.

use base::{Duration, Instant};

use super::TransportAddress;
use super::candidate::{Candidate, Origin, host_priority, pair_priority};
use super::stun::Transaction;
use crate::Port;

/// The least time that a first answer is waited for (RFC 8445 §14.3).
const LEAST_RTO: Duration = Duration::from_millis(500);
/// A check is sent so often, and after the last time waited for so many times longer than after
/// the first (RFC 8489 §6.2.1, Rc and Rm).
const TIMES: u32 = 7;
const LAST_WAIT: u32 = 16;
/// Between two times the wait grows to so many times the first, and no further: else a call over a
/// network that loses a fifth could take half a minute to be heard.
const MOST_WAIT: u32 = 4;

/// A pair.
#[derive(Debug)]
pub(super) struct Pair {
    /// The far end's address; from which of ours.
    pub(super) at: TransportAddress,
    /// Whether something has come from there to that address of ours.
    is_learned: bool,
    /// The place of ours among our candidates.
    pub(super) from: u32,
    /// What the far end's candidate has for priority.
    pub(super) priority: u32,
    pub(super) foundation: Box<str>,
    pub(super) state: State,
    /// Something goes through, both ways.
    pub(super) is_valid: bool,
    /// It is to be checked before all that just wait.
    pub(super) is_triggered: bool,
    /// We, or the far end if it controls, want it to be the one.
    pub(super) is_nominated: bool,
}

/// How far its check has come (RFC 8445 §6.1.2.6).
#[derive(Debug)]
pub(super) enum State {
    /// Another one of its foundation goes first.
    Frozen,
    Waiting,
    Underway(Attempt),
    Succeeded,
    Failed,
}

/// A check that is not answered yet.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) transaction: Transaction,
    sent: u32,
    /// When it is sent again, or given up.
    pub(super) next: Instant,
    rto: Duration,
    pub(super) nominates: bool,
    /// The role that it was made in, and the tie-breaker: it is the same however often it is sent.
    pub(super) role: Role,
}

/// A role, and what decides when both ends want to have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) controls: bool,
    pub(super) tie_breaker: u64,
}

/// What an attempt does when its time has come.
pub(super) enum Turn {
    Again,
    GiveUp,
}

impl Pair {
    /// With a candidate that the far end's SDP names.
    pub(super) fn told(candidate: &Candidate, origin: Origin) -> Self {
        let port = Port::Shared(Some(origin.address));
        let at = TransportAddress { port, address: candidate.address };
        let Candidate { priority, foundation, .. } = candidate;
        Self { is_learned: false, ..Self::new(at, origin.place, *priority, foundation) }
    }

    /// With an address that a check of the far end's came from, to one of ours.
    pub(super) fn found(at: TransportAddress, from: u32, priority: u32) -> Self {
        Self::new(at, from, priority, "")
    }

    fn new(at: TransportAddress, from: u32, priority: u32, foundation: &str) -> Self {
        Self {
            at,
            is_learned: true,
            from,
            priority,
            foundation: foundation.into(),
            state: State::Frozen,
            is_valid: false,
            is_triggered: false,
            is_nominated: false,
        }
    }

    /// Something good came this way: from which address of ours things go to it, if that was not
    /// known until now, or if the far end wants it so.
    pub(super) fn learn(&mut self, from: TransportAddress, is_wanted: bool) {
        if is_wanted || !self.is_learned {
            (self.at, self.is_learned) = (from, true);
        }
    }

    /// Its priority, by who controls.
    pub(super) fn rank(&self, we_control: bool) -> u64 {
        let (ours, theirs) = (host_priority(self.from), self.priority);
        if we_control { pair_priority(ours, theirs) } else { pair_priority(theirs, ours) }
    }

    /// Its check may still come to something.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Frozen | State::Waiting | State::Underway(_))
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, State::Waiting | State::Underway(_))
    }

    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Underway(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Is to be checked, before others.
    pub(super) fn trigger(&mut self) {
        (self.state, self.is_triggered) = (State::Waiting, true);
    }

    pub(super) fn fail(&mut self) {
        (self.state, self.is_valid) = (State::Failed, false);
        (self.is_triggered, self.is_nominated) = (false, false);
    }
}

impl Attempt {
    /// Sent for the first time now. A new check goes out every `pace`, and so many pairs are to be
    /// checked.
    pub(super) fn new(
        now: Instant,
        transaction: Transaction,
        (nominates, role): (bool, Role),
        (pace, pairs): (Duration, u32),
    ) -> Self {
        let rto = LEAST_RTO.max(pace * pairs);
        Self { transaction, sent: 1, next: now + rto, rto, nominates, role }
    }

    /// Its time has come.
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        if self.sent >= TIMES {
            return Turn::GiveUp;
        }
        self.sent += 1;
        let grown = (1 << (self.sent - 1)).min(MOST_WAIT);
        let wait = if self.sent == TIMES { LAST_WAIT } else { grown };
        self.next = now + self.rto * wait;
        Turn::Again
    }
}
