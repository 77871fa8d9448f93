//! Calls that were refused before they were anybody's: from strangers, over a trunk of several
//! tenants to a number that nobody has, or turned away under load. The platform sees the last of
//! them, each with its ladder; a flood from one source does not push the others out.

use std::collections::VecDeque;

use base::{CallId, Instant};
use sip::{Flow, Message, Method, Pace, Response, Source, StatusCode};

use crate::api::RefusedCall;
use crate::ladder::Ladder;
use crate::node::Node;

/// Calls kept; the oldest give way.
const KEPT: usize = 500;
/// Of one source: at once, and then one a second.
const BURST: u32 = 10;
const SOURCES: usize = 4_096;
/// Of one call: what came and what was answered.
const MESSAGES: usize = 10;
const BYTES: usize = 16 * 1024;

/// The last of them, oldest first.
#[derive(Debug)]
pub(crate) struct RefusedCalls {
    kept: VecDeque<RefusedCall>,
    pace: Pace,
    /// Refused by the input that is being handled: its messages are still being gathered.
    current: Option<(Box<str>, RefusedCall)>,
}

impl Default for RefusedCalls {
    fn default() -> Self {
        let (kept, pace) = (VecDeque::new(), Pace::new(1, BURST, SOURCES));
        Self { kept, pace, current: None }
    }
}

impl RefusedCalls {
    /// Newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &RefusedCall> {
        self.kept.iter().rev()
    }

    fn keep(&mut self, call: RefusedCall) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(call);
    }
}

impl Node {
    /// An INVITE is refused that is nobody's call.
    pub(crate) fn note_refused(
        &mut self,
        now: Instant,
        flow: Flow,
        invite: &Message,
        response: &Response,
    ) {
        let status = response.status();
        let is_challenge =
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        if invite.method() != Method::Invite || is_challenge {
            return;
        }
        if !self.refused.pace.allows(now, &Source::of(flow.remote.ip())) {
            return;
        }
        let trunk = self.directory.as_ref().and_then(|d| d.trunk_of(flow.remote.ip()));
        let user = |uri: sip::Uri<'_>| uri.user_unescaped().unwrap_or_default().into_owned();
        let call = RefusedCall {
            id: CallId::generate(self.wall(now), &mut self.rng),
            at: self.wall(now),
            source: flow.remote,
            trunk: trunk.map(|trunk| trunk.id.clone()),
            from: invite.from().map(|from| user(from.uri())).unwrap_or_default(),
            to: invite.uri().map(user).unwrap_or_default(),
            status: status.as_u16(),
            ladder: Vec::new(),
        };
        self.refused.current = Some((invite.call_id().into(), call));
    }

    /// The input has been handled: what was said about the refused call is known.
    pub(crate) fn close_refused(&mut self) {
        let Some((sip_call, mut call)) = self.refused.current.take() else { return };
        let mut ladder = Ladder::new(MESSAGES, BYTES);
        self.pending.claim(&sip_call, &mut ladder);
        (call.ladder, _) = ladder.take();
        self.refused.keep(call);
    }
}
