//! A conversation of which nothing is recorded for a while, because an agent or the API says so: not
//! by our recorder, whose recording is silent for exactly that time, nor by a recording server
//! (SIPREC), which gets no voices. It goes on when it is told to, when it was paused for long
//! enough, and with the next conversation of the call: one that goes on because nobody takes its
//! transfer is the same.

use base::{AgentId, Duration, Instant};

use super::{Call, Recording, Stage};
use crate::api::ApiError;
use crate::event::{EventKind, ResumeWhy};
use crate::node::{Alarm, Node};
use crate::port::{Output, RecordCommand};
use crate::record::millis;

/// A pause under way.
pub(super) struct Pausing {
    since: Instant,
    /// When it is over by itself.
    until: Instant,
    /// The name of the key that has asked for it.
    by: String,
}

/// What is left of a pause while its conversation is parted: until when, and who asked for it.
pub(super) type KeptPause = (Instant, String);

impl Call {
    /// Has nothing more be recorded, for as long as `lasts`; a pause under way is given that time
    /// anew. An agent may do so in their own conversation.
    ///
    /// # Errors
    /// When the agent does not talk in it, or nothing of it is recorded.
    pub(crate) fn pause_recording(
        &mut self,
        node: &mut Node,
        now: Instant,
        agent: Option<&AgentId>,
        (by, lasts): (String, Duration),
    ) -> Result<(), ApiError> {
        self.may_pause(agent)?;
        self.pause(node, now, (by, lasts));
        Ok(())
    }

    fn pause(&mut self, node: &mut Node, now: Instant, (by, lasts): (String, Duration)) {
        let until = now + lasts;
        let since = match self.forget_pausing(node) {
            Some(before) => before.since,
            None => {
                self.order_pause(node, now, true);
                let (recording, by) = (self.recording(), by.clone());
                let lasts_s = u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX);
                self.tell(node, now, EventKind::RecordingPaused { recording, by, lasts_s });
                now
            }
        };
        node.alarms.insert((until, Alarm::Paused(self.id)));
        self.pausing = Some(Pausing { since, until, by });
    }

    /// What is left of the pause under way.
    pub(super) fn kept_pause(&self) -> Option<KeptPause> {
        self.pausing.as_ref().map(|pausing| (pausing.until, pausing.by.clone()))
    }

    /// Nobody has taken the transfer: the conversation goes on, and so does its pause.
    pub(super) fn pause_again(&mut self, node: &mut Node, now: Instant, kept: Option<KeptPause>) {
        let Some((until, by)) = kept.filter(|(until, _)| *until > now) else { return };
        if self.may_pause(None).is_ok() {
            self.pause(node, now, (by, until.since(now)));
        }
    }

    /// Has it be recorded again.
    ///
    /// # Errors
    /// When the agent does not talk in it, or it is not paused.
    pub(crate) fn resume_recording(
        &mut self,
        node: &mut Node,
        now: Instant,
        agent: Option<&AgentId>,
        by: String,
    ) -> Result<(), ApiError> {
        self.may_pause(agent)?;
        if self.pausing.is_none() {
            return Err(ApiError::Conflict("its recording is not paused".to_owned()));
        }
        self.end_pause(node, now, ResumeWhy::Request, Some(by));
        Ok(())
    }

    /// It was paused for as long as it was to be.
    pub(super) fn on_paused_long_enough(&mut self, node: &mut Node, now: Instant) {
        if self.pausing.as_ref().is_some_and(|pausing| pausing.until <= now) {
            self.end_pause(node, now, ResumeWhy::Limit, None);
        }
    }

    /// The conversation is over, and its recording: the next one is recorded.
    pub(super) fn end_pause_with_talk(&mut self, node: &mut Node, now: Instant) {
        self.end_pause(node, now, ResumeWhy::Ended, None);
    }

    /// Whether nothing of the conversation is to be recorded now.
    pub(super) fn is_paused(&self) -> bool {
        self.pausing.is_some()
    }

    /// When a pause under way is over by itself.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.pausing.as_ref().map(|pausing| pausing.until)
    }

    fn end_pause(&mut self, node: &mut Node, now: Instant, why: ResumeWhy, by: Option<String>) {
        let Some(Pausing { since, .. }) = self.forget_pausing(node) else { return };
        if why != ResumeWhy::Ended {
            self.order_pause(node, now, false);
        }
        let (recording, paused_ms) = (self.recording(), millis(now.since(since)));
        self.tell(node, now, EventKind::RecordingResumed { recording, why, by, paused_ms });
    }

    fn forget_pausing(&mut self, node: &mut Node) -> Option<Pausing> {
        let pausing = self.pausing.take()?;
        node.alarms.remove(&(pausing.until, Alarm::Paused(self.id)));
        Some(pausing)
    }

    fn may_pause(&self, agent: Option<&AgentId>) -> Result<(), ApiError> {
        if agent.is_some_and(|agent| !self.talks(agent)) {
            return Err(ApiError::NotFound);
        }
        let Stage::Connected { talk } = &self.stage else {
            return Err(ApiError::Conflict("nobody talks in this call".to_owned()));
        };
        if matches!(talk.recording, Recording::Off) && self.siprec.is_none() {
            return Err(ApiError::Conflict("nothing of this call is recorded".to_owned()));
        }
        Ok(())
    }

    /// The recorder's silence begins or ends; who is tapped, and copied, follows by itself.
    fn order_pause(&self, node: &mut Node, now: Instant, paused: bool) {
        let Stage::Connected { talk } = &self.stage else { return };
        let Recording::On { recording, tap } = talk.recording else { return };
        let order = if paused {
            RecordCommand::Pause { recording, tap, now }
        } else {
            RecordCommand::Resume { recording, tap, now }
        };
        node.outbox.push_back(Output::Record(order));
    }

    /// The recording that runs, or ran last.
    fn recording(&self) -> Option<base::RecordingId> {
        match &self.stage {
            Stage::Connected { talk } => match talk.recording {
                Recording::On { recording, .. } => Some(recording),
                Recording::Off => None,
            },
            _ => self.narrative.recordings.last().copied(),
        }
    }
}
