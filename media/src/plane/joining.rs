//! Orders that join more than two streams.

use base::Instant;

use super::Plane;
use crate::{Event, MAX_MEMBERS, Member, MixId, StreamId};

impl Plane {
    pub(super) fn mix(&mut self, _now: Instant, mix: MixId, members: Vec<Member>) {
        if members.len() > MAX_MEMBERS
            && let [first, ..] = members.as_slice()
        {
            self.events.push_back(Event::MixRefused { stream: first.stream, mix });
        }
    }

    pub(super) fn unmix(&mut self, _now: Instant, _mix: MixId) {}

    pub(super) fn copy(&mut self, _now: Instant, _from: StreamId, _to: Option<StreamId>) {}
}
