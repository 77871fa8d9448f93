//! What has happened in a call so far: what its record will say.

use base::{AgentId, Instant, QueueId, RecordingId};

use super::far_end::FarEnd;
use crate::ladder::Ladder;
use crate::node::Node;
use crate::port::RecordingReport;
use crate::record::{Decided, DecisionEntry, LegRecord};

/// Decisions kept of one call. A caller who waits for hours makes one every few seconds.
const MAX_DECISIONS: usize = 200;

/// A call's story.
pub(crate) struct Narrative {
    pub(super) started: Instant,
    pub(super) answered: Option<Instant>,
    pub(super) connected: Option<Instant>,
    pub(super) queue: Option<QueueId>,
    pub(super) agent: Option<AgentId>,
    /// Its recordings, first to last: each transfer begins another one.
    pub(super) recordings: Vec<RecordingId>,
    /// What the far end said of why it does not take the call, or hangs up.
    pub(super) far: Option<FarEnd>,
    /// The same as it stood in its Reason, if it hung up or gave up.
    pub(super) reason: Option<String>,
    /// Legs that are over already.
    pub(super) legs: Vec<LegRecord>,
    pub(crate) ladder: Ladder,
    decisions: Vec<DecisionEntry>,
    decisions_cut: u32,
    /// Recordings that were whole before the call's record was: after a transfer there is another.
    pub(crate) reports: Vec<RecordingReport>,
}

impl Narrative {
    pub(super) fn new(started: Instant, ladder: Ladder) -> Self {
        Self {
            started,
            answered: None,
            connected: None,
            queue: None,
            agent: None,
            recordings: Vec::new(),
            far: None,
            reason: None,
            legs: Vec::new(),
            ladder,
            decisions: Vec::new(),
            decisions_cut: 0,
            reports: Vec::new(),
        }
    }

    /// Keeps a decision, if there is room; the call's end always has some.
    pub(super) fn decide(&mut self, node: &Node, now: Instant, decided: Decided) {
        if self.decisions.len() >= MAX_DECISIONS && !matches!(decided, Decided::End { .. }) {
            self.decisions_cut = self.decisions_cut.saturating_add(1);
            return;
        }
        self.decisions.push(DecisionEntry { at: node.wall(now), decided });
    }

    pub(crate) fn decisions(&self) -> &[DecisionEntry] {
        &self.decisions
    }

    pub(super) fn take_decisions(&mut self) -> (Vec<DecisionEntry>, u32) {
        (std::mem::take(&mut self.decisions), self.decisions_cut)
    }
}
