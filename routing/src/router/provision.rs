//! New provisioning while work waits, rings and talks: what still has a place goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, Instant, TenantId};

use super::floor::{Floor, Turn};
use super::line::Line;
use super::seat::{Doing, Idle, Profile, Seat};
use super::work::Stage;
use super::{AttemptFailure, CancelReason, Router, WorkId};
use crate::{Candidate, Decision, Directory, Queue, Tenant, Verdict};

impl Router {
    /// Tenants whose agents and queues are as they were are not touched.
    pub(super) fn provision(&mut self, now: Instant, directory: &Arc<Directory>) {
        let tenants: BTreeSet<TenantId> = self
            .floors
            .keys()
            .cloned()
            .chain(directory.tenants().map(|tenant| tenant.id.clone()))
            .collect();
        for tenant in tenants {
            if directory.tenant(&tenant).is_some() {
                self.floors.entry(tenant.clone()).or_default();
            }
            self.on(now, &tenant, |floor, turn| floor.provision(turn, directory));
        }
    }
}

impl Floor {
    fn provision(&mut self, turn: &mut Turn, directory: &Arc<Directory>) {
        let tenant = directory.tenant(turn.tenant);
        let before = self.directory.take();
        self.directory = tenant.map(|_| directory.clone());
        let before = before.as_ref().and_then(|directory| directory.tenant(turn.tenant));
        if let (Some(old), Some(new)) = (before, tenant)
            && old.agents == new.agents
            && old.queues == new.queues
        {
            return;
        }
        let (agents, queues) = tenant.map_or((&[][..], &[][..]), lists);
        self.provision_seats(turn, agents);
        self.provision_lines(queues);
        self.provision_members(agents);
        self.refuse_removed_queues(turn);
        self.vacate_removed_seats(turn);
        self.settle_all(turn);
        self.offer_all(turn);
        // Other thresholds, or other agents.
        for line in self.lines.values() {
            line.agents_changed(turn);
        }
    }

    fn provision_seats(&mut self, turn: &Turn, agents: &[crate::Agent]) {
        for seat in self.seats.values_mut() {
            seat.removed = true;
        }
        for agent in agents {
            let profile = Profile::of(agent);
            match self.seats.get_mut(&agent.id) {
                Some(seat) => {
                    seat.profile = profile;
                    seat.removed = false;
                }
                None => {
                    self.seats.insert(agent.id.clone(), Seat::new(profile, turn.now));
                }
            }
        }
    }

    fn provision_lines(&mut self, queues: &[Queue]) {
        let mut before = std::mem::take(&mut self.lines);
        for queue in queues {
            let line = match before.remove(&queue.id) {
                Some(mut line) => {
                    line.queue = queue.clone();
                    line
                }
                None => Line::new(queue.clone()),
            };
            self.lines.insert(queue.id.clone(), line);
        }
        // Agents may still be rung for a queue that was away for a while.
        for line in self.lines.values_mut() {
            line.ringing = 0;
        }
        for work in self.work.values() {
            if let (Stage::Ringing(_), Some(line)) = (&work.stage, self.lines.get_mut(&work.queue))
            {
                line.ringing += 1;
            }
        }
    }

    /// Who may take the work of which queue, and why others may not.
    fn provision_members(&mut self, agents: &[crate::Agent]) {
        for seat in self.seats.values_mut() {
            seat.lines.clear();
        }
        let agents: BTreeMap<&AgentId, &crate::Agent> = agents.iter().map(|a| (&a.id, a)).collect();
        for (id, line) in &mut self.lines {
            line.members.clear();
            line.idle.clear();
            line.outsiders.clear();
            let listed: Option<BTreeSet<&AgentId>> =
                line.queue.agents.as_ref().map(|listed| listed.iter().collect());
            for (name, agent) in &agents {
                let verdict = if listed.as_ref().is_some_and(|listed| !listed.contains(name)) {
                    Verdict::NotInQueue
                } else if let Some(skill) = Directory::lacking(agent, &line.queue.needs) {
                    Verdict::MissingSkill { skill }
                } else {
                    line.members.insert((*name).clone());
                    if let Some(seat) = self.seats.get_mut(*name) {
                        seat.lines.push(id.clone());
                        line.idle.extend(seat.free_since.map(|since| (since, (*name).clone())));
                    }
                    continue;
                };
                if line.outsiders.len() < Decision::MAX_CONSIDERED {
                    line.outsiders.push(Candidate { agent: (*name).clone(), verdict });
                }
            }
        }
    }

    fn refuse_removed_queues(&mut self, turn: &mut Turn) {
        let homeless: Vec<WorkId> = self
            .work
            .iter()
            .filter(|(_, work)| {
                work.stage == Stage::Waiting && !self.lines.contains_key(&work.queue)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in homeless {
            self.refuse_removed(turn, id);
        }
    }

    /// Who is rung is rung no more; who talks keeps the seat until the call is over.
    fn vacate_removed_seats(&mut self, turn: &mut Turn) {
        let removed = self.seats.iter().filter(|(_, seat)| seat.removed && !seat.talks());
        let removed: Vec<(AgentId, Doing)> =
            removed.map(|(id, seat)| (id.clone(), seat.doing)).collect();
        for (agent, doing) in removed {
            if let Doing::Ringing(work) = doing {
                self.cancelled(turn, work, AttemptFailure::Error, CancelReason::Removed);
            }
            self.vacate(turn, &agent);
        }
    }

    fn settle_all(&mut self, turn: &mut Turn) {
        let agents: Vec<AgentId> = self.seats.keys().cloned().collect();
        for agent in agents {
            self.settle(turn, &agent, Idle::StartsAgain);
        }
    }

    /// New agents, skills and queues may suit work that waits.
    fn offer_all(&mut self, turn: &mut Turn) {
        let mut waiting: Vec<_> = self.lines.values().flat_map(Line::waiting).collect();
        waiting.sort_unstable();
        for (_, id) in waiting {
            self.offer_work(turn, id);
        }
    }
}

fn lists(tenant: &Tenant) -> (&[crate::Agent], &[Queue]) {
    (&tenant.agents, &tenant.queues)
}
