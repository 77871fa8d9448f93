//! What every call has at its beginning, whoever began it.

use std::collections::VecDeque;

use std::sync::Arc;

use base::{AgentId, CallId, Instant, TenantId};
use routing::Directory;
use sip::Message;

use super::caller::WhoCalls;
use super::leg::Leg;
use super::model::{Origin, Party};
use super::sent_on::SentOn;
use super::setup::Opening;
use super::{Call, Narrative, Stage};
use crate::event::EventKind;
use crate::ladder::Ladder;
use crate::node::Node;
use crate::record::CallDirection;

/// How often a call may be passed on that nobody has passed on yet (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

/// What a call is made of.
pub(super) struct Beginning {
    pub(super) tenant: TenantId,
    pub(super) directory: Arc<Directory>,
    pub(super) origin: Origin,
    pub(super) direction: CallDirection,
    pub(super) from: Party,
    pub(super) to: String,
    /// Whoever called, or is called first.
    pub(super) caller: Leg,
    /// Its messages so far.
    pub(super) ladder: Ladder,
}

impl Call {
    /// A call that has not been told of yet.
    pub(super) fn new(node: &Node, now: Instant, id: CallId, beginning: Beginning) -> Self {
        let Beginning { tenant, directory, origin, direction, from, to, caller, ladder } =
            beginning;
        let prompts = Arc::clone(&node.prompts);
        Self {
            id,
            tenant,
            directory,
            prompts,
            direction,
            trunk: origin.trunk().cloned(),
            origin,
            number: None,
            from,
            who: WhoCalls::default(),
            sent_on: SentOn::default(),
            verdict: None,
            identities: Vec::new(),
            hops: HOPS,
            passed_on: Vec::new(),
            to,
            caller_id: None,
            steps: Vec::new(),
            flows: 0,
            attributes: Vec::new(),
            caller,
            far: Vec::new(),
            stage: Stage::Opening(Opening { goal: None, pickup: None }),
            dialling: None,
            listening: None,
            siprec: None,
            siprec_asked: None,
            guests: Vec::new(),
            host: None,
            mixing: None,
            tapped: Vec::new(),
            capturing: None,
            relays: Vec::new(),
            adrift: Vec::new(),
            pausing: None,
            goes_first: false,
            transfer: None,
            transfers: 0,
            admitted: false,
            admitted_outbound: false,
            on_trunks: Vec::new(),
            engaged: Vec::new(),
            typed: VecDeque::new(),
            one_codec_due: None,
            promises: Vec::new(),
            untold: Vec::new(),
            expires: None,
            narrative: Narrative::new(now, ladder),
        }
    }

    /// Tells that it begins.
    pub(super) fn tell_started(&self, node: &mut Node, now: Instant, agent: Option<AgentId>) {
        let started = EventKind::CallStarted {
            direction: self.direction,
            trunk: self.trunk.clone(),
            agent,
            from: self.from.number.clone(),
            from_name: self.from.name(),
            to: self.to.clone(),
            diversions: self.sent_on.told(),
        };
        self.tell(node, now, started);
    }
}

/// How often a call may still be passed on that came by this INVITE.
pub(super) fn hops_of(invite: &Message) -> u8 {
    invite.max_forwards().unwrap_or(HOPS).saturating_sub(1).min(HOPS)
}
