//! A call that an agent makes from a phone: to another agent, a queue, a number of the tenant's
//! own, or outside.

use std::sync::Arc;

use base::{AgentId, Instant, TenantId};
use routing::{Dialled, Directory, Input, Step};
use sip::{Flow, Message, ServerTx};

use super::Call;
use super::model::{Goal, Inviter, Party};
use super::refusal::Refusal;
use super::setup::{Destination, Invitation};
use super::takeover::Target;
use crate::node::Node;

/// An INVITE of an agent's phone that begins a call. That it is the agent's has been proven.
pub(crate) struct AgentInvitation {
    pub(crate) tx: ServerTx,
    pub(crate) flow: Flow,
    pub(crate) invite: Message,
    pub(crate) tenant: TenantId,
    pub(crate) agent: AgentId,
    pub(crate) directory: Arc<Directory>,
    /// The leg whose place it takes, or why it may not, if that is what it is for.
    pub(crate) pickup: Option<Result<Target, Refusal>>,
}

impl Call {
    /// A new call of an agent's: it goes where the tenant's dial policy lets it.
    pub(crate) fn begin_from_agent(
        node: &mut Node,
        now: Instant,
        invitation: AgentInvitation,
    ) -> Self {
        let AgentInvitation { tx, flow, invite, tenant, agent, directory, pickup } = invitation;
        let known = directory.agent(&tenant, &agent);
        let display = known.map(|agent| agent.name.clone()).unwrap_or_default();
        let from = Party { number: agent.to_string(), display };
        let dialled = dialled_text(&invite);
        let dial = || routing::dial(&directory, &tenant, Some(&agent), invite.uri_text());
        let destination = match pickup {
            Some(Ok(target)) => Destination::Pickup(target),
            Some(Err(refusal)) => Destination::Nowhere(refusal),
            None => match dial() {
                Ok(dialled) => destination(&directory, &tenant, dialled),
                Err(refused) => Destination::Nowhere(Refusal::of_dial(&refused)),
            },
        };
        let inviter = Inviter::Agent(agent);
        let (from, verdict) = (Some(from), None);
        let invitation = Invitation {
            tx,
            flow,
            invite,
            inviter,
            tenant,
            dialled,
            from,
            verdict,
            directory,
            destination,
        };
        Self::begin(node, now, invitation)
    }

    /// The agent is in this call: a queue's calls pass them over until it is over.
    pub(super) fn engage(&mut self, node: &mut Node, now: Instant, agent: &AgentId) {
        if !self.engaged.contains(agent) {
            self.engaged.push(agent.clone());
            let (tenant, agent, call) = (self.tenant.clone(), agent.clone(), self.work());
            node.router.handle_input(now, Input::DirectBegan { tenant, agent, call });
        }
    }

    /// It is over for one of them.
    pub(super) fn disengage_one(&mut self, node: &mut Node, now: Instant, agent: &AgentId) {
        if let Some(at) = self.engaged.iter().position(|engaged| engaged == agent) {
            let agent = self.engaged.swap_remove(at);
            let (tenant, call) = (self.tenant.clone(), self.work());
            node.router.handle_input(now, Input::DirectEnded { tenant, agent, call });
        }
    }

    /// It is over for all of them.
    pub(super) fn disengage(&mut self, node: &mut Node, now: Instant) {
        for agent in std::mem::take(&mut self.engaged) {
            let (tenant, call) = (self.tenant.clone(), self.work());
            node.router.handle_input(now, Input::DirectEnded { tenant, agent, call });
        }
    }
}

/// Where what was dialled leads.
fn destination(directory: &Directory, tenant: &TenantId, dialled: Dialled) -> Destination {
    match dialled {
        Dialled::Agent(agent) => Destination::Direct(Goal::Agent(agent)),
        Dialled::Outside(to) => Destination::Direct(Goal::Outside(to)),
        Dialled::Queue(queue) => Destination::Steps(vec![Step::Queue { queue }]),
        Dialled::OwnNumber { number, flow } => {
            let steps = directory.flow(tenant, &flow).map(|flow| flow.steps.clone());
            let (number, steps) = (number.to_string(), steps.unwrap_or_default());
            let reasons = vec![format!("{number} is a number of the tenant's own")];
            Destination::Flow { number, flow, reasons, steps }
        }
    }
}

/// What the agent dialled, as records show it.
fn dialled_text(invite: &Message) -> String {
    match invite.uri() {
        Ok(uri) => uri.user_unescaped().map_or_else(|| uri.host().to_owned(), |u| u.into_owned()),
        Err(_) => invite.uri_text().to_owned(),
    }
}
