//! What the router thinks of agents is what the calls say: nobody is left busy, nobody who talks
//! is thought free. And nothing grows without bound.

use std::collections::BTreeSet;

use base::{CallId, TenantId};
use routing::{AgentSnapshot, AgentState};
use switch::{ApiReply, ApiRequest, LiveCall, LiveState, Sizes};

use crate::town::Town;

/// More than these of anything is more than a town can need.
const MOST_CALLS: usize = 100;
const MOST: usize = 3_000;

impl Town {
    /// Looks at agents and calls as they are now.
    pub(in crate::town) fn check_presence(&mut self) {
        for tenant in ["acme", "globex"].into_iter().filter_map(|name| TenantId::new(name).ok()) {
            let agents = self.ask(&tenant, ApiRequest::Agents);
            let calls = self.ask(&tenant, ApiRequest::ListLive);
            let (Some(ApiReply::Agents(agents)), Some(ApiReply::Calls(calls))) = (agents, calls)
            else {
                return self.complain("the API does not know its agents or calls");
            };
            for wrong in disagreements(&agents, &calls) {
                self.complain(format!("{tenant}: {wrong}"));
            }
        }
        if let Some(wrong) = too_much(&self.switch.sizes()) {
            self.complain(wrong);
        }
    }
}

fn too_much(sizes: &Sizes) -> Option<String> {
    let rest = [
        sizes.index,
        sizes.streams,
        sizes.strays,
        sizes.alarms,
        sizes.paths,
        sizes.server_transactions,
        sizes.client_transactions,
        sizes.watched,
        sizes.subscriptions,
        sizes.messages,
        sizes.held,
    ];
    (sizes.calls > MOST_CALLS || rest.iter().any(|size| *size > MOST))
        .then(|| format!("it grows: {sizes:?}"))
}

fn disagreements(agents: &[AgentSnapshot], calls: &[LiveCall]) -> Vec<String> {
    let live: BTreeSet<CallId> = calls.iter().map(|call| call.id).collect();
    let mut wrong = Vec::new();
    for agent in agents {
        let name = agent.id.as_str();
        let of: Vec<CallId> = agent
            .work
            .iter()
            .chain(&agent.direct_calls)
            .map(|work| CallId::from_u128(work.0))
            .collect();
        for call in of.iter().filter(|call| !live.contains(call)) {
            wrong.push(format!("{name} is on {call}, which is over"));
        }
        let is_taken = matches!(agent.state, AgentState::Ringing | AgentState::Busy);
        if is_taken && of.is_empty() {
            wrong.push(format!("{name} is {:?} without a call", agent.state));
        }
        for call in calls {
            let talks =
                call.state == LiveState::Connected && call.agent.as_ref() == Some(&agent.id);
            if talks && !of.contains(&call.id) {
                wrong.push(format!("{name} talks on {} and is thought free", call.id));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base::AgentId;
    use routing::WorkId;
    use switch::CallDirection;

    use super::*;

    fn agent(state: AgentState, work: Option<u128>) -> AgentSnapshot {
        AgentSnapshot {
            id: AgentId::new("alice").unwrap(),
            name: String::new(),
            state,
            reason: None,
            state_ms: 0,
            reachable: true,
            next: AgentState::Available,
            work: work.map(WorkId),
            direct_calls: Vec::new(),
            wrap_up: None,
            do_not_disturb: false,
            skills: Vec::new(),
            queues: Vec::new(),
        }
    }

    fn call(id: u128) -> LiveCall {
        LiveCall {
            id: CallId::from_u128(id),
            state: LiveState::Connected,
            direction: CallDirection::Inbound,
            trunk: None,
            from: String::new(),
            to: String::new(),
            queue: None,
            agent: AgentId::new("alice").ok(),
            started_at: base::UnixTime::from_micros(0),
            answered_at: None,
            connected_at: None,
            duration_ms: 0,
            recording: None,
            paused_until: None,
            held: false,
            legs: Vec::new(),
        }
    }

    #[test]
    fn an_agent_left_busy_and_one_thought_free_are_seen() {
        assert!(disagreements(&[agent(AgentState::Busy, Some(7))], &[call(7)]).is_empty());
        let left = disagreements(&[agent(AgentState::Busy, Some(7))], &[]);
        assert!(left[0].contains("which is over"), "{left:?}");
        let busy = disagreements(&[agent(AgentState::Busy, None)], &[]);
        assert!(busy[0].contains("without a call"), "{busy:?}");
        let free = disagreements(&[agent(AgentState::Available, None)], &[call(7)]);
        assert!(free[0].contains("thought free"), "{free:?}");
    }

    #[test]
    fn what_grows_is_seen() {
        assert_eq!(too_much(&Sizes::default()), None);
        assert!(too_much(&Sizes { strays: 4_000, ..Sizes::default() }).is_some());
        assert!(too_much(&Sizes { calls: 200, ..Sizes::default() }).is_some());
    }
}
